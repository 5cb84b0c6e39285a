"""MySQL's JSON as its binary log has it, as the text that the server writes of it.

MySQL Source Code Documentation, `json_binary.h`: objects and arrays are tables of places. Numbers with a fraction are
left to whoever knows how the server writes them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pymysql.constants import FIELD_TYPE

from el.connectors.mysql.log_table import LogColumn
from el.connectors.mysql.log_values import Values
from el.errors import ReadError

_CONTAINERS = {0: ("{", "}", 2), 1: ("{", "}", 4), 2: ("[", "]", 2), 3: ("[", "]", 4)}
_LITERAL, _DOUBLE, _STRING, _OPAQUE = 4, 0x0B, 0x0C, 0x0F
_WHOLE = {5: (2, True), 6: (2, False), 7: (4, True), 8: (4, False), 9: (8, True), 0x0A: (8, False)}
_LITERALS = {0: "null", 1: "true", 2: "false"}
_ESCAPED = {
    **{number: f"\\u{number:04x}" for number in range(0x20)},
    **{ord(text): f"\\{letter}" for text, letter in zip('\b\f\n\r\t"\\', 'bfnrt"\\', strict=True)},
}


def parts_of(data: bytes) -> Iterator[str | float]:
    """Its text in parts; a double is told as itself. Raises `ReadError` for what el does not know."""
    try:
        # What is not there at all is null.
        yield from _value(data[0], data, 1) if data else ("null",)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise ReadError(f"JSON in the binary log is of a form that el does not know: {error!r}") from None


def _value(kind: int, data: bytes, at: int) -> Iterator[str | float]:
    if kind in _CONTAINERS:
        yield from _container(kind, data, at)
    elif kind == _LITERAL:
        yield _LITERALS[data[at]]
    elif kind in _WHOLE:
        size, signed = _WHOLE[kind]
        yield str(int.from_bytes(_taken(data, at, size), "little", signed=signed))
    elif kind == _DOUBLE:
        yield float(np.frombuffer(_taken(data, at, 8), "<f8")[0])
    elif kind == _STRING:
        size, at = _length(data, at)
        yield _quoted(_taken(data, at, size))
    elif kind == _OPAQUE:
        size, begin = _length(data, at + 1)
        yield _of_sql(data[at], _taken(data, begin, size))
    else:
        raise KeyError(kind)


def _container(kind: int, data: bytes, base: int) -> Iterator[str | float]:
    begin, end, size = _CONTAINERS[kind]
    count, at = _number(data, base, size), base + 2 * size
    keys = at if begin == "{" else None
    at += count * (size + 2) if keys is not None else 0
    yield begin
    for number in range(count):
        yield ", " if number else ""
        if keys is not None:
            key = keys + number * (size + 2)
            place, length = base + _number(data, key, size), _number(data, key + size, 2)
            yield f"{_quoted(_taken(data, place, length))}: "
        entry = at + number * (1 + size)
        inner = data[entry]
        inline = inner == _LITERAL or (inner in _WHOLE and _WHOLE[inner][0] <= size)
        yield from _value(inner, data, entry + 1 if inline else base + _number(data, entry + 1, size))
    yield end


def _taken(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise IndexError(at + size)
    return data[at : at + size]


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_taken(data, at, size), "little")


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first, as long as the eighth is set; and where it ends."""
    size = shift = 0
    while True:
        size |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return size, at


def _quoted(text: bytes) -> str:
    return f'"{text.decode().translate(_ESCAPED)}"'


def _of_sql(type_: int, data: bytes) -> str:
    """A value of a type of SQL: a decimal as it is, a date or time as text."""
    if type_ == FIELD_TYPE.NEWDECIMAL:
        padded = np.frombuffer(data[2:] + bytes(64), np.uint8)
        one = Values(padded, np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, np.bool_))
        found = one.of(LogColumn(FIELD_TYPE.NEWDECIMAL, data[:2]))[0].as_py()
        return found if isinstance(found, str) else f"{found:f}"
    if type_ not in (FIELD_TYPE.DATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.TIME):
        raise ReadError(f"JSON in the binary log holds a value of type {type_}, which el does not read there")
    packed = int.from_bytes(_taken(data, 0, 8), "little", signed=True)
    sign, packed = "-" if packed < 0 else "", abs(packed)
    whole, fraction = packed >> 24, packed & 0xFFFFFF
    clock = f"{whole >> 6 & 63:02d}:{whole & 63:02d}.{fraction:06d}"
    if type_ == FIELD_TYPE.TIME:
        return f'"{sign}{whole >> 12 & 1023:02d}:{clock}"'
    months = whole >> 22
    day = f"{months // 13:04d}-{months % 13:02d}-{whole >> 17 & 31:02d}"
    return f'"{day}"' if type_ == FIELD_TYPE.DATE else f'"{day} {whole >> 12 & 31:02d}:{clock}"'
