"""Arrow as BSON, value by value with nothing lost, or an error that names the column.

BSON has no whole number beyond 64 bits, no decimal of more than 34 digits, no moment finer than a millisecond, and no
day, time or duration: a day is its midnight in UTC, the others are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from bson.binary import UUID_SUBTYPE, Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from el.connectors.documents.arrow_values import IS_BYTES, IS_TEXT, ArrowValues
from el.errors import WriteError

_MOST_INT64 = 2**63 - 1
_AS_THEY_ARE = (*IS_TEXT, *IS_BYTES, pa.types.is_boolean, pa.types.is_null, pa.types.is_floating)
_IN_32_BITS = (pa.types.is_int8, pa.types.is_int16, pa.types.is_int32, pa.types.is_uint8, pa.types.is_uint16)
_IN_64_BITS = (pa.types.is_int64, pa.types.is_uint32, pa.types.is_uint64)


def is_bytes(type_: pa.DataType) -> bool:
    """Whether its values are bytes, or all of them NULL."""
    return pa.types.is_null(type_) or any(is_(type_) for is_ in IS_BYTES)


class BsonValues(ArrowValues):
    """BSON's values, as the driver has them."""

    types = "BSON"
    struct = "document"

    def knows(self, type_: pa.DataType) -> bool:
        times = (pa.types.is_date, pa.types.is_timestamp)
        return any(is_(type_) for is_ in (*_AS_THEY_ARE, *_IN_32_BITS, *_IN_64_BITS, pa.types.is_decimal, *times))

    def extended(self, array: pa.Array, name: str) -> list[Any]:
        found = self.of(array.storage, name)
        is_uuid = array.type.extension_name == "arrow.uuid"
        return [Binary(each, UUID_SUBTYPE) if each is not None else None for each in found] if is_uuid else found

    def plain(self, array: pa.Array, name: str) -> list[Any]:
        type_ = array.type
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


VALUES = BsonValues()


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
