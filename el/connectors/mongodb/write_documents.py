"""What a write brings as documents in BSON: columns that are fields, or `document` in Extended JSON as it is read.

Guarantees: a text gives the document of which it is the text, with all types; what the driver or the server would write
otherwise than it stands there is refused; what was read as bytes is those bytes again. A key comes once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from math import isfinite
from typing import Any

import bson
import pyarrow as pa
from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from bson.regex import Regex
from bson.timestamp import Timestamp

from el.connectors.catalog import TableName
from el.connectors.documents import DOCUMENT
from el.connectors.documents.arrow_values import is_text
from el.connectors.mongodb.stream import RAW
from el.connectors.mongodb.tables import RAW as BYTES
from el.connectors.mongodb.write_values import VALUES, is_bytes
from el.errors import WriteError

KEY = "_id"
_LARGEST = 16 * 2**20
# MongoDB, "Extended JSON (v2)". Of the deprecated ones the driver would write another type.
_TYPES = frozenset(
    f"${name}"
    for name in (
        *("oid", "numberInt", "numberLong", "numberDouble", "numberDecimal", "date", "binary", "uuid", "timestamp"),
        *("regularExpression", "code", "minKey", "maxKey"),
    )
)
# Whole numbers, each with its bits beside the sign.
_WHOLE = {"$numberInt": 31, "$numberLong": 63}
_DIGITS = re.compile(r"-?[0-9]+")
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_DEPRECATED = frozenset({"$undefined", "$symbol", "$dbPointer"})
_OPTIONS = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    tz_aware=False,
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A document of the data. key: None where the server's own kind of key is to be made."""

    key: Any
    raw: RawBSONDocument


