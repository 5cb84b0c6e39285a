"""Rows on the wire: ROW and NBCROW made from Arrow batches, column by column ([MS-TDS] 2.2.5.2, 2.2.7.15, 2.2.7.19).

Cells are made with numpy; only sql_variant and user-defined types touch Python objects.
"""

from __future__ import annotations

import datetime as dt
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .spatial import hierarchy_bytes, spatial_bytes
from .sqltypes import BINARIES, NATIONAL, STRINGS, TICKS_PER_DAY, UDTS, SqlType, decimal_bytes, parse_type, time_bytes
from .wire import (
    ARROW,
    CHUNK,
    CODE_PAGE,
    DAYS_TO_1900,
    EPOCH_DAYS,
    INTN,
    PLP_NULL,
    Column,
    arrow_type,
    to_utf16,
    type_info,
)

# --- encoding: a column of a batch as lengths of its cells and their bytes end to end -------------------------------


@dataclass
class Cells:
    """The cells that are not NULL: either `matrix` (one row of bytes each) or `lengths` and `data` end to end."""

    valid: np.ndarray
    null_marker: bytes
    matrix: np.ndarray | None = None
    lengths: np.ndarray | None = None
    data: np.ndarray | None = None


def _bytes_of(values: np.ndarray, width: int) -> np.ndarray:
    """The low `width` little-endian bytes of each integer."""
    row = values.nbytes // len(values) if len(values) else width
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), row)[:, :width]


def _prefixed(body: np.ndarray, *prefix: int) -> np.ndarray:
    head = np.broadcast_to(np.array(prefix, np.uint8), (len(body), len(prefix)))
    return np.concatenate([head, body], axis=1)


def _numbers(array: pa.Array, dtype: type) -> np.ndarray:
    return array.to_numpy(zero_copy_only=False).astype(dtype, copy=False)


