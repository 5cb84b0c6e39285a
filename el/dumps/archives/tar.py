"""tar, as it is or compressed: it has no directory, so all of it is read to list it, and up to a file to read that.

Python's reader ends in silence where an archive is cut between two files, or damaged there; this one does not.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Self, cast

from el.dumps.archives.base import Archive, Member, Unreadable
from el.dumps.compression import decompressing


class Tar(Archive):
    """suffix: of its compression, such as ".gz"; None without. A version is of the archive too: tar has no checksum."""

    def __init__(self, suffix: str | None = None) -> None:
        self._suffix = suffix
        self.sequential = suffix is not None

    def members(self, opened: BinaryIO, version: str) -> Iterator[Member]:
        with self._opened(source := self._source(opened)) as archive:
            for info in archive:
                if info.isfile() or info.islnk() or info.issym():
                    yield Member(info.name, info.size, f"{version}!{info.mtime}-{info.size}")
            # What stands behind the mark of the end is the checksum of the compression, if any.
            while self._suffix is not None and source.read(1024 * 1024):
                pass

    @contextmanager
    def read(self, opened: BinaryIO, name: str) -> Iterator[BinaryIO]:
        with self._opened(self._source(opened)) as archive:
            info = next((info for info in archive if info.name == name), None)
            if info is None:
                raise Unreadable("it is no longer in the archive")
            if not info.isfile():
                raise Unreadable("it is a link; pack the file that is meant")
            source = archive.extractfile(info)
            assert source is not None
            yield cast(BinaryIO, source)

    def read_all(self, opened: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
        with self._opened(self._source(opened)) as archive:
            for info in archive:
                if info.isfile() and (source := archive.extractfile(info)) is not None:
                    yield info.name, cast(BinaryIO, source)

    def _source(self, opened: BinaryIO) -> BinaryIO:
        return opened if self._suffix is None else decompressing(opened, self._suffix)

    def _opened(self, source: BinaryIO) -> tarfile.TarFile:
        if self._suffix is None:
            return tarfile.open(fileobj=source, mode="r:", tarinfo=_Header)
        return tarfile.open(fileobj=source, mode="r|", tarinfo=_Header)


class _Header(tarfile.TarInfo):
    """A header is whole, or it is the mark of the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error}, and no mark of its end") from None
