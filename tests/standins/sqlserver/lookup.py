"""What a name means to a session: databases, schemas, tables, views, functions in FROM, types."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp

from . import cdc, change_tracking, partitions, policies, rights, statistics, table_kinds
from .binder import Binder
from .catalog import ColumnDef, TableDef, from_json
from .convert import quote
from .described import described
from .dialect import parse
from .engine import Database
from .errors import SqlError, invalid_object
from .scan import Scanner
from .scope import OutColumn, Scope, table_parts
from .sqltypes import BIGINT, NMAX, SqlType, parse_type
from .views import SystemView
from .views_information_schema import VIEWS

if TYPE_CHECKING:
    from .session import Session


@lru_cache(maxsize=4096)
def _table(body: str) -> TableDef:
    return from_json(body)


def split(session: Session, parts: list[str]) -> tuple[Database, str, str]:
    """Database, schema and name of a dotted name."""
    database = session.engine.database(parts[-3]) if len(parts) >= 3 and parts[-3] else session.database
    schema = parts[-2] if len(parts) >= 2 and parts[-2] else "dbo"
    return database, schema, parts[-1]


def find(session: Session, parts: list[str]) -> TableDef | None:
    """The table or view of that name as this session's transaction sees it."""
    if parts[-1].startswith("#"):
        return session.temp_tables.get(parts[-1].lower())
    try:
        database, schema, name = split(session, parts)
    except SqlError:
        return None
    rows = session.execute(
        f"SELECT o.body FROM {database.quoted}.cat.objects o JOIN {database.quoted}.cat.schemas s ON s.schema_id = "
        "o.schema_id WHERE lower(o.name) = lower($n) AND lower(s.name) = lower($s) AND o.body IS NOT NULL",
        {"n": name, "s": schema},
    )
    return _table(rows[0][0]) if rows else None


def by_object_id(session: Session, object_id: int, database: Database | None = None) -> TableDef | None:
    db = (database or session.database).quoted
    rows = session.execute(f"SELECT body FROM {db}.cat.objects WHERE object_id = {object_id} AND body IS NOT NULL")
    return _table(rows[0][0]) if rows else None


def table(session: Session, parts: list[str]) -> TableDef:
    found = find(session, parts)
    if found is None:
        invalid_object(".".join(parts))
    return found


def schema_id(session: Session, database: Database, schema: str) -> int:
    rows = session.execute(
        f"SELECT schema_id FROM {database.quoted}.cat.schemas WHERE lower(name) = lower($s)", {"s": schema}
    )
    if not rows:
        raise SqlError(
            2760, f'The specified schema name "{schema}" either does not exist or you do not have permission to use it.'
        )
    return int(rows[0][0])


def object_id(session: Session, text: str, kind: str = "") -> int | None:
    parts = Scanner(text).names() if text.strip() else [""]
    if parts[-1].startswith("#") or parts[0].lower() == "tempdb":
        found = session.temp_tables.get(parts[-1].lower())
        return found.object_id if found else None
    try:
        database, schema, name = split(session, parts)
    except SqlError:
        return None
    extra = f" AND o.type = {quote(kind)}" if kind else ""
    rows = session.execute(
        f"SELECT o.object_id FROM {database.quoted}.cat.objects o JOIN {database.quoted}.cat.schemas s ON "
        "s.schema_id = "
        f"o.schema_id WHERE lower(o.name) = lower($n) AND lower(s.name) = lower($s){extra}",
        {"n": name, "s": schema},
    )
    if not rows and f"{schema}.{name}".lower() in VIEWS:
        return -(abs(hash(name.lower())) % 10**6) - 1
    return int(rows[0][0]) if rows else None


