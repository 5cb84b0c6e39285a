"""dynamodb_stream: every change of a table that its stream keeps, deletes and items that expired among them.

Guarantees: the place is noted before a snapshot is read, so what changes meanwhile comes with the first delta, which
goes at least as far as the snapshot saw. A place that the stream no longer has (24 hours), a stream that was turned
off, or off and on again, or is of a table made anew: each stops the table by name, and is never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from el.connectors.abilities import ChangeFeed
from el.connectors.buffer import Buffer
from el.connectors.dynamodb.errors import MISSING, code_of
from el.connectors.dynamodb.streams_position import FORM, KEPT_MS, Place
from el.connectors.dynamodb.streams_read import Change, Stream, shards_of
from el.connectors.dynamodb.streams_rows import Row, Shape
from el.connectors.dynamodb.tables import STREAM
from el.connectors.request import FeedRead, Position, ReadRequest
from el.errors import PositionLost, ReadError
from el.types.present import utc_now

if TYPE_CHECKING:
    from el.connectors.dynamodb import DynamoDb

# A record comes "in near-real time", nothing says when all have come (DynamoDB Developer Guide, "Change data capture
# for DynamoDB Streams").
_NEAR_REAL_TIME = timedelta(seconds=10)
# What a stream has of an item after a change, and before it.
_WHOLE, _BOTH = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE"), "NEW_AND_OLD_IMAGES"


@dataclass(frozen=True, slots=True)
class StreamChanges(FeedRead):
    """The changes of one stream behind a place, up to a time in milliseconds."""

    arn: str
    since: str
    until: int
    before: bool = False

    def __str__(self) -> str:
        return f"of the stream {self.arn.rpartition('/')[2]} behind {self.since.partition(' ')[0]} up to {self.until}"


class DynamoDbStream(ChangeFeed):
    """Needs a stream with items as they are after a change. Asked for by name: it holds only where el runs each day.

    A stream of KEYS_ONLY or OLD_IMAGE is refused: to look up each item would cost read capacity, and give it as it is
    later, not as it was after the change.
    """

    name = STREAM
    counts = "place in the stream"
    form = FORM
    guarantee = "every change, of each key in order, deletes included; a lost position is an error"
    reason = "a stream has each change, deletes included"
    source: DynamoDb
    _table: dict[str, Any] | None = None

    def obstacle(self) -> str | None:
        followed = self.followed
        if followed.table.unnests is not None:
            return "of an array's elements no change tells which are gone"
        if followed.filtered:
            return "of an item that leaves the `filters`, the stream does not tell"
        own = followed.table.primary_key
        if own is None or tuple(followed.key) != own.columns:
            return "of a deleted item the stream has its own key alone: take it, and leave out `key`"
        return self._of_stream()

    def _of_stream(self) -> str | None:
        said = self._look().get("StreamSpecification") or {}
        view, name = said.get("StreamViewType"), self.followed.table.name.name
        wanted = f"--stream-specification StreamEnabled=true,StreamViewType={_BOTH}"
        turn_on = f"aws dynamodb update-table --table-name {name} {wanted}"
        if not said.get("StreamEnabled"):
            return f"the table has no stream: {turn_on}"
        if self.followed.before_images and view != _BOTH:
            return f"`images: both` needs items as they were before, and the stream has {view}: {turn_on}"
        if view not in _WHOLE:
            return f"the stream has {view}, no items as they are after a change: turn it off, and then {turn_on}"
        return None

    def _look(self) -> dict[str, Any]:
        if self._table is None:
            try:
                found = self.source.client.describe_table(TableName=self.followed.table.name.name)
            except (ClientError, BotoCoreError) as error:
                raise self.source.translate(error) from None
            self._table = found["Table"]
        return self._table

    @property
    def _arn(self) -> str:
        return str(self._look().get("LatestStreamArn") or "")

    def now(self, since: Position | None = None) -> Position:
        time = self._time()
        if since is not None:
            place = Place.of(since.text)
            return Position(str(Place(max(time, place.time + 1), place.shards)), self._arn)
        try:
            return Position(str(Place.beginning_now(time, shards_of(self.source.streams, self._arn))), self._arn)
        except (ClientError, BotoCoreError) as error:
            raise self.source.translate(error) from None

    def _time(self) -> int:
        """The service's own time in milliseconds, which its records have too."""
        try:
            said = self.source.streams.describe_stream(StreamArn=self._arn, Limit=1)
        except (ClientError, BotoCoreError) as error:
            raise self.source.translate(error) from None
        date = said["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
        found = parsedate_to_datetime(date) if date else datetime.now().astimezone()
        return int(found.timestamp() * 1000)

    def is_past(self, moment: datetime) -> bool:
        return utc_now() - moment >= _NEAR_REAL_TIME

    def alive(self, since: Position) -> str | None:
        if since.log != self._arn:
            return (
                "its stream was turned off and on again, or the table made anew, and changes between are in no stream"
            )
        if not (self._look().get("StreamSpecification") or {}).get("StreamEnabled"):
            return "its stream is turned off: changes since then are in no stream"
        place = Place.of(since.text)
        try:
            listed = shards_of(self.source.streams, self._arn)
            lost = place.lost(listed, self._time())
            if lost is None and self._time() - place.time > KEPT_MS:
                self._stream(place).probe(listed)
        except PositionLost as error:
            return str(error)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == MISSING:
                return "its stream is gone: one that was turned off is kept for 24 hours"
            raise self.source.translate(error) from None
        return lost

    def _stream(self, place: Place) -> Stream:
        return Stream(self.source.streams, self._arn, str(self.followed.table.name), place, place.time)

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        return (StreamChanges(self._arn, since.text, Place.of(until.text).time, self.followed.before_images),)

    def notes(self, *, waits: bool = False) -> tuple[str, ...]:
        return ("its stream keeps changes for 24 hours: a run that comes later stops, and asks for --full-refresh",)


def rows_of(changes: Iterator[Change], *, before: bool) -> Iterator[Row]:
    """The rows of raw, in the order of the changes: "B" for an item as it was, where that is asked for."""
    for change in changes:
        if change.kind == "REMOVE":
            yield Row("D", f"{change.position}.1", change.keys, change.old if before else None, change.size)
            continue
        if change.new is None:
            raise PositionLost(
                "the stream no longer has items as they are after a change: it was turned off and on again"
            )
        if before and change.old is not None:
            yield Row("B", f"{change.position}.0", change.keys, change.old, change.size)
        yield Row("U", f"{change.position}.1", change.keys, change.new, change.size)


def read(source: DynamoDb, request: ReadRequest, changes: StreamChanges) -> Buffer:
    """The changes of a request. `Buffer.reached`: where to go on."""
    if request.table is None or request.where or request.kept or request.limit is not None or request.split:
        raise ReadError("a stream gives all changes of a table, in their order, without conditions")
    shape = Shape(request, source.key(request.table), marked=True)
    stream = Stream(source.streams, changes.arn, str(request.table), Place.of(changes.since), changes.until)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from shape.batches(rows_of(stream.changes(), before=changes.before))
        buffer.reached = Position(str(stream.reached))

    buffer = Buffer(shape.schema, batches(), translate=source.translate)
    return buffer
