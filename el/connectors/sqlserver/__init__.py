"""SQL Server: the connector that this project began with.

Guarantees: no transaction stays open unless `transaction()` is used, so no lock outlives its statement; a read under
SNAPSHOT locks no row, and like any other the table's schema until its last row has come; a stream that is closed
halfway is cancelled. Values are bound and cast to the column's own type on the server, so an index serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from el.connectors.base import (
    ArrowStream,
    CaptureInstance,
    CaptureSource,
    ChangeTrackingSource,
    Identity,
    OneMomentSource,
    Pressure,
    PressureSource,
    RowversionSource,
    Target,
    TrackingState,
    WriteMode,
    Writer,
    WriteResult,
)
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, SourceType, TableName
from el.connectors.request import ColumnRead, Isolation, ReadRequest, Value
from el.connectors.sql.connector import SqlConnector, Stream, canonical
from el.connectors.sql.own_query import derived_query
from el.connectors.sql.select import Dialect, Statement
from el.connectors.sqlserver import capture as capture
from el.connectors.sqlserver import changes as changes
from el.connectors.sqlserver.catalog import read_catalog, source_type
from el.connectors.sqlserver.collation import text_rule
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.driver import DRIVERS, Driver
from el.connectors.sqlserver.errors import connect_error, statement_error, while_resuming
from el.connectors.sqlserver.pressure import STATE_RIGHT, read_pressure, seconds_waited_for
from el.connectors.sqlserver.server import ServerFacts, server_facts, where_there
from el.connectors.sqlserver.types import RULES
from el.errors import ElError, ReadError, WriteError
from el.types.key_text import TextRule

_BINARY = ("rowversion", "binary", "varbinary")
_TEMPORAL = ("date", "time", "datetime", "smalldatetime", "datetime2")


def _parameter(value: Value) -> object:
    return bytes.fromhex(value.text.removeprefix("0x")) if value.type.name in _BINARY else value.text


TSQL = Dialect(
    name="tsql",
    text_type="NVARCHAR(4000)",
    bind={
        "rowversion": "CAST(? AS BINARY(8))",
        # Text in a code page is that of its column: CAST alone takes the database's, and writes "?" for what it lacks.
        **dict.fromkeys(("char", "varchar"), "CAST(CAST(? AS NVARCHAR(MAX)){collate} AS {type})"),
        # The newer types take ISO 8601 whatever the login's language (Microsoft Learn, "datetime2").
        "datetime": "CAST(CAST(? AS DATETIME2(3)) AS DATETIME)",
        "smalldatetime": "CAST(CAST(? AS DATETIME2(0)) AS SMALLDATETIME)",
    },
    text={
        **dict.fromkeys(_TEMPORAL, "CONVERT(VARCHAR(40), {column}, 126)"),
        "datetimeoffset": "CONVERT(VARCHAR(40), {column}, 127)",
        "float": "CONVERT(VARCHAR(40), {column}, 3)",
        "real": "CONVERT(VARCHAR(40), {column}, 3)",
        "money": "CONVERT(VARCHAR(40), {column}, 2)",
        "smallmoney": "CONVERT(VARCHAR(40), {column}, 2)",
        # Binary comes and goes as bytes: `canonical` and `_parameter` turn them into text and back.
        **dict.fromkeys(_BINARY, "{column}"),
    },
    maximum={
        "rowversion": "CAST({column} AS BINARY(8))",
        "bit": "CAST({column} AS TINYINT)",
    },
    clock=(
        "CONVERT(VARCHAR(27), DATEADD(MINUTE, 5, CASE WHEN SYSDATETIME() > SYSUTCDATETIME() "
        "THEN SYSDATETIME() ELSE SYSUTCDATETIME() END), 126)"
    ),
    parameter=_parameter,
    masks={
        "sha256": "LOWER(CONVERT(VARCHAR(64), HASHBYTES('SHA2_256', CAST({column} AS NVARCHAR(MAX))), 2))",
        "null": "CAST(NULL AS VARCHAR(64))",
    },
    # CAST writes six digits of a float, two of money, minutes of a datetime (Microsoft Learn, "CAST and CONVERT").
    mask_as={
        "float": "CONVERT(VARCHAR(40), {column}, 3)",
        "real": "CONVERT(VARCHAR(40), {column}, 3)",
        "money": "CONVERT(VARCHAR(40), {column}, 2)",
        "smallmoney": "CONVERT(VARCHAR(40), {column}, 2)",
        "datetime": "CONVERT(VARCHAR(40), {column}, 126)",
        **dict.fromkeys(_BINARY, "CONVERT(VARCHAR(MAX), CAST({column} AS VARBINARY(MAX)), 2)"),
        **dict.fromkeys(("sql_variant", "image", "geography", "geometry", "vector"), None),
    },
)


# "el" in sys.dm_exec_sessions.context_info: mssql-python gives every program its own name.
_MARK = "0x656C"
# Errors are told in English, whatever the login's language; dates that a query of one's own writes as text are read as
# before (Microsoft Learn, "SET LANGUAGE": it sets DATEFORMAT and DATEFIRST too).
_ENGLISH = (
    "DECLARE @format NVARCHAR(3) = (SELECT dateformat FROM sys.syslanguages WHERE langid = @@LANGID), "
    "@first TINYINT = @@DATEFIRST; SET LANGUAGE us_english; SET DATEFORMAT @format; SET DATEFIRST @first"
)


class SqlServer(
    SqlConnector, Target, RowversionSource, ChangeTrackingSource, CaptureSource, OneMomentSource, PressureSource
):
    """A SQL Server database, through mssql-python or pyodbc as the profile says."""

    scheme = "sqlserver"
    config_type = SqlServerConfig
    rules = RULES
    dialect: ClassVar[Dialect] = TSQL
    config: SqlServerConfig
    state_right: ClassVar[str] = STATE_RIGHT

    def __init__(self, config: SqlServerConfig) -> None:
        super().__init__(config)
        self._driver: Driver | None = None
        self.session: str | None = None
        self._isolation: Isolation | None = None
        self.server = ServerFacts()

    def text_rule(self, column: Column) -> TextRule | None:
        return text_rule(column)

    def connect(self) -> None:
        for attempt in while_resuming():
            with attempt:
                self._sign_in()
        self._isolation = None
        timeout = self.config.lock_timeout * 1000 or -1
        # Of two that wait for each other, the application of the server's own users goes on, and el tries again. After
        # an error a transaction is rolled back as a whole. Counts of rows are asked for where they are wanted.
        settings = f"SET LOCK_TIMEOUT {timeout}; SET DEADLOCK_PRIORITY LOW; SET XACT_ABORT ON; SET NOCOUNT ON"
        self.session = str(self.fetch(Statement(f"{settings}; SELECT @@SPID"))[0][0])
        # Engines that only speak T-SQL lack one or the other.
        for sql in (_ENGLISH, f"SET CONTEXT_INFO {_MARK}"):
            with suppress(ReadError, WriteError):
                self.execute(Statement(sql))
        try:
            self.server = server_facts(self.fetch, self.config.host, self.config.place)
        except BaseException:
            self.close()
            raise

    def _sign_in(self) -> None:
        refused: ElError | None = None
        try:
            self._driver = DRIVERS[self.config.reader](self.config)
        except Exception as error:
            refused = connect_error(error, self.config)
        if refused is not None:
            # Raised out here, the driver's error and its frames, which hold the password, do not hang on it.
            raise refused

    def close(self) -> None:
        driver, self._driver, self.session = self._driver, None, None
        if driver is not None:
            # A connection that is broken cannot be closed either; what broke it was said already.
            with suppress(Exception):
                driver.close()

    @property
    def driver(self) -> Driver:
        """The open driver; `ReadError` when there is none."""
        if self._driver is None:
            raise ReadError("the connection to SQL Server is closed; use the connector inside `with`")
        return self._driver

    def ping(self) -> Identity:
        row = self.fetch(Statement("SELECT @@SERVERNAME, @@VERSION, DB_NAME(), SUSER_SNAME()"))[0]
        held = []
        for role in ("db_owner", "db_datareader", "db_datawriter", "db_ddladmin"):
            if self.fetch(Statement("SELECT IS_MEMBER(?)", (role,)))[0][0] == 1:
                held.append(role)
        return Identity(str(row[0]), " ".join(str(row[1]).split()), str(row[2]), str(row[3]), tuple(held))

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        return read_catalog(self.fetch, schemas, brief=brief, server=self.server)

    def _isolate(self, isolation: Isolation) -> None:
        if isolation is not self._isolation:
            level = "SNAPSHOT" if isolation is Isolation.SNAPSHOT else "READ COMMITTED"
            self.execute(Statement(f"SET TRANSACTION ISOLATION LEVEL {level}"))
            self._isolation = isolation

    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        return self.driver.stream(statement, request)

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        try:
            return self.driver.fetch(statement)
        except Exception as error:
            raise self.translate(error) from None

    def execute(self, statement: Statement) -> int:
        try:
            return self.driver.execute(statement)
        except Exception as error:
            raise self.translate(error, writing=True) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        connection = self.driver.connection
        self.driver.autocommit(False)
        try:
            yield
            try:
                connection.commit()
            except Exception as error:
                raise self.translate(error, writing=True) from None
        except BaseException:
            # A connection that is gone is rolled back by the server; what went wrong first is what is told. Autocommit
            # comes after a rollback that worked only: turning it on commits what is open (ODBC).
            with suppress(Exception):
                connection.rollback()
                self.driver.autocommit(True)
            raise
        try:
            self.driver.autocommit(True)
        except Exception as error:
            raise self.translate(error, writing=True) from None

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        self._isolate(Isolation.SNAPSHOT)
        self.driver.autocommit(False)
        try:
            yield
        finally:
            with suppress(Exception):  # A connection that broke has ended its transaction.
                self.driver.connection.rollback()
                self.driver.autocommit(True)

    def pressure(self) -> Pressure:
        return read_pressure(self.fetch)

    def waiting_for(self, session: str) -> int | None:
        return seconds_waited_for(self.fetch, session)

    def oldest_writer(self) -> Writer | None:
        # The time of the first log record in this database; of a transaction that only reads there is none
        # (Microsoft Learn, "sys.dm_tran_database_transactions").
        found = self.fetch(
            Statement(
                "SELECT DATEDIFF(SECOND, MIN(database_transaction_begin_time), GETDATE()), "
                "CONVERT(VARCHAR(19), SYSDATETIME(), 126), CONVERT(VARCHAR(19), SYSUTCDATETIME(), 126) "
                "FROM sys.dm_tran_database_transactions "
                "WHERE database_id = DB_ID() AND database_transaction_begin_time IS NOT NULL"
            )
        )[0]
        if found[0] is None:
            return None
        age = timedelta(seconds=max(0, int(str(found[0]))))
        since = datetime.fromisoformat(min(str(found[1]), str(found[2]))) - age - timedelta(seconds=1)
        return Writer(age, since.isoformat(timespec="seconds"))

    def local_clock(self) -> bool:
        offset = self.fetch(Statement("SELECT DATEPART(TZOFFSET, SYSDATETIMEOFFSET())"))[0][0]
        if offset not in (None, 0):
            return True
        # In winter London's clock shows UTC: since SQL Server 2019 the zone has a name.
        zone = where_there(self.fetch, Statement("SELECT CURRENT_TIMEZONE_ID()"))
        return zone is not None and bool(zone) and zone[0][0] is not None and str(zone[0][0]).upper() != "UTC"

    def min_active_rowversion(self) -> Value:
        found = self.fetch(Statement("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS BINARY(8))"))[0][0]
        return Value(canonical(found), SourceType("rowversion"))

    def tracking_state(self, table: TableName) -> TrackingState:
        return changes.tracking_state(self, table)

    def capture_instances(self, table: TableName) -> tuple[CaptureInstance, ...]:
        return capture.capture_instances(self, table)

    def captured_up_to(self) -> Value | None:
        return capture.max_lsn(self)

    def captured_at(self, milliseconds: int) -> tuple[Value | None, bool]:
        return capture.captured_at(self, milliseconds)

    def has_changes(self, instance: CaptureInstance, first: Value, last: Value) -> bool:
        return capture.has_changes(self, instance.name, first, last)

    def neighbour(self, position: Value, step: Literal[-1, 1]) -> Value:
        return capture.next_lsn(position) if step == 1 else capture.previous_lsn(position)

    def statement(self, request: ReadRequest) -> Statement:
        return changes.statement(self, request) if request.changes else super().statement(request)

    def _gently(self, statement: Statement, request: ReadRequest) -> Statement:
        """With no more of the server's processors than the profile allows; a query's own OPTION stays as it is."""
        own = request.query is not None and derived_query(request.query, self.dialect.name).option
        if not self.config.max_dop or own:
            return statement
        return Statement(f"{statement.sql}\nOPTION (MAXDOP {self.config.max_dop})", statement.parameters)

    def read_buffer(self, request: ReadRequest) -> Buffer:
        return changes.read(self, request) if request.changes else super().read_buffer(self._in_all_digits(request))

    def _in_all_digits(self, request: ReadRequest) -> ReadRequest:
        """All columns of a table, where nobody chose some: a time of which the driver would lose a part comes as text.

        The driver gives microseconds without an offset; the text is that which raw holds.
        """
        if request.table is None or request.columns:
            return request
        from el.types.mapping import find_rule

        columns, cut = [], False
        for name, type_ in self.query_columns(f"SELECT * FROM {self.dialect.quote_table(request.table)}"):
            rule = find_rule(self.scheme, type_)
            parts = rule is not None and rule.exact is not None and rule.exact.clock is not None
            columns.append(ColumnRead(name, name, "CONVERT(VARCHAR(34), {column}, 121)" if parts else None))
            cut = cut or parts
        return replace(request, columns=tuple(columns)) if cut else request

    def query_columns(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        described = (
            "SELECT d.name, COALESCE(u.name, TYPE_NAME(d.system_type_id), d.system_type_name), "
            "TYPE_NAME(d.system_type_id), d.max_length, d.precision, d.scale "
            "FROM sys.dm_exec_describe_first_result_set(?, NULL, 0) AS d "
            "LEFT JOIN sys.types AS u ON u.user_type_id = d.user_type_id "
            "WHERE d.is_hidden = 0 OR d.is_hidden IS NULL ORDER BY d.column_ordinal"
        )
        rows = where_there(self.fetch, Statement(described, (query,)))
        # A query that cannot be described is one row without a type: running it says what is wrong.
        if rows and rows[0][1] is not None:
            return tuple((str(r[0] or ""), _described(r)) for r in rows)
        # Servers before 2012, and engines that only speak T-SQL, cannot describe: the driver's own words must do.
        try:
            return self.driver.describe(query)
        except Exception as error:
            raise self.translate(error) from None

    def write_buffer(
        self,
        target: TableName,
        data: ArrowStream,
        mode: WriteMode = WriteMode.APPEND,
        *,
        key: Sequence[str] = (),
        run_id: str,
    ) -> WriteResult:
        from el.connectors.sql.write import released
        from el.connectors.sqlserver.write import write

        with released(data):
            return write(self, target, data, mode, tuple(key), run_id)

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)


def _described(row: tuple[object, ...]) -> SourceType:
    _, name, base, length, precision, scale = row
    return source_type(str(name), str(base) if base else None, int(str(length)), int(str(precision)), int(str(scale)))