def relation(
    session: Session, binder: Binder, parts: list[str], hints: frozenset[str] = frozenset()
) -> tuple[str, list[tuple[str, OutColumn]], list[ColumnDef] | None]:
    """What a name in FROM is: SQL, and (physical name, column) of each column."""
    key = ".".join(parts[-2:]).lower() if len(parts) >= 2 else parts[-1].lower()
    if key in VIEWS:
        database = split(session, parts)[0]
        if key.startswith("cdc.") and not database.cdc:
            invalid_object(".".join(parts))
        rights.require_view(session, database, key)
        view = VIEWS[key]
        return (
            _visible(session, database, view, view.sql(database.quoted, dynamic(session, database, view.source))),
            [(f'"{n}"', OutColumn(n, t)) for n, t, _ in view.columns],
            None,
        )
    table = find(session, parts)
    if table is None:
        invalid_object(".".join(p for p in parts if p))
    if not binder.owner:
        rights.require(session, "SELECT", table)
    if table.kind == "V":
        # What a view reads has the view's owner: no right is asked for again ("Ownership chains").
        inner = Binder(session)
        inner.owner = True
        bound = inner.query(parse(table.body or ""))
        names = [c.name for c in table.columns] or [c.name for c in bound.columns]
        physical = [f"k{i}" for i in range(len(names))]
        columns = [OutColumn(n, c.type, c.nullable) for n, c in zip(names, bound.columns, strict=True)]
        outs = ", ".join(physical)
        return f"(SELECT * FROM ({bound.sql}) AS q({outs}))", list(zip(physical, columns, strict=True)), None
    table_kinds.check_access(session, table, hints)
    check_snapshot(session, table)
    return (
        policies.shown(session, table),
        [
            (c.physical, OutColumn(c.name, c.type, c.nullable, c.identity is not None, c.computed is not None))
            for c in table.columns
        ],
        table.columns,
    )


def _visible(session: Session, database: Database, view: SystemView, sql: str) -> str:
    """A catalog view as the session's user sees it: no rows of objects on which it has no right, definitions only with
    VIEW DEFINITION."""
    if rights.sysadmin(session):
        return sql
    names = {name for name, _, _ in view.columns}
    of = next(
        (name for name in ("source_object_id", "target_object_id", "parent_object_id", "object_id") if name in names),
        None,
    )
    if of is None or "capture_instance" in names:
        return sql
    rows = session.execute(f"SELECT body FROM {database.quoted}.cat.objects WHERE body IS NOT NULL")
    tables = [_table(body) for (body,) in rows]
    shown = [t.object_id for t in tables if rights.sees(session, database, t)]
    told = [t.object_id for t in tables if rights.has(session, database, "VIEW DEFINITION", t.schema, t.name)]
    if names & {"predicate_type", "is_enabled"}:
        shown = [
            p.object_id for p in database.policies if rights.has(session, database, "VIEW DEFINITION", p.schema, p.name)
        ]
        of = "object_id"
    owner = of
    if {"object_id", "parent_object_id"} <= names:
        owner = "(CASE WHEN parent_object_id <> 0 THEN parent_object_id ELSE object_id END)"
    listed = ", ".join(map(str, [0, *shown]))
    text = f"(SELECT * FROM {sql} WHERE {owner} IN ({listed}))"
    if "definition" in names:
        known = ", ".join(map(str, [0, *told]))
        text = f"(SELECT * REPLACE (CASE WHEN {owner} IN ({known}) THEN definition END AS definition) FROM {text})"
    return text


def check_snapshot(session: Session, table: TableDef) -> None:
    if (
        session.isolation == 5
        and table.database not in ("tempdb", "master")
        and not session.engine.database(table.database).snapshot
    ):
        raise SqlError(
            3952,
            f"Snapshot isolation transaction failed accessing database '{table.database}' because snapshot "
            "isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation.",
        )


