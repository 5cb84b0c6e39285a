"""A slice: the unit of work. A small picklable value that any `concurrent.futures` executor can run.

Guarantees: what `run()` returns are whole, closed parquet files with every row of the slice exactly once; a slice
that fails or is cancelled leaves no file behind; a retryable error is tried again from the slice's own beginning.
Memory is bounded by a few record batches, whatever the table's size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from el.config.pace import Pace
from el.config.profiles import Output
from el.connectors.base import Source
from el.connectors.registry import open_source
from el.connectors.request import OP_READ, ColumnRead, ReadRequest
from el.errors import ElError, LoadError, RowRefused
from el.extraction.fingerprint import RowHash, RowHasher
from el.extraction.retry import retrying
from el.extraction.watch import Watch
from el.planning.columns import ClockColumns, TableComment
from el.planning.keys import KEY_FIELD, KeyRule
from el.planning.strategies.position import sortable
from el.types.limits import Limits, maybe_replaced, refuse_misfits, refuse_surrogates
from el.types.times import clock_text

# Raised by `sys.audit` at each step of a run, with the step's name: whoever traces a run, or stops one at a given
# step to see that the next one completes it, listens with `sys.addaudithook`.
STEP = "el.step"

LOAD_ID = "_dlt_load_id"
LANDING = (
    pa.field(LOAD_ID, pa.string()),
    pa.field("_el_op", pa.string()),
    pa.field("_el_position", pa.string()),
    pa.field("_el_extracted_at", pa.timestamp("us")),
)


def raw_columns(schema: pa.Schema, equal: KeyRule | None) -> pa.Schema:
    """These source columns and what raw holds behind them: the key where it does not compare by bytes, and where a
    row is from."""
    return pa.schema([*schema, *([KEY_FIELD] if equal else []), *LANDING])


# Rows are gathered to about this much before they become a row group: small groups cost every later reader.
ROW_GROUP_BYTES = 24 * 1024 * 1024

Progress = Callable[[str, int, int], None]
"""(table, rows, bytes) of a batch that was just written."""


def _now() -> datetime:
    """UTC without a zone, as raw holds it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Cancelled(ElError):
    """The run was interrupted; what was loaded stays valid."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A closed parquet file: rows in it, bytes of it on disk."""

    path: Path
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LandedTable:
    """A raw table's part of a package: its full schema with the landing columns, its files, what raw says of it."""

    name: str
    schema: pa.Schema
    files: tuple[LandedFile, ...]
    comment: TableComment | None = None


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What a slice brought. `bytes`: of the data as Arrow. Times in UTC. reached: `Buffer.reached`.

    hashed: of the rows, where it was asked for.
    """

    files: tuple[LandedFile, ...]
    rows: int
    bytes: int
    started: datetime
    finished: datetime
    attempts: int
    reached: str | None = None
    hashed: RowHash | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """One read of one table into landing files.

    schema: the source columns as raw shall hold them; the landing columns are added behind. op: "S" or "U",
    unless a row brings its own as OP_READ. position: the buffer's column that orders the rows; it is dropped unless
    `schema` has it. pace: how fast, and when not. key, limits: what names a row that is refused, and what refuses it.
    exact_bytes: for text that the driver may have changed, the column in raw and the read that gives its bytes, asked
    for only once U+FFFD was seen in it.
    clocks: times that are put together from parts. hashed: whether the rows are hashed too, to tell them from others.
    watch: what stops the read while it is at work.
    equal: how the key compares, where that is not by bytes.
    """

    connection: Output
    table: str
    stem: str
    request: ReadRequest
    schema: pa.Schema
    load_id: str
    op: str
    position: str | None
    directory: Path
    file_bytes: int
    retries: int
    key: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    exact_bytes: tuple[tuple[str, ColumnRead], ...] = ()
    clocks: tuple[tuple[str, ClockColumns], ...] = ()
    pace: Pace = field(default_factory=Pace)
    hashed: bool = False
    watch: Watch = field(default_factory=Watch)
    equal: KeyRule | None = None

    def run(
        self, progress: Progress | None = None, cancelled: Event | None = None, source: Source | None = None
    ) -> SliceResult:
        """Read and write it all. Raises the `ElError` that was met, `Cancelled` when told to stop.

        source: a connection that is open already, on which nothing is tried twice: its transaction would be another.
        """
        self.pace.begin(self.table)
        if source is not None:
            return self._settled(progress, cancelled, 1, source)
        for attempt in retrying(self.retries, sleep=cancelled.wait if cancelled is not None else time.sleep):
            with attempt:
                return self._settled(progress, cancelled, attempt.retry_state.attempt_number)
        raise AssertionError("unreachable")

    def _settled(
        self, progress: Progress | None, cancelled: Event | None, attempt: int, source: Source | None = None
    ) -> SliceResult:
        """Read it; where text is in doubt, from the beginning again with its bytes beside, in the same statement."""
        doubts: tuple[tuple[str, ColumnRead], ...] = ()
        while True:
            try:
                return self._run(progress, cancelled, attempt, doubts, source)
            except _InDoubt as doubt:
                # A second column in doubt is not the last one: then all are read so, and there is no third time.
                doubts = self.exact_bytes if doubts else doubt.columns

    def _run(
        self,
        progress: Progress | None,
        cancelled: Event | None,
        attempt: int,
        doubts: tuple[tuple[str, ColumnRead], ...],
        shared: Source | None = None,
    ) -> SliceResult:
        started, clock = _now(), time.monotonic()
        landing = _LandingFiles(self, raw_columns(self.schema, self.equal))
        request = replace(self.request, columns=(*self.request.columns, *(read for _, read in doubts)))
        # One batch is written while the driver fetches the next: never more than the two in memory.
        writer = ThreadPoolExecutor(1, thread_name_prefix="el-write")
        writing: Future[None] | None = None
        rows = size = 0
        sys.audit(STEP, "slice begun")
        try:
            opened = (
                open_source(self.connection.settings, str(self.connection)) if shared is None else nullcontext(shared)
            )
            sleep = cancelled.wait if cancelled is not None else time.sleep
            with opened as source, source.read_buffer(request) as buffer:
                look = self.watch.begin(self.table, source, self.connection)
                for batch in buffer:
                    if cancelled is not None and cancelled.is_set():
                        raise Cancelled(f"{self.table}: interrupted")
                    if writing is not None:
                        writing.result()
                    writing = writer.submit(landing.write, batch, started)
                    sys.audit(STEP, "batch read")
                    rows += batch.num_rows
                    size += batch.nbytes
                    if progress is not None:
                        progress(self.table, batch.num_rows, batch.nbytes)
                    look()
                    if not self.pace.after:
                        self.pace.keep(rows, time.monotonic() - clock, sleep)
            if writing is not None:
                writing.result()
            if self.pace.after:
                self.pace.keep(rows, time.monotonic() - clock, sleep)
            files = landing.close()
            sys.audit(STEP, "slice finished")
        except BaseException as error:
            writer.shutdown(wait=True)
            landing.discard()
            if progress is not None:
                progress(self.table, -rows, -size)
            if isinstance(error, OSError):
                why = error.strerror or str(error)
                raise LoadError(f"{self.table}: cannot write landing files in {self.directory}: {why}") from None
            raise
        finally:
            writer.shutdown(wait=True)
        reached = buffer.reached.text if buffer.reached else None
        return SliceResult(files, rows, size, started, _now(), attempt, reached, landing.hashed)

    def land(self, batch: pa.RecordBatch, extracted_at: datetime) -> pa.RecordBatch:
        """A batch as raw holds it: columns cast to their landing types, the landing columns behind."""
        columns = []
        keys = [(name, batch.column(name)) for name in self.key if name in batch.schema.names]
        self._look_for_doubt(batch, keys)
        clocks = dict(self.clocks)
        kept = pc.not_equal(batch.column(OP_READ), "D") if self.request.kept else None
        for name, type_ in zip(self.schema.names, self.schema.types, strict=True):
            column = _time(clocks[name], batch, name) if name in clocks else batch.column(name)
            if kept is not None and name not in self.key:
                # What the filters leave out does not land, but for the key of a row that they took before.
                column = pc.if_else(kept, column, pa.scalar(None, column.type))
            if column.type != type_:
                try:
                    column = column.cast(type_)
                except pa.ArrowInvalid as error:
                    raise RowRefused(f"{self.table}.{name}: a value does not fit {type_}: {error}") from None
            refuse_misfits(self.limits, self.table, name, column, keys)
            columns.append(column)
        if self.equal is not None:
            columns.append(self.equal.of(dict(zip(self.schema.names, columns, strict=True)).__getitem__))
        position: pa.Array = pa.nulls(batch.num_rows, pa.string())
        if self.position is not None:
            clock = clocks.get(self.position)
            order = _time(clock, batch, self.position, utc=True) if clock else batch.column(self.position)
            position = sortable(order)
        columns += [
            pa.repeat(pa.scalar(self.load_id), batch.num_rows),
            batch.column(OP_READ).cast(pa.string())
            if OP_READ in batch.schema.names
            else pa.repeat(pa.scalar(self.op), batch.num_rows),
            position,
            pa.repeat(pa.scalar(extracted_at, LANDING[3].type), batch.num_rows),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=raw_columns(self.schema, self.equal))

    def _look_for_doubt(self, batch: pa.RecordBatch, keys: Sequence[tuple[str, pa.Array]]) -> None:
        doubted = []
        for name, read in self.exact_bytes:
            if read.name in batch.schema.names:
                refuse_surrogates(self.table, name, batch.column(name), batch.column(read.name), keys)
            elif maybe_replaced(batch.column(name)):
                doubted.append((name, read))
        if doubted:
            raise _InDoubt(tuple(doubted))


def _time(parts: ClockColumns, batch: pa.RecordBatch, name: str, *, utc: bool = False) -> pa.Array:
    seventh = batch.column(parts.seventh) if parts.seventh else None
    offset = batch.column(parts.offset) if parts.offset else None
    return clock_text(parts.clock, batch.column(name), seventh, offset, utc=utc)


class _InDoubt(Exception):
    """The text of these columns holds U+FFFD: their bytes must tell whether the source has it."""

    def __init__(self, columns: tuple[tuple[str, ColumnRead], ...]) -> None:
        super().__init__([name for name, _ in columns])
        self.columns = columns


class _LandingFiles:
    """Parquet files that are closed at a size, named after the slice."""

    def __init__(self, work: Slice, schema: pa.Schema) -> None:
        self._work = work
        self._schema = schema
        self._files: list[LandedFile] = []
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._writer: pq.ParquetWriter | None = None
        self._sink: pa.NativeFile | None = None
        self._path: Path | None = None
        self._rows = 0
        self.hashed = RowHash() if work.hashed else None
        self._hasher = RowHasher() if work.hashed else None

    def write(self, read: pa.RecordBatch, extracted_at: datetime) -> None:
        batch = self._work.land(read, extracted_at)
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        if self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush()
            if self._sink is not None and self._sink.tell() >= self._work.file_bytes:
                self._finish()

    def close(self) -> tuple[LandedFile, ...]:
        self._flush()
        self._finish()
        if self._hasher is not None:
            self._hasher.close()
        return tuple(self._files)

    def discard(self) -> None:
        self._waiting.clear()
        if self._hasher is not None:
            self._hasher.close()
        if self._writer is not None:
            self._writer.close()
        if self._sink is not None:
            self._sink.close()
        for path in [*(file.path for file in self._files), *([self._path] if self._path else [])]:
            path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting, schema=self._schema)
        if self._writer is None:
            self._path = self._work.directory / f"{self._work.stem}-{len(self._files):04d}.parquet"
            self._sink = pa.OSFile(str(self._path), "wb")
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                compression="snappy",
                use_dictionary=_repetitive(table),
                write_statistics=False,
            )
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        if self._hasher is not None and self.hashed is not None:
            self.hashed += self._hasher.of(table.select(self._work.schema.names))
        self._rows += table.num_rows
        self._waiting.clear()
        self._waiting_bytes = 0

    def _finish(self) -> None:
        if self._writer is None or self._sink is None or self._path is None:
            return
        self._writer.close()
        size = self._sink.tell()
        self._sink.close()
        self._files.append(LandedFile(self._path, self._rows, size))
        self._writer = self._sink = self._path = None
        self._rows = 0


def _repetitive(table: pa.Table) -> list[str]:
    """The text columns worth a dictionary, by a sample: looking up what hardly repeats costs most of the writing."""
    sample = table.slice(0, 10_000)
    return [
        field.name
        for field, column in zip(sample.schema, sample.columns, strict=True)
        if pa.types.is_string(field.type) and pc.count_distinct(column).as_py() * 10 <= sample.num_rows
    ]
