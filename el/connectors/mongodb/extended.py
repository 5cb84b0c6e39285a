"""A document's bytes (BSON) as canonical Extended JSON, version 2, and back.

MongoDB, "MongoDB Extended JSON (v2)"; bsonspec.org, version 1.1. Read out of the bytes themselves: a driver's decoder
keeps one of two fields of a name, and knows no symbol. Byte by byte the same comes back from `bytes_of`, unless the
document is in doubt (`Text.doubt`); then that has to be asked (`is_exact`).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.decimal128 import Decimal128

from el.connectors.documents.text import quoted

_INT, _LONG, _DOUBLE, _TWO = (struct.Struct(form) for form in ("<i", "<q", "<d", "<II"))
_OPTIONS = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_MS
)
_CODEC: CodecOptions[dict[str, object]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
_PLAIN_NAN = b"\x00\x00\x00\x00\x00\x00\xf8\x7f"


@dataclass(slots=True)
class Text:
    """A document, or its key alone. doubt: whether it may not be the same bytes again."""

    document: str
    key: str | None  # the JSON of `_id`; None where there is none
    doubt: bool


def text_of(data: bytes) -> Text:
    """The text of one document. `ValueError` for what is no BSON."""
    writer = _Writer(data)
    try:
        end = writer.object(0, "{", "}", top=True)
    except (struct.error, IndexError) as error:
        raise ValueError(f"a document that is no BSON: {error}") from None
    if end != len(data):
        raise ValueError("a document that is no BSON: it ends before its last byte")
    parts = writer.parts
    key = None if writer.key is None else "".join(parts[slice(*writer.key)])
    return Text("".join(parts), key, writer.doubt)


def bytes_of(text: str) -> bytes:
    """The document that a canonical text is of, by MongoDB's own tools for it."""
    return bson.encode(json_util.loads(text, json_options=_OPTIONS), codec_options=_CODEC)


def is_exact(data: bytes, text: str) -> bool:
    """Whether the text gives the same bytes again."""
    try:
        return bytes_of(text) == data
    except Exception:  # whatever the tools say of a text that they do not take
        return False


def double(value: float) -> str:
    """As Extended JSON writes it."""
    if value != value:
        return "NaN"
    return repr(value).replace("inf", "Infinity")


def decimal(data: bytes) -> str:
    return str(Decimal128.from_bid(data))


def is_canonical_decimal(data: bytes, text: str) -> bool:
    """Whether the text gives the same bytes again: not of a NaN with more in it, or of digits beyond the 34."""
    return Decimal128(text).bid == data


def binary(subtype: int, data: bytes) -> str:
    return f'{{"$binary":{{"base64":"{base64.b64encode(data).decode("ascii")}","subType":"{subtype:02x}"}}}}'


