"""What a statement needs, and what a role is shown: INFORMATION_SCHEMA and SHOW tell of what it has a privilege of.

Snowflake documentation, "Access control privileges", and "Access control requirements" on the page of each command. An
object without any privilege is not there for the role (002003); one with another privilege is refused (003001).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlglot
from duckdb import DuckDBPyConnection
from fakesnow.transforms import stage
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from .errors import NOTHING_TO_SHOW, compilation_error, insufficient
from .external import external_url
from .external import references as stages_of
from .keys import name_of, schema_of, table_of
from .rights import Name, existing
from .stages import literal, plain_stage

if TYPE_CHECKING:
    from .engine import Session

Need = tuple[str, str, Name]
"""A privilege, and the kind and name of the object it is needed of."""

_WRITES = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE", exp.Copy: "INSERT"}
_WITH_TARGET = (exp.DML, exp.DDL, exp.Drop, exp.Alter, exp.Comment, exp.Copy, exp.Merge, exp.Describe, exp.Undrop)
_OBJECTS = {"TABLE": "TABLE", "VIEW": "TABLE", "COLUMN": "TABLE", "SCHEMA": "SCHEMA", "STAGE": "STAGE"}


def allowed(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """The statement, as far as the session's role sees INFORMATION_SCHEMA; an error where it may not run it."""
    rights = session.rights
    changes = _changes(statement, session, duck)
    if rights.checks(session.role):
        for need in _needs(statement, session, duck):
            _require(need, session)
        _require_to_show(statement, session)
        _require_warehouse(statement, session)
        for table in list(statement.find_all(exp.Table)):
            if table.db.upper() == "INFORMATION_SCHEMA":
                table.replace(_only_visible(table, session))
    session.when_done += changes
    return statement


def shown(statement: Expr, session: Session, table: pa.Table) -> pa.Table:
    """The rows of a SHOW of databases, schemas, tables, views or stages that the role sees."""
    kinds = {"DATABASES": "DATABASE", "SCHEMAS": "SCHEMA", "STAGES": "STAGE"}
    kinds |= dict.fromkeys(("TABLES", "VIEWS", "OBJECTS"), "TABLE")
    kind = kinds.get(str(statement.name).upper().removeprefix("TERSE "))
    if kind is None or not session.rights.checks(session.role):
        return table
    path = {"DATABASE": ("name",), "SCHEMA": ("database_name", "name")}.get(
        kind, ("database_name", "schema_name", "name")
    )
    seen = session.rights.visible(session.role, kind)
    names = zip(*(table.column(part).to_pylist() for part in path), strict=True)
    return table.filter(pa.array([name in seen for name in names], pa.bool_()))


