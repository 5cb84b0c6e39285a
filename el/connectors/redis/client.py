"""Connections by redis-py: to one server, to the master that a sentinel names, or to the primaries of a cluster.

Answers come as the server writes them. redis-py's own conversions make maps of them, in which of two fields of one name
in a stream's entry one is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import hiredis
import redis
import redis.cluster
import redis.sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from el.connectors.redis.config import RedisConfig

Command = tuple[bytes | str | int, ...]
# Without types of their own.
_cluster: Any = redis.cluster
_sentinel: Any = redis.sentinel
_packed: Any = hiredis.pack_command


class Client:
    """An open connection to each server that has keys."""

    def __init__(self, config: RedisConfig, name: str) -> None:
        self.config = config
        # A name has no blanks; el's own retries are told, redis-py's would not be.
        options = {**config.arguments(), "retry": Retry(NoBackoff(), 0), "client_name": name.replace(" ", ":")}
        self._cluster: Any = None
        self.nodes: tuple[Any, ...] = ()
        try:
            self._connect(config, options)
            node: Any
            for node in self.nodes:
                node.response_callbacks.clear()
                node.execute_command("PING")
        except BaseException:
            self.close()
            raise

    def _connect(self, config: RedisConfig, options: dict[str, Any]) -> None:
        if config.encrypt and not config.sentinels and config.unix_socket is None:
            # A server without TLS answers nothing to a handshake, and would be waited for as for a long read.
            short = {**options, "socket_timeout": config.login_timeout}
            with redis.Redis(host=config.host, port=config.port, **short) as probe:
                probe.ping()
        if config.cluster:
            start = [_cluster.ClusterNode(config.host, config.port)]
            options = {**options, "retry": None, "cluster_error_retry_attempts": 3}
            self._cluster = _cluster.RedisCluster(startup_nodes=start, **options)
            primaries = sorted(self._cluster.get_primaries(), key=lambda node: str(node.name))
            self.nodes = tuple(self._cluster.get_redis_connection(node) for node in primaries)
        elif config.sentinels:
            self.nodes = (self._master(config, options),)
        elif config.unix_socket is not None:
            self.nodes = (redis.Redis(unix_socket_path=config.unix_socket, db=config.database, **options),)
        else:
            self.nodes = (redis.Redis(host=config.host, port=config.port, db=config.database, **options),)

    def _master(self, config: RedisConfig, options: dict[str, Any]) -> Any:
        secret = config.sentinel_password.get_secret_value() if config.sentinel_password else None
        asked = {**options, "username": config.sentinel_user, "password": secret}
        found = _sentinel.Sentinel(config.sentinel_places(), sentinel_kwargs=asked, **options)
        return found.master_for(config.sentinel_master, db=config.database)

    def close(self) -> None:
        nodes, self.nodes = self.nodes, ()
        for node in nodes:
            with suppress(Exception):
                node.close()
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close()

    def do(self, *command: bytes | str | int) -> Any:
        """What the first server says to a command."""
        return self.nodes[0].execute_command(*command)

    def at(self, key: bytes) -> Any:
        """The server that has this key."""
        if self._cluster is None:
            return self.nodes[0]
        node = self._cluster.get_node_from_key(key)
        found = self._cluster.get_redis_connection(node)
        found.response_callbacks.clear()
        return found


def together(node: Any, commands: Sequence[Command]) -> list[Any]:
    """The answers to commands that are sent in one go; of one that is refused, its error.

    Without redis-py's pipeline, which takes three times as long for a command as the server does.
    """
    if not commands:
        return []
    connection = node.connection_pool.get_connection()
    try:
        connection.send_packed_command([b"".join(map(_packed, commands))])
        return [_answer(connection) for _ in commands]
    except BaseException:
        # Answers that nobody took would be the next command's.
        connection.disconnect()
        raise
    finally:
        node.connection_pool.release(connection)


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def scanned(node: Any, command: Command, more: Command = (), at_once: int = 1_000) -> Iterator[list[Any]]:
    """The pages of a scan, until its cursor is 0 again."""
    cursor: bytes | int = 0
    while True:
        cursor, found = node.execute_command(*command, cursor, *more, "COUNT", at_once)
        yield list(found)
        if int(cursor) == 0:
            return


def refused(answer: Any) -> ResponseError | None:
    """The error of an answer that is one."""
    return answer if isinstance(answer, ResponseError) else None
