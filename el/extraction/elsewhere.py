"""Slices that are read in other processes, each followed by a thread of this one, which does no more than wait.

So what holds for threads holds for them: as many are read at once as there are threads, a table that fails or an
interrupt stops them, and what they have read is told while they read it.

Guarantees: a slice whose process dies is read again from its beginning, at most `retries` times, and none of what the
dead one wrote is among its files. What a slice raises arrives as it is. After an interrupt a process of this machine
has ended within seconds; one of another machine ends with its next batch.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from el.config.job import Job
from el.errors import ElError, LoadError
from el.extraction.engines import Engine, engine_of
from el.extraction.remote import Remote, Work
from el.extraction.slice import Cancelled, Progress, Stop
from el.reporting.progress import Reporter

R = TypeVar("R")
# Seconds between two looks at a slice, between two signs that it is waited for, and until it is stopped by force.
_LOOK, _BEAT, _GRACE = 0.2, 5.0, 3.0


@contextmanager
def elsewhere(job: Job, given: Executor | None, reporter: Reporter) -> Iterator[Elsewhere | None]:
    """Where the slices of a job are read; None: in this process. given: an executor that the caller has."""
    engine = engine_of(job, given)
    try:
        yield Elsewhere(engine, job, reporter) if engine is not None else None
    finally:
        if engine is not None:
            engine.close()


class Elsewhere:
    """Reads slices on an engine."""

    def __init__(self, engine: Engine, job: Job, reporter: Reporter) -> None:
        self._engine = engine
        self._run_id = job.run_id
        self._retries = job.config.defaults.retries if engine.renews else 0
        self._reporter = reporter

    def run(self, work: Work[R], progress: Progress | None, cancelled: Stop) -> R:
        """As the slice's own `run`; called by a thread of its own, which waits."""
        for attempt in range(self._retries + 1):
            try:
                found: R = _Followed(self._engine, work, attempt, self._run_id).result(progress, cancelled)
                return found
            except _Lost as lost:
                why = str(lost)
            if attempt < self._retries:
                self._reporter.say(f"{work.table}: the process that read a part of it is gone: {why}; it is read again")
        tried = f", {self._retries + 1} times" if self._retries else ""
        raise LoadError(
            f"{work.table}: the process that read a part of it is gone{tried}: {why}; if memory was short there, fewer "
            "at once need less, and so does a smaller `batch_mb`"
        )


class _Lost(Exception):
    """The process of a slice is gone; the text says why."""


class _Followed:
    """One time that a slice is read."""

    def __init__(self, engine: Engine, work: Work[Any], attempt: int, run_id: str) -> None:
        self._engine = engine
        self._work = work
        self._remote = Remote.of(work, attempt, run_id, engine.patience)
        self._signs = self._remote.signs
        self._told: tuple[int, int] | None = None
        self._beaten = float("-inf")
        self._beats = 0

    def result(self, progress: Progress | None, cancelled: Stop) -> Any:
        if cancelled.is_set():
            raise Cancelled(f"{self._work.table}: interrupted")
        self._renew()
        try:
            with self._engine.one() as executor:
                future = self._submitted(executor)
                self._await(future, progress, cancelled)
                self._refuse_lost(future)
            return future.result()
        except _Lost:
            self._tell(progress, (0, 0))
            if self._engine.renews:
                self._remove_files()
            raise
        finally:
            self._signs.remove()

    def _submitted(self, executor: Executor) -> Future[Any]:
        try:
            return executor.submit(self._remote)
        except Exception as error:
            if why := self._engine.why_lost(error):
                raise _Lost(why) from None
            raise

    def _await(self, future: Future[Any], progress: Progress | None, cancelled: Stop) -> None:
        """Until it is done. Raises `Cancelled`, some seconds after the interrupt where it does not end by itself."""
        while not wait([future], _LOOK).done:
            self._renew()
            self._tell(progress, self._signs.told())
            if cancelled.is_set():
                self._signs.remove()
                future.cancel()
                wait([future], _GRACE)
                raise Cancelled(f"{self._work.table}: interrupted")
        self._tell(progress, self._signs.told())

    def _refuse_lost(self, future: Future[Any]) -> None:
        """Raise `_Lost` where it is not the slice that failed, but its process that is gone."""
        if future.cancelled():
            raise _Lost("the executor has given it up")
        error = future.exception()
        if isinstance(error, Cancelled):
            # Nobody here has told it to stop: this process has given no sign for too long, as after a sleep.
            raise _Lost("it heard nothing of this process for too long")
        if error is not None and not isinstance(error, ElError) and (why := self._engine.why_lost(error)):
            raise _Lost(why)

    def _renew(self) -> None:
        if time.monotonic() - self._beaten >= _BEAT:
            self._beaten = time.monotonic()
            self._beats += 1
            self._signs.renew(self._beats)
            if why := self._engine.why_stuck():
                raise LoadError(f"{self._work.table}: {why}; start one, and run again")

    def _tell(self, progress: Progress | None, found: tuple[int, int] | None) -> None:
        """What is new since it was last told."""
        if progress is None or found is None or found == self._told:
            return
        rows, size = self._told or (0, 0)
        self._told = found
        progress(self._work.table, found[0] - rows, found[1] - size)

    def _remove_files(self) -> None:
        for path in self._work.directory.glob(f"{self._work.stem}-*"):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
