"""Writing into SQL Server: what is only true there. The rest is the conformance suite's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.connectors.sqlserver import SqlServer
from el.errors import WriteError
from tests.engines import connected, statement


@pytest.fixture(params=["mssql-python", "pyodbc"])
def server(sqlserver: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[SqlServer]:
    with connected({**sqlserver, "reader": request.param}) as connector:
        yield connector


def created(server: SqlServer, columns: str) -> TableName:
    table = TableName("dbo", f"t_{uuid.uuid4().hex[:12]}")
    server.driver.execute(statement(f"CREATE TABLE {server.dialect.quote_table(table)} ({columns})"))
    return table


def write(server: SqlServer, table: TableName, data: Any) -> int:
    return server.write_buffer(table, data, run_id=uuid.uuid4().hex).rows


def rows(server: SqlServer, table: TableName) -> list[tuple[object, ...]]:
    return server.fetch(statement(f"SELECT * FROM {server.dialect.quote_table(table)}"))


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("TINYINT", 300),
        ("INT", 2**40),
        ("FLOAT", float("nan")),
        ("UNIQUEIDENTIFIER", "no uuid"),
        ("DECIMAL(5,2)", 99_999),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_one_line(server: SqlServer, declared: str, value: Any) -> None:
    table = created(server, f"a {declared} NULL")
    with pytest.raises(WriteError, match=r"^data is not in stable state: [^\n]+$"):
        write(server, table, pa.table({"a": [value]}))
    assert rows(server, table) == []


def test_a_refused_write_of_numbers_leaves_the_numbering_to_the_table(server: SqlServer) -> None:
    table = created(server, "id INT IDENTITY(1,1) NOT NULL, v INT NOT NULL")
    with pytest.raises(WriteError):
        write(server, table, pa.table({"id": [7], "v": pa.array([None], pa.int32())}))
    assert write(server, table, pa.table({"v": [1]})) == 1
    assert write(server, created(server, "id INT IDENTITY(1,1), v INT"), pa.table({"id": [7], "v": [1]})) == 1
    assert write(server, table, pa.table({"id": [9], "v": [2]})) == 1
    assert write(server, table, pa.table({"v": [3]})) == 1
    assert (9, 2) in rows(server, table)
    assert sorted(str(v) for _, v in rows(server, table)) == ["1", "2", "3"]


def test_a_write_of_what_its_own_connection_reads_says_what_to_do_and_frees_it(server: SqlServer) -> None:
    table = created(server, "a INT")
    write(server, table, pa.table({"a": range(3000)}))
    with pytest.raises(WriteError, match=r"this connection still reads rows: take them into memory first \(to_arrow"):
        write(server, table, server.read_buffer(ReadRequest(table, batch_rows=64)))
    assert len(rows(server, table)) == 3000
    assert write(server, table, server.read_buffer(ReadRequest(table)).to_arrow()) == 3000
