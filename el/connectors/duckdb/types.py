"""DuckDB's types as a source: all exact, through Arrow; nested types are refused unless they are cast.

Ranges: DuckDB documentation, "Data Types". A type without a row is refused: LIST, ARRAY, STRUCT, MAP, UNION, VARIANT,
GEOMETRY, "NULL".
"""

from __future__ import annotations

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.types.rule import (
    BOOLEAN,
    DAY,
    DECLARED_DECIMAL,
    FLOAT,
    POINT_IN_TIME,
    TIME_OF_DAY,
    WALL_CLOCK,
    TypeKind,
    TypeRule,
    binary,
    decimal,
    integer,
    text,
)

AS_TEXT = "CAST({column} AS VARCHAR)"
INFINITY = "infinity and -infinity arrive in DuckDB; Snowflake has no such value: cast a column that holds them."


def _digits(type_: SourceType) -> int:
    return {"timestamp_s": 0, "timestamp_ms": 3}.get(type_.name, 6)


def _scale_38(type_: SourceType) -> bool:
    return type_.scale == 38


RULES: tuple[TypeRule, ...] = (
    TypeRule(("boolean",), "BOOLEAN", "The same values.", BOOLEAN, kind=TypeKind.BOOL),
    TypeRule(
        ("tinyint",),
        "TINYINT",
        "Widened to 16 bits.",
        integer(pa.int16(), "SMALLINT", 3),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(("smallint",), "SMALLINT", "The same 16 bits.", integer(pa.int16(), "SMALLINT", 5), kind=TypeKind.WHOLE),
    TypeRule(("integer",), "INTEGER", "The same 32 bits.", integer(pa.int32(), "INTEGER", 10), kind=TypeKind.WHOLE),
    TypeRule(("bigint",), "BIGINT", "The same 64 bits.", integer(pa.int64(), "BIGINT", 19), kind=TypeKind.WHOLE),
    TypeRule(
        ("utinyint",),
        "UTINYINT",
        "Widened to a signed integer.",
        integer(pa.int16(), "SMALLINT", 3),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(
        ("usmallint",),
        "USMALLINT",
        "Widened to a signed integer.",
        integer(pa.int32(), "INTEGER", 5),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(
        ("uinteger",),
        "UINTEGER",
        "Widened to a signed integer.",
        integer(pa.int64(), "BIGINT", 10),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(
        ("ubigint",),
        "UBIGINT",
        "20 digits exceed a signed integer, not a decimal.",
        decimal(20, 0, "CAST({column} AS DECIMAL(20,0))"),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(
        ("hugeint", "uhugeint", "bignum"),
        "HUGEINT, UHUGEINT, BIGNUM",
        "39 digits and more exceed every target's number, so all digits travel as text.",
        text(AS_TEXT),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(
        ("decimal",),
        "DECIMAL(38,38)",
        "Snowflake's NUMBER has at most 37 digits after the point, so all 38 travel as text.",
        text(AS_TEXT, target_duckdb="DECIMAL(38,38)"),
        lossy=decimal(38, 37, "CAST({column} AS DECIMAL(38,37))").but(loses="the 38th digit after the point, rounded"),
        applies=_scale_38,
        kind=TypeKind.DECIMAL,
    ),
    TypeRule(
        ("decimal",),
        "DECIMAL(p,s)",
        "The declared digits, up to (38,37).",
        DECLARED_DECIMAL,
        kind=TypeKind.DECIMAL,
        precision=18,
        scale=3,
    ),
    TypeRule(
        ("float", "double"),
        "FLOAT, DOUBLE",
        "The same value in 64 bits, NaN and infinities too.",
        FLOAT,
        kind=TypeKind.FLOAT,
        single=lambda type_: type_.name == "float",
    ),
    TypeRule(("varchar",), "VARCHAR", "UTF-8 on both sides.", text(), kind=TypeKind.TEXT),
    TypeRule(("json",), "JSON", "The text as it was written.", text(AS_TEXT), kind=TypeKind.DOCUMENT),
    TypeRule(
        ("uuid",), "UUID", "Text of 36 characters, lower case.", text(AS_TEXT, target_duckdb="UUID"), kind=TypeKind.UUID
    ),
    TypeRule(("enum",), "ENUM", "The label.", text(AS_TEXT), cursor="is one of a few labels, and does not grow"),
    TypeRule(("bit",), "BIT", "Text of 0 and 1.", text(AS_TEXT, target_duckdb="BIT"), kind=TypeKind.BITS),
    TypeRule(("blob",), "BLOB", "The same bytes.", binary(), kind=TypeKind.BYTES),
    TypeRule(("date",), "DATE", f"The same days. {INFINITY}", DAY, kind=TypeKind.DATE),
    TypeRule(("time",), "TIME", "Microseconds on both sides.", TIME_OF_DAY, kind=TypeKind.TIME, scale=6),
    TypeRule(
        ("time_ns",),
        "TIME_NS",
        "Microseconds would drop digits, so all nine travel as text.",
        text(AS_TEXT, target_snowflake="TIME(9)", target_duckdb="TIME_NS"),
        kind=TypeKind.TIME,
        scale=9,
    ),
    TypeRule(
        ("time with time zone",),
        "TIME WITH TIME ZONE",
        "No target has a time with an offset but DuckDB, so it travels as text.",
        text(AS_TEXT, target_duckdb="TIME WITH TIME ZONE"),
        cursor="begins anew every day",
    ),
    TypeRule(
        ("timestamp", "timestamp_s", "timestamp_ms"),
        "TIMESTAMP, TIMESTAMP_S, TIMESTAMP_MS",
        f"Microseconds hold each of them. {INFINITY}",
        WALL_CLOCK,
        kind=TypeKind.MOMENT,
        scale=_digits,
    ),
    TypeRule(
        ("timestamp_ns",),
        "TIMESTAMP_NS",
        "Microseconds would drop digits, so all nine travel as text.",
        text(AS_TEXT, target_snowflake="TIMESTAMP_NTZ(9)", target_duckdb="TIMESTAMP_NS"),
        lossy=WALL_CLOCK.but(read_as="CAST({column} AS TIMESTAMP)", loses="the seventh to ninth digits of the second"),
        kind=TypeKind.MOMENT,
        scale=9,
    ),
    TypeRule(
        ("timestamp with time zone",),
        "TIMESTAMP WITH TIME ZONE",
        f"DuckDB keeps the point in time alone, in microseconds. {INFINITY}",
        POINT_IN_TIME,
        kind=TypeKind.INSTANT,
        scale=6,
    ),
    TypeRule(
        ("interval",),
        "INTERVAL",
        "Months, days and microseconds, as DuckDB writes and reads them.",
        text(AS_TEXT, target_duckdb="INTERVAL"),
        kind=TypeKind.DURATION,
    ),
)
