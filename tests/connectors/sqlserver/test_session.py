"""What a session of SQL Server is told at its begin, and what depends on it: language, timeouts, a database asleep."""

from __future__ import annotations

import time
from typing import Any

import pytest

from el.connectors.catalog import SourceType, TableName
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest, Value
from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.driver import rows_at_once
from el.connectors.sqlserver.errors import DatabaseResuming, while_resuming
from el.errors import AuthenticationFailed, DatabaseMissing, NotPermitted, ReadError
from tests.engines import connected, statement
from tests.standins.sqlserver.process import StandInProcess

READERS = ("mssql-python", "pyodbc")


@pytest.fixture(params=READERS)
def output(sqlserver_standin: StandInProcess, request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**sqlserver_standin.output(), "reader": request.param}


@pytest.fixture
def german(sqlserver_standin: StandInProcess) -> None:
    """The server speaks German to whoever says nothing else."""
    sqlserver_standin.faults.tell("language", "Deutsch")


@pytest.mark.usefixtures("german")
def test_errors_are_told_apart_whatever_language_the_login_has(
    output: dict[str, Any], sqlserver_standin: StandInProcess
) -> None:
    with connected(output) as server:
        assert server.fetch(statement("SELECT @@LANGUAGE, @@DATEFIRST")) == [("us_english", 1)]
        sqlserver_standin.faults.fail_statement(1, error=1205, like="FROM sys.tables")
        with pytest.raises(ReadError, match="deadlocked on lock resources") as failed:
            server.fetch(statement("SELECT name FROM sys.tables"))
        assert failed.value.retryable
        for sql in (
            "CREATE TABLE dbo.hidden_from (a INT)",
            "CREATE LOGIN el_foreign WITH PASSWORD = 'Stand_in_2026'",
            "CREATE USER el_foreign FOR LOGIN el_foreign",
        ):
            server.driver.execute(statement(sql))
    try:
        with connected({**output, "user": "el_foreign"}) as foreign, pytest.raises(NotPermitted):
            foreign.fetch(statement("SELECT a FROM dbo.hidden_from"))
    finally:
        with connected(output) as server:
            for sql in ("DROP TABLE dbo.hidden_from", "DROP USER el_foreign", "DROP LOGIN el_foreign"):
                server.driver.execute(statement(sql))


@pytest.mark.usefixtures("german")
def test_a_login_that_is_refused_is_told_apart_in_the_servers_own_language(output: dict[str, Any]) -> None:
    for changes, kind in (({"password": "wrong"}, AuthenticationFailed), ({"database": "no_such"}, DatabaseMissing)):
        connector = open_connector({**output, **changes})
        with pytest.raises(kind), connector:
            pass


def test_a_statement_that_takes_longer_than_the_profile_allows_is_ended(
    output: dict[str, Any], sqlserver_standin: StandInProcess
) -> None:
    sqlserver_standin.faults.hang_statement(1, seconds=20, like="FROM sys.objects")
    begun = time.monotonic()
    with connected({**output, "query_timeout": 1}) as server, pytest.raises(ReadError, match="raise `query_timeout`"):
        server.fetch(statement("SELECT name FROM sys.objects"))
    assert time.monotonic() - begun < 15


def test_statements_end_after_two_hours_where_nobody_says_otherwise() -> None:
    assert SqlServerConfig(host="db", user="u").query_timeout == 7200


