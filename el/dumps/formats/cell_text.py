"""Text out of cells, strictly decoded: whole columns at once, and no value takes a character from its neighbour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from el.dumps.formats.cells import BadValue, Cells, Decoder
from el.dumps.formats.gather import Bytes, Places, as_text, plain

_LINE = ord("\n")


def utf16(cells: Cells) -> pa.Array:
    """UTF-16LE as text."""
    column = cells.bytes()
    offsets, data = _parts(column)
    units = data.view("<u2")
    ends = offsets // 2
    if len(offsets) and (offsets % 2).any():
        raise BadValue(int(np.argmax(np.diff(offsets) % 2)), "text in UTF-16 of an odd number of bytes")
    if not len(units) or units.max() < 0x80:
        return _text(column, ends, units.astype(np.uint8))
    # Bytes that each unit becomes in UTF-8: a surrogate pair's four are two and two.
    surrogate = (units & 0xF800) == 0xD800
    widths = 1 + (units >= 0x80).astype(np.int8) + ((units >= 0x800) & ~surrogate)
    try:
        text = data.tobytes().decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise BadValue(_row(offsets, error.start), "an unpaired surrogate, which no text has") from None
    if surrogate.any():
        filled = ends[:-1][np.diff(ends) > 0]
        torn = (units[filled] & 0xFC00) == 0xDC00
        if torn.any():
            row = np.flatnonzero(np.diff(ends) > 0)[np.argmax(torn)]
            raise BadValue(int(row), "an unpaired surrogate, which no text has")
    sums = np.concatenate([[0], np.cumsum(widths, dtype=np.int64)])
    return _text(column, sums[ends], np.frombuffer(text.encode(), np.uint8))


def code_page(encoding: str) -> Decoder:
    """Text in a code page that has ASCII in it. `encoding` is of `encoding_name`."""

    def decode(cells: Cells) -> pa.Array:
        column = cells.bytes()
        offsets, data = _parts(column)
        if not len(data) or data.max() < 0x80:
            return as_text(column)
        # Decoded at once, with a line break behind each value, which is part of no other character. So the breaks
        # that are ours are counted off among all of them.
        ours = np.insert(data, offsets[1:], _LINE)
        try:
            text = ours.tobytes().decode(encoding)
        except UnicodeDecodeError as error:
            row = int(np.searchsorted(offsets[1:] + np.arange(1, len(offsets)), error.start, side="right"))
            raise BadValue(row, f"bytes that are no {encoding}") from None
        behind = offsets[1:] + np.arange(len(offsets) - 1)
        rank = np.searchsorted(np.flatnonzero(ours == _LINE), behind)
        letters = np.frombuffer(text.encode(), np.uint8)
        breaks = np.flatnonzero(letters == _LINE)[rank]
        ends = np.concatenate([[0], breaks - np.arange(len(breaks))])
        return _text(column, ends, np.delete(letters, breaks))

    return decode


def _parts(column: pa.Array) -> tuple[Places, Bytes]:
    """Offsets, and the bytes between the first and the last of them."""
    _, offsets, data = column.buffers()
    found = np.frombuffer(offsets, np.int32, len(column) + 1).astype(np.int64) if offsets else np.zeros(1, np.int64)
    return found, np.frombuffer(data or b"", np.uint8)[: found[-1]]


def _text(column: pa.Array, offsets: npt.NDArray[np.int64], letters: Bytes) -> pa.Array:
    validity = column.buffers()[0] if column.null_count else None
    short = offsets.astype(np.int32)
    buffers = [validity, pa.py_buffer(short), pa.py_buffer(np.ascontiguousarray(letters))]
    return pa.Array.from_buffers(pa.string(), len(column), buffers, column.null_count if validity else 0)


def _row(offsets: Places, byte: int) -> int:
    return int(np.searchsorted(offsets, byte, side="right")) - 1


_HEX = np.array([list(f"{n:02X}".encode()) for n in range(256)], np.uint8).view(np.uint16)[:, 0]
# Where each byte of an identifier stands in its text; a hyphen after the 4th, 6th, 8th and 10th.
_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
_GROUPS = ((0, 8), (9, 13), (14, 18), (19, 23), (24, 36))


def identifier(cells: Cells) -> pa.Array:
    """16 bytes as 36 characters, upper case."""
    low, high = cells.numbers("<u8"), cells.numbers("<u8", 8)
    both = np.stack([low, high], axis=1).view(np.uint8)
    letters = np.full((len(low), 36), ord("-"), np.uint8)
    digits = np.ascontiguousarray(_HEX[both[:, _ORDER]]).view(np.uint8)
    for number, (begin, end) in enumerate(_GROUPS):
        letters[:, begin:end] = digits[:, begin - number : end - number]
    offsets = np.arange(0, 36 * len(low) + 1, 36, dtype=np.int32)
    nulls = plain(np.zeros(len(low), np.int8), pa.int8(), cells.nulls)
    buffers = [nulls.buffers()[0], pa.py_buffer(offsets), pa.py_buffer(letters)]
    return pa.Array.from_buffers(pa.string(), len(low), buffers)
