"""JSON text of which nothing is lost: how bytes stand in it, and how a part of it is found as it stands there.

A number is never made a float: a part of a document is the very characters that stand there.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring

# Numbers stay text, so that none of them costs digits, however many it has.
_VALUE = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_BLANKS = re.compile(r"[ \t\n\r]*")
_STEP = re.compile(r'"((?:[^"\\]|\\.)+)"|([^."]+)')


class Misplaced(ValueError):
    """What stands at a path is not what the path expects, in words."""


def steps_of(path: str) -> tuple[str, ...]:
    """ "order.total" as names; a name with a dot stands in quotes: order."a.b". `ValueError` for any other form."""
    found, at = [], 0
    while at <= len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise ValueError(f"{path!r} is no path such as order.total; a name with a dot in it stands in quotes")
        found.append(json.loads(f'"{step[1]}"') if step[1] is not None else step[2])
        at = step.end() + 1
        if step.end() < len(path) and path[step.end()] != ".":
            raise ValueError(f"{path!r}: between two names of a path stands a dot")
    return tuple(found)


def quoted(text: str) -> str:
    """Text as JSON."""
    return encode_basestring(text)


def of_bytes(value: bytes) -> str:
    """Bytes as JSON: their text where they are UTF-8, else {"$binary": {"base64": ..., "subType": "00"}}, as MongoDB's
    Extended JSON has it. Two values never have one text."""
    try:
        return quoted(value.decode("utf-8"))
    except UnicodeDecodeError:
        return f'{{"$binary":{{"base64":"{base64.b64encode(value).decode("ascii")}","subType":"00"}}}}'


def object_of(members: Iterable[tuple[str, str]]) -> str:
    """Names and JSON texts as one JSON object, in this order."""
    return "{" + ",".join(f"{quoted(name)}:{text}" for name, text in members) + "}"


def located(text: str, steps: tuple[str, ...]) -> str | None:
    """The JSON text that stands at a path; None where there is nothing, or null.

    Raises `Misplaced` where the path leads through what is no object, or a name on it stands twice in its object.
    """
    at = _skip(text, 0)
    for step in steps:
        if text.startswith("null", at):
            return None
        if not text.startswith("{", at):
            raise Misplaced(f"what should have a field {step!r} is no object")
        found = [place for name, place in _members(text, at) if name == step]
        if len(found) > 1:
            raise Misplaced(f"the field {step!r} stands there twice")
        if not found:
            return None
        at = found[0]
    end = _end(text, at)
    return None if text.startswith("null", at) else text[at:end]


def elements(text: str) -> Iterator[str]:
    """The JSON texts of an array's elements; raises `Misplaced` for what is no array."""
    at = _skip(text, 0)
    if not text.startswith("[", at):
        raise Misplaced("it is no array")
    at = _skip(text, at + 1)
    while not text.startswith("]", at):
        end = _end(text, at)
        yield text[at:end]
        at = _skip(text, end)
        at = _skip(text, at + 1) if text.startswith(",", at) else at


def members(text: str) -> Iterator[tuple[str, str]]:
    """The names of an object and the JSON texts that stand under them."""
    for name, at in _members(text, _skip(text, 0)):
        yield name, text[at : _end(text, at)]


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The names of the object that begins here, and where their values begin."""
    at = _skip(text, at + 1)
    while not text.startswith("}", at):
        name, at = _scan(text, at)
        at = _skip(text, _skip(text, at) + 1)
        yield str(name), at
        at = _skip(text, _end(text, at))
        at = _skip(text, at + 1) if text.startswith(",", at) else at


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _end(text: str, at: int) -> int:
    return _scan(text, at)[1]


def _scan(text: str, at: int) -> tuple[object, int]:
    try:
        return _VALUE.raw_decode(text, at)
    except ValueError:
        raise Misplaced("the document is no JSON") from None
    except RecursionError:
        raise Misplaced("the document is nested too deep") from None
