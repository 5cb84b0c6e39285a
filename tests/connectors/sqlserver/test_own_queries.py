"""Queries of one's own on SQL Server: what a derived table takes is read, the rest is refused by name in plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.cli.app import main
from tests.shop import Workspace, inside
from tests.tsql_shop import TsqlShop

SETUP = (
    "CREATE TABLE dbo.orders (id int NOT NULL PRIMARY KEY, customer int, amount decimal(9, 2))",
    "CREATE TABLE dbo.customers (id int NOT NULL PRIMARY KEY, name nvarchar(20))",
    "INSERT INTO dbo.orders VALUES (1, 10, 1.5), (2, 20, 2.5), (3, 10, 3.5)",
    "INSERT INTO dbo.customers VALUES (10, N'Ann'), (20, N'Bob')",
)


def own(query: str, more: str = "") -> str:
    return f"  - name: dbo.own\n    key: id\n{more}    query: |\n      {query}\n"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT id, amount FROM dbo.orders OPTION (RECOMPILE)", 3),
        ("WITH o AS (SELECT id FROM dbo.orders) SELECT id FROM o option (maxdop 1);", 3),
        ("SELECT TOP 2 id FROM dbo.orders ORDER BY amount DESC", 2),
        ("SELECT DISTINCT TOP (1) id FROM dbo.orders ORDER BY id OPTION (MAXDOP 1)", 1),
        ("SELECT id FROM dbo.orders ORDER BY id OFFSET 1 ROWS", 2),
        ("SELECT id, ROW_NUMBER() OVER (ORDER BY amount) AS n FROM dbo.orders", 3),
        ("SELECT id, [order by] FROM (SELECT id, amount AS [order by] FROM dbo.orders) AS o -- ORDER BY id", 3),
    ],
)
@pytest.mark.parametrize("more", ["", "    cursor: id\n"])
def test_a_query_is_read_whatever_stands_around_its_rows(tsql_shop: TsqlShop, query: str, rows: int, more: str) -> None:
    tsql_shop.create(own(query, more), *SETUP)
    assert tsql_shop.el()["dbo.own"]["status"] == "loaded"
    assert tsql_shop.raw("SELECT count(*) FROM shop_dbo.own") == [(rows,)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT id FROM dbo.orders ORDER BY id", "ends with ORDER BY"),
        ("SELECT id FROM dbo.orders UNION ALL SELECT id FROM dbo.customers ORDER BY id", "ends with ORDER BY"),
        ("SELECT TOP 1 id FROM dbo.orders UNION SELECT id FROM dbo.customers ORDER BY 1", "ends with ORDER BY"),
        ("SELECT id FROM dbo.orders FOR XML AUTO", "FOR XML makes no rows"),
        ("SELECT id FROM dbo.orders ORDER BY id FOR JSON PATH", "FOR JSON makes no rows"),
        (
            "SELECT o.id, c.id FROM dbo.orders AS o JOIN dbo.customers AS c ON c.id = o.customer",
            "the query has the column 'id' twice: give each a name of its own with AS",
        ),
        ("SELECT id, amount AS ID FROM dbo.orders", "the query has the column 'id' and 'ID'"),
        ("SELECT id, amount * 2 FROM dbo.orders", "column 2 of the query has no name"),
        ("SELECT id FROM (SELECT id FROM dbo.orders OPTION (RECOMPILE)) AS o", "OPTION"),
        ("SELECT id FROM (SELECT id FROM dbo.orders ORDER BY id) AS o", "ORDER BY clause is invalid"),
    ],
)
def test_what_a_derived_table_does_not_take_is_refused_in_plan_and_the_others_are_loaded(
    tsql_shop: TsqlShop, query: str, says: str
) -> None:
    tsql_shop.create(own(query) + "  - {name: dbo.customers}", *SETUP)
    assert main(["plan"]) == 2
    said = tsql_shop.capsys.readouterr()
    assert says in said.out + said.err
    assert "el.yml line 6: dbo.own" in said.out + said.err
    found = tsql_shop.el(code=1)
    assert found["dbo.own"]["status"] == "failed"
    assert found["dbo.customers"]["status"] == "loaded"


def test_a_name_that_a_duckdb_query_gives_twice_is_refused_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Workspace(tmp_path).create()
    query = "SELECT o.id, p.id FROM sales.orders AS o JOIN sales.orders AS p ON o.id = p.id"
    (shop.path / "el.yml").write_text(
        f"version: 1\nsource: shop\ndestination: warehouse\ntables:\n  - {{name: s.own, query: '{query}'}}\n"
    )
    with inside(tmp_path):
        assert main(["plan"]) == 2
    assert "the query has the column 'id' twice" in capsys.readouterr().out


def test_a_table_is_named_in_square_brackets_and_a_masked_column_in_any_capitals(
    tsql_shop: TsqlShop,
) -> None:
    tsql_shop.create(
        '  - {name: "[dbo].[t 1.2]", columns: {EMAIL: {mask: "null"}}}',
        "CREATE TABLE dbo.[t 1.2] (id int NOT NULL PRIMARY KEY, Email nvarchar(20))",
        "INSERT INTO dbo.[t 1.2] VALUES (1, N'ann@example.com')",
    )
    assert set(tsql_shop.el()) == {"dbo.t 1.2"}
    assert tsql_shop.raw("SELECT id, email FROM shop_dbo.t_1_2") == [(1, None)]


def test_a_view_whose_table_is_gone_stops_itself_alone(tsql_shop: TsqlShop) -> None:
    tsql_shop.create(
        "  - {name: 'dbo.*'}\n  - {name: dbo.v, cursor: id}",
        *SETUP,
        "CREATE TABLE dbo.gone (id int NOT NULL)",
        "CREATE VIEW dbo.v AS SELECT id FROM dbo.gone",
        "DROP TABLE dbo.gone",
    )
    found = tsql_shop.el(code=1)
    assert found["dbo.v"]["status"] == "failed"
    assert found["dbo.orders"]["status"] == found["dbo.customers"]["status"] == "loaded"
