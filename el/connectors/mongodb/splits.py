"""Parts of a collection by ranges of its index of `_id`, which orders keys of all types one behind another.

MongoDB, "cursor.min()", "cursor.max()": bounds within an index. A condition such as `$gte` compares within one type
alone, and would pass over the keys of all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from el.connectors.mongodb.extended import text_of
from el.connectors.mongodb.tables import ID
from el.connectors.request import Split

# Keys that are looked at for each part: with so many its size is about what was asked for.
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Keys(Split):
    """The documents from a key on (None: the first one) up to before another one (None: the last one). Keys as BSON."""

    since: bytes | None
    until: bytes | None

    def __str__(self) -> str:
        def shown(data: bytes | None) -> str:
            return "" if data is None else str(text_of(data).key)

        return f"{ID} [{shown(self.since)}, {shown(self.until)})"

    def asked(self) -> dict[str, Any]:
        """What `find` is told."""
        found: dict[str, Any] = {"hint": [(ID, 1)]}
        if self.since is not None:
            found["min"] = {ID: _key(self.since)}
        if self.until is not None:
            found["max"] = {ID: _key(self.until)}
        return found


def has_keys(collection: Collection[dict[str, Any]]) -> bool:
    """Whether the server keeps an index of `_id`: not of a view, nor of measurements."""
    found = collection.database.list_collections(filter={"name": collection.name})
    return any(each.get("type", "collection") == "collection" for each in found)


def keys_between(collection: Collection[dict[str, Any]], wanted: int) -> tuple[Keys, ...]:
    """At most so many parts, each document in one of them: also one that comes meanwhile, whatever its key."""
    if wanted < 2:
        return ()
    pipeline: list[dict[str, Any]] = [
        {"$sample": {"size": wanted * _LOOKED_AT}},
        {"$project": {ID: 1}},
        {"$sort": {ID: 1}},
    ]
    raw: Collection[RawBSONDocument] = collection.with_options(_RAW)
    found = [bytes(each.raw) for each in raw.aggregate(pipeline)]
    # Looked at by chance, one may be there twice.
    places = sorted({len(found) * number // wanted for number in range(1, wanted)} - {0})
    cuts: list[bytes] = []
    for place in places:
        if found[place] not in cuts:
            cuts.append(found[place])
    if not cuts:
        return ()
    return tuple(Keys(since, until) for since, until in zip([None, *cuts], [*cuts, None], strict=True))


def _key(data: bytes) -> Any:
    return bson.decode(data, _RAW)[ID]


# An object as a key is kept as its bytes.
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS)
