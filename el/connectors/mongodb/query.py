"""Conditions as MongoDB is asked them: comparisons within one type, and what stands outside of it as well.

MongoDB, "Comparison Query Operators", "Type Bracketing": `$gt` with a date matches dates alone, NaN is neither above
nor below a number, and of an array one element is enough. So "has no value" is here: nothing comparable stands there.
A document with another type in the field is read with those that have none, and is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import bson
import numpy as np
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument

from el.connectors.catalog import Column, SourceType
from el.connectors.documents.text import steps_of
from el.connectors.mongodb.extended import bytes_of, double, text_of
from el.connectors.mongodb.tables import ID
from el.connectors.mongodb.types import KEY, RULES
from el.connectors.request import Condition, Op, ReadRequest, Value
from el.errors import ReadError
from el.types.rule import NUMBERS, TypeKind, facts_of

Filter = dict[str, Any]
_OPERATORS = {Op.LT: "$lt", Op.LE: "$lte", Op.GT: "$gt", Op.GE: "$gte"}
_CLASSES = {TypeKind.INSTANT: "date", TypeKind.TEXT: "string", TypeKind.BOOL: "bool"}
# The digits of a Decimal128.
_DIGITS = Context(prec=34, rounding=ROUND_HALF_EVEN)
# Types by which keys are compared among themselves, each by its number in BSON.
_BRACKETS = {
    0x01: "number",
    0x02: "string",
    0x03: "object",
    0x05: "binData",
    0x07: "objectId",
    0x08: "bool",
    0x09: "date",
    0x0E: "string",
    0x10: "number",
    0x11: "timestamp",
    0x12: "number",
    0x13: "number",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of a column stand in a document, and of which class of types those are that compare."""

    path: str
    kind: TypeKind  # OTHER: the key, of whatever type

    def comparable(self, key_class: str | None = None) -> Filter:
        """Documents with a value that compares. key_class: of keys, those of this class alone."""
        return {"$and": [{self.path: {"$type": self._classes(key_class)}}, {"$nor": self._odd()}]}

    def incomparable(self, key_class: str | None = None) -> Filter:
        """All the others."""
        return {"$or": [{self.path: {"$not": {"$type": self._classes(key_class)}}}, *self._odd()]}

    def _classes(self, key_class: str | None) -> list[str]:
        if self.kind is not TypeKind.OTHER:
            return ["number" if self.kind in NUMBERS else _CLASSES[self.kind]]
        return [key_class] if key_class else sorted(set(_BRACKETS.values()))

    def _odd(self) -> list[Filter]:
        """Of this class, and yet without a place in its order."""
        steps = self.path.split(".")
        above = [{".".join(steps[: number + 1]): {"$type": "array"}} for number in range(len(steps))]
        return above + ([{self.path: float("nan")}] if self.kind in NUMBERS or self.kind is TypeKind.OTHER else [])


def place_of(request: ReadRequest, column: str, type_: SourceType) -> Place:
    """Where a column stands. Raises `ReadError` for one that MongoDB cannot compare."""
    if column == ID:
        return Place(ID, TypeKind.OTHER)
    found = _field(request, column)
    if found is None or found.path is None or not can_compare(found):
        raise ReadError(f"{request.table}: MongoDB cannot compare {column} as {type_}")
    return Place(".".join(steps_of(found.path)), facts_of(RULES, found.type).kind)


def _field(request: ReadRequest, column: str) -> Column | None:
    return next((field for field in request.fields if field.name == column), None)


def can_compare(column: Column) -> bool:
    """Whether values of this column have an order on the server that is that of their type here."""
    if column.name == ID and column.path is None:
        return True
    if column.path is None:
        return False
    steps = steps_of(column.path)
    # A name with a dot or a dollar in it cannot stand in a path of the server's.
    plain = not any("." in step or step.startswith("$") or step == "*" for step in steps)
    kind = facts_of(RULES, column.type).kind
    return plain and (kind in NUMBERS or kind in _CLASSES)


def filter_of(request: ReadRequest) -> Filter:
    """What `find` is told of a read's conditions."""
    return all_of([_condition(request, each) for each in request.where])


