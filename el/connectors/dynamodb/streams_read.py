"""The records of a stream behind a place, shard by shard, each line of them from its parent on.

Guarantees: a record comes once, those of one key in the order in which they were written; a child is read once its
parent has ended, and never before. What the stream no longer has is a `PositionLost`. A shard that is open has no end:
it is left after so many empty answers, or at a record that was written after the window's time, and the rest comes with
the next run. DynamoDB Streams API, "GetShardIterator", "GetRecords": an answer may be empty though more follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from el.connectors.dynamodb.client import LOGGERS
from el.connectors.dynamodb.errors import code_of
from el.connectors.dynamodb.streams_position import BEGINNING, END, SINCE, Place, Shard
from el.errors import PositionLost
from el.secrets.unheard import unheard

# Answers without a record, one behind the other, after which an open shard has no more for now.
EMPTY_ANSWERS = 10
# Of what was written so long before a snapshot began, its reads have each change.
MARGIN_MS = 5 * 60 * 1000
_LOST = {
    "TrimmedDataAccessException": "the stream keeps changes for 24 hours, and some behind raw's position are gone",
    "ResourceNotFoundException": "the stream, or a shard of it, is gone",
}
_EXPIRED = "ExpiredIteratorException"


@dataclass(frozen=True, slots=True)
class Change:
    """One record. position: its place in the order of one window."""

    kind: str  # INSERT, MODIFY or REMOVE
    position: str
    keys: dict[str, Any]
    new: dict[str, Any] | None
    old: dict[str, Any] | None
    size: int


@dataclass(slots=True)
class Stream:
    """One reading of a stream. `read`: how far, of each shard; it grows with the changes. until: the time up to which,
    in milliseconds."""

    client: Any
    arn: str
    table: str
    since: Place
    until: int
    read: dict[str, str] = field(default_factory=dict)
    listed: tuple[Shard, ...] = ()
    _depths: dict[str, int] = field(default_factory=dict)  # how many shards above one were read in this window

    @property
    def reached(self) -> Place:
        """Where to go on, once all changes were taken."""
        return self.since.moved(self.until, self.read, self.listed)

    def changes(self) -> Iterator[Change]:
        """Raises `PositionLost`."""
        begun: set[str] = set()
        while True:
            self.listed = shards_of(self.client, self.arn)
            place = Place(self.since.time, self.reached.shards)
            if (lost := place.lost(self.listed, self.since.time)) is not None:
                self._lose(lost)
            ready = [each for each in self._ready(place) if each[0].id not in begun]
            if not ready:
                return
            for shard, since in ready:
                begun.add(shard.id)
                self.read[shard.id] = since
                yield from self._of_shard(shard, since)

    def probe(self, listed: tuple[Shard, ...]) -> None:
        """Whether the records that were read last are still there. Raises `PositionLost`."""
        for shard, since in self.since.unread(listed):
            self._iterator(shard, since)

    def _ready(self, place: Place) -> list[tuple[Shard, str]]:
        """Those of which each parent has ended."""
        unread = place.unread(self.listed)
        waiting = {shard.id for shard, _ in unread}
        return [(shard, since) for shard, since in unread if shard.parent not in waiting]

    def _of_shard(self, shard: Shard, since: str) -> Iterator[Change]:
        depth = self._depths[shard.id] = self._depths.get(shard.parent or "", -1) + 1
        not_before = int(since.removeprefix(SINCE)) - MARGIN_MS if since.startswith(SINCE) else 0
        iterator: str | None = self._iterator(shard, since)
        empty = 0
        while iterator is not None:
            try:
                answer = self._asked(self.client.get_records, ShardIterator=iterator)
            except ClientError as error:
                if code_of(error) != _EXPIRED:
                    raise
                iterator = self._iterator(shard, self.read[shard.id])
                continue
            records = answer["Records"]
            for record in records:
                found = record["dynamodb"]
                written = int(found["ApproximateCreationDateTime"].timestamp() * 1000)
                # It is in whole seconds.
                if written > self.until + 1000:
                    return
                number = found["SequenceNumber"]
                if written >= not_before:
                    yield _change(record, f"{self.until:015d}.{depth:04d}.{number:0>40}")
                self.read[shard.id] = number
            empty = 0 if records else empty + 1
            iterator = answer.get("NextShardIterator")
            if empty >= EMPTY_ANSWERS and iterator is not None and not shard.closed:
                return
        self.read[shard.id] = END

    def _iterator(self, shard: Shard, since: str) -> str:
        options = {"ShardIteratorType": "TRIM_HORIZON"}
        if since != BEGINNING and not since.startswith(SINCE):
            options = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": since}
        answer = self._asked(self.client.get_shard_iterator, StreamArn=self.arn, ShardId=shard.id, **options)
        return str(answer["ShardIterator"])

    def _asked(self, call: Any, **arguments: Any) -> dict[str, Any]:
        try:
            with unheard(*LOGGERS):
                found: dict[str, Any] = call(**arguments)
        except ClientError as error:
            if (lost := _LOST.get(code_of(error))) is None:
                raise
            self._lose(lost)
        return found

    def _lose(self, why: str) -> NoReturn:
        raise PositionLost(
            f"{self.table}: {why}: its changes cannot be followed past that; run --full-refresh --select {self.table} "
            "begins anew with a snapshot"
        )


def shards_of(client: Any, arn: str) -> tuple[Shard, ...]:
    """All shards of a stream, as it lists them now."""
    found: list[Shard] = []
    more: dict[str, str] = {}
    while True:
        said = client.describe_stream(StreamArn=arn, **more)["StreamDescription"]
        for each in said.get("Shards", ()):
            closed = "EndingSequenceNumber" in each.get("SequenceNumberRange", {})
            found.append(Shard(each["ShardId"], each.get("ParentShardId"), closed))
        last = said.get("LastEvaluatedShardId")
        if last is None:
            return tuple(found)
        more = {"ExclusiveStartShardId": last}


def _change(record: dict[str, Any], position: str) -> Change:
    found = record["dynamodb"]
    return Change(
        record["eventName"],
        position,
        found["Keys"],
        found.get("NewImage"),
        found.get("OldImage"),
        found.get("SizeBytes", 0),
    )
