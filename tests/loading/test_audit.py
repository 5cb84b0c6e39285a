"""Who did what: `_el_audit`, and the file in which it waits."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from el import TableName, connect
from el.cli.app import main
from el.connectors.sql.audit import os_user
from el.loading import audit
from tests.shop import Workspace, inside

COLUMNS = "command, el_role, table_names, result, os_user, database_user, length(run_id)"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.delenv("EL_ROLE", raising=False)
    found = Workspace(tmp_path).create()
    yml = tmp_path / "el.yml"
    yml.write_text(
        yml.read_text().replace('  - {name: "sales.*"}\n', "").replace("tables:", "raw: {keep: 30d}\ntables:")
        + "dbt: {loads_taken: none}\n"
    )
    with inside(tmp_path):
        yield found


def rows(shop: Workspace) -> list[tuple[Any, ...]]:
    return shop.warehouse(f"SELECT {COLUMNS} FROM shop_sales._el_audit ORDER BY noted_at")


def quiet() -> int:
    return main(["run", "--progress", "none"])


def test_who_loaded_reset_and_purged_what_stands_in_raw(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quiet() == 0
    assert rows(shop) == [("run", "owner", "sales.orders", "done", os_user(), "duckdb", 12)]
    assert main(["state", "set", "sales.orders", "2024-01-01 00:00:00", "--yes"]) == 0
    monkeypatch.setenv("EL_ROLE", "engineer")
    assert main(["purge", "--yes"]) == 3
    assert main(["state", "reset", "sales.orders", "--yes"]) == 3
    assert main(["grants", "--role", "staging"]) == 3
    monkeypatch.delenv("EL_ROLE")
    assert main(["purge", "--yes"]) == 0
    assert main(["state", "reset", "sales.orders", "--yes"]) == 0
    assert [row[:4] for row in rows(shop)] == [
        ("run", "owner", "sales.orders", "done"),
        ("state set", "owner", "sales.orders", "done"),
        ("purge", "engineer", "", "refused"),
        ("state reset", "engineer", "", "refused"),
        ("grants staging", "engineer", "", "refused"),
        ("purge", "owner", "", "done"),
        ("state reset", "owner", "sales.orders", "done"),
    ]


def test_a_run_that_failed_before_a_warehouse_was_open_is_told_of_by_the_next_that_loads(shop: Workspace) -> None:
    (shop.path / "shop.duckdb").rename(shop.path / "away.duckdb")
    assert quiet() == 3
    (shop.path / "away.duckdb").rename(shop.path / "shop.duckdb")
    assert quiet() == 0
    assert [row[:4] for row in rows(shop)] == [
        ("run", "owner", "", "failed: DatabaseMissing"),
        ("run", "owner", "sales.orders", "done"),
    ]


def test_a_run_with_nothing_new_is_noted_in_the_file_and_goes_with_the_next_load(shop: Workspace) -> None:
    assert [quiet(), quiet()] == [0, 0]
    assert len(rows(shop)) == 1
    noted = [json.loads(line) for line in (shop.path / ".el" / "audit.jsonl").read_text().split("\n") if line]
    assert [(entry["command"], entry["result"]) for entry in noted] == [("run", "done")] * 2
    shop.source("INSERT INTO sales.orders VALUES (9001, 'late', 1, TIMESTAMP '2025-01-01')")
    assert quiet() == 0
    assert len(rows(shop)) == 3
    assert shop.warehouse("SELECT count(DISTINCT entry_id) FROM shop_sales._el_audit") == [(3,)]


def test_no_entry_is_added_twice_whatever_becomes_of_the_mark_and_a_line_that_was_cut_off(shop: Workspace) -> None:
    assert quiet() == 0
    (mark,) = (shop.path / ".el").rglob("audit.sent")
    mark.unlink()
    journal = shop.path / ".el" / "audit.jsonl"
    journal.write_text(journal.read_text() + '{"pair": "", "comm')
    assert main(["state", "reset", "sales.orders", "--yes"]) == 0
    assert [row[0] for row in rows(shop)] == ["run", "state reset"]


def test_a_run_whose_data_is_loaded_does_not_fail_by_its_audit(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.path / ".el").mkdir()
    (shop.path / ".el" / audit.JOURNAL).mkdir()
    shop.warehouse("CREATE SCHEMA shop_sales; CREATE TABLE shop_sales._el_audit (other INTEGER)")
    assert quiet() == 0
    assert len(shop.complete("orders")) == 3000


def test_a_write_from_python_is_noted_beside_its_table_once(shop: Workspace) -> None:
    for _ in range(2):
        with connect("warehouse") as warehouse:
            data = pa.table({"id": [1]})
            warehouse.write_buffer(TableName("main", "scores"), data, run_id="2024-06-01", create=True)
    found = shop.warehouse("SELECT command, el_role, table_names, run_id, result, os_user FROM main._el_audit")
    assert found == [("write_buffer append", "owner", "main.scores", "2024-06-01", "done", os_user())]


def test_no_value_and_no_text_of_an_error_is_noted(shop: Workspace) -> None:
    assert quiet() == 0
    assert main(["state", "set", "sales.orders", "no such moment", "--yes"]) == 2
    assert main(["state", "set", "sales.orders", "2024-01-01 00:17:00", "--yes"]) == 0
    noted = (shop.path / ".el" / "audit.jsonl").read_text()
    assert "failed: ConfigError" in noted
    assert "moment" not in noted
    assert "00:17:00" not in noted


def test_the_systems_user_is_not_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    assert getpass.getuser() == "somebody-else"
    assert os_user() != "somebody-else"
