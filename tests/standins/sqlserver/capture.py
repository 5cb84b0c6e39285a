"""The capture job: what it writes into change tables, and when.

It is imagined to be instant, and to note its time whenever somebody asks how far it has come; `sys.sp_cdc_stop_job`
stops it, and `sys.sp_cdc_start_job` or one `sys.sp_cdc_scan` lets it catch up. `__$seqval` counts down, since nothing
is promised of it; `__$command_id` counts what was done. A key that a statement of one row changed is a delete and an
insert of one `__$seqval`; of several rows, all of them are of one command, the inserts in front. A change table without
`__$command_id` is that of an older build, with `__$seqval` in order. Microsoft Learn, "cdc.<capture_instance>_CT",
"sys.sp_cdc_start_job", "cdc.lsn_time_mapping"; KB3030352.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from . import lookup
from .catalog import ColumnDef, TableDef
from .engine import Database, now_ticks
from .sqltypes import SqlType

if TYPE_CHECKING:
    from .procedures import Arguments
    from .session import Session

LSN = SqlType("binary", 10)
STAGED = "temp.main.staged"
COMMAND = "__$command_id"
# Beyond every number that is given out, for `__$seqval` to count down from.
_END = 2**40


def lsn(number: int | str) -> str:
    """The LSN of a place in the log, as DuckDB SQL."""
    return f"unhex('0000002C' || right(tds_hex8({number}), 8) || '0001')"


def take(database: Database, count: int = 1) -> int:
    """The first of `count` new places in the log."""
    with database.lock:
        first = database.lsn + 1
        database.lsn += count
        return first


def of_table(session: Session, database: Database, table: TableDef) -> list[tuple[TableDef, list[int], str]]:
    """Each change table of a table, with the ids of the columns that it captures and the name of its instance."""
    rows = session.run_sql(
        f"SELECT object_id, captured, capture_instance FROM {database.quoted}.cat.captures WHERE source_object_id = "
        f"{table.object_id} ORDER BY created"
    )
    found = [(lookup.by_object_id(session, o, database), json.loads(c), i) for o, c, i in rows]
    return [(t, c, i) for t, c, i in found if t is not None]


def record(session: Session, table: TableDef) -> None:
    """Notes the staged rows. An update of the clustered key is a delete and an insert, as the log has it."""
    database = session.engine.database(table.database)
    first, several = take(database, 2 * session.staged), session.staged > 1
    clustered = next((k for k in table.keys if k.clustered), None)
    moved = " OR ".join(f"o{c} IS DISTINCT FROM n{c}" for c, _ in clustered.columns) if clustered else "false"
    # A singleton update of a unique key can be logged as an update (trace flag 8207).
    if 8207 in database.trace_flags and not several:
        moved = "false"
    for capture, column_ids, _ in of_table(session, database, table):
        known = {c.column_id for c in table.columns}
        kept = [table.by_id(c) if c in known else None for c in column_ids]
        whole = f"unhex('{_mask_hex([True] * len(kept))}')"
        changed = _changed_mask(kept)
        pair = 1 if several else 0
        branches = [
            (f"_op = 'D' OR (_op = 'U' AND ({moved}))", 1, whole, 0, 0),
            (f"_op = 'I' OR (_op = 'U' AND ({moved}))", 2, whole, pair, 1 - pair),
            (f"_op = 'U' AND NOT ({moved})", 3, changed, 0, 0),
            (f"_op = 'U' AND NOT ({moved})", 4, changed, 0, 0),
        ]
        command = any(column.name == COMMAND for column in capture.columns)
        parts = []
        for condition, operation, mask, offset, later in branches:
            values = ", ".join(_value(c, operation) for c in kept)
            seq = f"{first} + 2 * _n + {offset}" if not command else f"{_END} - ({first} + 2 * _n + {offset})"
            parts.append(
                f"SELECT {seq} AS s, {operation} AS op, {mask} AS m, {first + later} AS command, {values} "
                f"FROM {STAGED} WHERE {condition}"
            )
        places = ", ".join(f"v{i}" for i in range(len(kept)))
        session.run_sql(
            f"INSERT INTO {capture.sql} SELECT NULL, NULL, {lsn('s')}, op, m, {places}{', command' if command else ''} "
            f"FROM ({' UNION ALL '.join(parts)}) AS q(s, op, m, command, {places}) ORDER BY s, op"
        )
    session.touched[table.object_id] = table


def _value(column: ColumnDef | None, operation: int) -> str:
    """A column's value in a change, as "Large Object Data Types" has it: not everything is there."""
    if column is None or column.computed is not None:
        return "NULL"
    side = "o" if operation in (1, 3) else "n"
    value = f"{side}{column.column_id}"
    if column.type.name in ("text", "ntext", "image") and operation in (1, 3):
        return "NULL"
    if column.type.length == -1 and operation == 3:
        return f"CASE WHEN o{column.column_id} IS DISTINCT FROM n{column.column_id} THEN {value} END"
    return value


