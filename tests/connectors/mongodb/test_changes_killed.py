"""kill -9 at steps of a run that follows a change stream: the next makes raw the same as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenes import EL_YML, WITHOUT_POSITIONS, QuietPlace, Scene
from tests.servers.mongodb import client_of, shared

IN_SUITE = 1
# The server's clock goes on by itself, and with it the bound of each run; a run without changes notes that alone.
COLUMNS = {**WITHOUT_POSITIONS, "orders": "_id, document, v, _el_op, _el_position"}


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with client_of(shared()) as client:
        yield client.dbo
        client.drop_database("dbo")


def a_scene(database: Any, folder: Path, load: str) -> Scene:
    """load: first, which is a snapshot; or delta."""
    database.client.drop_database("dbo")
    database.orders.insert_many([{"_id": number, "v": f"row {number}"} for number in range(40)])
    output = {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}
    place = QuietPlace(folder, {**shared(), "database": "dbo"}, output, tables=COLUMNS)
    (folder / "el.yml").write_text(EL_YML.format("strategy: changes, promote: {v: {path: v, type: varchar}}"))
    if load == "delta":
        assert place.run() == 0, place.said()
        with database.client.start_session() as session, session.start_transaction():
            database.orders.update_many({"_id": {"$lt": 7}}, {"$set": {"v": "changed"}}, session=session)
            database.orders.insert_one({"_id": 100}, session=session)
        database.orders.delete_many({"_id": {"$in": [20, 21]}})
    return Scene(place)


@pytest.fixture(scope="module")
def delta(database: Any, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return a_scene(database, tmp_path_factory.mktemp("delta"), "delta")


@pytest.mark.parametrize("number", range(IN_SUITE))
def test_a_run_killed_at_a_step_is_made_whole_by_the_next(delta: Scene, number: int) -> None:
    raw, _ = delta.undisturbed
    assert {row[3] for row in raw["orders"]} == {"S", "U", "D"}
    assert len(raw["orders"]) == 40 + 7 + 1 + 2
    delta.visit(delta.spread(number, IN_SUITE))


@pytest.mark.soak
@pytest.mark.parametrize("load", ["delta", "first"])
def test_a_run_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    database: Any, tmp_path: Path, subtests: pytest.Subtests, load: str
) -> None:
    scene = a_scene(database, tmp_path, load)
    for step in scene.undisturbed[1]:
        with subtests.test(f"{step[0]}, {step[1]}"):
            scene.visit(step)
