"""Change tracking: versions of commits, and for each tracked table which keys changed in which.

A change is noted in its own transaction and gets its version at the commit, one commit at a time, so that versions are
in the order in which changes become visible. Microsoft Learn, "About Change Tracking", "CHANGETABLE (Transact-SQL)".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from . import capture, lookup, rights, storage
from .binder import Binder
from .catalog import ColumnDef, TableDef
from .convert import convert
from .engine import Database, now_ticks
from .errors import SqlError
from .scan import Scanner
from .scope import OutColumn, Scope, table_parts
from .sqltypes import BIGINT, SqlType

if TYPE_CHECKING:
    from .session import Session

STAGED = "temp.main.staged"


def side_table(session: Session, table: TableDef) -> str:
    return f"{session.engine.database(table.database).quoted}.main.ct{table.object_id}"


def _key(table: TableDef) -> list[ColumnDef]:
    key = table.primary_key
    return [table.by_id(c) for c, _ in key.columns] if key else []


def _of_old_build(session: Session) -> bool:
    """Whether SERVERPROPERTY('ProductVersion') was made to tell a build before the cure of KB4135113."""
    told = str(session.server.faults.told.get("productversion", ""))
    return bool(told) and tuple(map(int, told.split("."))) < (13, 0, 4474)


def _compared(column: ColumnDef, prefix: str) -> str:
    """A column of the key as it is compared: blanks at the end of text never count."""
    place = f"{prefix}{column.column_id}"
    return f"rtrim({place}, ' '){column.collate}" if column.is_text else place


def record(session: Session, table: TableDef, changed: set[int] | None) -> None:
    """Notes the staged rows' keys; a changed key is the old one deleted and the new one inserted.

    An old build notes an insert and then a delete where an update made the value of another unique column smaller.
    """
    key = _key(table)
    old, new = (", ".join(f"{p}{c.column_id}" for c in key) for p in "on")
    same = " AND ".join(f"{_compared(c, 'o')} IS NOT DISTINCT FROM {_compared(c, 'n')}" for c in key)
    session.run_sql(
        f"INSERT INTO {side_table(session, table)} SELECT NULL, * FROM ("
        f"SELECT 'D', {old} FROM {STAGED} WHERE _op = 'D' OR (_op = 'U' AND NOT ({same})) UNION ALL "
        f"SELECT 'I', {new} FROM {STAGED} WHERE _op = 'I' OR (_op = 'U' AND NOT ({same})) UNION ALL "
        f"SELECT 'U', {new} FROM {STAGED} WHERE _op = 'U' AND {same})"
    )
    unique = [c for k in table.keys if k.unique for c, _ in k.columns if c not in {part.column_id for part in key}]
    if _of_old_build(session) and unique:
        smaller = " OR ".join(f"n{c} < o{c}" for c in unique)
        session.run_sql(
            f"INSERT INTO {side_table(session, table)} SELECT NULL, 'D', {new} FROM {STAGED} WHERE _op = 'U' "
            f"AND {same} AND ({smaller})"
        )
    session.touched[table.object_id] = table


def commit(session: Session) -> None:
    """COMMIT, with the version and the LSN of what was tracked and captured."""
    tables = list(session.touched.values())
    if not tables:
        session.execute("COMMIT")
        return
    database = session.engine.database(tables[0].database)
    with database.lock:
        version = database.version + 1
        tracked = [t for t in tables if t.tracked]
        for table in tracked:
            session.execute(f"UPDATE {side_table(session, table)} SET version = {version} WHERE version IS NULL")
        if tracked:
            session.execute(f"INSERT INTO {database.quoted}.cat.versions VALUES ({version}, {now_ticks()})")
        capture.stamp(session, database, [t for t in tables if t.captured])
        session.execute("COMMIT")
        if tracked:
            database.version = version


# --- options


def alter_database(session: Session, database: Database, s: Scanner) -> None:
    """CHANGE_TRACKING = ON (...) | OFF | (...)."""
    s.accept("=")
    if s.accept("OFF"):
        if session.run_sql(f"SELECT 1 FROM {database.quoted}.cat.tracked LIMIT 1"):
            raise SqlError(
                22115,
                f"Change tracking is enabled for one or more tables in database '{database.name}'. Disable change "
                "tracking on each table before disabling it for the database. Use the sys.change_tracking_tables "
                "catalog "
                "view to obtain a list of tables for which change tracking is enabled.",
            )
        database.tracking = None
        database.version = 0
        session.run_sql(f"DELETE FROM {database.quoted}.cat.versions")
        return
    if s.accept("ON") and database.tracking is not None:
        raise SqlError(5088, f"Change tracking is already enabled for database '{database.name}'.")
    period, unit = database.tracking or (2, "DAYS")
    for text in Scanner(s.parenthesised()).list_of() if s.sees("(") else []:
        option = Scanner(text)
        if option.accept("CHANGE_RETENTION", "="):
            period, unit = int(option.next().text), option.next().text
    database.tracking = (period, unit)


def alter_table(session: Session, names: list[str], s: Scanner) -> None:
    """ENABLE or DISABLE CHANGE_TRACKING."""
    on = s.next().text == "ENABLE"
    s.expect("CHANGE_TRACKING")
    columns = s.accept("WITH") and "ON" in s.parenthesised().upper().split("=")[-1]

    def work() -> None:
        table = lookup.table(session, names).copy()
        database = session.engine.database(table.database)
        if on:
            if table.tracked:
                raise SqlError(4996, f"Change tracking is already enabled for table '{table.name}'.")
            if database.tracking is None:
                raise SqlError(
                    4992,
                    f"Cannot enable change tracking on table '{table.name}'. Change tracking is not enabled on "
                    "database "
                    f"'{database.name}'.",
                )
            if not table.primary_key:
                raise SqlError(
                    4997,
                    f"Cannot enable change tracking on table '{table.name}'. Change tracking requires a primary key on "
                    "the table. Create a primary key on the table before enabling change tracking.",
                )
            session.wrote_into(table)
            keys = ", ".join(f"{c.physical} {c.type.stored}{c.collate}" for c in _key(table))
            session.run_sql(f"CREATE TABLE {side_table(session, table)} (version BIGINT, op VARCHAR, {keys})")
            session.run_sql(
                f"INSERT INTO {database.quoted}.cat.tracked VALUES ({table.object_id}, {columns}, {database.version}, "
                f"{database.version}, {database.version})"
            )
            table.tracked = True
            storage.save(session, table)
        else:
            if not table.tracked:
                raise SqlError(4998, f"Change tracking is not enabled on table '{table.name}'.")
            dropped(session, table)
            table.tracked = False
            storage.save(session, table)

    session.atomic(work)


def dropped(session: Session, table: TableDef) -> None:
    if table.tracked:
        session.wrote_into(table)
        session.run_sql(f"DROP TABLE {side_table(session, table)}")
        db = session.engine.database(table.database).quoted
        session.run_sql(f"DELETE FROM {db}.cat.tracked WHERE object_id = {table.object_id}")
        session.touched.pop(table.object_id, None)


def expire(session: Session, table: TableDef) -> None:
    """What the cleanup does once retention has passed: every change so far is forgotten.

    An old build has not moved the least valid version yet.
    """
    db = session.engine.database(table.database)
    session.wrote_into(table)
    session.run_sql(f"DELETE FROM {side_table(session, table)} WHERE version <= {db.version}")
    session.run_sql(
        f"UPDATE {db.quoted}.cat.tracked SET cleanup_version = {db.version}"
        f"{'' if _of_old_build(session) else f', min_valid_version = {db.version}'} WHERE "
        f"object_id = {table.object_id}"
    )


def truncated(session: Session, table: TableDef) -> None:
    """The rows that TRUNCATE removes are not tracked; what was known before is no longer valid."""
    db = session.engine.database(table.database)
    session.run_sql(f"DELETE FROM {side_table(session, table)}")
    session.run_sql(
        f"UPDATE {db.quoted}.cat.tracked SET min_valid_version = {db.version + 1} WHERE object_id = {table.object_id}"
    )
    session.touched[table.object_id] = table


# --- CHANGETABLE


def change_table(
    session: Session, binder: Binder, args: list[exp.Expression], scope: Scope
) -> tuple[str, list[OutColumn]]:
    kind, target, *rest = args
    parts = table_parts(target)
    table = lookup.table(session, parts)
    rights.require(session, "VIEW CHANGE TRACKING", table)
    if not table.tracked:
        raise SqlError(22105, f"Change tracking is not enabled on table '{table.schema}.{table.name}'.")
    key = _key(table)
    names = [OutColumn(c.name, c.type, False) for c in key]
    context = OutColumn("SYS_CHANGE_CONTEXT", SqlType("varbinary", 128))
    listed = ", ".join(c.physical for c in key)
    side = side_table(session, table)
    if kind.name == "VERSION":
        given = binder.values(rest[1].expressions, scope)
        order = [c.name.lower() for c in rest[0].expressions]
        by_name = dict(zip(order, given, strict=True))
        values = [convert(by_name[c.name.lower()], c.type).sql for c in key]
        same = " AND ".join(f"{c.physical} = {v}" for c, v in zip(key, values, strict=True))
        outs = ", ".join(f"{v} AS {c.physical}" for c, v in zip(key, values, strict=True))
        sql = f"(SELECT (SELECT max(version) FROM {side} WHERE {same}) AS v, CAST(NULL AS BLOB) AS x, {outs})"
        return sql, [OutColumn("SYS_CHANGE_VERSION", BIGINT), context, *names]
    # One row a key, told as it was first spelled; the key's own collation and blanks at its end decide which are one.
    told = ", ".join(f"first({c.physical} ORDER BY rowid) AS {c.physical}" for c in key)
    alike = ", ".join(_compared(c, "c") for c in key)
    last = f"coalesce({convert(binder.value(rest[0], scope), BIGINT).sql}, 0)"
    sql = (
        f"(SELECT v, cv, CASE WHEN op = 'D' THEN 'D' WHEN cv > {last} THEN 'I' ELSE 'U' END AS op, CAST(NULL AS "
        "BLOB) AS cols, "
        f"CAST(NULL AS BLOB) AS x, {listed} FROM (SELECT max(version) AS v, max(CASE WHEN op = 'I' THEN version "
        "END) AS cv, "
        f"arg_max(op, rowid) AS op, {told} FROM {side} WHERE version IS NOT NULL GROUP BY {alike}) WHERE v > {last})"
    )
    columns = [
        OutColumn("SYS_CHANGE_VERSION", BIGINT),
        OutColumn("SYS_CHANGE_CREATION_VERSION", BIGINT),
        OutColumn("SYS_CHANGE_OPERATION", SqlType("nchar", 1)),
        OutColumn("SYS_CHANGE_COLUMNS", SqlType("varbinary", 4100)),
    ]
    return sql, [*columns, context, *names]
