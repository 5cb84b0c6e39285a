"""The one Arrow type in which a sent column and what was read back of it are compared, and how each comes to it.

A conversion that Arrow checks fails where the value does not fit: then it was changed. So a number that stands in a
column of another kind is compared as what was sent, and a text that stands for a number as that number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as of

Form = Callable[[pa.Array], pa.Array]


class TextIs(StrEnum):
    """What the text of a column is, where it is text on both sides."""

    TEXT = "text"
    PADDED = "text that the column fills up with blanks"
    ANY_CASE = "letters of either case, as of a UUID"
    NUMBER_OR_TIME = "a number or a time, written out"
    DOCUMENT = "JSON or XML, which a database may write with other blanks, and without a declaration"


@dataclass(frozen=True, slots=True)
class Forms:
    """How each side comes to the common type. shown: from that back to what people know the value by."""

    sent: Form
    staged: Form
    shown: Form = lambda data: data


def common_form(sent: pa.DataType, staged: pa.DataType, text: TextIs) -> Forms:
    """Raises `ValueError`, with the reason, for types of which no value is the same."""
    if of.is_null(sent):
        return Forms(lambda data: _hashable(data.cast(staged)), _hashable)
    if _is_text(sent) or _is_text(staged):
        return _with_text(sent, staged, text)
    if of.is_timestamp(sent) and of.is_timestamp(staged):
        return _moments(sent, staged)
    if of.is_floating(sent):
        if of.is_floating(staged):
            return Forms(_bits, _bits, lambda data: data.view(pa.float64()))
        return Forms(_unsigned_zero, lambda data: _unsigned_zero(_as_float(data)))
    if of.is_binary_view(sent) or _is_bytes(sent):
        return Forms(_as_bytes, _as_bytes)
    if of.is_boolean(sent) and not of.is_boolean(staged):
        return Forms(lambda data: data.cast(pa.int64()), lambda data: data.cast(pa.int64()))
    if of.is_decimal(sent) and not of.is_floating(staged):
        return Forms(lambda data: _hashable(data.cast(staged)), _hashable)
    if of.is_date(sent) and of.is_timestamp(staged):
        return Forms(lambda data: data.cast(staged), lambda data: data)
    if of.is_time(sent) and of.is_time(staged):
        return _coarser(sent, staged)
    return Forms(_hashable, lambda data: _hashable(data.cast(sent)))


def _is_text(type_: pa.DataType) -> bool:
    return bool(of.is_string(type_) or of.is_large_string(type_) or of.is_string_view(type_))


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(of.is_binary(type_) or of.is_large_binary(type_) or of.is_fixed_size_binary(type_))


def _as_bytes(data: pa.Array) -> pa.Array:
    return data.cast(pa.large_binary())


def _hashable(data: pa.Array) -> pa.Array:
    """DuckDB has no decimals of more than 38 digits."""
    return data.cast(pa.string()) if of.is_decimal256(data.type) else data


# -- numbers


def _as_float(data: pa.Array) -> pa.Array:
    """By way of its text: of a decimal Arrow's own cast may be wrong in the last digit."""
    text = data.cast(pa.string()) if of.is_decimal(data.type) else data
    return text.cast(pa.float64(), safe=False)


def _bits(data: pa.Array) -> pa.Array:
    found = data.cast(pa.float64())
    nan = pa.scalar(float("nan"), pa.float64())
    return pc.if_else(pc.is_nan(found), nan, found).view(pa.int64())


def _unsigned_zero(data: pa.Array) -> pa.Array:
    """A whole number and a decimal have no negative zero."""
    return pc.add(data.cast(pa.float64()), 0.0)


# -- times

_UNITS = ("s", "ms", "us", "ns")


def _coarser(sent: pa.DataType, staged: pa.DataType) -> Forms:
    type_ = sent if _UNITS.index(sent.unit) <= _UNITS.index(staged.unit) else staged
    return Forms(lambda data: data.cast(type_), lambda data: data.cast(type_))


def _moments(sent: pa.DataType, staged: pa.DataType) -> Forms:
    if (sent.tz is None) != (staged.tz is None):
        raise ValueError("where one has a zone and the other none, the session's own would decide")
    zone = None if sent.tz is None else "UTC"
    return _coarser(pa.timestamp(sent.unit, zone), pa.timestamp(staged.unit, zone))


# -- text


def _with_text(sent: pa.DataType, staged: pa.DataType, text: TextIs) -> Forms:
    if _is_text(sent) and _is_text(staged):
        both = _OF_TEXT.get(text, lambda data: data)
        return Forms(lambda data: both(data.cast(pa.large_string())), lambda data: both(data.cast(pa.large_string())))
    if _is_text(staged):
        # Another type's value, written out.
        if of.is_time(sent):
            return Forms(lambda data: _shortest(data.cast(pa.string())), _shortest)
        if of.is_floating(sent):
            return Forms(_bits, lambda data: _bits(data.cast(sent)), lambda data: data.view(pa.float64()))
        return Forms(_hashable, lambda data: _hashable(_shortest(data).cast(sent)))
    if of.is_boolean(staged):
        return Forms(lambda data: data.cast(staged), lambda data: data)
    if of.is_decimal(staged):
        return Forms(lambda data: _hashable(_plain_number(data).cast(staged)), _hashable)
    if _is_bytes(staged):
        raise ValueError("a text is no bytes")
    return Forms(_shortest, lambda data: _shortest(data.cast(pa.string())))


def _without_blanks(data: pa.Array) -> pa.Array:
    return pc.ascii_rtrim(data, " ")


def _dense(data: pa.Array) -> pa.Array:
    """Without blanks, wherever they are: all other characters count."""
    return pc.replace_substring_regex(data, r"^\s*<\?xml[^>]*\?>|\s+", "")


def _plain_number(data: pa.Array) -> pa.Array:
    """A text that is more than its number, such as 007, does not come back from it."""
    odd = pc.invert(pc.match_substring_regex(data, r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"))
    if pc.any(odd).as_py():
        raise pa.ArrowInvalid(f"{str(data.filter(odd)[0])[:60]!r} is no plain number")
    return data


def _shortest(data: pa.Array) -> pa.Array:
    """Without what says nothing: zeros at the end of a fraction, the T of a moment, the form of UTC."""
    for pattern, made in (
        (r"^([0-9]{4}-[0-9]{2}-[0-9]{2})T", r"\1 "),
        (r" ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)$", r"\1"),
        (r":([0-9]{2}(?:\.[0-9]+)?)(?:Z|\+00(?::?00)?)$", r":\1+00:00"),
        (r"^(.*\.[0-9]*?)0+([+-][0-9:]+)?$", r"\1\2"),
        (r"\.([+-][0-9:]+)?$", r"\1"),
    ):
        data = pc.replace_substring_regex(data, pattern, made)
    return data


_OF_TEXT: dict[TextIs, Form] = {
    TextIs.PADDED: _without_blanks,
    TextIs.ANY_CASE: pc.utf8_lower,
    TextIs.NUMBER_OR_TIME: _shortest,
    TextIs.DOCUMENT: _dense,
}
