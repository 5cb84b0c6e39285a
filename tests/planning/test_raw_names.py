"""Where tables land in raw: what cannot be called so is one line before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.cli.app import main
from el.loading.duckdb import DuckDbWarehouse
from tests.shop import PROFILES, Workspace


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def configure(shop: Workspace, settings: str, source: str = "shop", tables: str = '[{name: "*.*"}]') -> None:
    (shop.path / "el.yml").write_text(
        f"version: 1\nsource: {source}\ndestination: warehouse\ndefaults: {{retries: 0}}\n"
        f"{settings}\ntables: {tables}\n"
    )


def stopped(capsys: pytest.CaptureFixture[str], *select: str) -> list[str]:
    """What `plan` says of the tables that stop alone."""
    assert main(["plan", *select]) == 2
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("STOPPED ")]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    return said


@pytest.mark.parametrize(
    ("settings", "other"),
    [("raw: {schema: raw}", "orders"), ("raw: {schema: raw, naming: preserve}", "ORDERS")],
    ids=["one name", "names that only case tells apart"],
)
def test_two_tables_of_el_yml_that_meet_in_raw_are_refused_also_where_a_run_takes_only_one(
    shop: Workspace, capsys: pytest.CaptureFixture[str], settings: str, other: str
) -> None:
    shop.source(f'CREATE SCHEMA web; CREATE TABLE web."{other}" (id INTEGER)')
    configure(shop, settings)
    for arguments in ([], ["--select", "web.*"]):
        assert any("sales.orders and web." in line for line in stopped(capsys, *arguments))


def test_a_source_and_a_schema_may_be_called_what_no_identifier_is(shop: Workspace) -> None:
    (shop.path / "profiles.yml").write_text(PROFILES.replace("shop:", "2 My-Shop:", 1))
    shop.source('CREATE SCHEMA "Größe.v2"; CREATE TABLE "Größe.v2"."Order Details" AS SELECT 1 AS id')
    configure(shop, "raw: {naming: preserve}", source="2 My-Shop", tables='[{name: "Gr*.*"}]')
    for _ in range(2):
        assert main(["run", "--progress", "none"]) == 0
    assert shop.warehouse('SELECT id FROM "2 My-Shop_Größe.v2"."Order Details"') == [(1,)]


@pytest.mark.parametrize(
    ("schema", "table", "says"),
    [
        ("a/b", "t", "web: the raw schema 'shop_a/b' cannot be a file's name"),
        ("a", "t.x", "web: the raw table 't.x' cannot be a file's name"),
        ("a", "con", "web: the raw table 'con' cannot be a file's name"),
    ],
)
def test_what_files_cannot_be_named_after_is_refused_before_anything_is_read(
    shop: Workspace, capsys: pytest.CaptureFixture[str], schema: str, table: str, says: str
) -> None:
    shop.source(f'CREATE SCHEMA "{schema}"; CREATE TABLE "{schema}"."{table}" AS SELECT 1 AS id')
    configure(shop, "raw: {naming: preserve}")
    (said,) = stopped(capsys)
    assert said.startswith("STOPPED " + says.replace("web", f"{schema}.{table}"))
    assert main(["run", "--progress", "none"]) == 1
    assert shop.warehouse("SELECT count(*) FROM shop_sales.orders") == [(3000,)]
    schemas = [name for (name,) in shop.warehouse("SELECT schema_name FROM duckdb_schemas()")]
    assert f"shop_{schema}" not in schemas


def test_a_table_is_named_so_short_that_files_can_be_named_after_it(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    longest, longer = "t" * 190, "表" * 72
    shop.source(f'CREATE SCHEMA web; CREATE TABLE web."{longest}" AS SELECT 1 AS id')
    shop.source(f'CREATE TABLE web."{longer}" AS SELECT 2 AS id')
    configure(shop, "", tables='[{name: "web.*"}]')
    assert main(["run", "--progress", "none"]) == 0
    tables = shop.warehouse("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'shop_web' AND NOT internal")
    assert {len(name) for (name,) in tables if not name.startswith("_")} == {190}
    configure(shop, "raw: {naming: preserve}", tables='[{name: "web.*"}]')
    (said,) = stopped(capsys)
    assert "has 216 bytes, and a raw table's name has 190 at most" in said


@pytest.mark.parametrize("name", ["Warehouse", "temp", "information_schema"])
def test_a_raw_schema_is_not_called_as_the_warehouse_itself_is(
    shop: Workspace, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    configure(shop, f"raw: {{schema: {name}}}")
    assert f"raw schema {name}: the warehouse has something else of this name" in refused(capsys, "run")


@pytest.mark.parametrize(
    ("select", "says"),
    [("", "a table is named as orders, sales.orders or sales.*"), ("s.", "no table of el.yml matches")],
)
def test_a_selection_that_names_no_table_says_so_or_how_one_is_named(
    shop: Workspace, capsys: pytest.CaptureFixture[str], select: str, says: str
) -> None:
    assert says in refused(capsys, "run", "--select", select)


def test_raw_needs_a_file_to_lie_in(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.path / "profiles.yml").write_text(PROFILES.replace(", path: warehouse.duckdb", ""))
    assert "warehouse.local: a DuckDB file that holds raw needs `path: FILE`" in refused(capsys, "run")


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        ("raw: {schema: raw}", "raw: {schema: RAW}", "the schema raw"),
        ("raw: {schema: raw}", "raw: {schema: raw, naming: preserve}", "the table orders"),
        ("raw: {schema: raw}", "raw: {schema: raw, naming: preserve}", "the column id"),
    ],
)
def test_a_name_that_raw_holds_in_another_case_stops_the_table_and_not_what_comes_after(
    shop: Workspace, capsys: pytest.CaptureFixture[str], before: str, after: str, held: str
) -> None:
    table = "orders" if "column" in held else "Orders"
    shop.source(f'CREATE SCHEMA web; CREATE TABLE web."{table}" AS SELECT 1 AS "Id", 5 AS u; DROP SCHEMA sales CASCADE')
    tables = '[{name: "web.*", cursor: u}]'
    configure(shop, before, tables=tables)
    assert main(["run", "--progress", "none"]) == 0
    configure(shop, after, tables=tables)
    for _ in range(2):
        assert main(["run", "--progress", "none"]) == 1
        assert f"raw holds {held}, which differs" in capsys.readouterr().out
    configure(shop, before, tables=tables)
    shop.source(f'INSERT INTO web."{table}" VALUES (2, 6)')
    assert main(["run", "--progress", "none"]) == 0
    assert shop.warehouse("SELECT id FROM raw.orders ORDER BY id") == [(1,), (2,)]


def test_a_package_that_cannot_be_loaded_is_read_again_where_el_yml_no_longer_names_its_tables(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.source('CREATE SCHEMA web; CREATE TABLE web."Orders" AS SELECT 1 AS "Id", 5 AS u')
    tables = '[{name: "web.*", cursor: u}]'
    configure(shop, "", tables=tables)
    assert main(["run", "--progress", "none"]) == 0
    configure(shop, "raw: {naming: preserve}", tables=tables)
    with monkeypatch.context() as patched:
        patched.setattr(DuckDbWarehouse, "clashes", lambda *_: {})
        for _ in range(2):
            assert main(["run", "--progress", "none"]) == 1
    configure(shop, "", tables=tables)
    shop.source('INSERT INTO web."Orders" VALUES (2, 6)')
    assert main(["run", "--progress", "log"]) == 0
    assert "is of tables that el.yml no longer has" in capsys.readouterr().err
    assert shop.warehouse("SELECT id FROM shop_web.orders ORDER BY id") == [(1,), (2,)]
