"""A session of SQL Server: signing in, statements, transactions; what reads and writes of this connector stand on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from el.connectors.origin import in_words
from el.connectors.request import Isolation, ReadRequest
from el.connectors.sql.connector import Stream
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.over_driver import OverDriver
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.dialect import TSQL
from el.connectors.sqlserver.driver import Driver
from el.connectors.sqlserver.errors import connect_error, statement_error, while_resuming
from el.connectors.sqlserver.mssql_python import MssqlPython
from el.connectors.sqlserver.pyodbc import Pyodbc
from el.connectors.sqlserver.server import ServerFacts, server_facts
from el.errors import ElError, ReadError, WriteError

DRIVERS: dict[str, Callable[[SqlServerConfig], Driver]] = {"mssql-python": MssqlPython, "pyodbc": Pyodbc}
# Errors are told in English, whatever the login's language; dates that a query of one's own writes as text are read as
# before (Microsoft Learn, "SET LANGUAGE": it sets DATEFORMAT and DATEFIRST too).
_ENGLISH = (
    "DECLARE @format NVARCHAR(3) = (SELECT dateformat FROM sys.syslanguages WHERE langid = @@LANGID), "
    "@first TINYINT = @@DATEFIRST; SET LANGUAGE us_english; SET DATEFORMAT @format; SET DATEFIRST @first"
)


class SqlServerSession(OverDriver[Driver]):
    """One session, through the driver that the profile names."""

    product = "SQL Server"
    config_type = SqlServerConfig
    config: SqlServerConfig
    dialect: ClassVar[Dialect] = TSQL
    session_user = "SUSER_SNAME()"

    def __init__(self, config: SqlServerConfig) -> None:
        super().__init__(config)
        self.session: str | None = None
        self._isolation: Isolation | None = None
        self.server = ServerFacts()

    def connect(self) -> None:
        for attempt in while_resuming():
            with attempt:
                super().connect()
        self._isolation = None
        timeout = self.config.lock_timeout * 1000 or -1
        # Of two that wait for each other, the application of the server's own users goes on, and el tries again. After
        # an error a transaction is rolled back as a whole. Counts of rows are asked for where they are wanted.
        settings = f"SET LOCK_TIMEOUT {timeout}; SET DEADLOCK_PRIORITY LOW; SET XACT_ABORT ON; SET NOCOUNT ON"
        self.session = str(self.fetch(Statement(f"{settings}; SELECT @@SPID"))[0][0])
        # Engines that only speak T-SQL lack one or the other.
        for sql in (_ENGLISH, f"SET CONTEXT_INFO {self._mark()}"):
            with suppress(ReadError, WriteError):
                self.execute(Statement(sql))
        try:
            self.server = server_facts(self.fetch, self.config.host, self.config.place)
        except BaseException:
            self.close()
            raise

    def _mark(self) -> str:
        """Run and role in sys.dm_exec_sessions.context_info: mssql-python gives every program its own name."""
        return f"0x{in_words(self.access).encode()[:128].hex().upper()}"

    def _open(self) -> Driver:
        return DRIVERS[self.config.reader](self.config)

    def _why_refused(self, error: Exception) -> ElError:
        return connect_error(error, self.config)

    def close(self) -> None:
        self.session = None
        super().close()

    def _isolate(self, isolation: Isolation) -> None:
        if isolation is not self._isolation:
            level = "SNAPSHOT" if isolation is Isolation.SNAPSHOT else "READ COMMITTED"
            self.execute(Statement(f"SET TRANSACTION ISOLATION LEVEL {level}"))
            self._isolation = isolation

    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        return self.driver.stream(statement, request)

    def _begin(self) -> None:
        self.driver.autocommit(False)

    def _commit(self) -> None:
        try:
            self.driver.connection.commit()
            self.driver.autocommit(True)
        except Exception as error:
            raise self.translate(error, writing=True) from None

    def _rollback(self) -> None:
        # Autocommit comes after a rollback that worked only: turning it on commits what is open (ODBC).
        self.driver.connection.rollback()
        self.driver.autocommit(True)

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)
