"""SQL Server's types: how each is read so that nothing of it is lost, and where that cannot be had.

Ranges and digits: Microsoft Learn, "Data types (Transact-SQL)"; styles: "CAST and CONVERT (Transact-SQL)"; what the
driver's Arrow reader does with each: mssql-python, FetchArrowBatch. A type without a row is refused.
"""

from __future__ import annotations

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.connectors.sqlserver.type_sql import SEVENTH_DIGIT, UTF16, WELL_KNOWN_TEXT, variant
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
from el.types.times import TimeParts

SURROGATES = (
    "An unpaired surrogate has no UTF-8 form and no place in Snowflake's text, and the driver gives U+FFFD for it: "
    "its row is refused; cast: varbinary(max) carries the UTF-16 bytes."
)
LONG_TEXT = "Over 16 MB as UTF-8, a value exceeds Snowflake's default VARCHAR: its row is refused."
LONG_BINARY = "Over 8 MB, a value exceeds Snowflake's default BINARY: its row is refused."


ROWVERSION_CURSOR = "passes over rows of open transactions when read so; use strategy: rowversion"


def _no_old_text(type_: SourceType) -> str | None:
    return "has no order here" if type_.name in ("text", "ntext") else None


def _of_one_width(type_: SourceType) -> bool | None:
    return True if type_.name == "binary" else None


def _without_zeros(type_: SourceType) -> bool:
    # The shorter value is compared as if it went on with zeros; of one width there is none.
    return type_.name == "varbinary"


def _digits(type_: SourceType) -> int:
    return 7 if type_.scale is None else type_.scale


def _six_digits_or_fewer(type_: SourceType) -> bool:
    return _digits(type_) <= 6


def _scale_38(type_: SourceType) -> bool:
    return type_.scale == 38


