"""The SQL Server stand-in's protocol, seen through the drivers that people use: nothing here knows how it is made."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import mssql_python
import pyodbc
import pytest

from el.connectors.sqlserver_drivers import bundled_driver
from tests.standins.sqlserver.process import StandInProcess

FREETDS = Path("/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so")
Connect = Callable[..., Any]


def through(driver: str, server: StandInProcess, **keywords: str) -> Any:
    """A connection through a driver; keywords go over those that fit the server."""
    found = {"UID": server.user, "PWD": server.password, "Database": "master"} | keywords
    if driver == "freetds":
        found |= {"Driver": str(FREETDS), "Server": server.host, "Port": str(server.port), "TDS_Version": "7.4"}
    else:
        found = {"Encrypt": "yes", "TrustServerCertificate": "yes"} | found | {"Server": f"{server.host},{server.port}"}
    if driver == "odbc18":
        found["Driver"] = str(bundled_driver())
    text = ";".join(f"{key}={value}" for key, value in found.items())
    if driver == "mssql-python":
        return mssql_python.connect(text, autocommit=True)
    return pyodbc.connect(text, autocommit=True)


@pytest.fixture(scope="module")
def server() -> Iterator[StandInProcess]:
    with StandInProcess() as started:
        yield started


@pytest.fixture(
    params=[
        "mssql-python",
        "odbc18",
        pytest.param("freetds", marks=pytest.mark.skipif(not FREETDS.exists(), reason="needs tdsodbc")),
    ]
)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rows(connection: Any, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, *parameters)
        return [tuple(row) for row in cursor.fetchall()]


def test_a_select_comes_back_through_each_driver(server: StandInProcess, driver: str) -> None:
    with closing(through(driver, server)) as connection:
        assert rows(connection, "SELECT 1 AS one, N'żółć' AS text, NULL AS nothing") == [(1, "żółć", None)]


def test_a_wrong_password_is_error_18456_through_each_driver(server: StandInProcess, driver: str) -> None:
    with pytest.raises(Exception, match="Login failed for user 'sa'"):
        through(driver, server, PWD="wrong")


def test_a_database_that_is_not_there_is_error_4060(server: StandInProcess) -> None:
    with pytest.raises(pyodbc.Error, match=r"Cannot open database .nowhere. .*\(4060\)"):
        through("odbc18", server, Database="nowhere")


def test_a_server_without_tls_refuses_a_client_that_insists_on_it_and_takes_one_that_does_not(driver: str) -> None:
    with StandInProcess(tls=False) as plain:
        if driver != "freetds":
            with pytest.raises(Exception, match=r"(?i)encrypt|SSL"):
                through(driver, plain)
        with closing(through(driver, plain, Encrypt="no")) as connection:
            assert rows(connection, "SELECT 1") == [(1,)]


def test_login_alone_is_encrypted_where_the_client_does_not_ask_for_more(server: StandInProcess) -> None:
    with closing(through("odbc18", server, Encrypt="no")) as connection:
        sql = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"
        assert rows(connection, sql) == [("FALSE",)]
    with closing(through("odbc18", server)) as connection:
        assert rows(connection, sql) == [("TRUE",)]


@pytest.mark.parametrize(
    ("sql", "number"),
    [("SELECT nope FROM sys.tables", 207), ("SELECT * FROM nope", 208), ("SELECT 1/0", 8134), ("SELEC 1", 102)],
)
def test_errors_have_sql_servers_numbers_and_leave_the_connection_usable(
    server: StandInProcess, sql: str, number: int
) -> None:
    with closing(through("odbc18", server)) as connection:
        with pytest.raises(pyodbc.Error, match=rf"\({number}\)"):
            rows(connection, sql)
        assert rows(connection, "SELECT 1") == [(1,)]


def test_a_batch_gives_several_results_with_their_counts(server: StandInProcess, driver: str) -> None:
    with closing(through(driver, server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("CREATE TABLE #n (n int); INSERT INTO #n VALUES (1), (2), (3)")
        cursor.execute(
            "SET NOCOUNT OFF; UPDATE #n SET n = n + 1; SELECT n FROM #n ORDER BY n; DELETE FROM #n WHERE n > 3"
        )
        assert cursor.rowcount == 3
        assert cursor.nextset()
        assert [tuple(row) for row in cursor.fetchall()] == [(2,), (3,), (4,)]
        assert cursor.nextset()
        assert cursor.rowcount == 1


PARAMETERS = [
    (5, "żółć 😀", True, None),
    (2**62, "x" * 5000, 2.5, b"\x00\xff" * 5000),
    (
        Decimal("-12345678901234567890.123"),
        dt.date(1, 1, 1),
        dt.time(23, 59, 59),
        dt.datetime(2024, 2, 29, 1, 2, 3, 456000),
    ),
]


@pytest.mark.parametrize("values", PARAMETERS, ids=["small", "long", "points in time"])
def test_parameters_come_back_as_they_went(server: StandInProcess, driver: str, values: tuple[object, ...]) -> None:
    with closing(through(driver, server)) as connection:
        for _ in range(2):
            assert rows(connection, "SELECT ?, ?, ?, ?", *values) == [values]


def test_what_is_rolled_back_is_gone_and_what_is_committed_stays(server: StandInProcess, driver: str) -> None:
    name = f"t_{driver.replace('-', '_')}"
    with closing(through(driver, server)) as connection, closing(through(driver, server)) as other:
        rows_of = f"SELECT n FROM dbo.{name} ORDER BY n"
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"CREATE TABLE dbo.{name} (n int NOT NULL)")
            connection.autocommit = False
            cursor.execute(f"INSERT INTO dbo.{name} VALUES (1)")
            connection.rollback()
            cursor.execute(f"INSERT INTO dbo.{name} VALUES (2)")
            connection.commit()
            cursor.execute(f"INSERT INTO dbo.{name} VALUES (3)")
        assert rows(connection, rows_of) == [(2,), (3,)]
        connection.rollback()
        assert rows(other, rows_of) == [(2,)]


MANY = "SELECT value, CAST(value AS nvarchar(40)) AS text FROM GENERATE_SERIES(1, 20000000)"


def test_a_cancel_halfway_drains_nothing_and_leaves_the_connection_usable(server: StandInProcess, driver: str) -> None:
    with closing(through(driver, server)) as connection:
        began = time.monotonic()
        cursor = connection.cursor()
        cursor.execute(MANY)
        assert tuple(cursor.fetchone()) == (1, "1")
        cursor.cancel() if driver != "mssql-python" else None
        cursor.close()
        assert rows(connection, "SELECT 42") == [(42,)]
        assert time.monotonic() - began < 10


def test_a_timeout_of_the_client_stops_a_statement_that_computes(server: StandInProcess) -> None:
    with closing(through("odbc18", server)) as connection:
        connection.timeout = 1
        began = time.monotonic()
        with pytest.raises(pyodbc.Error, match="HYT00"):
            rows(
                connection,
                "SELECT SUM(CAST(a.value AS float) * b.value) FROM GENERATE_SERIES(1, 300000) AS a, "
                "GENERATE_SERIES(1, 300000) AS b",
            )
        assert time.monotonic() - began < 5
        assert rows(connection, "SELECT 1") == [(1,)]


def test_twenty_connections_work_at_once(server: StandInProcess) -> None:
    def work(n: int) -> int:
        with closing(through("odbc18", server)) as connection:
            return sum(rows(connection, f"SELECT {n} + value FROM GENERATE_SERIES(1, 50)")[i][0] for i in range(50))

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(20))) == [1275 + 50 * n for n in range(20)]


def test_two_servers_know_nothing_of_each_other(server: StandInProcess) -> None:
    with (
        StandInProcess() as other,
        closing(through("odbc18", other)) as there,
        closing(through("odbc18", server)) as here,
    ):
        with closing(there.cursor()) as cursor:
            cursor.execute("CREATE TABLE dbo.only_there (n int)")
        assert rows(there, "SELECT COUNT(*) FROM dbo.only_there") == [(0,)]
        with pytest.raises(pyodbc.Error, match=r"\(208\)"):
            rows(here, "SELECT COUNT(*) FROM dbo.only_there")
