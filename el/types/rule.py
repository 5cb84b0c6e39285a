"""A row of the type table: one source type, what its values are, the ways in which it can travel, and why.

A row holds data alone. The rest of el asks the row, and never for the name of a type.
A text of a row may hold "{length}", "{precision}" and "{scale}": they are filled from the column's declared type. A
"{column}" in source SQL stays as it is: the query builder fills it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa

from el.types.source_type import SourceType
from el.types.times import TimeParts

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


NUMBERS = frozenset({TypeKind.WHOLE, TypeKind.DECIMAL, TypeKind.FLOAT})
MOMENTS = frozenset({TypeKind.DATE, TypeKind.MOMENT, TypeKind.INSTANT})
# Why a type is no cursor, where its rule says nothing else. A kind that is not among them can be one.
_NO_CURSOR = {
    **dict.fromkeys((TypeKind.BYTES, TypeKind.DOCUMENT, TypeKind.OTHER), "has no order here"),
    TypeKind.BITS: "is a string of bits, and does not grow",
    TypeKind.TIME: "begins anew every day",
    TypeKind.DURATION: "is a length of time, and does not grow",
    TypeKind.BOOL: "has two values, and does not grow",
    TypeKind.UUID: "is drawn, and does not grow",
    TypeKind.VERSION: "passes over rows of open transactions when read so",
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a type travels."""

    # What stands in the landing parquet; a function of the declared type where it depends on its digits.
    arrow: pa.DataType | Callable[[SourceType], pa.DataType]
    snowflake: str  # the raw column's type in Snowflake
    duckdb: str  # the raw column's type in DuckDB
    read_as: str | None = None  # source SQL with "{column}"; None reads the column untouched
    target_snowflake: str | None = None  # what staging casts to in Snowflake; None: the raw column's type
    target_duckdb: str | None = None  # what staging casts to in DuckDB; None: the raw column's type
    loses: str | None = None  # what this way loses, in words; None: nothing
    # The text is put together here from parts; `read_as` then gives the time in microseconds.
    parts: TimeParts | None = None

    def but(self, **changes: Any) -> Way:
        """This way with some of its parts changed."""
        return replace(self, **changes)


T = TypeVar("T")
Fact: TypeAlias = T | Callable[[SourceType], T]
"""A fact of a type, or a function of the declared type where its digits or its name decide."""


@dataclass(frozen=True, slots=True)
class TypeRule:
    """One row of the table. Of the rows that name a type, the first one that applies to it decides."""

    names: tuple[str, ...]  # the base types that it covers
    shown: str  # how docs/types.md calls them
    why: str  # the reason, and the limits, in words
    exact: Way | None  # the way that loses nothing; None: there is none
    lossy: Way | None = None  # the way for a user who asks for `lossy`
    trimmed: Way | None = None  # the way for a user who asks for `trim`
    applies: Callable[[SourceType], bool] = lambda type_: True  # tells rows of one name apart by the declared digits
    # Source SQL that gives a text as UTF-16LE bytes. A driver cannot put half of a surrogate pair into UTF-8 and gives
    # U+FFFD in its place. Whoever sees U+FFFD in what was read asks here whether the source has it too.
    exact_bytes: str | None = None
    # The rest is said of the values: see `TypeFacts`.
    kind: TypeKind = TypeKind.OTHER
    cursor: Fact[bool | str | None] = None  # True: it can be a cursor; a text: why it cannot; None: its kind decides
    precision: Fact[int | None] = None
    scale: Fact[int | None] = None
    least: Fact[str | None] = None
    utf16: bool = False
    zeros: Fact[bool] = False
    single: Fact[bool] = False


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What is known of a declared type's values, whichever database it is of."""

    kind: TypeKind
    no_cursor: str | None  # why a column of it cannot be a cursor; None: it can
    precision: int | None = None  # digits in all: as declared, else what the type has by itself
    scale: int | None = None  # digits behind the point: as declared, else what the type has by itself
    least: str | None = None  # its first moment, in canonical text; None: in the year 1 or before
    utf16: bool = False  # a declared length counts UTF-16 code units, not characters
    zeros: bool = False  # bytes are equal that differ only by zeros at the end
    single: bool = False  # a floating-point number of 32 bits
    sorts: bool = True  # the values that land sort as the database orders them


