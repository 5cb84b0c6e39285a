"""Tables that are more than rows: what a glob takes of them, and how they are read."""

from __future__ import annotations

import pytest

from el.cli.app import main
from tests.tsql_shop import TsqlShop

ALL = '  - {name: "dbo.*"}'
TEMPORAL = (
    "CREATE TABLE dbo.prices (id INT NOT NULL PRIMARY KEY, price INT NOT NULL, "
    "since DATETIME2 GENERATED ALWAYS AS ROW START NOT NULL, until DATETIME2 GENERATED ALWAYS AS ROW END NOT NULL, "
    "PERIOD FOR SYSTEM_TIME (since, until)) WITH (SYSTEM_VERSIONING = ON (HISTORY_TABLE = dbo.prices_history))",
    "INSERT INTO dbo.prices (id, price) VALUES (1, 10)",
)
LEDGER = ("CREATE TABLE dbo.deeds (id INT NOT NULL PRIMARY KEY) WITH (LEDGER = ON)", "INSERT INTO dbo.deeds VALUES (1)")
EXTERNAL = ("CREATE EXTERNAL TABLE dbo.elsewhere (id INT) WITH (DATA_SOURCE = lake)",)
GRAPH = (
    "CREATE TABLE dbo.person (id INT NOT NULL PRIMARY KEY, name VARCHAR(10)) AS NODE",
    "INSERT INTO dbo.person VALUES (1, 'Ada')",
    "CREATE TABLE dbo.knows (since INT) AS EDGE",
)
MEMORY = (
    "CREATE TABLE dbo.hot (id INT NOT NULL PRIMARY KEY NONCLUSTERED, v INT) WITH (MEMORY_OPTIMIZED = ON)",
    "INSERT INTO dbo.hot VALUES (1, 1), (2, 2)",
    "CREATE TABLE dbo.cold (id INT NOT NULL PRIMARY KEY, v INT)",
    "INSERT INTO dbo.cold VALUES (1, 1)",
    "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
)


