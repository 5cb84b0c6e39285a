"""The binary log as a server sends it to a replica: whole events, each with its checksum looked at.

MySQL Source Code Documentation, "Replication Protocol"; MariaDB Documentation, "Replication Protocol". No replica is
registered, and the server does not wait for more: at the end of its log the stream ends.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pymysql import err
from pymysql.constants import CR

from el.connectors.mysql.config import MySqlConfig
from el.connectors.mysql.driver import Driver
from el.connectors.mysql.log_position import Gtids, UuidGtids
from el.connectors.sql.select import Statement
from el.errors import PositionLost, ReadError

FORMAT, ROTATE, MARIADB_LIST = 15, 4, 163
_DUMP, _DUMP_GTID, _NO_WAIT = 0x12, 0x1E, 0x01
_HEAD, _SUM = 19, 4
_IGNORABLE = 0x80
_WHOLE = 0xFFFFFF
_END, _ERROR = 0xFE, 0xFF
_AT_ONCE = 512 * 1024
# "Could not find first log file", "purged", "not in the master's binlog".
_GONE = 1236


@dataclass(frozen=True, slots=True)
class Event:
    """One event. body: what stands behind its header."""

    kind: int
    server: int
    body: bytes
    ignorable: bool = False  # a reader that does not know its kind may pass over it


def event_of(said: memoryview) -> Event:
    """An event without its checksum."""
    server, flags = int.from_bytes(said[5:9], "little"), int.from_bytes(said[17:19], "little")
    return Event(said[4], server, bytes(said[_HEAD:]), bool(flags & _IGNORABLE))


class Log:
    """The events behind these transactions, or of a file by its name, over a connection of its own."""

    def __init__(self, config: MySqlConfig, program: str, since: Gtids | str) -> None:
        self._driver = Driver(config, program)
        self._data, self._at = bytearray(), 0
        self._summed = False
        try:
            self._begin(since)
        except BaseException:
            self.close()
            raise

    def _begin(self, since: Gtids | str) -> None:
        driver = self._driver
        summed = "SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, @source_binlog_checksum = @@GLOBAL."
        driver.execute(Statement(f"{summed}binlog_checksum"))
        # Two replicas of one number end each other's streams.
        number = random.SystemRandom().randrange(2**31, 2**32 - 1).to_bytes(4, "little")
        start = (4).to_bytes(4, "little")
        flags = _NO_WAIT.to_bytes(2, "little")
        if isinstance(since, UuidGtids):
            held = since.encoded()
            place = (0).to_bytes(4, "little") + (4).to_bytes(8, "little")
            asked = flags + number + place + len(held).to_bytes(4, "little") + held
            driver.connection._execute_command(_DUMP_GTID, asked)
            return
        if isinstance(since, str):
            driver.connection._execute_command(_DUMP, start + flags + number + since.encode())
            return
        driver.execute(Statement("SET max_statement_time = 0, @mariadb_slave_capability = 4"))
        driver.execute(Statement("SET @slave_gtid_strict_mode = 1, @slave_gtid_ignore_duplicates = 0"))
        driver.execute(Statement("SET @slave_connect_state = ?", (str(since),)))
        driver.connection._execute_command(_DUMP, start + flags + number)

    def close(self) -> None:
        """The server ends the stream when nobody takes it any longer."""
        with suppress(Exception):
            self._driver.connection._force_close()

    def created(self) -> int:
        """When the file was begun that the stream begins with, in seconds since 1970 by the server's clock."""
        while (packet := self._packet()) is not None:
            if packet[5] == FORMAT:
                return int.from_bytes(packet[1:5], "little")
        raise ReadError("a file of the binary log has no beginning")

    def __iter__(self) -> Iterator[Event]:
        while (packet := self._packet()) is not None:
            kind = packet[5]
            if kind == FORMAT:
                self._summed = packet[-_SUM - 1] == 1
                continue
            end = len(packet)
            if self._summed and kind != ROTATE:
                end -= _SUM
                if zlib.crc32(memoryview(packet)[1:end]) != int.from_bytes(packet[end:], "little"):
                    raise ReadError("an event of the binary log arrived with a wrong checksum", retryable=True)
            yield event_of(memoryview(packet)[1:end])

    def _packet(self) -> bytes | None:
        """The next one, b"\\0" in front; None at the end of the log."""
        parts, length = [], _WHOLE
        while length == _WHOLE:
            head = self._take(4)
            length = int.from_bytes(head[:3], "little")
            parts.append(self._take(length))
        packet = b"".join(parts) if len(parts) > 1 else parts[0]
        if packet[0] == _ERROR:
            self._raise(packet)
        return None if packet[0] == _END and len(packet) < 9 else packet

    def _raise(self, packet: bytes) -> None:
        try:
            err.raise_mysql_exception(packet)
        except err.MySQLError as error:
            if error.args[0] == _GONE:
                raise PositionLost(" ".join(str(error.args[1]).split())[:300]) from None
            raise

    def _take(self, size: int) -> bytes:
        while len(self._data) - self._at < size:
            del self._data[: self._at]
            self._at = 0
            found = self._more(size - len(self._data))
            if not found:
                raise err.OperationalError(CR.CR_SERVER_LOST, "the line to the server was cut")
            self._data += found
        start, self._at = self._at, self._at + size
        return bytes(self._data[start : self._at])

    def _more(self, size: int) -> bytes:
        file: Any = self._driver.connection._rfile
        try:
            return bytes(file.read1(max(_AT_ONCE, size)))
        except (OSError, ValueError) as error:
            raise err.OperationalError(CR.CR_SERVER_LOST, f"the line to the server was cut: {error}") from None
