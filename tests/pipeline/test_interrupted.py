"""A run that is killed at any step: the next one completes it, and every row stands in raw exactly once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.shop import EL_YML, Workspace

CHANGES = """
UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' + INTERVAL (id) SECOND WHERE id < 50;
DELETE FROM sales.lines WHERE order_id = 7;
"""

# What a run consists of, as its own steps name it; each is found in the run, or the test fails.
STEPS = [
    ("planned", 1),
    ("slice begun", 2),
    ("batch read", 1),
    ("slice finished", 1),
    ("extracted", 1),
    ("raw schema prepared", 1),
    ("file moved to normalize", 1),
    ("file moved to package", 2),
    ("file moved to extracted", 1),
    ("package extracted", 1),
    ("file moved to load", 1),
    ("file moved to package", 6),
    ("file moved to normalized", 1),
    ("file removed from extracted", 2),
    ("package normalized", 1),
    ("package ready to load", 1),
    ("file moved to started_jobs", 1),
    ("file moved to completed_jobs", 1),
    ("file moved to completed_jobs", 3),
    ("package loaded", 1),
    ("working folder emptied", 1),
    ("load confirmed", 1),
]


def raw_state(shop: Workspace) -> dict[str, list[tuple[object, ...]]]:
    """All of raw but the names and the times of loads, and the one row of the ledger that notes that nothing is new.

    The first run behind the changes writes that: the one that recovers, or the next.
    """
    ledger = shop.complete("_el_ledger", "table_name, kind, lower_bound, upper_bound, row_count")
    noted = [row for row in ledger if row[1] == "delta" and row[4] == 0]
    assert len(noted) <= 1, noted
    return {
        "orders": shop.complete("orders", "id, note, amount, updated_at, _el_op, _el_position"),
        "lines": shop.complete("lines", "order_id, line_no, price, _el_op"),
        "ledger": [row for row in ledger if row not in noted],
        "doubled": shop.warehouse("SELECT load_id FROM shop_sales._dlt_loads GROUP BY 1 HAVING count(*) > 1"),
        "orphans": shop.warehouse(
            "SELECT count(*) FROM shop_sales.orders WHERE _dlt_load_id NOT IN "
            "(SELECT load_id FROM shop_sales._dlt_loads WHERE status = 0)"
        ),
    }


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that was loaded, and whose source has changed since; it stays so, and copies of it are run."""
    shop = Workspace(tmp_path_factory.mktemp("changed")).create()
    assert shop.run() == 0
    shop.source(CHANGES)
    return shop.path


