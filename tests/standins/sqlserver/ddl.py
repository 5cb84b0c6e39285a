"""CREATE, ALTER and DROP of everything but a table's own parts, which ddl_table.py has.

Catalog and storage change in one transaction. Microsoft Learn, "Data Definition Language (DDL) statements".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import catalog, cdc, change_tracking, constraints, lookup, partitions, policies, rights, storage
from .catalog import ColumnDef, KeyDef, TableDef, new_object_id
from .convert import quote
from .engine import now_ticks
from .errors import SqlError
from .scan import Scanner
from .scope import Query
from .sqltypes import SYSTEM_TYPES, parse_type

if TYPE_CHECKING:
    from .session import Session

Result = tuple[str, int] | None
PRINCIPALS = ("LOGIN", "USER", "ROLE", "CREDENTIAL", "CERTIFICATE", "STATISTICS", "SYNONYM")


def unsupported(s: Scanner) -> SqlError:
    return SqlError(40517, f"the stand-in does not support: {s.sql[s.tokens[0].start : s.tokens[-1].end][:200]}")


def create(session: Session, s: Scanner) -> Result:
    from . import ddl_table

    s.expect("CREATE")
    if s.accept("DATABASE"):
        session.engine.create_database(s.name())
        return None
    session.start_implicit()
    if s.sees("TABLE") or s.sees("EXTERNAL", "TABLE"):
        session.atomic(lambda: ddl_table.create(session, Scanner(s.sql, s.tokens)))
    elif s.sees("LOGIN") or s.sees("USER") or s.sees("ROLE"):
        rights.principal(session, s)
    elif s.accept("FUNCTION"):
        policies.create_function(session, s)
    elif s.accept("SECURITY", "POLICY"):
        policies.create_policy(session, s)
    elif s.accept("PARTITION"):
        partitions.create(session, s)
    elif s.accept("SCHEMA"):
        name = s.name() if not s.sees("AUTHORIZATION") else "dbo"
        session.atomic(lambda: _create_schema(session, name))
    elif s.sees("VIEW") or s.sees("OR", "ALTER", "VIEW"):
        replace = s.accept("OR", "ALTER")
        s.expect("VIEW")
        _view(session, s, replace)
    elif s.accept("TYPE"):
        names = s.names()
        if not s.accept("FROM"):
            raise unsupported(s)
        text = s.rest()
        session.atomic(lambda: _create_type(session, names, text))
    elif any(s.sees(w) for w in ("UNIQUE", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE", "INDEX")):
        _index(session, s)
    elif not s.peek().text.startswith(PRINCIPALS):
        raise unsupported(s)
    return None


def _create_schema(session: Session, name: str) -> None:
    db = session.quoted_database
    if session.run_sql(f"SELECT 1 FROM {db}.cat.schemas WHERE lower(name) = lower({quote(name)})"):
        raise SqlError(2714, f"There is already an object named '{name}' in the database.", 16, 6)
    session.wrote = True
    number = session.run_sql(f"SELECT max(schema_id) + 1 FROM {db}.cat.schemas WHERE schema_id < 16384")[0][0]
    session.run_sql(f"INSERT INTO {db}.cat.schemas VALUES ({number}, {quote(name)})")


def _create_type(session: Session, names: list[str], text: str) -> None:
    words = text.upper().split()
    nullable = words[-2:] != ["NOT", "NULL"]
    base = text[: text.upper().rindex("NOT")] if not nullable else text.removesuffix("NULL").removesuffix("null")
    type_ = parse_type(base)
    database, schema, name = lookup.split(session, names)
    db = database.quoted
    if session.run_sql(f"SELECT 1 FROM {db}.cat.types WHERE lower(name) = lower({quote(name)})"):
        raise SqlError(219, f"The type '{schema}.{name}' already exists, or you do not have permission to create it.")
    session.wrote = True
    number = session.run_sql(f"SELECT 257 + count(*) FROM {db}.cat.types")[0][0]
    session.run_sql(
        f"INSERT INTO {db}.cat.types VALUES ({quote(name)}, {lookup.schema_id(session, database, schema)}, "
        f"{SYSTEM_TYPES[type_.name][0]}, "
        f"{number}, {type_.max_length}, {type_.catalog_precision}, {type_.catalog_scale}, {nullable}, "
        f"{quote(str(type_))})"
    )


def _view(session: Session, s: Scanner, replace: bool) -> None:
    names = s.names()
    columns = [Scanner(c).name() for c in Scanner(s.parenthesised()).list_of()] if s.sees("(") else []
    if s.accept("WITH"):
        s.until("AS")
    s.expect("AS")
    text = s.rest()
    whole = s.sql[s.tokens[0].start : s.tokens[-1].end]

    def work() -> None:
        old = lookup.find(session, names)
        if old is not None and not replace:
            raise SqlError(2714, f"There is already an object named '{names[-1]}' in the database.", 16, 3)
        if replace and old is not None and old.kind != "V":
            raise SqlError(2010, f"Cannot perform alter on '{names[-1]}' because it is an incompatible object type.")
        query, _ = session.bind(text)
        database, schema, name = lookup.split(session, names)
        known = session.describe(query)
        found = [
            ColumnDef(i, n, c.type, c.nullable)  # type: ignore[arg-type]
            for i, (n, c) in enumerate(zip(columns or [c.name for c in known], known, strict=True), 1)
        ]
        view = TableDef(
            old.object_id if old else new_object_id(),
            schema,
            name,
            "V",
            found,
            definition=whole,
            body=text,
            database=database.name,
        )
        session.wrote = True
        catalog.save(session.con, view, lookup.schema_id(session, database, schema), now_ticks())

    session.atomic(work)


def _index(session: Session, s: Scanner) -> None:
    unique = s.accept("UNIQUE")
    clustered = s.accept("CLUSTERED")
    s.accept("NONCLUSTERED")
    if s.accept("COLUMNSTORE"):
        return
    s.expect("INDEX")
    name = s.name()
    s.expect("ON")
    names = s.names()
    listed = Scanner(s.parenthesised()).list_of()
    included = Scanner(s.parenthesised()).list_of() if s.accept("INCLUDE") else []
    condition = s.until("WITH", "ON") if s.accept("WHERE") else None

    def work() -> None:
        table = lookup.table(session, names).copy()
        if any(k.name and k.name.lower() == name.lower() for k in table.keys):
            raise SqlError(
                1913,
                f"The operation failed because an index or statistics with name '{name}' already exists on table "
                f"'{table.name}'.",
            )
        columns = [storage.key_part(table, text) for text in listed]
        table.keys.append(
            KeyDef(
                name,
                "IX",
                table.next_index_id(clustered),
                columns,
                clustered=clustered,
                unique=unique,
                included=[storage.key_part(table, c)[0] for c in included],
                filter=condition,
            )
        )
        storage.check_existing(session, table)
        storage.replace(session, table)

    session.atomic(work)


def select_into(session: Session, query: Query, used: set[str]) -> int:
    """SELECT INTO: a new table of the query's columns and rows."""
    names = list(query.into or [])
    session.start_implicit()

    def work() -> int:
        known = session.describe(query)
        if any(not c.name for c in known):
            raise SqlError(
                1038,
                "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a "
                "name.",
                15,
            )
        columns = [
            ColumnDef(i, c.name, c.type, c.nullable, (1, 1) if c.identity else None)  # type: ignore[arg-type]
            for i, c in enumerate(known, 1)
        ]
        table = storage.new_table(session, names, columns)
        rights.require_to_create(session, table)
        storage.create(session, table)
        listed = ", ".join(c.physical for c in columns)
        places = ", ".join(f"k{i}" for i in range(len(columns)))
        session.run_sql(f"INSERT INTO {table.sql} ({listed}) SELECT {places} FROM ({query.sql}) AS q({places})", used)
        for column in columns:
            if column.identity:
                high = session.run_sql(f"SELECT max({column.physical}) FROM {table.sql}")[0][0]
                session.engine.raise_identity(table, column, high)
        return int(session.run_sql(f"SELECT count(*) FROM {table.sql}")[0][0])

    return int(session.atomic(work))


