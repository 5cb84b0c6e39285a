"""The documents of updates of which the stream has no image: all as they were at the window's end.

The server's own lookup (`updateLookup`) gives a document as it is when the event is read, and so with changes from
beyond the window, one lookup an event. Here it is one read a page, at the cluster time where the window ends: of a
document that is not there then, the event that deleted it follows. MongoDB, "Read concern snapshot".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure

from el.connectors.mongodb.stream import RAW

# SnapshotTooOld, SnapshotUnavailable; InvalidOptions and the like: before 5.0 there is none outside of a transaction.
_NO_SNAPSHOT = frozenset({239, 246, 72, 9, 2, 40415, 263, 20})
# How many are read together at first, since nobody knows how large they are; and at the most.
_FIRST, _MOST = 16, 1_000


class Images:
    """Reads documents by their keys. exact: each is as it was at `until`; else as it is now, and the events that made
    it so come with the next window. together: of so many, those of a page take about `page_bytes`."""

    def __init__(self, collection: Any, until: Timestamp, page_bytes: int) -> None:
        self.exact = True
        self.together = _FIRST
        self._page_bytes = page_bytes
        self._until = until
        self._name = collection.name
        # Both the command and what its cursor asks for later give bytes.
        self._database = collection.database.with_options(codec_options=RAW)

    def of(self, keys: Iterable[RawBSONDocument]) -> dict[bytes, RawBSONDocument]:
        """By `identity` of their keys; those that are not there are left out."""
        wanted = {identity(key): key["_id"] for key in keys}
        documents = self._read(list(wanted.values()))
        size = sum(len(document.raw) for document in documents) // max(1, len(documents))
        self.together = min(_MOST, 2 * self.together, max(1, self._page_bytes // max(1, size)))
        # 1 and 1.0 are one key for the server; the document may be another one since.
        found = {identity(document): document for document in documents}
        return {of: document for of, document in found.items() if of in wanted}

    def _read(self, ids: Sequence[Any]) -> list[RawBSONDocument]:
        if self.exact:
            try:
                return self._find(ids, {"level": "snapshot", "atClusterTime": self._until})
            except OperationFailure as error:
                if error.code not in _NO_SNAPSHOT:
                    raise
                # The server keeps its past for five minutes only (minSnapshotHistoryWindowInSeconds).
                self.exact = False
        return self._find(ids, {"level": "majority", "afterClusterTime": self._until})

    def _find(self, ids: Sequence[Any], concern: dict[str, Any]) -> list[RawBSONDocument]:
        wanted = {"_id": {"$in": list(ids)}}
        command = {"find": self._name, "filter": wanted, "batchSize": len(ids), "readConcern": concern}
        with self._database.cursor_command(command, codec_options=RAW) as cursor:
            return list(cursor)


def identity(document: RawBSONDocument) -> bytes:
    """A document's `_id` with its type."""
    return bson.encode({"_id": document["_id"]}, codec_options=RAW)
