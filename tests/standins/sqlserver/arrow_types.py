"""T-SQL types for values of which only Python or Arrow knows the type."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .sqltypes import BIGINT, BIT, DATE, FLOAT, INT, MAX, NMAX, REAL, SMALLINT, TINYINT, SqlType


def python_type(value: Any) -> SqlType:
    if isinstance(value, bool):
        return BIT
    if isinstance(value, int):
        return INT if -(2**31) <= value < 2**31 else BIGINT
    if isinstance(value, float):
        return FLOAT
    return SqlType("varbinary", MAX) if isinstance(value, bytes) else NMAX


def arrow_to_sql(kind: pa.DataType) -> SqlType:
    """The T-SQL type of what only DuckDB could type."""
    if pa.types.is_decimal(kind):
        return SqlType("decimal", None, kind.precision, kind.scale)
    simple = {
        pa.bool_(): BIT,
        pa.uint8(): TINYINT,
        pa.int8(): SMALLINT,
        pa.int16(): SMALLINT,
        pa.int32(): INT,
        pa.int64(): BIGINT,
        pa.float32(): REAL,
        pa.float64(): FLOAT,
        pa.date32(): DATE,
        pa.null(): INT,
    }
    if kind in simple:
        return simple[kind]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return SqlType("varbinary", MAX)
    return NMAX if pa.types.is_string(kind) or pa.types.is_large_string(kind) else SqlType("nvarchar", 4000)
