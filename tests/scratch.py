"""The temporary folder of a whole run of tests, which goes with it: in memory where there is room.

Databases write through to the disk at every commit, and on a disk a small run of el waits for that a fifth of its time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path

MEMORY = Path("/dev/shm")
# The whole suite fills half of it.
ROOM = 6 * 2**30
_LOCK = "in_use"
_KEPT = "EL_TESTS_KEPT"
"""Names where folders of failed tests are kept."""


def use_own() -> None:
    """Give all that this process starts one temporary folder, which goes with it.

    A process that a test kills, fakesnow for what is staged, and a test itself remove nothing.
    """
    before = tempfile.gettempdir()
    own = tempfile.mkdtemp(prefix="el-tests-", dir=_place(before))
    lock(Path(own))
    os.environ.setdefault(_KEPT, before)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", own)
    os.environ["TMPDIR"] = tempfile.tempdir = own
    # After multiprocessing's own folder in it, which is removed with -100: it complains where it is gone.
    Finalize(None, shutil.rmtree, args=(own, True), exitpriority=-200)


def keep(folder: Path, place: Path | None = None) -> Path:
    """A copy of the folder of a test that failed, which stays."""
    place = place or Path(tempfile.mkdtemp(prefix="el-failed-", dir=os.environ.get(_KEPT, tempfile.gettempdir())))
    # What cannot be copied, such as a socket, is not worth more than the report of the test.
    with suppress(OSError):
        shutil.copytree(folder, place / folder.name, symlinks=True)
    return place / folder.name


def _place(before: str) -> str:
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return before
    remove_left(MEMORY)
    room = min(shutil.disk_usage(MEMORY).free, _memory())
    return str(MEMORY) if room >= ROOM else before


def _memory() -> int:
    """Bytes of memory that are to be had."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def lock(own: Path) -> bool:
    """Take the folder as one's own until this process ends; False where another process has it."""
    file = os.open(own / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return False
    return True


def remove_left(place: Path) -> None:
    """Remove what a run left that was killed: memory is dearer than a disk."""
    for folder in place.glob("el-tests-*"):
        # Another run may end now, and takes its own with it.
        with suppress(OSError):
            if folder.stat().st_uid == os.getuid() and lock(folder):
                shutil.rmtree(folder, ignore_errors=True)
