"""The events of a stream as rows of raw: "U" for a document as it is, "D" for a key that is gone, "B" for one that was.

Guarantee: after the last row, each document stands as it was at the window's end, or further on where the server keeps
no past that long; a document that was deleted has "D" behind all its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bson.raw_bson import RawBSONDocument

from el.connectors.mongodb.stream import Event, Stream
from el.connectors.mongodb.stream_images import Images, identity
from el.connectors.mongodb.stream_place import shown
from el.errors import PositionLost

# Events that are taken together.
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """A change. document: None of a "D" whose document is not kept."""

    op: str
    position: str
    key: RawBSONDocument
    document: RawBSONDocument | None


def rows_of(stream: Stream, images: Images, page_bytes: int, *, before: bool) -> Iterator[Row]:
    """The rows of a stream, in the order of its events."""
    page: list[Event] = []
    size = missing = 0
    for event in stream.events():
        page.append(event)
        size += sum(len(each.raw) for each in (event.document, event.before) if each is not None)
        missing += _is_missing(event)
        if len(page) >= _PAGE or size >= page_bytes or missing >= images.together:
            yield from _rows(page, images, before=before)
            page, size, missing = [], 0, 0
    yield from _rows(page, images, before=before)


def _rows(page: list[Event], images: Images, *, before: bool) -> Iterator[Row]:
    missing = [event.key for event in page if _is_missing(event)]
    found = images.of(missing) if missing else {}
    for event in page:
        # Two numbers an event, so that a row's place does not depend on what is taken.
        places = [f"{shown(event.time)}.{2 * event.number + part:010d}" for part in range(2)]
        former = _former(event) if before and event.kind != "insert" else None
        if event.kind == "delete":
            yield Row("D", places[1], event.key, former)
            continue
        document = event.document if event.document is not None else found.get(identity(event.key))
        if document is None:
            # It was deleted later, and that event is still to come.
            continue
        if former is not None:
            yield Row("B", places[0], event.key, former)
        yield Row("U", places[1], event.key, document)


def _is_missing(event: Event) -> bool:
    return event.document is None and event.kind != "delete"


def _former(event: Event) -> RawBSONDocument:
    if event.before is None:
        raise PositionLost(
            f"the server does not have a document as it was before its change at {event.time} any longer "
            "(expireAfterSeconds of changeStreamPreAndPostImages); run --full-refresh begins anew with a snapshot"
        )
    return event.before
