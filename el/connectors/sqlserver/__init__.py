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
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from el.connectors.base import (
    ChangeSource,
    Identity,
    OneMomentSource,
    Pressure,
    PressureSource,
    VersionSource,
    Writer,
)
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, Consistency, SourceType
from el.connectors.certificate import CertificateSource
from el.connectors.check import Check
from el.connectors.request import ColumnRead, Isolation, ReadRequest, Value
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds, collected
from el.connectors.sql.connector import canonical
from el.connectors.sql.own_query import derived_query, places_of
from el.connectors.sql.scale import Scale
from el.connectors.sql.select import Statement
from el.connectors.sql.split import balanced_cuts
from el.connectors.sql.target import SqlTarget
from el.connectors.sqlserver import changes as changes
from el.connectors.sqlserver.catalog import read_catalog, reads_elsewhere
from el.connectors.sqlserver.cdc import Cdc
from el.connectors.sqlserver.certificate import shown
from el.connectors.sqlserver.change_tracking import ChangeTracking
from el.connectors.sqlserver.checks import SqlServerChecks, line_of, seen_of, server_time
from el.connectors.sqlserver.collation import text_rule
from el.connectors.sqlserver.pressure import STATE_RIGHT, read_pressure, seconds_waited_for
from el.connectors.sqlserver.rights import Seen, script
from el.connectors.sqlserver.server import rows_if_supported
from el.connectors.sqlserver.session import SqlServerSession
from el.connectors.sqlserver.source_type import source_type
from el.connectors.sqlserver.statistics import histogram, is_clustered_by
from el.connectors.sqlserver.types import RULES
from el.types.key_text import TextRule
from el.types.rule import decide

if TYPE_CHECKING:
    from el.connectors.sqlserver.write import SqlServerWrite


