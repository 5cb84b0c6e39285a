"""What the catalog says of a table or its database decides how it may be read: views, secondaries, partitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from el.connectors.catalog import Catalog, Table
from el.connectors.sqlserver import SqlServer
from el.planning.strategies import base
from tests.tsql_shop import TsqlShop

TABLE = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, c INT NOT NULL, rv ROWVERSION NOT NULL)"
ROWS = "INSERT INTO dbo.t (id, c) VALUES (1, 1), (2, 2)"


@pytest.fixture
def shop(tsql_shop: TsqlShop) -> TsqlShop:
    return tsql_shop


def described(monkeypatch: pytest.MonkeyPatch, change: Callable[[Catalog], Catalog]) -> None:
    """The server's catalog with something else in it."""
    as_it_is = SqlServer.describe

    def describe(source: SqlServer, *arguments: Any, **named: Any) -> Catalog:
        return change(as_it_is(source, *arguments, **named))

    monkeypatch.setattr(SqlServer, "describe", describe)


def with_table(**facts: Any) -> Callable[[Catalog], Catalog]:
    def change(catalog: Catalog) -> Catalog:
        def one(table: Table) -> Table:
            return replace(table, **facts) if table.name.name == "t" else table

        return replace(catalog, tables=tuple(one(table) for table in catalog.tables))

    return change


def test_auto_does_not_take_the_rowversion_of_a_view_and_says_what_it_means_where_it_is_asked_for(
    shop: TsqlShop,
) -> None:
    """The view's row changes with dbo.other, and its rowversion does not."""
    shop.create(
        "  - {name: dbo.v, key: [id]}",
        TABLE,
        ROWS,
        "CREATE TABLE dbo.other (id INT NOT NULL PRIMARY KEY, name NVARCHAR(9) NOT NULL)",
        "INSERT INTO dbo.other VALUES (1, N'old'), (2, N'old')",
        "CREATE VIEW dbo.v AS SELECT t.id, o.name, t.rv FROM dbo.t AS t JOIN dbo.other AS o ON o.id = t.id",
    )
    assert shop.el()["dbo.v"]["strategy"] == "full"
    shop.sql("UPDATE dbo.other SET name = N'new' WHERE id = 1")
    shop.el()
    assert shop.state("v", "id", "id, name") == [(1, "new"), (2, "old")]
    shop.tables("  - {name: dbo.v, key: [id], strategy: rowversion}")
    report = shop.el()["dbo.v"]
    assert report["strategy"] == "rowversion"
    assert "a row of a view or query changes with each row that it is made of" in " ".join(report["notes"])


def test_rowversion_is_not_taken_on_a_database_without_writes_unless_accepted(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.create("  - {name: dbo.t, strategy: rowversion}", TABLE, ROWS)
    described(monkeypatch, lambda catalog: replace(catalog, read_only=True))
    assert "it is not certain that MIN_ACTIVE_ROWVERSION() knows" in shop.el(code=1)["dbo.t"]["error"]
    shop.tables("  - {name: dbo.t}")
    assert shop.el()["dbo.t"]["strategy"] == "full"
    shop.tables("  - {name: dbo.t, accept: [secondary]}")
    assert shop.el()["dbo.t"]["strategy"] == "rowversion"


@pytest.mark.parametrize("entry", ["{name: dbo.t}", "{name: dbo.t, strategy: cursor, cursor: c}"])
def test_rows_that_a_switched_partition_brings_below_the_bound_come_with_a_new_snapshot(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    shop.create(f"  - {entry}", TABLE, "INSERT INTO dbo.t (id, c) VALUES (7, 7), (8, 8)")
    mark = {"partitions": "a"}
    described(monkeypatch, lambda catalog: with_table(**mark)(catalog))
    shop.el()
    assert shop.el()["dbo.t"]["status"] in ("nothing new", "unchanged")
    mark["partitions"] = "b"
    report = shop.el()["dbo.t"]
    assert "a new snapshot begins: a partition was switched, split or merged" in report["notes"]
    assert report["kind"] == "snapshot"
    assert shop.el()["dbo.t"]["status"] in ("nothing new", "unchanged"), "one snapshot, and no second"
    mark["partitions"] = "c"
    shop.tables(f"  - {entry[:-1]}, accept: [partition_switch]}}")
    assert shop.el()["dbo.t"]["status"] in ("nothing new", "unchanged")


def test_a_large_table_without_an_index_on_what_bounds_its_reads_is_said_to_be_scanned(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.create(
        "  - {name: dbo.t}\n  - {name: dbo.u, cursor: c}\n  - {name: dbo.w, cursor: c}",
        TABLE,
        "CREATE TABLE dbo.u (id INT NOT NULL PRIMARY KEY, c INT NOT NULL)",
        "CREATE TABLE dbo.w (id INT NOT NULL PRIMARY KEY, c INT NOT NULL)",
        "CREATE INDEX by_c ON dbo.w (c, id)",
    )

    def large(catalog: Catalog) -> Catalog:
        return replace(catalog, tables=tuple(replace(table, bytes=base.WORTH_A_NOTE * 100) for table in catalog.tables))

    described(monkeypatch, large)
    notes = {name: " ".join(report["notes"]) for name, report in shop.el().items()}
    assert "no index begins with rv: each run scans all of it, 9.8 GB" in notes["dbo.t"]
    assert "no index begins with c: each run scans all of it, 9.8 GB" in notes["dbo.u"]
    assert "no index begins" not in notes["dbo.w"]


def test_what_a_cursor_asks_is_asked_in_one_query_under_the_isolation_of_the_read(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under READ COMMITTED the greatest value waits for whoever has just written it; under SNAPSHOT it does not."""
    shop.create(
        "  - {name: dbo.t, cursor: c, lag: 0}",
        "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
        "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, c INT NULL)",
        "INSERT INTO dbo.t VALUES (1, 1)",
    )
    shop.el()
    asked: list[tuple[str, object]] = []
    fetch = SqlServer.fetch

    def noted(source: SqlServer, statement: Any) -> Any:
        if "MAX(" in statement.sql and "[t]" in statement.sql:
            asked.append((statement.sql, source._isolation))
        return fetch(source, statement)

    monkeypatch.setattr(SqlServer, "fetch", noted)
    shop.el()
    assert len(asked) == 1, asked
    assert str(asked[0][1]) == "snapshot"
