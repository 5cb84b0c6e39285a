"""The reads of a table that is followed in the log: its changes between two places, and the snapshot at one.

Guarantees: a value of the log is made a value again by the server, from the text that it wrote of it, and then read by
the very expression by which a snapshot reads the column: the two cannot differ. A change that does not fit the table as
it was planned stops it. Memory is that of one batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from el.connectors.buffer import Buffer
from el.connectors.postgres.driver import READS_ONE_MOMENT, literal
from el.connectors.postgres.log.facts import LoggedColumn
from el.connectors.postgres.log.lsn import lsn_text
from el.connectors.postgres.log.pgoutput import UNCHANGED, Change, Relation, Truncate, Unchanged, Values, decode
from el.connectors.postgres.log.slots import peek_statement, slot_of
from el.connectors.postgres.log.spool import Meeting, Span, Spool, forget_state, spool_of, state_of
from el.connectors.request import OP_READ, POSITION_READ, FeedRead, Position, ReadRequest
from el.connectors.sql.select import Statement
from el.errors import ElError, PositionLost, ReadError, RowRefused

if TYPE_CHECKING:
    from el.connectors.postgres import Postgres

# The text of one batch, at most: the server takes it apart in memory.
_TEXT = 8 * 1024 * 1024
# Types of which a value of the one is one of the other, as text: a column that became wider.
_LIKE = ({21, 23, 20}, {25, 1043})


@dataclass(frozen=True, slots=True)
class LoggedChanges(FeedRead):
    """The changes of transactions whose commits lie from `since` on and before `until`."""

    system: str
    slot: str
    publication: str
    since: int
    until: int
    relation: int  # OID of the table
    columns: tuple[LoggedColumn, ...]  # all that it has
    key: tuple[str, ...]  # where an update changes it, the former row comes as deleted
    before_images: bool

    def __str__(self) -> str:
        return f"slot {self.slot}, commits from {lsn_text(self.since)} on and before {lsn_text(self.until)}"


@dataclass(frozen=True, slots=True)
class MetState(FeedRead):
    """The table's rows, in the state that all snapshots of the run see."""

    meeting: Meeting
    log: str

    def __str__(self) -> str:
        return f"in the state at which slot {self.meeting.slot} is met"


def statement(source: Postgres, request: ReadRequest, changes: FeedRead) -> Statement:
    """The SQL, to be shown."""
    if isinstance(changes, LoggedChanges):
        return Statement(peek_statement(changes.slot, changes.publication, changes.until, "BRIUDT"))
    return source.statement(replace(request, changes=None))


def read(source: Postgres, request: ReadRequest, changes: FeedRead) -> Buffer:
    if isinstance(changes, MetState):
        return _snapshot(source, request, changes)
    assert isinstance(changes, LoggedChanges)
    span = Span(changes.system, changes.slot, changes.publication, changes.until)
    spool = spool_of(source.config, source.translate, span)
    if spool.begins > changes.since:
        raise PositionLost(
            f"{request.table}: replication slot {changes.slot} was advanced to {lsn_text(spool.begins)}, behind raw's "
            f"{lsn_text(changes.since)}"
        )
    work = _Changes(source, request, changes)
    batches = work.batches(spool)
    first = next(batches)
    return Buffer(first.schema, _with(first, batches), translate=source.translate)


