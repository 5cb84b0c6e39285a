"""A query of the user's own: its text stays as written, its WITH moves to the front, anything else is refused."""

from __future__ import annotations

import pytest

from el.connectors.catalog import SourceType
from el.connectors.own_query import split_query
from el.connectors.query import build_select
from el.connectors.request import ColumnRead, Condition, Op, ReadRequest, Value
from el.connectors.sqlserver import TSQL
from el.errors import PlanError


def test_the_text_of_a_query_is_not_rewritten() -> None:
    text = "SELECT ISNULL(a, 1) AS a, CONVERT(varchar(10), d, 112) AS d -- 'why; not'\nFROM [my table] WITH (NOLOCK)"
    assert split_query(text, "tsql") == ("", text)


def test_a_semicolon_at_the_end_is_left_out_and_one_in_a_text_is_kept() -> None:
    assert split_query("SELECT ';' AS a ; ", "tsql") == ("", "SELECT ';' AS a")


def test_with_moves_before_the_outer_select_as_it_was_written() -> None:
    query = "WITH a AS (SELECT 1 AS x), [b c] AS (SELECT x FROM a) -- last\nSELECT * FROM [b c]"
    request = ReadRequest(
        query=query,
        columns=(ColumnRead("x", "x"),),
        where=(Condition("x", Op.GT, Value("5", SourceType("int"))),),
    )
    statement = build_select(request, TSQL)
    assert statement.sql.split("\n") == [
        "WITH a AS (SELECT 1 AS x), [b c] AS (SELECT x FROM a) -- last",
        "SELECT [x] FROM (",
        "SELECT * FROM [b c]",
        ") AS q WHERE [x] > CAST(? AS INT)",
    ]
    assert statement.parameters == ("5",)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "DELETE FROM t",
        "SELECT 1; DROP TABLE t",
        "EXEC sp_who",
        "WITH a AS (SELECT 1) DELETE FROM a",
        "SELECT 'unclosed",
    ],
)
def test_what_is_not_one_select_is_refused(query: str) -> None:
    with pytest.raises(PlanError):
        split_query(query, "tsql")
