"""Change data capture: capture tables that every commit fills, and the functions over them.

The capture job is imagined to be instant: a change stands in its capture table when its transaction has committed.
Microsoft Learn, "Change data capture stored procedures", "Change data capture functions".
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from sqlglot import exp

from . import lookup, rights, storage
from .binder import Binder
from .catalog import ColumnDef, TableDef
from .convert import quote
from .engine import Database, now_ticks
from .errors import SqlError, invalid_object
from .scope import OutColumn, Scope
from .sqltypes import INT, SqlType

if TYPE_CHECKING:
    from .procedures import Arguments
    from .session import Session

LSN = SqlType("binary", 10)
HEAD = [
    ("__$start_lsn", LSN),
    ("__$end_lsn", LSN),
    ("__$seqval", LSN),
    ("__$operation", INT),
    ("__$update_mask", SqlType("varbinary", 128)),
]
STAGED = "temp.main.staged"


def lsn(number: int | str) -> str:
    """The LSN of a place in the log, as DuckDB SQL."""
    return f"unhex('0000002C' || right(tds_hex8({number}), 8) || '0001')"


def take(database: Database, count: int = 1) -> int:
    """The first of `count` new places in the log."""
    with database.lock:
        first = database.lsn + 1
        database.lsn += count
        return first


def _captures(session: Session, database: Database, table: TableDef) -> list[tuple[TableDef, list[int], str]]:
    rows = session.run_sql(
        f"SELECT object_id, captured, capture_instance FROM {database.quoted}.cat.captures WHERE source_object_id = "
        f"{table.object_id} "
        "ORDER BY start_lsn"
    )
    found = [(lookup.by_object_id(session, o, database), json.loads(c), i) for o, c, i in rows]
    return [(t, c, i) for t, c, i in found if t is not None]


def record(session: Session, table: TableDef) -> None:
    """Notes the staged rows. An update of the clustered key is a delete and an insert, as the log has it."""
    database = session.engine.database(table.database)
    first = take(database, 2 * session.staged)
    clustered = next((k for k in table.keys if k.clustered), None)
    moved = " OR ".join(f"o{c} IS DISTINCT FROM n{c}" for c, _ in clustered.columns) if clustered else "false"
    for capture, column_ids, _ in _captures(session, database, table):
        known = {c.column_id for c in table.columns}
        kept = [table.by_id(c) if c in known else None for c in column_ids]
        whole = f"unhex('{_mask_hex([True] * len(kept))}')"
        changed = _changed_mask(kept)
        branches = [
            (f"_op = 'D' OR (_op = 'U' AND ({moved}))", 1, "o", whole, 0),
            (f"_op = 'I' OR (_op = 'U' AND ({moved}))", 2, "n", whole, 1),
            (f"_op = 'U' AND NOT ({moved})", 3, "o", changed, 0),
            (f"_op = 'U' AND NOT ({moved})", 4, "n", changed, 0),
        ]
        parts = []
        for condition, operation, side, mask, offset in branches:
            values = ", ".join(f"{side}{c.column_id}" if c else "NULL" for c in kept)
            seq = f"{first} + 2 * _n + {offset}"
            parts.append(f"SELECT {seq} AS s, {operation} AS op, {mask} AS m, {values} FROM {STAGED} WHERE {condition}")
        places = ", ".join(f"v{i}" for i in range(len(kept)))
        session.run_sql(
            f"INSERT INTO {capture.sql} SELECT NULL, NULL, {lsn('s')}, op, m, {places}, 1 FROM "
            f"({' UNION ALL '.join(parts)}) "
            f"AS q(s, op, m, {places}) ORDER BY s, op"
        )
    session.touched[table.object_id] = table


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
    """Gives this transaction's captured changes the LSN of its commit."""
    if not tables:
        return
    number = take(database)
    for table in tables:
        for capture, _, _ in _captures(session, database, table):
            session.execute(f"UPDATE {capture.sql} SET c1 = {lsn(number)} WHERE c1 IS NULL")
    _map_time(session, database, number)


