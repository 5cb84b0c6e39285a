"""kill -9 at the steps of a load that Snowflake reads by itself: the next run makes raw as if nothing had happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from el.connectors.sql.select import Statement
from tests.dumps.test_killed import TABLES
from tests.scenes import COPY, Place, Scene, opened
from tests.standins.snowflake import SnowflakeStandIn
from tests.steps import Step

EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
dumps:
  - {name: dbo.orders, files: "*.parquet", format: parquet, changed: replace, express: require}
  - {name: dbo.notes, files: "*.csv", format: csv, changed: replace, express: require}
"""
OF_THE_SUITE = ("text checked", "express files copied", "rows of the express way inserted", "express load noted")
COMPARED = {name: columns for name, columns in TABLES.items() if name != "_el_rejects"}
COMPARED["notes"] = COMPARED["orders"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Loaded once; a new file and one that was changed wait."""
    files, place = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("express") / "scene"
    place.mkdir()
    (place / "el.yml").write_text(EL_YML)
    for number in range(2):
        _write(files / f"{number}.parquet", 20, 100)
    with SnowflakeStandIn() as server:
        with opened(server.dbt_output()) as connector:
            connector.execute(Statement(f"CREATE DATABASE {COPY}"))
            connector.execute(Statement(f"CREATE STAGE EL.PUBLIC.DUMPS URL = '{files.as_uri()}/'"))
        source = {"type": "files", "url": str(files), "stage": "EL.PUBLIC.DUMPS"}
        found = Place(place, source, server.dbt_output(), server, COMPARED)
        assert found.run() == 0, found.said()
        _write(files / "1.parquet", 3, 50)
        _write(files / "2.parquet", 5, 50)
        yield Scene(found)


def _write(path: Path, rows: int, age: int) -> None:
    """As parquet, and beside it as a text."""
    pq.write_table(pa.table({"id": list(range(rows)), "v": [f"row {n}" for n in range(rows)]}), path)
    text = path.with_suffix(".csv")
    text.write_text("id,v\n" + "".join(f'{n},"row {n}"\n' for n in range(rows)))
    for each in (path, text):
        os.utime(each, (1_700_000_000 - age, 1_700_000_000 - age))


@pytest.mark.parametrize("name", OF_THE_SUITE)
def test_an_express_load_killed_at_a_step_is_made_whole_by_the_next_run(scene: Scene, name: str) -> None:
    raw, steps = scene.undisturbed
    assert len(raw["orders"]) == len(raw["notes"]) == 40 + 3 + 5
    step: Step = next(step for step in steps if name in step)
    scene.visit(step)


@pytest.mark.soak
def test_an_express_load_killed_at_any_step_is_made_whole_by_the_next_run(
    scene: Scene, subtests: pytest.Subtests
) -> None:
    for step in scene.undisturbed[1]:
        with subtests.test(f"{step[0]}, {step[1]}"):
            scene.visit(step)
