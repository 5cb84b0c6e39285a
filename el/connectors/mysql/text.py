"""Record batches as the text that MySQL takes: lines of a file for LOAD DATA, or rows of an INSERT.

Whole columns at a time: no Python object is made of a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as of

_HEX = np.array([[ord(letter) for letter in f"{byte:02X}"] for byte in range(256)], np.uint8)
# So much is written at a time.
_BYTES = 8 * 1024 * 1024
_PART = 512 * 1024


def file_of(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Lines with tabs between values, in parts."""
    for piece in _pieces(batch):
        columns = [_escaped(column, "\t", "\n") for column in piece.columns]
        data, _ = _joined(_side_by_side(columns, "\t", "\\N"), "\n")
        for start in range(0, len(data), _PART):
            yield bytes(data[start : start + _PART])


def rows_of(batch: pa.RecordBatch, most: int) -> Iterator[str]:
    """`(1,'a'),(2,'b')`, of about so many bytes at most."""
    for piece in _pieces(batch):
        columns = [_quoted(column) for column in piece.columns]
        rows = _side_by_side(["(", _side_by_side(columns, ",", "NULL")], "")
        data, ends = _joined(rows, "),")
        start = 0
        while start < len(rows):
            stop = max(start + 1, int(np.searchsorted(ends, ends[start] + most, "right")) - 1)
            yield str(bytes(data[ends[start] : ends[stop] - 1]), "utf-8")
            start = stop


def is_bytes(type_: pa.DataType) -> bool:
    return bool(of.is_binary(type_) or of.is_large_binary(type_) or of.is_fixed_size_binary(type_))


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = max(1, batch.num_rows * _BYTES // max(batch.nbytes, _BYTES))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _side_by_side(parts: Sequence[pa.Array | str], between: str, null: str | None = None) -> pa.Array:
    """One text of each row. null: what stands for NULL; None: it makes the row NULL."""
    said = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in (*parts, between)]
    how = {} if null is None else {"null_handling": "replace", "null_replacement": null}
    return pc.binary_join_element_wise(*said, **how)


def _joined(rows: pa.Array, end: str) -> tuple[memoryview, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """All rows in one text, each with this end, and where they begin."""
    whole = _side_by_side([rows, ""], end)
    _, offsets, data = whole.buffers()
    ends = np.frombuffer(offsets, np.int64)[whole.offset : whole.offset + len(whole) + 1]
    return memoryview(data), ends


def _escaped(column: pa.Array, *special: str) -> pa.Array:
    text = _text(column)
    if of.is_string(column.type) or of.is_large_string(column.type):
        for character in ("\\", *special):
            text = pc.replace_substring(text, character, f"\\{character}")
    return text


def _quoted(column: pa.Array) -> pa.Array:
    if of.is_integer(column.type) or of.is_decimal(column.type) or of.is_boolean(column.type):
        return _text(column)
    begin = "X'" if is_bytes(column.type) else "'"
    return _side_by_side([begin, _escaped(column, "'"), "'"], "")


def _text(column: pa.Array) -> pa.Array:
    """Each value as MySQL reads it; bytes in hex."""
    type_ = column.type
    if is_bytes(type_):
        return _hex(column.cast(pa.large_binary()))
    if of.is_boolean(type_):
        column = column.cast(pa.int8())
    elif of.is_floating(type_):
        # All digits of the double: of a single-precision number fewer tell it from its neighbours.
        column = column.cast(pa.float64())
    elif of.is_timestamp(type_) and type_.tz is not None:
        column = column.cast(pa.timestamp(type_.unit, "UTC")).cast(pa.timestamp(type_.unit))
    return column.cast(pa.string()).cast(pa.large_string())


def _hex(column: pa.Array) -> pa.Array:
    # A slice keeps the bytes of all: they are copied first.
    column = pa.concat_arrays([column])
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    digits = _HEX[np.frombuffer(data or b"", np.uint8)[places[0] : places[-1]]]
    made = [pa.py_buffer((places - places[0]) * 2), pa.py_buffer(np.ascontiguousarray(digits))]
    text = pa.Array.from_buffers(pa.large_string(), len(column), [None, *made])
    return pc.if_else(column.is_valid(), text, None) if column.null_count else text
