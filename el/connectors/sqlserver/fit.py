"""Whether the values of a write come out of SQL Server's columns as they went in.

SQL Server rounds, cuts off and replaces without a word when a value is converted: 1.7 becomes 1 in an INT, 0.125
becomes 0.13 in a DECIMAL(9,2), a character that a code page lacks becomes "?" (Microsoft Learn, "CAST and CONVERT",
"Collation and Unicode support"). Values that are too large it refuses by itself.

Guarantee: a batch in which a value would be changed so is a `WriteError`; works on whole Arrow arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.catalog import SourceType, TableName
from el.connectors.sql.write_job import TargetColumn
from el.errors import WriteError

_WHOLE = {"tinyint": pa.uint8(), "smallint": pa.int16(), "int": pa.int32(), "bigint": pa.int64()}
_MONEY = {"money": pa.decimal128(19, 4), "smallmoney": pa.decimal128(10, 4)}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
# datetime has steps of 1/300 s, and shows them as these last digits of a millisecond.
_DATETIME_DIGITS = [0, 3, 7]


@dataclass(frozen=True, slots=True)
class SqlServerColumn(TargetColumn):
    """A column that is written to. code_page: of char and varchar, as Windows numbers it; None: not known."""

    identity: bool = False
    code_page: int | None = None


def refuse_changes(table: TableName, column: SqlServerColumn, data: pa.Array) -> None:
    """Raise `WriteError` if a value of `data`, of a plain type, would be another one in `column`."""
    if column.type.name in ("char", "varchar", "text") and _is_text(data.type):
        _refuse_characters(table, column, data)
    if pa.types.is_timestamp(data.type) and data.type.tz is not None and column.type.name in _NAIVE:
        raise WriteError(f"{table}.{column.name} is {column.type} and the data has a time zone; cast the data")
    if pa.types.is_timestamp(data.type) and data.type.tz is None and column.type.name == "datetimeoffset":
        raise WriteError(f"{table}.{column.name} is {column.type} and the data has no time zone; cast the data")
    try:
        kept = _unchanged(column.type, data)
    except pa.ArrowException as error:
        why = str(error).splitlines()[0]
        raise WriteError(f"{table}.{column.name} is {column.type}, and the data {data.type}: {why}; cast it") from None
    if kept is None:
        return
    changed = pc.and_(pc.invert(pc.fill_null(kept, False)), data.is_valid())
    number = pc.sum(changed).as_py() or 0
    if number:
        first = str(data.filter(changed)[0])[:60]
        raise WriteError(
            f"{table}.{column.name} is {column.type}: {number:,} values of the data would be changed, {first} the "
            "first of them; cast the data"
        )


_NAIVE = ("date", "datetime", "smalldatetime", "datetime2")


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _is_binary(type_: pa.DataType) -> bool:
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_))


def _unchanged(type_: SourceType, data: pa.Array) -> pa.Array | None:
    """Which values stay as they are, as booleans; None where they all do, or where nothing is known of the types."""
    number = pa.types.is_integer(data.type) or pa.types.is_floating(data.type) or pa.types.is_decimal(data.type)
    if _is_text(data.type):
        return _text_unchanged(type_, data)
    if type_.name in ("binary", "varbinary") and type_.length not in (None, -1) and _is_binary(data.type):
        # A shorter value would get zeros behind it, and zeros that are too much are cut off.
        fits = pc.equal if type_.name == "binary" else pc.less_equal
        return fits(pc.binary_length(data), type_.length)
    temporal = pa.types.is_timestamp(data.type) or pa.types.is_time(data.type)
    if number and type_.name == "bit":
        return pc.is_in(data.cast(pa.float64()), pa.array([0.0, 1.0]))
    if number and type_.name in _WHOLE:
        return None if pa.types.is_integer(data.type) else _comes_back(data, lambda x: pc.trunc(x))
    if number and type_.name in ("decimal", "numeric", *_MONEY):
        exact = _MONEY.get(type_.name) or pa.decimal128(type_.precision or 18, type_.scale or 0)
        return _as_decimal(data, exact)
    if number and type_.name in ("real", "float"):
        binary = pa.float32() if type_.name == "real" else pa.float64()
        same = _comes_back(data, lambda x: x.cast(binary, safe=False))
        # SQL Server holds no NaN and no infinity.
        return pc.and_(same, pc.is_finite(data)) if pa.types.is_floating(data.type) else same
    if pa.types.is_floating(data.type) and type_.name in ("char", "varchar", "text", "nchar", "nvarchar", "ntext"):
        # SQL Server writes six digits of a float.
        return pa.array(np.zeros(len(data), bool))
    return _time_unchanged(type_, data) if temporal else None


def _text_unchanged(type_: SourceType, data: pa.Array) -> pa.Array | None:
    """Text of the column's length, or another type's value in a form that says no more than the column holds and means
    the same in every language of a login. CHAR fills up with blanks, which is its own way."""
    name, digits = type_.name, 7 if type_.scale is None else type_.scale
    most = type_.length
    if name in ("char", "varchar", "nchar", "nvarchar") and most is not None and most != -1:
        # UTF-8 has at least as many bytes as there are characters or UTF-16 units: mostly that is all to look at.
        if (pc.max(pc.binary_length(data)).as_py() or 0) <= most:
            return None
        length = pc.utf8_length(data)
        if name.startswith("n"):
            length = pc.add(length, pc.count_substring_regex(data, r"[\x{10000}-\x{10FFFF}]"))
        return pc.less_equal(length, most)
    if name in ("float", "real", "datetime", "smalldatetime"):
        return pa.array(np.zeros(len(data), bool))
    if name in _MONEY or name in ("decimal", "numeric"):
        digits = 4 if name in _MONEY else type_.scale or 0
    fraction = rf"(\.[0-9]{{1,{digits}}})?" if digits else ""
    whole = "-?(0|[1-9][0-9]*)"
    day, time = "[0-9]{4}-[0-9]{2}-[0-9]{2}", f"[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}{fraction}"
    forms = {
        **dict.fromkeys(_WHOLE, whole),
        **dict.fromkeys(("decimal", "numeric", *_MONEY), f"{whole}{fraction}"),
        "bit": "[01]",
        "date": day,
        "time": time,
        "datetime2": f"{day}[T ]{time}",
        # What follows the 36 characters would be cut off.
        "uniqueidentifier": "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
        "datetimeoffset": f"{day}[T ]{time} ?(Z|[+-][0-9]{{2}}:[0-9]{{2}})",
    }
    return pc.match_substring_regex(data, f"^({forms[name]})$") if name in forms else None


def _comes_back(data: pa.Array, convert: Callable[[pa.Array], pa.Array]) -> pa.Array:
    back = convert(data).cast(data.type, safe=False)
    return pc.equal(back, data)


def _as_decimal(data: pa.Array, type_: pa.DataType) -> pa.Array | None:
    """Too many digits before the point are SQL Server's to refuse; here it is about those behind it."""
    if pa.types.is_integer(data.type) or (pa.types.is_decimal(data.type) and data.type.scale <= type_.scale):
        return None
    if pa.types.is_decimal(data.type):
        # Wide enough for the carry: 9.99 rounds to 10.0.
        data = data.cast(pa.decimal256(76, data.type.scale))
    return _comes_back(data, lambda x: pc.round(x, type_.scale))


