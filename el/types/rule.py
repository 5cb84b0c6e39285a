"""What a row of the type table is: one source type, the ways in which it can travel, and why.

A row holds data alone. Texts may hold "{length}", "{precision}" and "{scale}", filled from the column's declared
type; "{column}" in a read expression is left for the query builder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.types.times import Clock

TEXT = pa.string()
BINARY = pa.binary()
DOUBLE = pa.float64()
DATE = pa.date32()
TIME = pa.time64("us")
TIMESTAMP = pa.timestamp("us")
INSTANT = pa.timestamp("us", tz="UTC")


class TypeKind(StrEnum):
    """What the values of a type are, whatever a database calls it."""

    WHOLE = "whole number"
    DECIMAL = "decimal number"
    FLOAT = "floating-point number"
    TEXT = "text"
    BYTES = "bytes"
    BITS = "string of bits"
    DATE = "day"
    MOMENT = "time without zone"
    INSTANT = "time with zone"
    TIME = "time of day"
    DURATION = "duration"
    BOOL = "true or false"
    UUID = "random identifier"
    DOCUMENT = "document"
    VERSION = "number that the database gives a row with each write"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a type travels.

    read_as: source SQL with "{column}"; None reads the column untouched.
    arrow: what stands in the landing parquet; a function of the declared type where it depends on its digits.
    snowflake, duckdb: the landing column's type. target_*: what staging casts to; the landing type if not said.
    loses: what this way loses, in words; None where it is exact.
    clock: the text is put together from a time that the driver hands over as microseconds, and from what is read
        beside it; `read_as` then gives that time.
    """

    arrow: pa.DataType | Callable[[SourceType], pa.DataType]
    snowflake: str
    duckdb: str
    read_as: str | None = None
    target_snowflake: str | None = None
    target_duckdb: str | None = None
    loses: str | None = None
    clock: Clock | None = None

    def but(self, **changes: Any) -> Way:
        """This way with some of its parts changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class TypeRule:
    """One row of the table: the first row of a scheme that names a type and applies to it decides.

    names: the base types that it covers. shown: how README calls them.
    exact: the way that loses nothing, None where there is none. lossy: the way for who asks for it.
    trimmed: the way for who wants blanks trimmed. why: the reason, and the limits, in words.
    applies: tells rows of the same type name apart by the declared digits.
    exact_bytes: for text that a driver hands over as UTF-8: source SQL that gives the same text as UTF-16LE bytes.
        A driver cannot put an unpaired surrogate into UTF-8 and gives U+FFFD instead; who sees U+FFFD in
        what it read can ask here whether it was there before.
    """

    names: tuple[str, ...]
    shown: str
    why: str
    exact: Way | None
    lossy: Way | None = None
    trimmed: Way | None = None
    applies: Callable[[SourceType], bool] = lambda type_: True
    exact_bytes: str | None = None
    kind: TypeKind = TypeKind.OTHER


def text(read_as: str | None = None, **more: Any) -> Way:
    """Travels as text."""
    return Way(TEXT, "VARCHAR", "VARCHAR", read_as).but(**more)


def binary(read_as: str | None = None) -> Way:
    """Travels as bytes."""
    return Way(BINARY, "BINARY", "BLOB", read_as)


def integer(arrow: pa.DataType, duckdb: str, digits: int) -> Way:
    """Travels as an integer of at most `digits` digits. On Snowflake dlt lands every integer as NUMBER(19,0)."""
    return Way(arrow, "NUMBER(19,0)", duckdb, target_snowflake=f"NUMBER({digits},0)")


def decimal(precision: int, scale: int, read_as: str | None = None) -> Way:
    """Travels as a decimal of fixed digits."""
    digits = f"({precision},{scale})"
    return Way(pa.decimal128(precision, scale), f"NUMBER{digits}", f"DECIMAL{digits}", read_as)


DECLARED_DECIMAL = Way(
    lambda type_: pa.decimal128(type_.precision or 18, type_.scale or 0),
    "NUMBER({precision},{scale})",
    "DECIMAL({precision},{scale})",
)
FLOAT = Way(DOUBLE, "FLOAT", "DOUBLE")
BOOLEAN = Way(pa.bool_(), "BOOLEAN", "BOOLEAN")
DAY = Way(DATE, "DATE", "DATE")
TIME_OF_DAY = Way(TIME, "TIME(6)", "TIME")
WALL_CLOCK = Way(TIMESTAMP, "TIMESTAMP_NTZ(6)", "TIMESTAMP")
POINT_IN_TIME = Way(INSTANT, "TIMESTAMP_TZ(6)", "TIMESTAMP WITH TIME ZONE")
