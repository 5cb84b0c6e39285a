"""A database is known by what it says of itself: the way there may change, and another database may not pass for it."""

from __future__ import annotations

import pytest

from el.cli.app import main
from el.planning.definition import same_database
from tests.tsql_shop import TsqlShop

FAMILY, OTHER = "{5e0f0000-0000-0000-0000-000000000001}", "{5e0f0000-0000-0000-0000-000000000002}"


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (f"sqlserver db01 1433 shop {FAMILY}", f"sqlserver listener.example.com 1444 shop {FAMILY}", True),
        (f"sqlserver db01 1433 shop {FAMILY}", f"sqlserver db01 1433 shop {OTHER}", False),
        (f"sqlserver db01 1433 shop {FAMILY}", f"sqlserver db01 1433 shop_copy {FAMILY}", False),
        ("sqlserver db01 1433 shop", f"sqlserver db01 1433 shop {FAMILY}", True),
        ("sqlserver db01 1433 shop", f"sqlserver db02 1433 shop {FAMILY}", False),
        (f"sqlserver db01 1433 shop {FAMILY}", "sqlserver db01 1433 shop", True),
    ],
)
def test_two_places_are_one_where_the_database_says_so_and_else_where_the_way_is_one(
    before: str, now: str, same: bool
) -> None:
    assert same_database(before, now) is same


def test_another_name_of_the_server_and_a_ledger_of_an_earlier_version_begin_no_new_snapshot(
    standin_shop: TsqlShop,
) -> None:
    shop = standin_shop.create(
        "  - {name: dbo.t, cursor: id}",
        "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)",
        "INSERT INTO dbo.t VALUES (1)",
    )
    shop.el()
    # What a version that knew the way there alone left in the ledger.
    shop.raw("UPDATE shop_dbo._el_ledger SET source = regexp_replace(source, ' \\{.*', '')")
    shop.sql("INSERT INTO dbo.t VALUES (2)")
    assert shop.el()["dbo.t"]["kind"] == "delta"
    profiles = (shop.path / "profiles.yml").read_text()
    (shop.path / "profiles.yml").write_text(profiles.replace("host: 127.0.0.1", "host: localhost"))
    shop.sql("INSERT INTO dbo.t VALUES (3)")
    assert shop.el()["dbo.t"]["kind"] == "delta"


def test_only_the_schemas_that_el_yml_names_are_described(
    standin_shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = standin_shop.create("  - {name: dbo.t}", "CREATE TABLE dbo.t (id INT)", "CREATE SCHEMA other")
    shop.sql("CREATE TABLE other.big (id INT)")
    asked: list[str] = []
    from el.connectors.sqlserver import SqlServer

    fetch = SqlServer.fetch
    monkeypatch.setattr(SqlServer, "fetch", lambda server, sql: asked.append(sql.sql) or fetch(server, sql))
    assert main(["plan"]) == 0
    columns = [sql for sql in asked if "FROM sys.columns WHERE object_id IN" in " ".join(sql.split())]
    assert columns
    shop.tables("  - {name: othr.big}")
    assert main(["plan"]) == 2
    assert "did you mean other.big?" in shop.capsys.readouterr().out