RULES: tuple[TypeRule, ...] = (
    TypeRule(("bit",), "bit", "0 and 1 are false and true.", BOOLEAN, kind=TypeKind.BOOL),
    TypeRule(
        ("tinyint",),
        "tinyint",
        "0 to 255 needs a signed integer of 16 bits.",
        integer(pa.int16(), "SMALLINT", 3),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(("smallint",), "smallint", "The same 16 bits.", integer(pa.int16(), "SMALLINT", 5), kind=TypeKind.WHOLE),
    TypeRule(("int",), "int", "The same 32 bits.", integer(pa.int32(), "INTEGER", 10), kind=TypeKind.WHOLE),
    TypeRule(("bigint",), "bigint", "The same 64 bits.", integer(pa.int64(), "BIGINT", 19), kind=TypeKind.WHOLE),
    TypeRule(
        ("decimal", "numeric"),
        "decimal(38,38), numeric(38,38)",
        "Snowflake's NUMBER has at most 37 digits after the point, so all 38 travel as text.",
        text("CONVERT(VARCHAR(41), {column})", target_duckdb="DECIMAL(38,38)"),
        lossy=decimal(38, 37, "CAST({column} AS DECIMAL(38,37))").but(loses="the 38th digit after the point, rounded"),
        applies=_scale_38,
        kind=TypeKind.DECIMAL,
    ),
    TypeRule(
        ("decimal", "numeric"),
        "decimal(p,s), numeric(p,s)",
        "The declared digits, up to (38,37).",
        DECLARED_DECIMAL,
        kind=TypeKind.DECIMAL,
        precision=18,
        scale=0,
    ),
    TypeRule(
        ("money",), "money", "Four digits after the point, never float.", decimal(19, 4), kind=TypeKind.DECIMAL, scale=4
    ),
    TypeRule(
        ("smallmoney",),
        "smallmoney",
        "Four digits after the point, never float.",
        decimal(10, 4),
        kind=TypeKind.DECIMAL,
        scale=4,
    ),
    TypeRule(
        ("float",), "float", "The same 64 bits; SQL Server holds no NaN and no infinity.", FLOAT, kind=TypeKind.FLOAT
    ),
    TypeRule(
        ("real",),
        "real",
        "Every 32-bit float is a 64-bit float, so widening is exact.",
        FLOAT,
        kind=TypeKind.FLOAT,
        single=True,
    ),
    TypeRule(
        ("date",), "date", "0001-01-01 to 9999-12-31, proleptic Gregorian on every side.", DAY, kind=TypeKind.DATE
    ),
    TypeRule(
        ("time",),
        "time(0..6)",
        "Microseconds hold six digits.",
        TIME_OF_DAY.but(target_snowflake="TIME({scale})"),
        applies=_six_digits_or_fewer,
        kind=TypeKind.TIME,
    ),
    TypeRule(
        ("time",),
        "time(7)",
        "Microseconds would drop the seventh digit: it is read beside, and both travel as one text.",
        text(
            target_snowflake="TIME(7)",
            target_duckdb="TIME_NS",
            parts=TimeParts(SEVENTH_DIGIT, "CONVERT(VARCHAR(16), {column}, 121)", day=False),
        ),
        # Rounding 23:59:59.9999999 would give midnight, so the digit is taken away.
        lossy=TIME_OF_DAY.but(
            read_as="DATEADD(NANOSECOND, -(DATEPART(NANOSECOND, {column}) % 1000), {column})",
            loses="the seventh digit of the second, cut off",
        ),
        kind=TypeKind.TIME,
        scale=7,
    ),
    TypeRule(
        ("datetime",),
        "datetime",
        "Ticks of 1/300 s, which SQL Server shows, and the driver gives, as .000, .003 and .007.",
        WALL_CLOCK.but(target_snowflake="TIMESTAMP_NTZ(3)"),
        kind=TypeKind.MOMENT,
        scale=3,
        least="1753-01-01",
    ),
    TypeRule(
        ("smalldatetime",),
        "smalldatetime",
        "Whole minutes.",
        WALL_CLOCK.but(target_snowflake="TIMESTAMP_NTZ(0)"),
        kind=TypeKind.MOMENT,
        scale=0,
        least="1900-01-01",
    ),
    TypeRule(
        ("datetime2",),
        "datetime2(0..6)",
        "Microseconds hold six digits, over the whole range 0001-01-01 to 9999-12-31.",
        WALL_CLOCK.but(target_snowflake="TIMESTAMP_NTZ({scale})"),
        applies=_six_digits_or_fewer,
        kind=TypeKind.MOMENT,
    ),
    TypeRule(
        ("datetime2",),
        "datetime2(7)",
        "Microseconds would drop the seventh digit, and nanoseconds end in 2262: the digit is read beside, and both "
        "travel as one text. DuckDB has no type for it: there it stays text.",
        text(
            target_snowflake="TIMESTAMP_NTZ(7)",
            parts=TimeParts(SEVENTH_DIGIT, "CONVERT(VARCHAR(27), {column}, 121)"),
        ),
        lossy=WALL_CLOCK.but(loses="the seventh digit of the second, cut off"),
        kind=TypeKind.MOMENT,
        scale=7,
    ),
    TypeRule(
        ("datetimeoffset",),
        "datetimeoffset(0..7)",
        "A point in time alone would lose the offset: local time, offset and a seventh digit are read apart, and "
        "travel as one text. DuckDB has no type for it: there it stays text.",
        text(
            "CAST({column} AS DATETIME2(7))",
            target_snowflake="TIMESTAMP_TZ({scale})",
            parts=TimeParts(
                SEVENTH_DIGIT,
                "CONVERT(VARCHAR(27), CAST(SWITCHOFFSET({column}, '+00:00') AS DATETIME2(7)), 121)",
                offset="CAST(DATEPART(TZOFFSET, {column}) AS SMALLINT)",
            ),
        ),
        lossy=POINT_IN_TIME.but(loses="the offset (times become UTC), and a seventh digit of the second, cut off"),
        kind=TypeKind.INSTANT,
        scale=7,
    ),
    TypeRule(
        ("char",),
        "char(n)",
        "Trailing blanks are kept.",
        text(),
        trimmed=text("RTRIM({column})", loses="trailing blanks"),
        kind=TypeKind.TEXT,
    ),
    TypeRule(
        ("nchar",),
        "nchar(n)",
        f"Trailing blanks are kept. {SURROGATES}",
        text(),
        trimmed=text("RTRIM({column})", loses="trailing blanks"),
        exact_bytes=UTF16,
        kind=TypeKind.TEXT,
        utf16=True,
    ),
    TypeRule(
        ("varchar", "text"),
        "varchar(n), varchar(max), text",
        f"Any collation's code page becomes UTF-8. {LONG_TEXT}",
        text(),
        kind=TypeKind.TEXT,
        cursor=_no_old_text,
    ),
    TypeRule(
        ("nvarchar", "ntext"),
        "nvarchar(n), nvarchar(max), ntext",
        f"Surrogate pairs are kept. {SURROGATES} {LONG_TEXT}",
        text(),
        exact_bytes=UTF16,
        kind=TypeKind.TEXT,
        cursor=_no_old_text,
        utf16=True,
    ),
    TypeRule(
        ("binary", "varbinary", "image"),
        "binary(n), varbinary(n), varbinary(max), image",
        f"The same bytes. {LONG_BINARY}",
        binary(),
        kind=TypeKind.BYTES,
        cursor=_of_one_width,
        zeros=_without_zeros,
    ),
    TypeRule(
        ("rowversion", "timestamp"),
        "rowversion (timestamp)",
        "Eight bytes, most significant first, so that they compare as SQL Server compares them.",
        binary(),
        kind=TypeKind.VERSION,
        cursor=ROWVERSION_CURSOR,
    ),
    TypeRule(
        ("uniqueidentifier",),
        "uniqueidentifier",
        "Text of 36 characters in SQL Server's own order and upper case.",
        text(),
        kind=TypeKind.UUID,
    ),
    TypeRule(
        ("xml",),
        "xml",
        f"The text into which SQL Server writes its stored document; it keeps no declaration itself. {LONG_TEXT}",
        text(),
        exact_bytes=UTF16,
        kind=TypeKind.DOCUMENT,
    ),
    TypeRule(
        ("json",),
        "json",
        f"The text into which SQL Server 2025 writes its stored document. {LONG_TEXT}",
        text("CAST({column} AS NVARCHAR(MAX))"),
        exact_bytes=UTF16,
        kind=TypeKind.DOCUMENT,
    ),
    TypeRule(
        ("vector",),
        "vector(n)",
        "Its 32-bit floats reach a client as bits only through drivers that know the type; the text that SQL Server "
        "2025 gives others is not promised to hold the nine digits that a float needs. So there is no exact way.",
        None,
        lossy=text("CAST({column} AS NVARCHAR(MAX))", loses="the last digits of each number"),
    ),
    TypeRule(
        ("hierarchyid",),
        "hierarchyid",
        "Its path, such as /1/2.1/, from which SQL Server makes the same bytes again. "
        "cast: varbinary(892) carries the bytes, which sort depth first.",
        text("{column}.ToString()"),
    ),
    TypeRule(
        ("geography", "geometry"),
        "geography, geometry",
        "SQL Server's own bytes ([MS-SSCLRT]): SRID, every coordinate's 64 bits, Z and M, empty shapes, arcs. "
        "Lossy gives SRID=4326;POINT (...), well-known text with Z and M, whose digits are not promised to suffice. "
        f"{LONG_BINARY}",
        binary("CAST({column} AS VARBINARY(MAX))"),
        lossy=text(WELL_KNOWN_TEXT, loses="the last digits of coordinates, where SQL Server writes fewer than 17"),
    ),
    TypeRule(
        ("sql_variant",),
        "sql_variant",
        "The base type's name, a colon and the value: int:42. Floats with 17 digits, times with seven, bytes as 0x and "
        f"hex, text as it is; a text's collation is not part of it. {SURROGATES}",
        text(variant()),
        exact_bytes=f"CAST({variant()} AS VARBINARY(MAX))",
    ),
)
