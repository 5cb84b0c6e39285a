"""What a write brings as items: columns that are attributes, or `document` in DynamoDB JSON as it is read.

Guarantees: a text gives the item of which it is the text, with all types; what the service would refuse or keep
otherwise than it stands there is refused here, by row. A key comes once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from el.connectors.catalog import TableName
from el.connectors.documents import DOCUMENT
from el.connectors.documents.arrow_values import is_text
from el.connectors.dynamodb.tables import KeyPart
from el.connectors.dynamodb.write_values import NULL, VALUES, number
from el.errors import WriteError

LARGEST = 400 * 1024
# Of the partition key and of the sort key.
_KEY_BYTES = (2048, 1024)


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the data. size: its bytes, as the service counts them, or a little more."""

    attributes: dict[str, Any]
    key: dict[str, Any]
    size: int

    @property
    def shown(self) -> str:
        return ", ".join(f"{name}={next(iter(value.values()))!r}" for name, value in self.key.items())


class Items:
    """The items of one write. Raises `WriteError`."""

    def __init__(self, target: TableName, schema: pa.Schema, key: tuple[KeyPart, ...]) -> None:
        self.target = target
        self.key = key
        names = schema.names
        if len(set(names)) != len(names) or not names:
            raise WriteError(f"{target}: the data needs columns, and each name once; it has {', '.join(names)}")
        own = {part.column for part in key}
        self.whole = DOCUMENT in names and set(names) <= {DOCUMENT, *own}
        if not self.whole and (absent := [name for name in own if name not in names]):
            raise WriteError(f"{target}: key column {absent[0]!r} is not in the data")
        self._seen: set[str] = set()
        self._row = 0
        for field in schema:
            if self.whole and field.name == DOCUMENT and not is_text(field.type):
                raise WriteError(f"{target}.{DOCUMENT}: it is the text of DynamoDB JSON, not {field.type}")
            VALUES.refuse_type(field.type, f"{target}.{field.name}")

    def of(self, batch: pa.RecordBatch) -> Iterator[Item]:
        """One item a row."""
        columns = {name: VALUES.of(batch.column(name), f"{self.target}.{name}") for name in batch.schema.names}
        texts = columns.pop(DOCUMENT, []) if self.whole else [NULL] * batch.num_rows
        rows = zip(*columns.values(), strict=True) if columns else iter([()] * batch.num_rows)
        for text, row in zip(texts, rows, strict=True):
            self._row += 1
            attributes = dict(zip(columns, row, strict=True))
            for part in self.key:
                if part.column in attributes:
                    attributes[part.attribute] = attributes.pop(part.column)
            yield self._item({**attributes, **self._document(text, attributes)} if self.whole else attributes)

    def _document(self, text: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
        try:
            found = json.loads(text["S"], object_pairs_hook=self._object, parse_float=_no_number, parse_int=_no_number)
            if not isinstance(found, dict):
                raise ValueError("it is no object")
            item = {name: self._value(value, f"{self.target}.{name}") for name, value in found.items()}
        except (KeyError, ValueError, TypeError, RecursionError):
            raise WriteError(f'{self._at()}: it is no item in DynamoDB JSON, as {{"id": {{"N": "7"}}}}') from None
        for part in self.key:
            if part.attribute in beside and item.get(part.attribute) != self._as_key(part, beside[part.attribute]):
                raise WriteError(f"{self._at()}: the document has another `{part.attribute}` than its row")
        return item

    def _as_key(self, part: KeyPart, value: dict[str, Any]) -> dict[str, Any]:
        """A number that is read as text is the number all the same."""
        if part.type == "N" and "S" in value:
            return {"N": number(value["S"], f"{self.target}.{part.column}")}
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise WriteError(f"{self._at()}: the document has a name twice")
        return dict(pairs)

    def _value(self, value: Any, name: str) -> dict[str, Any]:
        ((kind, inside),) = value.items()
        if kind in ("S", "N", "B"):
            return {kind: self._scalar(kind, inside, name)}
        if kind in ("SS", "NS", "BS"):
            return {kind: self._set(kind, inside, name)}
        if kind == "M":
            return {"M": {each: self._value(held, f"{name}.{each}") for each, held in inside.items()}}
        if kind == "L" and isinstance(inside, list):
            return {"L": [self._value(held, name) for held in inside]}
        if (kind == "BOOL" and isinstance(inside, bool)) or (kind == "NULL" and inside is True):
            return {kind: inside}
        raise ValueError(kind)

    def _scalar(self, kind: str, inside: Any, name: str) -> Any:
        if not isinstance(inside, str):
            raise ValueError(kind)
        if kind == "N":
            return number(inside, name)
        if kind == "S":
            # Half a surrogate pair is no text: it cannot be encoded.
            return inside.encode().decode()
        return base64.b64decode(inside, validate=True)

    def _set(self, kind: str, inside: Any, name: str) -> list[Any]:
        found = [self._scalar(kind[0], each, name) for each in inside]
        if not found or len(set(found)) != len(found):
            raise WriteError(f"{name}: a set is neither empty nor has it a value twice")
        return found

    def _item(self, attributes: dict[str, Any]) -> Item:
        key = {
            part.attribute: self._key_value(part, attributes.get(part.attribute, NULL), most)
            for part, most in zip(self.key, _KEY_BYTES, strict=False)
        }
        item = Item({**attributes, **key}, key, sum(len(name.encode()) + _size(v) for name, v in attributes.items()))
        if item.size > LARGEST:
            raise WriteError(f"{self.target}: the item {item.shown} has {item.size:,} bytes, and 400 KB is the most")
        if (shown := repr(key)) in self._seen:
            raise WriteError(f"{self.target}: the data has key {item.shown} more than once")
        self._seen.add(shown)
        return item

    def _key_value(self, part: KeyPart, value: dict[str, Any], most: int) -> dict[str, Any]:
        name = f"key column {part.column!r}"
        if value == NULL:
            raise WriteError(f"{self._at()}: {name} has NULL in the data")
        value = self._as_key(part, value)
        ((kind, inside),) = value.items()
        if kind != part.type:
            raise WriteError(f"{self._at()}: {name} is of type {part.type} in the table, and of {kind} in the data")
        if kind != "N" and not inside:
            raise WriteError(f"{self._at()}: {name} is empty, which a key cannot be")
        if kind != "N" and _size(value) > most:
            raise WriteError(f"{self._at()}: {name} has more than the {most:,} bytes of a key")
        return value

    def _at(self) -> str:
        return f"{self.target}, row {self._row:,}"


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _size(value: dict[str, Any]) -> int:
    """DynamoDB Developer Guide, "DynamoDB item sizes and formats"."""
    ((kind, inside),) = value.items()
    if kind == "M":
        return 3 + sum(len(name.encode()) + 1 + _size(held) for name, held in inside.items())
    if kind == "L":
        return 3 + sum(1 + _size(held) for held in inside)
    if kind in ("SS", "NS", "BS"):
        return sum(_size({kind[0]: each}) for each in inside)
    if kind == "S":
        return len(inside.encode())
    return len(inside) if kind in ("N", "B") else 1