@dataclass(slots=True)
class _Writer:
    """Writes the parts of one document's text."""

    data: bytes
    parts: list[str] = field(default_factory=list)
    doubt: bool = False
    key: tuple[int, int] | None = None  # which of the parts are the value of `_id`

    def object(self, at: int, opens: str, closes: str, *, top: bool = False) -> int:
        """The object or array that begins here; where it ends."""
        data, parts = self.data, self.parts
        end = at + int(_INT.unpack_from(data, at)[0])
        at += 4
        names: set[str] = set()
        number = 0
        parts.append(opens)
        while kind := data[at]:
            stop = data.index(0, at + 1)
            name = self.decoded(data[at + 1 : stop])
            if number:
                parts.append(",")
            if opens == "{":
                parts.append(f"{quoted(name)}:")
                self.doubt |= name in names or name.startswith("$")
                names.add(name)
            else:
                self.doubt |= name != str(number)
            began = len(parts)
            at = self.value(kind, stop + 1)
            if top and name == "_id" and self.key is None:
                self.key = (began, len(parts))
                self.doubt |= number > 0
            number += 1
        parts.append(closes)
        if at + 1 != end:
            raise ValueError("a document that is no BSON: it does not end where it says")
        return end

    def value(self, kind: int, at: int) -> int:
        """The value of this type that begins here; where it ends."""
        data, parts = self.data, self.parts
        if kind == 0x03:
            return self.object(at, "{", "}")
        if kind == 0x04:
            return self.object(at, "[", "]")
        if kind in _FIXED:
            size, text = _FIXED[kind]
            parts.append(text(data[at : at + size]))
            if kind == 0x01:
                self.doubt |= parts[-1] == _NAN and data[at : at + 8] != _PLAIN_NAN
            elif kind == 0x13:
                self.doubt |= not is_canonical_decimal(data[at : at + 16], parts[-1][19:-2])
            return at + size
        if kind == 0x05:
            size, subtype = int(_INT.unpack_from(data, at)[0]), data[at + 4]
            inner = data[at + 5 : at + 5 + size]
            if subtype == 2:
                self.doubt |= len(inner) < 4 or _INT.unpack_from(inner)[0] != len(inner) - 4
                inner = inner[4:]
            parts.append(binary(subtype, inner))
            return at + 5 + size
        return self.rare(kind, at)

    def rare(self, kind: int, at: int) -> int:
        """Text, and the types that are out of use."""
        parts = self.parts
        if kind in _TEXTS:
            text, at = self.text(at)
            parts.append(_TEXTS[kind] % quoted(text))
            self.doubt |= kind == 0x0E
            return at
        if kind == 0x0B:
            stop = self.data.index(0, at)
            last = self.data.index(0, stop + 1)
            pattern, options = self.decoded(self.data[at:stop]), self.decoded(self.data[stop + 1 : last])
            inside = f'{{"pattern":{quoted(pattern)},"options":{quoted(options)}}}'
            parts.append(f'{{"$regularExpression":{inside}}}')
            self.doubt = True
            return last + 1
        if kind == 0x0C:
            text, at = self.text(at)
            parts.append(f'{{"$dbPointer":{{"$ref":{quoted(text)},"$id":{_oid(self.data[at : at + 12])}}}}}')
            self.doubt = True
            return at + 12
        if kind == 0x0F:
            text, at = self.text(at + 4)
            parts.append(f'{{"$code":{quoted(text)},"$scope":')
            at = self.object(at, "{", "}")
            parts.append("}")
            self.doubt = True
            return at
        if kind == 0x06:
            parts.append('{"$undefined":true}')
            self.doubt = True
            return at
        raise ValueError(f"a document with a value of the type 0x{kind:02x}, which BSON does not have")

    def text(self, at: int) -> tuple[str, int]:
        """A text with its length in front, and where it ends."""
        size = _INT.unpack_from(self.data, at)[0]
        end = at + 4 + size
        if size < 1 or self.data[end - 1]:
            raise ValueError("a document that is no BSON: a text does not end where it says")
        return self.decoded(self.data[at + 4 : end - 1]), end

    def decoded(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self.doubt = True
            return data.decode("utf-8", "replace")


def _oid(data: bytes) -> str:
    return f'{{"$oid":"{data.hex()}"}}'


def _timestamp(data: bytes) -> str:
    number, seconds = _TWO.unpack(data)
    return f'{{"$timestamp":{{"t":{seconds},"i":{number}}}}}'


def _boolean(data: bytes) -> str:
    if data not in (b"\x00", b"\x01"):
        raise ValueError("a document that is no BSON: true or false by another number")
    return "true" if data == b"\x01" else "false"


_NAN = '{"$numberDouble":"NaN"}'
# Types whose values have a length of their own: how long they are, and their text.
_FIXED: dict[int, tuple[int, Callable[[bytes], str]]] = {
    0x01: (8, lambda data: f'{{"$numberDouble":"{double(_DOUBLE.unpack(data)[0])}"}}'),
    0x07: (12, _oid),
    0x08: (1, _boolean),
    0x09: (8, lambda data: f'{{"$date":{{"$numberLong":"{_LONG.unpack(data)[0]}"}}}}'),
    0x0A: (0, lambda data: "null"),
    0x10: (4, lambda data: f'{{"$numberInt":"{_INT.unpack(data)[0]}"}}'),
    0x11: (8, _timestamp),
    0x12: (8, lambda data: f'{{"$numberLong":"{_LONG.unpack(data)[0]}"}}'),
    0x13: (16, lambda data: f'{{"$numberDecimal":"{decimal(data)}"}}'),
    0x7F: (0, lambda data: '{"$maxKey":1}'),
    0xFF: (0, lambda data: '{"$minKey":1}'),
}
_TEXTS = {0x02: "%s", 0x0D: '{"$code":%s}', 0x0E: '{"$symbol":%s}'}
