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
        return bytes(value.encode(encoding))
    if kind == "money":
        number = int(value * 10_000)
        return struct.pack("<iI", number >> 32, number & 0xFFFFFFFF)
    if kind == "smallmoney":
        return struct.pack("<i", int(value * 10_000))
    if kind in ("decimal", "numeric"):
        digits = int(value.copy_abs().scaleb(column.scale or 0, context=_CONTEXT))
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


_HOST = {
    "bit": ("SQLBIT", 1),
    "tinyint": ("SQLTINYINT", 1),
    "smallint": ("SQLSMALLINT", 2),
    "int": ("SQLINT", 4),
    "bigint": ("SQLBIGINT", 8),
    "real": ("SQLFLT4", 4),
    "float": ("SQLFLT8", 8),
    "money": ("SQLMONEY", 8),
    "smallmoney": ("SQLMONEY4", 4),
    "decimal": ("SQLDECIMAL", 19),
    "numeric": ("SQLNUMERIC", 19),
    "date": ("SQLDATE", 3),
    "datetime": ("SQLDATETIME", 8),
    "smalldatetime": ("SQLDATETIM4", 4),
    "time": ("SQLTIME", 5),
    "datetime2": ("SQLDATETIME2", 8),
    "datetimeoffset": ("SQLDATETIMEOFFSET", 10),
    "uniqueidentifier": ("SQLUNIQUEID", 16),
}
_BARE = ("tinyint", "smallint", "int", "bigint", "real", "float", "money", "smallmoney", "date", "datetime", "bit")


def native_prefix(column: Column) -> int:
    """The bytes of a field's length in a file of `bcp -n` or `-N`."""
    kind = column.type
    if kind in ("xml",) or column.length == -1:
        return 8
    if kind in ("text", "ntext", "image"):
        return 4
    if kind in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
        return 2
    bare = (*_BARE, "smalldatetime", "time", "datetime2", "datetimeoffset")
    return 0 if kind in bare and not column.nullable else 1


def native_file(columns: Sequence[Column], rows: Iterable[Sequence[Any]], code_page: str | None = None) -> bytes:
    """A file of `bcp -N`; with a code page, of `bcp -n`."""
    return b"".join(_native(c, v, code_page) for row in rows for c, v in zip(columns, row, strict=True))


def _narrow(column: Column, code_page: str | None) -> bool:
    return code_page is not None and column.type in ("char", "varchar", "text")


def _native(column: Column, value: Any, code_page: str | None) -> bytes:
    prefix = native_prefix(column)
    if value is None:
        return b"\xff" * prefix
    data = stored(column, value, code_page if code_page and _narrow(column, code_page) else "utf-16-le")
    return len(data).to_bytes(prefix, "little") + data if prefix else data


def _field_type(column: Column, code_page: str | None) -> tuple[str, int]:
    if column.type in ("time", "datetime2", "datetimeoffset"):
        return _HOST[column.type][0], len(stored(column, (0, 0, 0)))
    if column.type in _HOST:
        return _HOST[column.type]
    if column.type in TEXTS:
        kind = "SQLCHAR" if _narrow(column, code_page) else "SQLNCHAR"
        return kind, 0 if column.length in (None, -1) else 2 * (column.length or 0)
    return "SQLBINARY", 8 if column.type == "timestamp" else 0 if column.length in (None, -1) else column.length or 0


def format_file(columns: Sequence[Column], code_page: str | None = None) -> str:
    """The format file that `bcp format nul -n -f` makes."""
    lines = ["14.0", str(len(columns))]
    for number, column in enumerate(columns, 1):
        kind, length = _field_type(column, code_page)
        name = f'"{column.name}"' if " " in column.name else column.name
        lines.append(f'{number}       {kind:19} {native_prefix(column)}       {length:<7} ""   {number}     {name} ""')
    return "\r\n".join(lines) + "\r\n"


def xml_format_file(columns: Sequence[Column]) -> str:
    """The same as XML: `bcp format nul -x -N -f`, with the digits of each type."""
    fields, targets = [], []
    for number, column in enumerate(columns, 1):
        kind, length = _field_type(column, None)
        prefix = native_prefix(column)
        native = "Native" if kind != "SQLNCHAR" else "NChar"
        how = f'{native}Prefix" PREFIX_LENGTH="{prefix}"' if prefix else f'{native}Fixed" LENGTH="{length}"'
        most = f' MAX_LENGTH="{length}"' if prefix and length and column.type not in _HOST else ""
        fields.append(f'  <FIELD ID="{number}" xsi:type="{how}{most}/>')
        digits = {"PRECISION": column.precision, "SCALE": column.scale}
        said = "".join(f' {word}="{value}"' for word, value in digits.items() if value is not None)
        targets.append(f'  <COLUMN SOURCE="{number}" NAME="{column.name}" xsi:type="{kind}"{said}/>')
    space = 'xmlns="http://schemas.microsoft.com/sqlserver/2004/bulkload/format"'
    instance = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    body = "\n".join([" <RECORD>", *fields, " </RECORD>", " <ROW>", *targets, " </ROW>"])
    return f'<?xml version="1.0"?>\n<BCPFORMAT {space} {instance}>\n{body}\n</BCPFORMAT>\n'
