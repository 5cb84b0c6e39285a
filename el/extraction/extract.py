"""Extraction: every slice of a plan into landing files, on whichever executor.

Guarantees: a table that fails cancels only its own slices and leaves the others running; an interrupt stops all of
them. The slices are small picklable values; where they run does not matter.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Event

from el.config.job import Job
from el.config.pace import Pace
from el.connectors.base import OneMomentSource
from el.connectors.catalog import TableName
from el.connectors.registry import connector_class, open_source
from el.connectors.request import Isolation
from el.errors import ElError, Paused, RowRefused
from el.extraction.fingerprint import RowHash
from el.extraction.slice import Cancelled, LandedFile, Progress, Slice, SliceResult
from el.extraction.watch import Watch
from el.planning.columns import ClockColumns
from el.planning.plan import Plan, TablePlan
from el.planning.strategies.window import Kind
from el.reporting.progress import Reporter
from el.types.limits import Limits


@dataclass(frozen=True, slots=True)
class Landed:
    """A table after extraction: its files and counts, or the error that stopped it. keys: its key set, if due.

    reached: the source's position that the rows go up to, where that differs from the window's upper bound.
    hashed: of the rows, where it is of use.
    """

    files: tuple[LandedFile, ...] = ()
    rows: int = 0
    bytes: int = 0
    started: datetime | None = None
    finished: datetime | None = None
    attempts: int = 1
    error: ElError | None = None
    keys: SliceResult | None = None
    reached: str | None = None
    hashed: RowHash | None = None

    @property
    def seconds(self) -> float:
        return (self.finished - self.started).total_seconds() if self.started and self.finished else 0.0


def extract(
    job: Job,
    plan: Plan,
    load_ids: Mapping[str, str],
    spool: Path,
    reporter: Reporter,
    executor: Executor | None,
    file_bytes: int,
    limits: Limits,
) -> dict[TableName, Landed]:
    """Run every slice; a table's failure cancels only its own slices, an interrupt all of them."""
    cancelled = Event()
    own = executor is None
    pool = executor or ThreadPoolExecutor(reads_at_once(job), thread_name_prefix="el")
    waiting: dict[Future[SliceResult], TablePlan] = {}
    reading_keys: set[Future[SliceResult]] = set()
    keys: dict[TableName, SliceResult] = {}
    results: dict[TableName, list[SliceResult]] = {}
    landed: dict[TableName, Landed] = {}
    together = reads_together(job, plan) if own else []
    pace = replace(pace_of(job, _at_the_same_time(job, plan, together)), after=reads_hold_locks(plan))

    def submit(table: TablePlan, work: Slice, progress: Progress | None) -> Future[SliceResult]:
        # Another process cannot call back, and is not told to stop: it ends with its slice.
        future = pool.submit(work.run, progress, cancelled) if own else pool.submit(work.run)
        waiting[future] = table
        return future

    def read(table: TablePlan) -> None:
        for work in slices(job, table, load_ids[table.raw_schema], spool, file_bytes, limits, pace):
            submit(table, work, reporter.progress)

    group: list[tuple[Future[SliceResult], Slice]] = []
    for table in together:
        for work in slices(job, table, load_ids[table.raw_schema], spool, file_bytes, limits, pace):
            future: Future[SliceResult] = Future()
            waiting[future] = table
            group.append((future, work))
    if group:
        pool.submit(_at_one_moment, job, group, reporter, cancelled)
    # The largest first, so that none of them is left alone at the end.
    for table in sorted(plan.tables, key=lambda item: -(item.rows or 0)):
        if table in together:
            continue
        if table.keys is None:
            read(table)
        else:
            # Keys first: a row that comes while they are read is then among the rows, and outlives its `D` row.
            work = key_slice(job, table, load_ids[table.raw_schema], spool, file_bytes, pace)
            reading_keys.add(submit(table, work, None))
    try:
        while waiting:
            done, _ = wait(waiting, return_when="FIRST_COMPLETED")
            for future in done:
                table = waiting.pop(future)
                if future.cancelled():
                    continue
                error = future.exception()
                if isinstance(error, Cancelled) or (error is not None and not isinstance(error, ElError)):
                    raise error
                if isinstance(error, ElError):
                    landed.setdefault(table.name, Landed(error=error))
                    for other, owner in waiting.items():
                        if owner is table:
                            other.cancel()
                    continue
                if future in reading_keys:
                    keys[table.name] = future.result()
                    if table.reads:
                        read(table)
                    else:
                        landed[table.name] = _together([], keys[table.name])
                    continue
                results.setdefault(table.name, []).append(future.result())
                if len(results[table.name]) == len(table.reads):
                    landed[table.name] = _together(results[table.name], keys.get(table.name))
                    reporter.extracted(table, landed[table.name].rows, landed[table.name].seconds)
    finally:
        cancelled.set()
        if own:
            pool.shutdown(wait=True, cancel_futures=True)
    return landed


