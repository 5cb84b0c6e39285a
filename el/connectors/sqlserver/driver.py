"""The two ways to a SQL Server: Microsoft's mssql-python with its own Arrow reader, and pyodbc.

Guarantees: a missing driver or system library is a `DriverMissing` that names the package to install; a stream that
was read to its end had all rows; closing a stream cancels it and never drains it; both give the same columns for
the same statement.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.connectors.request import ReadRequest
from el.connectors.sql.connector import Stream
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.config import SqlServerConfig, connection_string
from el.errors import CertificateUntrusted, DatabaseMissing, DriverMissing, ReadError, WriteError

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
        return DriverMissing(f"{driver} cannot be imported: pip install {driver}")
    return None


def database_missing(config: SqlServerConfig) -> str:
    """What is said of a database that cannot be opened."""
    return f"{config.place}: database {config.database!r} does not exist, or user {config.user!r} may not open it"


def login_failed(error: Exception) -> bool:
    """Whether user or password was refused: by SQLSTATE 28000 as well, for the text is in the server's language."""
    text = str(error).lower()
    return any(word in text for word in ("login failed", "18456", "28000", "invalid authorization specification"))


_NO_BULK_LOAD = ("insert bulk", "bulk load", "not supported", "syntax error")


class Driver(ABC):
    """An open connection through one of the drivers; autocommit unless `begin` was called."""

    connection: Any

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


class MssqlPython(Driver):
    """mssql-python: its wheel brings ODBC Driver 18 and a driver manager along."""

    def __init__(self, config: SqlServerConfig) -> None:
        try:
            import mssql_python
        except (ImportError, OSError) as error:
            raise missing_library(error, "mssql-python") or error from None
        keywords = config.keywords()

        def connect(keywords: dict[str, str]) -> Any:
            return mssql_python.connect(
                connection_string(keywords),
                autocommit=True,
                # SQL_ATTR_LOGIN_TIMEOUT (Microsoft Learn, "SQLSetConnectAttr Function").
                attrs_before={103: config.login_timeout},
            )

        # Sessions that nobody uses any more leave the server soon: a pool that Python's end does not close keeps them.
        mssql_python.pooling(idle_timeout=30)

        try:
            self.connection = connect(keywords)
        except (ImportError, OSError, RuntimeError) as error:
            raise missing_library(error, "mssql-python") or error from None
        except mssql_python.Error as error:
            if config.database is None or not login_failed(error):
                raise
            # Of a server's two messages (4060, 18456) this driver tells the last alone: which of them it was shows
            # in whether the same login comes in elsewhere.
            elsewhere = connect({name: value for name, value in keywords.items() if name != "Database"})
            elsewhere.close()
            raise DatabaseMissing(database_missing(config)) from None
        # The `timeout` of connect() is the login's.
        self.connection.timeout = config.query_timeout

    def autocommit(self, on: bool) -> None:
        self.connection.setautocommit(on)

    def bulk_load(self, table: str, data: pa.RecordBatchReader, rows: int) -> bool:
        cursor = self.connection.cursor()
        mappings = list(enumerate(data.schema.names))
        try:
            # No timeout: how long it takes is the caller's to bound.
            copied = cursor.bulkcopy_arrow(
                table, data, timeout=0, column_mappings=mappings, keep_nulls=True, keep_identity=True, table_lock=True
            )
        except Exception as error:
            if any(words in str(error).lower() for words in _NO_BULK_LOAD):
                return False
            raise
        except BaseException as error:
            # The driver's native part panics at answers that it does not expect, of engines that only speak T-SQL.
            if type(error).__name__ != "PanicException":
                raise
            return False
        finally:
            cursor.close()
        if copied["rows_copied"] != rows:
            raise WriteError(f"bulk load took {copied['rows_copied']:,} of {rows:,} rows")
        return True

    def stream(self, statement: Statement, request: ReadRequest) -> Stream:
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.sql, *statement.parameters)
            reader = cursor.arrow_reader(rows_at_once(cursor.description, request))
        except BaseException:
            cursor.close()
            raise

        def close() -> None:
            with suppress(Exception):
                reader.close()
                cursor.close()

        return reader.schema, self._whole(reader), close


