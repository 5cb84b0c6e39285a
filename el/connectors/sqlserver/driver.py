"""What the two ways to a SQL Server have in common: Microsoft's mssql-python with its own Arrow reader, and pyodbc.

Guarantees: a missing driver or system library is a `DriverMissing` that names the package to install; a stream that
was read to its end had all rows; closing a stream cancels it and never drains it; both give the same columns for
the same statement.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.connectors.request import ReadRequest
from el.connectors.sql.connector import Stream
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.config import SqlServerConfig
from el.errors import DriverMissing, ReadError, to_install

# What the dynamic linker says is missing -> what to install (Debian and Ubuntu; Red Hat).
_LIBRARIES = {
    "libltdl.so": "apt-get install libltdl7 (dnf install libtool-ltdl)",
    "libgssapi_krb5.so": "apt-get install libgssapi-krb5-2 (dnf install krb5-libs)",
    "libkrb5.so": "apt-get install libkrb5-3 (dnf install krb5-libs)",
    "libodbc.so": "apt-get install unixodbc (dnf install unixODBC)",
    "libodbcinst.so": "apt-get install unixodbc (dnf install unixODBC)",
    "libssl.so": "apt-get install openssl (dnf install openssl-libs)",
}


def missing_library(error: BaseException, driver: str) -> DriverMissing | None:
    """What to install, if `error` says that a library of `driver` cannot be loaded; None if it says something else."""
    text = str(error)
    for library, package in _LIBRARIES.items():
        if library in text:
            return DriverMissing(f"{driver} needs the system library {library}: {package}")
    if isinstance(error, ImportError):
        return DriverMissing(f"{driver} cannot be imported: {to_install('sqlserver')}")
    return None


def database_missing(config: SqlServerConfig) -> str:
    """What is said of a database that cannot be opened."""
    return f"{config.place}: database {config.database!r} does not exist, or user {config.user!r} may not open it"


def login_failed(error: Exception) -> bool:
    """Whether user or password was refused: by SQLSTATE 28000 as well, for the text is in the server's language."""
    text = str(error).lower()
    return any(word in text for word in ("login failed", "18456", "28000", "invalid authorization specification"))


class Driver(ABC):
    """An open connection through one of the drivers; autocommit unless `begin` was called."""

    connection: Any
    is_open = True  # nothing tells before a statement fails

    @abstractmethod
    def stream(self, statement: Statement, request: ReadRequest) -> Stream:
        """Run a SELECT: schema, batches, and what stops it without draining."""

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        """All rows of a small query."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.sql, *statement.parameters)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    def execute(self, statement: Statement) -> int:
        """Run a statement without rows; how many it touched, or -1.

        Whatever a trigger answers is taken in too: an error behind its first answer would be lost otherwise.
        """
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.sql, *statement.parameters)
            touched = int(cursor.rowcount)
            while cursor.nextset():
                touched = int(cursor.rowcount)
            return touched
        finally:
            cursor.close()

    def describe(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        """Names and types of a query's columns as the driver sees them; no row is read."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(f"SELECT TOP 0 * FROM ({query}) AS q")
            return tuple((item[0], _source_type(item[1], item[3], item[4], item[5])) for item in cursor.description)
        finally:
            cursor.close()

    def bulk_load(self, table: str, data: pa.RecordBatchReader, rows: int) -> bool:
        """Load `rows` of data by the protocol's own bulk load; False where the driver or the server has none."""
        return False

    def _whole(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`batches`, and then the proof that they were all.

        mssql-python takes a line that is cut between two rows for their end: what counts is what the server counted.
        Where they differ, the read can be tried again.
        """
        read = 0
        for batch in batches:
            read += batch.num_rows
            yield batch
        sent = self.fetch(Statement("SELECT ROWCOUNT_BIG()"))[0][0]
        if sent != read and not self._counts():
            raise ReadError(
                "this server's ROWCOUNT_BIG() does not tell the rows of a read with parameters, so that el cannot tell "
                "whether a read was whole"
            )
        if sent != read:
            raise ReadError(f"the server sent {sent} rows and {read} arrived", retryable=True)

    def _counts(self) -> bool:
        """Whether the server's count after a read with parameters is that read's: no page of its manual says so."""
        three = self.fetch(Statement("SELECT n FROM (VALUES (1), (2), (3)) AS t (n) WHERE n > ?", (0,)))
        return self.fetch(Statement("SELECT ROWCOUNT_BIG()")) == [(len(three),)]

    def autocommit(self, on: bool) -> None:
        """Turn autocommit on or off."""
        self.connection.autocommit = on

    def close(self) -> None:
        """Close; what was not committed is rolled back by the server. A line that is dead already is closed."""
        with suppress(Exception):
            self.connection.close()


# Of a column without a length no more rows are taken at once than hold some hundred megabytes at a megabyte each.
_LONG_ROWS = 256


def rows_at_once(description: Sequence[Sequence[Any]], request: ReadRequest) -> int:
    """How many rows are fetched at once: as the request bounds their number and bytes, by the columns' declared sizes.

    description: DB-API's; a column without a length, such as varchar(max) or xml, has the size 0 or a huge one.
    """
    width = 0
    rows = request.batch_rows
    for _, kind, _, size, *_ in description:
        if kind in (str, bytes, bytearray) and not 0 < (size or 0) <= 8000:
            rows = min(rows, _LONG_ROWS)
        else:
            # Text comes from the driver with up to four bytes a character.
            width += (4 if kind is str else 1) * max(8, size or 0)
    return max(1, min(rows, request.batch_bytes // max(1, width)))


def _source_type(python: type, size: int | None, precision: int | None, scale: int | None) -> SourceType:
    if python is Decimal:
        return SourceType("decimal", precision=precision, scale=scale)
    if python is datetime:
        return SourceType("datetime2", scale=scale or 0)
    if python is time:
        return SourceType("time", scale=scale or 0)
    simple = {bool: "bit", int: "bigint", float: "float", date: "date", UUID: "uniqueidentifier"}
    if python in simple:
        return SourceType(simple[python])
    length = size if size and 0 < size <= 4000 else -1
    return SourceType("varbinary" if python in (bytes, bytearray) else "nvarchar", length=length)
