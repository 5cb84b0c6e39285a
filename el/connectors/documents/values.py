"""One JSON value as the type that el.yml gives its field: it fits with all its digits, or it is a misfit.

For the values that Arrow's reader does not take, or would take otherwise than they stand there.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation, Overflow
from typing import Any

import pyarrow as pa

from el.connectors.documents.text import Misplaced

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
# As Extended JSON writes them.
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_KINDS = {"{": "an object", "[": "an array", '"': "a text", "t": "true", "f": "false"}
DAY = r"\d{4}-\d\d-\d\d"
MOMENT = rf"{DAY}[T ]\d\d:\d\d:\d\d(\.\d{{1,6}})?"
ZONE = r"(Z|[+-]\d\d:?\d\d)"
# All digits of 256 bits, and no rounding to fewer.
_EXACT = Context(prec=80, Emax=10**6, Emin=-(10**6))


def value_of(token: str, type_: pa.DataType) -> Any:
    """The Python value of a JSON text; raises `Misplaced` where it does not fit."""
    text = json.loads(token) if token.startswith('"') else None
    if pa.types.is_string(type_):
        return _text(token, text)
    if pa.types.is_binary(type_):
        return _bytes(token, text)
    if pa.types.is_boolean(type_):
        return _one_of(token if text is None else text, {"true": True, "false": False}, token, type_)
    if pa.types.is_floating(type_):
        if (token if text is None else text) in _NOT_FINITE:
            return float(token if text is None else text)
        number = float(_number(token, text, type_))
        if number in (float("inf"), float("-inf")):
            raise Misplaced("a number that is too large for double")
        return number
    if pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        return _digits(_number(token, text, type_), type_)
    if text is None:
        raise _misfit(token, type_)
    return _time(text, type_)


def _text(token: str, text: str | None) -> str:
    if text is None and token[0] in "{[":
        raise _misfit(token, pa.string())
    found = token if text is None else text
    try:
        found.encode("utf-8")
    except UnicodeEncodeError:
        raise Misplaced("a text with half of a surrogate pair") from None
    return found


def _bytes(token: str, text: str | None) -> bytes:
    if text is not None:
        return _text(token, text).encode("utf-8")
    found = json.loads(token) if token.startswith("{") else None
    inside = found.get("$binary") if isinstance(found, dict) else None
    if not isinstance(inside, dict) or not isinstance(inside.get("base64"), str):
        raise _misfit(token, pa.binary())
    try:
        return base64.b64decode(inside["base64"], validate=True)
    except ValueError:
        raise Misplaced("a text that is no base64") from None


def _number(token: str, text: str | None, type_: pa.DataType) -> str:
    found = token if text is None else text
    if _NUMBER.fullmatch(found) is None:
        raise _misfit(token, type_)
    return found


def _digits(number: str, type_: pa.DataType) -> int | Decimal:
    whole = pa.types.is_integer(type_)
    precision, scale = (19, 0) if whole else (type_.precision, type_.scale)
    found = Decimal(number)
    if found and (found.adjusted() >= precision - scale or found.adjusted() < -scale):
        raise Misplaced(f"a number that {type_} does not hold")
    try:
        exact = found.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
    except (InvalidOperation, Overflow):
        raise Misplaced(f"a number that {type_} does not hold") from None
    if exact != found or (whole and not -(2**63) <= exact < 2**63):
        raise Misplaced(f"a number that {type_} does not hold")
    return int(exact) if whole else exact


def _time(text: str, type_: pa.DataType) -> date | datetime:
    zoned = pa.types.is_timestamp(type_) and type_.tz is not None
    form = DAY if pa.types.is_date(type_) else MOMENT + ZONE if zoned else MOMENT
    if re.fullmatch(form, text, re.ASCII) is None:
        raise Misplaced(f"a text that is not of the form of {type_}")
    try:
        if pa.types.is_date(type_):
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if zoned else found
    except (ValueError, OverflowError):
        raise Misplaced(f"a text that is no {type_}") from None


def _one_of(found: str, known: dict[str, Any], token: str, type_: pa.DataType) -> Any:
    if found not in known:
        raise _misfit(token, type_)
    return known[found]


def _misfit(token: str, type_: pa.DataType) -> Misplaced:
    return Misplaced(f"{_KINDS.get(token[:1], 'a number')} where {type_} is expected")