def dynamic(session: Session, database: Database, source: str) -> dict[str, str]:
    """The parts of catalog views that are not in the catalog."""
    out = {"name": database.name.replace("'", "''")}
    if "{databases}" in source:
        rows = ", ".join(
            f"({quote(d.name)}, {d.database_id}, {d.created}, {int(d.snapshot)}, {d.read_committed_snapshot}, "
            f"{d.cdc}, {(d.tracking or (0,))[0]}, {quote((d.tracking or (0, ''))[1])})"
            for d in session.engine.databases.values()
        )
        out["databases"] = f"(VALUES {rows}) v(name, id, created, si, rcsi, cdc, period, unit)"
    if "{partitions}" in source:
        out["partitions"] = partitions.relation(session, database)
    if "{identities}" in source:
        rows = ", ".join(f"({o}, {v})" for o, v in session.engine.identities.items()) or "(0, 0)"
        out["identities"] = f"(VALUES {rows})"
    if "{sessions}" in source:
        rows = ", ".join(
            f"({s.spid}, {s.started}, {quote(s.host)}, {quote(s.application)}, {quote(s.login)}, "
            f"{s.database.database_id}, "
            f"{s.isolation}, {s.depth}, {s.encrypted})"
            for s in session.server.sessions_and(session)
        )
        out["sessions"] = f"(VALUES {rows}) v(spid, started, host, app, login, database_id, level, depth, encrypted)"
    if "{recovery}" in source:
        listed = ", ".join(
            f"({d.database_id}, {quote(d.family)}, {quote(d.fork)})" for d in session.engine.databases.values()
        )
        out["recovery"] = f"(VALUES {listed}) v(id, family, fork)"
    if "{dependencies}" in source:
        bodies = session.execute(f"SELECT body FROM {database.quoted}.cat.objects WHERE type = 'V'")
        rows = ", ".join(
            f"({view.object_id}, {', '.join(quote(part) if part else 'NULL' for part in _three(found))})"
            for view in (_table(body) for (body,) in bodies)
            for found in parse(view.body or "").find_all(exp.Table)
            if not isinstance(found.this, exp.Anonymous)
        )
        out["dependencies"] = f"(VALUES {rows or '(0, NULL, NULL, NULL)'}) v(view, db, sch, name)"
    if "{policies}" in source:
        rows = ", ".join(f"({p.object_id}, {quote(p.schema)}, {quote(p.name)}, {p.enabled})" for p in database.policies)
        out["policies"] = f"(VALUES {rows or '(0, NULL, NULL, false)'}) v(id, schema, name, enabled)"
    if "{predicates}" in source:
        rows = ", ".join(
            f"({p.object_id}, {number}, {target}, {int(kind == 'BLOCK')}, {quote(function)})"
            for p in database.policies
            for number, (target, kind, function, _) in enumerate(p.predicates, 1)
        )
        out["predicates"] = f"(VALUES {rows or '(0, 0, 0, 0, NULL)'}) v(id, number, target, kind, function)"
    if "{writers}" in source:
        # A transaction is listed once it has a log record in the database, with the time of the first.
        writers = [s for s in session.server.sessions_and(session) if s.depth and s.wrote]
        rows = ", ".join(f"({s.transaction_id}, {s.database.database_id}, {s.wrote_since})" for s in writers)
        out["writers"] = f"(VALUES {rows or '(0, 0, 0)'}) v(id, database_id, since)"
    if "{logins}" in source:
        rows = ", ".join(f"({quote(n)}, {i})" for i, n in enumerate(session.server.users, 1))
        out["logins"] = f"(VALUES {rows}) v(name, id)"
    return out


def _three(node: exp.Table) -> list[str]:
    """Database, schema and name, as far as written; what is not is empty."""
    parts = table_parts(node)
    return [""] * (3 - len(parts)) + parts


def table_function(session: Session, binder: Binder, node: exp.Anonymous, scope: Scope) -> tuple[str, list[OutColumn]]:
    name = node.name.lower()
    args = node.expressions
    if name == "changetable":
        return change_tracking.change_table(session, binder, args, scope)
    if name.startswith("fn_cdc_get_all_changes_"):
        return cdc.all_changes(session, binder, name, args, scope)
    if name == "dm_exec_describe_first_result_set":
        return described(session, binder, args[0], scope)
    if name == "dm_db_stats_histogram":
        return statistics.histogram(session, binder, args, scope)
    if name == "string_split":
        value, separator = binder.values(args[:2], scope)
        return f"(SELECT unnest(string_split({value.sql}, {separator.sql})))", [OutColumn("value", NMAX)]
    if name == "generate_series":
        low, high = binder.values(args[:2], scope)
        return f"(SELECT unnest(generate_series({low.sql}, {high.sql})))", [OutColumn("value", BIGINT)]
    return invalid_object(name)


def column_type(session: Session, text: str) -> tuple[SqlType, int, bool]:
    """The type of a declaration, the id of the alias that it names or 0, and whether it allows NULL."""
    try:
        plain = text.strip().strip("[]").lower()
        return parse_type(text), 256 if plain == "sysname" else 0, plain != "sysname"
    except ValueError:
        name = Scanner(text).names()[-1]
        rows = session.execute(
            f"SELECT declared, user_type_id, is_nullable FROM {session.quoted_database}.cat.types WHERE lower(name) = "
            "lower($n)",
            {"n": name},
        )
        if not rows:
            raise SqlError(2715, f"Cannot find data type {text.strip()}.", 16, 6) from None
        return parse_type(rows[0][0]), rows[0][1], rows[0][2]


def type_named(session: Session, text: str) -> SqlType:
    return column_type(session, text)[0]
