"""Text with an offset as a point in time: Snowflake takes "2024-04-01 00:00:00 +02:00", DuckDB not with the blank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

if TYPE_CHECKING:
    from .engine import Session

_WITH_OFFSET = r" ([+-]\d\d:\d\d)$"


def offsets_in_text(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """A cast of anything but a literal to TIMESTAMP_TZ leaves the blank before the offset out."""
    for cast in statement.find_all(exp.Cast):
        if cast.to.is_type(exp.DataType.Type.TIMESTAMPTZ) and isinstance(cast.this, exp.Column):
            text = exp.cast(cast.this.copy(), exp.DataType.Type.VARCHAR)
            cast.set(
                "this",
                exp.RegexpReplace(
                    this=text, expression=exp.Literal.string(_WITH_OFFSET), replacement=exp.Literal.string(r"\1")
                ),
            )
    return statement
