"""A scan, page by page, into Arrow: whole, or one segment of it.

Guarantees: each page goes on from the key at which the service ended the one before, so an item is read once; a page
that failed is asked for again with the same key. It costs no more read units a second than it may.
Amazon DynamoDB API, "Scan": a filter is applied after the read, and costs the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from el.connectors.documents import DOCUMENT
from el.connectors.dynamodb.client import BODY, LOGGERS
from el.connectors.dynamodb.items import Item, as_asked, is_canonical, key_value, parsed, text_of
from el.connectors.dynamodb.tables import KeyPart
from el.connectors.request import ColumnRead, Split
from el.secrets.unheard import unheard

# Items of a page of which it is not known yet what one costs.
_FIRST = 50


@dataclass(frozen=True, slots=True)
class Segment(Split):
    """One of the segments into which the service divides a table by itself, by the hashes of its keys."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"segment {self.number + 1} of {self.of}"


@dataclass(slots=True)
class Units:
    """Read units a second, at most, counted from the first page on."""

    limit: float | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    used: float = 0
    items: int = 0
    begun: float = field(default=0)

    def page(self) -> int | None:
        """How many items to ask for, so that a page costs a second's units at most; None: as many as the service
        gives."""
        if self.limit is None:
            return None
        if not self.begun:
            self.begun = self.clock()
        each = self.used / self.items if self.items else 0.0
        return max(1, int(self.limit / each)) if each else _FIRST

    def spent(self, units: float, items: int) -> None:
        """Wait until so many more were allowed."""
        self.used += units
        self.items += items
        if self.limit is not None:
            ahead = self.used / self.limit - (self.clock() - self.begun)
            if ahead > 0:
                self.sleep(ahead)


@dataclass(frozen=True, slots=True)
class Page:
    """The items of one answer. canonical: but for the order of names their text is so already."""

    items: Sequence[Item]
    canonical: bool
    size: int


def pages(call: Callable[..., Any], asked: Mapping[str, Any], units: Units, limit: int | None) -> Iterator[Page]:
    """All pages. limit: items at most."""
    more: dict[str, Any] = {}
    left = limit
    while left is None or left > 0:
        sizes = [size for size in (units.page(), left) if size is not None]
        if sizes:
            more["Limit"] = min(sizes)
        with unheard(*LOGGERS):
            body: bytes = call(**asked, **more)[BODY]
        said = parsed(body)
        found = said["Items"] if left is None else said["Items"][:left]
        yield Page(found, is_canonical(body), len(body))
        units.spent(float(said.get("ConsumedCapacity", {}).get("CapacityUnits", 0)), said.get("ScannedCount", 0))
        left = None if left is None else left - len(found)
        if not (last := said.get("LastEvaluatedKey")):
            return
        more["ExclusiveStartKey"] = as_asked(last)


@dataclass(slots=True)
class Rows:
    """Items, gathered into batches of bounded size."""

    reads: Sequence[ColumnRead]
    key: Sequence[KeyPart]
    schema: pa.Schema
    rows: int
    bytes: int
    _columns: list[list[Any]] = field(default_factory=list)
    _held: int = 0

    def batches(self, pages: Iterator[Page]) -> Iterator[pa.RecordBatch]:
        """All items of the pages."""
        makers = [self._maker(read.source) for read in self.reads]
        self._columns = [[] for _ in makers]
        for page in pages:
            for column, make in zip(self._columns, makers, strict=True):
                column += [make(item, page.canonical) for item in page.items]
            self._held += page.size
            while self._columns and len(self._columns[0]) >= self.rows:
                yield self._batch(self.rows)
            if self._held >= self.bytes and self._columns[0]:
                yield self._batch(len(self._columns[0]))
        if self._columns and self._columns[0]:
            yield self._batch(len(self._columns[0]))

    def _maker(self, source: str) -> Callable[[Any, bool], Any]:
        if source == DOCUMENT:
            return lambda item, canonical: text_of(item, canonical=canonical)
        attribute = next(part.attribute for part in self.key if part.column == source)
        return lambda item, _: key_value(item[attribute])

    def _batch(self, rows: int) -> pa.RecordBatch:
        taken = [column[:rows] for column in self._columns]
        self._columns = [column[rows:] for column in self._columns]
        self._held = 0 if not self._columns[0] else self._held
        arrays = [pa.array(column, each.type) for column, each in zip(taken, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)
