"""zip: its directory stands at its end, so little is read to list it, and one file is read without the others."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from el.dumps.archives.base import Archive, Member, Unreadable


class Zip(Archive):
    """A version is the checksum and the size: it stays when the archive is written again with further files."""

    def members(self, opened: BinaryIO, version: str) -> Iterator[Member]:
        with zipfile.ZipFile(opened) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield Member(info.filename, info.file_size, f"crc32:{info.CRC:08x}-{info.file_size}")

    @contextmanager
    def read(self, opened: BinaryIO, name: str) -> Iterator[BinaryIO]:
        with zipfile.ZipFile(opened) as archive:
            info = archive.getinfo(name)
            if info.flag_bits & 1:
                raise Unreadable("it is encrypted with a password")
            try:
                with archive.open(info) as source:
                    yield cast(BinaryIO, source)
            except NotImplementedError as error:
                raise Unreadable(str(error)) from None
