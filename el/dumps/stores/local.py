"""Files on this machine, or on what is mounted here: `file:///var/dumps/orders.csv`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from el.dumps.file_version import FileVersion
from el.dumps.stores.base import Fetched, Store
from el.errors import ConnectError, FileChanged

SCHEME = "file://"
_COPIED_AT_ONCE = 4 * 1024 * 1024


class LocalStore(Store):
    """A version is the size and the time of the last change, to the nanosecond."""

    def list(self, prefix: str) -> Iterator[FileVersion]:
        path = prefix.removeprefix(SCHEME)
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            # What is mounted there may be away: that is not the same as a folder without files.
            raise ConnectError(f"{SCHEME}{folder}: there is no such folder")
        found = []
        for here, folders, names in os.walk(folder, onerror=_refused):
            folders[:] = [name for name in folders if _may_hold(os.path.join(here, name), path)]
            found += [full for name in names if (full := os.path.join(here, name)).startswith(path)]
        for each in sorted(found):
            if (version := _version(each)) is not None:
                yield version

    def open(self, file: FileVersion) -> BinaryIO:
        opened = _open(file)
        _compare(file, opened)
        return opened

    def fetch(self, file: FileVersion, folder: Path) -> Fetched:
        digest = hashlib.sha256()
        path = folder / f"fetched-{hashlib.sha256(f'{file.uri} {file.version}'.encode()).hexdigest()[:16]}"
        with self.open(file) as source, path.open("wb") as target:
            while block := source.read(_COPIED_AT_ONCE):
                digest.update(block)
                target.write(block)
            # Written to while it was read, it is two versions in one.
            _compare(file, source)
        return Fetched(path, digest.hexdigest())


def _may_hold(folder: str, prefix: str) -> bool:
    """Whether a file below this folder can begin with the prefix."""
    return f"{folder}{os.sep}".startswith(prefix) or prefix.startswith(f"{folder}{os.sep}")


def _refused(error: OSError) -> None:
    raise ConnectError(f"{SCHEME}{error.filename}: {error.strerror}")


def _open(file: FileVersion) -> BinaryIO:
    try:
        return Path(file.uri.removeprefix(SCHEME)).open("rb")
    except FileNotFoundError:
        raise FileChanged(f"{file}: is gone since it was listed") from None
    except OSError as error:
        raise ConnectError(f"{file}: {error.strerror}") from None


def _compare(file: FileVersion, opened: BinaryIO) -> None:
    if _text(os.fstat(opened.fileno())) != file.version:
        raise FileChanged(f"{file}: was changed since it was listed")


def _version(path: str) -> FileVersion | None:
    """None for what is no file, or gone by now."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return FileVersion(f"{SCHEME}{path}", _text(found), found.st_size, modified)


def _text(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"
