"""The slices of a table: what a plan says of it, as units of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from el.config.job import Job
from el.config.mask_key import MaskKey
from el.config.pace import Pace
from el.extraction.digest import Way
from el.extraction.file_sizes import FileSizes
from el.extraction.slice import Slice
from el.extraction.watch import Watch
from el.planning.columns import PartColumns
from el.planning.plan import TablePlan
from el.planning.strategies.window import Kind
from el.types.limits import Limits


@dataclass(frozen=True, slots=True)
class Destination:
    """Where rows go, before they are loaded."""

    load_ids: Mapping[str, str]  # raw schema -> the load that they will belong to
    spool: Path  # the folder of the landing files
    sizes: FileSizes  # of the landing files
    limits: Limits  # the largest value that the warehouse takes
    digest: Way | None = None  # how the digest of what lands is made, where it is wanted


@dataclass(frozen=True, slots=True)
class Slicer:
    """Cuts tables into slices."""

    job: Job
    destination: Destination
    pace: Pace

    def slices(self, table: TablePlan) -> list[Slice]:
        """The slices that bring the rows of the table's window."""
        assert table.window is not None or not table.reads
        directory = self.directory(table)
        exact_bytes = tuple((each.name, read) for each in table.columns if (read := each.read_bytes()) is not None)
        return [
            Slice(
                connection=self.job.source.from_anywhere(),
                table=str(table.name),
                # A raw name may hold what a file system refuses.
                stem=f"{abs(hash(table.raw_table)):x}-{number:04d}",
                request=replace(
                    request,
                    batch_rows=self.pace.batch_rows(request.batch_rows),
                    units_per_second=self.pace.units_per_second,
                ),
                schema=table.landed_schema(),
                load_id=self.destination.load_ids[table.raw_schema],
                op="S" if table.window is not None and table.window.kind is Kind.SNAPSHOT else "U",
                position_column=table.position_column,
                directory=directory,
                sizes=self.destination.sizes.among(len(table.reads)),
                retries=self.job.config.defaults.retries,
                key=table.key,
                limits=self.destination.limits,
                exact_bytes=exact_bytes,
                times=_times(table),
                masks=_masks(table),
                pace=self.pace,
                hashed=_compared(table),
                digest=self.destination.digest,
                watch=_watch(self.job),
                equal=table.equal,
                misfits_stop=table.misfits_stop,
            )
            for number, request in enumerate(table.reads)
        ]

    def key_slice(self, table: TablePlan, attempt: int = 0) -> Slice:
        """The slice that brings the table's key set; `attempt` tells its files from those of another."""
        keys = table.keys or table.look
        assert keys is not None
        return Slice(
            connection=self.job.source.from_anywhere(),
            table=str(table.name),
            stem=f"{abs(hash(table.raw_table)):x}-keys{attempt}",
            request=keys.request,
            schema=table.key_schema(),
            load_id=self.destination.load_ids[table.raw_schema],
            op="K",
            position_column=None,
            directory=self.directory(table),
            sizes=self.destination.sizes,
            retries=self.job.config.defaults.retries,
            key=table.key,
            times=tuple((name, parts) for name, parts in _times(table) if name in table.key),
            masks=tuple((name, key) for name, key in _masks(table) if name in table.key),
            pace=self.pace,
            watch=_watch(self.job),
            equal=table.equal,
        )

    def directory(self, table: TablePlan) -> Path:
        """Where its landing files lie."""
        directory = self.destination.spool / table.raw_schema
        directory.mkdir(parents=True, exist_ok=True)
        return directory


def reads_at_once(job: Job) -> int:
    """Connections to the source for reading, at most."""
    return min(job.readers, job.config.source_limits.connections or job.readers)


def pace_of(job: Job, reads: int = 1) -> Pace:
    """The share of each of so many reads at once in what the source may be asked for."""
    limits = job.config.source_limits
    rows = limits.rows_per_second / reads if limits.rows_per_second else None
    return Pace(rows, limits.pause, units_per_second=limits.read_units / reads if limits.read_units else None)


def _compared(table: TablePlan) -> bool:
    """Whole snapshots are compared, and what is read again below a bound; others know by it that nothing is new."""
    window = table.window
    if window is None:
        return False
    if window.kind is Kind.SNAPSHOT:
        return window.bounded is None
    return table.last is not None and window.noted is not None and window.noted.text == table.last.upper


def _watch(job: Job) -> Watch:
    limits = job.config.source_limits
    return Watch(limits.blocked_seconds or None, limits.version_store_mb)


def _times(table: TablePlan) -> tuple[tuple[str, PartColumns], ...]:
    return tuple((column.name, parts) for column in table.columns if (parts := column.parts()) is not None)


def _masks(table: TablePlan) -> tuple[tuple[str, MaskKey], ...]:
    return tuple((column.name, column.mask_key) for column in table.columns if column.mask_key is not None)
