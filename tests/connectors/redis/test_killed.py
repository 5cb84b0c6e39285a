"""kill -9 at steps of a run that takes a stream of Redis: the next makes raw the same as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.scenes import EL_YML, TABLES, Place, Scene
from tests.servers.redis import shared

IN_SUITE = 1
COLUMNS = {**TABLES, "orders": "id, document, v, _el_op, _el_position"}
SERVER_DATABASE = 9  # the other tests empty database 0


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    output = shared("valkey")
    found: Any = redis.Redis(port=output["port"], password=output["password"], db=SERVER_DATABASE, protocol=2)
    yield found
    found.flushdb()


def a_scene(client: Any, folder: Path, load: str) -> Scene:
    """load: first, which is a snapshot; or delta."""
    client.flushdb()
    for number in range(1, 41):
        client.execute_command("XADD", "orders", f"1-{number}", "v", f"row {number}")
    tables = {"orders": {"stream": "orders", "document": True}}
    source = {**shared("valkey"), "database": SERVER_DATABASE, "tables": tables}
    place = Place(folder, source, {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}, tables=COLUMNS)
    settings = EL_YML.format("promote: {v: {path: v, type: varchar}}").replace("dbo.", f"db{SERVER_DATABASE}.")
    (folder / "el.yml").write_text("raw: {schema: shop_dbo}\n" + settings)
    if load == "delta":
        assert place.run() == 0, place.said()
        for number in range(41, 61):
            client.execute_command("XADD", "orders", f"1-{number}", "v", f"row {number}")
    return Scene(place)


@pytest.fixture(scope="module")
def delta(client: Any, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return a_scene(client, tmp_path_factory.mktemp("delta"), "delta")


@pytest.mark.parametrize("number", range(IN_SUITE))
def test_a_run_killed_at_a_step_is_made_whole_by_the_next(delta: Scene, number: int) -> None:
    raw, _ = delta.undisturbed
    assert [row[2] for row in raw["orders"]] == [f"row {number}" for number in range(1, 61)]
    delta.visit(delta.spread(number, IN_SUITE))


@pytest.mark.soak
@pytest.mark.parametrize("load", ["delta", "first"])
def test_a_run_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    client: Any, tmp_path: Path, subtests: pytest.Subtests, load: str
) -> None:
    scene = a_scene(client, tmp_path, load)
    for step in scene.undisturbed[1]:
        with subtests.test(f"{step[0]}, {step[1]}"):
            scene.visit(step)
