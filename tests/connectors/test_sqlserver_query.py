"""What a query's columns are, before it runs."""

from __future__ import annotations

from typing import Any

import pytest

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
