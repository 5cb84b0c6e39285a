"""Where a SQL Server is and how it is reached, out of a dbt-sqlserver profile output.

`encrypt` is on unless it is turned off; a certificate that this machine does not trust must be allowed by name
(`trust_cert: true`). No password stands in any repr.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from el.connectors.base import ConnectionConfig
from el.connectors.question import Question

# Braces protect a value in an ODBC connection string; a closing brace in it is doubled
# (Microsoft Learn, "SQLDriverConnect Function", connection strings).
_SPECIAL = frozenset("[]{}(),;?*=!@ ")


class SqlServerConfig(ConnectionConfig):
    """The fields that dbt-sqlserver has, and el's own: `reader`, `dsn`, `odbc`, and the timeouts."""

    asks: ClassVar[tuple[Question, ...]] = (
        Question("host", "server", unless=("dsn",)),
        Question("port", "port", unless=("dsn",)),
        Question("database", "database", unless=("dsn",)),
        Question("user", "user", unless=("windows_login", "authentication", "dsn")),
        Question("password", "password", unless=("windows_login", "authentication", "dsn")),
    )

    host: str | None = Field(default=None, validation_alias=AliasChoices("host", "server"))
    """The server; of a named instance `db01\\SALES`, without `port`."""
    port: int = Field(default=1433, ge=1, le=65535)
    """Its port."""
    database: str | None = Field(default=None, validation_alias=AliasChoices("database", "db"))
    """The database."""
    user: str | None = Field(default=None, validation_alias=AliasChoices("user", "username", "UID", "uid"))
    """Who signs in."""
    password: SecretStr | None = Field(default=None, validation_alias=AliasChoices("password", "PWD", "pwd", "pass"))
    """With which password."""
    authentication: str | None = None
    """Such as `ActiveDirectoryServicePrincipal`; in the place of a password."""
    windows_login: bool = Field(default=False, validation_alias=AliasChoices("windows_login", "trusted_connection"))
    """Sign in as the user of this process (Kerberos)."""
    encrypt: bool | Literal["strict"] = True
    """TLS, with the certificate checked; `strict` is TDS 8."""
    certificate_host: str | None = None
    """The name in the certificate, where it is not `host`."""
    multi_subnet_failover: bool = True
    """All addresses of a listener are tried at once."""
    trust_cert: bool = Field(default=False, validation_alias=AliasChoices("trust_cert", "TrustServerCertificate"))
    """Take a certificate that nobody signed."""
    driver: str = "ODBC Driver 18 for SQL Server"
    """Of `pyodbc`: its ODBC driver."""
    reader: Literal["mssql-python", "pyodbc"] = "mssql-python"
    """`mssql-python` brings its driver along; `pyodbc` is for a DSN, Kerberos or FreeTDS."""
    dsn: str | None = None
    """Of `pyodbc`: a data source of the driver manager's."""
    odbc: dict[str, str] = Field(default_factory=dict, repr=False)
    """Of `pyodbc`: further keywords of the connection string, as the driver spells them."""
    application_intent: Literal["ReadOnly", "ReadWrite"] | None = None
    """`ReadOnly` for a readable secondary."""
    staging_schema: str | None = None
    """Where `write_buffer` stages its rows; by default the target's own schema."""
    max_dop: int = Field(default=2, ge=0)
    """Processors of the server that one read may use (MAXDOP); 0 leaves it to the server."""
    login_timeout: int = Field(default=15, ge=0)
    """Seconds; 0 waits for ever."""
    query_timeout: int = Field(default=7200, ge=0)
    """Seconds; 0 waits for ever."""
    lock_timeout: int = Field(default=30, ge=0)
    """Seconds that a read waits for a lock; 0 waits for ever."""

    @field_validator("odbc", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return {key: str(item) for key, item in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _complete(self) -> SqlServerConfig:
        if self.dsn is None and self.host is None:
            raise ValueError("give `host` (or, with `reader: pyodbc`, a `dsn`)")
        if self.dsn is not None and self.reader != "pyodbc":
            raise ValueError("a `dsn` needs `reader: pyodbc`")
        signed_in_otherwise = self.windows_login or self.dsn is not None or self.authentication not in (None, "sql")
        if self.user is None and not signed_in_otherwise:
            raise ValueError("give `user` and `password`, or `windows_login: true`, or an `authentication`")
        return self

    def known_as(self, scheme: str) -> tuple[str, str]:
        """As OpenLineage has it, and its integration of dbt."""
        return super().known_as("mssql")

    @property
    def place(self) -> str:
        """The server for people: "db01:1433", or the DSN."""
        if self.dsn is not None:
            return f"DSN {self.dsn}"
        return f"{self.host}:{self.port}" if self.by_port else str(self.host)

    @property
    def by_port(self) -> bool:
        r"""Whether a port is named: not of an instance ("db01\SALES") whose port SQL Server Browser tells.

        With a port the instance's name counts for nothing (Microsoft Learn, "Connection string keywords").
        """
        return "port" in self.model_fields_set or not set("\\,") & set(self.host or "")

    def keywords(self) -> dict[str, str]:
        """The connection string's keywords, but for the driver; the password among them."""
        found: dict[str, str] = {}
        if self.dsn is not None:
            found["DSN"] = self.dsn
        else:
            found["Server"] = f"{self.host},{self.port}" if self.by_port else str(self.host)
        if self.database is not None:
            found["Database"] = self.database
        if self.windows_login:
            found["Trusted_Connection"] = "yes"
        elif self.user is not None:
            found["UID"] = self.user
            found["PWD"] = self.password.get_secret_value() if self.password else ""
        if self.authentication not in (None, "sql"):
            found["Authentication"] = str(self.authentication)
        found["Encrypt"] = self.encrypt if isinstance(self.encrypt, str) else "yes" if self.encrypt else "no"
        found["TrustServerCertificate"] = "yes" if self.trust_cert else "no"
        # By default ODBC Driver 18 makes a broken connection anew and says nothing: a session that knows nothing of the
        # one before cannot tell whether a read was whole ("Connection resiliency in the ODBC driver").
        found["ConnectRetryCount"] = "0"
        if self.certificate_host is not None:
            found["HostnameInCertificate"] = self.certificate_host
        if self.multi_subnet_failover and self.dsn is None:
            found["MultiSubnetFailover"] = "yes"
        if self.application_intent is not None:
            found["ApplicationIntent"] = self.application_intent
        return {**found, **self.odbc}


def connection_string(keywords: dict[str, str]) -> str:
    """An ODBC connection string, its values protected."""
    return "".join(f"{key}={_protect(value)};" for key, value in keywords.items())


def _protect(value: str) -> str:
    if value and not _SPECIAL & set(value):
        return value
    # Drivers read "host,port" and a braced value differently: what has only a comma stays bare.
    if not _SPECIAL & set(value.replace(",", "")) and value:
        return value
    return "{" + value.replace("}", "}}") + "}"
