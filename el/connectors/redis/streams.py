"""A stream as a log of its entries: an exact cursor by their ids, and by how many were ever added.

Redis counts what is added (XINFO STREAM, `entries-added`, Redis 7): so many entries stand behind a position, or some
were trimmed or deleted before they were read, and that is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from el.connectors.abilities import ChangeFeed
from el.connectors.misfits import Misfits
from el.connectors.redis.config import KeyType
from el.connectors.redis.keys import PAGE, Held, behind
from el.connectors.redis.rows import plain_id, sortable_id
from el.connectors.redis.tables import FEED
from el.connectors.request import FeedRead, Position
from el.errors import PositionLost

NONE = sortable_id(b"0-0")


@dataclass(frozen=True, slots=True)
class Entries(FeedRead):
    """The entries behind one id, up to another one. expected: how many there are; None: the server does not count."""

    after: str
    until: str
    expected: int | None

    def __str__(self) -> str:
        return f"the entries behind {plain_id(self.after)} up to {plain_id(self.until)}"


@dataclass(frozen=True, slots=True)
class StreamState:
    """What the server says of a stream now. added: how many entries it ever had; None: it does not count them."""

    first: str | None
    last: str
    length: int
    added: int | None
    exists: bool = True

    @classmethod
    def of(cls, node: Any, key: bytes) -> StreamState:
        try:
            found = node.execute_command("XINFO", "STREAM", key)
        except ResponseError as error:
            if "no such key" not in str(error).lower():
                raise
            return cls(None, NONE, 0, 0, exists=False)
        said = dict(zip(found[::2], found[1::2], strict=True))
        first = said.get(b"first-entry")
        added = said.get(b"entries-added")
        return cls(
            sortable_id(first[0]) if first else None,
            sortable_id(said[b"last-generated-id"]),
            int(said[b"length"]),
            None if added is None else int(added),
        )

    def position(self, key: str) -> Position:
        """Where this stream, of this key, ends."""
        return Position(f"{self.last}.{self.added or 0:020d}", log=f"stream {key}")


class Stream(ChangeFeed):
    """Each entry that was added."""

    name = FEED
    counts = "entry id"
    form = r"\d{20}-\d{20}\.\d{20}"
    guarantee = "each entry once, in the order of ids; one that was removed before it was read is an error"
    reason = "a stream keeps its entries in order"
    automatic = True
    shows_deletes = False

    def obstacle(self) -> str | None:
        if not self.followed.table.kept_by(self.name):
            return "a table is followed that is one stream (`stream` in the profile's `tables`)"
        return None

    def now(self, since: Position | None = None) -> Position:
        found = self._state().position(self._key)
        return since if since is not None and since.text == found.text else found

    def alive(self, since: Position) -> str | None:
        after, added = since.text.partition(".")[0], int(since.text.partition(".")[2])
        if since.log not in (None, f"stream {self._key}"):
            return f"the profile names the stream {self._key} now, and raw has that of {since.log}"
        now = self._state()
        if not now.exists and after != NONE:
            return "the stream is not there any longer"
        if now.last < after or (now.added is not None and now.added < added):
            return f"the stream ends at {plain_id(now.last)}, and raw has {plain_id(after)}: it was made anew"
        if now.last == after or (now.first is not None and now.first <= after):
            return None
        missing = None if now.added is None else now.added - added - now.length
        if missing == 0:
            return None
        if missing is not None and missing < 0:
            return f"the stream has more entries than were added behind {plain_id(after)}: it was made anew"
        some = "entries" if missing is None else f"{missing:,} entries"
        return f"{some} behind {plain_id(after)} were trimmed or deleted before they were read"

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        (after, _, before), (last, _, added) = since.text.partition("."), until.text.partition(".")
        counted = self._state().added is not None
        return (Entries(after, last, int(added) - int(before) if counted else None),)

    @property
    def _key(self) -> str:
        return str(self.source.key_table(self.followed.table.name).stream)

    def _state(self) -> StreamState:
        found: StreamState = self.source.stream_state(self.followed.table.name)
        return found


def entries(node: Any, key: bytes, read: Entries, misfits: Misfits | None = None) -> Iterator[Held]:
    """The entries, in pages. Where some of them are gone by now: raises `PositionLost`; with `misfits`, of a snapshot,
    they are counted there."""
    after = behind(plain_id(read.after).encode())
    count = 0
    while page := node.execute_command("XRANGE", key, after, plain_id(read.until), "COUNT", PAGE):
        count += len(page)
        yield Held(key, KeyType.STREAM, page)
        after = behind(page[-1][0])
    if misfits is not None and read.expected is not None:
        gone = "an entry that was trimmed or deleted while the stream was read"
        misfits.add("id", read.expected - count, gone, f"{key!r}", left_out=True)
    elif read.expected is not None and count != read.expected:
        raise PositionLost(
            f"of {read.expected:,} entries behind {plain_id(read.after)}, {count:,} are there: some were trimmed or "
            "deleted before they were read; run --full-refresh begins anew with a snapshot"
        )
