"""MERGE: the target joined to its source decides for each row what is staged; dml.py does the rest.

Microsoft Learn, "MERGE (Transact-SQL)": the first clause whose condition holds is taken, and a row that two rows of the
source would change is error 8672.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import dml, rights, staging
from .binder import Binder
from .catalog import TableDef
from .convert import convert
from .dialect import parse, parse_condition, parse_expression
from .errors import SqlError, syntax
from .scan import Scanner
from .scope import Scope

if TYPE_CHECKING:
    from .session import Session

HERE = "stand-in: a row of the source"


@dataclass
class When:
    """One WHEN clause. `side` is matched, target (not matched by target) or source."""

    side: str
    condition: str
    action: str
    columns: list[str]
    values: list[str]


def merge(session: Session, s: Scanner) -> tuple[str, int] | None:
    prefix = dml.head(s, "MERGE")
    s.accept("INTO")
    names, target = dml.target_name(s)
    dml.skip_hints(s)
    alias = s.name() if s.accept("AS") or not s.sees("USING") else names[-1]
    s.expect("USING")
    source, source_alias = _source(s)
    s.expect("ON")
    on = s.until("WHEN")
    clauses = []
    while s.accept("WHEN"):
        clauses.append(_when(s))
    output = s.until("OPTION", ";") if s.accept("OUTPUT") else ""
    s.accept(";")
    if not s.done:
        syntax(s.rest()[:40])
    session.start_implicit()

    def work() -> int:
        table = dml.writable(session, names)
        for action in sorted({clause.action for clause in clauses}):
            rights.require(session, {"I": "INSERT", "U": "UPDATE", "D": "DELETE"}[action], table)
        binder, scope = Binder(session), Scope()
        tree = parse(
            f"{prefix}SELECT 1 FROM {target} AS [{alias}] FULL JOIN (SELECT *, 1 AS [{HERE}] FROM {source}) AS "
            f"[{source_alias}] ON {on}"
        )
        with_, rows = binder.head(tree, scope), binder.sources(tree, scope)
        sql = _staged(session, binder, scope, table, clauses, rows)
        staging.stage(session, sql, binder.used, with_)
        if session.run_sql(
            f"SELECT 1 FROM {staging.STAGED} WHERE _rid IS NOT NULL GROUP BY _rid HAVING count(*) > 1 LIMIT 1"
        ):
            raise SqlError(
                8672,
                "The MERGE statement attempted to UPDATE or DELETE the same row more than once. This happens when a "
                "target row matches more than one source row.",
            )
        return staging.apply(session, table, "MERGE", output)

    return "MERGE", staging.run_change(session, work)


def _source(s: Scanner) -> tuple[str, str]:
    """The source's text with its alias, and the alias."""
    start = s.peek().start
    if s.sees("("):
        s.parenthesised()
        s.accept("AS")
        alias = s.name()
        if s.sees("("):
            s.parenthesised()
    else:
        alias = s.names()[-1]
        dml.skip_hints(s)
        if s.accept("AS") or not s.sees("ON"):
            alias = s.name()
    return s.sql[start : s.tokens[s.at - 1].end], alias


def _when(s: Scanner) -> When:
    side = "matched"
    if s.accept("NOT"):
        side = "target"
    s.expect("MATCHED")
    if s.accept("BY"):
        side = s.next().text.lower()
    condition = s.until("THEN") if s.accept("AND") else ""
    s.expect("THEN")
    stops = ("WHEN", "OUTPUT", ";", "OPTION")
    if s.accept("DELETE"):
        return When(side, condition, "D", [], [])
    if s.accept("UPDATE"):
        s.expect("SET")
        return When(side, condition, "U", s.list_of(stops), [])
    s.expect("INSERT")
    columns = Scanner(s.parenthesised()).list_of() if s.sees("(") else []
    if s.accept("DEFAULT", "VALUES"):
        return When(side, condition, "I", columns, [])
    s.expect("VALUES")
    return When(side, condition, "I", columns, Scanner(s.parenthesised()).list_of())


def _staged(session: Session, binder: Binder, scope: Scope, table: TableDef, clauses: list[When], rows: str) -> str:
    at = scope.sources[0].handle
    here = next(sql for name, sql, _, _ in scope.sources[1].columns if name == HERE)
    scope.sources[1].columns = [c for c in scope.sources[1].columns if c[0] != HERE]
    sides = {
        "matched": f"{at}.rowid IS NOT NULL AND {here} IS NOT NULL",
        "target": f"{at}.rowid IS NULL",
        "source": f"{here} IS NULL",
    }
    which, news = [], {c.column_id: [] for c in table.columns}
    for i, clause in enumerate(clauses):
        condition = sides[clause.side]
        if clause.condition:
            condition += f" AND ({binder.predicate(parse_condition(clause.condition), scope)})"
        which.append(f"WHEN {condition} THEN {i}")
        if clause.action == "U":
            sets, _ = dml.bind_sets(session, binder, scope, table, clause.columns)
            values = {
                c.column_id: sets[c.column_id].sql if c.column_id in sets else f"{at}.{c.physical}"
                for c in table.columns
            }
        elif clause.action == "I":
            # VALUES sees the source's columns alone.
            values = _inserted(session, binder, Scope(scope.parent, scope.sources[1:], scope.ctes), table, clause)
        else:
            values = {}
        for column_id, value in values.items():
            news[column_id].append(f"WHEN {i} THEN {value}")
    ops = " ".join(f"WHEN {i} THEN '{c.action}'" for i, c in enumerate(clauses))
    parts = [
        f"{at}.rowid AS _rid",
        f"CASE _clause {ops} END AS _op",
        *(f"{at}.{c.physical} AS o{c.column_id}" for c in table.columns),
    ]
    for column in table.columns:
        branches = news[column.column_id]
        value = f"CASE _clause {' '.join(branches)} END" if branches else "NULL"
        parts.append(f"CAST({value} AS {column.type.stored}) AS n{column.column_id}")
    return (
        f"SELECT * FROM (SELECT CASE {' '.join(which)} END AS _clause, {', '.join(parts)}{rows}) WHERE _clause "
        "IS NOT NULL"
    )


def _inserted(session: Session, binder: Binder, scope: Scope, table: TableDef, clause: When) -> dict[int, str]:
    listed = [Scanner(c).names()[-1] for c in clause.columns] or None
    columns = dml.insert_columns(session, table, listed) if clause.values else []
    if len(columns) != len(clause.values):
        raise SqlError(213, "Column name or number of supplied values does not match table definition.")
    out = {}
    for column, text in zip(columns, clause.values, strict=True):
        text = column.default or "NULL" if text.strip().upper() == "DEFAULT" else text
        out[column.column_id] = convert(binder.value(parse_expression(text), scope), column.type, assign=True).sql
    for column in table.columns:
        if column.column_id not in out and column.default:
            out[column.column_id] = dml.default_of(binder, column)
    return out
