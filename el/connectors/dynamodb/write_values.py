"""Arrow as DynamoDB JSON, value by value with nothing lost, or an error that names the column.

A number has 38 digits at most and lies between 1E-130 and 9.99E+125; a float is taken where those digits give the same
float again. There is no day, time or duration: they are refused, as a text of ISO 8601 they can be written.
DynamoDB Developer Guide, "Naming rules and data types"; "Constraints".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Inexact, InvalidOperation
from typing import Any

import pyarrow as pa

from el.connectors.documents.arrow_values import IS_BYTES, IS_TEXT, ArrowValues
from el.connectors.dynamodb import items
from el.errors import WriteError

_IS_NUMBER = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_floating)
_DIGITS = Context(prec=38, traps=[Inexact, InvalidOperation])
_SMALLEST, _LARGEST = -130, 125  # exponents of the first digit
NULL: dict[str, Any] = {"NULL": True}


class DynamoDbValues(ArrowValues):
    """The service's values: each stands under the name of its type."""

    types = "DynamoDB"
    struct = "map"
    null = NULL

    def knows(self, type_: pa.DataType) -> bool:
        known = (*IS_TEXT, *IS_BYTES, *_IS_NUMBER, pa.types.is_boolean, pa.types.is_null)
        return any(is_(type_) for is_ in known)

    def plain(self, array: pa.Array, name: str) -> list[dict[str, Any]]:
        type_ = array.type
        if any(is_(type_) for is_ in _IS_NUMBER):
            return _each(array, lambda value: {"N": number(value, name)})
        if pa.types.is_boolean(type_):
            return _each(array, lambda value: {"BOOL": value})
        if any(is_(type_) for is_ in IS_BYTES):
            return _each(array, lambda value: {"B": value})
        return _each(array, lambda value: {"S": value})

    def listed(self, values: list[Any]) -> dict[str, Any]:
        return {"L": values}

    def mapped(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {"M": fields}


VALUES = DynamoDbValues()


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
