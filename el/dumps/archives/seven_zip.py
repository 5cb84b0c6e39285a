"""7z, by py7zr, which the extra `sevenzip` brings. Files are packed together: all before one are unpacked for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from el.dumps.archives.base import Archive, Member, Unreadable
from el.errors import DriverMissing, to_install

if TYPE_CHECKING:
    from py7zr import SevenZipFile


class SevenZip(Archive):
    """A version is the checksum and the size."""

    def members(self, opened: BinaryIO, version: str) -> Iterator[Member]:
        with _opened(opened) as archive:
            for info in archive.list():
                if not info.is_directory:
                    checksum = f"crc32:{info.crc32:08x}" if info.crc32 is not None else version
                    yield Member(info.filename, info.uncompressed, f"{checksum}-{info.uncompressed}")

    @contextmanager
    def read(self, opened: BinaryIO, name: str) -> Iterator[BinaryIO]:
        from py7zr.io import Py7zIO, WriterFactory

        class Writer(Py7zIO):
            """Whatever path the archive gives a file, it is written to one that has no name."""

            def __init__(self, out: IO[bytes]) -> None:
                self._out = out

            def write(self, data: Any) -> int:
                return self._out.write(data)

            def read(self, size: int | None = None) -> bytes:
                return self._out.read(-1 if size is None else size)

            def seek(self, offset: int, whence: int = 0) -> int:
                return self._out.seek(offset, whence)

            def flush(self) -> None:
                self._out.flush()

            def size(self) -> int:
                return self._out.tell()

        class Factory(WriterFactory):
            made: IO[bytes] | None = None

            def create(self, filename: str) -> Py7zIO:
                self.made = target
                return Writer(target)

        with tempfile.TemporaryFile() as target, _opened(opened) as archive:
            factory = Factory()
            archive.extract(targets=[name], factory=factory)
            target.seek(0)
            yield cast(BinaryIO, target)


@contextmanager
def _opened(opened: BinaryIO) -> Iterator[SevenZipFile]:
    try:
        import py7zr
        from py7zr.exceptions import AbsolutePathError, ArchiveError, PasswordRequired
    except ImportError:
        raise DriverMissing(f"files in .7z need py7zr: {to_install('sevenzip')}") from None
    try:
        with py7zr.SevenZipFile(opened) as archive:
            yield archive
    except PasswordRequired:
        raise Unreadable("it is encrypted with a password") from None
    except (ArchiveError, AbsolutePathError) as error:
        raise Unreadable(str(error) or type(error).__name__) from None
