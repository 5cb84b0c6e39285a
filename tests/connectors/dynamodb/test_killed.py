"""kill -9 at steps of a run that follows a stream: the next makes raw the same as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenes import EL_YML, WITHOUT_POSITIONS, QuietPlace, Scene
from tests.servers.dynamodb import client_of, make_table, shared

# So many tests share the steps of a load, and each one's time is limited.
PARTS = 8
# The service's clock is in each place, so of a position the record's own number is compared.
COLUMNS = {**WITHOUT_POSITIONS, "orders": "id, document, v, _el_op, split_part(_el_position, '.', 3)"}


def item(number: int, v: str) -> dict[str, Any]:
    return {"id": {"S": str(number)}, "v": {"S": v}}


def a_scene(client: Any, folder: Path, load: str) -> Scene:
    """load: first, which is a snapshot; or delta."""
    make_table(client, "orders", id="S")
    for number in range(40):
        client.put_item(TableName="orders", Item=item(number, f"row {number}"))
    # A stream that begins behind the rows: else the first delta has them once more.
    for wanted in ({"StreamEnabled": False}, {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}):
        client.update_table(TableName="orders", StreamSpecification=wanted)
    place = QuietPlace(folder, shared(), {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}, tables=COLUMNS)
    settings = EL_YML.format("strategy: changes, promote: {v: {path: v, type: varchar}}").replace("dbo.", "dynamodb.")
    (folder / "el.yml").write_text("raw: {schema: shop_dbo}\n" + settings)
    if load == "delta":
        assert place.run() == 0, place.said()
        for number in (*range(7), 100):
            client.put_item(TableName="orders", Item=item(number, "changed"))
        for number in (20, 21):
            client.delete_item(TableName="orders", Key={"id": {"S": str(number)}})
    return Scene(place)


@pytest.fixture(scope="module", params=["delta", "first"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    client = client_of(shared())
    found = a_scene(client, tmp_path_factory.mktemp("scene"), request.param)
    ops = {row[3] for row in found.undisturbed[0]["orders"]}
    assert ops == ({"S", "U", "D"} if request.param == "delta" else {"S"})
    yield found
    client.delete_table(TableName="orders")
    client.close()


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    scene: Scene, subtests: pytest.Subtests, part: int
) -> None:
    for step in scene.undisturbed[1][part::PARTS]:
        with subtests.test(f"{step[0]}, {step[1]}"):
            scene.visit(step)
