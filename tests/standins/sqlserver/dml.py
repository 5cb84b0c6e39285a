"""INSERT, UPDATE, DELETE, TRUNCATE: rows are staged with their old and new values, checked, then applied.

The staged rows (`temp.main.staged`: `_rid`, `_op`, `o<column>` and `n<column>`) are all that constraints, OUTPUT,
change tracking and change data capture need to see, and nothing of the table has changed when a check fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import change_tracking, constraints, lookup, rights, server_functions, staging
from .binder import Binder
from .catalog import ColumnDef, TableDef
from .convert import Bound, convert
from .dialect import parse, parse_expression
from .errors import SqlError, invalid_column, syntax
from .scan import Scanner
from .scope import OutColumn, Query, Scope

if TYPE_CHECKING:
    from .session import Session


def head(s: Scanner, word: str) -> str:
    """The table expressions before `word`, which is passed over."""
    start = s.peek().start
    depth = 0
    while depth or s.peek().kind != "word" or s.peek().text != word:
        token = s.next()
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "op" else 0
    text = s.sql[start : s.peek().start]
    s.next()
    return text


def skip_hints(s: Scanner) -> None:
    if s.sees("WITH", "("):
        s.next()
        s.parenthesised()


def target_name(s: Scanner) -> tuple[list[str], str]:
    """A target's name and its source."""
    if s.peek().kind == "variable":
        raise SqlError(40517, "the stand-in does not support: table variables")
    start = s.peek().start
    names = s.names()
    return names, s.sql[start : s.tokens[s.at - 1].end]


def writable(session: Session, names: list[str], permission: str = "") -> TableDef:
    """A table that is written. permission: what the session needs of it, where that is known by now."""
    table = lookup.table(session, names)
    if permission:
        rights.require(session, permission, table)
    if table.kind != "U":
        raise SqlError(40517, f"the stand-in does not support: writing through the view {table.name}")
    lookup.check_snapshot(session, table)
    return table


# --- INSERT


def insert(session: Session, s: Scanner) -> tuple[str, int] | None:
    prefix = head(s, "INSERT")
    s.accept("INTO")
    names, _ = target_name(s)
    skip_hints(s)
    listed = None
    if s.sees("(") and s.peek(1).text not in ("SELECT", "WITH", "("):
        listed = [Scanner(part).name() for part in Scanner(s.parenthesised()).list_of()]
    output = s.until("VALUES", "SELECT", "WITH", "EXEC", "EXECUTE", "DEFAULT", "(") if s.accept("OUTPUT") else ""
    if s.sees("EXEC") or s.sees("EXECUTE"):
        raise SqlError(40517, "the stand-in does not support: INSERT ... EXEC")
    defaults = s.accept("DEFAULT", "VALUES")
    body = s.rest()
    session.start_implicit()

    def work() -> int:
        table = writable(session, names, "INSERT")
        binder = Binder(session)
        columns = insert_columns(session, table, listed)
        if defaults:
            query, columns = Query("SELECT 1", [OutColumn("", None)]), []
        else:
            query = binder.query(_with_defaults(prefix + body, columns), top=True)
            if len(query.columns) != len(columns):
                raise SqlError(213, "Column name or number of supplied values does not match table definition.")
        stage_insert(session, binder, table, query, columns)
        return staging.apply(session, table, "INSERT", output)

    return "INSERT", staging.run_change(session, work)


def insert_columns(session: Session, table: TableDef, listed: list[str] | None) -> list[ColumnDef]:
    explicit = session.identity_insert == table.object_id
    if listed is None:
        if explicit and any(c.identity for c in table.columns):
            raise SqlError(
                8101,
                f"An explicit value for the identity column in table '{table.name}' can only be specified when a "
                "column list is used and IDENTITY_INSERT is ON.",
            )
        return [
            c for c in table.columns if not c.identity and c.computed is None and not c.generated and c.graph is None
        ]
    out = []
    for name in listed:
        column = table.column(name)
        if column is None:
            invalid_column(name)
        if column.computed is not None:
            raise SqlError(
                271,
                f'The column "{name}" cannot be modified because it is either a computed column or is the result '
                "of a UNION operator.",
            )
        if column.identity and not explicit:
            raise SqlError(
                544,
                f"Cannot insert explicit value for identity column in table '{table.name}' when IDENTITY_INSERT is "
                "set to OFF.",
            )
        out.append(column)
    if explicit and not any(c.identity for c in out):
        raise SqlError(
            545,
            f"Explicit value must be specified for identity column in table '{table.name}' either when "
            "IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION "
            "identity column.",
        )
    return out


