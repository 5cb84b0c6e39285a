"""One connection through PyMySQL, whose converters are left out: text of the server's own is cast by Arrow.

Guarantees: what the server's or the login's settings could change in values or in rows is set for the session. A stream
that is closed halfway is ended at the server. No file is sent to a server, whatever it asks for.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants import CLIENT, COMMAND, CR, FIELD_TYPE, FLAG
from pymysql.converters import encoders, escape_string
from pymysql.protocol import OKPacketWrapper
from sqlglot import tokenize
from sqlglot.tokenizer_core import TokenType

from el.connectors.catalog import SourceType
from el.connectors.mysql.config import MySqlConfig
from el.connectors.mysql.rows import Rows
from el.connectors.request import ReadRequest
from el.connectors.sql.connector import Stream
from el.connectors.sql.select import Statement
from el.errors import ReadError, RowRefused

_WHOLE = {
    FIELD_TYPE.TINY: ("tinyint", 8),
    FIELD_TYPE.SHORT: ("smallint", 16),
    FIELD_TYPE.INT24: ("mediumint", 32),
    FIELD_TYPE.LONG: ("int", 32),
    FIELD_TYPE.LONGLONG: ("bigint", 64),
    FIELD_TYPE.YEAR: ("year", 16),
}
_FIXED = {
    FIELD_TYPE.FLOAT: ("float", pa.float64()),
    FIELD_TYPE.DOUBLE: ("double", pa.float64()),
    FIELD_TYPE.DATE: ("date", pa.date32()),
    FIELD_TYPE.NEWDATE: ("date", pa.date32()),
    FIELD_TYPE.JSON: ("json", pa.string()),
    FIELD_TYPE.GEOMETRY: ("geometry", pa.binary()),
}
_TIMES = {
    FIELD_TYPE.DATETIME: ("datetime", pa.timestamp("us")),
    FIELD_TYPE.TIMESTAMP: ("timestamp", pa.timestamp("us", "UTC")),
    FIELD_TYPE.TIME: ("time", pa.string()),
}
_BLOBS = (FIELD_TYPE.BLOB, FIELD_TYPE.TINY_BLOB, FIELD_TYPE.MEDIUM_BLOB, FIELD_TYPE.LONG_BLOB)
_AS_PYTHON = {**encoders, **dict.fromkeys(_WHOLE, int), FIELD_TYPE.DOUBLE: float}
_BYTES, _UTF8_WIDTH = 63, 4
# Without what changes texts and numbers on their way; a 0 in a numbered column is a 0.
_SQL_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"


class _Connection(pymysql.connections.Connection):  # type: ignore[misc]
    """PyMySQL's, which gives a server the password in clear text over whatever line, where that asks for it."""

    def _process_auth(self, plugin_name: bytes, auth_packet: Any, handler: Any = None) -> Any:
        if plugin_name in (b"mysql_clear_password", b"dialog") and not self._secure:
            said = "the server asks for the password in clear text, and the line is not encrypted (`encrypt`)"
            raise pymysql.err.OperationalError(CR.CR_AUTH_PLUGIN_CANNOT_LOAD, said)
        return super()._process_auth(plugin_name, auth_packet, handler)


