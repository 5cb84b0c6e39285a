"""Who is at work on a destination: the holder of its lock, in words for whoever comes second.

Guarantees: of two runs on the same raw schema one works, and the other says who does and leaves (`RunLocked`, exit code
3). The lock of a run that died on this machine is broken at once, for its process is gone; that of a machine that is
no more or was started anew, or of another container, when its lease has run out.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from el.errors import RunLocked
from el.types.present import utc_now

StillOurs = Callable[[str], None]
"""Called with a raw schema; raises `RunLocked` if its lock is no longer ours."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A run, as others see it.

    host: the machine's name, and behind "#" what tells from where its pids are seen; process: what tells two processes
    apart that had the same pid; since: UTC, ISO 8601.
    """

    run_id: str
    host: str
    pid: int
    process: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id} on {self.host.partition('#')[0]}, pid {self.pid}, since {self.since} UTC"

    def is_gone(self) -> bool:
        """Whether this run is known to be dead: it was on this machine, and its process is not there any more."""
        here = this_host() if "#" in self.host else socket.gethostname()
        return self.host == here and self.process != process_mark(self.pid)


def this_process(run_id: str) -> Holder:
    """This process as a holder."""
    now = utc_now().isoformat(" ", timespec="seconds")
    return Holder(run_id, this_host(), os.getpid(), process_mark(os.getpid()), now)


def this_host() -> str:
    """This machine, its start and its pid namespace: containers may share the name of a host, and not its processes."""
    try:
        namespace, boot = os.readlink("/proc/self/ns/pid"), Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}#{namespace} {boot}"


def process_mark(pid: int) -> str:
    """When a process of this machine started, as text that no other process of this pid has; empty if it is gone."""
    try:
        # Field 22 of proc(5) is the start in ticks since boot; the name in brackets may hold spaces.
        return f"ticks {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    except (OSError, IndexError):
        pass
    return "unknown"


def taken(what: str, holder: Holder | None) -> RunLocked:
    """The error for whoever comes second."""
    who = str(holder) if holder is not None else "another run, which has not said yet who it is"
    return RunLocked(f"{what} is being loaded by {who}; wait until it has ended, or end it")


@contextmanager
def file_lock(path: Path, holder: Holder) -> Iterator[StillOurs]:
    """Hold a lock file while inside; the operating system lets go of it when the process ends, however it ends.

    Its text says who holds it. Raises `RunLocked`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        if not _lock(file):
            raise taken(str(path.with_suffix("")), _read(file))
        file.seek(0)
        file.truncate()
        file.write(json.dumps(asdict(holder)))
        file.flush()
        try:
            yield lambda _: None
        finally:
            file.seek(0)
            file.truncate()


def _lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            # Far behind the text, which others shall be able to read.
            file.seek(1 << 20)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(file: IO[str]) -> Holder | None:
    try:
        file.seek(0)
        return Holder(**json.loads(file.read()))
    except (OSError, ValueError, TypeError):
        return None
