"""What SQL Server says of itself, of this login and of the database, asked once.

A server that is not read, or another one than was asked for, is refused here by name. What a login may not see, or a
server does not have, is left unknown. Sources: Microsoft Learn, "SERVERPROPERTY", "DATABASEPROPERTYEX",
"HAS_PERMS_BY_NAME", "sys.database_recovery_status".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from el.connectors.catalog import MissingRight
from el.connectors.sql.select import Statement
from el.errors import ConnectError, NotPermitted, ReadError

Fetch = Callable[[Statement], list[tuple[Any, ...]]]

_ENGINES = {6: "Azure Synapse (dedicated SQL pool)", 11: "a Fabric warehouse, or Azure Synapse's serverless SQL pool"}
# Azure SQL Database, Managed Instance and Fabric's SQL database say version 12 whatever they can.
_EVERGREEN = (5, 8, 12)
AZURE_SQL_DATABASE = 5


def rows_if_supported(fetch: Fetch, statement: Statement) -> list[tuple[Any, ...]] | None:
    """The rows; None where this server has nothing of the kind, or does not show it to this login.

    What may succeed when it is tried again is raised: a deadlock does not mean that a table has no keys.
    """
    try:
        return fetch(statement)
    except (NotPermitted, ReadError) as error:
        if error.retryable:
            raise
        return None


# --- the server


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """engine_edition, major_version: None where it is another engine; of Azure SQL no version counts."""

    engine_edition: int | None = None
    major_version: int | None = None
    instance: str | None = None

    @property
    def granular_unmask(self) -> bool:
        """Whether UNMASK can be granted on a schema, a table or a column."""
        return self.engine_edition in _EVERGREEN or (self.major_version or 0) >= 16


def server_facts(fetch: Fetch, host: str | None, place: str) -> ServerFacts:
    """What kind of server this is. Raises `ConnectError` for one that el cannot read, or another than was asked for."""
    rows = rows_if_supported(
        fetch,
        Statement(
            "SELECT CAST(SERVERPROPERTY('EngineEdition') AS INT), "
            "CAST(SERVERPROPERTY('ProductVersion') AS NVARCHAR(128)), "
            "CAST(SERVERPROPERTY('InstanceName') AS NVARCHAR(128))"
        ),
    )
    if not rows:
        return ServerFacts()
    edition, version, instance = rows[0]
    if edition in _ENGINES:
        raise ConnectError(f"{place} is {_ENGINES[edition]}, which el does not read: it takes SQL Server and Azure SQL")
    number = str(version or "").partition(".")[0]
    major = int(number) if number.isdigit() and edition not in _EVERGREEN else None
    if major is not None and major < 13:
        raise ConnectError(
            f"{place} is SQL Server version {version}: el needs 2016 (13) or later, for an older one gives floats in "
            "six digits"
        )
    _require_instance(host, instance, place)
    return ServerFacts(edition, major, instance)


def _require_instance(host: str | None, instance: str | None, place: str) -> None:
    """A port, or an alias, leads past the instance that the host names: that must not go unnoticed."""
    wanted = named_instance(host)
    if wanted is None or (instance or "MSSQLSERVER").lower() == wanted.lower():
        return
    raise ConnectError(
        f"{place}: instance {wanted} was asked for, and {instance or 'the default instance'} answers: leave out `port` "
        "so that SQL Server Browser is asked for it, or give the port of that instance"
    )


def named_instance(host: str | None) -> str | None:
    r"""The instance in "db01\SALES"; None where there is none. A LocalDB has names of its own."""
    name, _, instance = (host or "").partition("\\")
    return instance.partition(",")[0] or None if not name.lower().startswith("(localdb)") else None


# --- the login


@dataclass(frozen=True, slots=True)
class Login:
    """The database's user of this login, as it is written in a GRANT, and what it may do in the database as a whole."""

    user: str = "[user]"
    definitions: bool = True
    unmask: bool = True
    owner: bool = False
    missing: tuple[MissingRight, ...] = ()


def login_facts(fetch: Fetch, server: ServerFacts) -> Login:
    """What the login may do here; all of it where the server does not tell."""
    rows = rows_if_supported(
        fetch,
        Statement(
            "SELECT QUOTENAME(USER_NAME()), QUOTENAME(SUSER_SNAME()), "
            "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION'), "
            "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK'), "
            "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DATABASE STATE'), "
            "HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE'), "
            "IS_MEMBER('db_owner'), IS_SRVROLEMEMBER('sysadmin')"
        ),
    )
    if not rows:
        return Login()
    user, login, definitions, unmask, state, server_state, owner, admin = rows[0]
    missing = []
    if definitions == 0:
        missing.append(
            MissingRight(
                "security policies (row-level security) outside the schemas whose definitions it may view",
                f"GRANT VIEW DEFINITION TO {user}",
            )
        )
    if state == 0:
        missing.append(MissingRight("the tables' sizes", f"GRANT VIEW DATABASE STATE TO {user}"))
    if server_state == 0 and server.engine_edition != AZURE_SQL_DATABASE:
        missing.append(
            MissingRight(
                "source_limits.version_store_mb, and which sessions wait",
                f"USE master; GRANT VIEW SERVER STATE TO {login}",
            )
        )
    return Login(str(user), definitions != 0, unmask != 0, owner == 1 or admin == 1, tuple(missing))


# --- the database


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """identity: of the database wherever it is reached; incarnation: another one after every restore."""

    identity: str | None = None
    incarnation: str | None = None
    read_only: bool = False
    case_sensitive: bool = False
    language: str | None = None


def database_facts(fetch: Fetch, server: ServerFacts) -> DatabaseFacts:
    options = rows_if_supported(
        fetch,
        Statement(
            "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS NVARCHAR(128)), "
            "CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS NVARCHAR(128)), @@LANGUAGE"
        ),
    )
    writes, collation, language = options[0] if options else (None, None, None)
    family, fork = recovery(fetch)
    words = str(collation or "").upper().split("_")
    return DatabaseFacts(
        identity=family or _azure_identity(fetch, server),
        incarnation=fork,
        read_only=writes == "READ_ONLY",
        case_sensitive="CS" in words or any(word.startswith("BIN") for word in words),
        language=None if language is None else str(language),
    )


def recovery(fetch: Fetch) -> tuple[str | None, str | None]:
    """The database's family, the same through failovers and on every replica, and its recovery fork."""
    rows = rows_if_supported(
        fetch,
        Statement(
            "SELECT CAST(family_guid AS NVARCHAR(36)), CAST(recovery_fork_guid AS NVARCHAR(36)) "
            "FROM sys.database_recovery_status WHERE database_id = DB_ID()"
        ),
    )
    family, fork = rows[0] if rows else (None, None)
    return (None if family is None else str(family).lower(), None if fork is None else str(fork))


def _azure_identity(fetch: Fetch, server: ServerFacts) -> str | None:
    """Azure SQL Database tells no family: its server and the moment of its creation, which no other has."""
    if server.engine_edition != AZURE_SQL_DATABASE:
        return None
    rows = rows_if_supported(
        fetch,
        Statement(
            "SELECT CAST(SERVERPROPERTY('ServerName') AS NVARCHAR(128)), CONVERT(NVARCHAR(30), create_date, 126) "
            "FROM sys.databases WHERE name = DB_NAME()"
        ),
    )
    return f"{rows[0][0]} {rows[0][1]}".lower() if rows else None
