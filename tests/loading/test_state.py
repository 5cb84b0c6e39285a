"""state: what raw holds and what the source has since; one table begun elsewhere, and no other touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.cli.app import main
from el.loading.lock import file_lock, this_process
from tests.shop import Workspace


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def el(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    said = capsys.readouterr()
    return said.out + said.err


def bounds(shop: Workspace) -> list[tuple[object, ...]]:
    return shop.complete("_el_ledger", "table_name, upper_bound, row_count")


def test_it_says_what_raw_holds_and_what_the_source_has_since(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing that a next load could go on from" in el(capsys, "state")
    el(capsys, "run")
    shop.source("UPDATE sales.orders SET updated_at = TIMESTAMP '2024-02-01' WHERE id = 1")
    said = el(capsys, "state", "--select", "orders")
    assert "raw       up to updated_at 2024-01-03T01:59:00.000000; last load 1" in said
    assert "(snapshot, 3,000 rows, 20" in said
    assert "source    next: delta: 2024-01-03T01:54:00.000000 <= updated_at <= 2024-02-01T00:00:00.000000" in said
    el(capsys, "run")
    assert "source    next: delta: 2024-01-31T23:55:00.000000 <= updated_at <= 2024-02-01" in el(capsys, "state")


def test_reset_makes_the_next_run_take_a_new_snapshot_of_that_table_only(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    el(capsys, "run")
    before = bounds(shop)
    assert el(capsys, "state", "reset", "orders", "--yes") == "sales.orders: the next run takes a new snapshot\n"
    after = bounds(shop)
    assert [row[0] for row in after if row not in before] == ["orders"]
    said = el(capsys, "run")
    assert "snapshot loaded" in said
    assert "3,000 rows into 1 tables" in said


def test_set_makes_the_next_run_begin_behind_a_bound(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    el(capsys, "run")
    said = el(capsys, "state", "set", "sales.orders", "2024-01-03T01:49:00", "--yes")
    assert "begins behind updated_at 2024-01-03T01:49:00.000000 instead of 2024-01-03T01:59:00.000000" in said
    assert bounds(shop) != []
    assert "unchanged" in el(capsys, "run"), "what raw holds of it already is not loaded again"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reset", "orders"), "say --yes if that is right"),
        (("reset",), "state reset TABLE"),
        (("set", "orders"), "state set TABLE VALUE"),
        (("reset", "*", "--yes"), "takes one table, and * names 3"),
        (("set", "lines", "1", "--yes"), "has no bound that could be set"),
        (("set", "orders", "yesterday", "--yes"), "'yesterday' is no timestamp as updated_at has"),
        (("reset", "nowhere", "--yes"), "no table of el.yml matches"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    shop: Workspace, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    el(capsys, "run")
    shop.source("UPDATE sales.orders SET updated_at = TIMESTAMP '2024-02-01' WHERE id = 1")
    before = bounds(shop)
    said = el(capsys, "state", *arguments, code=2)
    assert says in said
    assert len(said.strip().splitlines()) == 1
    assert bounds(shop) == before


def test_a_bound_is_checked_also_where_the_source_has_nothing_new(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    el(capsys, "run")
    before = bounds(shop)
    assert "'garbage' is no timestamp" in el(capsys, "state", "set", "orders", "garbage", "--yes", code=2)
    assert bounds(shop) == before


def test_a_bound_that_cannot_be_read_stops_its_own_table_until_it_is_reset(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    el(capsys, "run")
    shop.warehouse("UPDATE shop_sales._el_ledger SET upper_bound = 'garbage' WHERE table_name = 'orders'")
    shop.source("INSERT INTO sales.nothing VALUES (1, 'x')")
    said = el(capsys, "run", code=1)
    assert "sales.orders: cannot go on behind updated_at 'garbage'" in said
    assert "state reset sales.orders" in said
    assert "1 rows into 1 tables" in said
    el(capsys, "state", "reset", "orders", "--yes")
    assert "3,000 rows into 1 tables" in el(capsys, "run")


def test_a_table_that_was_never_loaded_has_no_state(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert "was never loaded" in el(capsys, "state", "reset", "orders", "--yes", code=2)


def test_state_is_not_changed_while_a_run_is_at_work(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    el(capsys, "run")
    with file_lock(shop.path / "warehouse.duckdb.lock", this_process("abc123")):
        assert "being loaded by run abc123" in el(capsys, "state", "reset", "orders", "--yes", code=3)


@pytest.mark.parametrize(
    ("type_", "written", "bound"),
    [
        ("TIMESTAMPTZ", "2024-01-01 12:00:00+05:00", "2024-01-01T07:00:00.000000Z"),
        ("TIMESTAMP", "2024-1-2", "2024-01-02T00:00:00.000000"),
        ("INTEGER", " 4 ", "4"),
    ],
)
def test_a_bound_stands_in_the_ledger_as_the_database_writes_it(
    shop: Workspace, capsys: pytest.CaptureFixture[str], type_: str, written: str, bound: str
) -> None:
    value = "i" if type_ == "INTEGER" else f"{type_} '2024-01-01 00:00:00+00' + i * INTERVAL 1 HOUR"
    shop.source(f"CREATE TABLE sales.at AS SELECT i AS id, {value} AS at FROM range(40) AS r(i)")
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.at, cursor: at, lag: 0}\n")
    el(capsys, "run", "--select", "at")
    assert f"behind at {bound} instead of" in el(capsys, "state", "set", "sales.at", written, "--yes")
    # Nothing changed at the source: what lies behind the bound is in raw already.
    el(capsys, "run", "--select", "at")
    assert shop.complete("at", "count(*), count(DISTINCT id)") == [(40, 40)]
