"""Change data capture: the procedures that turn it on and off, and the function over a change table.

Microsoft Learn, "Change data capture stored procedures", "Change data capture functions".
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from sqlglot import exp

from . import lookup, rights, storage
from .binder import Binder
from .capture import COMMAND, LSN, lsn, map_time, of_table, take
from .catalog import ColumnDef, TableDef
from .convert import quote
from .engine import Database, now_ticks
from .errors import SqlError, invalid_object
from .scope import OutColumn, Scope
from .sqltypes import INT, SqlType

if TYPE_CHECKING:
    from .procedures import Arguments
    from .session import Session

HEAD = [
    ("__$start_lsn", LSN),
    ("__$end_lsn", LSN),
    ("__$seqval", LSN),
    ("__$operation", INT),
    ("__$update_mask", SqlType("varbinary", 128)),
]

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
    switch = args.value("allow_partition_switch", 8) in (None, 1, True)

    def work() -> None:
        table = lookup.table(session, [schema or "dbo", name or ""]).copy()
        taken = of_table(session, database, table)
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
        # Computed ones too, of which the change table then has no value.
        columns = list(table.columns)
        if listed:
            columns = [storage.column_of(table, n.strip().strip("[]")) for n in listed.split(",")]
        parts = [
            *HEAD,
            *((c.name, SqlType("varbinary", 8) if c.is_rowversion else c.type) for c in columns),
            (COMMAND, INT),
        ]
        capture = storage.new_table(
            session, ["cdc", f"{instance}_CT"], [ColumnDef(i, n, t) for i, (n, t) in enumerate(parts, 1)]
        )
        storage.create(session, capture)
        number = take(database)
        session.run_sql(
            f"INSERT INTO {database.quoted}.cat.captures VALUES ({capture.object_id}, {table.object_id}, "
            f"{quote(instance)}, {'NULL' if database.capture_stopped else lsn(number)}, "
            f"{net}, {quote(role) if role else 'NULL'}, {now_ticks()}, '{json.dumps([c.column_id for c in columns])}', "
            f"{number}, {switch or table.partitioned_by is None})"
        )
        # An instance begins in the log, which can be behind all that was captured so far.
        if not session.run_sql(f"SELECT 1 FROM {database.quoted}.cat.lsn_time_mapping LIMIT 1"):
            map_time(session, database, number)
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
    for capture, _, name in of_table(session, database, table):
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
    for capture, column_ids, _ in of_table(session, session.engine.database(table.database), table):
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
    """Which instances of cat.captures the session may read: without a role, or with one that it is in."""
    if rights.sysadmin(session):
        return "true"
    roles = ", ".join(quote(role) for role in session.database.roles if rights.member(session, role)) or "''"
    return f"(role_name IS NULL OR lower(role_name) IN ({roles})) AND object_id IN ({_readable(session)})"


def _readable(session: Session) -> str:
    """The instances of which the session may select every captured column ("sys.fn_cdc_get_min_lsn")."""
    database = session.database
    found = ["-1"]
    for instance, source, captured in session.run_sql(
        f"SELECT object_id, source_object_id, CAST(captured AS INTEGER[]) FROM {database.quoted}.cat.captures"
    ):
        table = lookup.by_object_id(session, source)
        columns = [column.name for column in table.columns if column.column_id in captured] if table is not None else []
        if table is not None and all(
            rights.has(session, database, "SELECT", table.schema, table.name, c) for c in columns
        ):
            found.append(str(instance))
    return ", ".join(found)


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
    if wanted is None or low is None or high is None or not (rows[0][1] or b"\xff") <= low <= high <= last:
        raise SqlError(
            313,
            "An insufficient number of arguments were supplied for the procedure or function "
            "cdc.fn_cdc_get_all_changes_ ... .",
            16,
            3,
        )
    capture = lookup.by_object_id(session, rows[0][0])
    columns = [c for c in capture.columns if c.name not in ("__$end_lsn", COMMAND)]  # type: ignore[union-attr]
    listed = ", ".join(c.physical for c in columns)
    sql = (
        f"(SELECT {listed} FROM {capture.sql} WHERE c1 BETWEEN unhex('{low.hex()}') AND unhex('{high.hex()}') AND "
        f"c4 IN {wanted})"
    )  # type: ignore[union-attr]
    return sql, [OutColumn(c.name, c.type, c.nullable) for c in columns]
