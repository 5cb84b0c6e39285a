"""Where a PostgreSQL server is and how it is reached, out of a profile output with the fields of dbt-postgres.

The line is encrypted and the certificate checked, name and all (`sslmode: verify-full`), unless the profile says less.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import AliasChoices, Field, SecretStr

from el.connectors.cluster_config import ClusterConfig
from el.connectors.question import Question

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class PostgresConfig(ClusterConfig):
    """The server, and who signs in."""

    names_database: ClassVar[tuple[str, ...]] = ("dbname",)
    asks: ClassVar[tuple[Question, ...]] = (
        Question("host", "server"),
        Question("port", "port"),
        Question("database", "database"),
        Question("user", "user"),
        Question("password", "password", unless=("auth", "sslcert")),
    )

    host: str = Field(default="localhost", validation_alias=AliasChoices("host", "server"))
    """The server; or the folder of a socket, beginning with a slash."""
    port: int = Field(default=5432, ge=1, le=65535)
    """Its port."""
    database: str = Field(validation_alias=AliasChoices("database", "dbname"))
    """The database."""
    user: str = Field(validation_alias=AliasChoices("user", "username"))
    """Who signs in."""
    password: SecretStr | None = Field(default=None, validation_alias=AliasChoices("password", "pass"))
    """With which password."""
    sslmode: SslMode = "verify-full"
    """As libpq has it; the certificate is checked, name and all, unless this says less."""
    sslrootcert: str | None = Field(default=None, validation_alias=AliasChoices("sslrootcert", "ca_file"))
    """A file with the authorities to trust, where the system's are not enough."""
    sslcert: str | None = None
    """The client's certificate."""
    sslkey: str | None = None
    """The client's private key."""
    role: str | None = None
    """Taken by SET ROLE."""
    publication: str = "el"
    """What the tables' owner made for `strategy: changes`."""
    slot: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,63}$")
    """The replication slot of this reader, where its name shall not be made of who reads."""
    search_path: str | None = None
    """Where names without a schema are looked up, as in a query of your own; by default in public and in the schemas
    of extensions.
    """
    login_timeout: int = Field(default=15, ge=1, validation_alias=AliasChoices("login_timeout", "connect_timeout"))
    """Seconds."""
    query_timeout: int = Field(default=7200, ge=1)
    """Seconds."""
    lock_timeout: int = Field(default=30, ge=1)
    """Seconds that a statement waits for a lock."""

    @property
    def place(self) -> str:
        """The server for people."""
        return f"{self.host}:{self.port}"

    @property
    def open_line(self) -> str | None:
        if self.host.startswith("/"):
            return f"host: {self.host}"
        return None if self.sslmode == "verify-full" else f"sslmode: {self.sslmode}"

    def conninfo(self, program: str) -> str:
        """What says to libpq where and as whom to connect; the password is in it."""
        found: dict[str, object] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password_now(),
            "application_name": program,
            "client_encoding": "UTF8",
            "connect_timeout": self.login_timeout,
            "sslmode": self.sslmode,
            # Another way to encrypt, which would take the place of TLS and its certificate.
            "gssencmode": "disable" if self.auth == "iam" else None,
            "sslrootcert": self._authorities(),
            "sslcert": self.sslcert,
            "sslkey": self.sslkey,
            # A server that is gone without a word is noticed.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 6,
        }
        return " ".join(f"{name}={_quoted(value)}" for name, value in found.items() if value is not None)

    def _authorities(self) -> str | None:
        if self.sslrootcert is not None or not self.sslmode.startswith("verify-"):
            return self.sslrootcert
        if (Path.home() / ".postgresql" / "root.crt").exists():
            return None
        return ssl.get_default_verify_paths().cafile or "system"


def _quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
