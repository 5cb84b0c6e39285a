"""Columns of every type that files of SQL Server hold, and values over the whole range of each, with what they read as.

Ranges: Microsoft Learn, "Data types (Transact-SQL)".
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.standins.bcp import Column

_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_DAY = 864_000_000_000
_LAST = date(9999, 12, 31).toordinal() - 1
_KINDS = ("bit", "tinyint", "smallint", "int", "bigint", "real", "float", "money", "smallmoney", "date", "datetime")
_MORE = ("smalldatetime", "uniqueidentifier", "decimal", "numeric", "char", "varchar", "nchar", "nvarchar", "text")
_LAST_KINDS = ("ntext", "image", "xml", "binary", "varbinary", "timestamp")
KINDS = (*_KINDS, *_MORE, *_LAST_KINDS)
_TIMES = ("time", "datetime2", "datetimeoffset")
ALL_KINDS = (*KINDS, *_TIMES)


def columns() -> st.SearchStrategy[Column]:
    """A column of any type."""
    return st.sampled_from(ALL_KINDS).flatmap(column_of)


def column_of(kind: str) -> st.SearchStrategy[Column]:
    """A column of this type, of any length and digits."""
    return st.builds(
        _column,
        st.just(kind),
        st.booleans(),
        st.sampled_from([-1, 12, 40]),
        st.integers(1, 38),
        st.integers(0, 38),
        st.integers(0, 7),
    )


def _column(kind: str, nullable: bool, length: int, precision: int, scale: int, digits: int) -> Column:
    name = f"a {kind}"
    if kind in ("decimal", "numeric"):
        return Column(name, kind, nullable, precision=precision, scale=min(precision, scale))
    if kind in _TIMES:
        return Column(name, kind, nullable, scale=digits)
    if kind in ("char", "nchar", "binary"):
        return Column(name, kind, nullable, length=12)
    if kind in ("varchar", "nvarchar", "varbinary"):
        return Column(name, kind, nullable, length=length)
    return Column(name, kind, nullable)


def values(column: Column) -> st.SearchStrategy[Any]:
    """Values as `stored` writes them."""
    found = _values(column)
    return st.none() | found if column.nullable else found


def _values(column: Column) -> st.SearchStrategy[Any]:
    kind = column.type
    whole = {"bit": (0, 1), "tinyint": (0, 255), "smallint": (-(2**15), 2**15 - 1), "int": (-(2**31), 2**31 - 1)}
    whole |= {"bigint": (-(2**63), 2**63 - 1)}
    if kind in whole:
        return st.integers(*whole[kind])
    if kind in ("money", "smallmoney"):
        most = 2**63 if kind == "money" else 2**31
        return st.integers(-most, most - 1).map(lambda n: Decimal(n).scaleb(-4))
    if kind in ("decimal", "numeric"):
        digits = 10 ** (column.precision or 18) - 1
        return st.integers(-digits, digits).map(
            lambda n: Decimal((n < 0, tuple(map(int, str(abs(n)))), -(column.scale or 0)))
        )
    if kind in ("real", "float"):
        return st.floats(allow_nan=False, allow_infinity=False, width=32 if kind == "real" else 64)
    if kind == "uniqueidentifier":
        return st.uuids()
    if kind in ("char", "nchar"):
        return st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), min_size=12, max_size=12)
    if kind in ("varchar", "nvarchar", "text", "ntext", "xml"):
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=6) if column.length == 12 else _WORDS
    if kind in ("binary", "timestamp"):
        size = 8 if kind == "timestamp" else 12
        return st.binary(min_size=size, max_size=size)
    if kind in ("varbinary", "image"):
        return st.binary(max_size=12)
    return _times(column)


def _times(column: Column) -> st.SearchStrategy[Any]:
    if column.type == "date":
        return st.dates(date(1, 1, 1), date(9999, 12, 31))
    if column.type == "datetime":
        return st.builds(_tick, st.dates(date(1753, 1, 1), date(9999, 12, 31)), st.integers(0, 300 * 86_400 - 1))
    if column.type == "smalldatetime":
        days = st.dates(date(1900, 1, 1), date(2079, 6, 6))
        return st.builds(
            lambda day, m: datetime(day.year, day.month, day.day, m // 60, m % 60), days, st.integers(0, 1439)
        )
    unit = 10 ** (7 - (column.scale or 0))
    tenths = st.integers(0, _DAY // unit - 1).map(lambda n: n * unit)
    if column.type == "datetimeoffset":
        return st.tuples(st.integers(1, _LAST - 1), tenths, st.integers(-840, 840))
    return st.tuples(st.integers(0, _LAST), tenths, st.just(0))


def _tick(day: date, ticks: int) -> datetime:
    # Ticks of 1/300 s, shown with three digits, rounded.
    millis = round(ticks * 10 / 3)
    return datetime(day.year, day.month, day.day) + timedelta(milliseconds=millis)


def read_as(column: Column, value: Any) -> Any:
    """What a value is in Python after it was read."""
    kind = column.type
    if value is None:
        return None
    if kind == "uniqueidentifier":
        return str(value).upper()
    if kind == "bit":
        return bool(value)
    if kind in ("decimal", "numeric") and column.scale == 38:
        return f"{value:f}"
    if kind not in _TIMES:
        return value
    days, tenths, offset = value
    if kind == "datetimeoffset" or column.scale == 7:
        return _text(kind, days, tenths, offset, 7 if column.scale is None else column.scale)
    moment = datetime(1, 1, 1) + timedelta(days=days, microseconds=tenths // 10)
    return moment.time() if kind == "time" else moment


def _text(kind: str, days: int, tenths: int, offset: int, digits: int) -> str:
    moment = datetime(1, 1, 1) + timedelta(days=days, seconds=tenths // 10**7, minutes=offset)
    fraction = f".{tenths % 10**7:07d}"[: digits + 1] if digits else ""
    clock = time(moment.hour, moment.minute, moment.second).isoformat() + fraction
    if kind == "time":
        return clock
    day = f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}"
    zone = (
        f" {'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
        if kind == "datetimeoffset"
        else ""
    )
    return f"{day} {clock}{zone}"
