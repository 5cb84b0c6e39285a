"""Files of archives that are read from their beginning: all are unpacked in one pass, and each is handed out once.

Otherwise each file would cost all that stand before it, and where the archive is elsewhere, the way here as well.
The first file that is asked for is read alone: it may be the only one that is wanted.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from el.dumps.archives.base import Archive
from el.dumps.compression import broken_is_refused, refuse_without_room
from el.dumps.file_version import FileVersion
from el.dumps.stores.base import Fetched
from el.errors import RecordRefused

_AT_ONCE = 4 * 1024 * 1024

Opening = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(slots=True)
class _Unpacked:
    """What is left of one archive. asked: the files that were asked for before it was unpacked."""

    lock: Lock = field(default_factory=Lock)
    asked: set[str] = field(default_factory=set)
    tried: bool = False
    folder: tempfile.TemporaryDirectory[str] | None = None
    files: dict[str, Fetched] = field(default_factory=dict)


class Spool:
    """One for a process; its files lie beside those that are being read, and go with the process at the latest."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._archives: dict[tuple[str, str], _Unpacked] = {}

    def take(self, file: FileVersion, kind: Archive, opening: Opening, folder: Path) -> Fetched | None:
        """The file, moved into `folder`; None where it has to be read alone."""
        archive = file.archive
        if archive is None or file.member is None:
            return None
        with self._lock:
            found = self._archives.setdefault((archive.uri, archive.version), _Unpacked())
        with found.lock:
            if not found.tried and found.asked - {file.member}:
                found.tried = True
                self._unpack(found, file, kind, opening, folder.parent)
            found.asked.add(file.member)
            fetched = found.files.pop(file.member, None)
            # An earlier run of this process may have removed its folder, and what was left beside it.
            if fetched is None or not fetched.path.exists():
                return None
            target = folder / fetched.path.name
            shutil.move(fetched.path, target)
            if not found.files and found.folder is not None:
                found.folder.cleanup()
                found.folder = None
            return Fetched(target, fetched.sha256)

    def _unpack(self, found: _Unpacked, file: FileVersion, kind: Archive, opening: Opening, beside: Path) -> None:
        place = tempfile.TemporaryDirectory(dir=beside, prefix="unpacked-", ignore_cleanup_errors=True)
        try:
            with broken_is_refused(file), opening() as opened:
                for name, source in kind.read_all(opened):
                    if name not in found.asked:
                        found.files[name] = _written(source, Path(place.name), file)
        except BaseException as error:
            found.files.clear()
            place.cleanup()
            if isinstance(error, RecordRefused):
                # One that does not fit, or that is damaged, must not take the others with it: each is read alone.
                return
            raise
        found.folder = place


def _written(source: BinaryIO, folder: Path, file: FileVersion) -> Fetched:
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, prefix="fetched-", delete=False) as out:
        while block := source.read(_AT_ONCE):
            refuse_without_room(folder, len(block), file)
            digest.update(block)
            out.write(block)
    return Fetched(Path(out.name), digest.hexdigest())
