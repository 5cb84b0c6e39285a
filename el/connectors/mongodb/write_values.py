"""Arrow as BSON, value by value with nothing lost, or an error that names the column.

BSON has no whole number beyond 64 bits, no decimal of more than 34 digits, no moment finer than a millisecond, and no
day, time or duration: a day is its midnight in UTC, the others are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from bson.binary import UUID_SUBTYPE, Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from el.errors import WriteError

_MOST_INT64 = 2**63 - 1
_IS_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_IS_BYTES = (
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
    pa.types.is_fixed_size_binary,
)
_AS_THEY_ARE = (*_IS_TEXT, *_IS_BYTES, pa.types.is_boolean, pa.types.is_null, pa.types.is_floating)
_IN_32_BITS = (pa.types.is_int8, pa.types.is_int16, pa.types.is_int32, pa.types.is_uint8, pa.types.is_uint16)
_IN_64_BITS = (pa.types.is_int64, pa.types.is_uint32, pa.types.is_uint64)


def refuse_type(type_: pa.DataType, name: str) -> None:
    """Raise `WriteError` for a type that BSON has none for."""
    if isinstance(type_, pa.BaseExtensionType):
        refuse_type(type_.storage_type, name)
    elif pa.types.is_dictionary(type_) or _is_list(type_):
        refuse_type(type_.value_type, name)
    elif pa.types.is_struct(type_):
        names = [field.name for field in type_]
        if len(set(names)) != len(names):
            raise WriteError(f"{name}: a struct with a field's name twice is no document")
        for field in type_:
            refuse_type(field.type, f"{name}.{field.name}")
    elif not _is_known(type_):
        raise WriteError(f"{name}: BSON has no type for {type_}: cast it before")


def is_text(type_: pa.DataType) -> bool:
    """Whether its values are text."""
    held = type_.value_type if pa.types.is_dictionary(type_) else type_
    return any(is_(held) for is_ in _IS_TEXT)


def is_bytes(type_: pa.DataType) -> bool:
    """Whether its values are bytes, or all of them NULL."""
    return pa.types.is_null(type_) or any(is_(type_) for is_ in _IS_BYTES)


def _is_known(type_: pa.DataType) -> bool:
    times = (pa.types.is_date, pa.types.is_timestamp)
    return any(is_(type_) for is_ in (*_AS_THEY_ARE, *_IN_32_BITS, *_IN_64_BITS, pa.types.is_decimal, *times))


def _is_list(type_: pa.DataType) -> bool:
    return any(is_(type_) for is_ in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def values_of(array: pa.Array, name: str) -> list[Any]:
    """The values as the driver takes them. Raises `WriteError` for one that BSON does not hold."""
    type_ = array.type
    if isinstance(type_, pa.BaseExtensionType):
        found = values_of(array.storage, name)
        is_uuid = type_.extension_name == "arrow.uuid"
        return [Binary(each, UUID_SUBTYPE) if each is not None else None for each in found] if is_uuid else found
    if pa.types.is_dictionary(type_):
        return values_of(array.dictionary.take(array.indices), name)
    if _is_list(type_):
        return _lists(array, name)
    if pa.types.is_struct(type_):
        return _documents(array, name)
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return _each(_milliseconds(array, name), DatetimeMS)
    if pa.types.is_decimal(type_):
        return _each(array.to_pylist(), lambda value: _decimal(value, name))
    if any(is_(type_) for is_ in _IN_64_BITS):
        most = pc.max(array).as_py()
        if most is not None and most > _MOST_INT64:
            raise WriteError(f"{name}: {most} is beyond the whole numbers of 64 bits that BSON has")
        return _each(array.to_pylist(), Int64)
    same: list[Any] = array.to_pylist()
    return same


def _each(values: list[Any], make: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else make(value) for value in values]


def _milliseconds(array: pa.Array, name: str) -> list[int | None]:
    moments = array.cast(pa.timestamp("s")) if pa.types.is_date32(array.type) else array
    try:
        exact = moments.cast(pa.timestamp("ms", getattr(moments.type, "tz", None)))
        found: list[int | None] = exact.cast(pa.int64()).to_pylist()
    except pa.ArrowInvalid:
        raise WriteError(f"{name}: a moment has more digits than the milliseconds that BSON has") from None
    return found


def _decimal(value: Any, name: str) -> Decimal128:
    try:
        return Decimal128(value)
    except ArithmeticError:
        raise WriteError(f"{name}: {value} has more than the 34 digits that BSON's decimal has") from None


def _lists(array: pa.Array, name: str) -> list[Any]:
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    inner = values_of(array.flatten(), name)
    sizes = pc.list_value_length(array).to_pylist()
    at, found = 0, []
    for size in sizes:
        found.append(None if size is None else inner[at : at + size])
        at += size or 0
    return found


def _documents(array: pa.Array, name: str) -> list[Any]:
    columns = [values_of(each, f"{name}.{field.name}") for field, each in zip(array.type, array.flatten(), strict=True)]
    names = [field.name for field in array.type]
    valid = array.is_valid().to_pylist()
    rows: Iterator[tuple[Any, ...]] = zip(*columns, strict=True) if columns else iter([()] * len(array))
    return [dict(zip(names, row, strict=True)) if there else None for there, row in zip(valid, rows, strict=True)]
