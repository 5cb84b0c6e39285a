"""Where a MongoDB server, replica set or cluster is, and who signs in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from el.connectors.base import ConnectionConfig
from el.connectors.question import Question

ReadPreference = Literal["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"]


class MongoDbConfig(ConnectionConfig):
    """The server, and who signs in."""

    names_database: ClassVar[tuple[str, ...]] = ("replica_set",)
    asks: ClassVar[tuple[Question, ...]] = (
        Question("host", "server, or several of a replica set with commas between"),
        Question("port", "port", unless=("srv",)),
        Question("database", "database"),
        Question("user", "user, if there is one", optional=True),
        Question("password", "password, if there is one", optional=True),
    )

    host: str = Field(default="localhost", validation_alias=AliasChoices("host", "server"))
    """One server, or several of a replica set: `a:27017,b:27017`."""
    port: int = Field(default=27017, ge=1, le=65535)
    """Its port."""
    database: str = Field(min_length=1, validation_alias=AliasChoices("database", "dbname", "db"))
    """The database."""
    user: str | None = Field(default=None, validation_alias=AliasChoices("user", "username"))
    """Who signs in."""
    password: SecretStr | None = None
    """With which password."""
    auth_source: str | None = None
    """The database that knows the user."""
    auth_mechanism: str | None = None
    """One of MongoDB's, where the server's choice is not meant."""
    replica_set: str | None = None
    """The replica set's name."""
    srv: bool = False
    """The host is a name of DNS that lists the servers (`mongodb+srv`)."""
    direct: bool = False
    """This server alone, whatever others it names, as behind a tunnel."""
    read_preference: ReadPreference = "primary"
    """Which servers of a replica set are read. Changes and writes are the primary's matter."""
    encrypt: bool = True
    """TLS, with the certificate checked."""
    trust_cert: bool = False
    """Take a certificate that nobody signed."""
    ssl_ca: str | None = None
    """A file with the authorities to trust, where the system's are not enough."""
    ssl_cert: str | None = None
    """A file with the client's certificate and key."""
    login_timeout: int = Field(default=15, ge=1)
    """Seconds."""
    query_timeout: int = Field(default=3600, ge=1)
    """Seconds."""

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