class Documents:
    """The documents of one write. Raises `WriteError`."""

    def __init__(self, target: TableName, schema: pa.Schema) -> None:
        self.target = target
        names = schema.names
        if len(set(names)) != len(names) or not names:
            raise WriteError(f"{target}: the data needs columns, and each name once; it has {', '.join(names)}")
        self.whole = DOCUMENT in names and set(names) <= {DOCUMENT, KEY, BYTES}
        self.keyed = KEY in names
        self.needs_key = False  # each document has to have one: without it a second try would be another document
        self._seen: set[Any] = set()
        for field in schema:
            self._refuse(field)

    def _refuse(self, field: pa.Field) -> None:
        name = f"{self.target}.{field.name}"
        if self.whole and not (field.name == BYTES or is_text(field.type)):
            raise WriteError(f"{name}: it is the text of Extended JSON, not {field.type}")
        if self.whole and field.name == BYTES and not is_bytes(field.type):
            raise WriteError(f"{name}: it is the bytes of a document, not {field.type}")
        if not self.whole and (not field.name or field.name.startswith("$") or "." in field.name or "\0" in field.name):
            raise WriteError(f"{name}: a field's name is not empty, does not begin with $, and has no dot: rename it")
        VALUES.refuse_type(field.type, name)

    def of(self, batch: pa.RecordBatch) -> Iterator[RawBSONDocument]:
        """One document a row; its `_id` in front, where it has one."""
        columns = {name: VALUES.of(batch.column(name), f"{self.target}.{name}") for name in batch.schema.names}
        if KEY in columns and is_text(batch.column(KEY).type):
            columns[KEY] = [self._key(text) for text in columns[KEY]]
        if self.whole:
            none = [None] * batch.num_rows
            keys, exact = columns.get(KEY, none), columns.get(BYTES, none)
            for key, text, data in zip(keys, columns[DOCUMENT], exact, strict=True):
                yield self._packed(self._document(key, text) if data is None else self._of_bytes(key, data))
            return
        names = [KEY, *(name for name in columns if name != KEY)] if KEY in columns else list(columns)
        for row in zip(*(columns[name] for name in names), strict=True):
            yield self._packed(dict(zip(names, row, strict=True)))

    def _key(self, text: str | None) -> Any:
        if text is None:
            raise WriteError(f"{self.target}: key column '{KEY}' has NULL in the data")
        return self._parsed(text, 'a key is text of Extended JSON, as it is read: "7" in its quotes, {"$oid": ...}')

    def _document(self, key: Any, text: str | None) -> dict[str, Any]:
        if text is None:
            raise WriteError(f"{self.target}.{DOCUMENT}: there is no document in NULL")
        found = self._parsed(text, "it is no document in Extended JSON")
        if not isinstance(found, dict):
            raise WriteError(f"{self.target}.{DOCUMENT}: it is no document in Extended JSON")
        if not self.keyed:
            return found
        self._refuse_other_key(key, found)
        return {KEY: key, **found}

    def _of_bytes(self, key: Any, data: bytes) -> Mapping[str, Any]:
        """A document whose text is not all of it, as its bytes say."""
        try:
            found = RawBSONDocument(data, codec_options=RAW)
            if KEY not in found:
                raise WriteError(f"{self.target}.{BYTES}: a document without `{KEY}`")
        except BSONError:
            raise WriteError(f"{self.target}.{BYTES}: it is no document in BSON") from None
        if self.keyed:
            self._refuse_other_key(key, found)
        return found

    def _refuse_other_key(self, key: Any, found: Mapping[str, Any]) -> None:
        if KEY in found and self._encoded({KEY: found[KEY]}) != self._encoded({KEY: key}):
            raise WriteError(f"{self.target}: a document has another `{KEY}` than its row")

    def _parsed(self, text: str, otherwise: str) -> Any:
        try:
            return json.loads(text, object_pairs_hook=self._object, parse_float=self._float)
        except WriteError:
            raise
        except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, BSONError):
            raise WriteError(f"{self.target}: {otherwise}") from None

    def _object(self, pairs: list[tuple[str, Any]]) -> Any:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise WriteError(f"{self.target}: a document has a field's name twice, and the driver would drop one")
        if pairs and names[0] in _DEPRECATED:
            raise WriteError(f"{self.target}: {names[0]} is a deprecated type, and the driver would write another one")
        if not pairs or names[0] not in _TYPES:
            return dict(pairs)
        self._refuse_other(*pairs[0])
        return json_util.object_pairs_hook(pairs, _OPTIONS)

    def _float(self, text: str) -> float:
        """A number with a fraction or an exponent, in as many digits as a float of 64 bits keeps."""
        found = float(text)
        if not isfinite(found) or not _keeps(found, Decimal(text)):
            raise WriteError(
                f"{self.target}: {text[:60]} is a number that a float of 64 bits does not keep: as "
                '{"$numberDecimal": "..."} it has 34 digits'
            )
        return found

    def _refuse_other(self, name: str, value: Any) -> None:
        """Raise for a value that the driver would take for another one of its type."""
        if name in _WHOLE and (
            not _DIGITS.fullmatch(str(value)) or not -(2 ** _WHOLE[name]) <= int(value) < 2 ** _WHOLE[name]
        ):
            raise WriteError(f"{self.target}: {str(value)[:60]!r} is no {name} of {_WHOLE[name] + 1} bits")
        if name == "$numberDouble" and str(value) not in _NOT_FINITE:
            self._float(str(value))
        if name == "$date" and isinstance(value, str) and re.search(r"\.\d{3}\d*[1-9]", value):
            raise WriteError(f"{self.target}: {value[:60]} has more digits than the milliseconds that BSON has")

    def _packed(self, document: Mapping[str, Any]) -> RawBSONDocument:
        if KEY not in document:
            if self.needs_key:
                raise WriteError(f"{self.target}: a document without `{KEY}` cannot be merged")
            document = {KEY: bson.ObjectId(), **document}
        if any(value == Timestamp(0, 0) for value in document.values() if isinstance(value, Timestamp)):
            raise WriteError(f"{self.target}: for a timestamp of 0 the server would put in its own time")
        if document[KEY] is None and self.keyed:
            raise WriteError(f"{self.target}: key column '{KEY}' has NULL in the data")
        if not _is_key(document[KEY]):
            raise WriteError(
                f"{self.target}: no array, no pattern and no object with a name that begins with $ is an `{KEY}` in "
                "MongoDB: a merge would take it for a condition, and write over another document"
            )
        self._once(document[KEY])
        packed = self._encoded(document)
        if len(packed) > _LARGEST:
            raise WriteError(
                f"{self.target}: a document of {len(packed):,} bytes is larger than the 16 MB that it may have"
            )
        return RawBSONDocument(packed, codec_options=RAW)

    def _once(self, key: Any) -> None:
        of = self._compared(key)
        if of in self._seen:
            raise WriteError(f"{self.target}: the data has key {KEY}={key!r} more than once")
        self._seen.add(of)

    def _compared(self, key: Any) -> Any:
        """What is equal where the server takes keys for one: 1, 1.0 and a decimal 1.00 are, in objects too."""
        if isinstance(key, Mapping):
            return tuple((name, self._compared(value)) for name, value in key.items())
        if isinstance(key, int | float | Decimal128) and not isinstance(key, bool):
            return _number(key)
        return self._encoded({KEY: key})

    def _encoded(self, document: Mapping[str, Any]) -> bytes:
        try:
            return bson.encode(document, codec_options=RAW)
        except (BSONError, OverflowError, UnicodeEncodeError, RecursionError) as error:
            raise WriteError(f"{self.target}: {str(error).splitlines()[0][:200]}") from None


def _keeps(found: float, number: Decimal) -> bool:
    """Whether a float is written as this number: as shortly as can be, or rounded to as many digits."""
    digits = max(1, len(number.as_tuple().digits))
    return Decimal(repr(found)) == number or Context(prec=digits).create_decimal_from_float(found) == number


def _is_key(key: Any) -> bool:
    """Whether the server stores it as a key: a reference ($ref) it does."""
    if isinstance(key, Mapping):
        names = [str(name) for name in key]
        return not any(name.startswith("$") for name in names) or names[0] == "$ref"
    return not isinstance(key, list | Regex)


def _number(key: Any) -> Any:
    value = key.to_decimal() if isinstance(key, Decimal128) else Decimal(key)
    return "NaN" if value.is_nan() else value
