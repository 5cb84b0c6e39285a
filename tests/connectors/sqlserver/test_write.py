"""Writing into SQL Server: what is only true there. The rest is the conformance suite's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.sqlserver import SqlServer
from el.errors import ElError, WriteError
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


def test_a_merge_leaves_the_numbers_of_an_identity_column_and_refuses_others(server: SqlServer) -> None:
    table = created(server, "id INT IDENTITY(1,1) NOT NULL, code VARCHAR(10) NOT NULL PRIMARY KEY, v INT NULL")
    assert write(server, table, pa.table({"code": ["a", "b"], "v": [1, 2]})) == 2
    kept = pa.table({"id": [1, 9], "code": ["a", "c"], "v": [10, 30]})
    server.write_buffer(table, kept, "merge", key=("code",), run_id=uuid.uuid4().hex)
    assert sorted(rows(server, table)) == [(1, "a", 10), (2, "b", 2), (9, "c", 30)]
    other = pa.table({"id": [7], "code": ["b"], "v": [20]})
    with pytest.raises(WriteError, match=r"\.id is an identity column, .* 1 rows of the data .* leave the column out"):
        server.write_buffer(table, other, "merge", key=("code",), run_id=uuid.uuid4().hex)
    assert sorted(rows(server, table)) == [(1, "a", 10), (2, "b", 2), (9, "c", 30)]


def test_what_the_server_alone_writes_is_no_column_to_write_to(server: SqlServer) -> None:
    table = created(
        server,
        "id INT NOT NULL PRIMARY KEY, v INT NULL, since DATETIME2 GENERATED ALWAYS AS ROW START NOT NULL, "
        "until DATETIME2 GENERATED ALWAYS AS ROW END NOT NULL, PERIOD FOR SYSTEM_TIME (since, until)",
    )
    assert write(server, table, pa.table({"id": [1], "v": [1]})) == 1
    with pytest.raises(WriteError, match="has no column 'since' to write to; it has: id, v"):
        write(server, table, pa.table({"id": [2], "since": [None]}))


def test_staging_tables_that_a_killed_write_left_are_dropped_by_a_later_one(
    server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = created(server, "a INT")
    server.driver.execute(statement("CREATE TABLE dbo._el_staging_0123456789abcdef (a INT)"))
    left = statement("SELECT COUNT(*) FROM sys.tables WHERE name LIKE N'[_]el[_]staging%'")
    write(server, table, pa.table({"a": [1]}))
    # It may be another writer's, at work just now.
    assert server.fetch(left) == [(1,)]
    monkeypatch.setattr("el.connectors.sqlserver.staging._LEFT_AFTER_HOURS", -48)
    write(server, table, pa.table({"a": [2]}))
    assert server.fetch(left) == [(0,)]


def test_rows_are_staged_in_the_schema_that_the_profile_names(sqlserver: dict[str, Any]) -> None:
    with connected({**sqlserver, "staging_schema": "el_staging"}) as server:
        table = created(server, "a INT NOT NULL PRIMARY KEY")
        with pytest.raises(WriteError, match="el_staging"):
            write(server, table, pa.table({"a": [1]}))
        server.driver.execute(statement("CREATE SCHEMA el_staging"))
        assert write(server, table, pa.table({"a": [1]})) == 1
        assert server.fetch(statement("SELECT COUNT(*) FROM sys.tables WHERE name LIKE N'[_]el[_]staging%'")) == [(0,)]


def test_an_error_behind_the_first_answer_of_a_statement_is_raised(server: SqlServer) -> None:
    table = created(server, "a INT NOT NULL PRIMARY KEY")
    place = server.dialect.quote_table(table)
    # What a trigger does answers likewise, before or behind the statement that it belongs to.
    with pytest.raises(ElError, match="duplicate key"):
        server.execute(statement(f"INSERT INTO {place} VALUES (1); INSERT INTO {place} VALUES (1)"))


def test_a_write_of_which_rows_are_kept_out_is_undone(server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    table = created(server, "a INT NOT NULL")
    whole = server.execute

    def but_one(sent: Statement) -> int:
        kept_out = sent.sql.startswith(f"INSERT INTO {server.dialect.quote_table(table)}")
        return whole(Statement(sent.sql.replace("SELECT", "SELECT TOP 2", 1), sent.parameters) if kept_out else sent)

    monkeypatch.setattr(server, "execute", but_one)
    with pytest.raises(WriteError, match=r"took 2 of 3 rows: a trigger, or a view, keeps some of them out"):
        write(server, table, pa.table({"a": [1, 2, 3]}))
    assert rows(server, table) == []


def test_bytes_beside_a_time_are_not_cut_to_the_length_of_another_rows(server: SqlServer) -> None:
    table = created(server, "b VARBINARY(MAX) NULL, at DATETIME2(6) NULL")
    values = [b"\x00", b"\x00\xff\x00", bytes(range(256)), None]
    data = pa.table({"b": pa.array(values, pa.binary()), "at": pa.array([0, 1, None, 3], pa.timestamp("us"))})
    assert write(server, table, data) == 4
    assert {b for b, _ in rows(server, table)} == set(values)
