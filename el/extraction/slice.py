"""A slice: the unit of work. A small picklable value that any `concurrent.futures` executor can run.

Guarantees: what `run()` returns are whole, closed parquet files with every row of the slice exactly once; a slice
that fails or is cancelled leaves no file behind; a retryable error is tried again from the slice's own beginning.
Memory is bounded by a few record batches, whatever the table's size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from el.config.mask_key import MaskKey
from el.config.pace import Pace
from el.config.profiles import Output
from el.connectors.base import Source
from el.connectors.buffer import Buffer
from el.connectors.misfits import Misfit
from el.connectors.request import OP_READ, ColumnRead, ReadRequest
from el.errors import ElError, LoadError, RowRefused
from el.extraction.behind import WriteBehind
from el.extraction.digest import Way
from el.extraction.file_sizes import FileSizes
from el.extraction.fingerprint import RowHash
from el.extraction.keyed_mask import KeyedMask
from el.extraction.landing import LANDING, LandedFile, LandingFiles, raw_columns
from el.extraction.retry import retrying
from el.extraction.sessions import SessionLost, Sessions
from el.extraction.watch import Watch
from el.planning.columns import PartColumns
from el.planning.keys import KeyRule
from el.planning.strategies.position import sortable
from el.types.limits import Limits, maybe_replaced, refuse_misfits, refuse_surrogates
from el.types.present import utc_now
from el.types.times import time_text

# Raised by `sys.audit` at each step of a run, with the step's name: whoever traces a run, or stops one at a given
# step to see that the next one completes it, listens with `sys.addaudithook`.
STEP = "el.step"


Progress = Callable[[str, int, int], None]
"""(table, rows, bytes) of a batch that was just written."""


class Stop(Protocol):
    """What tells a slice to stop: an `Event`, or what stands for one of another process."""

    def is_set(self) -> bool:
        """Whether it shall stop."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait so many seconds, no longer than until it shall stop; whether it shall."""


class Cancelled(ElError):
    """The run was interrupted; what was loaded stays valid."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What a slice brought. Times in UTC."""

    files: tuple[LandedFile, ...]
    rows: int
    bytes: int  # of the data as Arrow
    started: datetime
    finished: datetime
    attempts: int
    reached: str | None = None  # `Buffer.reached`
    hashed: RowHash | None = None  # of the rows, where it was asked for
    misfits: tuple[Misfit, ...] = ()
    earlier: bool = False  # an earlier run read it


@dataclass(frozen=True, slots=True)
class Slice:
    """One read of one table into landing files."""

    connection: Output
    table: str
    stem: str
    request: ReadRequest
    schema: pa.Schema  # the source columns as raw shall hold them; the landing columns are added behind
    load_id: str
    op: str  # "S" or "U", unless a row brings its own as OP_READ
    position_column: str | None  # the buffer's column that orders the rows; it is dropped unless `schema` has it
    directory: Path
    sizes: FileSizes
    retries: int
    key: tuple[str, ...] = ()  # names a row that is refused
    limits: Limits = field(default_factory=Limits)  # what refuses it
    # For text that the driver may have changed, the column in raw and the read that gives its bytes: asked for only
    # once U+FFFD was seen in it.
    exact_bytes: tuple[tuple[str, ColumnRead], ...] = ()
    times: tuple[tuple[str, PartColumns], ...] = ()  # times that are put together from parts
    masks: tuple[tuple[str, MaskKey], ...] = ()  # digests that land masked with a key
    pace: Pace = field(default_factory=Pace)  # how fast, and when not
    hashed: bool = False  # whether the rows are hashed too, to tell them from others
    digest: Way | None = None  # how the digest of the rows is made, where it is wanted
    watch: Watch = field(default_factory=Watch)  # what stops the read while it is at work
    equal: KeyRule | None = None  # how the key compares, where that is not by bytes
    misfits_stop: bool = False  # a value that does not fit its promoted column stops the table

    def run(
        self,
        progress: Progress | None = None,
        cancelled: Stop | None = None,
        source: Source | Sessions | None = None,
    ) -> SliceResult:
        """Read and write it all. Raises the `ElError` that was met, `Cancelled` when told to stop.

        source: a connection that is open already, on which nothing is tried twice: its transaction would be another.
            Or sessions of which one is taken; without, it opens one of its own.
        """
        self.pace.begin(self.table)
        if progress is not None:
            # From here on its time counts, not from when it began to wait for its turn.
            progress(self.table, 0, 0)
        control = _Control(progress, cancelled)
        if isinstance(source, Source):
            return self._settled(control, 1, source)
        sessions = source or Sessions(self.connection)
        try:
            for attempt in retrying(self.retries, sleep=control.sleep):
                with attempt:
                    return self._settled(control, attempt.retry_state.attempt_number, sessions)
        finally:
            if source is None:
                sessions.close()
        raise AssertionError("unreachable")

    def _settled(self, control: _Control, attempt: int, source: Source | Sessions) -> SliceResult:
        """Read it; where text is in doubt, from the beginning again with its bytes beside, in the same statement."""
        doubts: tuple[tuple[str, ColumnRead], ...] = ()
        while True:
            request = replace(self.request, columns=(*self.request.columns, *(read for _, read in doubts)))
            try:
                return _Reading(self, control, request).run(attempt, source)
            except SessionLost:
                continue
            except _InDoubt as doubt:
                # A second column in doubt is not the last one: then all are read so, and there is no third time.
                doubts = self.exact_bytes if doubts else doubt.columns

    def land(self, batch: pa.RecordBatch, extracted_at: datetime) -> pa.RecordBatch:
        """A batch as raw holds it: columns cast to their landing types, the landing columns behind."""
        columns = []
        keys = [(name, batch.column(name)) for name in self.key if name in batch.schema.names]
        self._look_for_doubt(batch, keys)
        times = dict(self.times)
        kept = pc.not_equal(batch.column(OP_READ), "D") if self.request.kept else None
        for name, type_ in zip(self.schema.names, self.schema.types, strict=True):
            column = _time(times[name], batch, name) if name in times else batch.column(name)
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
        if self.position_column is not None:
            parts = times.get(self.position_column)
            order = _time(parts, batch, self.position_column, utc=True) if parts else batch.column(self.position_column)
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


