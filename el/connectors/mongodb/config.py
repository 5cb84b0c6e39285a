"""Where a MongoDB server, replica set or cluster is, and who signs in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from el.connectors.base import ConnectionConfig

ReadPreference = Literal["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"]


class MongoDbConfig(ConnectionConfig):
    """The server, and who signs in.

    host: one server, or several of a replica set, "a:27017,b:27017". srv: the host is a name of DNS that lists them
        (`mongodb+srv`). direct: this server alone, whatever others it names, as behind a tunnel.
    auth_source: the database that knows the user. auth_mechanism: one of MongoDB's, where the server's choice is not
        meant. ssl_ca: a file with the authorities to trust, where the system's are not enough. ssl_cert: a file with
        the client's certificate and key.
    read_preference: which servers of a replica set are read. Changes and writes are the primary's matter.
    login_timeout, query_timeout: seconds.
    """

    names_database: ClassVar[tuple[str, ...]] = ("replica_set",)

    host: str = Field(default="localhost", validation_alias=AliasChoices("host", "server"))
    port: int = Field(default=27017, ge=1, le=65535)
    database: str = Field(min_length=1, validation_alias=AliasChoices("database", "dbname", "db"))
    user: str | None = Field(default=None, validation_alias=AliasChoices("user", "username"))
    password: SecretStr | None = None
    auth_source: str | None = None
    auth_mechanism: str | None = None
    replica_set: str | None = None
    srv: bool = False
    direct: bool = False
    read_preference: ReadPreference = "primary"
    encrypt: bool = True
    trust_cert: bool = False
    ssl_ca: str | None = None
    ssl_cert: str | None = None
    login_timeout: int = Field(default=15, ge=1)
    query_timeout: int = Field(default=3600, ge=1)

    @field_validator("host", mode="after")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if "://" in value or "@" in value:
            raise ValueError("name the host alone; user, password and the rest are settings of their own")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> MongoDbConfig:
        if self.srv and ("," in self.host or ":" in self.host or self.direct):
            raise ValueError("`srv` takes one name of DNS as `host`, without a port, and no `direct`")
        if self.srv and not self.encrypt:
            raise ValueError("`srv` is encrypted: `encrypt: false` is not possible")
        if self.direct and "," in self.host:
            raise ValueError("`direct` takes one host")
        if self.password is not None and self.user is None:
            raise ValueError("a password needs a `user`")
        return self

    @property
    def place(self) -> str:
        """The server for people."""
        if self.srv:
            return self.host
        return ",".join(each if ":" in each else f"{each}:{self.port}" for each in self.host.split(","))

    @property
    def uri(self) -> str:
        """Which servers; without user and password."""
        return f"{'mongodb+srv' if self.srv else 'mongodb'}://{quote(self.place, safe=':,.[]-_')}/"

    def arguments(self) -> dict[str, Any]:
        """What says to the driver as whom to connect; the password among them."""
        found: dict[str, Any] = {
            "username": self.user,
            "password": self.password.get_secret_value() if self.password else None,
            "authSource": self.auth_source,
            "authMechanism": self.auth_mechanism,
            "replicaSet": self.replica_set,
            "directConnection": self.direct or None,
            "readPreference": self.read_preference,
            "serverSelectionTimeoutMS": self.login_timeout * 1000,
            "connectTimeoutMS": self.login_timeout * 1000,
            "socketTimeoutMS": self.query_timeout * 1000,
            "tls": self.encrypt,
        }
        if self.encrypt:
            found |= {
                "tlsCAFile": self.ssl_ca,
                "tlsCertificateKeyFile": self.ssl_cert,
                "tlsInsecure": True if self.trust_cert else None,
            }
        return {name: value for name, value in found.items() if value is not None}
