"""A file that is somewhere else, as a Python file: what is read is fetched by ranges, of one version throughout."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

# Of one request: little after a jump, more and more while it is read on.
_FIRST, _MOST = 256 * 1024, 8 * 1024 * 1024


class RangeReader(io.RawIOBase):
    """Seekable. get: the bytes from a start to an end, all of them. Its owner wraps it in a `BufferedReader`."""

    def __init__(self, size: int, get: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size = size
        self._get = get
        self._at = 0
        self._held = b""
        self._held_from = 0
        self._next = _FIRST

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if begin + offset < 0:
            raise ValueError("a negative position")
        self._at = begin + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        if not self._held_from <= self._at < self._held_from + len(self._held):
            self._fill(wanted)
        begin = self._at - self._held_from
        found = self._held[begin : begin + wanted]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _fill(self, wanted: int) -> None:
        goes_on = self._at == self._held_from + len(self._held)
        self._next = min(2 * self._next, _MOST) if goes_on else _FIRST
        end = min(self._at + max(wanted, self._next), self._size)
        self._held, self._held_from = self._get(self._at, end), self._at