def _map_time(session: Session, database: Database, number: int) -> None:
    now = now_ticks() // 100_000 * 100_000
    session.execute(
        f"INSERT INTO {database.quoted}.cat.lsn_time_mapping VALUES ({lsn(number)}, {now}, {now}, "
        f"unhex('{number:016x}'))"
    )


# --- procedures


def enable_db(session: Session, args: Arguments) -> None:
    if not session.database.cdc:
        session.run_sql(f"INSERT INTO {session.quoted_database}.cat.schemas VALUES (16399, 'cdc')")
        session.database.cdc = True


def disable_db(session: Session, args: Arguments) -> None:
    db = session.database

    def work() -> None:
        for (source,) in session.run_sql(f"SELECT DISTINCT source_object_id FROM {db.quoted}.cat.captures"):
            if (table := lookup.by_object_id(session, source)) is not None:
                _disable(session, table, "all")
        session.run_sql(f"DELETE FROM {db.quoted}.cat.schemas WHERE name = 'cdc'")
        session.run_sql(f"DELETE FROM {db.quoted}.cat.lsn_time_mapping")

    session.atomic(work)
    db.cdc = False


def _enabled(session: Session) -> Database:
    if not session.database.cdc:
        raise SqlError(
            22901,
            f"The database '{session.database.name}' is not enabled for Change Data Capture. Ensure that the correct "
            "database context is set and retry the operation.",
        )
    return session.database


def enable_table(session: Session, args: Arguments) -> None:
    database = _enabled(session)
    schema, name = args.text("source_schema", 0), args.text("source_name", 1)
    instance = args.text("capture_instance", 2) or f"{schema}_{name}"
    listed = args.text("captured_column_list", 6)
    net, role = bool(args.value("supports_net_changes", 3)), args.text("role_name", 4)

    def work() -> None:
        table = lookup.table(session, [schema or "dbo", name or ""]).copy()
        taken = _captures(session, database, table)
        if session.run_sql(
            f"SELECT 1 FROM {database.quoted}.cat.captures WHERE lower(capture_instance) = lower({quote(instance)})"
        ):
            raise SqlError(
                22926,
                f"Could not create a capture instance because the capture instance name '{instance}' already exists in "
                "the current database. Specify an explicit unique name for the parameter @capture_instance.",
            )
        if len(taken) > 1:
            raise SqlError(
                22962,
                f"Two capture instances already exist for source table '{schema}.{name}'. A table can have at most two "
                "capture instances. If the current tracking options are not appropriate, disable change tracking "
                "for the "
                "obsolete instance by using sys.sp_cdc_disable_table and retry the operation.",
            )
        columns = [c for c in table.columns if c.computed is None]
        if listed:
            columns = [storage.column_of(table, n.strip().strip("[]")) for n in listed.split(",")]
        parts = [
            *HEAD,
            *((c.name, SqlType("varbinary", 8) if c.is_rowversion else c.type) for c in columns),
            ("__$command_id", INT),
        ]
        capture = storage.new_table(
            session, ["cdc", f"{instance}_CT"], [ColumnDef(i, n, t) for i, (n, t) in enumerate(parts, 1)]
        )
        storage.create(session, capture)
        number = take(database)
        session.run_sql(
            f"INSERT INTO {database.quoted}.cat.captures VALUES ({capture.object_id}, {table.object_id}, "
            f"{quote(instance)}, {lsn(number)}, "
            f"{net}, {quote(role) if role else 'NULL'}, {now_ticks()}, '{json.dumps([c.column_id for c in columns])}')"
        )
        _map_time(session, database, number)
        table.captured = True
        storage.save(session, table)

    session.atomic(work)


def disable_table(session: Session, args: Arguments) -> None:
    _enabled(session)
    names = [args.text("source_schema", 0) or "dbo", args.text("source_name", 1) or ""]
    instance = args.text("capture_instance", 2) or "all"
    session.atomic(lambda: _disable(session, lookup.table(session, names), instance))