def reads_together(job: Job, plan: Plan) -> list[TablePlan]:
    """The tables that are read from one point in time, where el.yml asks for it: the server keeps all that changes
    meanwhile until the last of them is read.
    """
    if job.config.defaults.consistent != "run":
        return []
    if not issubclass(connector_class(job.source.type), OneMomentSource) or not plan.catalog.snapshot_isolation:
        return []
    return [
        table
        for table in plan.tables
        if table.keys is None
        and table.reads
        and all(request.changes is None and request.isolation is Isolation.SNAPSHOT for request in table.reads)
    ]


def reads_hold_locks(plan: Plan) -> bool:
    """Whether a statement that reads locks rows, and so keeps writers waiting while it is open."""
    return not (plan.catalog.snapshot_isolation or plan.catalog.read_committed_snapshot)


_LATER = "read from a later point in time"


def _at_one_moment(
    job: Job, group: Sequence[tuple[Future[SliceResult], Slice]], reporter: Reporter, cancelled: Event
) -> None:
    """Run slices one after the other in one transaction.

    Where the server ends it (the definition of a table was changed meanwhile, the line was cut), or it has lasted as
    long as it may, those that follow are read from a later point in time, which is said.
    """
    waiting = list(group)
    limit = 60 * job.config.source_limits.snapshot_minutes
    retries = job.config.defaults.retries
    try:
        while waiting:
            begun = time.monotonic()
            with open_source(job.source.settings, str(job.source)) as source:
                assert isinstance(source, OneMomentSource)
                with source.at_one_moment():
                    while waiting and time.monotonic() - begun < limit:
                        future, work = waiting[0]
                        if not future.running() and not future.set_running_or_notify_cancel():
                            waiting.pop(0)
                            continue
                        try:
                            future.set_result(work.run(reporter.progress, cancelled, source))
                        except (RowRefused, Paused) as error:
                            future.set_exception(error)
                        except ElError as error:
                            if not error.retryable or not retries:
                                raise
                            retries -= 1
                            reporter.say(f"{work.table} and what follows are {_LATER}: {error}")
                            break
                        waiting.pop(0)
                    else:
                        if waiting:
                            held = f"the former one was held for {job.config.source_limits.snapshot_minutes} minutes"
                            reporter.say(f"{waiting[0][1].table} and what follows are {_LATER}: {held}")
    except BaseException as error:
        for future, _ in group:
            if not future.done():
                future.set_exception(error)


def reads_at_once(job: Job) -> int:
    """Connections to the source for reading, at most."""
    wanted = job.workers or job.config.defaults.workers
    return min(wanted, job.config.source_limits.connections or wanted)


def pace_of(job: Job, reads: int = 1) -> Pace:
    """The share of each of so many reads at once in what the source may be asked for."""
    limits = job.config.source_limits
    return Pace(limits.rows_per_second / reads if limits.rows_per_second else None, limits.pause)