def _needs(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Iterator[Need]:
    target = _target(statement, session)
    kind = _OBJECTS.get(str(statement.args.get("kind") or "").upper(), "")
    if isinstance(statement, exp.Show):
        return
    if isinstance(statement, exp.Use):
        if (used := str(statement.args.get("kind") or "").upper()) in {"WAREHOUSE", "DATABASE"}:
            yield "USAGE", used, (name_of(statement.this.this),)
        return
    yield from _stages_needed(statement, session)
    if isinstance(statement, exp.Describe):
        yield "ANY", "TABLE", target
        return
    if isinstance(statement, exp.Create):
        yield from _to_create(statement, kind, target, existing(kind, duck) if kind else set())
    elif isinstance(statement, (exp.Drop, exp.Alter, exp.Comment, exp.Undrop)) or _altered_by_text(statement):
        if kind and (target in existing(kind, duck) or not statement.args.get("exists")):
            yield "OWNERSHIP", kind, target
        elif found := _altered_by_text(statement):
            yield "OWNERSHIP", "TABLE", table_of(exp.to_table(found, dialect="snowflake"), session)
        return
    elif isinstance(statement, exp.TruncateTable):
        yield "TRUNCATE", "TABLE", table_of(statement.expressions[0], session)
        return
    elif isinstance(statement, exp.Merge):
        for when in statement.args["whens"].expressions:
            then = when.args["then"]
            yield (
                "INSERT" if isinstance(then, exp.Insert) else "UPDATE" if isinstance(then, exp.Update) else "DELETE",
                "TABLE",
                target,
            )
    elif type(statement) in _WRITES:
        yield _WRITES[type(statement)], "TABLE", target
        if statement.args.get("overwrite"):
            yield "DELETE", "TABLE", target
    for table in _read(statement, session):
        yield "SELECT", "TABLE", table


def _require_to_show(statement: Expr, session: Session) -> None:
    """SHOW looks into a schema only for who may use it."""
    scope = statement.args.get("scope") if isinstance(statement, exp.Show) else None
    if isinstance(scope, exp.Table) and str(statement.args.get("scope_kind")).upper() == "SCHEMA":
        name = (name_of(scope.args["db"]) if scope.args.get("db") else session.database or "", name_of(scope.this))
        if not session.rights.has(session.role, "USAGE", "SCHEMA", name):
            raise ProgrammingError(msg=NOTHING_TO_SHOW, errno=2043, sqlstate="02000")


def _to_create(statement: exp.Create, kind: str, target: Name, there: set[Name]) -> Iterator[Need]:
    what = str(statement.args["kind"]).upper()
    if not kind:
        yield f"CREATE {what}", "ACCOUNT", ()
        return
    temporary = statement.find(exp.TemporaryProperty) is not None
    if kind == "SCHEMA":
        yield "CREATE SCHEMA", "DATABASE", target[:1]
    else:
        yield "USAGE" if temporary else f"CREATE {what}", "SCHEMA", target[:2]
    if target in there and (statement.args.get("replace") or temporary):
        yield "OWNERSHIP", kind, target


def _stages_needed(statement: Expr, session: Session) -> Iterator[Need]:
    references: list[tuple[str, str]] = []
    if isinstance(statement, exp.Put):
        references = [("WRITE", statement.args["target"].name)]
    elif isinstance(statement, exp.ListStage):
        references = [("READ", statement.this.name)]
    elif isinstance(statement, exp.Copy):
        references = [("READ", name) for name in stages_of(statement)]
    elif isinstance(statement, exp.Command) and str(statement.this).upper() in {"REMOVE", "RM"}:
        text = statement.expression.name if isinstance(statement.expression, Expr) else str(statement.expression)
        references = [("WRITE", found[0]) for found in [re.search(r"'@[^']*'|@\S+", text)] if found]
    for privilege, reference in references:
        name = plain_stage(reference).partition("/")[0].removeprefix("@")
        if name.startswith(("%", "~")):
            continue
        # Of an external stage USAGE is all there is (Snowflake documentation, "Access control privileges").
        yield (
            "USAGE" if external_url(reference, session) else privilege,
            "STAGE",
            tuple(str(part) for part in stage.parts_from_var(name, session.database, session.schema)),
        )


def _altered_by_text(statement: Expr) -> str | None:
    """The table of an ALTER that sqlglot leaves as text."""
    if isinstance(statement, exp.Command) and str(statement.this).upper() == "ALTER":
        found = re.match(r"\s*(?:TABLE|VIEW)\s+(\S+)", str(statement.expression), re.I)
        return found[1] if found else None
    return None


def _target(statement: Expr, session: Session) -> Name:
    """What the statement makes, changes, drops or writes."""
    if isinstance(statement, exp.Comment) and isinstance(statement.this, exp.Column):
        parts = [part.copy() for part in reversed(statement.this.parts[:-1])]
        return table_of(exp.Table(**dict(zip(("this", "db", "catalog"), parts, strict=False))), session)
    found = statement.this if isinstance(statement.this, Expr) else None
    table = found if isinstance(found, exp.Table) else found.find(exp.Table) if found is not None else None
    if table is None and statement.args.get("tables"):
        table = statement.args["tables"][0]
    if table is None or not isinstance(statement, _WITH_TARGET):
        return ()
    if str(statement.args.get("kind")).upper() == "SCHEMA":
        return schema_of(table, session)
    return table_of(table, session) if isinstance(table.this, exp.Identifier) else ()


def _read(statement: Expr, session: Session) -> set[Name]:
    """The permanent tables and views out of which the statement reads."""
    own = statement.this if not isinstance(statement, (exp.Select, exp.SetOperation)) else None
    with_names = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
    found = set()
    for table in statement.find_all(exp.Table):
        if table is own or (own is not None and table.parent is own) or not isinstance(table.this, exp.Identifier):
            continue
        if not table.args.get("db") and table.name.upper() in with_names:
            continue
        if table.find_ancestor(exp.Properties, exp.SwapTable, exp.AlterRename):
            continue
        name = table_of(table, session)
        if name[1] != "INFORMATION_SCHEMA":
            found.add(name)
    return found - set(session.temporary)


def _require(need: Need, session: Session) -> None:
    privilege, kind, name = need
    rights, role = session.rights, session.role
    if kind == "ACCOUNT":
        raise insufficient("ACCOUNT", ("STANDIN",))
    if kind == "TABLE" and name in session.temporary:
        return
    for depth, container in ((1, "DATABASE"), (2, "SCHEMA")):
        place = name[:depth]
        if depth < len(name) and not rights.has(role, "USAGE", container, place):
            text = f"{container.title()} '{'.'.join(place)}' does not exist or not authorized."
            raise compilation_error(text, 2003, "02000")
    held = rights.privileges(role, kind, name)
    if held & {privilege, "ALL", "OWNERSHIP"} or (held and privilege == "ANY"):
        return
    if held:
        raise insufficient(kind, name)
    text = "Object" if kind == "TABLE" else kind.title()
    raise compilation_error(
        f"{text} '{'.'.join(name)}' does not exist or not authorized.", 2003, "42S02" if kind == "TABLE" else "02000"
    )


def _require_warehouse(statement: Expr, session: Session) -> None:
    works = isinstance(statement, (exp.Select, exp.SetOperation, exp.DML, exp.Copy, exp.Merge)) or (
        isinstance(statement, exp.Create) and statement.expression is not None and statement.args.get("kind") == "TABLE"
    )
    if not works or statement.find(exp.Table) is None:
        return
    if not session.warehouse or not session.rights.has(session.role, "USAGE", "WAREHOUSE", (session.warehouse,)):
        raise ProgrammingError(
            msg="No active warehouse selected in the current session.  Select an active warehouse with the"
            " 'use warehouse' command.",
            errno=606,
            sqlstate="57P03",
        )


def _only_visible(table: exp.Table, session: Session) -> Expr:
    """A view of INFORMATION_SCHEMA without what the role has no privilege of."""
    view = table.name.upper()
    if view not in {"SCHEMATA", "TABLES", "COLUMNS", "VIEWS"}:
        return table
    kind, columns = ("SCHEMA", "schema_name") if view == "SCHEMATA" else ("TABLE", "(table_schema, table_name)")
    database = name_of(table.args["catalog"]) if table.args.get("catalog") else session.database or ""
    seen = [name[1:] for name in session.rights.visible(session.role, kind) if name[0] == database]
    nothing = [("",) * (1 if kind == "SCHEMA" else 2)]
    listed = ", ".join("(" + ", ".join(map(literal, name)) + ")" for name in sorted(seen) or nothing)
    alias = table.alias or table.name
    inner = table.copy()
    inner.set("alias", None)
    where = sqlglot.parse_one(f"SELECT 1 WHERE {columns} IN ({listed})", read="snowflake").args["where"]
    query = exp.select("*").from_(inner)
    query.set("where", where)
    return query.subquery(alias)


def _changes(statement: Expr, session: Session, duck: DuckDBPyConnection) -> list[Callable[[], Any]]:
    """What the statement changes of owners and grants once it has succeeded."""
    rights, role = session.rights, session.role
    what = str(statement.args.get("kind") or "").upper()
    kind, target = _OBJECTS.get(what, ""), _target(statement, session)
    if not kind or not target or target in session.temporary:
        return []
    # Of temporary tables the session itself knows; a temporary stage is its maker's like any other.
    if isinstance(statement, exp.Create) and (kind == "STAGE" or statement.find(exp.TemporaryProperty) is None):
        if target in existing(kind, duck) and not statement.args.get("replace"):
            return []
        keep = statement.find(exp.CopyGrantsProperty) is not None
        return [lambda: rights.made(role, what, target, keep_grants=keep)]
    if isinstance(statement, exp.Drop):
        return [lambda: rights.dropped(kind, target)]
    if isinstance(statement, exp.Alter) and (swap := statement.find(exp.SwapTable)):
        other = table_of(swap.this, session)
        return [lambda: rights.swapped(target, other)]
    if isinstance(statement, exp.Alter) and (rename := statement.find(exp.AlterRename)):
        new = table_of(rename.this, session)
        return [lambda: rights.renamed(target, new)]
    return []
