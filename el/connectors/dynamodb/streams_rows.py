"""Items, and changes of items, as rows in Arrow: the attributes of the key, and the document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from el.connectors.documents import DOCUMENT
from el.connectors.dynamodb.items import key_value, text_of
from el.connectors.dynamodb.tables import KeyPart
from el.connectors.dynamodb.types import ARROW, OF_KEY
from el.connectors.request import OP_READ, POSITION_READ, ColumnRead, ReadRequest
from el.errors import ReadError


@dataclass(frozen=True, slots=True)
class Row:
    """keys: at least the attributes of the key. item: None of a "D" whose item is not kept. size: in bytes, about."""

    op: str
    position: str
    keys: dict[str, Any]
    item: dict[str, Any] | None
    size: int


class Shape:
    """The columns of a read. marked: with the operation and the position of each change."""

    def __init__(self, request: ReadRequest, key: Sequence[KeyPart], *, marked: bool = False) -> None:
        types = {**{part.column: ARROW[OF_KEY[part.type]] for part in key}, DOCUMENT: pa.string()}
        self._attributes = {part.column: part.attribute for part in key}
        self._reads = request.columns or tuple(ColumnRead(name, name) for name in types)
        if wrong := [read.source for read in self._reads if read.source not in types]:
            raise ReadError(f"{request.table} has no column {wrong[0]!r}; it has {', '.join(types)}")
        self._rows, self._bytes, self._marked = request.batch_rows, request.batch_bytes, marked
        own = [pa.field(name, pa.string()) for name in (OP_READ, POSITION_READ)] if marked else []
        fields = [pa.field(read.name, read.arrow or types[read.source]) for read in self._reads]
        self.schema = pa.schema([*fields, *own])

    def batches(self, rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
        """All rows, in batches of bounded size."""
        page: list[Row] = []
        size = 0
        for row in rows:
            page.append(row)
            size += row.size
            if len(page) >= self._rows or size >= self._bytes:
                yield self._batch(page)
                page, size = [], 0
        if page:
            yield self._batch(page)

    def _batch(self, page: Sequence[Row]) -> pa.RecordBatch:
        columns: list[list[Any]] = [self._column(page, read.source) for read in self._reads]
        if self._marked:
            columns += [[row.op for row in page], [row.position for row in page]]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _column(self, page: Sequence[Row], source: str) -> list[Any]:
        if source == DOCUMENT:
            return [None if row.item is None else text_of(row.item) for row in page]
        attribute = self._attributes[source]
        return [key_value(row.keys[attribute]) for row in page]
