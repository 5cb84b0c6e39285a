"""Arrow as DynamoDB JSON, value by value with nothing lost, or an error that names the column.

A number has 38 digits at most and lies between 1E-130 and 9.99E+125; a float is taken where those digits give the same
float again. There is no day, time or duration: they are refused, as a text of ISO 8601 they can be written.
DynamoDB Developer Guide, "Naming rules and data types"; "Constraints".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Context, Inexact, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.dynamodb import items
from el.errors import WriteError

_IS_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_IS_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
_IS_LIST = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_IS_NUMBER = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_floating)
_DIGITS = Context(prec=38, traps=[Inexact, InvalidOperation])
_SMALLEST, _LARGEST = -130, 125  # exponents of the first digit
NULL: dict[str, Any] = {"NULL": True}


def is_text(type_: pa.DataType) -> bool:
    """Whether its values are text."""
    held = type_.value_type if pa.types.is_dictionary(type_) else type_
    return any(is_(held) for is_ in _IS_TEXT)


def refuse_type(type_: pa.DataType, name: str) -> None:
    """Raise `WriteError` for a type that DynamoDB has none for."""
    if isinstance(type_, pa.BaseExtensionType):
        refuse_type(type_.storage_type, name)
    elif pa.types.is_dictionary(type_) or any(is_(type_) for is_ in _IS_LIST):
        refuse_type(type_.value_type, name)
    elif pa.types.is_struct(type_):
        names = [field.name for field in type_]
        if len(set(names)) != len(names):
            raise WriteError(f"{name}: a struct with a field's name twice is no map")
        for field in type_:
            refuse_type(field.type, f"{name}.{field.name}")
    elif not any(is_(type_) for is_ in (*_IS_TEXT, *_IS_BYTES, *_IS_NUMBER, pa.types.is_boolean, pa.types.is_null)):
        raise WriteError(f"{name}: DynamoDB has no type for {type_}: cast it before")


def values_of(array: pa.Array, name: str) -> list[dict[str, Any]]:
    """The values as the service takes them. Raises `WriteError` for one that it does not hold."""
    type_ = array.type
    if isinstance(type_, pa.BaseExtensionType):
        return values_of(array.storage, name)
    if pa.types.is_dictionary(type_):
        return values_of(array.dictionary.take(array.indices), name)
    if any(is_(type_) for is_ in _IS_LIST):
        return _lists(array, name)
    if pa.types.is_struct(type_):
        return _maps(array, name)
    if any(is_(type_) for is_ in _IS_NUMBER):
        return _each(array, lambda value: {"N": number(value, name)})
    if pa.types.is_boolean(type_):
        return _each(array, lambda value: {"BOOL": value})
    if any(is_(type_) for is_ in _IS_BYTES):
        return _each(array, lambda value: {"B": value})
    return _each(array, lambda value: {"S": value})


def number(value: Any, name: str) -> str:
    """A number in the digits that the service keeps it in. Raises `WriteError`."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise WriteError(f"{name}: DynamoDB has no {value}")
        # The shortest digits that give the same float again.
        value = repr(value)
    try:
        found = _DIGITS.create_decimal(value)
    except (Inexact, InvalidOperation):
        raise WriteError(f"{name}: {value} is no number of at most 38 digits") from None
    if not found.is_finite() or (found and not _SMALLEST <= found.adjusted() <= _LARGEST):
        raise WriteError(f"{name}: {value} is beyond what a number of DynamoDB's holds (1E-130 to 9.99E+125)")
    return items.number(str(found))


def _each(array: pa.Array, make: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return [NULL if value is None else make(value) for value in array.to_pylist()]


def _lists(array: pa.Array, name: str) -> list[dict[str, Any]]:
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    inner = values_of(array.flatten(), name)
    at, found = 0, []
    for size in pc.list_value_length(array).to_pylist():
        found.append(NULL if size is None else {"L": inner[at : at + size]})
        at += size or 0
    return found


def _maps(array: pa.Array, name: str) -> list[dict[str, Any]]:
    columns = [values_of(each, f"{name}.{field.name}") for field, each in zip(array.type, array.flatten(), strict=True)]
    names = [field.name for field in array.type]
    valid = array.is_valid().to_pylist()
    rows: Iterator[tuple[Any, ...]] = zip(*columns, strict=True) if columns else iter([()] * len(array))
    return [
        {"M": dict(zip(names, row, strict=True))} if there else NULL for there, row in zip(valid, rows, strict=True)
    ]