def decide(rules: Sequence[TypeRule], type_: SourceType) -> TypeRule | None:
    """The row that decides for `type_`, by its name without arguments; None: there is no row."""
    name = type_.name.lower()
    # A connector may leave arguments in the name, as in "enum('a', 'b')"; "integer[]" stays what it is: unknown.
    names = (name, name.split("(")[0].strip() if name.endswith(")") else name)
    return next((r for n in names for r in rules if n in r.names and r.applies(type_)), None)


def facts_of(rules: Sequence[TypeRule], type_: SourceType) -> TypeFacts:
    """What is known of `type_`. A type without a row serves for nothing."""
    rule = decide(rules, type_)
    if rule is None:
        return TypeFacts(TypeKind.OTHER, "is of a type that el does not know")
    said = _known(rule.cursor, type_)
    precision, scale = type_.precision, type_.scale
    if precision is None:
        precision = _known(rule.precision, type_)
        scale = _known(rule.scale, type_) if scale is None else scale
    return TypeFacts(
        kind=rule.kind,
        no_cursor=None if said is True else said or _NO_CURSOR.get(rule.kind),
        precision=precision,
        # decimal(10): digits alone are whole ones.
        scale=0 if scale is None and type_.precision is not None else scale,
        least=_known(rule.least, type_),
        utf16=rule.utf16,
        zeros=_known(rule.zeros, type_),
        single=_known(rule.single, type_),
        # Text is in the order of a collation, and numbers that travel as text are in the order of their digits.
        sorts=rule.kind is not TypeKind.TEXT
        and not (rule.kind in NUMBERS and rule.exact is not None and rule.exact.arrow == TEXT),
    )


def _known(fact: Fact[T], type_: SourceType) -> T:
    return fact(type_) if callable(fact) else fact


_DECLARED = re.compile(r"([a-z][a-z0-9_ ]*?)\s*(?:\(\s*(max|\d+)\s*(?:,\s*(\d+)\s*)?\))?")


def parse_type(rules: Sequence[TypeRule], declared: str) -> SourceType:
    """ "decimal(18,4)", "text(max)", "time(3)" as a type; `ValueError` where it is not of that form.

    The kind of the type tells what a single number means: digits, digits of the second, or a length.
    """
    found = _DECLARED.fullmatch(declared.strip().lower())
    if found is None:
        raise ValueError(f"{declared!r} is not a type such as decimal(18,4) or varchar(20)")
    name, first, second = found[1], found[2], found[3]
    if first is None:
        return SourceType(name)
    if second is not None:
        return SourceType(name, precision=int(first), scale=int(second))
    kind = facts_of(rules, SourceType(name)).kind
    if kind in (TypeKind.TIME, TypeKind.MOMENT, TypeKind.INSTANT) and first != "max":
        return SourceType(name, scale=int(first))
    if kind is TypeKind.DECIMAL and first != "max":
        return SourceType(name, precision=int(first), scale=0)
    return SourceType(name, length=-1 if first == "max" else int(first))


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
    lambda type_: pa.decimal128(type_.precision, type_.scale),
    "NUMBER({precision},{scale})",
    "DECIMAL({precision},{scale})",
)
FLOAT = Way(DOUBLE, "FLOAT", "DOUBLE")
BOOLEAN = Way(pa.bool_(), "BOOLEAN", "BOOLEAN")
DAY = Way(DATE, "DATE", "DATE")
TIME_OF_DAY = Way(TIME, "TIME(6)", "TIME")
WALL_CLOCK = Way(TIMESTAMP, "TIMESTAMP_NTZ(6)", "TIMESTAMP")
POINT_IN_TIME = Way(INSTANT, "TIMESTAMP_TZ(6)", "TIMESTAMP WITH TIME ZONE")