class Driver:
    """An open connection in autocommit: UTC, utf8mb4, all rows of a SELECT."""

    def __init__(self, config: MySqlConfig, program: str) -> None:
        self._config, self._program = config, program
        self.connection: Any = self._connect()
        self.is_mariadb = "MariaDB" in self.connection.server_version
        self._rows: Rows | None = None
        seconds = config.query_timeout
        patience = f"max_statement_time = {seconds}" if self.is_mariadb else f"max_execution_time = {seconds * 1000}"
        for settings in (
            f"time_zone = '+00:00', sql_mode = '{_SQL_MODE}', sql_select_limit = 18446744073709551615, "
            "default_storage_engine = InnoDB, sql_auto_is_null = 0, sql_safe_updates = 0, sql_big_selects = 1, "
            "wait_timeout = 28800, "
            # While rows wait to be taken, the server has nowhere to send to.
            f"net_write_timeout = {seconds}, net_read_timeout = {seconds}, "
            f"innodb_lock_wait_timeout = {config.lock_timeout}, lock_wait_timeout = {config.lock_timeout}, {patience}",
            "SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            # Row counts of now, not of yesterday.
            *([] if self.is_mariadb else ["information_schema_stats_expiry = 0"]),
        ):
            self.execute(Statement(f"SET {settings}"))

    def _connect(self, beside: Any = None) -> Any:
        """beside: a socket whose server it shall be, and no other one of that name."""
        connection = _Connection(
            **self._config.arguments(),
            charset="utf8mb4",
            autocommit=True,
            conv=_AS_PYTHON,
            program_name=self._program,
            # Only `load` sends data, and what it was given: PyMySQL's own way would send whichever file is asked for.
            client_flag=CLIENT.LOCAL_FILES | CLIENT.FOUND_ROWS,
            defer_connect=True,
        )
        connection.connect(beside and socket.create_connection(beside.getpeername()[:2], self._config.login_timeout))
        return connection

    @property
    def is_open(self) -> bool:
        return bool(self.connection.open)

    def certificate(self) -> bytes | None:
        """The server's, as this line's handshake brought it."""
        line = self.connection._sock
        return line.getpeercert(binary_form=True) if isinstance(line, ssl.SSLSocket) else None

    def close(self) -> None:
        self.connection.close()

    def _run(self, statement: Statement, *, unbuffered: bool = False) -> MySQLResult:
        if self._rows is not None:
            raise ReadError(
                "this connection still reads rows: take them into memory first (to_arrow()), or open a second "
                "connection"
            )
        self.connection.query(filled(statement), unbuffered=unbuffered)
        return self.connection._result

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        return list(self._run(statement).rows or ())

    def execute(self, statement: Statement) -> int:
        return int(self._run(statement).affected_rows or 0)

    def describe(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        """Names and types of a query's columns; no row is read."""
        result = self._run(Statement(f"SELECT * FROM (\n{query}\n) AS el_query LIMIT 0"))
        return tuple((field.name, source_type(field)) for field in result.fields)

    def stream(self, statement: Statement, request: ReadRequest) -> Stream:
        result = self._run(statement, unbuffered=True)
        # The rows are taken here, not by PyMySQL.
        result.unbuffered_active = False
        rows = self._rows = Rows(self.connection._rfile, len(result.fields))
        wanted = {column.name: column.arrow for column in request.columns}
        types = [_in_truth(arrow_type(field), wanted.get(field.name)) for field in result.fields]
        schema = pa.schema([pa.field(field.name, type_) for field, type_ in zip(result.fields, types, strict=True)])

        def batches() -> Iterator[pa.RecordBatch]:
            while found := rows.take(request.batch_rows, request.batch_bytes):
                made = [_cast(column, field) for column, field in zip(found, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(made, schema=schema)

        return schema, batches(), lambda: self._end(rows)

    def _end(self, rows: Rows) -> None:
        """Be done with these rows: what is still to come is cancelled, over a connection beside this one."""
        if self._rows is not rows:
            return
        self._rows = None
        if rows.ended or not self.is_open:
            return
        try:
            # Its numbers of sessions are its own: behind the name of a cluster another server may answer.
            beside = self._connect(None if self._config.unix_socket else self.connection._sock)
            with suppress(Exception):
                beside.query(f"KILL QUERY {self.connection.thread_id()}")
            beside.close()
            with suppress(pymysql.err.Error):
                while not rows.ended:
                    rows.take(1_000_000, 64 * 1024 * 1024)
            # One that came too late hits the next statement.
            with suppress(pymysql.err.Error):
                self.connection.query("DO 0")
        except Exception:
            self.connection._force_close()
        if not rows.ended:
            self.connection._force_close()

    def load(self, sql: str, parts: Iterable[bytes]) -> int:
        """LOAD DATA LOCAL with these bytes as its file; the number of rows that the server took."""
        connection = self.connection
        connection._execute_command(COMMAND.COM_QUERY, sql)
        if not connection._read_packet().is_load_local_packet():
            raise ReadError("the server asks for no data")
        try:
            for part in parts:
                connection.write_packet(part)
        finally:
            connection.write_packet(b"")
            answer = connection._read_packet()
        return int(OKPacketWrapper(answer).affected_rows)


def filled(statement: Statement) -> bytes:
    """The SQL with its parameters as literals."""
    if not statement.parameters:
        return statement.sql.encode()
    sql, parts, last = statement.sql, [], 0
    marks = [token for token in tokenize(sql, read="mysql") if token.token_type is TokenType.PLACEHOLDER]
    for mark, value in zip(marks, statement.parameters, strict=True):
        parts += [sql[last : mark.start], literal(value)]
        last = mark.end + 1
    return "".join([*parts, sql[last:]]).encode()


def literal(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{escape_string(str(value))}'"


def source_type(field: Any) -> SourceType:
    """The type of a result's column, as far as the server tells it."""
    code, unsigned = field.type_code, " unsigned" if field.flags & FLAG.UNSIGNED else ""
    if code in _WHOLE:
        name = _WHOLE[code][0]
        return SourceType(name if name == "year" else name + unsigned)
    if code in (FIELD_TYPE.NEWDECIMAL, FIELD_TYPE.DECIMAL):
        return SourceType("decimal", precision=_digits(field), scale=field.scale)
    if code in _TIMES:
        return SourceType(_TIMES[code][0], scale=min(field.scale, 6))
    if code in _FIXED:
        return SourceType(_FIXED[code][0])
    if code == FIELD_TYPE.BIT:
        return SourceType("bit", length=field.length)
    if field.flags & (FLAG.ENUM | FLAG.SET):
        return SourceType("enum" if field.flags & FLAG.ENUM else "set")
    binary = field.charsetnr == _BYTES and code != FIELD_TYPE.NULL
    if code in _BLOBS:
        return SourceType("longblob" if binary else "longtext")
    return SourceType("varbinary", field.length) if binary else SourceType("varchar", field.length // _UTF8_WIDTH)


def arrow_type(field: Any) -> pa.DataType:
    """What a column becomes that was read untouched."""
    code = field.type_code
    if code in _WHOLE:
        return getattr(pa, f"{'u' if field.flags & FLAG.UNSIGNED else ''}int{_WHOLE[code][1]}")()
    if code in (FIELD_TYPE.NEWDECIMAL, FIELD_TYPE.DECIMAL):
        return pa.decimal128(_digits(field), field.scale) if _digits(field) <= 38 else pa.string()
    known = {**_FIXED, **_TIMES}.get(code)
    if known is not None:
        return known[1]
    return pa.binary() if code == FIELD_TYPE.BIT or field.charsetnr == _BYTES else pa.string()


def _digits(field: Any) -> int:
    """The length of a decimal's longest text, less its point and its sign."""
    return max(1, int(field.length) - bool(field.scale) - (not field.flags & FLAG.UNSIGNED))


def _in_truth(own: pa.DataType, wanted: pa.DataType | None) -> pa.DataType:
    """A bit is read as a number, and is no number."""
    return wanted if wanted == pa.bool_() and pa.types.is_integer(own) else own


def _cast(data: pa.Array, field: pa.Field) -> pa.Array:
    type_ = field.type
    if pa.types.is_binary(type_):
        return data
    if pa.types.is_string(type_):
        return data.cast(type_)
    text = data.view(pa.string())
    if pa.types.is_boolean(type_):
        return text.cast(pa.uint64()).cast(type_)
    try:
        if pa.types.is_timestamp(type_) and type_.tz is not None:
            return text.cast(pa.timestamp(type_.unit)).cast(type_)
        return text.cast(type_)
    except pa.ArrowInvalid:
        # Such as 0000-00-00 or 2024-00-15, which MySQL takes for a date.
        odd = text.filter(pc.match_substring_regex(text, "^0000-00|-00"))
        shown = f"{str(odd[0])!r}" if len(odd) else "a value"
        raise RowRefused(
            f"column {field.name!r} has {shown}, which is no {type_}: `lossy: true` makes it NULL, a cast to char(26) "
            "carries its text"
        ) from None
