"""What each run did: `_el_runs`, the file in which it waits, and the command that shows it."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from el.cli.app import main
from el.errors import ServerUnreachable
from el.loading import runs
from el.loading.duckdb import DuckDbWarehouse
from tests.shop import Workspace, inside

COLUMNS = "command, result, tables_loaded, tables_failed, row_count, error"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("EL_ROLE", raising=False)
    found = Workspace(tmp_path).create()
    yml = tmp_path / "el.yml"
    yml.write_text(yml.read_text().replace('  - {name: "sales.*"}\n', "  - {name: sales.lines, strategy: full}\n"))
    with inside(tmp_path):
        yield found


def quiet() -> int:
    return main(["run", "--progress", "none"])


def rows(shop: Workspace) -> list[tuple[Any, ...]]:
    return shop.warehouse(f"SELECT {COLUMNS} FROM shop_sales._el_runs ORDER BY started_at")


def journal(shop: Workspace) -> Path:
    (found,) = shop.path.glob(f".el/*/{runs.JOURNAL}")
    return found


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main(["runs", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_leaves_a_row_with_its_tables_versions_and_duration(shop: Workspace) -> None:
    assert quiet() == 0
    assert rows(shop) == [("run", "done", 2, 0, 12_000, "")]
    ((details, seconds),) = shop.warehouse("SELECT details, seconds FROM shop_sales._el_runs")
    kept = json.loads(details)
    assert {table["table"]: table["rows"] for table in kept["tables"]} == {"sales.orders": 3000, "sales.lines": 9000}
    assert {"el", "python", "dlt", "duckdb"} <= set(kept["versions"])
    assert seconds > 0


def test_a_run_with_nothing_new_waits_in_the_working_folder_and_goes_with_the_next_load(shop: Workspace) -> None:
    assert [quiet(), quiet()] == [0, 0]
    assert len(rows(shop)) == 1
    shop.source("INSERT INTO sales.orders VALUES (9001, 'late', 1, TIMESTAMP '2025-01-01')")
    assert quiet() == 0
    assert [row[:5] for row in rows(shop)] == [
        ("run", "done", 2, 0, 12_000),
        ("run", "done", 0, 0, 0),
        ("run", "done", 1, 0, 1),
    ]


def test_a_run_that_could_do_nothing_is_kept_with_its_error_and_with_what_to_do(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.path / "shop.duckdb").rename(shop.path / "away.duckdb")
    assert quiet() == 3
    last = shown(capsys, "show")
    assert (last["result"], last["exit_code"]) == ("failed", 3)
    assert "shop.duckdb" in last["error"]
    assert last["advice"]
    (shop.path / "away.duckdb").rename(shop.path / "shop.duckdb")
    assert quiet() == 0
    assert [row[:2] for row in rows(shop)] == [("run", "failed"), ("run", "done")]


def test_a_failure_to_plan_is_told_at_once_where_raw_is_known_and_the_same_one_waits(shop: Workspace) -> None:
    assert quiet() == 0
    (shop.path / "shop.duckdb").rename(shop.path / "away.duckdb")
    assert [quiet(), quiet()] == [3, 3]
    assert [row[:2] for row in rows(shop)] == [("run", "done"), ("run", "failed")]


def test_a_warehouse_that_does_not_answer_is_asked_once(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise ServerUnreachable("nobody answers")

    asked: list[object] = []
    monkeypatch.setattr(DuckDbWarehouse, "locked", away)
    monkeypatch.setattr(runs.Runs, "deliver", lambda *_: asked.append("once more"))
    assert quiet() == 3
    assert asked == []
    assert shown(capsys, "show", "--local")["result"] == "failed"


def test_a_table_that_fails_anew_is_told_at_once_and_the_same_failure_waits(shop: Workspace) -> None:
    assert quiet() == 0
    shop.source("ALTER TABLE sales.lines ALTER COLUMN price TYPE VARCHAR")
    shop.source("UPDATE sales.lines SET price = 'abc'")
    assert quiet() == 1
    ((error,),) = shop.warehouse("SELECT error FROM shop_sales._el_runs WHERE result = 'failed'")
    assert "price" in error
    assert quiet() == 1
    assert [row[1] for row in rows(shop)] == ["done", "failed"]


def test_a_run_that_was_killed_is_known_of(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert shop.run(stop_at=("extracted", 1)) == -9
    assert shown(capsys, "--local")[0]["result"] == "killed"
    assert shop.run() == 0
    assert [row[1] for row in rows(shop)] == ["killed", "done"]


def test_no_run_is_added_twice_whatever_becomes_of_the_mark_and_of_a_line_that_was_cut_off(shop: Workspace) -> None:
    assert quiet() == 0
    (mark,) = shop.path.glob(f".el/*/{runs.MARK}")
    mark.unlink()
    with journal(shop).open("a") as file:
        file.write('{"run_id": "cut')
    shop.source("INSERT INTO sales.orders VALUES (9001, 'late', 1, TIMESTAMP '2025-01-01')")
    assert quiet() == 0
    assert [row[1] for row in rows(shop)] == ["done", "done"]


def test_what_is_delivered_is_put_aside_when_it_is_long(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_ROTATE", 10)
    assert quiet() == 0
    (aside,) = shop.path.glob(f".el/*/{runs.BEFORE}")
    assert not list(shop.path.glob(f".el/*/{runs.JOURNAL}"))
    assert '"result": "done"' in aside.read_text()
    shop.source("INSERT INTO sales.orders VALUES (9001, 'late', 1, TIMESTAMP '2025-01-01')")
    assert quiet() == 0
    assert len(rows(shop)) == 2


def test_runs_of_another_machine_are_listed_and_shown(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert quiet() == 0
    journal(shop).unlink()
    assert shown(capsys, "--local") == []
    (found,) = shown(capsys)
    assert found["result"] == "done"
    assert shown(capsys, "show", found["run_id"][:5])["run_id"] == found["run_id"]
    assert main(["runs", "show", "none"]) == 2


def test_runs_lists_the_newest_first_and_says_what_failed(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert quiet() == 0
    (shop.path / "shop.duckdb").rename(shop.path / "away.duckdb")
    assert quiet() == 3
    capsys.readouterr()
    assert main(["runs"]) == 0
    head, newest, oldest = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "run"
    assert "failed" in newest
    assert "shop.duckdb" in newest
    assert "12,000" in oldest


def test_where_the_warehouse_does_not_answer_the_working_folder_does(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quiet() == 0
    (shop.path / "warehouse.duckdb").write_bytes(b"no database")
    capsys.readouterr()
    assert main(["runs"]) == 0
    said = capsys.readouterr()
    assert "of this machine alone" in said.err
    assert "12,000" in said.out


def test_a_run_whose_data_is_loaded_does_not_fail_by_its_record(shop: Workspace) -> None:
    shop.warehouse("CREATE SCHEMA shop_sales; CREATE TABLE shop_sales._el_runs (other INTEGER)")
    assert quiet() == 0
    assert len(shop.complete("orders")) == 3000


def test_a_second_run_at_the_same_time_is_noted_as_one_that_found_the_lock_taken(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(shop.path / "warehouse.duckdb.lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert quiet() == 3
    assert shown(capsys, "show", "--local")["result"] == "locked"
