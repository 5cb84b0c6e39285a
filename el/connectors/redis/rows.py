"""What keys hold as rows of their table, gathered into Arrow batches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa

from el.connectors.documents import DOCUMENT, INDEX
from el.connectors.documents.text import object_of, of_bytes
from el.connectors.misfits import Misfits
from el.connectors.redis.config import KeyTable, KeyType
from el.connectors.redis.keys import Held
from el.connectors.redis.tables import arrow_of

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_LAST = 253_402_300_799_999  # the last millisecond of the year 9999
Row = dict[str, Any]


def rows_of(table: KeyTable, held: Held, misfits: Misfits) -> Iterator[Row]:
    """The rows of a key, or of a part of it."""
    beside = {"key": held.key, "expires_at": _moment("expires_at", held.expires_ms, held.key, misfits)}
    if table.kind is None:
        for row in _elements(held, misfits):
            yield {"type": held.type.value, **beside, **row}
    elif table.document:
        yield from ({**beside, **row} for row in _documents(held, misfits))
    else:
        for row in _elements(held, misfits, "field_expires_at"):
            element, expires = row["element"], row.pop("element_expires_at", None)
            yield {**beside, **row, "field": row.get("field", element), "member": element, "field_expires_at": expires}


def _elements(held: Held, misfits: Misfits, expiry: str = "element_expires_at") -> Iterator[Row]:
    """A row for each element: `element` is what tells it from others, with `index`."""
    if held.type is KeyType.STRING:
        yield {"element": b"", INDEX: 0, "value": held.found}
    elif held.type is KeyType.HASH:
        for name, value in _pairs(held.found):
            at = _moment(expiry, held.element_expiries.get(name), held.key, misfits)
            yield {"element": name, INDEX: 0, "value": value, "element_expires_at": at}
    elif held.type is KeyType.LIST:
        yield from ({"element": b"", INDEX: held.first + n, "value": v} for n, v in enumerate(held.found))
    elif held.type is KeyType.SET:
        yield from ({"element": member, INDEX: 0} for member in held.found)
    elif held.type is KeyType.ZSET:
        yield from ({"element": name, INDEX: 0, "score": float(score)} for name, score in _pairs(held.found))
    else:
        for id_, fields in held.found:
            for number, (name, value) in enumerate(_pairs(fields or ())):
                # Beside the id, the field's name has to stand among what is general, too.
                general = {"element": id_ + b" " + name, "id": sortable_id(id_), "field": name}
                yield {**general, INDEX: number, "value": value}


def _moment(column: str, milliseconds: int | None, key: bytes, misfits: Misfits) -> int | None:
    """In microseconds; beyond the year 9999, which no warehouse has, it is counted as what does not fit."""
    if milliseconds is None or milliseconds <= _LAST:
        return None if milliseconds is None else milliseconds * 1000
    misfits.add(column, 1, "it lies beyond the year 9999", f"key {key!r}")
    return None


def _documents(held: Held, misfits: Misfits) -> Iterator[Row]:
    if held.type is KeyType.STRING:
        yield {"value": held.found, DOCUMENT: _json(held, misfits)}
    elif held.type is KeyType.HASH:
        yield {DOCUMENT: document_of(sorted(_pairs(held.found)))}
    else:
        for id_, fields in held.found:
            yield {"id": sortable_id(id_), DOCUMENT: document_of(list(_pairs(fields or ())))}


def document_of(pairs: Sequence[tuple[bytes, bytes]]) -> str:
    """Names and values as JSON: an object; an array of pairs where a name is not UTF-8, or comes twice."""
    try:
        names = [name.decode("utf-8") for name, _ in pairs]
    except UnicodeDecodeError:
        names = []
    if len(set(names)) == len(pairs):
        return object_of((name, of_bytes(value)) for name, (_, value) in zip(names, pairs, strict=True))
    return "[" + ",".join(f"[{of_bytes(name)},{of_bytes(value)}]" for name, value in pairs) + "]"


def sortable_id(id_: bytes) -> str:
    """ "1526919030474-55" with 20 digits in each half."""
    milliseconds, _, number = id_.partition(b"-")
    return f"{int(milliseconds):020d}-{int(number or 0):020d}"


def plain_id(text: str) -> str:
    """The same as Redis writes it."""
    milliseconds, _, number = text.partition("-")
    return f"{int(milliseconds)}-{int(number)}"


def _json(held: Held, misfits: Misfits) -> str | None:
    """The text of a string that is JSON; others have no document, and are counted."""
    why = "it is no JSON"
    with suppress(ValueError):
        # What it takes is JSON in UTF-8; it refuses some of it (1e400, a thousand arrays in each other), and is fast.
        orjson.loads(held.found)
        return bytes(held.found).decode("utf-8")
    try:
        text = bytes(held.found).decode("utf-8")
        value = _VALUE.decode(text)
        if _HALF_PAIR.search(text):
            why = "it has half of a surrogate pair"
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return text
    except (ValueError, RecursionError):
        misfits.add(DOCUMENT, 1, why, repr(held.key))
        return None


def _refuse(name: str) -> None:
    raise ValueError(name)


_VALUE = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


@dataclass(slots=True)
class Gathered:
    """Rows that become a batch once they are as many, or as large, as a batch may be."""

    names: Sequence[str]
    schema: pa.Schema
    most_rows: int
    most_bytes: int
    columns: dict[str, list[Any]] = field(default_factory=dict)
    rows: int = 0
    bytes: int = 0

    def add(self, row: Row) -> pa.RecordBatch | None:
        """The batch that is full with it, if one is."""
        if not self.columns:
            self.columns = {name: [] for name in self.names}
        for name, values in self.columns.items():
            value = row.get(name)
            values.append(value)
            self.bytes += len(value) if isinstance(value, bytes | str) else 8
        self.rows += 1
        return self.batch() if self.rows >= self.most_rows or self.bytes >= self.most_bytes else None

    def batch(self) -> pa.RecordBatch | None:
        """What there is; None if nothing."""
        if not self.rows:
            return None
        arrays = [
            pa.array(self.columns[name], arrow_of(name)).cast(field.type)
            for name, field in zip(self.names, self.schema, strict=True)
        ]
        self.columns, self.rows, self.bytes = {}, 0, 0
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)