def _with_defaults(text: str, columns: list[ColumnDef]) -> exp.Expression:
    """The source of an INSERT, with DEFAULT in VALUES replaced by each column's own."""
    tree = parse(text)
    if not isinstance(tree, exp.Values) or "DEFAULT" not in text.upper():
        return tree
    tree = tree.copy()
    for row in tree.expressions:
        for column, cell in zip(columns, row.expressions, strict=False):
            if isinstance(cell, exp.Column | exp.Var) and cell.name.upper() == "DEFAULT":
                cell.replace(parse_expression(column.default).copy() if column.default else exp.Null())
    return tree


def stage_insert(session: Session, binder: Binder, table: TableDef, query: Query, columns: list[ColumnDef]) -> None:
    given = {c.column_id: i for i, c in enumerate(columns)}
    parts = []
    for column in table.columns:
        at = given.get(column.column_id)
        if at is not None:
            if column.is_rowversion and query.columns[at].type is not None:
                raise SqlError(
                    273,
                    "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to "
                    "exclude the timestamp column, or insert a DEFAULT into the timestamp column.",
                )
            value = convert(Bound(f"k{at}", query.columns[at].type), column.type, assign=True).sql
        elif column.default is not None:
            value = default_of(binder, column)
        else:
            value = f"CAST(NULL AS {column.type.stored})"
        parts.append(f"{value} AS n{column.column_id}")
    olds = [f"CAST(NULL AS {c.type.stored}) AS o{c.column_id}" for c in table.columns]
    places = ", ".join(f"k{i}" for i in range(len(query.columns)))
    staging.stage(
        session,
        f"SELECT CAST(NULL AS BIGINT) AS _rid, 'I' AS _op, {', '.join(parts + olds)} FROM ({query.sql}) AS q({places})",
        binder.used,
    )


def default_of(binder: Binder, column: ColumnDef) -> str:
    """The column's default as DuckDB SQL."""
    return convert(binder.value(parse_expression(column.default or "NULL"), Scope()), column.type, assign=True).sql


# --- UPDATE and DELETE


def update(session: Session, s: Scanner) -> tuple[str, int] | None:
    prefix = head(s, "UPDATE")
    top = s.parenthesised() if s.accept("TOP") else ""
    names, text = target_name(s)
    skip_hints(s)
    s.expect("SET")
    assignments = s.list_of(("OUTPUT", "FROM", "WHERE", "OPTION"))
    output, source, where = _clauses(s)
    session.start_implicit()

    def work() -> int:
        found = _located(session, prefix, names, text, source, where)
        table, at = found.table, found.at
        rights.require(session, "UPDATE", table)
        sets, variables = bind_sets(session, found.binder, found.scope, table, assignments)
        parts = [f"{at}.rowid AS _rid", "'U' AS _op", *old_and_new(table, at, sets)]
        parts += [f"{convert(value, kind).sql} AS v{i}" for i, (_, kind, value) in enumerate(variables)]
        once = f" QUALIFY row_number() OVER (PARTITION BY {at}.rowid) = 1" if source else ""
        staging.stage(
            session, f"SELECT {', '.join(parts)}{found.rows}{once}{_limit(session, top)}", found.binder.used, found.head
        )
        count = staging.apply(session, table, "UPDATE", output, set(sets))
        for i, (name, kind, _) in enumerate(variables):
            if last := session.run_sql(f"SELECT v{i} FROM {staging.STAGED} ORDER BY _n DESC LIMIT 1"):
                session.variables[name] = (kind, last[0][0])
        return count

    return "UPDATE", staging.run_change(session, work)


def delete(session: Session, s: Scanner) -> tuple[str, int] | None:
    prefix = head(s, "DELETE")
    top = s.parenthesised() if s.accept("TOP") else ""
    s.accept("FROM")
    names, text = target_name(s)
    skip_hints(s)
    output, source, where = _clauses(s)
    session.start_implicit()

    def work() -> int:
        found = _located(session, prefix, names, text, source, where)
        table, at = found.table, found.at
        rights.require(session, "DELETE", table)
        news = [f"CAST(NULL AS {c.type.stored}) AS n{c.column_id}" for c in table.columns]
        olds = [f"{at}.{c.physical} AS o{c.column_id}" for c in table.columns]
        once = f" QUALIFY row_number() OVER (PARTITION BY {at}.rowid) = 1" if source else ""
        listed = ", ".join([f"{at}.rowid AS _rid", "'D' AS _op", *olds, *news])
        staging.stage(
            session, f"SELECT {listed}{found.rows}{once}{_limit(session, top)}", found.binder.used, found.head
        )
        return staging.apply(session, table, "DELETE", output)

    return "DELETE", staging.run_change(session, work)


