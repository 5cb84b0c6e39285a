"""From a store's files to those inside its archives, and back: what is listed, opened and fetched of either kind.

Guarantees: a file in an archive is read out of the version of the archive that was listed; it is whole, as far as the
archive can tell; its path inside the archive is never a path on this machine.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from el.dumps.archives.base import Archive
from el.dumps.archives.seven_zip import SevenZip
from el.dumps.archives.spool import Spool
from el.dumps.archives.tar import Tar
from el.dumps.archives.zip import Zip
from el.dumps.compression import broken_is_refused, refuse_without_room
from el.dumps.file_version import FileVersion
from el.dumps.stores.base import Fetched, Store
from el.errors import RecordRefused

_AT_ONCE = 4 * 1024 * 1024
_SPOOL = Spool()


def members_of(store: Store, file: FileVersion) -> Iterator[FileVersion]:
    """The files in an archive. Raises `RecordRefused` for one that is damaged."""
    seen: set[str] = set()
    with broken_is_refused(file), store.open(file) as opened:
        for member in archive_of(file.uri).members(opened, file.version):
            if member.name in seen:
                raise RecordRefused(f"{file}!/{member.name}: two files of this name are in the archive")
            seen.add(member.name)
            # A file is as old as its archive: what an archive says of times is of no time zone.
            yield replace(file, version=member.version, size=member.size, member=member.name, archive=file)


class WithMembers(Store):
    """A store whose files are also those in archives, as `members_of` gave them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, prefix: str) -> Iterator[FileVersion]:
        return self._store.list(prefix)

    def open(self, file: FileVersion) -> BinaryIO:
        if file.archive is None:
            return self._store.open(file)
        with tempfile.TemporaryDirectory() as folder:
            # It stays open, and goes with the one who reads it.
            return self.fetch(file, Path(folder)).path.open("rb")

    def fetch(self, file: FileVersion, folder: Path) -> Fetched:
        archive = file.archive
        if archive is None or file.member is None:
            return self._store.fetch(file, folder)
        refuse_without_room(folder, file.size, file)
        kind = archive_of(archive.uri)
        if kind.sequential and (fetched := _SPOOL.take(file, kind, lambda: self._store.open(archive), folder)):
            return fetched
        with tempfile.NamedTemporaryFile(dir=folder, prefix="fetched-", delete=False) as out:
            path = Path(out.name)
            try:
                with broken_is_refused(file), self._store.open(archive) as opened:
                    digest = hashlib.sha256()
                    with kind.read(opened, file.member) as source:
                        while block := source.read(_AT_ONCE):
                            digest.update(block)
                            out.write(block)
                if out.tell() != file.size:
                    raise RecordRefused(f"{file}: {out.tell():,} bytes are in the archive, which says {file.size:,}")
            except BaseException:
                path.unlink()
                raise
        return Fetched(path, digest.hexdigest())


def archive_of(name: str) -> Archive:
    """By the name's suffix, which the pattern has checked."""
    name = name.lower()
    if name.endswith(".zip"):
        return Zip()
    if name.endswith(".7z"):
        return SevenZip()
    suffix = f".{name.rpartition('.')[2]}"
    return Tar(None if suffix == ".tar" else suffix)
