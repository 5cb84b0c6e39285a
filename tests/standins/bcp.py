"""What SQL Server's bcp and SqlPackage write, by another hand than the readers': value by value, in plain Python.

Layouts: Microsoft Learn, "Use character format", "Use native format", "Specify prefix length in data files by using
bcp", "Non-XML format files"; of values: [MS-TDS], "System Data Type Values". A bacpac's lengths are not documented:
they are those of bcp -N, but for bit, uniqueidentifier and char NOT NULL, as real files have them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of a table. length: -1 for (max)."""

    name: str
    type: str
    nullable: bool = True
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


def character_file(rows: Iterable[Sequence[str | None]], field: str, row: str, encoding: str) -> bytes:
    """A file of `bcp -c` or `-w`: '' is one character NUL, NULL is nothing."""
    lines = (field.join("" if v is None else v or "\0" for v in values) + row for values in rows)
    return "".join(lines).encode(encoding)


_CONTEXT = Context(prec=60)
_INTEGERS = {"bit": "B", "tinyint": "B", "smallint": "<h", "int": "<i", "bigint": "<q"}
_FLOATS = {"real": "<f", "float": "<d"}
TEXTS = ("char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml")


def stored(column: Column, value: Any, encoding: str = "utf-16-le") -> bytes:
    """A value's own bytes. Times of seven digits come as whole 100 ns: (days since 0001, 100 ns of the day, offset)."""
    kind = column.type
    if kind in _INTEGERS:
        return struct.pack(_INTEGERS[kind], value)
    if kind in _FLOATS:
        return struct.pack(_FLOATS[kind], value)
    if kind in TEXTS:
        return value.encode(encoding)
    if kind == "money":
        number = int(value * 10_000)
        return struct.pack("<iI", number >> 32, number & 0xFFFFFFFF)
    if kind == "smallmoney":
        return struct.pack("<i", int(value * 10_000))
    if kind in ("decimal", "numeric"):
        digits = int(abs(value).scaleb(column.scale or 0, context=_CONTEXT))
        return bytes([column.precision or 18, column.scale or 0, 0 if value.is_signed() else 1]) + digits.to_bytes(
            16, "little"
        )
    if kind == "uniqueidentifier":
        return value.bytes_le
    if kind in ("date", "datetime", "smalldatetime", "time", "datetime2", "datetimeoffset"):
        return _time(column, value)
    return bytes(value)


def _time(column: Column, value: Any) -> bytes:
    kind = column.type
    if kind == "date":
        return (value.toordinal() - 1).to_bytes(3, "little")
    if kind == "datetime":
        ticks = round(
            (((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond) * 3 / 10_000
        )
        return struct.pack("<iI", value.toordinal() - date(1900, 1, 1).toordinal(), ticks)
    if kind == "smalldatetime":
        return struct.pack("<HH", value.toordinal() - date(1900, 1, 1).toordinal(), value.hour * 60 + value.minute)
    days, tenths, offset = value
    digits = 7 if column.scale is None else column.scale
    width = 3 if digits <= 2 else 4 if digits <= 4 else 5
    out = (tenths // 10 ** (7 - digits)).to_bytes(width, "little")
    if kind != "time":
        out += days.to_bytes(3, "little")
    return out + (struct.pack("<h", offset) if kind == "datetimeoffset" else b"")
