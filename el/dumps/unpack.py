"""A file that was compressed as a whole, unpacked beside itself, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import zlib
from pathlib import Path
from typing import Any

from el.dumps.file_version import FileVersion
from el.errors import RecordRefused

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)


def unpacked(path: Path, file: FileVersion) -> Path:
    """The unpacked file, by the suffix of its name; the packed one goes. Raises `RecordRefused` for one that is cut."""
    name = file.member or file.uri
    opener = _OPENERS.get(Path(name.rpartition("/")[2]).suffix.lower())
    if opener is None:
        return path
    target = path.with_name(f"{path.name}-unpacked")
    try:
        with opener(path, "rb") as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 4 * 1024 * 1024)
    except _BROKEN as error:
        raise RecordRefused(f"it cannot be unpacked, or is cut: {error}") from None
    path.unlink()
    return target