def _time(found: PartColumns, batch: pa.RecordBatch, name: str, *, utc: bool = False) -> pa.Array:
    seventh = batch.column(found.seventh) if found.seventh else None
    offset = batch.column(found.offset) if found.offset else None
    return time_text(found.parts, batch.column(name), seventh, offset, utc=utc)


class _InDoubt(Exception):
    """The text of these columns holds U+FFFD: their bytes must tell whether the source has it."""

    def __init__(self, columns: tuple[tuple[str, ColumnRead], ...]) -> None:
        super().__init__([name for name, _ in columns])
        self.columns = columns


@dataclass(frozen=True, slots=True)
class _Control:
    """Who is told of the rows that come, and who may stop the read."""

    progress: Progress | None
    cancelled: Stop | None

    def tell(self, table: str, rows: int, size: int) -> None:
        if self.progress is not None:
            self.progress(table, rows, size)

    def sleep(self, seconds: float) -> None:
        """Wait; no longer than until the run is interrupted."""
        if self.cancelled is not None:
            self.cancelled.wait(seconds)
        else:
            time.sleep(seconds)

    def stop_if_cancelled(self, table: str) -> None:
        if self.cancelled is not None and self.cancelled.is_set():
            raise Cancelled(f"{table}: interrupted")


class _Reading:
    """One read of a slice from its beginning."""

    def __init__(self, work: Slice, control: _Control, request: ReadRequest) -> None:
        self.work = work
        self.control = control
        self.request = request
        self.started, self.began = utc_now(), time.monotonic()
        self.landing = LandingFiles(
            work.directory / work.stem,
            raw_columns(work.schema, work.equal),
            work.sizes,
            work.schema.names if work.hashed else (),
            work.digest,
        )
        self.masks = [(name, KeyedMask(key.secret())) for name, key in work.masks]
        self.writer = WriteBehind(self._write)
        self.rows = self.bytes = 0
        self.misfits: tuple[Misfit, ...] = ()

    def run(self, attempt: int, source: Source | Sessions) -> SliceResult:
        """Read all, and close the files; none is left where that fails."""
        work = self.work
        sys.audit(STEP, "slice begun")
        try:
            reached = self._copied(source)
            files = self.landing.close()
            sys.audit(STEP, "slice finished")
        except BaseException as error:
            self.writer.close()
            self.landing.discard()
            self.control.tell(work.table, -self.rows, -self.bytes)
            if isinstance(error, OSError):
                why = error.strerror or str(error)
                raise LoadError(f"{work.table}: cannot write landing files in {work.directory}: {why}") from None
            raise
        finally:
            self.writer.close()
            for _, mask in self.masks:
                mask.close()
        hashed = self.landing.hashed
        ended = utc_now()
        return SliceResult(files, self.rows, self.bytes, self.started, ended, attempt, reached, hashed, self.misfits)

    def _copied(self, source: Source | Sessions) -> str | None:
        """As `_copy`, over this connection or one of these sessions."""
        if isinstance(source, Source):
            return self._copy(source)
        with source.session() as (session, kept):
            try:
                return self._copy(session)
            except ElError as error:
                if kept and error.retryable and not self.rows:
                    raise SessionLost from None
                raise

    def _copy(self, source: Source) -> str | None:
        """From the source into the files; `Buffer.reached`."""
        work = self.work
        with source.read_buffer(self.request) as buffer:
            look = work.watch.begin(work.table, source, work.connection)
            for batch in buffer:
                self.control.stop_if_cancelled(work.table)
                self._stop_at_misfits(buffer)
                self.writer.put(batch)
                sys.audit(STEP, "batch read")
                self.rows += batch.num_rows
                self.bytes += batch.nbytes
                self.control.tell(work.table, batch.num_rows, batch.nbytes)
                look()
                if not work.pace.after:
                    self._keep_pace()
        self.writer.finish()
        if work.pace.after:
            self._keep_pace()
        # Also of documents that gave no row.
        self._stop_at_misfits(buffer)
        self.misfits = tuple(buffer.misfits)
        return buffer.reached.text if buffer.reached else None

    def _stop_at_misfits(self, buffer: Buffer) -> None:
        if self.work.misfits_stop and buffer.misfits:
            first = next(iter(buffer.misfits))
            raise RowRefused(f"{self.work.table}.{first.column}: {first.key}: {first.why} (`misfits: stop`)")

    def _write(self, batch: pa.RecordBatch) -> None:
        for name, mask in self.masks:
            place = batch.schema.get_field_index(name)
            batch = batch.set_column(place, name, mask.of(batch.column(place)))
        self.landing.write(self.work.land(batch, self.started))

    def _keep_pace(self) -> None:
        self.work.pace.keep(self.rows, time.monotonic() - self.began, self.control.sleep)
