"""Masking and row access policies: which table has one, and INFORMATION_SCHEMA.POLICY_REFERENCES that tells it.

Snowflake documentation, "POLICY_REFERENCES": whoever owns a table is told of all policies on it.

LIMITS: a policy is its name; it masks no value and hides no row here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection
from fakesnow.transforms import SUCCESS_NOP
from sqlglot import Expr, exp

from .keys import table_of
from .stages import duckdb_statement, literal

if TYPE_CHECKING:
    from .engine import Session

_MASKED = re.compile(
    r"\s*TABLE\s+(\S+)\s+(?:MODIFY|ALTER)\s+(?:COLUMN\s+)?(\S+)\s+(SET|UNSET)\s+MASKING\s+POLICY(?:\s+\S+)?\s*$", re.I
)
_ROWS = re.compile(r"\s*TABLE\s+(\S+)\s+(ADD|DROP)\s+ROW\s+ACCESS\s+POLICY\s+\S+(?:\s+ON\s*\(.*\))?\s*$", re.I)


def policies(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """ALTER TABLE that sets or takes away a policy, and the table function that lists those of a table."""
    if isinstance(statement, exp.Command) and str(statement.this).upper() == "ALTER":
        text = str(statement.expression)
        if found := _MASKED.match(text):
            _note(session, found[1], ("MASKING_POLICY", found[2].strip('"').upper()), found[3].upper() == "SET")
            return SUCCESS_NOP.copy()
        if found := _ROWS.match(text):
            _note(session, found[1], ("ROW_ACCESS_POLICY", ""), found[2].upper() == "ADD")
            return SUCCESS_NOP.copy()
    for call in list(statement.find_all(exp.TableFromRows)):
        function = call.find(exp.Anonymous)
        if function is not None and function.name.upper() == "POLICY_REFERENCES":
            _answer(call, function, session)
    return statement


def _note(session: Session, table: str, policy: tuple[str, str], is_set: bool) -> None:
    held = session.rights.policies.setdefault(table_of(exp.to_table(table, dialect="snowflake"), session), set())
    held.add(policy) if is_set else held.discard(policy)


def _answer(call: Expr, function: exp.Anonymous, session: Session) -> None:
    given = {argument.this.name.upper(): argument.expression.name for argument in function.expressions}
    table = table_of(exp.to_table(given["REF_ENTITY_NAME"], dialect="snowflake"), session)
    rows = [
        f"({literal(kind)}, nullif({literal(column)}, ''))"
        for kind, column in sorted(session.rights.policies.get(table, ()))
    ]
    values = ", ".join(rows) or "('', '')"
    limit = "" if rows else " LIMIT 0"
    call.replace(
        duckdb_statement(
            f"SELECT * FROM (SELECT * FROM (VALUES {values}) AS v(POLICY_KIND, REF_COLUMN_NAME){limit}) AS p"
        ).find(exp.Subquery)
    )
