"""The rows of a result as Arrow columns of bytes, straight from the server's packets: no Python object a value.

MySQL Reference Manual, Source Code Documentation, "Text Resultset Row": a packet is a row, of each value its length and
then its text. Whatever takes a row apart byte by byte in Python is five times slower.
"""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import pyarrow as pa
from pymysql import err
from pymysql.constants import CR

# A packet of so many bytes goes on in the next one.
_WHOLE = 0xFFFFFF
_END, _ERROR, _NULL = 0xFE, 0xFF, 0xFB
# First byte of a value -> how many bytes of length follow it.
_LENGTHS = ((0xFC, 2), (0xFD, 3), (0xFE, 8))
_AT_ONCE = 512 * 1024
# Offsets into what is taken at once have 31 bits, and the last row may be of a gigabyte.
_MOST = 512 * 1024 * 1024


class Rows:
    """The rows that a server sends after a result's columns. ended: it has sent the last one, or an error."""

    def __init__(self, file: IO[bytes], width: int) -> None:
        self._file: Any = file
        self._width = width
        self._data = bytearray()
        self.ended = False

    def take(self, rows: int, size: int) -> list[pa.Array]:
        """The next rows by columns, at most so many, and of about so many bytes; no columns where there are none.

        Raises the driver's own errors: for what the server says, and for a line that is cut.
        """
        starts: list[int] = []
        at, size = 0, min(size, _MOST)
        while not self.ended and len(starts) < rows and at < size:
            end = self._packet(at)
            first, short = self._data[at + 4], end - at < 13
            if first == _ERROR:
                self.ended = True
                err.raise_mysql_exception(bytes(self._data[at + 4 : end]))
            self.ended = first == _END and short
            if not self.ended:
                starts.append(at + 4)
            at = end
        taken, self._data = bytes(memoryview(self._data)[:at]), self._data[at:]
        return _columns(taken, np.array(starts, np.int64), self._width) if starts else []

    def _packet(self, at: int) -> int:
        """Where the packet that begins here ends. One that goes on becomes one."""
        length, end = _WHOLE, at
        while length == _WHOLE:
            self._need(end + 4)
            length = int.from_bytes(self._data[end : end + 3], "little")
            if end > at:
                del self._data[end : end + 4]
            else:
                end += 4
            end += length
            self._need(end)
        return end

    def _need(self, size: int) -> None:
        while len(self._data) < size:
            try:
                found = self._file.read1(max(_AT_ONCE, size - len(self._data)))
            except (OSError, ValueError) as error:
                raise err.OperationalError(CR.CR_SERVER_LOST, f"the line to the server was cut: {error}") from None
            if not found:
                raise err.OperationalError(CR.CR_SERVER_LOST, "the line to the server was cut")
            self._data += found


def _columns(taken: bytes, place: np.ndarray[Any, Any], width: int) -> list[pa.Array]:
    """place: where each row begins in `taken`."""
    data, buffer, found = np.frombuffer(taken, np.uint8), pa.py_buffer(taken), []
    rows = len(place)
    for _ in range(width):
        first = data[place]
        length, start, null = first.astype(np.int64), place + 1, None
        if first.max() >= _NULL:
            null = first == _NULL
            for mark, size in _LENGTHS:
                at = np.flatnonzero(first == mark)
                if at.size:
                    begin = start[at]
                    length[at] = sum(data[begin + byte].astype(np.int64) << 8 * byte for byte in range(size))
                    start[at] += size
            length[null] = 0
        place = start + length
        # As if what lies between two values were one too: then the values are each second one of an Arrow array.
        offsets = np.empty(2 * rows, np.int32)
        offsets[0::2], offsets[1::2] = start, place
        both = pa.Array.from_buffers(pa.binary(), 2 * rows - 1, [None, pa.py_buffer(offsets), buffer])
        found.append(both.take(pa.array(np.arange(0, 2 * rows, 2), mask=null)))
    return found
