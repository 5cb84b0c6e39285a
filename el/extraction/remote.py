"""What another process is given of a slice, and how it is heard there: by small files beside the landing files.

A slice goes on as long as its file `.going` is there and is renewed: who removes it stops the slice, and so does the
end of the process that renews it. In `.reader` it says that it is the one which reads: where an executor gives the
slice to a second process, the first one stops. What is read so far stands in `.progress`. No server of our own, no
port: whoever sees the landing files sees these.

Guarantees: each time it is begun, a slice has names of files that no other has, so that what a process that died left
behind is never among its files. What travels holds no secret but by reference (`Output`, `MaskKey`).
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from el import __version__
from el.connectors.origin import of_run
from el.errors import DriverMissing, LoadError, SecretUnavailable
from el.extraction.slice import Progress, Stop

R_co = TypeVar("R_co", covariant=True)
# Seconds: how often the slice looks whether it shall stop, and tells what it has read.
_EVERY = 0.5


class Work(Protocol[R_co]):
    """A slice, of a table or of files."""

    @property
    def table(self) -> str:
        """Its name at the source."""

    @property
    def stem(self) -> str:
        """How the names of its files begin."""

    @property
    def directory(self) -> Path:
        """Where they lie."""

    def run(self, progress: Progress | None = None, cancelled: Stop | None = None) -> R_co:
        """Read and write it all."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The files by which a slice and the process that waits for it speak."""

    going: Path
    reader: Path
    progress: Path

    @classmethod
    def of(cls, work: Work[Any], attempt: int) -> Signs:
        """Those of the nth time that it is begun."""
        begin = f"{work.stem}.{attempt}"
        return cls(*(work.directory / f"{begin}.{name}" for name in ("going", "reader", "progress")))

    def renew(self, beat: int) -> None:
        """Let the slice go on. Raises `LoadError`."""
        try:
            self.going.write_text(str(beat), encoding="utf-8")
        except OSError as error:
            raise LoadError(f"cannot write into {self.going.parent}: {error.strerror or error}") from None

    def told(self) -> tuple[int, int] | None:
        """Rows and bytes so far; None: nothing yet, or it is just being written."""
        with suppress(OSError, ValueError):
            rows, size, _ = self.progress.read_text(encoding="utf-8").split(" ")
            return int(rows), int(size)
        return None

    def remove(self) -> None:
        """Stop the slice, if it is at work."""
        for path in (self.going, self.reader, self.progress):
            with suppress(OSError):
                path.unlink(missing_ok=True)


class Heard:
    """In the other process: what tells its slice to stop, as an `Event` would, and takes what it tells."""

    def __init__(self, signs: Signs, patience: float, mark: str) -> None:
        """patience: seconds without a sign after which nobody waits for the slice any more. mark: who reads it."""
        self._signs = signs
        self._patience = patience
        self._mark = mark
        with suppress(OSError):
            signs.reader.write_text(mark, encoding="utf-8")
        self._looked = self._beat = self._wrote = float("-inf")
        self._last: str | None = None
        self._stopped = self._untold = False
        self._rows = self._bytes = 0

    def is_set(self) -> bool:
        """Whether it shall stop; looked at twice a second."""
        now = time.monotonic()
        if self._stopped or now - self._looked < _EVERY:
            return self._stopped
        self._looked = now
        if self._untold:
            self.write()
        try:
            found = self._signs.going.read_text(encoding="utf-8")
            reader = self._signs.reader.read_text(encoding="utf-8")
        except OSError:
            self._stopped = True
        else:
            if found != self._last:
                self._last, self._beat = found, now
            self._stopped = now - self._beat > self._patience or reader not in (self._mark, "")
        return self._stopped

    def wait(self, timeout: float | None = None) -> bool:
        """As that of an `Event`."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (left := until - time.monotonic()) > 0:
            time.sleep(min(_EVERY, left))
        return self._stopped

    def tell(self, table: str, rows: int, size: int) -> None:
        """As `Progress`."""
        self._rows += rows
        self._bytes += size
        self._untold = True
        if time.monotonic() - self._wrote >= _EVERY:
            self.write()

    def write(self) -> None:
        """What is read so far. A file that cannot be written now is no reason to stop."""
        self._wrote, self._untold = time.monotonic(), False
        if self._signs.going.exists():
            with suppress(OSError):
                self._signs.progress.write_text(f"{self._rows} {self._bytes} .", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Remote(Generic[R_co]):
    """A slice as it travels."""

    work: Work[R_co]
    signs: Signs
    run_id: str
    patience: float
    version: str = __version__  # of el, where it was made

    @classmethod
    def of(cls, work: Work[R_co], attempt: int, run_id: str, patience: float) -> Remote[R_co]:
        """For the nth time that the slice is begun; its folder is the same wherever it is read."""
        whole: dict[str, Any] = {"directory": work.directory.absolute()}
        work = replace(work, **whole)  # type: ignore[type-var]
        return cls(work, Signs.of(work, attempt), run_id, patience)

    def __call__(self) -> R_co:
        """Read it here. Raises what the slice raises; `LoadError` where its folder is not seen, or el is another."""
        if self.version != __version__:
            # A worker that came after the others were asked. What a slice says means to another el something else.
            raise LoadError(f"{self.work.table}: {here()} has el {__version__}, and the run has {self.version}")
        if not self.signs.going.exists():
            raise LoadError(
                f"{self.work.table}: {here()} does not see {self.work.directory}: EL_HOME has to be a "
                "folder that it shares, under the same path"
            )
        mark = uuid.uuid4().hex[:8]
        heard = Heard(self.signs, self.patience, mark)
        mine: dict[str, Any] = {"stem": f"{self.work.stem}-{mark}"}
        try:
            with of_run(self.run_id):
                return replace(self.work, **mine).run(heard.tell, heard)  # type: ignore[type-var]
        except (SecretUnavailable, DriverMissing) as error:
            raise type(error)(f"{here()}: {error}") from None
        finally:
            heard.write()


def here() -> str:
    """This process, for messages."""
    return f"process {os.getpid()} of {socket.gethostname()}"
