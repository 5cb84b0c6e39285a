"""Extraction of files: the slices of all entries in this process or elsewhere, as those of tables are.

Guarantee: a file that fails stops no other; an interrupt stops all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from threading import Event

import pyarrow as pa

from el.config.job import Job
from el.connectors.catalog import TableName
from el.dumps.places import dump_output
from el.dumps.plan import DumpPlan, FileTask
from el.dumps.slice import DumpResult, DumpSlice, FileResult
from el.extraction.elsewhere import Elsewhere
from el.extraction.landing import LandedFile
from el.extraction.slice import Progress
from el.extraction.slicer import Destination
from el.reporting.progress import Reporter

# Files of a slice together have about this much, so that many small ones become few landing files.
_TOGETHER = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LandedDump:
    """An entry after extraction."""

    files: tuple[FileResult, ...]
    landed: tuple[tuple[pa.Schema, tuple[LandedFile, ...]], ...]
    started: datetime
    finished: datetime

    @property
    def seconds(self) -> float:
        return (self.finished - self.started).total_seconds()


def extract_dumps(
    job: Job, dumps: Sequence[DumpPlan], destination: Destination, reporter: Reporter, outside: Elsewhere | None = None
) -> dict[TableName, LandedDump]:
    """Read all files that are to be taken. outside: reads them in other processes; by default threads do."""
    workers = job.readers
    cancelled = Event()
    run: Callable[[DumpSlice, Progress | None, Event], DumpResult] = outside.run if outside else DumpSlice.run
    pool = ThreadPoolExecutor(workers, thread_name_prefix="el")
    waiting: dict[Future[DumpResult], DumpPlan] = {}
    results: dict[TableName, list[DumpResult]] = {}
    landed: dict[TableName, LandedDump] = {}
    try:
        for dump in dumps:
            for work in slices(job, dump, destination, workers):
                waiting[pool.submit(run, work, reporter.progress, cancelled)] = dump
        counts = {dump.name: sum(1 for each in waiting.values() if each is dump) for dump in dumps}
        while waiting:
            done, _ = wait(waiting, return_when="FIRST_COMPLETED")
            for future in done:
                dump = waiting.pop(future)
                found = results.setdefault(dump.name, [])
                found.append(future.result())
                if len(found) == counts[dump.name]:
                    landed[dump.name] = _together(found)
                    rows = sum(file.rows for file in landed[dump.name].files)
                    reporter.extracted(dump, rows, landed[dump.name].seconds)
    finally:
        cancelled.set()
        pool.shutdown(wait=True, cancel_futures=True)
        # Loading needs memory of its own, and has no use for what reading leaves to be used again.
        pa.default_memory_pool().release_unused()
    return landed


def slices(job: Job, dump: DumpPlan, destination: Destination, workers: int) -> list[DumpSlice]:
    """Large files alone, small ones together."""
    if dump.error is not None:
        return []
    directory = destination.spool / dump.raw_schema
    directory.mkdir(parents=True, exist_ok=True)
    contract = dump.settings.contract or job.config.defaults.contract
    frozen = tuple(dump.held.columns) if contract == "freeze" and dump.held is not None else None
    groups = _groups(dump.tasks, workers)
    return [
        DumpSlice(
            dump_output(job, dump.settings),
            str(dump.name),
            f"{abs(hash(dump.raw_table)):x}-{number:04d}",
            dump.settings,
            tuple(tasks),
            job.config.raw.naming,
            destination.load_ids[dump.raw_schema],
            directory,
            destination.sizes.among(len(groups)),
            job.config.defaults.retries,
            destination.limits,
            frozen,
        )
        for number, tasks in enumerate(groups)
    ]


def _groups(tasks: Sequence[FileTask], workers: int) -> list[list[FileTask]]:
    """The largest first, so that none of them is left alone at the end."""
    most = max(1, min(_TOGETHER, sum(task.file.size for task in tasks) // max(1, workers)))
    groups: list[list[FileTask]] = []
    room = 0
    for task in sorted(tasks, key=lambda item: (-item.file.size, str(item.file))):
        if not groups or task.file.size > room:
            groups.append([])
            room = most
        groups[-1].append(task)
        room -= task.file.size
    return groups


def _together(results: Sequence[DumpResult]) -> LandedDump:
    files = sorted((file for result in results for file in result.files), key=lambda file: str(file.task.file))
    return LandedDump(
        tuple(files),
        tuple(part for result in results for part in result.landed),
        min(result.started for result in results),
        max(result.finished for result in results),
    )
