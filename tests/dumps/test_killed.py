"""kill -9 at steps of a run over files, into each warehouse: the next run makes raw as if nothing had happened.

The suite takes some steps of the run; `-m soak` takes all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from el.connectors.sql.select import Statement
from tests.scenes import COPY, Place, Scene, opened
from tests.standins.snowflake import SnowflakeStandIn

EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
dumps:
  - {name: dbo.orders, files: "*.csv", format: csv, changed: replace, rejects: 1}
"""
TABLES = {
    "orders": "id, v, _el_file, _el_row, _el_op, _el_position",
    "_el_ledger": "table_name, source_table, kind, strategy, bound_column, lower_bound, upper_bound, row_count, "
    "deleted_count, partitions, fingerprint, incarnation, el_version",
    "_el_columns": "table_name, column_name, landed_as",
    "_el_files": "table_name, file_id, uri, sha256, header, columns_added, record_count, row_count, rejected_count, "
    "status, replaces",
    "_el_rejects": "table_name, file_id, row_number, byte_offset, reason",
}
IN_SUITE = {"duckdb": 2, "snowflake": 1}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    with SnowflakeStandIn() as server:
        with opened(server.dbt_output()) as connector:
            connector.execute(Statement(f"CREATE DATABASE {COPY}"))
        yield {name: _scene(tmp_path_factory.mktemp(name), name, server) for name in IN_SUITE}


def _scene(folder: Path, warehouse: str, server: SnowflakeStandIn) -> Scene:
    """Loaded once; a new file, one that was changed, one that was touched, and one with a bad record wait."""
    files, place = folder / "files", folder / "scene"
    files.mkdir()
    place.mkdir()
    (place / "el.yml").write_text(EL_YML)
    for number in range(3):
        _write(files / f"{number}.csv", "id,v\n" + "".join(f"{number}{n},row {n}\n" for n in range(20)), 100)
    output = {"type": "duckdb", "path": str(place / "warehouse.duckdb")}
    if warehouse == "snowflake":
        output = server.dbt_output()
    source = {"type": "files", "url": str(files)}
    found = Place(place, source, output, server if warehouse == "snowflake" else None, TABLES)
    assert found.run() == 0, found.said()
    _write(files / "1.csv", "id,v\n1,changed\n", 50)
    _write(files / "2.csv", (files / "2.csv").read_text(), 50)
    _write(files / "3.csv", "v,id,more\nx,3,m\nbad\ny,4,\n", 200)
    return Scene(found)


def _write(path: Path, text: str, age: int) -> None:
    path.write_text(text)
    os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))


@pytest.mark.parametrize("warehouse", IN_SUITE)
def test_the_run_that_is_killed_takes_what_is_new_and_nothing_else(scenes: dict[str, Scene], warehouse: str) -> None:
    raw, steps = scenes[warehouse].undisturbed
    assert len(raw["orders"]) == 60 + 1 + 2
    assert sorted(row[-2] for row in raw["_el_files"]) == ["loaded"] * 5 + ["unchanged"]
    assert len(raw["_el_rejects"]) == 1
    assert len(set(steps)) == len(steps) >= 25


@pytest.mark.parametrize(
    ("warehouse", "number"), [(name, number) for name, most in IN_SUITE.items() for number in range(most)]
)
def test_a_run_killed_at_a_step_is_made_whole_by_the_next(
    scenes: dict[str, Scene], warehouse: str, number: int
) -> None:
    scenes[warehouse].visit(scenes[warehouse].spread(number, IN_SUITE[warehouse]))


@pytest.mark.soak
@pytest.mark.parametrize("warehouse", IN_SUITE)
def test_a_run_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    scenes: dict[str, Scene], subtests: pytest.Subtests, warehouse: str
) -> None:
    for step in scenes[warehouse].undisturbed[1]:
        with subtests.test(f"{step[0]}, {step[1]}"):
            scenes[warehouse].visit(step)
