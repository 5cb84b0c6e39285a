"""Where a MySQL or MariaDB server is and how it is reached, out of a profile output with the fields of dbt-mysql.

`encrypt` is on unless it is turned off, and the certificate is checked; `trust_cert: true` takes one that nobody
signed.
"""

from __future__ import annotations

import ssl
from typing import Any, ClassVar

from pydantic import AliasChoices, Field, SecretStr

from el.connectors.cluster_config import ClusterConfig


class MySqlConfig(ClusterConfig):
    """The server, and who signs in.

    database: the session's default, and no more: tables are named in full. unix_socket: takes the place of host and
        port, and needs no encryption. ssl_ca: a file with the authorities to trust, where the system's are not enough.
    login_timeout, query_timeout, lock_timeout: seconds.
    """

    names_database: ClassVar[tuple[str, ...]] = ("unix_socket",)

    host: str = Field(default="localhost", validation_alias=AliasChoices("host", "server"))
    port: int = Field(default=3306, ge=1, le=65535)
    unix_socket: str | None = None
    database: str | None = Field(default=None, validation_alias=AliasChoices("database", "schema"))
    user: str = Field(validation_alias=AliasChoices("user", "username"))
    password: SecretStr | None = None
    encrypt: bool = True
    trust_cert: bool = False
    ssl_ca: str | None = Field(default=None, validation_alias=AliasChoices("ssl_ca", "ca_file"))
    login_timeout: int = Field(default=15, ge=1)
    query_timeout: int = Field(default=7200, ge=1)
    lock_timeout: int = Field(default=30, ge=1)

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
