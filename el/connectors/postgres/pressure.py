"""Who waits for whom at a PostgreSQL: a change of a table waits for a read of it, and all others wait behind that.

PostgreSQL Documentation, "pg_stat_activity", "pg_locks", "pg_blocking_pids". A login without pg_read_all_stats sees of
others that they are there, and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from el.connectors.base import Pressure
from el.connectors.sql.select import Statement

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
STATE_RIGHT = "PostgreSQL has none, so leave out source_limits.version_store_mb"
_SEES_ALL = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"
_BLOCKED = (
    "SELECT count(*)::bigint FROM pg_catalog.pg_stat_activity WHERE wait_event_type = 'Lock' "
    "AND datname = current_database()"
)
# Since when a lock is waited for is told from version 14 on; before, since when the statement is at work.
_WAITED = """SELECT COALESCE(floor(max(EXTRACT(EPOCH FROM clock_timestamp() - COALESCE(
(to_jsonb(l) ->> 'waitstart')::timestamptz, a.query_start)))), 0)::bigint
FROM pg_catalog.pg_stat_activity AS a JOIN pg_catalog.pg_locks AS l ON l.pid = a.pid AND NOT l.granted
WHERE a.wait_event_type = 'Lock' AND CAST(? AS integer) = ANY (pg_blocking_pids(a.pid))"""


def read_pressure(fetch: Fetch) -> Pressure:
    """The sessions that wait for a lock, as far as the login may see them."""
    return Pressure(None, int(fetch(Statement(_BLOCKED))[0][0]) if _sees_all(fetch) else None)


def seconds_waited_for(fetch: Fetch, session: str) -> int | None:
    """See `PressureSource.waiting_for`."""
    return int(fetch(Statement(_WAITED, (int(session),)))[0][0]) if _sees_all(fetch) else None


def _sees_all(fetch: Fetch) -> bool:
    return fetch(Statement(_SEES_ALL))[0][0] is True
