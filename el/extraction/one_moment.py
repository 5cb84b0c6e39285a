"""Slices that are read as of one moment, over as many connections as can share it.

Guarantees: a table is of one moment, whatever happens to its transactions. The server may end one (a table's definition
was changed meanwhile, the line was cut), and it may last only so long: then the tables that are not read to their end
are read from their beginning, as of a later moment, which is said.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from threading import Barrier, BrokenBarrierError, Event, Lock
from typing import Any

from el.config.job import Job
from el.connectors.base import ChangeSource, OneMomentSource, Source
from el.connectors.registry import open_source
from el.errors import ElError, Paused, RowRefused
from el.extraction.retry import retrying
from el.extraction.sessions import Sessions
from el.extraction.slice import Slice, SliceResult
from el.extraction.slicer import reads_at_once
from el.planning.run_notes import shares_moment
from el.reporting.progress import Reporter

Member = tuple[Future[SliceResult], Slice]


class OneMoment:
    """Reads its slices in `readers` threads, each of which calls `run`; each future gets the result of its slice."""

    def __init__(
        self, job: Job, group: Sequence[Member], reporter: Reporter, cancelled: Event, beside: Sessions
    ) -> None:
        """beside: sessions that other slices read over; those that wait make room for a moment's own."""
        self.job = job
        self.beside = beside
        self.group = group
        self.reporter = reporter
        self.cancelled = cancelled
        self.seconds = 60 * job.config.source_limits.snapshot_minutes
        self.retries = job.config.defaults.retries
        self.readers = min(reads_at_once(job), len(group)) if shares_moment(job) else 1
        self._tables = len({work.table for _, work in group})
        # All meet here between two moments, and one of them does what is to be done.
        self._meeting = Barrier(self.readers, self._next_moment)
        self._lock = Lock()
        self._open = ExitStack()
        self._sources: Sequence[Any] = ()
        self._begin_anew([])

    def run(self) -> None:
        """What each of the threads does."""
        with suppress(BrokenBarrierError):
            while True:
                place = self._meeting.wait()
                if self._done:
                    return
                if place < len(self._sources):
                    self._read(self._sources[place])

    def stop(self) -> None:
        """Let no thread wait for another one."""
        self._meeting.abort()

    def close(self) -> None:
        """Once no thread is at work: end what is open."""
        with suppress(Exception):
            self._open.close()

    def _begin_anew(self, waiting: Sequence[Member]) -> None:
        self._waiting = deque(waiting)
        self._left = Counter(work.table for _, work in waiting)  # slices that are not read yet
        self._begun: set[str] = set()
        self._results: dict[str, list[tuple[Future[SliceResult], SliceResult]]] = {}
        self._lost: object = None  # why the moment is gone
        self._failed: BaseException | None = None
        self._done = False

    def _next_moment(self) -> None:
        """An error here is that of all that are left: each future must get an answer."""
        try:
            self._open.close()
            waiting = [member for member in self.group if not member[0].done()]
            for _, result in (each for table in self._results.values() for each in table):
                for file in result.files:
                    file.path.unlink(missing_ok=True)
            if self._failed is not None:
                raise self._failed
            if self._lost is not None and waiting:
                first = waiting[0][1].table
                self.reporter.say(
                    f"{first}{' and what follows are' if self._tables > 1 else ' is'} read from a later point in time: "
                    f"{self._lost}"
                )
            self._begin_anew(waiting)
            self._done = not waiting
            if waiting:
                self._see_one_moment()
        except BaseException as error:
            for future, _ in self.group:
                if not future.done():
                    future.set_exception(error)
            self._done = True

    def _see_one_moment(self) -> None:
        for attempt in retrying(self.retries, sleep=self.cancelled.wait):
            with attempt, ExitStack() as opened:
                self.beside.close()
                wanted = min(self.readers, len(self._waiting))
                sources = [self._source(opened) for _ in range(wanted)]
                self._sources = opened.enter_context(sources[0].share_moment(sources[1:]))
                self._until = time.monotonic() + self.seconds
                self._open = opened.pop_all()
        if len(self._sources) < wanted:
            seen = f"{len(self._sources)} of {wanted} connections"
            self.reporter.say(f"{self._waiting[0][1].table}: the database shows one moment to {seen}, which read alone")

    def _source(self, opened: ExitStack) -> OneMomentSource:
        source = opened.enter_context(open_source(self.job.source.settings, str(self.job.source)))
        # One of them has to meet a log, and all are to be of one moment.
        if isinstance(source, ChangeSource) and any(work.request.placed for _, work in self.group):
            source = source.beside_log()
        assert isinstance(source, OneMomentSource)
        return source

    def _read(self, source: Source) -> None:
        """Slices, one after the other, while there are some and the moment holds."""
        while (member := self._take()) is not None:
            future, work = member
            try:
                wanted = future.running() or future.set_running_or_notify_cancel()
                self._keep(member, work.run(self.reporter.progress, self.cancelled, source) if wanted else None)
            except (RowRefused, Paused) as error:
                future.set_exception(error)
                self._keep(member, None)
            except BaseException as error:
                self._end_moment(error)

    def _take(self) -> Member | None:
        with self._lock:
            if self._lost is not None or self._failed is not None or not self._waiting:
                return None
            table = self._waiting[0][1].table
            if table not in self._begun and self._begun and time.monotonic() >= self._until:
                minutes = self.job.config.source_limits.snapshot_minutes
                self._lost = f"the former one was held for {minutes} minutes"
                return None
            self._begun.add(table)
            return self._waiting.popleft()

    def _keep(self, member: Member, result: SliceResult | None) -> None:
        """Results of a table are told once all of it is read."""
        future, work = member
        with self._lock:
            if result is not None:
                self._results.setdefault(work.table, []).append((future, result))
            self._left[work.table] -= 1
            if not self._left[work.table]:
                for told, found in self._results.pop(work.table, ()):
                    told.set_result(found)

    def _end_moment(self, error: BaseException) -> None:
        """A transaction is lost, and its slice waits for another one; or the error is that of all that are left."""
        with self._lock:
            if not isinstance(error, ElError) or not error.retryable or (self._lost is None and not self.retries):
                self._failed = error
            elif self._lost is None:
                self.retries -= 1
                self._lost = error
