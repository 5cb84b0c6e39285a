"""Filters: what el.yml limits a table to stays so when rows change; a row that leaves is deleted in raw, by its key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from el.cli.app import main
from tests.shop import Workspace
from tests.tsql_shop import TsqlShop

OPEN = 'filters: [{column: status, op: "=", value: open}]'
TABLE = (
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, status NVARCHAR(10) NULL, secret NVARCHAR(20) NULL, "
    "changed INT NOT NULL{})"
)
ROWS = "INSERT INTO dbo.t (id, status, secret, changed) VALUES (1, N'open', N'a', 1), (2, N'open', N'b', 2), "
MORE = "(3, N'closed', N'c', 3), (4, NULL, N'd', 4), (5, N'open', N'e', 5)"


@pytest.fixture
def shop(tsql_shop: TsqlShop) -> TsqlShop:
    return tsql_shop


def filled(shop: TsqlShop, strategy: str, settings: str = "") -> TsqlShop:
    cursor = ", cursor: changed" if strategy == "cursor" else ""
    shop.create(
        f"  - {{name: dbo.t{cursor}, {OPEN}{settings}}}",
        TABLE.format(", rv ROWVERSION NOT NULL" if strategy == "rowversion" else ""),
        ROWS + MORE,
    )
    report = shop.el()["dbo.t"]
    assert (report["strategy"], report["kind"], report["rows"]) == (strategy, "snapshot", 3)
    return shop


def current(shop: TsqlShop) -> list[int]:
    return [row[0] for row in shop.state("t", "id", "id")]


@pytest.mark.parametrize("strategy", ["cursor", "rowversion"])
def test_a_row_that_leaves_the_filters_is_deleted_and_one_that_enters_is_there(shop: TsqlShop, strategy: str) -> None:
    filled(shop, strategy)
    shop.sql(
        "UPDATE dbo.t SET status = N'closed', changed = 6 WHERE id = 1",
        "UPDATE dbo.t SET status = NULL, changed = 7 WHERE id = 2",
        "UPDATE dbo.t SET status = N'open', changed = 8 WHERE id = 3",
    )
    shop.el()
    assert current(shop) == [3, 5]
    shop.sql("UPDATE dbo.t SET status = N'open', changed = 9 WHERE id = 1")
    shop.el()
    assert current(shop) == [1, 3, 5]
    assert shop.el()["dbo.t"]["status"] in ("unchanged", "nothing new")


@pytest.mark.parametrize("strategy", ["cursor", "rowversion"])
def test_of_rows_outside_the_filters_the_key_alone_lands(shop: TsqlShop, strategy: str) -> None:
    filled(shop, strategy)
    shop.sql("UPDATE dbo.t SET status = N'closed', secret = N'hidden', changed = 6 WHERE id = 1")
    shop.el()
    gone = shop.complete("t", "id, status, secret, changed, _el_op")
    assert [row for row in gone if row[4] == "D" and row[0] == 1] == [(1, None, None, None, "D")]
    assert "hidden" not in str(shop.complete("t", "*"))


def test_a_row_that_left_does_not_come_again_with_each_load(shop: TsqlShop) -> None:
    filled(shop, "cursor")
    shop.sql("UPDATE dbo.t SET status = N'closed', changed = 6 WHERE id = 1")
    shop.el()
    for id_ in (6, 7):
        shop.sql(f"INSERT INTO dbo.t VALUES ({id_}, N'open', NULL, {id_})")
        assert shop.el()["dbo.t"]["rows"] == 1
    assert current(shop) == [2, 5, 6, 7]


def test_without_a_key_a_filter_is_refused_unless_rows_that_leave_it_may_stay(shop: TsqlShop) -> None:
    shop.create(
        f"  - {{name: dbo.t, cursor: changed, {OPEN}}}",
        "CREATE TABLE dbo.t (status NVARCHAR(10) NULL, changed INT NOT NULL)",
        "INSERT INTO dbo.t VALUES (N'open', 1), (N'closed', 2)",
    )
    assert "of a row that leaves the `filters`, a cursor read tells only by a key" in shop.el(code=1)["dbo.t"]["error"]
    shop.tables(f"  - {{name: dbo.t, cursor: changed, accept: [filtered_rows], {OPEN}}}")
    assert "rows that leave the `filters` stay in raw" in " ".join(shop.el()["dbo.t"]["notes"])
    shop.sql("INSERT INTO dbo.t VALUES (N'open', 3), (N'closed', 4)")
    shop.el()
    assert sorted(shop.complete("t", "status, changed")) == [("open", 1), ("open", 3)]


def test_keys_are_compared_beside_rows_that_leave(shop: TsqlShop) -> None:
    filled(shop, "cursor", ", deletes: {by: keys, every: 0s, max_percent: 100}")
    shop.sql("UPDATE dbo.t SET status = N'closed', changed = 6 WHERE id = 1", "DELETE FROM dbo.t WHERE id = 2")
    shop.el()
    assert current(shop) == [5]


def test_a_row_leaves_the_filters_of_a_duckdb_table_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = Workspace(tmp_path).create()
    with open(tmp_path / "el.yml", "a") as config:
        config.write('  - {name: sales.orders, filters: [{column: amount, op: "<", value: 12.5}]}\n')

    def loaded() -> tuple[str, int]:
        assert main(["run", "--json"]) == 0
        tables = json.loads(capsys.readouterr().out)["tables"]
        return next((table["status"], table["rows"]) for table in tables if table["table"] == "sales.orders")

    assert loaded() == ("loaded", 10)
    shop.source("UPDATE sales.orders SET amount = 99, updated_at = TIMESTAMP '2024-03-01' WHERE id = 3")
    shop.source("UPDATE sales.orders SET amount = NULL, updated_at = TIMESTAMP '2024-03-01' WHERE id = 4")
    assert loaded()[0] == "loaded"
    assert shop.complete("orders", "id") != []
    gone = shop.complete("orders", "id, amount, _el_op")
    assert [row for row in gone if row[0] in (3, 4) and row[2] == "D"] == [(3, None, "D"), (4, None, "D")]
    assert loaded() == ("unchanged", 0)