class SqlServer(
    SqlServerSession,
    SqlTarget,
    VersionSource,
    ChangeSource,
    OneMomentSource,
    PressureSource,
    RightsSource,
    CertificateSource,
):
    """A SQL Server database, through mssql-python or pyodbc as the profile says."""

    scheme = "sqlserver"
    answers_to = ("mssql",)
    rules = RULES
    state_right: ClassVar[str] = STATE_RIGHT
    writer_right = "VIEW SERVER STATE"
    statistics = "UPDATE STATISTICS"
    stable_version_name = "MIN_ACTIVE_ROWVERSION()"
    version_form = r"0x[0-9A-F]{16}"
    feeds = (ChangeTracking, Cdc)

    def text_rule(self, column: Column) -> TextRule | None:
        return text_rule(column)

    def ping(self) -> Identity:
        row = self.fetch(Statement("SELECT @@SERVERNAME, @@VERSION, DB_NAME(), SUSER_SNAME()"))[0]
        held = []
        if self.fetch(Statement("SELECT IS_SRVROLEMEMBER('sysadmin')"))[0][0] == 1:
            held.append("sysadmin")
        for role in ("db_owner", "db_datareader", "db_datawriter", "db_ddladmin"):
            if self.fetch(Statement("SELECT IS_MEMBER(?)", (role,)))[0][0] == 1:
                held.append(role)
        return Identity(str(row[0]), " ".join(str(row[1]).split()), str(row[2]), str(row[3]), tuple(held))

    def packages(self) -> tuple[str, ...]:
        return (self.config.reader,)

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        assert isinstance(needs, SourceNeeds)
        return script(self.config, needs, seen_of(self.fetch, self.server, needs) if self.is_open else Seen())

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        assert isinstance(needs, SourceNeeds)
        return collected(chain(line_of(self.config), SqlServerChecks(self.fetch, self.server, needs).all()))

    def certificate(self) -> bytes | None:
        """The drivers do not hand over that of their own line."""
        return shown(self.config)

    def utc_now(self) -> datetime | None:
        return server_time(self.fetch)

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        return read_catalog(self.fetch, schemas, brief=brief, server=self.server)

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
        zone = rows_if_supported(self.fetch, Statement("SELECT CURRENT_TIMEZONE_ID()"))
        return zone is not None and bool(zone) and zone[0][0] is not None and str(zone[0][0]).upper() != "UTC"

    def stable_version(self) -> Value:
        """MIN_ACTIVE_ROWVERSION() (Microsoft Learn, under that name)."""
        found = self.fetch(Statement("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS BINARY(8))"))[0][0]
        return Value(canonical(found), SourceType("rowversion"))

    def statement(self, request: ReadRequest) -> Statement:
        if request.changes is not None:
            return changes.statement(self, request, request.changes)
        return super().statement(request)

    def _with_hints(self, statement: Statement, request: ReadRequest) -> Statement:
        """With no more of the server's processors than the profile allows; a query's own OPTION stays as it is."""
        own = request.query is not None and derived_query(request.query, self.dialect).option
        if not self.config.max_dop or own:
            return statement
        return Statement(f"{statement.sql}\nOPTION (MAXDOP {self.config.max_dop})", statement.parameters)

    def read_buffer(self, request: ReadRequest) -> Buffer:
        if request.changes is not None:
            return changes.read(self, request, request.changes)
        return super().read_buffer(self._in_all_digits(request))

    def _in_all_digits(self, request: ReadRequest) -> ReadRequest:
        """All columns of a table, where nobody chose some: a time of which the driver would lose a part comes as text.

        The driver gives microseconds without an offset; the text is that which raw holds.
        """
        if request.table is None or request.columns:
            return request
        columns, cut = [], False
        for name, type_ in self.query_columns(f"SELECT * FROM {self.dialect.quote_table(request.table)}"):
            rule = decide(self.rules, type_)
            parts = rule is not None and rule.exact is not None and rule.exact.parts is not None
            columns.append(ColumnRead(name, name, "CONVERT(VARCHAR(34), {column}, 121)" if parts else None))
            cut = cut or parts
        return replace(request, columns=tuple(columns)) if cut else request

    def lies_by(self, request: ReadRequest, by: Column) -> bool:
        return request.table is not None and is_clustered_by(self.fetch, self.dialect.quote_table(request.table), by)

    def _cuts(self, request: ReadRequest, by: Column, wanted: int) -> Sequence[str]:
        """By the histogram of the column's statistics."""
        if request.table is None:
            return ()
        steps = histogram(self.fetch, self.dialect.quote_table(request.table), by, self.dialect)
        return balanced_cuts(steps, wanted, Scale.of(self.facts(by.type)))

    def query_columns(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        described = (
            "SELECT d.name, COALESCE(u.name, TYPE_NAME(d.system_type_id), d.system_type_name), "
            "TYPE_NAME(d.system_type_id), d.max_length, d.precision, d.scale "
            "FROM sys.dm_exec_describe_first_result_set(?, NULL, 0) AS d "
            "LEFT JOIN sys.types AS u ON u.user_type_id = d.user_type_id "
            "WHERE d.is_hidden = 0 OR d.is_hidden IS NULL ORDER BY d.column_ordinal"
        )
        rows = rows_if_supported(self.fetch, Statement(described, (query,)))
        # A query that cannot be described is one row without a type: running it says what is wrong.
        if rows and rows[0][1] is not None:
            return tuple((str(r[0] or ""), _described(r)) for r in rows)
        # Servers before 2012, and engines that only speak T-SQL, cannot describe: the driver's own words must do.
        try:
            return self.driver.describe(query)
        except Exception as error:
            raise self.translate(error) from None

    def query_consistency(self, query: str, catalog: Catalog) -> Consistency:
        return reads_elsewhere(catalog.consistency, places_of(query, self.dialect.name, catalog.database))

    def writer(self) -> type[SqlServerWrite]:
        from el.connectors.sqlserver.write import SqlServerWrite

        return SqlServerWrite


def _described(row: tuple[object, ...]) -> SourceType:
    _, name, base, length, precision, scale = row
    return source_type(str(name), str(base) if base else None, int(str(length)), int(str(precision)), int(str(scale)))
