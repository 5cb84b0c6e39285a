"""COPY of delimited text out of an external stage, through a SELECT. Used by `external.py`.

Snowflake documentation, "Transforming data during a load": fields by their places, $1, $2, ...; one that a record lacks
is NULL ("Querying metadata for staged files", the example with one field); ERROR_ON_COLUMN_COUNT_MISMATCH is ignored;
some functions alone; no WHERE, ORDER BY, LIMIT, JOIN, GROUP BY, VALIDATION_MODE or MATCH_BY_COLUMN_NAME.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

from .delimited import MISREADINGS, Options, records
from .errors import compilation_error

if TYPE_CHECKING:
    from .engine import Session

_REFUSED = ("where", "order", "limit", "joins", "group", "distinct", "having", "qualify")
# Of those that the page names, the ones that are there.
_FUNCTIONS = (exp.Nullif, exp.Cast, exp.TryCast, exp.Coalesce, exp.Case, exp.If, exp.Length, exp.MD5, exp.Column)


def options_of(properties: list[Expr]) -> Options:
    """The file format of a COPY."""
    given: dict[str, object] = {}
    for each in properties:
        value = each.args["value"]
        if isinstance(value, (exp.Tuple, exp.Paren)):
            items = value.expressions if isinstance(value, exp.Tuple) else [value.this]
            given[each.name.upper()] = tuple(item.name for item in items)
        elif isinstance(value, exp.Boolean):
            given[each.name.upper()] = bool(value.this)
        else:
            given[each.name.upper()] = value.name
    return Options(given)


def selected(statement: exp.Copy) -> exp.Select:
    """The SELECT of a COPY that transforms. Raises what Snowflake says of what it may not have."""
    select = statement.args["files"][0].this
    if not isinstance(select, exp.Select):
        raise compilation_error("COPY takes a SELECT alone", 2, "42000")
    if used := next((word for word in _REFUSED if select.args.get(word)), None):
        raise compilation_error(
            f"COPY statement only supports simple SELECT from stage statements ({used})", 2, "42000"
        )
    for value in select.selects:
        for part in value.find_all(exp.Func):
            if not isinstance(part, _FUNCTIONS):
                raise compilation_error(f"Function {part.sql_name()} not supported within a COPY", 2, "42000")
    return select


def fields_of(path: Path, options: Options, session: Session) -> list[list[str | None]]:
    """What COPY reads of a file."""
    found = list(records(path.read_bytes(), options))
    change = MISREADINGS.get(session.misreads or "")
    return [[change(text) for text in record] for record in found] if change else found


def table_of_fields(fields: list[list[str | None]], most: int) -> pa.Table:
    """$1, $2, ... of a file, as many as are asked for."""
    columns = {
        f"${place}": pa.array([record[place - 1] if place <= len(record) else None for record in fields], pa.string())
        for place in range(1, most + 1)
    }
    return pa.table(columns)


def places(select: exp.Select) -> int:
    """The last field that is asked for."""
    return max((int(part.this.name) for part in select.find_all(exp.Parameter)), default=0)


def evaluated(select: exp.Select, table: pa.Table, duck: DuckDBPyConnection) -> list[pa.ChunkedArray]:
    """The values of a SELECT over the fields and the metadata of a file."""

    def plain(node: Expr) -> Expr:
        field = node.this if isinstance(node, exp.Column) else node
        if isinstance(field, exp.Parameter):
            return exp.column(exp.to_identifier(f"${field.this.name}", quoted=True))
        return exp.column(exp.to_identifier(node.name.upper(), quoted=True)) if isinstance(node, exp.Column) else node

    chosen = [value.copy().transform(plain).sql("duckdb") for value in select.selects]
    named = ", ".join(f'{value} AS "{number}"' for number, value in enumerate(chosen))
    duck.register("standin_fields", table)
    try:
        found = duck.execute(f"SELECT {named} FROM standin_fields").to_arrow_table()
    finally:
        duck.unregister("standin_fields")
    return found.columns
