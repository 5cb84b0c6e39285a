"""Under which pressure a SQL Server is: its version store, and who waits for whom.

Guarantee: a number is all of it, or None; a login without VIEW SERVER STATE sees its own session alone, and zero would
be a lie (Microsoft Learn, "sys.dm_exec_requests", permissions). Row versions lie in tempdb, and in the database itself
where accelerated database recovery is on, as always in Azure ("sys.dm_tran_persistent_version_store_stats").
"""

from __future__ import annotations

from collections.abc import Callable

from el.connectors.base import Pressure
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.server import rows_if_supported

Fetch = Callable[[Statement], list[tuple[object, ...]]]

STATE_RIGHT = "GRANT VIEW SERVER STATE TO the login (Azure SQL Database: VIEW DATABASE STATE)"

_IN_TEMPDB = "SELECT SUM(reserved_space_kb) / 1024 FROM sys.dm_tran_version_store_space_usage"
_ACCELERATED = "SELECT is_accelerated_database_recovery_on FROM sys.databases WHERE database_id = DB_ID()"
_PERSISTENT = (
    "SELECT SUM(persistent_version_store_size_kb) / 1024 FROM sys.dm_tran_persistent_version_store_stats "
    "WHERE database_id = DB_ID()"
)
_SEES_ALL = (
    "SELECT CASE WHEN HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE') = 1 OR (SERVERPROPERTY('EngineEdition') = 5 "
    "AND HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DATABASE STATE') = 1) THEN 1 ELSE 0 END"
)
_BLOCKED = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE blocking_session_id > 0 AND database_id = DB_ID()"
_WAITED = "SELECT COALESCE(MAX(wait_time), 0) / 1000 FROM sys.dm_exec_requests WHERE blocking_session_id = ?"


def read_pressure(fetch: Fetch) -> Pressure:
    """The size of the version store and the sessions that wait, as far as the login may see them."""
    in_tempdb = _number(fetch, _IN_TEMPDB)
    store = in_tempdb
    # A server before 2019 does not know the word.
    if in_tempdb is not None and _number(fetch, _ACCELERATED):
        persistent = _number(fetch, _PERSISTENT)
        store = None if persistent is None else in_tempdb + persistent
    return Pressure(store, _number(fetch, _BLOCKED) if _number(fetch, _SEES_ALL) else None)


def seconds_waited_for(fetch: Fetch, session: str) -> int | None:
    """See `PressureSource.waiting_for`."""
    return _number(fetch, _WAITED, int(session)) if _number(fetch, _SEES_ALL) else None


def _number(fetch: Fetch, sql: str, *parameters: object) -> int | None:
    rows = rows_if_supported(fetch, Statement(sql, parameters))
    return int(str(rows[0][0])) if rows and rows[0][0] is not None else None
