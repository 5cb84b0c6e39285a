"""Files on this machine, or on what is mounted here: `file:///var/dumps/orders.csv`.

Links are followed, to files and to folders, but not around in a circle.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from el.dumps.file_version import FileVersion
from el.dumps.stores.base import Fetched, Store
from el.errors import ConnectError, FileChanged, NotPermitted, PlanError

SCHEME = "file://"
_AT_ONCE = 4 * 1024 * 1024


class LocalStore(Store):
    """A version is the size and the time of the last change, to the nanosecond."""

    def list(self, prefix: str) -> Iterator[FileVersion]:
        path = prefix.removeprefix(SCHEME)
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            # What is mounted there may be away: that is not the same as a folder without files.
            raise ConnectError(f"{SCHEME}{folder}: there is no such folder")
        yield from _files(folder, path, ())

    def open(self, file: FileVersion) -> BinaryIO:
        try:
            return io.BufferedReader(_Watched(file), 1024 * 1024)
        except FileNotFoundError:
            raise FileChanged(f"{file.uri}: is gone since it was listed") from None
        except OSError as error:
            raise _refused(error, file.uri) from None

    def fetch(self, file: FileVersion, folder: Path) -> Fetched:
        digest = hashlib.sha256()
        with self.open(file) as source, tempfile.NamedTemporaryFile(dir=folder, prefix="fetched-", delete=False) as out:
            try:
                while block := source.read(_AT_ONCE):
                    digest.update(block)
                    out.write(block)
            except BaseException:
                os.unlink(out.name)
                raise
        return Fetched(Path(out.name), digest.hexdigest())


class _Watched(io.FileIO):
    """An open file that is compared with what was listed after each read: written to meanwhile, it is two in one."""

    def __init__(self, file: FileVersion) -> None:
        super().__init__(file.uri.removeprefix(SCHEME))
        self._file = file
        try:
            self._compare()
        except FileChanged:
            self.close()
            raise

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self._compare()
        return count or 0

    def readall(self) -> bytes:
        data = super().readall()
        self._compare()
        return data or b""

    def _compare(self) -> None:
        if _version(os.fstat(self.fileno())) != self._file.version:
            raise FileChanged(f"{self._file.uri}: was changed since it was listed")


def _files(folder: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[FileVersion]:
    """The files below a folder, in the order of their paths. above: the folders on the way to it."""
    try:
        here = os.stat(folder)
        with os.scandir(folder) as scanned:
            found = [(entry.path + "/" if _is_folder(entry) else entry.path) for entry in scanned]
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(error, f"{SCHEME}{folder}") from None
    way = (*above, (here.st_dev, here.st_ino))
    if way[-1] in above:
        return
    for path in sorted(found):
        if path.endswith("/"):
            if path.startswith(prefix) or prefix.startswith(path):
                yield from _files(path.removesuffix("/"), prefix, way)
        elif path.startswith(prefix) and (file := _file(path)) is not None:
            yield file


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        raise _refused(error, f"{SCHEME}{entry.path}") from None


def _file(path: str) -> FileVersion | None:
    """None for what is no file, or gone by now."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(error, f"{SCHEME}{path}") from None
    if not stat.S_ISREG(found.st_mode):
        return None
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise PlanError(f"{SCHEME}{shown}: the name is not UTF-8: rename the file") from None
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return FileVersion(f"{SCHEME}{path}", _version(found), found.st_size, modified)


def _version(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def _refused(error: OSError, uri: str) -> ConnectError:
    if isinstance(error, PermissionError):
        return NotPermitted(f"{uri}: this user may not read it")
    return ConnectError(f"{uri}: {error.strerror or error}")