def filters_of(request: ReadRequest) -> tuple[tuple[Filter, bool], ...]:
    """The finds of a read, and whether what each gives has left el.yml's filters."""
    mine = filter_of(request)
    if not request.kept:
        return ((mine, False),)
    kept = all_of([_condition(request, each) for each in request.kept])
    return (all_of([mine, kept]), False), (all_of([mine, {"$nor": [kept]}]), True)


def all_of(found: Sequence[Filter]) -> Filter:
    some = [each for each in found if each]
    return {} if not some else some[0] if len(some) == 1 else {"$and": some}


def _condition(request: ReadRequest, condition: Condition) -> Filter:
    value = condition.value
    if value is None:
        found = _presence(request, condition)
    else:
        place = place_of(request, condition.column, value.type)
        found = compared(place, condition.op, value)
        if condition.or_null:
            found = {"$or": [found, place.incomparable(key_class(value))]}
    return found


def _presence(request: ReadRequest, condition: Condition) -> Filter:
    if condition.op not in (Op.IS_NULL, Op.NOT_NULL):
        raise ReadError(f"{request.table}: MongoDB cannot be asked for {condition}")
    if condition.column == ID:
        return {ID: {"$exists": condition.op is Op.NOT_NULL}}
    field = _field(request, condition.column)
    if field is None:
        raise ReadError(f"{request.table}: MongoDB cannot be asked for {condition}")
    place = place_of(request, field.name, field.type)
    return place.incomparable() if condition.op is Op.IS_NULL else place.comparable()


def compared(place: Place, op: Op, value: Value) -> Filter:
    """Documents whose value compares so."""
    forms = bson_forms(place, value)
    if op is Op.EQ:
        return {place.path: {"$in": list(forms)}}
    if op is Op.NE:
        return all_of([place.comparable(key_class(value)), {place.path: {"$nin": list(forms)}}])
    found: list[Filter] = [{place.path: {_OPERATORS[op]: form}} for form in forms]
    # A number may stand there as the float that is nearest to it: none of both may be passed over.
    return found[0] if len(found) == 1 else {"$or": found}


def beyond(place: Place, value: Value) -> Filter:
    """Documents whose value is past this one for certain."""
    return all_of([{place.path: {"$gt": form}} for form in bson_forms(place, value)])


def key_class(value: Value) -> str | None:
    """Among which keys one of this text has its order; None of a field."""
    if value.type.name != KEY:
        return None
    data = bytes_of(f'{{"_id":{value.text}}}')
    return _BRACKETS.get(data[4])


def bson_forms(place: Place, value: Value) -> tuple[Any, ...]:
    """A value as the server compares it: of a number as decimal and as float, where these two differ."""
    text = value.text
    if place.kind is TypeKind.OTHER:
        return (bson.decode(bytes_of(f'{{"_id":{text}}}'), _RAW)["_id"],)
    if place.kind is TypeKind.TEXT:
        return (text,)
    if place.kind is TypeKind.BOOL:
        return (text.lower() in ("true", "1"),)
    if place.kind is TypeKind.INSTANT:
        return (DatetimeMS(int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))),)
    if text.lower() in ("nan", "inf", "-inf"):
        return (float(text),)
    exact, near = Decimal(text), float(text)
    if exact == Decimal(near):
        return (near,) if exact != exact.to_integral_value() or abs(exact) >= 2**63 else (bson.Int64(int(exact)),)
    if exact == exact.to_integral_value() and abs(exact) < 2**63:
        return (bson.Int64(int(exact)),)
    return (Decimal128(_DIGITS.plus(exact)), near)


def canonical(place: Place, data: bytes) -> str | None:
    """The text of the value that a document has there."""
    if place.kind is TypeKind.OTHER:
        return text_of(data).key
    found: Any = bson.decode(data, _KEEPING)
    for step in place.path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    if found is None:
        return None
    if isinstance(found, DatetimeMS):
        return f"{np.datetime64(int(found), 'ms').astype('datetime64[us]')}Z"
    if isinstance(found, Decimal128):
        return f"{found.to_decimal():f}"
    if isinstance(found, float):
        whole = found == found and abs(found) != float("inf") and place.kind is not TypeKind.FLOAT
        return f"{Decimal(repr(found)):f}" if whole else double(found).replace("Infinity", "inf").replace("NaN", "nan")
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found)


_KEEPING: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
# An object as a key is kept as its bytes.
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS)
