"""The tokens of an answer other than rows ([MS-TDS] 2.2.7)."""

from __future__ import annotations

import struct

from .errors import SqlError
from .packets import SERVER_VERSION
from .sqltypes import SqlType
from .wire import COLLATION, b_varchar, type_info, us_varchar
from .wire_write import encode_value

DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF
FINAL, MORE, ERROR, IN_TRANSACTION, COUNT, ATTENTION = 0, 0x1, 0x2, 0x4, 0x10, 0x20
# Values of CurCmd, as SQL Server sends them; DB-Library and ODBC look at SELECT alone.
COMMANDS = {"SELECT": 0xC1, "INSERT": 0xC3, "DELETE": 0xC4, "UPDATE": 0xC5, "MERGE": 0x117, "BULK": 0xF0}


def done(token: int, status: int, command: int = 0, count: int | None = None) -> bytes:
    """DONE, DONEPROC, DONEINPROC (2.2.7.6 to 2.2.7.8); with a count, the bit that says that it is one."""
    if count is not None:
        status |= COUNT
    return struct.pack("<BHHQ", token, status, command, count or 0)


def error(problem: SqlError, server: str, line: int = 1, procedure: str = "") -> bytes:
    """ERROR (2.2.7.10), or INFO (2.2.7.13) where the class is 10 or less."""
    body = struct.pack("<iBB", problem.number, problem.state, problem.severity)
    body += us_varchar(problem.message[:2000]) + b_varchar(server[:60]) + b_varchar(procedure) + struct.pack("<I", line)
    return struct.pack("<BH", 0xAB if problem.severity <= 10 else 0xAA, len(body)) + body


def envchange(kind: int, new: bytes, old: bytes = b"\0") -> bytes:
    """ENVCHANGE (2.2.7.9)."""
    return struct.pack("<BHB", 0xE3, 1 + len(new) + len(old), kind) + new + old


def database_changed(new: str, old: str) -> bytes:
    return envchange(1, b_varchar(new), b_varchar(old))


def packet_size_changed(new: int, old: int) -> bytes:
    return envchange(4, b_varchar(str(new)), b_varchar(str(old)))


def collation_changed() -> bytes:
    return envchange(7, bytes([len(COLLATION)]) + COLLATION)


def language_changed() -> bytes:
    return envchange(2, b_varchar("us_english"), b_varchar(""))


def transaction_begun(descriptor: int) -> bytes:
    return envchange(8, b"\x08" + struct.pack("<Q", descriptor))


def transaction_ended(committed: bool, descriptor: int) -> bytes:
    return envchange(9 if committed else 10, b"\0", b"\x08" + struct.pack("<Q", descriptor))


def reset_acknowledged() -> bytes:
    return envchange(18, b"\0")


def login_ack(tds_version: int) -> bytes:
    """LOGINACK (2.2.7.14): the version goes back most significant byte first."""
    version = min(tds_version, 0x74000004) if tds_version >= 0x74000000 else tds_version
    name = "Microsoft SQL Server"
    body = b"\x01" + struct.pack(">I", version) + b_varchar(name)
    body += struct.pack(">BBH", SERVER_VERSION[0], SERVER_VERSION[1], SERVER_VERSION[2])
    return struct.pack("<BH", 0xAD, len(body)) + body


def feature_ext_ack() -> bytes:
    """FEATUREEXTACK (2.2.7.11): none of the features that were offered is used."""
    return b"\xae\xff"


def return_status(value: int) -> bytes:
    return struct.pack("<Bi", 0x79, value)


def return_value(ordinal: int, name: str, type_: SqlType, value: object) -> bytes:
    """RETURNVALUE (2.2.7.18)."""
    head = struct.pack("<BH", 0xAC, ordinal) + b_varchar(name) + b"\x01" + struct.pack("<IH", 0, 1)
    return head + type_info(type_) + encode_value(type_, value)


def order(positions: list[int]) -> bytes:
    """ORDER (2.2.7.16)."""
    return struct.pack("<BH", 0xA9, 2 * len(positions)) + b"".join(struct.pack("<H", p) for p in positions)
