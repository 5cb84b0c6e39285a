"""What a query's columns are, before it runs."""

from __future__ import annotations

from typing import Any

import pytest

from el.connectors.catalog import TableName
from el.connectors.request import ColumnRead, ReadRequest
from el.errors import ReadError
from tests.engines import connected, statement


def test_the_columns_of_a_query_have_the_types_that_the_server_says(sqlserver: dict[str, Any]) -> None:
    with connected(sqlserver) as server:
        server.execute(statement("CREATE TABLE t (id int NOT NULL, v nvarchar(7), d decimal(9, 3))"))
        found = server.query_columns("SELECT id, v AS other, d FROM t")
    assert [name for name, _ in found] == ["id", "other", "d"]
    assert [type_.name for _, type_ in found] in (["int", "nvarchar", "decimal"], ["bigint", "nvarchar", "decimal"])


def test_a_query_that_cannot_run_is_an_error_and_not_a_column_without_a_type(sqlserver: dict[str, Any]) -> None:
    with connected(sqlserver) as server, pytest.raises(ReadError, match="nope"):
        server.query_columns("SELECT nope FROM sys.objects")


def test_all_columns_of_a_table_come_with_every_digit_and_offset_and_can_be_written_so(
    sqlserver: dict[str, Any],
) -> None:
    columns = "id int NOT NULL, a datetime2(7), b time(7), c datetimeoffset(3), d datetime2(3)"
    first, second = TableName("dbo", "all digits"), TableName("dbo", "again")
    with connected(sqlserver) as server:
        for name in (first, second):
            server.execute(statement(f"CREATE TABLE {server.dialect.quote_table(name)} ({columns})"))
        server.execute(
            statement(
                "INSERT INTO [all digits] VALUES (1, '2024-02-29T12:00:00.1234567', '12:00:00.1234567', "
                "'2024-02-29T12:00:00.123+05:30', '2024-02-29T12:00:00.123'), (2, NULL, NULL, NULL, NULL)"
            )
        )
        found = server.read_buffer(ReadRequest(first, order_by=("id",))).to_arrow().to_pylist()
        expected = ("2024-02-29 12:00:00.1234567", "12:00:00.1234567", "2024-02-29 12:00:00.123 +05:30")
        assert tuple(found[0][name] for name in "abc") == expected
        assert (found[0]["d"].microsecond, found[1]["a"]) == (123000, None)
        server.write_buffer(second, server.read_buffer(ReadRequest(first)).to_arrow(), run_id="again")
        assert server.read_buffer(ReadRequest(second, order_by=("id",))).to_arrow().to_pylist() == found
        chosen = server.read_buffer(ReadRequest(first, columns=(ColumnRead("a", "a"),))).to_arrow()
        assert not isinstance(chosen.column("a")[0].as_py(), str), "chosen so, it is what the driver makes of it"