def _disable(session: Session, table: TableDef, instance: str) -> None:
    database = session.engine.database(table.database)
    left = 0
    for capture, _, name in _captures(session, database, table):
        if instance.lower() not in ("all", name.lower()):
            left += 1
            continue
        storage.drop(session, capture)
        session.run_sql(f"DELETE FROM {database.quoted}.cat.captures WHERE object_id = {capture.object_id}")
    if not left:
        table = table.copy()
        table.captured = False
        storage.save(session, table)
        session.touched.pop(table.object_id, None)


def dropped(session: Session, table: TableDef) -> None:
    if table.captured:
        _disable(session, table, "all")


def altered(session: Session, table: TableDef, column: ColumnDef) -> None:
    """A captured column takes the type that its source column got."""
    for capture, column_ids, _ in _captures(session, session.engine.database(table.database), table):
        if column.column_id in column_ids:
            changed = capture.copy()
            held = changed.columns[len(HEAD) + column_ids.index(column.column_id)]
            before, held.type = copy.copy(held), column.type
            storage.replace(session, changed, {held.column_id: storage.converted(held, before)})


def cleanup(session: Session, args: Arguments) -> None:
    """sp_cdc_cleanup_change_table: forgets what lies before the low water mark."""
    database = _enabled(session)
    instance, mark = args.text("capture_instance", 0) or "", args.value("low_water_mark", 1)

    def work() -> None:
        rows = session.run_sql(
            f"SELECT object_id FROM {database.quoted}.cat.captures WHERE lower(capture_instance) = "
            f"lower({quote(instance)})"
        )
        if not rows:
            raise SqlError(22961, f"The capture instance '{instance}' does not exist.")
        capture = lookup.by_object_id(session, rows[0][0])
        low = f"unhex('{bytes(mark).hex()}')"
        session.run_sql(f"DELETE FROM {capture.sql} WHERE c1 < {low}")  # type: ignore[union-attr]
        session.run_sql(f"UPDATE {database.quoted}.cat.captures SET start_lsn = {low} WHERE object_id = {rows[0][0]}")

    session.atomic(work)


def gate(session: Session) -> str:
    """Which instances of cat.captures the session may read: those without a role, or with one that it is in."""
    if rights.sysadmin(session):
        return "true"
    roles = ", ".join(quote(role) for role in session.database.roles if rights.member(session, role)) or "''"
    return f"(role_name IS NULL OR lower(role_name) IN ({roles}))"


# --- cdc.fn_cdc_get_all_changes_<instance>


def all_changes(
    session: Session, binder: Binder, name: str, args: list[exp.Expression], scope: Scope
) -> tuple[str, list[OutColumn]]:
    database = session.database
    instance = name.removeprefix("fn_cdc_get_all_changes_")
    rows = session.run_sql(
        f"SELECT object_id, start_lsn FROM {database.quoted}.cat.captures WHERE lower(capture_instance) = "
        f"{quote(instance)} AND {gate(session)}"
    )
    if not rows:
        invalid_object(f"cdc.{name}")
    given = binder.values(args, scope)
    low, high, option = session.run_sql(f"SELECT {', '.join(g.sql for g in given)}", binder.used)[0]
    last = session.run_sql(f"SELECT max(start_lsn) FROM {database.quoted}.cat.lsn_time_mapping")[0][0]
    wanted = {"all": "(1, 2, 4)", "all update old": "(1, 2, 3, 4)"}.get(str(option).strip().lower())
    if wanted is None or low is None or high is None or not rows[0][1] <= low <= high <= last:
        raise SqlError(
            313,
            "An insufficient number of arguments were supplied for the procedure or function "
            "cdc.fn_cdc_get_all_changes_ ... .",
            16,
            3,
        )
    capture = lookup.by_object_id(session, rows[0][0])
    columns = [c for c in capture.columns if c.name not in ("__$end_lsn", "__$command_id")]  # type: ignore[union-attr]
    listed = ", ".join(c.physical for c in columns)
    sql = (
        f"(SELECT {listed} FROM {capture.sql} WHERE c1 BETWEEN unhex('{low.hex()}') AND unhex('{high.hex()}') AND "
        f"c4 IN {wanted})"
    )  # type: ignore[union-attr]
    return sql, [OutColumn(c.name, c.type, c.nullable) for c in columns]
