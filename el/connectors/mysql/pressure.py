"""Who waits for a read of el: a statement that reads keeps ALTER TABLE waiting, and that keeps all others waiting.

MySQL Reference Manual, "Metadata Locking". For which session another one waits, a plugin tells, or the server under
settings that few have. What every server tells is who waits for the lock of some table, and with which statement: where
that names a table which the read is at, it waits for the read.
"""

from __future__ import annotations

import re

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from el.connectors.base import Pressure
from el.connectors.mysql.held import Fetch, held_by
from el.connectors.sql.select import Statement

STATE_RIGHT = "GRANT PROCESS ON *.* TO the login"
_WAITS = "state LIKE 'Waiting for%metadata lock'"
_SESSIONS = f"SELECT id = ?, db, time, info FROM information_schema.processlist WHERE id = ? OR {_WAITS}"
_BLOCKED = f"""SELECT (SELECT COUNT(*) FROM information_schema.processlist WHERE {_WAITS})
+ (SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT')"""


def _sees_all(fetch: Fetch) -> bool:
    """Others' sessions are shown to who has PROCESS; without, none of them would be told for nobody waits."""
    return any(held.covers("PROCESS", None, None, frozenset()) for held in held_by(fetch))


def read_pressure(fetch: Fetch) -> Pressure:
    """The sessions that wait, as far as the login may see them."""
    return Pressure(blocked=int(fetch(Statement(_BLOCKED))[0][0]) if _sees_all(fetch) else None)


def seconds_waited_for(fetch: Fetch, session: str) -> int | None:
    """See `PressureSource.waiting_for`."""
    if not _sees_all(fetch):
        return None
    rows = fetch(Statement(_SESSIONS, (int(session), int(session))))
    read = [table for own, database, _, sql in rows if own for table in _tables(str(sql or ""), database)]
    waited = [int(time) for own, database, time, sql in rows if not own and _names(str(sql or ""), database, read)]
    return max(waited, default=0)


def _tables(sql: str, database: str | None) -> list[tuple[str, str]]:
    try:
        found = [table for each in parse(sql, read="mysql") if each for table in each.find_all(exp.Table)]
    except SqlglotError:
        return []
    return [(table.db or database or "", table.name) for table in found]


def _names(sql: str, database: str | None, tables: list[tuple[str, str]]) -> bool:
    words = set(re.findall(r"[^\s`.,;()]+", sql.lower()))
    return any(
        name.lower() in words and (schema.lower() in words or schema.lower() == (database or "").lower())
        for schema, name in tables
    )
