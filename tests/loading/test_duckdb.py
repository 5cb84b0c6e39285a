"""A DuckDB file as the warehouse: when a run holds it, and when others may look into it."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from el.cli.app import main
from el.config.profiles import Output, load_output
from el.extraction.slice import STEP
from el.loading.duckdb import DuckDbWarehouse
from el.loading.lock import this_process
from el.loading.open import open_warehouse
from tests.shop import Workspace

LOOK = "import duckdb; print(duckdb.connect('warehouse.duckdb', read_only=True).sql('SELECT 1').fetchall())"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace(tmp_path).create()


def look(shop: Workspace) -> int:
    """Another process looks into the file; its exit code."""
    return subprocess.run([sys.executable, "-c", LOOK], cwd=shop.path, capture_output=True, check=False).returncode


def test_another_process_may_look_into_the_file_while_the_rows_are_read(shop: Workspace) -> None:
    looks: list[int] = []

    def between(event: str, arguments: tuple[object, ...]) -> None:
        if event == STEP and arguments[0] in ("planned", "extracted") and len(looks) < 2:
            looks.append(look(shop))

    sys.addaudithook(between)
    assert main(["run", "--progress", "none"]) == 0
    assert looks == [0, 0]


def test_the_file_is_opened_once_for_all_that_is_asked_while_it_is_kept_open(shop: Workspace) -> None:
    warehouse = open_warehouse(load_output(shop.path / "profiles.yml", "warehouse", None), "snake_case")
    assert isinstance(warehouse, DuckDbWarehouse)
    with warehouse.kept_open():
        with warehouse.connector:
            assert warehouse.tables("shop_sales") == set()
        assert look(shop) == 1
        with duckdb.connect(str(shop.path / "warehouse.duckdb")) as as_dlt_opens_it:
            assert as_dlt_opens_it.execute("SELECT 1").fetchall() == [(1,)]
    assert look(shop) == 0


def test_a_token_in_the_path_is_not_in_the_name_of_the_lock(tmp_path: Path) -> None:
    output = Output("warehouse", "it", {"type": "duckdb", "path": str(tmp_path / "w.duckdb?token=Gehe1mGehe1m")})
    with open_warehouse(output, "snake_case").locked(["raw"], this_process("run"), timedelta(minutes=1)):
        assert [path.name for path in tmp_path.iterdir()] == ["w.duckdb.lock"]
