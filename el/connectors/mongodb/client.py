"""The connection by pymongo, and what the server says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bson.timestamp import Timestamp
from pymongo import MongoClient

from el.connectors.mongodb.config import MongoDbConfig

# Of the name of an application the server takes so many bytes.
_NAME = 128


@dataclass(frozen=True, slots=True)
class Server:
    """What `hello` and `buildInfo` say."""

    version: tuple[int, ...]
    replica_set: str | None = None
    sharded: bool = False

    @property
    def standalone(self) -> bool:
        """Neither of a replica set nor of a sharded cluster: it keeps no log and has no transactions."""
        return self.replica_set is None and not self.sharded

    @property
    def shown(self) -> str:
        return ".".join(str(part) for part in self.version)


def connected(config: MongoDbConfig, name: str) -> MongoClient[dict[str, Any]]:
    """A client with its pool, which has reached the server and signed in."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        config.uri,
        **config.arguments(),
        appname=name.encode("utf-8")[:_NAME].decode("utf-8", "ignore"),
        # El retries itself, and tells so; the driver does so once where a server of a set steps down.
        retryReads=True,
        retryWrites=True,
        maxPoolSize=16,
    )
    try:
        # Asked in the database itself: it is known to whom signs in, and `ping` asks for no user.
        client[config.database].command("ping")
        if config.user is not None:
            client[config.database].command("connectionStatus")
        else:
            # Who has not signed in may `ping` a server that lets nobody else do anything.
            client[config.database].command("listCollections", nameOnly=True, authorizedCollections=True)
    except BaseException:
        client.close()
        raise
    return client


def server_of(client: MongoClient[dict[str, Any]]) -> Server:
    """What the server is. Needs no right."""
    hello = client.admin.command("hello")
    build = client.admin.command("buildInfo")
    version = tuple(int(part) for part in build.get("versionArray", ())[:3])
    return Server(version, hello.get("setName"), hello.get("msg") == "isdbgrid")


def operation_time(client: MongoClient[dict[str, Any]]) -> Timestamp | None:
    """The cluster time of now; None of a server that keeps no log."""
    found = client.admin.command("ping").get("operationTime")
    return found if isinstance(found, Timestamp) else None
