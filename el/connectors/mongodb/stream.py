"""The events of one collection's change stream, behind a place up to a cluster time.

Guarantees: each event once, in the order of the log, none beyond `until`; it ends only when the server has looked
through its log up to there. A collection that was dropped or renamed, and a place that the log no longer has, are a
`PositionLost`, and never passed over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from el.connectors.mongodb.stream_place import Place, time_of
from el.errors import PositionLost, ReadError

RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)
# ChangeStreamFatalError, ChangeStreamHistoryLost, InvalidResumeToken, CappedPositionLost; tokens of another form.
_LOST = frozenset({280, 286, 260, 136, 9, 40585, 40615, 50811})
_ROWS = frozenset({"insert", "update", "replace", "delete"})
_ENDS = {
    "drop": "it was dropped",
    "rename": "it was renamed, or another one was renamed to it",
    "dropDatabase": "its database was dropped",
    "invalidate": "it was dropped or renamed",
}
# A node that has nothing new is waited for so long, in milliseconds; a router of shards waits for each of them.
_WAIT, _WAIT_SHARDS = 20, 1_000
_STUCK_SECONDS = 120.0
# A probe is not to look through a long log: what is lost it says at once.
_PROBE_MS = 2_000
_TIMED_OUT = 50


@dataclass(frozen=True, slots=True)
class Event:
    """A change of one document. key: `{_id: ...}`, with the fields of a shard key behind. number: within its time."""

    kind: str
    time: Timestamp
    number: int
    key: RawBSONDocument
    document: RawBSONDocument | None
    before: RawBSONDocument | None


@dataclass(frozen=True, slots=True)
class Window:
    """Behind a place up to a time. images: the server is asked for documents as they were after a change (6.0),
    before: and before it. splits: it can send an event of more than 16 MB in parts (7.0)."""

    since: Place
    until: Timestamp
    images: bool
    before: bool
    splits: bool
    sharded: bool

    def options(self) -> dict[str, Any]:
        """The stage's, without where it begins."""
        found: dict[str, Any] = {"fullDocument": "whenAvailable"} if self.images else {}
        return {**found, "fullDocumentBeforeChange": "whenAvailable"} if self.before else found


class Stream:
    """One reading of a window. `reached`: where to go on, once it has ended."""

    def __init__(self, collection: Any, window: Window) -> None:
        self.window = window
        self.reached = Place(window.until)
        # Said with its level: the server would wait for a time alone only until the node has it, not most of them.
        self._collection = collection.with_options(
            codec_options=RAW, read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
        )
        self._name = f"{collection.database.name}.{collection.name}"
        self._number = 0
        self._time: Timestamp | None = None

    def events(self) -> Iterator[Event]:
        """Raises `PositionLost`."""
        try:
            yield from self._events()
        except OperationFailure as error:
            if (lost := why_lost(error)) is None:
                raise
            self._lose(lost)

    def _events(self) -> Iterator[Event]:
        window, client = self.window, self._collection.database.client
        with client.start_session(causal_consistency=True) as session:
            # The node that answers has to have all of the log up to there.
            session.advance_operation_time(window.until)
            with self._opened(session) as stream:
                for found in self._found(stream):
                    if found["clusterTime"] > window.until:
                        return
                    self.reached = Place.at(window.until, found["_id"])
                    if found["clusterTime"] > window.since.time:
                        yield self._event(found)
                self.reached = Place.at(window.until, stream.resume_token)

    def _opened(self, session: Any) -> Any:
        window, start = self.window, self.window.since.start()
        return self._collection.watch(
            _stages(splits=window.splits),
            full_document=window.options().get("fullDocument"),
            full_document_before_change=window.options().get("fullDocumentBeforeChange"),
            resume_after=start.get("resumeAfter"),
            start_at_operation_time=start.get("startAtOperationTime"),
            max_await_time_ms=_WAIT_SHARDS if window.sharded else _WAIT,
            session=session,
        )

    def _found(self, stream: Any) -> Iterator[Any]:
        """The events, those in parts put together, up to the end of the log as it stands now, or later."""
        parts: dict[str, Any] = {}
        moved = time.monotonic()
        while True:
            cursor = stream._cursor
            found = stream.try_next()
            if found is None:
                # A cursor that the driver opened anew after an error of the line was asked for nothing yet.
                if stream._cursor is cursor and self._ended(stream):
                    return
                if time.monotonic() - moved > _STUCK_SECONDS:
                    raise ReadError(
                        f"{self._name}: the shards do not say that they are at {self.window.until}", retryable=True
                    )
                continue
            moved = time.monotonic()
            split = found.get("splitEvent")
            parts.update(found)
            if split is None or split["fragment"] == split["of"]:
                yield parts
                parts = {}

    def _ended(self, stream: Any) -> bool:
        """Whether the server has looked through its log up to `until`, now that it has nothing to give.

        One node says so by giving nothing; a router gives nothing also while a shard is slow, and its token tells.
        """
        if not self.window.sharded:
            return True
        at = time_of(stream.resume_token)
        return at is not None and at > self.window.until

    def _event(self, found: dict[str, Any]) -> Event:
        kind, when = str(found["operationType"]), found["clusterTime"]
        if kind not in _ROWS:
            self._lose(_ENDS.get(kind, f"the stream has an event that el does not know, {kind}"))
        self._number = self._number + 1 if when == self._time else 0
        self._time = when
        whole = found.get("fullDocument") if kind != "delete" else None
        return Event(kind, when, self._number, found["documentKey"], whole, found.get("fullDocumentBeforeChange"))

    def _lose(self, why: str) -> NoReturn:
        raise PositionLost(
            f"{self._name}: {why} (behind {self.window.since.time}): its changes cannot be followed past that; "
            f"run --full-refresh --select {self._name} begins anew with a snapshot"
        )


def why_lost(error: OperationFailure) -> str | None:
    """That a stream cannot go on where it was, in words; None for another error."""
    if error.code not in _LOST and not error.has_error_label("NonResumableChangeStreamError"):
        return None
    if error.code in (286, 136, 40585):
        return (
            "the oplog does not reach back to raw's position any longer: it holds too few hours for how seldom el runs"
        )
    return (
        f"the server does not know raw's position: it is of another cluster, or the server was restored ({error.code})"
    )


def _stages(*, splits: bool) -> list[dict[str, Any]]:
    """What a stream goes through. A token goes on only in a stream with the same stages: its event has to pass them."""
    return [{"$unset": "updateDescription"}, *([{"$changeStreamSplitLargeEvent": {}}] if splits else [])]


def probe(collection: Any, place: Place, *, splits: bool) -> str | None:
    """Why a stream cannot go on at a place, in words; None where it can."""
    try:
        stages = [{"$changeStream": place.start()}, *_stages(splits=splits)]
        asked = collection.with_options(codec_options=RAW, read_preference=ReadPreference.PRIMARY)
        asked.aggregate(stages, batchSize=1, maxTimeMS=_PROBE_MS).close()
    except OperationFailure as error:
        if error.code != _TIMED_OUT and (lost := why_lost(error)) is None:
            raise
        return None if error.code == _TIMED_OUT else lost
    return None


def token_now(collection: Any) -> Any:
    """The token of a stream that begins now."""
    with collection.with_options(read_preference=ReadPreference.PRIMARY).watch() as stream:
        return stream.resume_token
