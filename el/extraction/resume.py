"""What landed of a snapshot is kept until it is loaded, so that a run goes on where another one was cut short.

Guarantees: a snapshot of another plan is never taken for this one's: its files are removed before the first slice is
read, and those of two runs have different names. A file that is not as the journal says is read again at the source, as
a slice that never landed. Only whoever holds the lock of a raw schema changes anything here.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from el import __version__
from el.connectors.base import Source
from el.extraction import slice_journal
from el.extraction.digest import Digest, Way
from el.extraction.file_sizes import FileSizes
from el.extraction.landing import LOAD_ID, LandedFile, LandingFiles, raw_columns
from el.extraction.sessions import Sessions
from el.extraction.slice import STEP, Cancelled, Progress, Slice, SliceResult, Stop
from el.extraction.slice_journal import FORMAT, Header, Journal, KeptFile, KeptSlice
from el.planning.plan import TablePlan
from el.planning.strategies.earlier import EarlierRead
from el.types.limits import Limits

# What nobody went on with for so long only fills the disk.
DAYS = 7


@dataclass(frozen=True, slots=True)
class KeptSlices:
    """The folders of all snapshots that are not loaded yet. home: `Job.work`."""

    home: Path

    @property
    def _all(self) -> Path:
        return self.home / "landed"

    def folder(self, raw_schema: str, raw_table: str) -> Path:
        """Of one snapshot: its journal, and its landing files."""
        # A raw name may hold what a file system refuses.
        return self._all / raw_schema / hashlib.sha256(raw_table.encode()).hexdigest()[:16]

    def earlier(self, raw_schema: str, raw_table: str) -> EarlierRead | None:
        """What there is to go on with, as far as a plan has to know it."""
        try:
            journal = slice_journal.read(self.folder(raw_schema, raw_table))
        except (ValueError, OSError):
            return EarlierRead(0, 0, "", "", None, "", "", None, lost="what was noted of it is damaged")
        if journal is None or not journal.slices:
            return None
        header, landed = journal.header, len(journal.slices)
        places = (header.bound, header.upper, journal.since, header.incarnation)
        return EarlierRead(header.slices, landed, header.digest, header.splits, *places)

    def forget(self, raw_schema: str, raw_table: str) -> None:
        """It is loaded, or begins anew."""
        _remove(self.folder(raw_schema, raw_table))

    def forget_all(self, raw_schema: str) -> None:
        """Of every table of a raw schema."""
        _remove(self._all / raw_schema)

    def sweep(self, raw_schema: str, known: Collection[str] | None) -> None:
        """Remove what is too old, and what is of none of the `known` raw tables of this raw schema."""
        kept = None if known is None else {self.folder(raw_schema, table) for table in known}
        for folder in (self._all / raw_schema).glob("*"):
            if kept is not None and folder not in kept:
                _remove(folder)
        for folder in self._all.glob("*/*"):
            journal = folder / slice_journal.NAME
            if not journal.exists() or time.time() - journal.stat().st_mtime > DAYS * 86_400:
                _remove(folder)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A slice that an earlier run read: its rows become those of this load. What is damaged is read again."""

    work: Slice
    landed: SliceResult

    def run(
        self, progress: Progress | None = None, cancelled: Stop | None = None, source: Source | Sessions | None = None
    ) -> SliceResult:
        try:
            files = tuple(self._with_load_id(number, file, cancelled) for number, file in enumerate(self.landed.files))
        except (OSError, pa.ArrowException, ValueError):
            return self.work.run(progress, cancelled, source)
        sys.audit(STEP, "slice taken over")
        if progress is not None:
            progress(self.work.table, self.landed.rows, self.landed.bytes)
        return replace(self.landed, files=files)

    def _with_load_id(self, number: int, landed: LandedFile, cancelled: Stop | None) -> LandedFile:
        """The file with this load's id in each row, and all else as it was. Raises where it is not as it was noted."""
        work = self.work
        schema = raw_columns(work.schema, work.equal)
        place = schema.get_field_index(LOAD_ID)
        if landed.path.stat().st_size != landed.bytes:
            raise ValueError("another size")
        files = LandingFiles(work.directory / f"{work.stem}-{number}", schema, FileSizes(sys.maxsize))
        try:
            with pq.ParquetFile(landed.path) as file:
                if not file.schema_arrow.equals(schema) or file.metadata.num_rows != landed.rows:
                    raise ValueError("other columns or rows")
                for group in range(file.num_row_groups):
                    if cancelled is not None and cancelled.is_set():
                        raise Cancelled(f"{work.table}: interrupted")
                    for batch in file.read_row_group(group).to_batches():
                        mine = pa.repeat(pa.scalar(work.load_id), batch.num_rows)
                        files.write(batch.set_column(place, schema.field(place), mine))
            (written,) = files.close()
        except BaseException:
            files.discard()
            raise
        return replace(written, digest=landed.digest)


Work = Slice | TakenOver


def landing_of(limits: Limits, way: Way | None) -> str:
    """What decides, beside the plan, how rows land, as text. Versions are part of it: another may do it otherwise."""
    return f"{__version__} {duckdb.__version__} {limits} {way}"