@pytest.fixture
def shop(changed: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(changed, tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(changed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    shop = Workspace(tmp_path_factory.mktemp("undisturbed") / "shop")
    shutil.copytree(changed, shop.path)
    assert shop.run() == 0
    return raw_state(shop)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0]}, {step[1]}")
def test_a_killed_run_is_completed_by_the_next(
    shop: Workspace, step: tuple[str, int], undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    assert shop.run(stop_at=step) == -9, f"the run never came to {step}"
    assert shop.run() == 0
    assert raw_state(shop) == undisturbed


def test_a_run_killed_while_it_recovers_is_completed_by_the_third(
    shop: Workspace, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    assert shop.run(stop_at=("file moved to completed_jobs", 1)) == -9
    assert shop.run(stop_at=("package ready to load", 1)) == -9
    assert shop.run() == 0
    assert raw_state(shop) == undisturbed


def test_a_run_killed_while_it_lets_jobs_of_a_table_wait_again_forgets_none_of_them(
    shop: Workspace, tmp_path: Path
) -> None:
    """Of a table's files some were loaded and one was under way: its rows go, and all of its files wait again."""
    (tmp_path / "el.yml").write_text(EL_YML.replace("cursor: updated_at", "partition_by: id, partitions: 4"))
    for loaded in range(2, 8):
        assert shop.run("--select", "orders", "--full-refresh", stop_at=("file moved to completed_jobs", loaded)) == -9
        states = {path.parent.name for path in tmp_path.glob(".el/*/pipelines/**/load/normalized/**/orders.*.parquet")}
        if {"started_jobs", "completed_jobs"} <= states:
            break
    else:
        raise AssertionError("orders was never loaded in part")
    for number in range(1, 9):
        copy = Workspace(tmp_path / f"copy {number}")
        shutil.copytree(tmp_path, copy.path, ignore=lambda *_: [path.name for path in tmp_path.glob("copy*")])
        ended = copy.run("--select", "orders", stop_at=("file moved to new_jobs", number))
        if ended == 0:
            break
        assert copy.run("--select", "orders") == 0, (copy.path / "output.log").read_text()[-2000:]
        assert len(copy.complete("orders", "id")) == 6000
    assert number > 2


@pytest.mark.parametrize("step", ["package extracted", "package normalized"])
@pytest.mark.parametrize("name", ["*.parquet", "schema.json", "load_package_state.json", ".version", "state.json"])
def test_files_that_power_loss_left_empty_are_said_and_their_windows_read_again(
    shop: Workspace, tmp_path: Path, step: str, name: str, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    assert shop.run(stop_at=(step, 1)) == -9
    damaged = [path for path in tmp_path.glob(f".el/*/pipelines/**/{name}") if path.is_file()]
    assert damaged
    for path in damaged:
        path.write_bytes(b"")
    assert shop.run() == 0, (tmp_path / "output.log").read_text()[-2000:]
    assert (
        "shop_sales: what an earlier run left behind is damaged, and is read again"
        in (tmp_path / "output.log").read_text()
    )
    assert raw_state(shop) == undisturbed


def test_a_package_that_another_machine_has_overtaken_is_dropped_with_its_rows(
    shop: Workspace, tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    """The other machine has no working folder: it reads the same windows again, and completes them."""
    assert shop.run(stop_at=("file moved to completed_jobs", 1)) == -9
    (tmp_path / ".el").rename(tmp_path / "this machine's")
    assert shop.run() == 0
    shutil.rmtree(tmp_path / ".el")
    (tmp_path / "this machine's").rename(tmp_path / ".el")
    assert shop.run() == 0
    assert raw_state(shop) == undisturbed


def test_a_working_folder_that_is_lost_costs_nothing(
    shop: Workspace, tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    assert shop.run(stop_at=("file moved to completed_jobs", 1)) == -9
    shutil.rmtree(tmp_path / ".el")
    assert shop.run() == 0
    found = raw_state(shop)
    # What the lost package had loaded belongs to no complete load: no reader sees it, and `purge` removes it.
    assert {**found, "orphans": []} == {**undisturbed, "orphans": []}


def test_a_table_of_which_no_load_is_complete_takes_the_columns_of_its_first_one(tmp_path: Path) -> None:
    """A first load came to nothing and its folder is lost: what it made has the types of its time."""
    shop = Workspace(tmp_path).create()
    shop.warehouse("CREATE SCHEMA shop_sales; CREATE TABLE shop_sales.nothing AS SELECT 1 AS mine")
    assert shop.run(stop_at=("package loaded", 1)) == -9
    shop.warehouse("UPDATE shop_sales._dlt_loads SET status = 1")
    shutil.rmtree(tmp_path / ".el")
    shop.source("ALTER TABLE sales.lines ALTER price TYPE DECIMAL(12, 4)")
    for _ in range(2):
        assert shop.run() == 0
        types = "SELECT data_type FROM duckdb_columns() WHERE table_name = 'lines' AND column_name = 'price'"
        assert shop.warehouse(types) == [("DECIMAL(12,4)",)]
        assert len(shop.complete("lines")) == 9000
        assert shop.warehouse("SELECT count(*) FROM shop_sales.lines") == [(9000,)]
        assert "mine" in {row[0] for row in shop.warehouse("DESCRIBE shop_sales.nothing")}