def test_a_database_that_wakes_up_is_waited_for(
    output: dict[str, Any], sqlserver_standin: StandInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("el.connectors.sqlserver.session.while_resuming", lambda: while_resuming(sleep=waits.append))
    sqlserver_standin.faults.fail_login(1, times=2, error=40613)
    # A connection string of its own: the driver keeps those of others open.
    with connected({**output, "odbc": {"KeepAlive": "31"}}) as server:
        assert server.fetch(statement("SELECT 1")) == [(1,)]
    assert waits == [5, 5]


def test_a_database_that_does_not_wake_up_is_said_and_may_be_tried_again(
    output: dict[str, Any], sqlserver_standin: StandInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("el.connectors.sqlserver.session.while_resuming", lambda: while_resuming(seconds=0))
    sqlserver_standin.faults.fail_login(1, times=9, error=40613)
    connector = open_connector({**output, "odbc": {"KeepAlive": "32"}})
    with pytest.raises(DatabaseResuming, match="is not currently available") as failed, connector:
        pass
    assert failed.value.retryable
    assert failed.value.exit_code == 3


@pytest.mark.parametrize(
    ("setting", "keyword", "value"),
    [
        ({}, "MultiSubnetFailover", "yes"),
        ({"encrypt": "strict"}, "Encrypt", "strict"),
        ({"certificate_host": "db.internal"}, "HostnameInCertificate", "db.internal"),
    ],
)
def test_a_listener_and_its_certificate_are_settings_of_the_profile(
    setting: dict[str, Any], keyword: str, value: str
) -> None:
    assert SqlServerConfig(host="db", user="u", **setting).keywords()[keyword] == value
    assert isinstance(open_connector({"type": "sqlserver", "host": "db", "user": "u", **setting}), SqlServer)


@pytest.mark.parametrize(
    ("columns", "most"),
    [
        ("CAST('x' AS NVARCHAR(MAX)) AS a", 256),
        ("CAST(0x01 AS VARBINARY(MAX)) AS a, 1 AS b", 256),
        ("CAST('x' AS NVARCHAR(4000)) AS a", 4194),
        ("1 AS a, CAST('x' AS VARCHAR(20)) AS b", 65_536),
    ],
    ids=["text without a length", "bytes without a length", "long text", "short rows"],
)
def test_a_batch_is_as_large_as_the_declared_widths_allow(output: dict[str, Any], columns: str, most: int) -> None:
    with connected(output) as server:
        cursor = server.driver.connection.cursor()
        cursor.execute(f"SELECT {columns}")
        assert rows_at_once(cursor.description, ReadRequest(query="SELECT 1")) == most
        cursor.close()


@pytest.mark.parametrize("size", [0, 2_147_483_647, None])
def test_a_size_that_is_none_is_that_of_a_column_without_a_length(size: int | None) -> None:
    assert rows_at_once([("a", str, None, size, 0, 0, True)], ReadRequest(query="SELECT 1")) == 256


def test_a_server_that_does_not_count_a_read_is_not_believed(
    output: dict[str, Any], sqlserver_standin: StandInProcess
) -> None:
    sqlserver_standin.faults.tell("rowcount_big", 0)
    request = ReadRequest(query="SELECT 1 AS a")
    with (
        connected(output) as server,
        pytest.raises(ReadError, match="el cannot tell whether a read was whole") as failed,
        server.read_buffer(request) as buffer,
    ):
        buffer.to_arrow()
    assert not failed.value.retryable


@pytest.mark.parametrize(
    ("settings", "query", "ends"),
    [
        ({}, None, "\nOPTION (MAXDOP 2)"),
        ({"max_dop": 8}, None, "\nOPTION (MAXDOP 8)"),
        ({"max_dop": 0}, None, "FROM [dbo].[t]"),
        ({}, "SELECT 1 AS a", "SELECT 1 AS a\nOPTION (MAXDOP 2)"),
        ({}, "SELECT 1 AS a OPTION (RECOMPILE)", "OPTION (RECOMPILE)"),
    ],
)
def test_a_read_takes_no_more_processors_than_the_profile_says(
    settings: dict[str, Any], query: str | None, ends: str
) -> None:
    server = SqlServer(SqlServerConfig(host="db", user="u", **settings))
    table = TableName("dbo", "t") if query is None else None
    assert server.statement(ReadRequest(table=table, query=query)).sql.endswith(ends)


def test_the_look_for_a_columns_ends_takes_no_more_processors_than_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def fetch(server: SqlServer, statement: Statement) -> list[tuple[object, ...]]:
        sent.append(statement.sql)
        return [("7", 0, 0)]

    monkeypatch.setattr(SqlServer, "fetch", fetch)
    monkeypatch.setattr(SqlServer, "_isolate", lambda server, isolation: None)
    server = SqlServer(SqlServerConfig(host="db", user="u"))
    request, type_ = ReadRequest(table=TableName("dbo", "t")), SourceType("int")
    server.extent(request, "id", type_, Value("7", type_), nulls=True)
    server.value_back(request, "id", type_, Value("7", type_), 10)
    server.max_value(request, "id", type_)
    server.min_value(request, "id", type_)
    assert [sql.endswith("\nOPTION (MAXDOP 2)") for sql in sent] == [True] * 4, sent
