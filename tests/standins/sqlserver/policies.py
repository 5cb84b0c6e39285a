"""What a reader gets less of than is there: rows that a security policy hides, values under a mask.

A policy's function is an inline one, `RETURN SELECT ... WHERE condition`, whose condition is put in place of its call.
Masks are laid over a table before anything else looks at it; SQL Server lays them over a result, so that a WHERE still
sees the values. Microsoft Learn, "Row-Level Security", "Dynamic Data Masking".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import lookup, rights
from .catalog import ColumnDef, TableDef, new_object_id
from .errors import SqlError
from .scan import Scanner

if TYPE_CHECKING:
    from .session import Session


@dataclass
class Policy:
    """CREATE SECURITY POLICY. predicates: (table's object id, FILTER or BLOCK, function, arguments)."""

    object_id: int
    schema: str
    name: str
    predicates: list[tuple[int, str, str, list[str]]]
    enabled: bool = True


def create_function(session: Session, s: Scanner) -> None:
    """CREATE FUNCTION schema.name (@a type, ...) RETURNS TABLE ... AS RETURN SELECT ... WHERE condition."""
    name = ".".join(s.names()).lower()
    parameters = [Scanner(text).next().text.lower() for text in Scanner(s.parenthesised()).list_of()]
    s.until("RETURN")
    s.expect("RETURN")
    body = s.rest().strip().removeprefix("(").removesuffix(")") if s.sees("(") else s.rest()
    condition = re.split(r"(?i)\bWHERE\b", body, maxsplit=1)[1]
    session.database.functions[name] = (parameters, condition)


def create_policy(session: Session, s: Scanner) -> None:
    names = s.names()
    predicates = []
    while s.accept("ADD"):
        kind = s.next().text
        s.expect("PREDICATE")
        function = ".".join(s.names()).lower()
        if function not in session.database.functions:
            raise SqlError(208, f"Invalid object name '{function}'.")
        arguments = Scanner(s.parenthesised()).list_of()
        s.expect("ON")
        predicates.append((lookup.table(session, s.names()).object_id, kind, function, arguments))
        s.until(",", "WITH")
        s.accept(",")
    enabled = not (s.accept("WITH") and "OFF" in s.parenthesised().upper())
    policy = Policy(new_object_id(), names[-2] if len(names) > 1 else "dbo", names[-1], predicates, enabled)
    session.database.policies.append(policy)


def alter_policy(session: Session, s: Scanner) -> None:
    """ALTER SECURITY POLICY name WITH (STATE = ON | OFF)."""
    name = s.names()[-1].lower()
    s.expect("WITH")
    on = "ON" in s.parenthesised().upper().split("=")[1]
    for policy in session.database.policies:
        if policy.name.lower() == name:
            policy.enabled = on


def drop_policy(session: Session, s: Scanner) -> None:
    name = s.names()[-1].lower()
    session.database.policies = [p for p in session.database.policies if p.name.lower() != name]


def shown(session: Session, table: TableDef) -> str:
    """The table as this session gets it: without hidden rows, values masked."""
    from .binder import Binder
    from .ddl_table import scope_of
    from .dialect import parse_condition

    database = session.engine.database(table.database)
    conditions = []
    for policy in database.policies:
        for object_id, kind, function, arguments in policy.predicates:
            if policy.enabled and kind == "FILTER" and object_id == table.object_id:
                parameters, text = database.functions[function]
                for parameter, argument in zip(parameters, arguments, strict=True):
                    text = re.sub(rf"(?i){re.escape(parameter)}\b", argument, text)
                conditions.append(Binder(session).predicate(parse_condition(text), scope_of(table)))
    masked = {
        c.physical: _mask(c)
        for c in table.columns
        if c.masking and not rights.has(session, database, "UNMASK", table.schema, table.name, c.name)
    }
    if not conditions and not masked:
        return table.sql
    listed = ", ".join(
        f"{masked[c.physical]} AS {c.physical}" if c.physical in masked else c.physical for c in table.columns
    )
    rows = f"SELECT * FROM {table.sql}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
    return f"(SELECT {listed} FROM ({rows}))"


def _mask(column: ColumnDef) -> str:
    """The value that default() puts in place of one of this type; NULL stays NULL."""
    type_ = column.type
    fill = {"str": "'xxxx'", "int": "0", "dec": "0", "flt": "0", "bin": "unhex('00')"}.get(type_.family)
    if fill is None:
        fill = "599266080000000000" if type_.family == "dt" else "DATE '1900-01-01'" if type_.name == "date" else "NULL"
    return f"CASE WHEN {column.physical} IS NOT NULL THEN CAST({fill} AS {type_.stored}) END"
