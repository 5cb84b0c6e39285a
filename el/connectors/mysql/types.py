"""MySQL's and MariaDB's types: how each is read so that nothing of it is lost, and where that cannot be had.

Ranges: MySQL Reference Manual and MariaDB Documentation, "Data Types"; what the text protocol shows of each was looked
at value by value. A type without a row is refused: VECTOR.
"""

from __future__ import annotations

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.connectors.mysql.dialect import BYTES, TEXTS
from el.types.rule import (
    BOOLEAN,
    DAY,
    DECLARED_DECIMAL,
    FLOAT,
    POINT_IN_TIME,
    WALL_CLOCK,
    TypeKind,
    TypeRule,
    Way,
    binary,
    decimal,
    integer,
    text,
)

_ZERO = "A date that is none, such as 0000-00-00 or 2024-00-15, stops its table; a cast to char(26) carries its text."
_LOSES = "dates that are none, such as 0000-00-00, which become NULL"
_GEOMETRY = (
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection"),
)


def _whole(name: str, why: str, way: Way, also: str = "") -> TypeRule:
    return TypeRule((name,), name.upper() + also, why, way, kind=TypeKind.WHOLE)


def _dated(name: str, shown: str, why: str, way: Way, kind: TypeKind, *, timed: bool = True) -> TypeRule:
    # Of a date that is none, month or day is 0.
    real = "CASE WHEN MONTH({column}) = 0 OR DAY({column}) = 0 THEN NULL ELSE {column} END"
    lossy = way.but(read_as=real, loses=_LOSES)
    return TypeRule((name,), shown, f"{why}{_ZERO}", way, lossy, kind=kind, scale=_digits if timed else None)


def _digits(type_: SourceType) -> int:
    return type_.scale or 0


def _long_decimal(type_: SourceType) -> bool:
    return (type_.precision or 10) > 38 or type_.scale == 38


def _one_bit(type_: SourceType) -> bool:
    return type_.length in (None, 1)


def _text_cursor(type_: SourceType) -> str | None:
    return None if type_.name in ("char", "varchar") else "has no order here"


RULES: tuple[TypeRule, ...] = (
    _whole(
        "tinyint",
        "8 bits. TINYINT(1) too, which holds 2 and -128 as well.",
        integer(pa.int16(), "SMALLINT", 3),
        ", BOOL",
    ),
    _whole("tinyint unsigned", "0 to 255.", integer(pa.int16(), "SMALLINT", 3)),
    _whole("smallint", "The same 16 bits.", integer(pa.int16(), "SMALLINT", 5)),
    _whole("smallint unsigned", "Widened to a signed integer.", integer(pa.int32(), "INTEGER", 5)),
    _whole("mediumint", "24 bits.", integer(pa.int32(), "INTEGER", 7)),
    _whole("mediumint unsigned", "24 bits.", integer(pa.int32(), "INTEGER", 8)),
    _whole("int", "The same 32 bits.", integer(pa.int32(), "INTEGER", 10)),
    _whole("int unsigned", "Widened to a signed integer.", integer(pa.int64(), "BIGINT", 10)),
    _whole("bigint", "The same 64 bits.", integer(pa.int64(), "BIGINT", 19)),
    _whole("bigint unsigned", "20 digits exceed a signed integer, not a decimal.", decimal(20, 0)),
    _whole("year", "0, and 1901 to 2155.", integer(pa.int16(), "SMALLINT", 4)),
    TypeRule(
        ("decimal",),
        "DECIMAL(39..65,s), DECIMAL(38,38)",
        "More digits than a target's number has, so all of them travel as text.",
        text(),
        applies=_long_decimal,
        kind=TypeKind.DECIMAL,
    ),
    TypeRule(
        ("decimal",),
        "DECIMAL(p,s)",
        "The declared digits, up to (38,37).",
        DECLARED_DECIMAL,
        kind=TypeKind.DECIMAL,
        precision=10,
        scale=0,
    ),
    TypeRule(
        ("float",),
        "FLOAT",
        "Its own text has six digits; as a double it has all. No NaN, no infinity.",
        FLOAT.but(read_as="CAST({column} AS DOUBLE)"),
        kind=TypeKind.FLOAT,
        single=True,
    ),
    TypeRule(
        ("double",),
        "DOUBLE",
        "The same 64 bits. No NaN, no infinity; MariaDB makes 0 of -0.",
        FLOAT,
        kind=TypeKind.FLOAT,
    ),
    TypeRule(
        ("bit",),
        "BIT(1)",
        "0 and 1 are false and true.",
        BOOLEAN.but(read_as="{column} + 0"),
        applies=_one_bit,
        kind=TypeKind.BOOL,
    ),
    TypeRule(
        ("bit",), "BIT(2..64)", "The number that its bits are.", decimal(20, 0, "{column} + 0"), kind=TypeKind.BITS
    ),
    _dated("date", "DATE", "", DAY, TypeKind.DATE, timed=False),
    _dated("datetime", "DATETIME(0..6)", "", WALL_CLOCK, TypeKind.MOMENT),
    _dated("timestamp", "TIMESTAMP(0..6)", "A point in time, read at UTC. ", POINT_IN_TIME, TypeKind.INSTANT),
    TypeRule(
        ("time",),
        "TIME(0..6)",
        "-838:59:59 to 838:59:59 is a length of time and no time of day, so it travels as text.",
        text(),
        kind=TypeKind.DURATION,
        scale=_digits,
    ),
    TypeRule(
        TEXTS,
        "CHAR, VARCHAR, TEXT, LONGTEXT and its kinds",
        "Every character set becomes UTF-8. CHAR comes without the blanks at its end, as MySQL gives it. "
        "Over 16 MB, a value exceeds Snowflake's default VARCHAR: its row is refused.",
        text(),
        kind=TypeKind.TEXT,
        cursor=_text_cursor,
    ),
    TypeRule(("enum",), "ENUM", "The label.", text(), cursor="is one of a few labels, and does not grow"),
    TypeRule(
        ("set",), "SET", "The labels, with commas between them.", text(), cursor="is a set of labels, and does not grow"
    ),
    TypeRule(("json",), "JSON", "The text as the server writes it.", text(), kind=TypeKind.DOCUMENT),
    TypeRule(
        ("uuid",),
        "UUID",
        "Text of 36 characters, as MariaDB writes it.",
        text(target_duckdb="UUID"),
        kind=TypeKind.UUID,
    ),
    TypeRule(("inet4", "inet6"), "INET4, INET6", "The address as MariaDB writes it.", text()),
    TypeRule(
        BYTES,
        "BINARY, VARBINARY, BLOB and its kinds",
        "The same bytes, BINARY's zeros at the end too. Over 8 MB, a value exceeds Snowflake's default BINARY: its row "
        "is refused.",
        binary(),
        kind=TypeKind.BYTES,
    ),
    TypeRule(
        _GEOMETRY,
        "GEOMETRY and its kinds",
        "MySQL's own bytes: the SRID in four of them, then well-known binary.",
        binary(),
        text("ST_AsText({column})", loses="the SRID, and digits of coordinates"),
    ),
)
