"""Where a MySQL or MariaDB server is and how it is reached, out of a profile output with the fields of dbt-mysql.

`encrypt` is on unless it is turned off, and the certificate is checked; `trust_cert: true` takes one that nobody
signed.
"""

from __future__ import annotations

import ssl
from typing import Any, ClassVar

from pydantic import AliasChoices, Field, SecretStr

from el.connectors.cluster_config import ClusterConfig
from el.connectors.question import Question


class MySqlConfig(ClusterConfig):
    """The server, and who signs in."""

    names_database: ClassVar[tuple[str, ...]] = ("unix_socket",)
    asks: ClassVar[tuple[Question, ...]] = (
        Question("host", "server", unless=("unix_socket",)),
        Question("port", "port", unless=("unix_socket",)),
        Question("database", "database of the session; tables of all others can be taken too", optional=True),
        Question("user", "user"),
        Question("password", "password", unless=("auth",)),
    )

    host: str = Field(default="localhost", validation_alias=AliasChoices("host", "server"))
    """The server."""
    port: int = Field(default=3306, ge=1, le=65535)
    """Its port."""
    unix_socket: str | None = None
    """In the place of host and port; needs no encryption."""
    database: str | None = Field(default=None, validation_alias=AliasChoices("database", "schema"))
    """The session's default, and no more: tables are named in full."""
    user: str = Field(validation_alias=AliasChoices("user", "username"))
    """Who signs in."""
    password: SecretStr | None = None
    """With which password."""
    encrypt: bool = True
    """TLS, with the certificate checked."""
    trust_cert: bool = False
    """Take a certificate that nobody signed."""
    ssl_ca: str | None = Field(default=None, validation_alias=AliasChoices("ssl_ca", "ca_file"))
    """A file with the authorities to trust, where the system's are not enough."""
    login_timeout: int = Field(default=15, ge=1)
    """Seconds."""
    query_timeout: int = Field(default=7200, ge=1)
    """Seconds."""
    lock_timeout: int = Field(default=30, ge=1)
    """Seconds that a statement waits for a lock."""

    @property
    def place(self) -> str:
        """The server for people."""
        return self.unix_socket or f"{self.host}:{self.port}"

    @property
    def open_line(self) -> str | None:
        if self.unix_socket:
            return "unix_socket"
        return "encrypt: false" if not self.encrypt else "trust_cert: true" if self.trust_cert else None

    def arguments(self) -> dict[str, Any]:
        """What says to the driver where and as whom to connect; the password among them."""
        found: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "unix_socket": self.unix_socket,
            "database": self.database,
            "user": self.user,
            # The driver would write it in Latin-1.
            "password": self.password_now().encode(),
            "connect_timeout": self.login_timeout,
            # A statement that takes too long is ended by the server; this is for one that is gone without a word.
            "read_timeout": self.query_timeout + 60,
            "write_timeout": self.query_timeout + 60,
        }
        if self.encrypt and not self.unix_socket:
            return {**found, "ssl": self._tls()}
        return {**found, "ssl_disabled": True}

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ssl_ca)
        if self.trust_cert:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
