"""Values on the wire: TYPE_INFO and the bytes of every type ([MS-TDS] 2.2.5.4 to 2.2.5.6), rows made column by column.

Rows are encoded from Arrow arrays with numpy; only sql_variant and user-defined types touch Python objects.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .spatial import hierarchy_bytes, hierarchy_text, spatial_bytes, spatial_text
from .sqltypes import MAX, NATIONAL, TICKS_PER_DAY, SqlType, decimal_bytes, parse_type, time_bytes

# Latin1_General_BIN2: LCID 0x0409, fBinary2 (bit 25), no sort id: code page 1252 ([MS-TDS] 2.2.5.1.2).
COLLATION = struct.pack("<IB", 0x0409 | 1 << 25, 0)
CODE_PAGE = "cp1252"
DAYS_TO_1900 = 693_595
EPOCH_DAYS = 719_162
PLP_NULL = b"\xff" * 8
CHUNK = 32_768
# Unpaired surrogates D800..DFFF live in DuckDB's UTF-8 as U+10F800..U+10FFFF, the last 2,048 private code points.
LONE = 0x10F800 - 0xD800


def to_utf16(text: str) -> bytes:
    data = text.encode("utf-16-le")
    if any(ord(c) >= 0x10F800 for c in text):
        return "".join(chr(ord(c) - LONE) if ord(c) >= 0x10F800 else c for c in text).encode(
            "utf-16-le", "surrogatepass"
        )
    return data


def from_utf16(data: bytes) -> str:
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError:
        text = data[: len(data) & ~1].decode("utf-16-le", "surrogatepass")
        return "".join(chr(ord(c) + LONE) if 0xD800 <= ord(c) < 0xE000 else c for c in text)


def b_varchar(text: str) -> bytes:
    return bytes([len(text.encode("utf-16-le")) // 2]) + text.encode("utf-16-le")


def us_varchar(text: str) -> bytes:
    return struct.pack("<H", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")


@dataclass(frozen=True)
class Column:
    """One column of a result: its name, its type and what COLMETADATA's flags say."""

    name: str
    type: SqlType
    nullable: bool = True
    identity: bool = False
    computed: bool = False


INTN = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}


