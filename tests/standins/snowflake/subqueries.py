"""Subqueries that Snowflake cannot evaluate: error 002031.

Snowflake documentation, "Working with Subqueries": subqueries as expressions are scalar ones; IN and EXISTS stand in
WHERE, and a correlated one must not stand under OR, nor refer to an outer column in anything but simple conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

from .errors import compilation_error

if TYPE_CHECKING:
    from .engine import Session


def unsupported_subqueries(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """Refuses IN and EXISTS in an aggregate's argument, and correlated ones under OR."""
    for node in statement.find_all(exp.Exists, exp.In):
        query = node.this if isinstance(node, exp.Exists) else node.args.get("query")
        if query is None:
            continue
        aggregate = node.find_ancestor(exp.AggFunc, exp.Select)
        under_or = node.find_ancestor(exp.Or, exp.Select)
        if isinstance(aggregate, exp.AggFunc) or (isinstance(under_or, exp.Or) and _correlated(query)):
            raise compilation_error("Unsupported subquery type cannot be evaluated", 2031, "42601")
    return statement


def _correlated(query: Expr) -> bool:
    """Whether a column is of a table that the query does not read itself."""
    own = {table.alias_or_name.upper() for table in query.find_all(exp.Table, exp.Subquery)}
    return any(column.table and column.table.upper() not in own for column in query.find_all(exp.Column))
