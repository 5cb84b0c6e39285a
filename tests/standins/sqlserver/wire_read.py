"""Values off the wire: parameters and the rows of a bulk load ([MS-TDS] 2.2.5.2 to 2.2.5.6), as DuckDB stores them."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .spatial import hierarchy_text, spatial_text
from .sqltypes import MAX, NATIONAL, TICKS_PER_DAY, SqlType, time_bytes
from .wire import CODE_PAGE, DAYS_TO_1900, PLP_NULL, from_utf16


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

    def rest(self) -> bytes:
        part, self.at = self.data[self.at :], len(self.data)
        return part

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


FIXED_CODES = {
    0x30: "tinyint",
    0x32: "bit",
    0x34: "smallint",
    0x38: "int",
    0x7F: "bigint",
    0x3B: "real",
    0x3E: "float",
    0x3C: "money",
    0x7A: "smallmoney",
    0x3D: "datetime",
    0x3A: "smalldatetime",
}
FIXED_SIZES = {
    "tinyint": 1,
    "bit": 1,
    "smallint": 2,
    "int": 4,
    "bigint": 8,
    "real": 4,
    "float": 8,
    "money": 8,
    "smallmoney": 4,
    "datetime": 8,
    "smalldatetime": 4,
}


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
        name = {
            (0x26, 1): "tinyint",
            (0x26, 2): "smallint",
            (0x26, 4): "int",
            (0x26, 8): "bigint",
            (0x68, 1): "bit",
            (0x6D, 4): "real",
            (0x6D, 8): "float",
            (0x6E, 4): "smallmoney",
            (0x6E, 8): "money",
            (0x6F, 4): "smalldatetime",
            (0x6F, 8): "datetime",
        }[code, size]
        by_size = {
            (c, s): n
            for (c, s), n in {
                (0x26, 1): "tinyint",
                (0x26, 2): "smallint",
                (0x26, 4): "int",
                (0x26, 8): "bigint",
            }.items()
        }

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
        return WireType(
            SqlType(name, None, None, digits), _sized(one, 0, lambda raw: _temporal(name, digits or 0, raw))
        )
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
    convert = (
        bytes if not collation else from_utf16 if name in NATIONAL else (_utf8 if collation[3] & 0x04 else _narrow)
    )
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