def test_a_glob_leaves_out_histories_ledger_views_and_external_tables_and_says_so(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(ALL, *TEMPORAL, *LEDGER, *EXTERNAL)
    assert main(["plan"]) == 0
    said = shop.capsys.readouterr().out
    assert "left out unless named exactly: " in said
    for kind in (
        "dbo.prices_history (the history of a temporal table)",
        "dbo.deeds_Ledger (the view of a ledger table)",
        "dbo.elsewhere (an external table, whose rows are elsewhere)",
        "(the history of a ledger table)",
    ):
        assert kind in said
    assert sorted(shop.el()) == ["dbo.deeds", "dbo.prices"]


def test_a_history_that_is_named_is_taken_with_a_note(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(ALL + "\n  - {name: dbo.prices_history}", *TEMPORAL)
    found = shop.el()
    assert found["dbo.prices_history"]["status"] == "loaded"
    assert "this is the history of a temporal table" in found["dbo.prices_history"]["notes"]


def test_of_graph_tables_the_columns_that_no_query_may_name_are_left_out(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(ALL, *GRAPH)
    assert shop.el()["dbo.person"]["rows"] == 1
    columns = [
        name for (name,) in shop.raw("SELECT column_name FROM information_schema.columns WHERE table_name = 'knows'")
    ]
    assert [name for name in columns if name.startswith(("from", "to", "edge", "graph"))] == [
        name for name in columns if name.startswith(("from_id_", "to_id_", "edge_id_"))
    ]
    assert shop.raw("SELECT name FROM shop_dbo.person") == [("Ada",)]


@pytest.mark.parametrize("defaults", ["{workers: 2, retries: 0}", "{workers: 1, retries: 0}"])
def test_a_memory_optimised_table_is_read_beside_others_that_are_read_from_one_point_in_time(
    standin_shop: TsqlShop, defaults: str
) -> None:
    shop = standin_shop.create(ALL, *MEMORY, defaults=defaults)
    found = shop.el()
    assert (found["dbo.hot"]["rows"], found["dbo.cold"]["rows"]) == (2, 1)


def test_the_plan_says_of_each_table_what_its_reads_see(standin_shop: TsqlShop) -> None:
    standin_shop.create(
        f"{ALL}\n  - {{name: dbo.late, isolation: read_committed}}", *MEMORY, "CREATE TABLE dbo.late (id INT)"
    )
    assert main(["plan", "--why"]) == 0
    said = standin_shop.capsys.readouterr().out
    sees = [line.split(maxsplit=1)[1] for line in said.splitlines() if line.startswith("  sees ")]
    tables = [line.split()[0] for line in said.splitlines() if line.startswith("dbo.")]
    assert dict(zip(tables, sees, strict=True)) == {
        "dbo.cold": "one moment, all reads that are together the same one",
        "dbo.hot": "one moment in each read",
        "dbo.late": "no one moment",
    }
    assert "; dbo.late of no one moment" in said


def test_a_cursor_of_a_memory_optimised_table_goes_on(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create("  - {name: dbo.cold}\n  - {name: dbo.hot, cursor: id}", *MEMORY)
    shop.el()
    shop.sql("INSERT INTO dbo.hot VALUES (3, 3)")
    assert shop.el()["dbo.hot"]["rows"] == 1


def test_a_view_over_another_database_is_read_under_read_committed_and_says_so(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(ALL, "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON")
    other = f"{shop.output['database']}_b"
    shop.sql(
        f"CREATE DATABASE {other}",
        f"CREATE TABLE {other}.dbo.far (id INT NOT NULL)",
        f"INSERT INTO {other}.dbo.far VALUES (7)",
    )
    shop.sql(
        f"CREATE VIEW dbo.v AS SELECT id FROM {other}.dbo.far",
        "CREATE VIEW dbo.over AS SELECT id FROM dbo.v",
        "CREATE TABLE dbo.near (id INT NOT NULL)",
    )
    shop.tables(
        f'  - {{name: "dbo.*", views: true}}\n  - {{name: dbo.q, query: "SELECT id FROM {other}.dbo.far", key: id}}'
    )
    try:
        found = shop.el()
        for name in ("dbo.v", "dbo.over", "dbo.q"):
            assert found[name]["rows"] == 1
            assert any(f"it reads {other}" in note for note in found[name]["notes"])
        assert not any("not read as of one moment" in note for note in found["dbo.near"]["notes"])
        shop.tables("  - {name: dbo.v, isolation: snapshot}")
        assert "`isolation: read_committed` in el.yml" in shop.el(code=1)["dbo.v"]["error"]
    finally:
        shop.sql(f"DROP DATABASE {other}")


def test_el_yml_says_under_which_isolation_a_table_is_read(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(
        "  - {name: dbo.cold, isolation: read_committed}\n  - {name: dbo.hot, isolation: snapshot}", *MEMORY
    )
    found = shop.el(code=1)
    assert "not read as of one moment, as `isolation: read_committed` says" in found["dbo.cold"]["notes"]
    assert "a memory-optimised table is not read so" in found["dbo.hot"]["error"]


VIEWS = (
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, mail VARCHAR(20))",
    "INSERT INTO dbo.t VALUES (1, 'a@b.example')",
    "CREATE VIEW dbo.v AS SELECT id, mail FROM dbo.t",
    "CREATE VIEW dbo.w AS SELECT id FROM dbo.t",
)


def test_a_glob_takes_tables_alone_and_says_once_how_to_take_the_views(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(ALL, *VIEWS)
    assert main(["plan"]) == 0
    assert "2 views are left out (dbo.v, dbo.w)" in shop.capsys.readouterr().out
    assert sorted(shop.el()) == ["dbo.t"]
    shop.tables(ALL + "\n  - {name: dbo.w}")
    assert sorted(shop.el()) == ["dbo.t", "dbo.w"]
    shop.tables('  - {name: "dbo.*", views: true}')
    assert sorted(shop.el()) == ["dbo.t", "dbo.v", "dbo.w"]


def test_a_mask_that_a_glob_gives_holds_for_a_view_that_another_entry_names(standin_shop: TsqlShop) -> None:
    masked = '  - {name: "dbo.*", columns: {mail: {mask: "null"}}}\n  - {name: dbo.v}'
    shop = standin_shop.create(masked, *VIEWS)
    shop.el()
    assert shop.raw("SELECT mail FROM shop_dbo.v") == [(None,)]


@pytest.mark.parametrize("glob", ["dbo.*", "*.*"])
def test_a_view_that_raw_holds_and_no_entry_takes_any_longer_is_a_failure_until_el_yml_decides(
    standin_shop: TsqlShop, glob: str
) -> None:
    """With *.* the view lies in a schema of its own, of which no table is taken."""
    schema = "dbo" if glob == "dbo.*" else "rep"
    made = () if schema == "dbo" else ("CREATE SCHEMA rep",)
    name = f"{schema}.v"
    entries = f'  - {{name: "{glob}", views: true}}'
    shop = standin_shop.create(entries, *VIEWS[:2], *made, f"CREATE VIEW {name} AS SELECT id FROM dbo.t")
    assert shop.el()[name]["rows"] == 1
    without = entries.replace(", views: true", "")
    shop.tables(without)
    assert main(["plan"]) == 2
    assert f"STOPPED {name}: in raw as" in shop.capsys.readouterr().out
    found = shop.el(code=1)
    assert "`views: true`" in found[name]["error"]
    assert found["dbo.t"]["status"] == "unchanged"
    shop.tables(without + f"\n  - {{name: {name}, exclude: true}}")
    assert sorted(shop.el()) == ["dbo.t"]
    shop.tables(without + f"\n  - {{name: {name}}}")
    assert shop.el()[name]["status"] == "unchanged"


def test_an_entry_that_matches_views_alone_stops_and_says_so(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(ALL + '\n  - {name: "dbo.[vw]*"}', *VIEWS)
    found = shop.el(code=1)
    assert found["dbo.t"]["status"] == "loaded"
    (error,) = (table["error"] for table in found.values() if table["status"] == "failed")
    assert "matches views alone (dbo.v, dbo.w): `views: true` takes them" in error