class Resuming:
    """What one extraction keeps, and what it takes over. run_id: of the run."""

    def __init__(self, kept: KeptSlices, run_id: str, say: Callable[[str], None]) -> None:
        self._kept = kept
        self._run_id = run_id
        # In the names of files, so that those of two runs are never taken for each other; ids of loads come again
        # where a clock is behind, and those of runs where a scheduler gives them.
        self._mark = uuid.uuid4().hex[:12]
        self._say = say
        self._expected: dict[Future[SliceResult], _Expected] = {}

    def begin(self, tables: Sequence[TablePlan]) -> None:
        """Remove what none of these goes on with. A table that stops keeps what it has."""
        for table in tables:
            if table.earlier is None and table.stopped is None:
                self._kept.forget(table.raw_schema, table.raw_table)
        sys.audit(STEP, "kept slices looked through")

    def works(self, table: TablePlan, slices: Sequence[Slice]) -> list[Work]:
        """The slices of a table; those that landed already, as what takes them over."""
        if table.read_digest is None or table.splits is None or table.window is None or not slices:
            return list(slices)
        folder = self._kept.folder(table.raw_schema, table.raw_table)
        try:
            journal = self._journal(folder, table)
            _remove_others(folder, journal)
        except OSError as error:
            self._say(
                f"{table.name}: what lands cannot be noted, so that no later run goes on with it: {error.strerror}"
            )
            return list(slices)
        slices = [
            replace(each, directory=folder, stem=f"{self._mark}-{number:04d}") for number, each in enumerate(slices)
        ]
        return [
            TakenOver(each, _result(folder, journal.slices[number])) if number in journal.slices else each
            for number, each in enumerate(slices)
        ]

    def _journal(self, folder: Path, table: TablePlan) -> Journal:
        """The one of an earlier run that the plan goes on with, or a new one."""
        with suppress(ValueError):
            journal = slice_journal.read(folder) if table.earlier is not None else None
            if journal is not None and journal.header.digest == table.read_digest:
                return journal
        _remove(folder)
        journal = Journal(self._header(table), {})
        slice_journal.begin(folder, journal.header)
        sys.audit(STEP, "journal begun")
        return journal

    def _header(self, table: TablePlan) -> Header:
        window = table.window
        assert table.read_digest is not None
        assert table.splits is not None
        assert window is not None
        assert window.upper is not None
        bounds = (window.bounded, window.upper.text, window.incarnation)
        name = str(table.name)
        return Header(FORMAT, self._run_id, name, table.read_digest, len(table.reads), table.splits, *bounds)

    def expect(self, future: Future[SliceResult], number: int, work: Work) -> None:
        """What comes of this is kept, where it is a slice that can be taken over."""
        mine = work.work if isinstance(work, TakenOver) else work
        if mine.directory.is_relative_to(self._kept.home / "landed"):
            former = work.landed.files if isinstance(work, TakenOver) else ()
            self._expected[future] = _Expected(number, mine, former)

    def landed(self, future: Future[SliceResult]) -> None:
        """Note a slice that landed. Where the disk takes no more, a later run reads it again."""
        expected = self._expected.pop(future, None)
        if expected is None:
            return
        result, folder = future.result(), expected.work.directory
        if expected.former and not result.earlier:
            said = f"slice {expected.number + 1} of an earlier run is not as it was noted, and was read again"
            self._say(f"{expected.work.table}: {said}")
        with suppress(OSError):
            for file in result.files:
                slice_journal.to_disk(file.path)
            slice_journal.to_disk(folder)
            sys.audit(STEP, "slice on the disk")
            slice_journal.add(folder, _kept(expected, result))
            sys.audit(STEP, "slice noted")
            for former in expected.former:
                former.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Expected:
    number: int
    work: Slice
    former: tuple[LandedFile, ...]  # whose place its files take


def _kept(expected: _Expected, result: SliceResult) -> KeptSlice:
    files = tuple(
        KeptFile(file.path.name, file.rows, file.bytes, file.digest.text() if file.digest is not None else None)
        for file in result.files
    )
    counts = (result.rows, result.bytes, result.started, result.finished, result.attempts)
    return KeptSlice(expected.number, expected.work.load_id, files, *counts, result.reached, result.misfits)


def _result(folder: Path, kept: KeptSlice) -> SliceResult:
    files = tuple(
        LandedFile(folder / file.name, file.rows, file.bytes, Digest.of_text(file.digest) if file.digest else None)
        for file in kept.files
    )
    counts = (kept.rows, kept.bytes, kept.started, kept.finished, kept.attempts)
    return SliceResult(files, *counts, kept.reached, misfits=kept.misfits, earlier=True)


def _remove_others(folder: Path, journal: Journal) -> None:
    """Files of slices that did not land."""
    known = {file.name for each in journal.slices.values() for file in each.files}
    for path in folder.iterdir():
        if path.name not in known and path.name != slice_journal.NAME:
            path.unlink()


def _remove(folder: Path) -> None:
    """And what lies above it, where nothing else lies there. The journal goes first: files alone say nothing."""
    if folder.exists():
        with suppress(OSError):
            (folder / slice_journal.NAME).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
            folder.parent.parent.rmdir()
