"""SQL Server's types as they are stored in files: what each becomes in Arrow, the same as from the live table.

Nothing of the connector is used: a test holds these types against its rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa

from el.dumps.formats import cell_text, cell_values
from el.dumps.formats.cells import Cells, Decoder
from el.types.rule import BINARY, DATE, DOUBLE, TEXT, TIME, TIMESTAMP
from el.types.source_type import SourceType

# A value of a (max) column has at most so many bytes.
MAX_BYTES = (1 << 31) - 1
TEXTS_16 = ("nchar", "nvarchar", "ntext", "xml")
TEXTS_8 = ("char", "varchar", "text")
BINARIES = ("binary", "varbinary", "image")
VERSIONS = ("rowversion", "timestamp")
DECIMALS = ("decimal", "numeric")
TIMES = ("time", "datetime2", "datetimeoffset")


@dataclass(frozen=True, slots=True)
class Stored:
    """How values of a type are read. width: of each value in bytes; None where it varies."""

    arrow: pa.DataType
    decode: Decoder
    width: int | None


def _bytes(cells: Cells) -> pa.Array:
    return cells.bytes()


_PLAIN: dict[str, Stored] = {
    "bit": Stored(pa.bool_(), cell_values.boolean, 1),
    "tinyint": Stored(pa.int16(), cell_values.whole("<u1", "<i2", pa.int16()), 1),
    "smallint": Stored(pa.int16(), cell_values.whole("<i2", "<i2", pa.int16()), 2),
    "int": Stored(pa.int32(), cell_values.whole("<i4", "<i4", pa.int32()), 4),
    "bigint": Stored(pa.int64(), cell_values.whole("<i8", "<i8", pa.int64()), 8),
    "real": Stored(DOUBLE, cell_values.floating("<f4"), 4),
    "float": Stored(DOUBLE, cell_values.floating("<f8"), 8),
    "money": Stored(pa.decimal128(19, 4), cell_values.money, 8),
    "smallmoney": Stored(pa.decimal128(10, 4), cell_values.small_money, 4),
    "date": Stored(DATE, cell_values.day, 3),
    "datetime": Stored(TIMESTAMP, cell_values.date_time, 8),
    "smalldatetime": Stored(TIMESTAMP, cell_values.small_date_time, 4),
    "uniqueidentifier": Stored(TEXT, cell_text.identifier, 16),
    **dict.fromkeys(VERSIONS, Stored(BINARY, _bytes, 8)),
    **dict.fromkeys(BINARIES, Stored(BINARY, _bytes, None)),
    **dict.fromkeys(TEXTS_16, Stored(TEXT, cell_text.utf16, None)),
}
_WITH_DIGITS: dict[str, Callable[[int], Decoder]] = {
    "time": cell_values.time_of_day,
    "datetime2": cell_values.date_time_2,
    "datetimeoffset": cell_values.date_time_offset,
}


def stored(declared: SourceType, encoding: str | None = None) -> Stored | None:
    """How a type is read; None for one that is not. encoding: of text that is not UTF-16, of `encoding_name`."""
    name = declared.name
    if name in TEXTS_8:
        return Stored(TEXT, cell_text.utf16 if encoding is None else cell_text.code_page(encoding), None)
    if name in DECIMALS:
        precision, scale = declared.precision or 18, declared.scale or 0
        arrow = TEXT if scale == 38 else pa.decimal128(precision, scale)
        return Stored(arrow, cell_values.decimal(precision, scale), 19)
    if name in _WITH_DIGITS:
        return _time(name, 7 if declared.scale is None else declared.scale)
    if name == "float" and declared.precision is not None and declared.precision <= 24:
        name = "real"
    found = _PLAIN.get(name)
    # Of one width: nothing is filled up.
    return replace(found, width=declared.length) if found and name == "binary" and declared.length else found


def _time(name: str, digits: int) -> Stored:
    width = cell_values.time_bytes(digits) + {"time": 0, "datetime2": 3, "datetimeoffset": 5}[name]
    exact = {"time": TIME, "datetime2": TIMESTAMP, "datetimeoffset": TEXT}[name]
    return Stored(TEXT if digits == 7 else exact, _WITH_DIGITS[name](digits), width)


def most_bytes(declared: SourceType, per_character: int) -> int:
    """How long a value of varying width may be. per_character: bytes of one of its characters."""
    if declared.length is None or declared.length == -1:
        return MAX_BYTES
    return declared.length * (1 if declared.name in (*BINARIES, *VERSIONS) else per_character)
