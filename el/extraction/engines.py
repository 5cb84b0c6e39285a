"""The executors that slices are given to: processes of this machine (loky), a Dask cluster, or one that a caller has.

Guarantee: a process of this machine has one slice at a time, so that one that dies takes no other slice with it.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from el import __version__
from el.config.job import Job
from el.errors import ConfigError, ConnectError, DriverMissing, to_install
from el.extraction.memory import little_memory
from el.extraction.remote import here

_CONNECT = 20  # seconds until a scheduler has to have answered


class Engine(ABC):
    """Where slices are read, other than in this process."""

    # Seconds without a sign of this process after which a slice stops by itself; and without a worker, after which this
    # process waits for none any more.
    patience = 300.0
    # Whether a slice whose process died can be given again.
    renews = False

    @abstractmethod
    @contextmanager
    def one(self) -> Iterator[Executor]:
        """An executor for one slice, until it is done. What is at work at its end is stopped, if that can be."""

    def why_lost(self, error: BaseException) -> str | None:
        """Why the process of a slice is gone; None: this error is the slice's own."""
        return str(error) if isinstance(error, BrokenExecutor) else None

    def why_stuck(self) -> str | None:
        """Why a slice that was given will not be read; None: it may be. Asked every few seconds."""
        return None

    def close(self) -> None:  # noqa: B027
        """The slices are read."""


class Given(Engine):
    """An executor that the caller has, and ends."""

    def __init__(self, executor: Executor) -> None:
        # Its processes begin now: where they are forked, they must be before this process has other threads at work,
        # whose locks they would have for ever.
        executor.submit(here)
        self._executor = executor

    @contextmanager
    def one(self) -> Iterator[Executor]:
        yield self._executor


class Processes(Engine):
    """Processes beside this one, each of which begins with the first slice that needs it."""

    renews = True

    def __init__(self) -> None:
        try:
            from loky import ProcessPoolExecutor
        except ImportError:
            raise DriverMissing(f"executor: processes needs a library: {to_install('processes')}") from None
        _begin_tracker()
        self._new: Callable[..., Any] = ProcessPoolExecutor
        self._idle: deque[Any] = deque()

    @contextmanager
    def one(self) -> Iterator[Executor]:
        try:
            lane = self._idle.pop()
        except IndexError:
            begin = {"initializer": _begin, "initargs": (os.getpid(),), "env": little_memory()}
            lane = self._new(max_workers=1, **begin)
        try:
            yield lane
        except BaseException:
            # It is dead, or at work for nobody.
            lane.shutdown(wait=True, kill_workers=True)
            raise
        self._idle.append(lane)

    def why_lost(self, error: BaseException) -> str | None:
        if not isinstance(error, BrokenExecutor):
            return None
        ended = re.search(r"exit codes? of the workers? (?:is|are) \{(.*)\}", str(error))
        return f"it ended by {ended[1]}" if ended else type(error).__name__

    def close(self) -> None:
        while self._idle:
            self._idle.pop().shutdown(wait=True, kill_workers=True)
        # Its semaphores go with their objects, of which some name each other: who ends by `os._exit` leaves no such
        # thing to Python's end, and loky's tracker says on standard error what it then has to clean up.
        gc.collect()


def _begin_tracker() -> None:
    """Begin loky's own process, which cleans up after one that was interrupted or killed, and tells of it on standard
    error: nobody has to do anything then."""
    from loky.backend import resource_tracker

    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"ignore::UserWarning:{resource_tracker.__name__}"
    try:
        resource_tracker.ensure_running()
    finally:
        os.environ.pop("PYTHONWARNINGS")
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def _begin(parent: int) -> None:
    """In such a process: leave Ctrl-C to the run, which a terminal tells it too; and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True, name="el-watch").start()


class Dask(Engine):
    """A cluster, whose own scheduler gives a slice of a worker that died to another one, three times by default."""

    def __init__(self, address: str, folder: Path) -> None:
        try:
            import dask
            import distributed
        except ImportError:
            raise DriverMissing(f"executor: dask needs a library: {to_install('dask')}") from None
        client: Any = distributed.Client
        scheme = "tls" if dask.config.get("distributed.comm.require-encryption", False) else "tcp"
        self._address = f"dask://{address}"
        try:
            self._client: Any = client(f"{scheme}://{address}", timeout=_CONNECT, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise ConnectError(f"{self._address}: no scheduler answers: {error}") from None
        try:
            self._refuse_strangers(folder)
        except BaseException:
            self.close()
            raise
        self._executor: Executor = self._client.get_executor(pure=False)
        self._manned = time.monotonic()  # when a worker was last there

    def _refuse_strangers(self, folder: Path) -> None:
        """Raise `ConfigError` for a worker that does not share the folder, or has another version."""
        mark = folder.absolute() / f"seen-by-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text("", encoding="utf-8")
        try:
            found = self._client.run(_seen, str(mark), on_error="return")
        finally:
            mark.unlink(missing_ok=True)
        for worker, said in sorted(found.items()):
            if isinstance(said, BaseException):
                raise ConfigError(f"{self._address}: worker {worker} cannot run el: {said}; install el-loader there")
            version, problem = said
            if version != __version__:
                raise ConfigError(f"{self._address}: worker {worker} has el {version}, and this is {__version__}")
            if problem:
                raise ConfigError(
                    f"{self._address}: worker {worker} ({problem}): EL_HOME has to be a folder that all workers share, "
                    "under the same path"
                )

    @contextmanager
    def one(self) -> Iterator[Executor]:
        yield self._executor

    def why_lost(self, error: BaseException) -> str | None:
        gone = type(error).__module__.partition(".")[0] == "distributed" or isinstance(error, BrokenExecutor)
        return f"{self._address}: {error}" if gone else None

    def why_stuck(self) -> str | None:
        """Dask itself waits for a worker for ever. One that is late, as where they begin on demand, is waited for."""
        try:
            manned = self._client.sync(self._client.scheduler.ncores, callback_timeout=2)
        except (OSError, TimeoutError):
            # Of a scheduler that is gone the client tells by itself.
            manned = True
        if manned:
            self._manned = time.monotonic()
        waited = time.monotonic() - self._manned
        return f"{self._address}: no worker was there for {waited:.0f} seconds" if waited > self.patience else None

    def close(self) -> None:
        with suppress(OSError, TimeoutError):
            self._client.close()


def _seen(mark: str) -> tuple[str, str]:
    """Of a worker: its version of el, and what is wrong with its folder."""
    path = Path(mark)
    if not path.exists():
        return __version__, f"{here()} does not see {path.parent}"
    mine = path.with_name(f"{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        mine.write_text("", encoding="utf-8")
        mine.unlink()
    except OSError as error:
        return __version__, f"{here()} cannot write into {path.parent}: {error.strerror}"
    return __version__, ""


def engine_of(job: Job, given: Executor | None) -> Engine | None:
    """That of a job; None: slices are read in this process. given: the executor that the caller has."""
    if given is not None:
        return Given(given)
    if job.where.processes is not None:
        return Processes()
    if job.where.dask is not None:
        return Dask(job.where.dask, job.work / "spool")
    return None