def _clauses(s: Scanner) -> tuple[str, str, str]:
    output = s.until("FROM", "WHERE", "OPTION", ";") if s.accept("OUTPUT") else ""
    source = s.until("WHERE", "OPTION", ";") if s.accept("FROM") else ""
    where = s.until("OPTION", ";") if s.accept("WHERE") else ""
    if s.accept("OPTION"):
        s.parenthesised()
    s.accept(";")
    if not s.done:
        syntax(s.rest()[:40])
    return output, source, where


def _limit(session: Session, top: str) -> str:
    return f" LIMIT {int(session.evaluate(top)[1])}" if top else ""


@dataclass
class Located:
    """What a statement touches: the names in reach, the target, its place in FROM, WITH, and FROM ... WHERE."""

    binder: Binder
    scope: Scope
    table: TableDef
    at: str
    head: str
    rows: str


def _located(session: Session, prefix: str, names: list[str], text: str, source: str, where: str) -> Located:
    binder, scope = Binder(session), Scope()
    tree = parse(f"{prefix}SELECT 1 FROM {source or text}" + (f" WHERE {where}" if where else ""))
    with_, rows = binder.head(tree, scope), binder.sources(tree, scope)
    for one in scope.sources:
        if len(names) == 1 and one.alias.lower() == names[0].lower():
            return Located(binder, scope, writable(session, list(one.parts)), one.handle, with_, rows)
    for one in scope.sources:
        if one.parts and one.parts[-1].lower() == names[-1].lower():
            return Located(binder, scope, writable(session, names), one.handle, with_, rows)
    writable(session, names)
    raise SqlError(40517, f"the stand-in does not support: a target that FROM does not name: {text}")


def bind_sets(
    session: Session, binder: Binder, scope: Scope, table: TableDef, assignments: list[str]
) -> tuple[dict[int, Bound], list[tuple[str, Any, Bound]]]:
    """`column = expression` and `@variable = expression` of SET: by column id, and (variable, type, value)."""
    sets: dict[int, Bound] = {}
    variables: list[tuple[str, Any, Bound]] = []
    for text in assignments:
        s = Scanner(text)
        if s.peek().kind == "variable":
            name = s.next().text.lstrip("@").lower()
            s.expect("=")
            if s.peek().kind in ("word", "quoted") and s.peek(1).text == "=":
                raise SqlError(40517, f"the stand-in does not support: {text}")
            variables.append(
                (name, server_functions.variable_type(session, name), binder.value(parse_expression(s.rest()), scope))
            )
            continue
        name = s.names()[-1]
        column = table.column(name)
        if column is None:
            invalid_column(name)
        if column.identity:
            raise SqlError(8102, f"Cannot update identity column '{name}'.")
        if column.computed is not None:
            raise SqlError(
                271,
                f'The column "{name}" cannot be modified because it is either a computed column or is the result '
                "of a UNION operator.",
            )
        if column.is_rowversion:
            raise SqlError(272, "Cannot update a timestamp column.")
        op = s.next().text
        value = s.rest()
        if value.strip().upper() == "DEFAULT":
            value = column.default or "NULL"
        if op != "=":
            value = f"{text[: text.index(op)]} {op[0]} ({value})"
        sets[column.column_id] = convert(binder.value(parse_expression(value), scope), column.type, assign=True)
    return sets, variables


def old_and_new(table: TableDef, at: str, sets: dict[int, Bound]) -> list[str]:
    olds = [f"{at}.{c.physical} AS o{c.column_id}" for c in table.columns]
    news = [
        f"{sets[c.column_id].sql if c.column_id in sets else f'{at}.{c.physical}'} AS n{c.column_id}"
        for c in table.columns
    ]
    return olds + news


def truncate(session: Session, s: Scanner) -> tuple[str, int] | None:
    s.expect("TRUNCATE", "TABLE")
    names, _ = target_name(s)
    session.start_implicit()

    def work() -> None:
        table = writable(session, names, "ALTER")
        constraints.refuse_truncate(session, table)
        session.wrote_into(table)
        session.run_sql(f"DELETE FROM {table.sql}")
        session.engine.identities.pop(table.object_id, None)
        if table.tracked:
            change_tracking.truncated(session, table)

    session.atomic(work)
    return None
