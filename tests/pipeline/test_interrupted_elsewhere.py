"""A run that was killed, and then something else is no longer as it was: the warehouse, the target, the rows in raw.

What the killed run left behind is only ever loaded where it belongs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from el.cli.app import main
from tests.shop import Workspace, inside

CHANGES = "UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 50"
NOTES = "id, note, _el_op"


@pytest.fixture
def killed(tmp_path: Path) -> Workspace:
    """A workspace in which a delta was killed, with its package ready to be loaded."""
    shop = Workspace(tmp_path).create()
    assert shop.run() == 0
    shop.source(CHANGES)
    assert shop.run(stop_at=("package ready to load", 1)) == -9
    return shop


def test_a_warehouse_that_was_made_anew_gets_a_snapshot_and_not_the_delta_of_the_old_one(killed: Workspace) -> None:
    (killed.path / "warehouse.duckdb").unlink()
    assert killed.run() == 0
    found = killed.complete("orders", NOTES)
    assert len(found) == 3000
    assert {row[2] for row in found} == {"S"}
    assert len([row for row in found if row[1] == "changed"]) == 50


def test_another_target_is_not_given_what_a_killed_run_left_for_the_first(killed: Workspace) -> None:
    profiles = (killed.path / "profiles.yml").read_text()
    other = profiles.replace("shop.duckdb", "other_shop.duckdb").replace("warehouse.duckdb", "other.duckdb")
    (killed.path / "profiles.yml").write_text(other)
    (killed.path / "shop.duckdb").rename(killed.path / "other_shop.duckdb")
    killed_warehouse = (killed.path / "warehouse.duckdb").read_bytes()
    assert killed.run() == 0
    assert (killed.path / "warehouse.duckdb").read_bytes() == killed_warehouse
    (killed.path / "warehouse.duckdb").rename(killed.path / "first.duckdb")
    (killed.path / "other.duckdb").rename(killed.path / "warehouse.duckdb")
    assert {row[2] for row in killed.complete("orders", NOTES)} == {"S"}
    # And the first one still has what was left for it.
    (killed.path / "first.duckdb").rename(killed.path / "warehouse.duckdb")
    (killed.path / "other_shop.duckdb").rename(killed.path / "shop.duckdb")
    (killed.path / "profiles.yml").write_text(profiles)
    assert killed.run() == 0
    assert "of an earlier run was brought to its end" in (killed.path / "output.log").read_text()
    assert len(killed.complete("orders", NOTES)) == 3050


def test_a_workspace_that_was_moved_is_loaded_where_it_is_now(killed: Workspace) -> None:
    moved = Workspace(killed.path.rename(killed.path.with_name("moved")))
    assert moved.run() == 0
    assert not killed.path.exists()
    assert len(moved.complete("orders", NOTES)) == 3050


def test_a_project_is_not_given_what_a_killed_run_left_for_another_that_keeps_it_in_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EL_HOME", str(tmp_path / "home"))
    shops = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shops.append(Workspace(tmp_path / name).create())
    shops[1].source("DELETE FROM sales.orders WHERE id >= 10")
    assert shops[0].run(stop_at=("package extracted", 1)) == -9
    assert [shop.run() for shop in reversed(shops)] == [0, 0]
    assert [len(shop.complete("orders", NOTES)) for shop in shops] == [3000, 10]
    assert "was brought to its end" in (tmp_path / "one" / "output.log").read_text()


def test_a_bound_that_is_put_elsewhere_by_hand_is_not_moved_again_by_what_a_killed_run_left(killed: Workspace) -> None:
    with inside(killed.path):
        assert main(["state", "reset", "orders", "--yes"]) == 0
    assert killed.run() == 0
    kinds = [kind for table, kind in killed.complete("_el_ledger", "table_name, kind") if table == "orders"]
    assert kinds == ["delta", "snapshot", "snapshot"]


def test_what_a_recovered_load_brought_is_counted_too_and_hidden_if_it_is_not_what_was_sent(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).create()
    assert shop.run() == 0
    shop.source(CHANGES)
    assert shop.run(stop_at=("package loaded", 1)) == -9
    shop.warehouse("DELETE FROM shop_sales.orders WHERE id = 7 AND _el_op = 'U'")
    assert shop.run() == 1
    assert "orders has 49 of 50 rows" in (tmp_path / "output.log").read_text()
    assert len(shop.complete("orders", NOTES)) == 3000
    assert shop.run() == 0
    assert len(shop.complete("orders", NOTES)) == 3050


def test_landing_files_of_a_killed_run_are_removed_by_the_next(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).create()
    assert shop.run(stop_at=("extracted", 1)) == -9
    assert list(tmp_path.glob(".el/**/*.parquet"))
    assert shop.run() == 0
    # Who did what is kept there.
    left = {path.name for path in tmp_path.glob(".el/**/*") if path.is_file()}
    assert left <= {"audit.jsonl", "audit.sent", "runs.jsonl", "runs.sent"}