def _mask_hex(bits: list[bool]) -> str:
    number = sum(1 << i for i, bit in enumerate(bits) if bit)
    return number.to_bytes((len(bits) + 7) // 8, "big").hex()


def _changed_mask(columns: list[ColumnDef | None]) -> str:
    """The bits of the columns that changed; ordinal 1 is the lowest bit of the last byte."""
    groups = []
    for start in range(0, len(columns), 8):
        bits = [
            f"CASE WHEN o{c.column_id} IS DISTINCT FROM n{c.column_id} THEN {1 << i} ELSE 0 END"
            for i, c in enumerate(columns[start : start + 8])
            if c
        ]
        groups.append(f"printf('%02X', {' + '.join(bits) or '0'})")
    return f"unhex({' || '.join(reversed(groups))})"


def stamp(session: Session, database: Database, tables: list[TableDef]) -> None:
    """Gives this transaction's changes the LSN of its commit; where the job stands still, for when it goes on."""
    if not tables:
        return
    number = take(database)
    place = "c2" if database.capture_stopped else "c1"
    for table in tables:
        for capture, _, _ in of_table(session, database, table):
            session.execute(f"UPDATE {capture.sql} SET {place} = {lsn(number)} WHERE c1 IS NULL AND c2 IS NULL")
    if database.capture_stopped:
        database.uncaptured.append((number, now_ticks()))
    else:
        map_time(session, database, number)


def map_time(session: Session, database: Database, number: int, ticks: int | None = None) -> None:
    when = (ticks or now_ticks()) // 100_000 * 100_000
    session.execute(
        f"INSERT INTO {database.quoted}.cat.lsn_time_mapping VALUES ({lsn(number)}, {when}, {when}, "
        f"unhex('{number:016x}'))"
    )


# --- procedures


def stop_job(session: Session, args: Arguments) -> None:
    if str(args.text("job_type", 0)).lower() == "capture":
        session.database.capture_stopped = True


def start_job(session: Session, args: Arguments) -> None:
    if str(args.text("job_type", 0) or "capture").lower() == "capture":
        scan(session, args)
        session.database.capture_stopped = False


def scan(session: Session, args: Arguments) -> None:
    """Takes what was committed while the job stood still, and establishes the instances that were made."""
    database = session.database

    def work() -> None:
        captures = f"{database.quoted}.cat.captures"
        for object_id, start in session.run_sql(f"SELECT object_id, start_lsn FROM {captures}"):
            capture = lookup.by_object_id(session, object_id, database)
            if capture is None:
                continue
            if start is None:
                session.run_sql(f"UPDATE {captures} SET start_lsn = {lsn('enabled')} WHERE object_id = {object_id}")
            session.run_sql(f"UPDATE {capture.sql} SET c1 = c2, c2 = NULL WHERE c1 IS NULL AND c2 IS NOT NULL")
        for number, ticks in database.uncaptured:
            map_time(session, database, number, ticks)
        database.uncaptured.clear()

    session.atomic(work)
