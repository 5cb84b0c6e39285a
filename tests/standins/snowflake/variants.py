"""What is taken out of a VARIANT: its text, and its type, as Snowflake says them.

Snowflake, SQL reference, GET ("NULL if the first argument is no object"), TYPEOF, TRY_BASE64_DECODE_BINARY;
"Semi-structured data types": a text in a VARIANT is cast to VARCHAR without its quotes.

LIMITS: a number with a fraction comes by way of a float, and so with 17 digits, where Snowflake keeps 38; of two fields
of one name the first is taken, where PARSE_JSON with 'd' takes the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

from .stages import duckdb_statement

if TYPE_CHECKING:
    from .engine import Session

_TYPES = {
    "NULL_VALUE": ("NULL",),
    "VARCHAR": ("VARCHAR",),
    "BOOLEAN": ("BOOLEAN",),
    "OBJECT": ("OBJECT",),
    "ARRAY": ("ARRAY",),
    "INTEGER": ("BIGINT", "UBIGINT", "HUGEINT"),
}


def variants(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """GET(...)::VARCHAR, TYPEOF(GET(...)) and TRY_BASE64_DECODE_BINARY."""
    for cast in [node for node in statement.find_all(exp.Cast) if isinstance(node.this, exp.GetExtract)]:
        if cast.to.this in exp.DataType.TEXT_TYPES:
            cast.replace(_put("json_extract_string(x, '$')", cast.this))
    for node in [node for node in statement.find_all(exp.Typeof) if isinstance(node.this, exp.GetExtract)]:
        cases = " ".join(
            f"WHEN json_type(x) = '{name}' THEN '{said}'" for said, names in _TYPES.items() for name in names
        )
        node.replace(
            _put(
                f"CASE WHEN x IS NULL THEN NULL {cases} "
                "WHEN regexp_matches(CAST(x AS VARCHAR), '[eE]') OR length(CAST(x AS VARCHAR)) > 39 THEN 'DOUBLE' "
                "WHEN contains(CAST(x AS VARCHAR), '.') THEN 'DECIMAL' ELSE 'INTEGER' END",
                node.this,
            )
        )
    for node in list(statement.find_all(exp.TryBase64DecodeBinary)):
        node.replace(_put("TRY(from_base64(x))", node.this))
    return statement.transform(_field)


def _field(node: Expr) -> Expr:
    """A name with a dollar in front is a name, not a path."""
    if not isinstance(node, exp.GetExtract) or not node.expression.is_string:
        return node
    name = node.expression.name.replace("\\", "\\\\").replace('"', '\\"')
    return exp.Anonymous(
        this="json_extract", expressions=[node.this.transform(_field), exp.Literal.string(f'$."{name}"')]
    )


def _put(sql: str, value: Expr) -> Expr:
    """DuckDB's expression with the value in the place of x."""
    found = duckdb_statement(f"SELECT {sql}").selects[0]
    for column in list(found.find_all(exp.Column)):
        if column.name == "x":
            column.replace(exp.paren(value.copy()))
    return found