def _with(first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from others


def _snapshot(source: Postgres, request: ReadRequest, met: MetState) -> Buffer:
    """The rows, in the state that this run's snapshots share."""

    def there() -> bool:
        found = slot_of(source.fetch, met.meeting.slot)
        if found is not None and found.wrong is not None:
            raise PositionLost(f"{request.table}: {found.wrong}")
        return found is not None

    state = state_of(source.config, source.translate, met.meeting, there)
    # The parts of a table are its rows within bounds: what they see is this state, and none of their own.
    statement_ = source.statement(replace(request, changes=None))
    plain = replace(request, changes=None, split=None)
    try:
        _join(source, state.name)
        buffer = source.stream(statement_, plain)
    except ElError as error:
        _leave(source)
        if "snapshot" not in str(error):
            raise
        forget_state(met.meeting)
        over = ReadError(f"the state of the snapshot is over: {error}", retryable=True)
    except BaseException:
        _leave(source)
        raise
    else:

        def close() -> None:
            buffer.close()
            _leave(source)

        place = Position(lsn_text(state.place), met.log)
        return Buffer(buffer.schema, iter(buffer), close=close, translate=source.translate, reached=place)
    raise over


def _join(source: Postgres, name: str) -> None:
    """See the state of this name from now on."""
    try:
        source.driver.transact(f"BEGIN {READS_ONE_MOMENT}")
        source.driver.transact(f"SET TRANSACTION SNAPSHOT {literal(name)}")
    except Exception as error:
        raise source.translate(error) from None


def _leave(source: Postgres) -> None:
    if source.is_open:
        with suppress(Exception):
            source.driver.transact("ROLLBACK")


@dataclass
class _Changes:
    """Takes the changes of one table out of a spool."""

    source: Postgres
    request: ReadRequest
    changes: LoggedChanges
    told: Relation | None = None  # how the rows that come are made up
    places: list[int | None] | None = None  # where each column's value stands in them

    def __post_init__(self) -> None:
        columns = self.changes.columns
        self.names = [column.name for column in columns]
        taken = {read.source for read in self.request.columns}
        self.taken = [number for number, column in enumerate(columns) if column.name in taken]
        self.key = [number for number, column in enumerate(columns) if column.name in self.changes.key]
        self.sql = self._sql()

    def _sql(self) -> tuple[str, str]:
        """What stands before and behind the rows, which are one JSON text."""
        quote = self.source.dialect.quote
        columns = self.changes.columns
        reads = [
            f"{(read.read_as or '{column}').replace('{column}', quote(read.source))} AS {quote(read.name)}"
            for read in self.request.columns
        ]
        reads += [f"{quote(OP_READ)}, {quote(POSITION_READ)}"]
        typed = [f"CAST(r.c{n} AS {columns[n].declared}) AS {quote(columns[n].name)}" for n in self.taken]
        typed += [f"r.o AS {quote(OP_READ)}, r.p AS {quote(POSITION_READ)}"]
        told = ", ".join([*(f"c{n} text" for n in self.taken), "o text", "p text"])
        before = f"SELECT {', '.join(reads)} FROM (SELECT {', '.join(typed)} FROM json_to_recordset('"
        return before, f"'::json) AS r ({told})) AS v"

    def batches(self, spool: Spool) -> Iterator[pa.RecordBatch]:
        """At least one, which may be empty."""
        rows: list[dict[str, str | None]] = []
        size = given = 0
        most, longest = self.request.batch_rows, min(_TEXT, self.request.batch_bytes)
        for length, found in self._rows(spool):
            rows += found
            size += length
            if len(rows) >= most or size >= longest:
                yield from self._made(rows)
                given += 1
                rows, size = [], 0
        if rows or not given:
            yield from self._made(rows)

    def _made(self, found: Sequence[dict[str, str | None]]) -> Iterator[pa.RecordBatch]:
        before, behind = self.sql
        rows = json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("'", "''")
        plain = replace(self.request, changes=None)
        with self.source.stream(Statement(f"{before}{rows}{behind}"), plain) as buffer:
            found = list(buffer)
        yield from found or [pa.RecordBatch.from_pylist([], schema=buffer.schema)]

    def _rows(self, spool: Spool) -> Iterator[tuple[int, list[dict[str, str | None]]]]:
        """The rows of each change, by the numbers of their columns; its length in front."""
        last, transaction = -1, ""
        for commit, number, data in spool.of(self.changes.relation, self.changes.since):
            message = decode(data)
            if commit != last:
                last, transaction = commit, lsn_text(commit)
            if isinstance(message, Change):
                yield len(data), self._changed(message, transaction, number)
            elif isinstance(message, Relation):
                self.told, self.places = message, None
            elif isinstance(message, Truncate):
                raise PositionLost(f"{self.request.table}: the table was truncated; the next run begins a new snapshot")

    def _changed(self, change: Change, transaction: str, number: int) -> list[dict[str, str | None]]:
        """An update may be two rows: their places are of the order of commits, then of that within one."""
        old = None if change.old is None else self._columns(change.old)
        place, behind = f"{transaction}-{2 * number:010d}", f"{transaction}-{2 * number + 1:010d}"
        if change.new is None:
            assert old is not None
            return [self._row(old, "D", place)]
        new = self._columns(change.new)
        if old is None:
            return [self._row(new, "U", behind)]
        if change.whole:
            new = [was if value is UNCHANGED else value for value, was in zip(new, old, strict=True)]
        moved = any(old[n] != new[n] for n in self.key)
        former = [self._row(old, "D" if moved else "B", place)] if moved or self.changes.before_images else []
        return [*former, self._row(new, "U", behind)]

    def _columns(self, values: Values) -> list[str | Unchanged | None]:
        """The values in the order of the table's columns; a column that was not there yet has none."""
        if self.places is None:
            if self.told is None:
                raise ReadError(f"{self.request.table}: the log has a change and does not say of which columns")
            self.places = self._match(self.told)
        return [None if at is None else values[at] for at in self.places]

    def _row(self, values: Sequence[str | Unchanged | None], op: str, place: str) -> dict[str, str | None]:
        row: dict[str, str | None] = {"o": op, "p": place}
        for number in self.taken:
            value = values[number]
            if value is UNCHANGED:
                raise RowRefused(
                    f"{self.request.table}.{self.names[number]}: an update left a large value alone, and the log does "
                    "not have it: ALTER TABLE ... REPLICA IDENTITY FULL, then run --full-refresh"
                )
            if value is not None:
                row[f"c{number}"] = value
        return row

    def _match(self, told: Relation) -> list[int | None]:
        """Where the planned columns stand in rows of this make. Raises `PositionLost` where they differ."""
        found: list[int | None] = []
        at = {column.name: number for number, column in enumerate(told.columns)}
        others = set(at) - set(self.names)
        for number, column in enumerate(self.changes.columns):
            place = at.get(column.name)
            if number not in self.taken or column.generated:
                found.append(place)
                continue
            if place is None and (others or column.filled):
                self._altered(f"column {column.name} was added or renamed")
            if place is not None and not _same_type(told.columns[place].type, column.type):
                self._altered(f"column {column.name} had another type")
            found.append(place)
        return found

    def _altered(self, how: str) -> Any:
        table = self.request.table
        raise PositionLost(
            f"{table}: the table was altered behind raw's {lsn_text(self.changes.since)} ({how}); run --full-refresh "
            f"--select {table} begins anew"
        )


def _same_type(told: int, planned: int) -> bool:
    return told == planned or any({told, planned} <= like for like in _LIKE)
