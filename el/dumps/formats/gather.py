"""Pieces of a buffer, put together as Arrow columns: no Python object for a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# A buffer has so many bytes more than its content, so that a number can be read at any place of it.
PADDING = 32
# A value of up to 12 bytes stands in Arrow's view of it; a longer one is pointed to (Arrow columnar format, "views").
_SHORT = 12
_FIRST = np.array([(1 << (8 * min(n, 8))) - 1 for n in range(_SHORT + 1)], np.uint64)
_LAST = np.array([(1 << (8 * max(0, n - 8))) - 1 for n in range(_SHORT + 1)], np.uint32)


def padded(data: bytes | bytearray | memoryview) -> Bytes:
    """The bytes as an array, and padding behind them."""
    out = np.zeros(len(data) + PADDING, np.uint8)
    out[: len(data)] = np.frombuffer(data, np.uint8)
    return out


def numbers_at(buffer: Bytes, dtype: str) -> npt.NDArray[Any]:
    """The numbers that begin at each byte: `numbers_at(buffer, "<i4")[places]`, at odd places too."""
    wanted = np.dtype(dtype)
    return np.ndarray((len(buffer) - wanted.itemsize + 1,), wanted, buffer, strides=(1,))


def places_of(buffer: Bytes, pattern: bytes) -> tuple[Places, Places]:
    """Where the pattern begins, and where it overlaps with itself."""
    size = len(buffer) - len(pattern) + 1
    hit: Flags = buffer[:size] == pattern[0]
    for place, byte in enumerate(pattern[1:], 1):
        hit &= buffer[place : place + size] == byte
    found = np.flatnonzero(hit)
    overlaps = found[1:][np.diff(found) < len(pattern)] if len(pattern) > 1 else found[:0]
    return found, overlaps


def pieces(buffer: Bytes, starts: Places, lengths: Places, nulls: Flags | None = None) -> pa.Array:
    """A binary column of `buffer[start : start + length]`; NULL where `nulls`. The buffer is padded."""
    rows = len(starts)
    views = np.empty((rows, 4), np.uint32)
    inside = np.minimum(lengths, _SHORT)
    longer = lengths > _SHORT
    views[:, 0] = lengths
    views[:, 1:3] = (numbers_at(buffer, "<u8")[starts] & _FIRST[inside]).view(np.uint32).reshape(-1, 2)
    views[:, 3] = numbers_at(buffer, "<u4")[starts + 8] & _LAST[inside]
    np.copyto(views[:, 2], 0, where=longer)
    np.copyto(views[:, 3], starts, where=longer, casting="unsafe")
    if nulls is not None:
        views[nulls] = 0
    view = pa.Array.from_buffers(
        pa.binary_view(), rows, [valid(nulls), pa.py_buffer(views), pa.py_buffer(np.ascontiguousarray(buffer))]
    )
    return view.cast(pa.binary())


def valid(nulls: Flags | None) -> pa.Buffer | None:
    """Arrow's bits for what is not NULL; None where nothing is."""
    if nulls is None or not nulls.any():
        return None
    return pa.py_buffer(np.packbits(~nulls, bitorder="little"))


def plain(values: npt.NDArray[Any], type_: pa.DataType, nulls: Flags | None = None) -> pa.Array:
    """A column of values of one width, as they stand in memory."""
    data = np.ascontiguousarray(values)
    return pa.Array.from_buffers(type_, len(data), [valid(nulls), pa.py_buffer(data)])


def as_text(column: pa.Array) -> pa.Array:
    """A binary column whose bytes are known to be UTF-8, as text."""
    return column.view(pa.string())
