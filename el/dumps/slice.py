"""A slice of files: the unit of work. A small picklable value that any `concurrent.futures` executor can run.

Guarantees: each file is read in exactly the version that was listed; its rows are in the landing files whole, or not
one of them is; a file that cannot be read stops no other. Its records, counted apart from its rows, are its rows and
its rejects. Memory is bounded by a few record batches, whatever the file's size.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from el.config.dumps import DumpSettings
from el.config.profiles import Output
from el.dumps.columns import landed, landing_type, names_of_captures, raw_names
from el.dumps.compression import unpacked
from el.dumps.formats.base import ROW, Reading, Reject
from el.dumps.open import format_of, open_store
from el.dumps.plan import FileTask
from el.dumps.stores.base import Fetched, Store
from el.dumps.types import spelt_as
from el.errors import ElError, FileChanged, FileRefused, LoadError, RecordRefused, RowRefused
from el.extraction.file_sizes import FileSizes
from el.extraction.landing import LANDING, LandedFile, LandingFiles
from el.extraction.retry import retrying
from el.extraction.slice import STEP, Cancelled, Progress, Stop
from el.loading.file_ledger import FILE
from el.planning.naming import Mode
from el.types.limits import Limits, refuse_misfits
from el.types.present import utc_now

# So much of a file is held in memory; files that are smaller share landing files.
SMALL = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of a file. error: why it was not taken; waits: it is another one by now, and the next run takes it."""

    task: FileTask
    status: str = "loaded"  # loaded | unchanged | failed | waiting
    sha256: str = ""
    schema: pa.Schema | None = None  # its columns as they land, captures last, without what el adds
    header: tuple[str, ...] = ()
    records: int = 0
    rows: int = 0
    bytes: int = 0
    blank_lines: int = 0
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()
    error: ElError | None = None
    route: str = "client"  # express: the warehouse read it by itself
    content: int | None = None  # of a text that the warehouse reads: the sum that what it reads has to have


@dataclass(frozen=True, slots=True)
class DumpResult:
    """What a slice brought: its files one by one, and the landing files by the columns that they have."""

    files: tuple[FileResult, ...]
    landed: tuple[tuple[pa.Schema, tuple[LandedFile, ...]], ...]
    started: datetime
    finished: datetime


@dataclass(frozen=True, slots=True)
class DumpSlice:
    """Some files of one entry, read one after the other into landing files."""

    output: Output | None
    table: str
    stem: str
    settings: DumpSettings
    tasks: tuple[FileTask, ...]
    naming: Mode
    load_id: str
    directory: Path
    sizes: FileSizes
    retries: int
    limits: Limits = field(default_factory=Limits)
    frozen: tuple[str, ...] | None = None  # the columns that every file has to have, under `contract: freeze`

    def run(self, progress: Progress | None = None, cancelled: Stop | None = None) -> DumpResult:
        """Read and write it all. Raises `Cancelled` when told to stop; what is wrong with one file is in its result."""
        tell = progress or (lambda table, rows, size: None)
        tell(self.table, 0, 0)
        started = utc_now()
        shared = SharedLanding(self)
        results = []
        try:
            for number, task in enumerate(self.tasks):
                if cancelled is not None and cancelled.is_set():
                    raise Cancelled(f"{self.table}: interrupted")
                sys.audit(STEP, "file begun")
                results.append(OneFile(self, task, shared, number, tell, cancelled).take())
                sys.audit(STEP, "file read")
            found = shared.close()
        except BaseException:
            shared.discard()
            raise
        return DumpResult(tuple(results), found, started, utc_now())