class Pyodbc(Driver):
    """pyodbc, over whichever driver the profile names.

    It makes a Python object of every value, which costs most of its time: it is for what mssql-python cannot reach. It
    has no datetimeoffset (-155) and no sql_variant of its own: the type table reads both as text.
    """

    def __init__(self, config: SqlServerConfig) -> None:
        try:
            import pyodbc
        except (ImportError, OSError) as error:
            raise missing_library(error, "pyodbc") or error from None
        keywords = config.keywords()
        if config.dsn is None:
            driver = self._driver(config.driver, pyodbc.drivers())
            if _FREETDS.search(driver):
                keywords = freetds_keywords(config)
            keywords = {"Driver": driver, **keywords}
        keywords.setdefault("APP", "el")
        self.connection = pyodbc.connect(
            connection_string(keywords), autocommit=True, timeout=config.login_timeout, readonly=False
        )
        self.connection.timeout = config.query_timeout

    @staticmethod
    def _driver(name: str, installed: list[str]) -> str:
        if name in installed or Path(name).exists():
            return name
        bundled = bundled_driver()
        if name == SqlServerConfig.model_fields["driver"].default and bundled is not None:
            return str(bundled)
        known = ", ".join(installed) or "none"
        raise DriverMissing(f"there is no ODBC driver {name!r} here; installed are: {known}; see `driver` in README.md")

    def stream(self, statement: Statement, request: ReadRequest) -> Stream:
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.sql, *statement.parameters)
        except BaseException:
            cursor.close()
            raise
        schema = pa.schema([pa.field(item[0], _arrow(item[1], item[4], item[5])) for item in cursor.description])
        batch_rows = rows_at_once(cursor.description, request)

        def batches() -> Iterator[pa.RecordBatch]:
            while rows := cursor.fetchmany(batch_rows):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

        def close() -> None:
            # Closing alone would drain the whole result first. On a dead line nothing is left to close.
            with suppress(Exception):
                cursor.cancel()
                cursor.close()

        return schema, self._whole(batches()), close


DRIVERS: dict[str, Callable[[SqlServerConfig], Driver]] = {"mssql-python": MssqlPython, "pyodbc": Pyodbc}


_FREETDS = re.compile(r"(?i)freetds|tdsodbc")


def freetds_keywords(config: SqlServerConfig) -> dict[str, str]:
    """The connection string's keywords as FreeTDS spells them (FreeTDS User Guide, "ODBC Connection Attributes").

    Raises `CertificateUntrusted` unless `trust_cert` or no encryption is asked for: no keyword makes FreeTDS check one.
    """
    if config.encrypt and not config.trust_cert:
        raise CertificateUntrusted(
            f"{config.place}: FreeTDS checks no certificate; use ODBC Driver 18, or accept it with `trust_cert: true`"
        )
    found = {"Server": str(config.host), "Port": str(config.port), "TDS_Version": "7.4", "ClientCharset": "UTF-8"}
    found["Encryption"] = "require" if config.encrypt else "off"
    if config.database is not None:
        found["Database"] = config.database
    if config.user is not None:
        found["UID"] = config.user
        found["PWD"] = config.password.get_secret_value() if config.password else ""
    return {**found, **config.odbc}


def bundled_driver() -> Path | None:
    """The ODBC Driver 18 that mssql-python's wheel brings, for this platform."""
    try:
        import mssql_python_odbc
    except ImportError:
        return None
    import platform

    libraries = Path(mssql_python_odbc.__file__).parent / "libs" / "linux"
    family = "debian_ubuntu" if Path("/etc/debian_version").exists() else "rhel"
    found = sorted((libraries / family / platform.machine()).glob("lib/libmsodbcsql-18*.so*"))
    return found[0] if found else None


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


def _arrow(python: type, precision: int | None, scale: int | None) -> pa.DataType:
    if python is Decimal:
        return pa.decimal128(precision or 38, scale or 0)
    simple: dict[type, pa.DataType] = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        datetime: pa.timestamp("us"),
        date: pa.date32(),
        time: pa.time64("us"),
        bytes: pa.binary(),
        bytearray: pa.binary(),
    }
    return simple.get(python, pa.string())
