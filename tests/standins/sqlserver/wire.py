"""What stands for types on the wire: TYPE_INFO and COLMETADATA ([MS-TDS] 2.2.5.4 to 2.2.5.6, 2.2.7.4), texts."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pyarrow as pa

from .sqltypes import MAX, SqlType, decimal_bytes

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
        return (
            b"\xf0"
            + struct.pack("<H", size)
            + b_varchar("")
            + b_varchar("sys")
            + b_varchar(name)
            + us_varchar(assembly)
        )
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


ARROW: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float64(),
    "real": pa.float32(),
}


def arrow_type(type_: SqlType) -> pa.DataType:
    if type_.name in ARROW:
        return ARROW[type_.name]
    if type_.family == "dec":
        return pa.decimal128(type_.precision, type_.scale or 0) if type_.precision else pa.decimal128(19, 4)
    if type_.name == "datetimeoffset":
        return pa.struct([("t", pa.int64()), ("o", pa.int16())])
    if type_.name == "sql_variant":
        return pa.struct([("b", pa.string()), ("v", pa.string())])
    if type_.name == "date":
        return pa.date32()
    if type_.family in ("dt", "time"):
        return pa.int64()
    return pa.binary() if type_.family == "bin" else pa.string()
