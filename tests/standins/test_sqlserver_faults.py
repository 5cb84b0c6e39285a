"""Faults of the SQL Server stand-in: each strikes where it was told to, as often as it was told to, and no more."""

from __future__ import annotations

import time
from contextlib import closing

import pyodbc
import pytest

from tests.standins.sqlserver.process import StandInProcess
from tests.standins.test_sqlserver_protocol import rows, through

THOUSAND = "SELECT value, CAST(REPLICATE('x', 100) AS varchar(100)) AS text FROM GENERATE_SERIES(1, 1000)"


@pytest.mark.parametrize("driver", ["mssql-python", "odbc18"])
def test_a_line_that_was_cut_is_an_error_of_the_driver_and_the_next_connection_is_whole(
    sqlserver_standin: StandInProcess, driver: str
) -> None:
    connection = through(driver, sqlserver_standin)
    sqlserver_standin.faults.cut_after_bytes(20_000)
    with pytest.raises(Exception, match=r"(?i)communication link|TCP Provider|connection is broken|connection was"):
        rows(connection, THOUSAND)
    with closing(through(driver, sqlserver_standin)) as again:
        assert len(rows(again, THOUSAND)) == 1000


def test_rows_before_the_cut_arrive(sqlserver_standin: StandInProcess) -> None:
    connection = through("odbc18", sqlserver_standin)
    sqlserver_standin.faults.cut_after_rows(500)
    cursor = connection.cursor()
    cursor.execute(THOUSAND)
    found: list[int] = []
    with pytest.raises(pyodbc.Error):
        found.extend(row[0] for row in cursor)
    # The driver gives the last row when it has seen what follows it.
    assert found in (list(range(1, 500)), list(range(1, 501)))


def test_a_line_cut_after_so_many_bytes_is_cut_there(sqlserver_standin: StandInProcess) -> None:
    connection = through("odbc18", sqlserver_standin)
    sqlserver_standin.faults.cut_after_bytes(20_000)
    cursor = connection.cursor()
    cursor.execute(THOUSAND)
    found: list[int] = []
    with pytest.raises(pyodbc.Error):
        found.extend(row[0] for row in cursor)
    # A row takes 111 bytes, packets and their encryption a little more.
    assert 130 < len(found) < 181


def test_the_nth_statement_alone_is_a_deadlocks_victim(sqlserver_standin: StandInProcess) -> None:
    with closing(through("odbc18", sqlserver_standin)) as connection:
        sqlserver_standin.faults.fail_statement(2, 1205)
        assert rows(connection, "SELECT 1") == [(1,)]
        with pytest.raises(pyodbc.Error, match=r"deadlock victim.*\(1205\)") as caught:
            rows(connection, "SELECT 1")
        assert caught.value.args[0] == "40001"
        assert rows(connection, "SELECT 1") == [(1,)]


def test_a_statement_is_chosen_by_its_text(sqlserver_standin: StandInProcess) -> None:
    with closing(through("odbc18", sqlserver_standin)) as connection:
        sqlserver_standin.faults.fail_statement(1, 1222, like="generate_series")
        assert rows(connection, "SELECT 1") == [(1,)]
        with pytest.raises(pyodbc.Error, match=r"\(1222\)"):
            rows(connection, THOUSAND)


def test_the_nth_login_fails_and_the_next_does_not(sqlserver_standin: StandInProcess) -> None:
    sqlserver_standin.faults.fail_login(2)
    through("odbc18", sqlserver_standin).close()
    with pytest.raises(pyodbc.Error, match="18456"):
        through("odbc18", sqlserver_standin)
    through("odbc18", sqlserver_standin).close()


def test_a_stall_ends_when_the_client_gives_up(sqlserver_standin: StandInProcess) -> None:
    with closing(through("odbc18", sqlserver_standin)) as connection:
        connection.timeout = 1
        sqlserver_standin.faults.hang_statement(1, 60)
        began = time.monotonic()
        with pytest.raises(pyodbc.Error, match="HYT00"):
            rows(connection, "SELECT 1")
        assert time.monotonic() - began < 5
        assert rows(connection, "SELECT 1") == [(1,)]


def test_a_stall_within_the_rows_is_as_long_as_it_was_told(sqlserver_standin: StandInProcess) -> None:
    with closing(through("odbc18", sqlserver_standin)) as connection:
        sqlserver_standin.faults.stall_after_rows(500, 1.0)
        began = time.monotonic()
        assert len(rows(connection, THOUSAND)) == 1000
        assert 1.0 <= time.monotonic() - began < 3.0


def test_rows_come_no_faster_than_they_should(sqlserver_standin: StandInProcess) -> None:
    with closing(through("odbc18", sqlserver_standin)) as connection:
        sqlserver_standin.faults.rows_per_second(1000)
        began = time.monotonic()
        assert len(rows(connection, THOUSAND)) == 1000
        assert 0.9 <= time.monotonic() - began < 3.0
