"""Extraction: every slice of a plan into landing files, in this process or elsewhere.

Guarantees: a table that fails cancels only its own slices and leaves the others running; an interrupt stops all of
them. The slices are small picklable values; where they run does not matter, but for those that share a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from queue import SimpleQueue
from threading import Event

from el.config.job import Job
from el.connectors.catalog import TableName
from el.connectors.misfits import Misfit, gathered
from el.errors import ElError, Paused
from el.extraction.elsewhere import Elsewhere
from el.extraction.fingerprint import RowHash
from el.extraction.landing import LandedFile
from el.extraction.one_moment import Member, OneMoment
from el.extraction.resume import KeptSlices, Resuming, TakenOver, Work
from el.extraction.sessions import Sessions
from el.extraction.slice import Cancelled, Progress, SliceResult
from el.extraction.slicer import Destination, Slicer, pace_of, reads_at_once
from el.planning.plan import Plan, TablePlan
from el.planning.run_notes import parts_together, read_here, reads_hold_locks, reads_together, shares_moment
from el.planning.strategies.window import Kind
from el.reporting.progress import Reporter


@dataclass(frozen=True, slots=True)
class Landed:
    """A table after extraction: its files and counts, or the error that stopped it."""

    files: tuple[LandedFile, ...] = ()
    rows: int = 0
    bytes: int = 0
    started: datetime | None = None
    finished: datetime | None = None
    attempts: int = 1
    error: ElError | None = None
    keys: SliceResult | None = None  # its key set, if due
    # The source's position that the rows go up to, where that differs from the window's upper bound.
    reached: str | None = None
    hashed: RowHash | None = None  # of the rows, where it is of use
    misfits: tuple[Misfit, ...] = ()  # a column each
    begun: datetime | None = None  # when this run began with it, where an earlier one did before

    @property
    def seconds(self) -> float:
        begun = self.begun or self.started
        return (self.finished - begun).total_seconds() if begun and self.finished else 0.0


def extract(
    job: Job, plan: Plan, destination: Destination, reporter: Reporter, outside: Elsewhere | None = None
) -> dict[TableName, Landed]:
    """Run every slice; a table's failure cancels only its own slices, an interrupt all of them.

    outside: reads the slices in other processes, but for those that share a moment; by default threads do.
    """
    together = reads_together(job, plan)
    if outside is not None and job.where.here:
        for note in read_here(job, plan):
            reporter.say(note)
    pace = replace(pace_of(job, _at_the_same_time(job, plan, together)), after=reads_hold_locks(plan))
    work = _Extraction(Slicer(job, destination, pace), reporter, outside)
    try:
        work.begin(plan, together)
        return work.finish()
    finally:
        work.close()


class _Extraction:
    """The slices that are at work, and what came of those that ended."""

    def __init__(self, slicer: Slicer, reporter: Reporter, outside: Elsewhere | None) -> None:
        self.slicer = slicer
        self.reporter = reporter
        self.cancelled = Event()
        self.outside = outside
        self.pool = ThreadPoolExecutor(reads_at_once(slicer.job), thread_name_prefix="el")
        self.waiting: dict[Future[SliceResult], TablePlan] = {}
        # Each puts itself here: to ask all of them after each one takes the square of their number.
        self.done: SimpleQueue[Future[SliceResult]] = SimpleQueue()
        self.reading_keys: set[Future[SliceResult]] = set()
        self.keys: dict[TableName, SliceResult] = {}
        self.results: dict[TableName, list[SliceResult]] = {}
        self.landed: dict[TableName, Landed] = {}
        self.moments: list[OneMoment] = []
        self.sessions = Sessions(slicer.job.source)
        self.kept = Resuming(KeptSlices(slicer.job.work), slicer.job.run_id, reporter.say)

    def begin(self, plan: Plan, together: Sequence[TablePlan]) -> None:
        """Hand over the first slices of each table; `together` are read as of one moment."""
        self.kept.begin(plan.tables)
        self._read_together(together)
        # The largest first, so that none of them is left alone at the end.
        for table in sorted(plan.tables, key=lambda item: -(item.rows or 0)):
            if table in together:
                continue
            if table.keys is None:
                self._read(table)
            else:
                # Keys first: a row that comes while they are read is then among the rows, and outlives its `D` row.
                self.reading_keys.add(self._submit(table, self.slicer.key_slice(table), None))

    def finish(self) -> dict[TableName, Landed]:
        """Wait for all. Raises what is no error of one table: an interrupt, a defect."""
        while self.waiting:
            future = self.done.get()
            table = self.waiting.pop(future)
            if not future.cancelled():
                self._settle(table, future)
        return self.landed

    def close(self) -> None:
        self.cancelled.set()
        for moment in self.moments:
            moment.stop()
        self.pool.shutdown(wait=True, cancel_futures=True)
        for moment in self.moments:
            moment.close()
        self.sessions.close()

    def _read_together(self, tables: Sequence[TablePlan]) -> None:
        group: list[Member] = []
        for table in tables:
            for work in self.slicer.slices(table):
                future = self._await(table, Future())
                group.append((future, work))
        if not group:
            return
        moment = OneMoment(self.slicer.job, group, self.reporter, self.cancelled, self.sessions)
        self.moments.append(moment)
        # One after the other, so that no thread waits for another that cannot begin.
        for _ in range(moment.readers):
            self.pool.submit(moment.run)

    def _read(self, table: TablePlan) -> None:
        if parts_together(self.slicer.job, table):
            self._read_together([table])
            return
        for number, work in enumerate(self.kept.works(table, self.slicer.slices(table))):
            self.kept.expect(self._submit(table, work, self.reporter.progress), number, work)

    def _submit(self, table: TablePlan, work: Work, progress: Progress | None) -> Future[SliceResult]:
        return self._await(table, self.pool.submit(self._run, work, progress))

    def _run(self, work: Work, progress: Progress | None) -> SliceResult:
        if self.outside is not None and not isinstance(work, TakenOver):
            return self.outside.run(work, progress, self.cancelled)
        return work.run(progress, self.cancelled, self.sessions)

    def _await(self, table: TablePlan, future: Future[SliceResult]) -> Future[SliceResult]:
        self.waiting[future] = table
        future.add_done_callback(self.done.put)
        return future

    def _settle(self, table: TablePlan, future: Future[SliceResult]) -> None:
        error = future.exception()
        if error is None:
            self.kept.landed(future)
        if isinstance(error, Cancelled) or (error is not None and not isinstance(error, ElError)):
            raise error
        if isinstance(error, ElError):
            if table.name in self.landed:
                return
            self.landed[table.name] = Landed(error=error)
            self.reporter.stopped(table, "paused" if isinstance(error, Paused) else "failed")
            for other, owner in self.waiting.items():
                if owner is table:
                    other.cancel()
        elif future in self.reading_keys:
            self.keys[table.name] = future.result()
            if table.reads:
                self._read(table)
            else:
                self.landed[table.name] = landed_of([], self.keys[table.name])
        else:
            results = self.results.setdefault(table.name, [])
            results.append(future.result())
            if len(results) == len(table.reads):
                snapshot = table.window is not None and table.window.kind is Kind.SNAPSHOT
                landed = landed_of(results, self.keys.get(table.name), snapshot=snapshot)
                self.landed[table.name] = landed
                self.reporter.extracted(table, landed.rows, landed.seconds)


def _at_the_same_time(job: Job, plan: Plan, together: Sequence[TablePlan]) -> int:
    """How many reads of this plan can be at work at once. All reads of one moment count as one, where one connection
    alone sees it."""
    apart = (table for table in plan.tables if table not in together)
    of_one = sum(len(table.reads) for table in together) if together and shares_moment(job) else bool(together)
    reads = sum(max(len(table.reads), table.keys is not None) for table in apart) + of_one
    return max(1, min(reads_at_once(job), reads))


def landed_of(results: Sequence[SliceResult], keys: SliceResult | None = None, *, snapshot: bool = False) -> Landed:
    """What the slices of one table brought together.

    snapshot: they are parts of one, of which each knows where in the log it was read: the first of these places counts.
    """
    reached = [result.reached for result in results if result.reached is not None]
    if snapshot and len(reached) < len(results):
        reached = []
    timed = [*results, keys] if keys is not None else results
    ours = [result.started for result in timed if not result.earlier]
    marks = [result.hashed for result in results if result.hashed is not None]
    return Landed(
        files=tuple(file for result in results for file in result.files),
        rows=sum(result.rows for result in results),
        bytes=sum(result.bytes for result in results),
        started=min(result.started for result in timed),
        finished=max(result.finished for result in timed),
        attempts=max(result.attempts for result in timed),
        keys=keys,
        reached=(min if snapshot else max)(reached, default=None),
        hashed=sum(marks, RowHash()) if len(marks) == len(results) > 0 else None,
        misfits=gathered(misfit for result in results for misfit in result.misfits),
        begun=min(ours, default=max(result.finished for result in timed)) if len(ours) < len(timed) else None,
    )