def _at_the_same_time(job: Job, plan: Plan, together: Sequence[TablePlan]) -> int:
    """How many reads of this plan can be at work at once: no more than there are, those of one moment being one."""
    apart = (table for table in plan.tables if table not in together)
    reads = sum(max(len(table.reads), table.keys is not None) for table in apart) + bool(together)
    return max(1, min(reads_at_once(job), reads))


def slices(
    job: Job, table: TablePlan, load_id: str, spool: Path, file_bytes: int, limits: Limits, pace: Pace
) -> list[Slice]:
    directory = spool / table.raw_schema
    directory.mkdir(parents=True, exist_ok=True)
    assert table.window is not None or not table.reads
    exact_bytes = tuple((column.name, read) for column in table.columns if (read := column.read_bytes()) is not None)
    return [
        Slice(
            connection=job.source,
            table=str(table.name),
            # A raw name may hold what a file system refuses.
            stem=f"{abs(hash(table.raw_table)):x}-{number:04d}",
            request=replace(request, batch_rows=pace.batch_rows(request.batch_rows)),
            schema=table.landed_schema(),
            load_id=load_id,
            op="S" if table.window is not None and table.window.kind is Kind.SNAPSHOT else "U",
            position=table.position,
            directory=directory,
            file_bytes=file_bytes,
            retries=job.config.defaults.retries,
            key=table.key,
            limits=limits,
            exact_bytes=exact_bytes,
            clocks=_clocks(table),
            pace=pace,
            hashed=_compared(table),
            watch=_watch(job),
            equal=table.equal,
        )
        for number, request in enumerate(table.reads)
    ]


def _compared(table: TablePlan) -> bool:
    """Whole snapshots are compared, and what is read again below a bound; others know by it that nothing is new."""
    window = table.window
    if window is None:
        return False
    if window.kind is Kind.SNAPSHOT:
        return window.bounded is None
    return table.last is not None and window.noted is not None and window.noted.text == table.last.upper


def key_slice(
    job: Job, table: TablePlan, load_id: str, spool: Path, file_bytes: int, pace: Pace, attempt: int = 0
) -> Slice:
    """The slice that brings the table's key set; `attempt` tells its files from those of another."""
    assert table.keys is not None
    directory = spool / table.raw_schema
    directory.mkdir(parents=True, exist_ok=True)
    return Slice(
        connection=job.source,
        table=str(table.name),
        stem=f"{abs(hash(table.raw_table)):x}-keys{attempt}",
        request=table.keys.request,
        schema=table.key_schema(),
        load_id=load_id,
        op="K",
        position=None,
        directory=directory,
        file_bytes=file_bytes,
        retries=job.config.defaults.retries,
        key=table.key,
        clocks=tuple((name, parts) for name, parts in _clocks(table) if name in table.key),
        pace=pace,
        watch=_watch(job),
        equal=table.equal,
    )


def _watch(job: Job) -> Watch:
    limits = job.config.source_limits
    return Watch(limits.blocked_seconds or None, limits.version_store_mb)


def _clocks(table: TablePlan) -> tuple[tuple[str, ClockColumns], ...]:
    return tuple((column.name, parts) for column in table.columns if (parts := column.clock()) is not None)


def _together(results: Sequence[SliceResult], keys: SliceResult | None = None) -> Landed:
    timed = [*results, keys] if keys is not None else results
    marks = [result.hashed for result in results if result.hashed is not None]
    return Landed(
        files=tuple(file for result in results for file in result.files),
        rows=sum(result.rows for result in results),
        bytes=sum(result.bytes for result in results),
        started=min(result.started for result in timed),
        finished=max(result.finished for result in timed),
        attempts=max(result.attempts for result in timed),
        keys=keys,
        reached=max((result.reached for result in results if result.reached), default=None),
        hashed=sum(marks, RowHash()) if len(marks) == len(results) > 0 else None,
    )