def _decimal_halves(array: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sign (1 is plus) and the low and high 64 bits of the magnitude of each decimal128."""
    raw = np.frombuffer(array.buffers()[1], np.uint64, len(array) * 2, array.offset * 16).reshape(-1, 2)
    low, high = raw[:, 0].copy(), raw[:, 1].copy()
    negative = (high >> np.uint64(63)).astype(bool)
    low[negative] = ~low[negative] + np.uint64(1)
    high[negative] = ~high[negative] + (low[negative] == 0).astype(np.uint64)
    return (~negative).astype(np.uint8), low, high


def _time_part(ticks: np.ndarray, digits: int) -> np.ndarray:
    return _bytes_of((ticks // 10 ** (7 - digits)).astype(np.int64), time_bytes(digits))


def ticks_to_300ths(ticks: np.ndarray) -> np.ndarray:
    return (ticks * 3 + 50_000) // 100_000


def fixed_cells(type_: SqlType, array: pa.Array) -> np.ndarray:
    """Length byte and value of types of one size; `array` has no NULL."""
    name = type_.name
    if name in INTN:
        dtype = {"tinyint": np.uint8, "smallint": np.int16, "int": np.int32, "bigint": np.int64}[name]
        return _prefixed(_bytes_of(_numbers(array, dtype), INTN[name]), INTN[name])
    if name == "bit":
        return _prefixed(_numbers(array, np.uint8).reshape(-1, 1), 1)
    if name in ("float", "real"):
        return _prefixed(
            _bytes_of(_numbers(array, np.float64 if name == "float" else np.float32), 8), 8 if name == "float" else 4
        )
    if name in ("decimal", "numeric"):
        sign, low, high = _decimal_halves(array)
        size = decimal_bytes(type_.precision or 18)
        body = np.concatenate([sign.reshape(-1, 1), _bytes_of(low, 8), _bytes_of(high, 8)], axis=1)[:, :size]
        return _prefixed(body, size)
    if name in ("money", "smallmoney"):
        sign, low, _ = _decimal_halves(array)
        value = np.where(sign == 1, low.view(np.int64), -low.view(np.int64))
        raw = _bytes_of(value, 8)
        return _prefixed(raw[:, [4, 5, 6, 7, 0, 1, 2, 3]], 8) if name == "money" else _prefixed(raw[:, :4], 4)
    if name == "date":
        days = _numbers(array.cast(pa.int32()), np.int64) + EPOCH_DAYS
        return _prefixed(_bytes_of(days, 3), 3)
    if name == "uniqueidentifier":
        text = pc.replace_substring(array, "-", "").cast(pa.string())
        joined = np.frombuffer(bytes.fromhex("".join(text.to_pylist())), np.uint8).reshape(-1, 16)
        return _prefixed(joined[:, [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]], 16)
    if name == "datetimeoffset":
        ticks = _numbers(array.field("t"), np.int64)
        offset = _numbers(array.field("o"), np.int16)
        body = [
            _time_part(ticks % TICKS_PER_DAY, type_.digits),
            _bytes_of(ticks // TICKS_PER_DAY, 3),
            _bytes_of(offset, 2),
        ]
        return _prefixed(np.concatenate(body, axis=1), time_bytes(type_.digits) + 5)
    ticks = _numbers(array, np.int64)
    days, of_day = ticks // TICKS_PER_DAY, ticks % TICKS_PER_DAY
    if name == "time":
        return _prefixed(_time_part(ticks, type_.digits), time_bytes(type_.digits))
    if name == "datetime2":
        body = np.concatenate([_time_part(of_day, type_.digits), _bytes_of(days, 3)], axis=1)
        return _prefixed(body, time_bytes(type_.digits) + 3)
    if name == "datetime":
        parts = np.stack([(days - DAYS_TO_1900).astype(np.int32), ticks_to_300ths(of_day).astype(np.int32)], axis=1)
        return _prefixed(_bytes_of(parts, 8), 8)
    parts = np.stack([(days - DAYS_TO_1900).astype(np.uint16), (of_day // 600_000_000).astype(np.uint16)], axis=1)
    return _prefixed(_bytes_of(parts, 4), 4)


RAGGED = STRINGS | BINARIES | UDTS | {"xml", "sql_variant"}


def _text_bytes(array: pa.Array, wide: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and bytes of each text as UTF-16LE or in the code page."""
    array = array.cast(pa.large_string())
    offsets = np.frombuffer(array.buffers()[1], np.int64, len(array) + 1, array.offset * 8)
    start, stop = int(offsets[0]), int(offsets[-1])
    buffer = array.buffers()[2]
    utf8 = np.frombuffer(buffer, np.uint8, stop - start, start) if stop > start else np.empty(0, np.uint8)
    at = offsets - start
    if not len(utf8) or utf8.max() < 0x80:
        if not wide:
            return np.diff(at), utf8
        data = np.zeros(2 * len(utf8), np.uint8)
        data[::2] = utf8
        return np.diff(at) * 2, data
    raw = utf8.tobytes()
    if wide and b"\xf4\x8f" in raw:
        each = [to_utf16(v) for v in array.to_pylist()]
        return np.array([len(e) for e in each]), np.frombuffer(b"".join(each), np.uint8)
    # Bytes of the target that each UTF-8 byte stands for: a character is counted at its first byte.
    width = np.where((utf8 & 0xC0) == 0x80, 0, np.where(utf8 >= 0xF0, 4, 2) if wide else 1)
    ends = np.concatenate([[0], np.cumsum(width)])
    text = raw.decode("utf-8")
    encoded = text.encode("utf-16-le") if wide else text.encode(CODE_PAGE, "replace")
    return np.diff(ends[at]), np.frombuffer(encoded, np.uint8)


def _blob_bytes(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    array = array.cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], np.int64, len(array) + 1, array.offset * 8)
    size = int(offsets[-1] - offsets[0])
    data = np.frombuffer(array.buffers()[2], np.uint8, size, int(offsets[0])) if size else np.empty(0, np.uint8)
    return np.diff(offsets), data


def _starts(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64) if len(lengths) else np.empty(0, np.int64)


def scatter(out: np.ndarray, positions: np.ndarray, lengths: np.ndarray, data: np.ndarray) -> None:
    """Writes the pieces of `data`, `lengths` long each, to their positions."""
    out[np.repeat(positions - _starts(lengths), lengths) + np.arange(len(data))] = data


