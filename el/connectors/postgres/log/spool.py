"""A slot's log, read once for all tables of a run; and the state of the database that their snapshots share.

Guarantees: whichever slice asks first has the log decoded up to the position of the run, and the others take their
part of it from a file that has no name, so that nothing is left of it after a kill. Memory does not grow with the log.
The slices of other processes read the slot on their own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from threading import Lock
from typing import Any

from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.log.lsn import lsn_number
from el.connectors.postgres.log.pgoutput import Begin, Truncate, decode
from el.connectors.postgres.log.slots import Exported, control, export, peek
from el.errors import ElError, PositionLost, ReadError

Translate = Callable[[Exception], ElError]
_HEAD = Struct("!QII")  # where the commit's record begins, the number in the transaction, the length
_PART = 256 * 1024


@dataclass(frozen=True, slots=True)
class Span:
    """The log of one slot from where it begins up to a place."""

    system: str  # of the server
    slot: str
    publication: str
    until: int


class Spool:
    """The messages of a span, table by table, in the order of commits."""

    def __init__(self) -> None:
        self.begins = 0  # what lies before this is not here
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._end = 0
        self._pending: dict[int, bytearray] = {}
        self._parts: dict[int, list[tuple[int, int]]] = {}

    def add(self, table: int, commit: int, number: int, data: bytes) -> None:
        pending = self._pending.setdefault(table, bytearray())
        pending += _HEAD.pack(commit, number, len(data))
        pending += data
        if len(pending) >= _PART:
            self._write(table)

    def finish(self) -> None:
        for table in list(self._pending):
            self._write(table)

    def _write(self, table: int) -> None:
        pending = self._pending.pop(table)
        self._file.write(pending)
        self._parts.setdefault(table, []).append((self._end, len(pending)))
        self._end += len(pending)
        self._file.flush()

    def of(self, table: int, since: int) -> Iterator[tuple[int, int, bytes]]:
        """The messages of a table from `since` on: place of the commit, number in the transaction, bytes.

        What says how its rows are made up comes whatever its place.
        """
        for begin, length in self._parts.get(table, ()):
            data, at = os.pread(self._file.fileno(), length, begin), 0
            if len(data) != length:
                raise ReadError("the file with the log's changes was cut")
            while at < length:
                commit, number, size = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                message = data[at : at + size]
                at += size
                if commit >= since or message[:1] == b"R":
                    yield commit, number, message


@dataclass
class _Shared:
    """What the slices of this process share; `lock` is held by the one that makes it."""

    of: object
    lock: Lock = field(default_factory=Lock)
    made: Any = None


_spools: dict[tuple[str, str], _Shared] = {}
_states: dict[tuple[str, str], _Shared] = {}
_guard = Lock()


def _shared(kept: dict[tuple[str, str], _Shared], place: tuple[str, str], of: object) -> _Shared:
    """The one for `of`; what another run left in its place is let go."""
    with _guard:
        found = kept.get(place)
        if found is None or found.of != of:
            if found is not None and isinstance(found.made, Exported):
                found.made.close()
            found = kept[place] = _Shared(of)
        return found


def spool_of(config: PostgresConfig, translate: Translate, span: Span) -> Spool:
    """The span's changes. Raises `PositionLost` where the slot has none to give any longer."""
    shared = _shared(_spools, (span.system, span.slot), span)
    with shared.lock:
        if shared.made is None:
            shared.made = _spooled(config, translate, span)
        found: Spool = shared.made
        return found


def _spooled(config: PostgresConfig, translate: Translate, span: Span) -> Spool:
    spool = Spool()
    with control(config, translate) as session:
        commit = number = 0
        for data in peek(session, span.slot, span.publication, span.until, "BRIUDT"):
            kind = data[:1]
            if kind == b"B":
                begin = decode(data)
                assert isinstance(begin, Begin)
                commit, number = begin.commit, 0
                continue
            if commit >= span.until:
                # The server ends behind the record at which the span ends, which may be another commit's.
                continue
            number += 1
            for table in _tables(data):
                spool.add(table, commit, number, data)
        rows = session.execute(
            "SELECT confirmed_flush_lsn::text FROM pg_catalog.pg_replication_slots WHERE slot_name = %s", (span.slot,)
        ).fetchall()
        if not rows:
            raise PositionLost(f"replication slot {span.slot} is gone")
        # Asked for after the read, which so began here or before.
        spool.begins = lsn_number(str(rows[0][0]))
    spool.finish()
    return spool


def _tables(data: bytes) -> tuple[int, ...]:
    if data[:1] in b"RIUD":
        return (int.from_bytes(data[1:5], "big"),)
    message = decode(data)
    assert isinstance(message, Truncate)
    return message.relations


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the slices of one run join one state. token: of the run."""

    system: str
    slot: str
    token: str


def state_of(config: PostgresConfig, translate: Translate, meeting: Meeting, there: Callable[[], bool]) -> Exported:
    """The state that all snapshots of a run see, and its place in the log; made by the first of them.

    there: whether the slot is there already. Else it is made, and begins at that very place; a slot that is there keeps
    the log from an earlier place on, and one that lasts as long as the state tells its place.
    """
    shared = _shared(_states, (meeting.system, meeting.slot), meeting)
    with shared.lock:
        if shared.made is None or shared.made.session.closed:
            shared.made = export(config, translate, meeting.slot, meeting.token if there() else None)
        found: Exported = shared.made
        return found


def forget_state(meeting: Meeting) -> None:
    """The next slice makes another one: this one cannot be joined any longer."""
    shared = _shared(_states, (meeting.system, meeting.slot), meeting)
    with shared.lock:
        if shared.made is not None:
            shared.made.close()
            shared.made = None


def let_go(system: str, slot: str) -> None:
    """What was shared of this slot is not needed any longer."""
    with _guard:
        _spools.pop((system, slot), None)
        found = _states.pop((system, slot), None)
    if found is not None and found.made is not None:
        found.made.close()


def truncated(config: PostgresConfig, translate: Translate, slot: str, publication: str, table: int) -> list[int]:
    """The places of the commits that took away all rows of the table at once."""
    found = []
    with control(config, translate) as session:
        commit = 0
        for data in peek(session, slot, publication, None, "BT"):
            message = decode(data)
            if isinstance(message, Begin):
                commit = message.commit
            elif isinstance(message, Truncate) and table in message.relations:
                found.append(commit)
    return found
