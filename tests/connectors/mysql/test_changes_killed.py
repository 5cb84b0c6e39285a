"""kill -9 at steps of a run that follows the binary log: the next run makes raw the same as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from el.connectors.mysql import MySql
from el.connectors.mysql.config import MySqlConfig
from el.connectors.sql.select import Statement
from tests.scenes import CHANGES, EL_YML, ROWS, Place, Scene
from tests.servers.mariadb import shared

IN_SUITE = 1
TABLE = "CREATE TABLE dbo.orders (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), changed DATETIME(3) NOT NULL)"


@pytest.fixture(scope="module")
def server() -> Iterator[MySql]:
    with MySql(MySqlConfig.model_validate(shared())) as found:
        yield found
        found.execute(Statement("DROP SCHEMA IF EXISTS dbo"))


def a_scene(server: MySql, folder: Path, load: str) -> Scene:
    """load: first, which is a snapshot; or delta."""
    for statement in ("DROP SCHEMA IF EXISTS dbo", "CREATE SCHEMA dbo", TABLE, ROWS):
        server.execute(Statement(statement.replace("N'", "'")))
    place = Place(folder, shared(), {"type": "duckdb", "path": str(folder / "warehouse.duckdb")})
    (folder / "el.yml").write_text(EL_YML.format("strategy: changes"))
    if load == "delta":
        assert place.run() == 0, place.said()
        for statement in CHANGES:
            server.execute(Statement(statement.replace("N'", "'")))
    return Scene(place)


@pytest.fixture(scope="module")
def delta(server: MySql, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return a_scene(server, tmp_path_factory.mktemp("delta"), "delta")


@pytest.mark.parametrize("number", range(IN_SUITE))
def test_a_run_killed_at_a_step_is_made_whole_by_the_next(delta: Scene, number: int) -> None:
    raw, _ = delta.undisturbed
    assert {row[3] for row in raw["orders"]} == {"S", "U", "D"}
    assert len(raw["orders"]) == 40 + 7 + 1 + 2
    delta.visit(delta.spread(number, IN_SUITE))


@pytest.mark.soak
@pytest.mark.parametrize("load", ["delta", "first"])
def test_a_run_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    server: MySql, tmp_path: Path, subtests: pytest.Subtests, load: str
) -> None:
    scene = a_scene(server, tmp_path, load)
    for step in scene.undisturbed[1]:
        with subtests.test(f"{step[0]}, {step[1]}"):
            scene.visit(step)