def _framed(lengths: np.ndarray, data: np.ndarray, head: np.ndarray, tail: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Puts a head (a matrix row each) before and `tail` zero bytes after every piece."""
    width = head.shape[1]
    total = lengths + width + tail
    out = np.zeros(int(total.sum()), np.uint8)
    at = _starts(total)
    out[at[:, None] + np.arange(width)] = head
    scatter(out, at + width, lengths, data)
    return total, out


def plp(data: bytes) -> bytes:
    """One PLP value in chunks ([MS-TDS] 2.2.5.2.3)."""
    out = [struct.pack("<Q", len(data))]
    for at in range(0, len(data), CHUNK):
        part = data[at : at + CHUNK]
        out += [struct.pack("<I", len(part)), part]
    return b"".join([*out, b"\0\0\0\0"])


def ragged_cells(type_: SqlType, array: pa.Array) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Lengths, bytes and the NULL marker of types of varying size; `array` has no NULL."""
    name = type_.name
    if name == "sql_variant":
        each = [variant_bytes(v["b"], v["v"]) for v in array.to_pylist()]
        return np.array([len(e) for e in each], np.int64), np.frombuffer(b"".join(each), np.uint8), b"\0\0\0\0"
    if name in ("hierarchyid", "geography", "geometry"):
        encode = hierarchy_bytes if name == "hierarchyid" else spatial_bytes
        array = pa.array(
            [encode(v) if name == "hierarchyid" else encode(v, name) for v in array.to_pylist()], pa.binary()
        )
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        lengths, data = _text_bytes(array, name in NATIONAL or name == "xml")
    else:
        lengths, data = _blob_bytes(array)
    if name in ("text", "ntext", "image"):
        head = _prefixed(_bytes_of(lengths.astype(np.uint32), 4), 16, *b"textptr_textptr_" + b"\0" * 8)
        return *_framed(lengths, data, head), b"\0"
    if type_.long:
        if len(lengths) and lengths.max() > CHUNK:
            ends = np.cumsum(lengths)
            raw = data.tobytes()
            each = [plp(raw[e - n : e]) for n, e in zip(lengths, ends, strict=True)]
            return np.array([len(e) for e in each], np.int64), np.frombuffer(b"".join(each), np.uint8), PLP_NULL
        head = np.concatenate(
            [_bytes_of(lengths.astype(np.uint64), 8), _bytes_of(lengths.astype(np.uint32), 4)], axis=1
        )
        total, out = _framed(lengths, data, head, tail=4)
        if len(lengths) and lengths.min() == 0:
            # An empty value is its total length and the terminator alone: drop its zero-length chunk.
            keep = np.ones(len(out), bool)
            at = _starts(total)[lengths == 0]
            keep[(at[:, None] + np.arange(8, 12)).ravel()] = False
            total, out = np.where(lengths == 0, total - 4, total), out[keep]
        return total, out, PLP_NULL
    return *_framed(lengths, data, _bytes_of(lengths.astype(np.uint16), 2)), b"\xff\xff"


def cells(type_: SqlType, array: pa.Array) -> Cells:
    valid = np.ones(len(array), bool) if array.null_count == 0 else pc.is_valid(array).to_numpy(zero_copy_only=False)
    dense = array if array.null_count == 0 else array.drop_null()
    expected = ARROW.get(type_.name)
    if expected is not None and dense.type != expected:
        dense = dense.cast(expected)
    if type_.name in ("decimal", "numeric", "money", "smallmoney"):
        p, s = (type_.precision or 18, type_.scale or 0) if type_.name in ("decimal", "numeric") else (19, 4)
        if dense.type != pa.decimal128(p, s):
            dense = (
                dense.cast(pa.decimal128(38, s)) if pa.types.is_decimal(dense.type) else dense.cast(pa.decimal128(p, s))
            )
    if type_.name not in RAGGED:
        return Cells(valid, b"\0", matrix=fixed_cells(type_, dense) if len(dense) else np.empty((0, 0), np.uint8))
    lengths, data, marker = ragged_cells(type_, dense)
    return Cells(valid, marker, lengths=lengths, data=data)


def encode_rows(columns: list[Column], batch: pa.RecordBatch) -> tuple[bytes, np.ndarray]:
    """ROW and NBCROW tokens ([MS-TDS] 2.2.7.19, 2.2.7.15) of a batch, and where each row ends.

    A row is sent as NBCROW where its NULLs take more room in a ROW than the bitmap does.
    """
    count = batch.num_rows
    encoded = [cells(c.type, batch.column(i)) for i, c in enumerate(columns)]
    bitmap_width = (len(columns) + 7) // 8
    null_cost = np.zeros(count, np.int64)
    for cell in encoded:
        null_cost += np.where(cell.valid, 0, len(cell.null_marker))
    packed = null_cost > bitmap_width
    sizes = []
    for cell in encoded:
        size = np.where(packed, 0, len(cell.null_marker)).astype(np.int64)
        size[cell.valid] = cell.matrix.shape[1] if cell.matrix is not None else cell.lengths
        sizes.append(size)
    row_sizes = 1 + np.where(packed, bitmap_width, 0) + np.sum(sizes, axis=0)
    ends = np.cumsum(row_sizes)
    out = np.empty(int(ends[-1]) if count else 0, np.uint8)
    position = ends - row_sizes
    out[position] = np.where(packed, 0xD2, 0xD1)
    position = position + 1
    if packed.any():
        nulls = np.stack([~cell.valid[packed] for cell in encoded], axis=1)
        out[position[packed][:, None] + np.arange(bitmap_width)] = np.packbits(nulls, axis=1, bitorder="little")
        position = position + np.where(packed, bitmap_width, 0)
    for cell, size in zip(encoded, sizes, strict=True):
        if cell.matrix is not None:
            if len(cell.matrix):
                out[position[cell.valid][:, None] + np.arange(cell.matrix.shape[1])] = cell.matrix
        elif len(cell.lengths):
            scatter(out, position[cell.valid], cell.lengths, cell.data)
        marked = ~cell.valid & ~packed
        if marked.any():
            out[position[marked][:, None] + np.arange(len(cell.null_marker))] = np.frombuffer(
                cell.null_marker, np.uint8
            )
        position = position + size
    return out.tobytes(), ends


def encode_value(type_: SqlType, value: Any) -> bytes:
    """One value, as in a RETURNVALUE token; `value` is what DuckDB stores."""
    array = pa.array([value], type=arrow_type(type_))
    cell = cells(type_, array)
    if value is None:
        return cell.null_marker
    return cell.matrix.tobytes() if cell.matrix is not None else cell.data.tobytes()


def variant_value(base: SqlType, text: str) -> Any:
    """The stored value that a sql_variant's canonical text means."""
    family = base.family
    if family == "int":
        return text in ("1", "true") if base.name == "bit" else int(text)
    if family == "dec":
        return Decimal(text)
    if family == "flt":
        return float(text)
    if family == "bin":
        return bytes.fromhex(text)
    if family in ("dt", "time"):
        return int(text)
    if family == "date":
        return dt.date.fromisoformat(text)
    if family == "dto":
        ticks, offset = text.split(";")
        return {"t": int(ticks), "o": int(offset)}
    return text


def variant_bytes(base_text: str, text: str) -> bytes:
    """[MS-TDS] 2.2.5.5.4: total length, base type, properties, value."""
    base = parse_type(base_text)
    if base.name in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
        info = type_info(base)
        data = (
            bytes.fromhex(text)
            if base.family == "bin"
            else to_utf16(text)
            if base.name in NATIONAL
            else text.encode(CODE_PAGE, "replace")
        )
        props = info[1:3] if base.family == "bin" else info[3:8] + info[1:3]
        return struct.pack("<I", 2 + len(props) + len(data)) + bytes([info[0], len(props)]) + props + data
    value = encode_value(base, variant_value(base, text))[1:]
    code = {
        "bit": 0x32,
        "tinyint": 0x30,
        "smallint": 0x34,
        "int": 0x38,
        "bigint": 0x7F,
        "float": 0x3E,
        "real": 0x3B,
        "money": 0x3C,
        "smallmoney": 0x7A,
        "datetime": 0x3D,
        "smalldatetime": 0x3A,
    }.get(base.name)
    info = type_info(base)
    props = b""
    if base.name in ("decimal", "numeric"):
        props = bytes([base.precision or 18, base.scale or 0])
    elif base.name in ("time", "datetime2", "datetimeoffset"):
        props = bytes([base.digits])
    return struct.pack("<I", 2 + len(props) + len(value)) + bytes([code or info[0], len(props)]) + props + value