def type_info(type_: SqlType) -> bytes:
    """TYPE_INFO of [MS-TDS] 2.2.5.6."""
    name = type_.name
    if name in INTN:
        return bytes([0x26, INTN[name]])
    if name in ("decimal", "numeric"):
        code = 0x6A if name == "decimal" else 0x6C
        return bytes([code, decimal_bytes(type_.precision or 18), type_.precision or 18, type_.scale or 0])
    if name in ("time", "datetime2", "datetimeoffset"):
        return bytes([{"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}[name], type_.digits])
    fixed = {
        "bit": b"\x68\x01",
        "float": b"\x6d\x08",
        "real": b"\x6d\x04",
        "money": b"\x6e\x08",
        "smallmoney": b"\x6e\x04",
        "datetime": b"\x6f\x08",
        "smalldatetime": b"\x6f\x04",
        "date": b"\x28",
        "uniqueidentifier": b"\x24\x10",
        "timestamp": b"\xad\x08\x00",
        "sql_variant": b"\x62" + struct.pack("<I", 8009),
        "xml": b"\xf1\x00",
        "image": b"\x22" + struct.pack("<I", 0x7FFFFFFF),
        "text": b"\x23" + struct.pack("<I", 0x7FFFFFFF) + COLLATION,
        "ntext": b"\x63" + struct.pack("<I", 0x7FFFFFFE) + COLLATION,
    }
    if name in fixed:
        return fixed[name]
    if name in ("hierarchyid", "geography", "geometry"):
        clr = {"hierarchyid": "SqlHierarchyId", "geography": "SqlGeography", "geometry": "SqlGeometry"}[name]
        assembly = (
            f"Microsoft.SqlServer.Types.{clr}, Microsoft.SqlServer.Types, Version=11.0.0.0, Culture=neutral, "
            "PublicKeyToken=89845dcd8080cc91"
        )
        size = 892 if name == "hierarchyid" else 0xFFFF
        return b"\xf0" + struct.pack("<H", size) + b_varchar("") + b_varchar("sys") + b_varchar(name) + us_varchar(assembly)
    code = {"varbinary": 0xA5, "varchar": 0xA7, "binary": 0xAD, "char": 0xAF, "nvarchar": 0xE7, "nchar": 0xEF}[name]
    size = 0xFFFF if type_.length == MAX else type_.max_length
    return bytes([code]) + struct.pack("<H", size) + (b"" if name in ("binary", "varbinary") else COLLATION)


def column_metadata(columns: list[Column]) -> bytes:
    """COLMETADATA, [MS-TDS] 2.2.7.4."""
    out = [b"\x81", struct.pack("<H", len(columns))]
    for column in columns:
        flags = int(column.nullable) | 0x0008 | (0x0010 if column.identity else 0) | (0x0020 if column.computed else 0)
        user_type = 80 if column.type.name == "timestamp" else 0
        out.append(struct.pack("<IH", user_type, flags))
        out.append(type_info(column.type))
        if column.type.name in ("text", "ntext", "image"):
            out.append(b"\x01" + us_varchar("t"))
        out.append(b_varchar(column.name))
    return b"".join(out)


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
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)[:, :width]


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
        return _prefixed(_bytes_of(_numbers(array, np.float64 if name == "float" else np.float32), 8), 8 if name == "float" else 4)
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
        body = [_time_part(ticks % TICKS_PER_DAY, type_.digits), _bytes_of(ticks // TICKS_PER_DAY, 3), _bytes_of(offset, 2)]
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


FIXED = frozenset(
    "bit tinyint smallint int bigint float real decimal numeric money smallmoney date uniqueidentifier datetimeoffset "
    "time datetime2 datetime smalldatetime".split()
)


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
        array = pa.array([encode(v) if name == "hierarchyid" else encode(v, name) for v in array.to_pylist()], pa.binary())
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
        head = np.concatenate([_bytes_of(lengths.astype(np.uint64), 8), _bytes_of(lengths.astype(np.uint32), 4)], axis=1)
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
            dense = dense.cast(pa.decimal128(38, s)) if pa.types.is_decimal(dense.type) else dense.cast(pa.decimal128(p, s))
    if type_.name in FIXED:
        return Cells(valid, b"\0", matrix=fixed_cells(type_, dense) if len(dense) else np.empty((0, 0), np.uint8))
    lengths, data, marker = ragged_cells(type_, dense)
    return Cells(valid, marker, lengths=lengths, data=data)


ARROW: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float64(),
    "real": pa.float32(),
}


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
            out[position[marked][:, None] + np.arange(len(cell.null_marker))] = np.frombuffer(cell.null_marker, np.uint8)
        position = position + size
    return out.tobytes(), ends


def encode_value(type_: SqlType, value: Any) -> bytes:
    """One value, as in a RETURNVALUE token; `value` is what DuckDB stores."""
    array = pa.array([value], type=_arrow_of(type_))
    cell = cells(type_, array)
    if value is None:
        return cell.null_marker
    return cell.matrix.tobytes() if cell.matrix is not None else cell.data.tobytes()


def _arrow_of(type_: SqlType) -> pa.DataType:
    if type_.name in ARROW:
        return ARROW[type_.name]
    if type_.family == "dec":
        return pa.decimal128(type_.precision or 19, type_.scale or 4) if type_.precision else pa.decimal128(19, 4)
    if type_.name == "datetimeoffset":
        return pa.struct([("t", pa.int64()), ("o", pa.int16())])
    if type_.name == "sql_variant":
        return pa.struct([("b", pa.string()), ("v", pa.string())])
    if type_.name == "date":
        return pa.date32()
    if type_.family in ("dt", "time"):
        return pa.int64()
    return pa.binary() if type_.family == "bin" else pa.string()


arrow_type = _arrow_of


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
        data = bytes.fromhex(text) if base.family == "bin" else to_utf16(text) if base.name in NATIONAL else text.encode(
            CODE_PAGE, "replace")
        props = info[1:3] if base.family == "bin" else info[3:8] + info[1:3]
        return struct.pack("<I", 2 + len(props) + len(data)) + bytes([info[0], len(props)]) + props + data
    value = encode_value(base, variant_value(base, text))[1:]
    code = {"bit": 0x32, "tinyint": 0x30, "smallint": 0x34, "int": 0x38, "bigint": 0x7F, "float": 0x3E, "real": 0x3B,
            "money": 0x3C, "smallmoney": 0x7A, "datetime": 0x3D, "smalldatetime": 0x3A}.get(base.name)
    info = type_info(base)
    props = b""
    if base.name in ("decimal", "numeric"):
        props = bytes([base.precision or 18, base.scale or 0])
    elif base.name in ("time", "datetime2", "datetimeoffset"):
        props = bytes([base.digits])
    return struct.pack("<I", 2 + len(props) + len(value)) + bytes([code or info[0], len(props)]) + props + value


# --- decoding: parameters and bulk rows --------------------------------------------------------------------------


class Reader:
    """Walks a message."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise EOFError("the message ends within a value")
        self.at += count
        return part

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def ushort(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def long(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def b_varchar(self) -> str:
        return self.take(self.byte() * 2).decode("utf-16-le")

    def us_varchar(self) -> str:
        return self.take(self.ushort() * 2).decode("utf-16-le")

    def plp(self) -> bytes | None:
        if self.take(8) == PLP_NULL:
            return None
        parts = []
        while size := int.from_bytes(self.take(4), "little"):
            parts.append(self.take(size))
        return b"".join(parts)


FIXED_CODES = {0x30: "tinyint", 0x32: "bit", 0x34: "smallint", 0x38: "int", 0x7F: "bigint", 0x3B: "real", 0x3E: "float",
               0x3C: "money", 0x7A: "smallmoney", 0x3D: "datetime", 0x3A: "smalldatetime"}
FIXED_SIZES = {"tinyint": 1, "bit": 1, "smallint": 2, "int": 4, "bigint": 8, "real": 4, "float": 8, "money": 8,
               "smallmoney": 4, "datetime": 8, "smalldatetime": 4}


@dataclass(frozen=True)
class WireType:
    """A TYPE_INFO as read: the type, and a function that takes the next value."""

    type: SqlType
    read: Callable[[Reader], Any]


def _number(name: str, raw: bytes) -> Any:
    if name == "bit":
        return raw[0] != 0
    if name == "tinyint":
        return raw[0]
    if name == "real":
        return struct.unpack("<f", raw)[0]
    if name == "float":
        return struct.unpack("<d", raw)[0]
    if name == "money":
        return Decimal(int.from_bytes(raw[4:] + raw[:4], "little", signed=True)).scaleb(-4)
    if name == "smallmoney":
        return Decimal(int.from_bytes(raw, "little", signed=True)).scaleb(-4)
    if name == "datetime":
        days, part = struct.unpack("<iI", raw)
        return (days + DAYS_TO_1900) * TICKS_PER_DAY + (part * 200_000 + 3) // 6
    if name == "smalldatetime":
        days, minutes = struct.unpack("<HH", raw)
        return (days + DAYS_TO_1900) * TICKS_PER_DAY + minutes * 600_000_000
    return int.from_bytes(raw, "little", signed=True)


_ONE_DATE = dt.date(1, 1, 1).toordinal()


def _temporal(name: str, digits: int, raw: bytes) -> Any:
    if name == "date":
        return dt.date.fromordinal(int.from_bytes(raw, "little") + _ONE_DATE)
    size = time_bytes(digits)
    ticks = int.from_bytes(raw[:size], "little") * 10 ** (7 - digits)
    if name == "time":
        return ticks
    ticks += int.from_bytes(raw[size : size + 3], "little") * TICKS_PER_DAY
    if name == "datetime2":
        return ticks
    return {"t": ticks, "o": int.from_bytes(raw[size + 3 :], "little", signed=True)}


def _sized(read_length: Callable[[Reader], int], null: int, convert: Callable[[bytes], Any]) -> Callable[[Reader], Any]:
    def read(reader: Reader) -> Any:
        size = read_length(reader)
        return None if size == null else convert(reader.take(size))

    return read


def _guid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw)).upper()


def _decimal_reader(scale: int) -> Callable[[bytes], Decimal]:
    def convert(raw: bytes) -> Decimal:
        magnitude = int.from_bytes(raw[1:], "little")
        return Decimal((0 if raw[0] else 1, tuple(map(int, str(magnitude))), -scale))

    return convert


def _variant_reader(reader: Reader) -> Any:
    total = reader.long()
    if total == 0:
        return None
    raw = Reader(reader.take(total))
    code, props = raw.byte(), raw.take(raw.byte())
    rest = raw.data[raw.at :]
    if code in FIXED_CODES:
        base = SqlType(FIXED_CODES[code])
        value = _number(base.name, rest)
    elif code in (0x6A, 0x6C):
        base = SqlType("decimal" if code == 0x6A else "numeric", None, props[0], props[1])
        value = _decimal_reader(props[1])(rest)
    elif code in (0x28, 0x29, 0x2A, 0x2B):
        name = {0x28: "date", 0x29: "time", 0x2A: "datetime2", 0x2B: "datetimeoffset"}[code]
        base = SqlType(name, None, None, props[0] if props else None)
        value = _temporal(name, base.digits, rest)
    elif code == 0x24:
        base, value = SqlType("uniqueidentifier"), _guid(rest)
    elif code in (0xA5, 0xAD):
        base, value = SqlType("varbinary" if code == 0xA5 else "binary", len(rest)), rest
    else:
        wide = code in (0xE7, 0xEF)
        value = from_utf16(rest) if wide else rest.decode(CODE_PAGE, "replace")
        base = SqlType({0xE7: "nvarchar", 0xEF: "nchar", 0xA7: "varchar", 0xAF: "char"}[code], max(1, len(value)))
    return {"b": str(base), "v": variant_text(base, value)}


def variant_text(base: SqlType, value: Any) -> str:
    """The canonical text of a value in a sql_variant."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return f"{value['t']};{value['o']}"
    if isinstance(value, bool):
        return str(int(value))
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def read_type_info(reader: Reader) -> WireType:
    """TYPE_INFO and how its values are read."""
    code = reader.byte()
    one = Reader.byte
    if code == 0x1F:
        return WireType(SqlType("nvarchar", 1), lambda r: None)
    if code in FIXED_CODES:
        name = FIXED_CODES[code]
        return WireType(SqlType(name), lambda r: _number(name, r.take(FIXED_SIZES[name])))
    if code in (0x26, 0x68, 0x6D, 0x6E, 0x6F):
        size = reader.byte()
        name = {(0x26, 1): "tinyint", (0x26, 2): "smallint", (0x26, 4): "int", (0x26, 8): "bigint", (0x68, 1): "bit",
                (0x6D, 4): "real", (0x6D, 8): "float", (0x6E, 4): "smallmoney", (0x6E, 8): "money",
                (0x6F, 4): "smalldatetime", (0x6F, 8): "datetime"}[code, size]
        by_size = {(c, s): n for (c, s), n in {(0x26, 1): "tinyint", (0x26, 2): "smallint", (0x26, 4): "int",
                                               (0x26, 8): "bigint"}.items()}

        def read(r: Reader) -> Any:
            width = r.byte()
            return None if width == 0 else _number(by_size.get((code, width), name), r.take(width))

        return WireType(SqlType(name), read)
    if code in (0x6A, 0x6C, 0x37, 0x3F):
        _, precision, scale = reader.byte(), reader.byte(), reader.byte()
        kind = SqlType("decimal" if code in (0x6A, 0x37) else "numeric", None, precision, scale)
        return WireType(kind, _sized(one, 0, _decimal_reader(scale)))
    if code == 0x24:
        reader.byte()
        return WireType(SqlType("uniqueidentifier"), _sized(one, 0, _guid))
    if code in (0x28, 0x29, 0x2A, 0x2B):
        name = {0x28: "date", 0x29: "time", 0x2A: "datetime2", 0x2B: "datetimeoffset"}[code]
        digits = None if code == 0x28 else reader.byte()
        return WireType(SqlType(name, None, None, digits), _sized(one, 0, lambda raw: _temporal(name, digits or 0, raw)))
    if code == 0x62:
        reader.long()
        return WireType(SqlType("sql_variant"), _variant_reader)
    if code == 0xF1:
        if reader.byte():
            reader.b_varchar(), reader.b_varchar(), reader.us_varchar()
        return WireType(SqlType("xml"), _plp_reader(_xml))
    if code == 0xF0:
        reader.b_varchar(), reader.b_varchar()
        name = reader.b_varchar().lower()
        to_text = hierarchy_text if name == "hierarchyid" else spatial_text
        return WireType(SqlType(name), _plp_reader(to_text))
    if code in (0x22, 0x23, 0x63):
        reader.long()
        name = {0x22: "image", 0x23: "text", 0x63: "ntext"}[code]
        if code != 0x22:
            reader.take(5)
        convert = {"image": bytes, "text": _narrow, "ntext": from_utf16}[name]
        return WireType(SqlType(name), _sized(Reader.long, -1, convert))
    names = {0xA5: "varbinary", 0xA7: "varchar", 0xAD: "binary", 0xAF: "char", 0xE7: "nvarchar", 0xEF: "nchar"}
    if code not in names:
        raise ValueError(f"type 0x{code:02x} is not known")
    name, size = names[code], reader.ushort()
    collation = b"" if code in (0xA5, 0xAD) else reader.take(5)
    convert = bytes if not collation else from_utf16 if name in NATIONAL else (
        _utf8 if collation[3] & 0x04 else _narrow)
    if size == 0xFFFF:
        return WireType(SqlType(name, MAX), _plp_reader(convert))
    length = max(1, size // 2 if name in NATIONAL else size)
    return WireType(SqlType(name, length), _sized(Reader.ushort, 0xFFFF, convert))


def _narrow(raw: bytes) -> str:
    try:
        return raw.decode(CODE_PAGE)
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8")


def _xml(raw: bytes) -> str:
    return from_utf16(raw).lstrip("\ufeff")


def _plp_reader(convert: Callable[[bytes], Any]) -> Callable[[Reader], Any]:
    def read(reader: Reader) -> Any:
        raw = reader.plp()
        return None if raw is None else convert(raw)

    return read
