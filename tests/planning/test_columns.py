"""Names and types of a whole run: collisions before anything moves, what is lost said in the plan, unknown types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from el.cli.app import main
from tests.shop import EL_YML, Workspace
from tests.tsql_shop import TsqlShop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def settings(text: str) -> None:
    Path("el.yml").write_text(EL_YML + text)


def test_two_tables_for_one_name_are_stopped_alone_and_a_rename_solves_it(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source('CREATE TABLE sales."Order Items" AS SELECT 1 AS a; CREATE TABLE sales."OrderItems" AS SELECT 2 AS a')
    assert main(["run"]) == 1
    said = capsys.readouterr().out
    for name in ("sales.Order Items", "sales.OrderItems"):
        assert f"FAILED {name}: table of sales: 'Order Items' and 'OrderItems' would both be named" in said
    assert "rename" in said
    assert shop.warehouse("SELECT count(*) FROM shop_sales.orders") == [(3000,)]
    settings('  - {name: "sales.Order Items", rename: order_items_old}\n')
    assert main(["run", "--json"]) == 0
    assert shop.warehouse("SELECT a FROM shop_sales.order_items_old") == [(1,)]
    assert shop.warehouse("SELECT a FROM shop_sales.order_items") == [(2,)]


def test_a_new_table_that_would_take_a_loaded_tables_name_stops_alone(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source('CREATE TABLE sales."OrderItems" AS SELECT 2 AS a')
    assert main(["run"]) == 0
    shop.source('CREATE TABLE sales."Order Items" AS SELECT 1 AS a; INSERT INTO sales."OrderItems" VALUES (3)')
    capsys.readouterr()
    assert main(["run"]) == 1
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")] == [
        "FAILED sales.Order Items: table of sales: 'Order Items' and 'OrderItems' would both be named 'order_items': "
        "give one of them another name, as in `rename: order_items_source` of 'OrderItems'"
    ]
    assert shop.warehouse("SELECT max(a) FROM shop_sales.order_items") == [(3,)]


def test_a_table_with_two_columns_for_one_name_stops_alone_and_a_rename_solves_it(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source('CREATE TABLE sales.fees AS SELECT 1 AS "Net Price", 2 AS "NetPrice"')
    assert main(["run"]) == 1
    said = capsys.readouterr().out
    assert shop.warehouse("SELECT count(*) FROM shop_sales.orders") == [(3000,)]
    (line,) = (line for line in said.splitlines() if line.startswith("FAILED"))
    assert "sales.fees: 'Net Price' and 'NetPrice' would both be named 'net_price'" in line
    # What the line says can be written as it stands there.
    settings(f"  - {{name: sales.fees, {line.rpartition(', as in ')[2]}}}\n")
    assert main(["run", "--json"]) == 0
    assert shop.warehouse("SELECT net_price, net_price_source FROM shop_sales.fees") == [(1, 2)]


def test_lossy_is_asked_for_by_column_table_or_run_and_the_plan_says_what_is_lost(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source("CREATE TABLE sales.ticks AS SELECT TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS a, 1 AS b")
    lost = "a: the seventh to ninth digits of the second"
    assert main(["plan"]) == 0
    assert lost not in capsys.readouterr().out
    by_column = EL_YML + "  - {name: sales.ticks, columns: {a: {lossy: true}}}\n"
    by_table = EL_YML + "  - {name: sales.ticks, types: lossy}\n"
    by_run = EL_YML.replace("retries: 0", "retries: 0, types: lossy")
    for text in (by_column, by_table, by_run):
        Path("el.yml").write_text(text)
        assert main(["plan"]) == 0
        assert lost in capsys.readouterr().out


def test_an_unknown_type_stops_its_table_alone_with_its_column_and_the_two_ways_out(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source("CREATE TABLE sales.lists AS SELECT [1, 2] AS numbers, 1 AS id")
    assert main(["run"]) == 1
    said = capsys.readouterr().out
    assert shop.warehouse("SELECT count(*) FROM shop_sales.orders") == [(3000,)]
    assert "sales.lists.numbers: type integer[] cannot be carried" in said
    assert "give the column a cast to a type that el knows, or exclude it" in said
    for way_out in ("cast: varchar", "exclude: true"):
        settings(f"  - {{name: sales.lists, columns: {{numbers: {{{way_out}}}}}}}\n")
        assert main(["run", "--json", "--full-refresh"]) == 0
    assert shop.warehouse("SELECT DISTINCT numbers, id FROM shop_sales.lists WHERE numbers IS NOT NULL") == [
        ("[1, 2]", 1)
    ]


def test_alias_types_travel_as_their_base_and_computed_columns_as_what_they_compute(
    sqlserver: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    TsqlShop(tmp_path, sqlserver, capsys).create(
        '  - {name: "dbo.*"}',
        "CREATE TYPE dbo.PersonName FROM NVARCHAR(50) NOT NULL",
        "CREATE TABLE dbo.people (id INT PRIMARY KEY, name dbo.PersonName, born DATE, "
        "net DECIMAL(10,2), gross AS CAST(net * 2 AS DECIMAL(12,2)))",
        "INSERT INTO dbo.people (id, name, born, net) VALUES (1, N'Zoë', '1999-12-31', 10.25)",
    )
    assert main(["run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 1
    with duckdb.connect("warehouse.duckdb") as warehouse:
        found = warehouse.execute("SELECT name, CAST(gross AS VARCHAR) FROM shop_dbo.people").fetchall()
    assert found == [("Zoë", "20.50")]
