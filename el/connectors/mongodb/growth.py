"""How far a key or a field has grown, as the server orders it: what strategy cursor is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from el.connectors.abilities import Extent
from el.connectors.catalog import SourceType
from el.connectors.mongodb.query import (
    Filter,
    Place,
    all_of,
    beyond,
    canonical,
    compared,
    filter_of,
    key_class,
    place_of,
)
from el.connectors.mongodb.rows import documents_in
from el.connectors.mongodb.tables import ID
from el.connectors.request import Op, ReadRequest, Value


@dataclass(frozen=True, slots=True)
class Growth:
    """One column of what a request reads."""

    collection: Collection[dict[str, Any]]
    request: ReadRequest
    column: str
    type: SourceType
    session: ClientSession | None = None

    @property
    def place(self) -> Place:
        return place_of(self.request, self.column, self.type)

    def greatest(self, bound: Value | None = None) -> Value | None:
        """Of keys: among those that compare with the bound, where there is one."""
        mine = self.place.comparable(None if bound is None else key_class(bound))
        return self._first(mine, -1)

    def extent(self, bound: Value | None) -> Extent:
        """With `nulls` for documents in which nothing stands that compares with the greatest value."""
        greatest = self.greatest(bound)
        if greatest is None:
            return Extent(None, 0, self._any(self.place.incomparable()) if self.column != ID else False)
        against = 0
        if bound is not None:
            against = 1 if self._any(beyond(self.place, bound)) else 0 if self._any(self._at(bound)) else -1
        return Extent(greatest, against, self._any(self.place.incomparable(key_class(greatest))))

    def back(self, bound: Value, rows: int) -> Value | None:
        """The value so many documents below the bound, the bound's own among them."""
        below = compared(self.place, Op.LE, bound)
        return self._first(below, -1, rows - 1) or self._first(below, 1)

    def _at(self, value: Value) -> Filter:
        return compared(self.place, Op.EQ, value)

    def _any(self, wanted: Filter) -> bool:
        return next(self._found(wanted, 0, 0), None) is not None

    def _first(self, wanted: Filter, direction: int, skip: int = 0) -> Value | None:
        data = next(self._found(wanted, direction, skip), None)
        text = None if data is None else canonical(self.place, data)
        return None if text is None else Value(text, self.type)

    def _found(self, wanted: Filter, direction: int, skip: int) -> Iterator[bytes]:
        path = self.place.path
        cursor = self.collection.find_raw_batches(
            all_of([filter_of(self.request), wanted]),
            {path: 1, ID: 1} if path == ID else {path: 1, ID: 0},
            sort=[(path, direction)] if direction else None,
            skip=skip,
            limit=1,
            session=self.session,
        )
        try:
            for answer in cast(Iterator[bytes], cursor):
                yield from documents_in(answer)
        finally:
            cursor.close()
