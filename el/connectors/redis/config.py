"""Where a Redis or Valkey server is, who signs in, and which keys make a table."""

from __future__ import annotations

import ssl
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from el.connectors.base import ConnectionConfig


class KeyType(StrEnum):
    """A type of Redis's, as TYPE says it."""

    STRING = "string"
    HASH = "hash"
    LIST = "list"
    SET = "set"
    ZSET = "zset"
    STREAM = "stream"


WITH_DOCUMENT = (KeyType.STRING, KeyType.HASH, KeyType.STREAM)


class KeyTable(BaseModel):
    """The keys of one table: those that a pattern matches, or one stream.

    match: a pattern of Redis's, as KEYS and SCAN take it. type: theirs; without it a table has keys of every type, an
    element a row. document: what a key holds (a hash's fields, an entry's fields, the JSON in a string) is a document.
    stream: one stream by its key, which can be followed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str | None = None
    type: KeyType | None = None
    document: bool = False
    stream: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"match": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> KeyTable:
        if (self.match is None) == (self.stream is None):
            raise ValueError("a table is `match`, a pattern of keys, or `stream`, the key of one stream")
        if self.stream is not None and self.type not in (None, KeyType.STREAM):
            raise ValueError(f"`stream` names a stream, and `type` says {self.type}")
        if self.document and self.kind not in WITH_DOCUMENT:
            raise ValueError("`document: true` needs `type: string`, `hash` or `stream`")
        return self

    @property
    def kind(self) -> KeyType | None:
        return KeyType.STREAM if self.stream is not None else self.type


class Sentinel(BaseModel):
    """Who knows which server is the master of that name now. hosts: "host:port" each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    master: str
    hosts: tuple[str, ...] = Field(min_length=1)
    user: str | None = None
    password: SecretStr | None = None

    def places(self) -> list[tuple[str, int]]:
        return [(host, int(port or 26379)) for host, _, port in (each.rpartition(":") for each in self._full())]

    def _full(self) -> list[str]:
        return [each if ":" in each else f"{each}:26379" for each in self.hosts]


class RedisConfig(ConnectionConfig):
    """The server, and who signs in.

    database: its number. cluster: the server is one node of a cluster, whose others it names. tables: by their names
        in el.yml; without any, all keys are the table `keys`. ssl_ca: a file with the authorities to trust, where the
        system's are not enough. ssl_cert, ssl_key: what the server wants to see of the client.
    login_timeout, query_timeout: seconds.
    """

    names_database: ClassVar[tuple[str, ...]] = ("database", "sentinel")

    host: str = Field(default="localhost", validation_alias=AliasChoices("host", "server"))
    port: int = Field(default=6379, ge=1, le=65535)
    unix_socket: str | None = None
    database: int = Field(default=0, ge=0, validation_alias=AliasChoices("database", "db"))
    user: str | None = Field(default=None, validation_alias=AliasChoices("user", "username"))
    password: SecretStr | None = None
    cluster: bool = False
    sentinel: Sentinel | None = None
    encrypt: bool = True
    trust_cert: bool = False
    ssl_ca: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    login_timeout: int = Field(default=15, ge=1)
    query_timeout: int = Field(default=60, ge=1)
    tables: dict[str, KeyTable] = Field(default_factory=lambda: {"keys": KeyTable(match="*")})

    @field_validator("tables", mode="after")
    @classmethod
    def _some(cls, value: dict[str, KeyTable]) -> dict[str, KeyTable]:
        if not value:
            raise ValueError("name a table, such as {users: 'user:*'}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> RedisConfig:
        if self.cluster and (self.sentinel is not None or self.database or self.unix_socket):
            raise ValueError("a cluster has database 0 alone, and no `sentinel` or `unix_socket`")
        return self

    @property
    def schema_name(self) -> str:
        """What its tables' schema is called."""
        return f"db{self.database}"

    @property
    def place(self) -> str:
        """The server for people."""
        if self.sentinel is not None:
            return f"{self.sentinel.master} by {', '.join(self.sentinel.hosts)}"
        return self.unix_socket or f"{self.host}:{self.port}"

    def arguments(self) -> dict[str, Any]:
        """What says to the driver as whom to connect; the password among them."""
        found: dict[str, Any] = {
            "username": self.user,
            "password": self.password.get_secret_value() if self.password else None,
            "socket_connect_timeout": self.login_timeout,
            "socket_timeout": self.query_timeout,
            "decode_responses": False,
            # Answers as they are written, with no map in which a name that comes twice would be one.
            "protocol": 2,
        }
        return {**found, **self._tls()} if self.encrypt and not self.unix_socket else found

    def _tls(self) -> dict[str, Any]:
        return {
            "ssl": True,
            "ssl_ca_certs": self.ssl_ca,
            "ssl_certfile": self.ssl_cert,
            "ssl_keyfile": self.ssl_key,
            "ssl_cert_reqs": "none" if self.trust_cert else "required",
            "ssl_check_hostname": not self.trust_cert,
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        }
