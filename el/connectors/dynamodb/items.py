"""Items as canonical DynamoDB JSON: {"id":{"S":"7"},"total":{"N":"1.50"}}, one text for one item.

Attributes stand in the order of their names, the members of a set in that of their texts, since DynamoDB keeps neither.
A number is the digits without trailing zeros or an exponent: so a scan, a stream and an export give one text.
No number is ever a Python number: in the service's JSON all of them are text already.
"""

from __future__ import annotations

import base64
import re
from decimal import Decimal
from typing import Any

import orjson

Item = dict[str, Any]

_PLAIN = re.compile(r"0|-?(?:[1-9]\d*|(?:0|[1-9]\d*)\.\d*[1-9])", re.ASCII)
# Where a page of JSON may hold what is not canonical yet. A quotation mark within a text has a backslash in front.
_ODD = re.compile(rb'"[SNB]S"\s*:|"N"\s*:\s*"(?:[^"]*[eE+]|0\d|-0|[^".]*\.[^"]*0")')


def parsed(body: bytes) -> Any:
    """A body of the service's as Python values: text, lists, objects; no number of an item is among them."""
    return orjson.loads(body)


def is_canonical(body: bytes) -> bool:
    """Whether the items of this body differ from their canonical text in the order of names alone."""
    return _ODD.search(body) is None


def text_of(item: Item, *, canonical: bool = False) -> bytes:
    """The canonical text of an item, as the service's JSON or boto3 has it (bytes, or base64). canonical: but for the
    order of names it is so already."""
    return orjson.dumps(item if canonical else _fields(item), default=_base64, option=orjson.OPT_SORT_KEYS)


def number(text: str) -> str:
    """A number in its one text."""
    if _PLAIN.fullmatch(text):
        return text
    found = f"{Decimal(text):f}"
    if "." in found:
        found = found.rstrip("0").rstrip(".")
    return "0" if found in ("-0", "") else found


def key_value(value: dict[str, Any]) -> str | bytes:
    """A key's attribute as its column has it."""
    ((kind, inside),) = value.items()
    if kind == "N":
        return number(inside)
    if kind == "B":
        return inside if isinstance(inside, bytes) else base64.b64decode(inside)
    return str(inside)


def as_asked(key: Item) -> Item:
    """A key out of the service's JSON, as boto3 sends one."""
    return {
        name: {"B": base64.b64decode(inside)} if kind == "B" else value
        for name, value in key.items()
        for kind, inside in value.items()
    }


def _fields(item: Item) -> Item:
    return {name: _value(value) for name, value in item.items()}


def _value(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, inside),) = value.items()
    if kind == "N":
        return {kind: number(inside)}
    if kind == "M":
        return {kind: _fields(inside)}
    if kind == "L":
        return {kind: [_value(each) for each in inside]}
    if kind == "NS":
        return {kind: sorted(number(each) for each in inside)}
    if kind in ("SS", "BS"):
        return {kind: sorted(each if isinstance(each, str) else _base64(each) for each in inside)}
    return value


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode("ascii")