# --- ALTER and DROP


def alter(session: Session, s: Scanner) -> Result:
    from . import alter_table

    s.expect("ALTER")
    if s.accept("DATABASE"):
        _database_options(session, s)
        return None
    session.start_implicit()
    if s.accept("TABLE"):
        alter_table.alter(session, s)
    elif s.sees("ROLE") or s.sees("LOGIN") or s.sees("USER"):
        rights.principal(session, s)
    elif s.accept("SECURITY", "POLICY"):
        policies.alter_policy(session, s)
    elif s.accept("VIEW"):
        _view(session, s, True)
    elif s.accept("SCHEMA"):
        schema = s.name()
        s.expect("TRANSFER")
        names = s.names()

        def work() -> None:
            table = lookup.table(session, names).copy()
            table.schema = schema
            storage.replace(session, table)

        session.atomic(work)
    elif s.accept("INDEX"):
        s.until("REBUILD", "REORGANIZE")
        if s.done:
            raise unsupported(s)
    elif not s.peek().text.startswith((*PRINCIPALS, "AUTHORIZATION", "SERVER")):
        raise unsupported(s)
    return None


def _database_options(session: Session, s: Scanner) -> None:
    database = session.database if s.accept("CURRENT") else session.engine.database(s.name())
    s.accept("SET")
    if s.accept("ALLOW_SNAPSHOT_ISOLATION"):
        database.snapshot = s.next().text == "ON"
    elif s.accept("READ_COMMITTED_SNAPSHOT"):
        database.read_committed_snapshot = s.next().text == "ON"
    elif s.accept("CHANGE_TRACKING"):
        change_tracking.alter_database(session, database, s)
    elif not s.peek().text.startswith(
        (
            "RECOVERY",
            "COMPATIBILITY_LEVEL",
            "AUTO_",
            "MULTI_USER",
            "SINGLE_USER",
            "PAGE_VERIFY",
            "ANSI_",
            "QUERY_STORE",
            "READ_WRITE",
            "DELAYED_DURABILITY",
        )
    ):
        raise unsupported(s)


