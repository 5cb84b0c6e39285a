"""Files that were compressed as a whole: .gz, .bz2, .xz, .zst, .lz4, told by the suffix of their names.

Guarantees: strict, where Python's own readers pass over what follows the first part: all parts of a file are read, a
file that is cut off or damaged is refused by its name, and memory is bounded. A disk that would be filled is not.
"""

from __future__ import annotations

import io
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from el.dumps.file_version import FileVersion
from el.errors import RecordRefused

_CODECS = {".gz": "gzip", ".tgz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".xz": "xz"}
_AT_ONCE = 4 * 1024 * 1024
# What stays free on the disk, whatever a file claims to hold.
_RESERVE = 256 * 1024 * 1024
_BROKEN = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, tarfile.TarError, pa.ArrowInvalid)


def suffix_of(name: str) -> str | None:
    """The suffix that says how a file is compressed; None if it is not."""
    found = Path(name.rpartition("/")[2]).suffix.lower()
    return found if found in _CODECS else None


def unpacked(path: Path, file: FileVersion) -> Path:
    """The file as it was before it was compressed; the compressed one goes. Raises `RecordRefused` for one cut off."""
    suffix = suffix_of(file.member or file.uri)
    if suffix is None:
        return path
    target = path.with_name(f"{path.name}-unpacked")
    with broken_is_refused(file), path.open("rb") as source, target.open("wb") as out:
        copy(decompressing(source, suffix), out, file)
    path.unlink()
    return target


def decompressing(source: BinaryIO, suffix: str) -> BinaryIO:
    """What the compressed bytes hold, as a file that is read from its beginning to its end."""
    codec = _CODECS[suffix]
    begin = source.read(1)
    if not begin:
        raise EOFError("it is empty")
    source.seek(0)
    made: Any = _Xz(source) if codec == "xz" else _Arrow(source, codec)
    return io.BufferedReader(made, 1024 * 1024)


def copy(source: BinaryIO, out: BinaryIO, file: FileVersion) -> None:
    """All of the source into a file, as long as the disk has room."""
    written = 0
    while block := source.read(_AT_ONCE):
        if written % (16 * _AT_ONCE) == 0:
            refuse_without_room(os.path.dirname(out.name), 0, file)
        out.write(block)
        written += len(block)


def refuse_without_room(folder: str | Path, size: int, file: FileVersion) -> None:
    """Raise `RecordRefused` where so many bytes do not fit, or would leave next to nothing."""
    free = shutil.disk_usage(folder).free
    if free - size < _RESERVE:
        needed = f"{size:,} bytes" if size else "it"
        raise RecordRefused(f"{file}: there is no room to unpack {needed}: {free:,} bytes are free in {folder}")


@contextmanager
def broken_is_refused(file: FileVersion) -> Iterator[None]:
    """What a library says of a damaged file, as a `RecordRefused` with the file's name."""
    try:
        yield
    except _BROKEN as error:
        raise _refused(file, error) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _refused(file, error) from None


def _refused(file: FileVersion, error: Exception) -> RecordRefused:
    return RecordRefused(f"{file}: it is cut off or damaged, or not what its name says: {error}")


class _Arrow(io.RawIOBase):
    """Arrow's decompressor, which goes on with a further part, and says when the last one has no end."""

    def __init__(self, source: BinaryIO, codec: str) -> None:
        super().__init__()
        self._stream: Any = pa.CompressedInputStream(pa.PythonFile(source, "r"), codec)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Xz(io.RawIOBase):
    """Parts of xz, one after another; zeros may stand between, as `xz` itself takes them."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._part = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._part.eof or self._next_part():
            more = b""
            if self._part.needs_input:
                more, self._held = self._held or self._source.read(_AT_ONCE), b""
                if not more:
                    raise EOFError("it has no end")
            if data := self._part.decompress(more, len(buffer)):
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _next_part(self) -> bool:
        held = self._part.unused_data.lstrip(b"\0")
        while not held:
            block = self._source.read(_AT_ONCE)
            if not block:
                return False
            held = block.lstrip(b"\0")
        self._part, self._held = lzma.LZMADecompressor(lzma.FORMAT_XZ), held
        return True