def _time_unchanged(type_: SourceType, data: pa.Array) -> pa.Array | None:
    if type_.name in (*_NAIVE, "datetimeoffset", "time") and (type_.name == "time") is not pa.types.is_time(data.type):
        # The day would be lost, or made up.
        return pa.array(np.zeros(len(data), bool))
    digits = _DIGITS[data.type.unit]
    counted = data.view(pa.int32() if data.type.bit_width == 32 else pa.int64()).cast(pa.int64())
    if type_.name == "date":
        return _multiple(counted, 86_400 * 10**digits)
    if type_.name == "smalldatetime":
        return _multiple(counted, 60 * 10**digits)
    if type_.name == "datetime":
        if digits < 3:
            return None
        milliseconds = pc.divide(counted, 10 ** (digits - 3))
        last = pc.subtract(milliseconds, pc.multiply(_floor(milliseconds, 10), 10))
        return pc.and_(_multiple(counted, 10 ** (digits - 3)), pc.is_in(last, pa.array(_DATETIME_DIGITS)))
    if type_.name in ("datetime2", "datetimeoffset", "time"):
        held = 7 if type_.scale is None else type_.scale
        return None if digits <= held else _multiple(counted, 10 ** (digits - held))
    return None


def _multiple(counted: pa.Array, step: int) -> pa.Array:
    # Integer division cuts off towards zero, which is as good for the question whether anything is left.
    return pc.equal(pc.multiply(pc.divide(counted, step), step), counted)


def _floor(counted: pa.Array, step: int) -> pa.Array:
    cut = pc.divide(counted, step)
    return pc.if_else(pc.less(pc.subtract(counted, pc.multiply(cut, step)), 0), pc.subtract(cut, 1), cut)


def _refuse_characters(table: TableName, column: SqlServerColumn, data: pa.Array) -> None:
    """Raise `WriteError` for a character that the column's code page lacks. ASCII is in all of them."""
    codec = _codec(column.code_page)
    if codec is None or pc.all(pc.string_is_ascii(data)).as_py() is not False:
        return
    foreign = data.filter(pc.invert(pc.fill_null(pc.string_is_ascii(data), True)))
    # One string for all of them: what is looked for is a character, wherever it is.
    text = pc.binary_join(pa.ListArray.from_arrays([0, len(foreign)], foreign.cast(pa.string())), "\n")[0]
    try:
        text.as_py().encode(codec)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise WriteError(
            f"{table}.{column.name} is {column.type} in code page {column.code_page}, which lacks {character!r} "
            f"(U+{ord(character):04X}); make the column nvarchar, or replace the character"
        ) from None


def _codec(code_page: int | None) -> str | None:
    """Python's name of a Windows code page; None where every character fits (UTF-8), or it is not known."""
    if code_page in (None, 0, 65001):
        return None
    return f"cp{code_page}"
