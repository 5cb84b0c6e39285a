"""The SQL Server stand-in's protocol, seen through the drivers that people use: nothing here knows how it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
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
