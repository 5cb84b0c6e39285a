"""One connection through ADBC, in autocommit: rows come as Arrow, in the server's binary COPY format.

Guarantees: what the server's, the database's or the login's settings could change in values or in rows is set for the
session. A read runs in a transaction that only reads; one that is closed halfway is cancelled at the server. A column
that ADBC does not hand over exactly is refused, and so is a value that Arrow does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_postgresql import dbapi
from sqlglot import tokenize
from sqlglot.tokenizer_core import TokenType

from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.errors import is_gone
from el.connectors.sql.connector import Stream
from el.connectors.sql.select import Statement
from el.errors import ReadError, RowRefused

# What ADBC 1.13 hands over as it is. Of the rest it makes bytes of the protocol, a flat list of an array of two
# dimensions, and a signed number of an oid.
_EXACT = (
    *(pa.bool_(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.binary()),
    *(pa.date32(), pa.time64("us"), pa.timestamp("us"), pa.timestamp("us", "UTC")),
)
_INEXACT = ("oid", "money")
# Operators of an extension's types are looked up by name too.
_PATH = (
    "(SELECT concat_ws(', ', 'public', string_agg(DISTINCT extnamespace::regnamespace::text, ', ')) "
    "FROM pg_catalog.pg_extension WHERE extnamespace NOT IN "
    "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog', 'public')))"
)
READS_ONE_MOMENT = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
_DAY = 86_400_000_000
# The first day of PostgreSQL's calendar. Infinity, and what Arrow has no number for, comes as one before it.
_FIRST_DAY = -2_440_588


class Driver:
    """An open connection. in_transaction: one is open that a read takes part in."""

    def __init__(self, config: PostgresConfig, program: str) -> None:
        self._config = config
        self.connection: Any = dbapi.connect(config.conninfo(program), autocommit=True)
        self._cursor: Any = self.connection.cursor()
        self._reading: Any = None
        self.in_transaction = False
        self._reads_only = True
        try:
            self._settle()
        except BaseException:
            self.close()
            raise

    def _settle(self) -> None:
        config = self._config
        settings = {
            "TimeZone": "UTC",
            "DateStyle": "ISO, MDY",
            "IntervalStyle": "iso_8601",
            "extra_float_digits": "1",
            "bytea_output": "hex",
            "xmloption": "content",
            "standard_conforming_strings": "on",
            "statement_timeout": f"{config.query_timeout}s",
            "lock_timeout": f"{config.lock_timeout}s",
            "idle_in_transaction_session_timeout": f"{config.query_timeout}s",
            "default_transaction_isolation": "read committed",
            "default_transaction_read_only": "on",
            "default_transaction_deferrable": "off",
        }
        if config.role is not None:
            self.execute(Statement(f"SET ROLE {_name(config.role)}"), writing=False)
        asked = [
            "current_setting('server_encoding')",
            "pg_backend_pid()",
            *("set_config(?, ?, false)" for _ in settings),
        ]
        path = _PATH if config.search_path is None else literal(config.search_path)
        asked.append(f"set_config('search_path', {path}, false)")
        parameters = tuple(part for pair in settings.items() for part in pair)
        found = self.fetch(Statement(f"SELECT {', '.join(asked)}", parameters))
        # A server of this encoding takes any bytes for text.
        self._checked_text, self.process = found[0][0] == "SQL_ASCII", str(found[0][1])

    @property
    def is_open(self) -> bool:
        return self.connection is not None

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is None:
            return
        for each in (self._reading, self._cursor, connection):
            with suppress(Exception):
                if each is not None:
                    each.close()

    def _run(self, cursor: Any, statement: Statement) -> Any:
        if self._reading is not None:
            raise ReadError(
                "this connection still reads rows: take them into memory first (to_arrow()), or open a second "
                "connection"
            )
        if self.connection is None:
            raise ReadError("the connection to PostgreSQL is closed: the session ended")
        try:
            return cursor.execute(filled(statement))
        except Exception as error:
            self._note(error)
            raise

    def _note(self, error: Exception) -> None:
        if is_gone(error):
            self.close()

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        try:
            table = self._run(self._cursor, statement).fetch_arrow_table()
        except Exception as error:
            self._note(error)
            raise
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def execute(self, statement: Statement, *, writing: bool = True) -> int:
        """writing: the session may write from now on; until then each of its transactions only reads."""
        if writing and self._reads_only and not self.in_transaction:
            self._run(self._cursor, Statement("SET default_transaction_read_only = off"))
            self._reads_only = False
        self._run(self._cursor, statement)
        return int(self._cursor.rowcount)

    def transact(self, how: str) -> None:
        """BEGIN, COMMIT, ROLLBACK."""
        begins = how.startswith("BEGIN")
        if not begins and not how.startswith("SET"):
            # Whatever comes of it, none is open.
            self.in_transaction = False
        self.execute(Statement(how), writing=begins and "READ WRITE" in how)
        self.in_transaction = self.in_transaction or begins

    def describe(self, query: str) -> pa.Schema:
        """The schema of what a query gives, as ADBC hands it over; no row is read."""
        try:
            return self._cursor.adbc_execute_schema(query)
        except Exception as error:
            self._note(error)
            raise

    def ingest(self, table: str, data: pa.RecordBatchReader) -> None:
        """All rows into a temporary table that is made for them, by COPY."""
        try:
            self._cursor.adbc_ingest(table, data, mode="create", temporary=True)
        except Exception as error:
            self._note(error)
            raise

    def stream(self, statement: Statement, wanted: Mapping[str, pa.DataType | None]) -> Stream:
        """wanted: the types of columns, where the plan knows them."""
        own = not self.in_transaction
        cursor = self.connection.cursor() if self.connection is not None else None
        try:
            if own:
                self.transact(f"BEGIN {READS_ONE_MOMENT}")
            # ADBC's one reader that tells the SQLSTATE of what goes wrong while rows come.
            # ADBC puts it into brackets: a comment at its end would take in the last one.
            sql = Statement(f"{filled(statement)}\n")
            reader = self._run(cursor, sql)._results.reader
            schema = _schema(reader.schema, wanted)
        except BaseException:
            with suppress(Exception):
                if cursor is not None:
                    cursor.close()
                if own:
                    self.transact("ROLLBACK")
            raise
        self._reading = reading = cursor
        ended = False

        def batches() -> Iterator[pa.RecordBatch]:
            nonlocal ended
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    ended = True
                    return
                except Exception as error:
                    ended = True
                    self._note(error)
                    raise
                yield self._cast(batch, schema)

        def close() -> None:
            if self._reading is reading:
                self._end(reading, reader, own, ended=ended)

        return schema, batches(), close

    def _end(self, cursor: Any, reader: Any, own: bool, *, ended: bool) -> None:
        """Be done with a read: what is still to come is cancelled."""
        self._reading = None
        try:
            if not ended:
                cursor.adbc_cancel()
                with suppress(Exception):
                    while True:
                        reader.read_next_batch()
            reader.close()
            cursor.close()
            if own:
                try:
                    self.transact("ROLLBACK")
                except Exception:
                    # A cancel that came too late hits what comes after.
                    self.transact("ROLLBACK")
        except Exception:
            self.close()

    def _cast(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        if self._checked_text:
            try:
                batch.validate(full=True)
            except pa.ArrowInvalid as error:
                raise RowRefused(f"a text is not UTF-8 ({error}); a cast to bytea carries its bytes") from None
        made = [_cast(column, field) for column, field in zip(batch.columns, schema, strict=True)]
        return pa.RecordBatch.from_arrays(made, schema=schema)


def _schema(found: pa.Schema, wanted: Mapping[str, pa.DataType | None]) -> pa.Schema:
    fields = []
    for field in found:
        declared = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
        if field.type not in _EXACT or declared in _INEXACT:
            raise ReadError(f"column {field.name!r} is of type {declared}: read it as text, CAST(... AS text)")
        type_ = wanted.get(field.name)
        # Numbers and times are of the width that the server has; text becomes what it stands for.
        fields.append(pa.field(field.name, type_ if type_ is not None and field.type == pa.string() else field.type))
    return pa.schema(fields)


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    type_ = field.type
    if column.type != type_:
        try:
            return column.cast(type_)
        except pa.ArrowInvalid:
            odd = column.filter(pc.invert(pc.match_substring_regex(column, r"^-?[0-9]+(\.[0-9]+)?$")))
            shown = repr(str(odd[0])) if len(odd) else "a value"
            raise _refused(field.name, f"{shown}, which is no {type_}") from None
    if pa.types.is_date32(type_) and _least(column.view(pa.int32())) < _FIRST_DAY:
        raise _refused(field.name, "infinity, which is no day")
    if pa.types.is_timestamp(type_) and _least(column.view(pa.int64())) < _FIRST_DAY * _DAY:
        raise _refused(field.name, "infinity, or a time after the year 294246, which is no time in Arrow")
    if pa.types.is_time(type_) and -_least(pc.negate(column.view(pa.int64()))) >= _DAY:
        raise _refused(field.name, "24:00:00, which is no time of a day")
    return column


def _least(numbers: pa.Array) -> int:
    found: int | None = pc.min(numbers).as_py()
    return 0 if found is None else found


def _refused(name: str, what: str) -> RowRefused:
    return RowRefused(f"column {name!r} has {what}: `lossy: true` makes it NULL, a cast to text carries it")


def filled(statement: Statement) -> str:
    """The SQL with its parameters as literals: ADBC would take all rows of one with parameters into memory."""
    if not statement.parameters:
        return statement.sql
    sql, parts, last = statement.sql, [], 0
    tokens = tokenize(sql, read="postgres")
    marks = [token for token in tokens if token.token_type is TokenType.PLACEHOLDER]
    if len(marks) != len(statement.parameters):
        # There is an operator ? in a query of one's own: a marker of el's stands behind a bracket.
        marks = [mark for before, mark in pairwise(tokens) if before.token_type is TokenType.L_PAREN and mark in marks]
    for mark, value in zip(marks, statement.parameters, strict=True):
        parts += [sql[last : mark.start], literal(value)]
        last = mark.end + 1
    return "".join([*parts, sql[last:]])


def literal(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
