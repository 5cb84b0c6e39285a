"""Where a Redis or Valkey server is, who signs in, and which keys make a table."""

from __future__ import annotations

import ssl
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from el.connectors.base import ConnectionConfig
from el.connectors.question import Question


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
    """The keys of one table: those that a pattern matches, or one stream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str | None = None
    """A pattern of Redis's, as KEYS and SCAN take it."""
    type: KeyType | None = None
    """The type of the keys; without it a table has keys of every type, an element a row."""
    document: bool = False
    """What a key holds (a hash's fields, an entry's fields, the JSON in a string) is a document."""
    stream: str | None = None
    """One stream by its key, which can be followed."""

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


class RedisConfig(ConnectionConfig):
    """The server, and who signs in."""

    names_database: ClassVar[tuple[str, ...]] = ("unix_socket", "database", "sentinel_master")
    asks: ClassVar[tuple[Question, ...]] = (
        Question("host", "server", unless=("unix_socket", "sentinels")),
        Question("port", "port", unless=("unix_socket", "sentinels")),
        Question("database", "database, by its number"),
        Question("user", "user, if there is one", optional=True),
        Question("password", "password, if there is one", optional=True),
    )

    host: str = Field(default="localhost", validation_alias=AliasChoices("host", "server"))
    """The server."""
    port: int = Field(default=6379, ge=1, le=65535)
    """Its port."""
    unix_socket: str | None = None
    """In the place of host and port; needs no encryption."""
    database: int = Field(default=0, ge=0, validation_alias=AliasChoices("database", "db"))
    """Its number."""
    user: str | None = Field(default=None, validation_alias=AliasChoices("user", "username"))
    """Who signs in."""
    password: SecretStr | None = None
    """With which password."""
    cluster: bool = False
    """The server is one node of a cluster, whose others it names."""
    sentinels: tuple[str, ...] = ()
    """`host:port` of each sentinel; in the place of host and port."""
    sentinel_master: str | None = None
    """Of which server the sentinels say where it is now."""
    sentinel_user: str | None = None
    """Who signs in to the sentinels."""
    sentinel_password: SecretStr | None = None
    """With which password."""
    encrypt: bool = True
    """TLS, with the certificate checked."""
    trust_cert: bool = False
    """Take a certificate that nobody signed."""
    ssl_ca: str | None = None
    """A file with the authorities to trust, where the system's are not enough."""
    ssl_cert: str | None = None
    """The client's certificate."""
    ssl_key: str | None = None
    """The client's private key."""
    login_timeout: int = Field(default=15, ge=1)
    """Seconds."""
    query_timeout: int = Field(default=60, ge=1)
    """Seconds."""
    tables: dict[str, KeyTable] = Field(default_factory=lambda: {"keys": KeyTable(match="*")})
    """By their names in el.yml: a pattern of keys, or the settings below. Without it, all keys are the table `keys`."""

    @field_validator("tables", mode="after")
    @classmethod
    def _some(cls, value: dict[str, KeyTable]) -> dict[str, KeyTable]:
        if not value:
            raise ValueError("name a table, such as {users: 'user:*'}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> RedisConfig:
        if self.cluster and (self.sentinels or self.database or self.unix_socket):
            raise ValueError("a cluster has database 0 alone, and no `sentinels` or `unix_socket`")
        if bool(self.sentinels) != (self.sentinel_master is not None):
            raise ValueError("`sentinels` and `sentinel_master` go together")
        return self

    def sentinel_places(self) -> list[tuple[str, int]]:
        """Host and port of each."""
        found = (each.rpartition(":") if ":" in each else (each, ":", "26379") for each in self.sentinels)
        return [(host, int(port)) for host, _, port in found]

    @property
    def schema_name(self) -> str:
        """What its tables' schema is called."""
        return f"db{self.database}"

    @property
    def place(self) -> str:
        """The server for people."""
        if self.sentinels:
            return f"{self.sentinel_master} by {', '.join(self.sentinels)}"
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