def drop(session: Session, s: Scanner) -> Result:
    s.expect("DROP")
    if s.accept("DATABASE"):
        exists = s.accept("IF", "EXISTS")
        for text in s.list_of((";",)):
            name = Scanner(text).name()
            if exists and name.lower() not in session.engine.databases:
                continue
            session.engine.drop_database(name)
        return None
    session.start_implicit()
    for kind, letter in (("TABLE", "U"), ("VIEW", "V")):
        if s.accept(kind):
            exists = s.accept("IF", "EXISTS")
            for text in s.list_of((";",)):
                names = Scanner(text).names()
                session.atomic(
                    lambda names=names, letter=letter, exists=exists: _drop_object(session, names, letter, exists)
                )
            return None
    if s.accept("SCHEMA"):
        exists = s.accept("IF", "EXISTS")
        name = s.name()
        session.atomic(lambda: _drop_schema(session, name, exists))
    elif s.accept("INDEX"):
        _drop_index(session, s)
    elif s.accept("SECURITY", "POLICY"):
        policies.drop_policy(session, s)
    elif s.accept("TYPE"):
        s.accept("IF", "EXISTS")
        name = s.names()[-1]
        session.atomic(
            lambda: session.run_sql(
                f"DELETE FROM {session.quoted_database}.cat.types WHERE lower(name) = lower({quote(name)})"
            )
        )
    elif not s.peek().text.startswith((*PRINCIPALS, "PROC", "FUNCTION")):
        raise unsupported(s)
    return None


def _drop_object(session: Session, names: list[str], letter: str, exists: bool) -> None:
    table = lookup.find(session, names)
    if table is None or table.kind != letter:
        if exists:
            return
        raise SqlError(
            3701,
            f"Cannot drop the {'table' if letter == 'U' else 'view'} '{'.'.join(n for n in names if n)}', because it "
            "does not exist or you do not have permission.",
            11,
            5,
        )
    rights.require_to_drop(session, table)
    if letter == "U":
        if any(child.object_id != table.object_id for child, _ in constraints.referring(session, table)):
            raise SqlError(
                3726,
                f"Could not drop object '{'.'.join(n for n in names if n)}' because it is referenced by a FOREIGN KEY "
                "constraint.",
            )
        change_tracking.dropped(session, table)
        cdc.dropped(session, table)
    storage.drop(session, table)


def _drop_schema(session: Session, name: str, exists: bool) -> None:
    db = session.quoted_database
    found = session.run_sql(f"SELECT schema_id FROM {db}.cat.schemas WHERE lower(name) = lower({quote(name)})")
    if not found:
        if exists:
            return
        raise SqlError(
            15151, f"Cannot drop the schema '{name}', because it does not exist or you do not have permission."
        )
    inside = session.run_sql(f"SELECT name FROM {db}.cat.objects WHERE schema_id = {found[0][0]} LIMIT 1")
    if inside:
        raise SqlError(3729, f"Cannot drop schema '{name}' because it is being referenced by object '{inside[0][0]}'.")
    session.wrote = True
    session.run_sql(f"DELETE FROM {db}.cat.schemas WHERE schema_id = {found[0][0]}")


def _drop_index(session: Session, s: Scanner) -> None:
    exists = s.accept("IF", "EXISTS")
    names = s.names()
    name, owner = (names[-1], s.names()) if s.accept("ON") else (names[-1], names[:-1])

    def work() -> None:
        table = lookup.table(session, owner).copy()
        kept = [k for k in table.keys if k.kind != "IX" or k.name.lower() != name.lower()]
        if len(kept) == len(table.keys):
            if exists:
                return
            raise SqlError(
                3701,
                f"Cannot drop the index '{table.name}.{name}', because it does not exist or you do not have "
                "permission.",
                11,
                7,
            )
        table.keys = kept
        storage.replace(session, table)

    session.atomic(work)