class SharedLanding:
    """The landing files of a slice: those that small files share, by their columns, and those of one large file."""

    def __init__(self, work: DumpSlice) -> None:
        self.work = work
        self.open: dict[pa.Schema, LandingFiles] = {}
        self.closed: list[tuple[pa.Schema, tuple[LandedFile, ...]]] = []
        self.made = 0

    def new(self, schema: pa.Schema) -> LandingFiles:
        self.made += 1
        prefix = self.work.directory / f"{self.work.stem}-{self.made:04d}"
        return LandingFiles(prefix, schema, self.work.sizes)

    def add(self, batches: list[pa.RecordBatch]) -> None:
        """Add the rows of a small file that was read to its end."""
        for batch in batches:
            if batch.schema not in self.open:
                self.open[batch.schema] = self.new(batch.schema)
            self.open[batch.schema].write(batch)

    def close(self) -> tuple[tuple[pa.Schema, tuple[LandedFile, ...]], ...]:
        for schema, files in self.open.items():
            self.closed.append((schema, files.close()))
        self.open.clear()
        return tuple(self.closed)

    def discard(self) -> None:
        for files in self.open.values():
            files.discard()
        for _, closed in self.closed:
            for file in closed:
                file.path.unlink(missing_ok=True)


class OneFile:
    """One file on its way."""

    def __init__(
        self,
        work: DumpSlice,
        task: FileTask,
        shared: SharedLanding,
        number: int,
        tell: Callable[[str, int, int], None],
        cancelled: Stop | None,
    ) -> None:
        self.work = work
        self.task = task
        self.shared = shared
        self.folder = work.directory / f"{work.stem}-{number:05d}"
        self.tell = tell
        self.cancelled = cancelled
        self.rows = self.bytes = 0

    def take(self) -> FileResult:
        """The file's result; its rows are among the landing files if it says `loaded`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self._taken()
        except Cancelled:
            raise
        except FileChanged as error:
            return FileResult(self.task, "waiting", error=error)
        except ElError as error:
            self.tell(self.work.table, -self.rows, -self.bytes)
            text = str(error)
            named = text if str(self.task.file) in text else f"{self.task.file}: {text}"
            return FileResult(self.task, "failed", error=type(error)(named))
        except OSError as error:
            self.tell(self.work.table, -self.rows, -self.bytes)
            why = f"{self.task.file}: {error.strerror or error}"
            return FileResult(self.task, "failed", error=LoadError(why))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _taken(self) -> FileResult:
        work, task = self.work, self.task
        if task.error is not None:
            raise task.error
        store = open_store(task.file.uri, work.output)
        for attempt in retrying(work.retries):
            with attempt:
                fetched = self._fetched(store)
        if task.last is not None and task.last.sha256 == fetched.sha256:
            return FileResult(task, "unchanged", fetched.sha256)
        if task.last is not None and not task.last.has_checksum and work.settings.changed != "replace":
            raise FileRefused(
                f"{task.file}: is another version of the file that the warehouse read by itself, so that nothing tells "
                "whether its bytes are others: say `changed: replace`, by which it counts instead of that one"
            )
        if task.last is not None and work.settings.changed == "fail":
            raise FileRefused(
                f"{task.file}: is another file than the one of this name that was loaded ({task.last.rows:,} rows); "
                "say `changed: replace` if it counts instead of that one, or `changed: append` if it counts beside it"
            )
        reading = format_of(work.settings).read(self._unpacked(fetched.path), work.settings.rejects)
        columns, notes = raw_names(reading.schema.names, work.naming)
        captures = names_of_captures([name for name, _ in task.captures], columns, work.naming)
        types = [landing_type(name, type_) for name, type_ in zip(columns, reading.schema.types, strict=True)]
        schema = pa.schema([*zip(columns, types, strict=True), *((name, pa.string()) for name in captures)])
        self._refuse_drift(schema)
        self._read(reading, schema)
        self._refuse_long(reading)
        if reading.records != self.rows + len(reading.rejects):
            raise RecordRefused(
                f"{reading.records:,} records were counted, and {self.rows:,} rows and {len(reading.rejects):,} "
                "rejected records were read"
            )
        return FileResult(
            task,
            "loaded",
            fetched.sha256,
            schema,
            tuple(reading.schema.names),
            reading.records,
            self.rows,
            self.bytes,
            reading.blank_lines,
            tuple(reading.rejects),
            tuple(notes),
        )

    def _unpacked(self, path: Path) -> Path:
        return unpacked(path, self.task.file)

    def _fetched(self, store: Store) -> Fetched:
        try:
            return store.fetch(self.task.file, self.folder)
        except FileChanged as error:
            # This version will not come back, however often it is asked for.
            raise FileChanged(str(error), retryable=False) from None

    def _refuse_long(self, reading: Reading) -> None:
        """A rejected record that the warehouse cannot hold would fail the whole load."""
        most = self.work.limits.binary_bytes
        for reject in reading.rejects:
            if most is not None and len(reject.data) > most:
                raise RecordRefused(
                    f"record {reject.row:,}: {reject.reason}; it has {len(reject.data):,} bytes, and the warehouse "
                    f"takes {most:,}, so that it cannot be kept among the rejected ones"
                )

    def _refuse_drift(self, schema: pa.Schema) -> None:
        frozen = self.work.frozen
        names = set(schema.names) if frozen is None else set(spelt_as(schema.names, frozen))
        if frozen is None or set(frozen) == names:
            return
        added = ", ".join(sorted(names - set(frozen))) or "none"
        missing = ", ".join(sorted(set(frozen) - names)) or "none"
        raise FileRefused(f"contract: freeze, and the file has other columns: new {added}; missing {missing}")

    def _read(self, reading: Reading, schema: pa.Schema) -> None:
        """Into memory, as long as it is little; then into landing files of its own."""
        held: list[pa.RecordBatch] = []
        size = 0
        own: LandingFiles | None = None
        extracted_at = utc_now()
        # One batch is written while the next one is read: never more than the two in memory.
        writer = ThreadPoolExecutor(1, thread_name_prefix="el-write")
        writing: Future[None] | None = None
        try:
            for batch in reading.batches:
                if self.cancelled is not None and self.cancelled.is_set():
                    raise Cancelled(f"{self.work.table}: interrupted")
                found = self._land(batch, schema, extracted_at)
                self.rows += found.num_rows
                self.bytes += found.nbytes
                self.tell(self.work.table, found.num_rows, found.nbytes)
                size += found.nbytes
                if own is None:
                    held.append(found)
                    if size <= SMALL:
                        continue
                    own = self.shared.new(found.schema)
                else:
                    held = [found]
                if writing is not None:
                    writing.result()
                writing = writer.submit(_write, own, held)
                held = []
            if writing is not None:
                writing.result()
            if own is not None:
                self.shared.closed.append((landed_schema(schema), own.close()))
            else:
                self.shared.add(held)
        except BaseException:
            writer.shutdown(wait=True)
            if own is not None:
                own.discard()
            raise
        finally:
            writer.shutdown(wait=True)

    def _land(self, batch: pa.RecordBatch, schema: pa.Schema, extracted_at: datetime) -> pa.RecordBatch:
        """A batch as raw holds it."""
        rows = batch.num_rows
        source = len(schema) - len(self.task.captures)
        columns = []
        # The last one by its place: a file may have a column of this name too.
        record = batch.column(batch.num_columns - 1)
        for number, name in enumerate(schema.names[:source]):
            column = landed(name, batch.column(number), schema.field(number).type)
            try:
                refuse_misfits(self.work.limits, self.work.table, name, column, [("record", record)])
            except RowRefused as error:
                raise RecordRefused(str(error)) from None
            columns.append(column)
        columns += [pa.repeat(pa.scalar(value), rows) for _, value in self.task.captures]
        columns += [
            pa.repeat(pa.scalar(self.task.file_id), rows),
            record,
            pa.repeat(pa.scalar(self.work.load_id), rows),
            pa.repeat(pa.scalar("S"), rows),
            pa.repeat(pa.scalar(self.task.as_of, pa.string()), rows),
            pa.repeat(pa.scalar(extracted_at, LANDING[3].type), rows),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=landed_schema(schema))


def _write(files: LandingFiles, batches: list[pa.RecordBatch]) -> None:
    for batch in batches:
        files.write(batch)


def landed_schema(schema: pa.Schema) -> pa.Schema:
    """Of the landing files: the file's columns, which file and record a row is, and where every row is from."""
    return pa.schema([*schema, pa.field(FILE, pa.string()), pa.field(ROW, pa.int64()), *LANDING])
