"""A place in a DynamoDB stream: for each shard at its end, up to where it was read; and a time in front that grows.

A shard is an open part of the log; once closed, others go on, which name it as their parent. A place keeps the last
shards of each line alone: whatever a listed shard descends from was read to its end.
DynamoDB Developer Guide, "Change data capture for DynamoDB Streams"; API "DescribeStream".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

FORM = r"\d{15} \{.*\}"
# How far a shard was read: to its end; from its beginning on; behind what was written before a time ("@", in
# milliseconds); else behind a sequence number.
END, BEGINNING, SINCE = "end", "", "@"
# A stream keeps what it has for 24 hours; one hour less, since clocks and reads are not exact.
KEPT_MS = 23 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as the stream lists it."""

    id: str
    parent: str | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """time: when it was taken, in milliseconds since 1970. shards: how far each was read."""

    time: int
    shards: Mapping[str, str]

    @classmethod
    def of(cls, text: str) -> Place:
        time, _, shards = text.partition(" ")
        return cls(int(time), json.loads(shards))

    @classmethod
    def beginning_now(cls, time: int, listed: Sequence[Shard]) -> Place:
        """That of a snapshot which is read after this: what is written from now on, and nothing before."""
        parents = {shard.parent for shard in listed}
        last = [shard for shard in listed if shard.id not in parents]
        return cls(time, {shard.id: END if shard.closed else f"{SINCE}{time}" for shard in last})

    def __str__(self) -> str:
        return f"{self.time:015d} {json.dumps(dict(self.shards), sort_keys=True, separators=(',', ':'))}"

    def lost(self, listed: Sequence[Shard], now: int) -> str | None:
        """Why what is behind this place is not all there any longer, as far as the list of shards tells."""
        there = {shard.id: shard for shard in listed}
        continued = {shard.parent for shard in listed}
        old = now - self.time > KEPT_MS
        for name, read in self.shards.items():
            if read == END and (name in there or name in continued or not old):
                continue
            if name not in there:
                return f"its shard {name} is gone: a stream keeps changes for 24 hours, and el has to run more often"
            if old and (read == BEGINNING or read.startswith(SINCE)):
                return "it is older than the 24 hours for which a stream keeps changes: el has to run more often"
        known = self._known(there)
        for shard in listed:
            if shard.id not in known and shard.parent is not None and shard.parent not in {*there, *self.shards}:
                return f"the shard {shard.parent}, which {shard.id} goes on from, is gone before it was read"
        return None

    def unread(self, listed: Sequence[Shard]) -> list[tuple[Shard, str]]:
        """The shards that may have more, and from where."""
        there = {shard.id: shard for shard in listed}
        known = self._known(there)
        wanted = [(there[name], read) for name, read in self.shards.items() if read != END and name in there]
        wanted += [(shard, BEGINNING) for shard in listed if shard.id not in known]
        return wanted

    def moved(self, time: int, read: Mapping[str, str], listed: Sequence[Shard]) -> Place:
        """The place after so much was read of these shards. One that was read to its end gives way to its children."""
        there = {shard.id: shard for shard in listed}
        shards = {**self.shards, **read}
        above = {ancestor for name in shards if name in there for ancestor in _ancestors(there[name], there)}
        return Place(time, {name: how for name, how in shards.items() if name not in above})

    def _known(self, there: Mapping[str, Shard]) -> set[str]:
        """The listed shards that are in this place, or that one in it descends from."""
        found = set(self.shards)
        for name in self.shards:
            if name in there:
                found |= set(_ancestors(there[name], there))
        return found


def _ancestors(shard: Shard, there: Mapping[str, Shard]) -> Iterator[str]:
    """From the parent on, the last one also where it is not listed any longer."""
    at: Shard | None = shard
    while at is not None and at.parent is not None:
        yield at.parent
        at = there.get(at.parent)
