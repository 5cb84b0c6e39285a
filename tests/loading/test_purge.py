"""purge: what nobody needs any more leaves raw, after it was shown; what is needed stays, whatever its age."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.cli.app import main
from el.loading.purge import _was_taken
from tests.shop import Workspace


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Workspace:
    """Two snapshots of lines, one of orders with a delta; all of them 40 days old."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    shop = Workspace(tmp_path).create()
    with open(tmp_path / "el.yml", "a") as config:
        config.write("raw: {keep: 30d}\ndbt: {loads_taken: none}\n")
    el(capsys, "run")
    shop.source("DELETE FROM sales.lines WHERE order_id = 5")
    shop.source("UPDATE sales.orders SET updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    el(capsys, "run")
    age(shop, 40)
    return shop


def age(shop: Workspace, days: int) -> None:
    """Make every load older: a load's id is its time."""
    tables = ["orders", "lines", "nothing", "_el_ledger", "_el_columns"]
    for table, column in [*((name, "_dlt_load_id") for name in tables), ("_dlt_loads", "load_id")]:
        shop.warehouse(
            f"UPDATE shop_sales.{table} SET {column} = "
            f"CAST(CAST({column} AS DECIMAL(20, 6)) - {days * 86_400} AS VARCHAR)"
        )


def el(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    said = capsys.readouterr()
    return said.out + said.err


def look_for_notes(shop: Workspace, where: str = "") -> None:
    config = shop.path / "el.yml"
    new = f"dbt: {{loads_taken: {where}}}\n" if where else ""
    config.write_text(config.read_text().replace("dbt: {loads_taken: none}\n", new))


def held(shop: Workspace) -> dict[str, int]:
    return {t: shop.warehouse(f"SELECT count(*) FROM shop_sales.{t}")[0][0] for t in ("orders", "lines")}


def test_a_superseded_snapshot_goes_with_its_ledger_row_and_what_is_needed_stays(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held(shop) == {"orders": 3010, "lines": 9000 + 8997}
    said = el(capsys, "purge", "--yes")
    assert "shop_sales.lines: 9,000 rows of 1 loads, superseded by a later snapshot" in said
    assert "9,000 rows removed" in said
    assert held(shop) == {"orders": 3010, "lines": 8997}, "the delta of orders needs the snapshot before it"
    ledger = shop.complete("_el_ledger", "table_name, row_count")
    assert ledger == [("lines", 8997), ("nothing", 0), ("orders", 10), ("orders", 3000)]
    assert "nothing was removed" in el(capsys, "purge", "--yes")


def test_without_a_yes_it_only_shows(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    said = el(capsys, "purge", code=2)
    assert "shop_sales.lines: 9,000 rows of 1 loads" in said
    assert "9,000 rows leave raw: say --yes if that is right" in said
    assert held(shop)["lines"] == 17_997


def test_a_load_that_is_not_old_enough_stays(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    age(shop, -20)
    assert "nothing was removed" in el(capsys, "purge", "--yes")


def test_a_load_that_a_schema_table_has_not_taken_stays(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    first = shop.warehouse("SELECT min(load_id) FROM shop_sales._dlt_loads")[0][0]
    shop.warehouse(
        "CREATE SCHEMA staging; CREATE TABLE staging.el_loads_taken (model VARCHAR, load_id VARCHAR, state VARCHAR); "
        f"INSERT INTO staging.el_loads_taken VALUES ('sales.lines', '{first}', 'announced')"
    )
    look_for_notes(shop)
    assert "nothing was removed" in el(capsys, "purge", "--yes")
    shop.warehouse("UPDATE staging.el_loads_taken SET state = 'taken'")
    shop.warehouse("INSERT INTO staging.el_loads_taken VALUES ('sales.lines_log', 'another', 'taken')")
    assert "nothing was removed" in el(capsys, "purge", "--yes"), "the log has not taken it"
    shop.warehouse(f"INSERT INTO staging.el_loads_taken VALUES ('sales.lines_log', '{first}', 'taken')")
    assert "9,000 rows removed" in el(capsys, "purge", "--yes")


def test_nothing_goes_where_the_notes_of_what_models_took_are_not_seen(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    look_for_notes(shop)
    said = el(capsys, "purge", "--yes", code=2)
    assert "sees no el_loads_taken" in said
    assert "dbt: {loads_taken: database.schema.el_loads_taken}" in said
    assert held(shop)["lines"] == 17_997


def test_the_notes_that_el_yml_names_are_read_and_nothing_goes_where_they_cannot_be(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    look_for_notes(shop, "elsewhere.staging.el_loads_taken")
    assert "elsewhere" in el(capsys, "purge", "--yes", code=1)
    assert held(shop)["lines"] == 17_997
    config = shop.path / "el.yml"
    config.write_text(config.read_text().replace("elsewhere.staging.", "warehouse.notes."))
    first = shop.warehouse("SELECT min(load_id) FROM shop_sales._dlt_loads")[0][0]
    shop.warehouse(
        "CREATE SCHEMA notes; CREATE TABLE notes.el_loads_taken AS "
        f"SELECT 'sales.lines' AS model, '{first}' AS load_id, 'taken' AS state"
    )
    assert "9,000 rows removed" in el(capsys, "purge", "--yes")


def test_notes_of_what_is_gone_go_and_those_of_other_loads_of_tables_and_of_definitions_stay(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each build reads all notes: without this it would read those of years."""
    for _ in range(2):
        el(capsys, "run", "--full-refresh", "--select", "sales.lines")
    age(shop, 40)
    loads = [load for (load,) in shop.warehouse("SELECT load_id FROM shop_sales._dlt_loads ORDER BY 1")]
    assert len(loads) == 4
    shop.warehouse(
        "CREATE SCHEMA staging; CREATE TABLE staging.el_loads_taken (model VARCHAR, load_id VARCHAR, state VARCHAR)"
    )
    notes = [("sales.lines", load, "taken") for load in loads] + [("sales.orders", loads[0], "taken")]
    notes += [("sales.lines", loads[2], "announced"), ("sales.lines", loads[2], "built")]
    # Without this one it would not be known: what comes later would leave raw before it took it.
    notes += [("sales.lines_log", loads[2], "taken")]
    for note in notes:
        shop.warehouse(f"INSERT INTO staging.el_loads_taken VALUES {note}")
    look_for_notes(shop)
    assert "1 loads, superseded" in el(capsys, "purge", "--yes")
    gone = {("sales.lines", loads[2], "taken"), ("sales.lines", loads[2], "announced")}
    held = shop.warehouse("SELECT model, load_id, state FROM staging.el_loads_taken ORDER BY ALL")
    assert held == sorted(set(notes) - gone)


def test_notes_that_may_not_be_deleted_stay_and_purge_says_so(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    first = shop.warehouse("SELECT min(load_id) FROM shop_sales._dlt_loads")[0][0]
    shop.warehouse("UPDATE shop_sales._el_ledger SET _dlt_load_id = '1000000000.5' WHERE row_count = 9000")
    shop.warehouse(f"UPDATE shop_sales.lines SET _dlt_load_id = '1000000000.5' WHERE _dlt_load_id = '{first}'")
    shop.warehouse(
        "INSERT INTO shop_sales._dlt_loads SELECT * REPLACE ('1000000000.5' AS load_id) "
        "FROM shop_sales._dlt_loads LIMIT 1"
    )
    shop.warehouse(
        "CREATE SCHEMA staging; CREATE VIEW staging.el_loads_taken AS "
        "SELECT 'sales.lines' AS model, unnest(['1000000000.5', '9']) AS load_id, 'taken' AS state"
    )
    look_for_notes(shop)
    said = el(capsys, "purge", "--yes")
    assert "keeps its notes of loads that are gone" in said
    assert "9,000 rows removed" in said


@pytest.mark.parametrize(
    ("taken", "gone"),
    [
        ({"sales.orders": {"1", "2"}, "web.orders": {"9"}}, True),
        ({"dev_sales.orders": {"1", "2"}, "dev_web.orders": set()}, True),
        ({"sales.orders": {"1", "2"}, "sales.orders_archive": {"2"}}, True),
        ({"sales.orders": {"1", "2"}, "elsewhere.orders": {"7"}}, True),
        ({"sales.orders": {"2"}, "web.orders": {"1"}}, False),
        ({"sales.orders": {"1"}, "sales.orders_history": {"2"}}, False),
        ({"sales.orders": {"1", "2"}, "reports.orders": {"2"}}, False),
        ({"reports.orders": {"2"}}, False),
        ({"by_hand": {"1"}}, True),
        ({"by_hand": {"2"}}, False),
    ],
)
def test_a_model_of_the_same_name_in_another_schema_speaks_for_its_own_table(
    taken: dict[str, set[str]], gone: bool
) -> None:
    tables = [("raw_sales", "orders"), ("raw_sales", "orders_archive"), ("raw_web", "orders")]
    targets = {place: place[0].removeprefix("raw_") for place in tables}
    loads = {"1": "snapshot", "2": "snapshot"}
    assert _was_taken("1", ("raw_sales", "orders"), loads, taken, targets) == gone


def test_rows_of_loads_that_never_completed_go(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    el(capsys, "purge", "--yes")
    first = "1000000000.000001"
    shop.warehouse(f"INSERT INTO shop_sales.orders SELECT * REPLACE ('{first}' AS _dlt_load_id) FROM shop_sales.orders")
    assert "shop_sales.orders: 3,010 rows of 1 loads, never completed" in el(capsys, "purge", "--yes")
    assert held(shop)["orders"] == 3010


def test_rows_of_a_load_that_may_still_be_completed_stay(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """A package that waits in a working folder is younger than the last complete load."""
    el(capsys, "purge", "--yes")
    shop.warehouse(
        "INSERT INTO shop_sales.orders SELECT * REPLACE ('9000000000.000001' AS _dlt_load_id) FROM shop_sales.orders"
    )
    assert "nothing was removed" in el(capsys, "purge", "--yes")


def test_it_needs_to_be_told_how_long_loads_stay(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    config = shop.path / "el.yml"
    config.write_text(config.read_text().replace("raw: {keep: 30d}\n", ""))
    assert "purge needs `raw: {keep: 30d}`" in el(capsys, "purge", code=2)
