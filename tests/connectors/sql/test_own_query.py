"""A query of the user's own: its text stays as written, its WITH moves to the front, anything else is refused."""

from __future__ import annotations

import pytest

from el.connectors.catalog import SourceType
from el.connectors.duckdb.dialect import DUCKDB
from el.connectors.request import ColumnRead, Condition, Op, ReadRequest, Value
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.own_query import split_query
from el.connectors.sql.select import build_select
from el.connectors.sqlserver.dialect import TSQL
from el.errors import PlanError


def test_the_text_of_a_query_is_not_rewritten() -> None:
    text = "SELECT ISNULL(a, 1) AS a, CONVERT(varchar(10), d, 112) AS d -- 'why; not'\nFROM [my table] WITH (NOLOCK)"
    assert split_query(text, TSQL) == ("", text)


def test_a_semicolon_at_the_end_is_left_out_and_one_in_a_text_is_kept() -> None:
    assert split_query("SELECT ';' AS a ; ", TSQL) == ("", "SELECT ';' AS a")


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
        "select a from dbo.t delete from dbo.t where a = 1",
        "select a into dbo.u from dbo.t",
        "select a from dbo.t select b from dbo.t",
        "select a from dbo.t exec sp_who",
        "select (select 1) as a drop table dbo.t",
        "with x as (select 7 as a) insert into dbo.t select a from x",
        "with x as (select 7 as a) insert into dbo.t (a) output inserted.a select a from x",
        "with x (a) as (select 7), y as (select 8 as b) update x set a = 1",
        "with x as (select 7 as a)",
    ],
)
def test_what_is_not_one_select_is_refused(query: str) -> None:
    with pytest.raises(PlanError):
        split_query(query, TSQL)


@pytest.mark.parametrize(
    ("query", "dialect"),
    [
        ("SELECT [delete], 'drop' AS x, \"into\" -- insert\nFROM t WHERE EXISTS (SELECT 1 FROM u)", TSQL),
        ("SELECT a FROM t INNER MERGE JOIN u ON t.a = u.a UNION ALL SELECT b FROM v OPTION (MERGE JOIN)", TSQL),
        ("SELECT a FROM t EXCEPT (SELECT b FROM u) ORDER BY a OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY", TSQL),
        ("SELECT update, merge FROM t", DUCKDB),
    ],
)
def test_a_keyword_that_is_a_name_a_text_a_hint_or_deeper_refuses_nothing(query: str, dialect: Dialect) -> None:
    assert split_query(query, dialect) == ("", query)


def test_the_select_follows_the_last_of_the_withs_own() -> None:
    with_ = "WITH x (a) AS MATERIALIZED (SELECT (1)), y AS (WITH z AS (SELECT 1) SELECT * FROM z)"
    assert split_query(f"{with_} SELECT * FROM y", DUCKDB) == (with_, "SELECT * FROM y")
    with pytest.raises(PlanError):
        split_query(f"{with_} INSERT INTO t (a) SELECT * FROM y", DUCKDB)


@pytest.mark.parametrize("body", ["INSERT INTO t VALUES (1) RETURNING a", "WITH y AS (SELECT 1) DELETE FROM t"])
@pytest.mark.parametrize("query", ["WITH x AS ({body}) SELECT * FROM x", "SELECT (WITH x AS ({body}) SELECT a FROM x)"])
def test_a_with_that_writes_is_refused_wherever_it_stands(query: str, body: str) -> None:
    with pytest.raises(PlanError, match="one SELECT"):
        split_query(query.format(body=body), DUCKDB)
