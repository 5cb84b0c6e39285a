"""kill -9 at every step of a run, for each strategy, into each warehouse: the next run makes raw the same as if nothing
had happened, and leaves nothing behind.

The suite takes some steps of each run; `-m soak` takes all of them, and then 500 at random, also while recovering.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.scenes import STRATEGIES, WAREHOUSES, Scene, Scenes
from tests.steps import Step

# Steps of each run that the suite takes: into Snowflake everything takes twice as long.
IN_SUITE = {"duckdb": 2, "snowflake": 1}
# 500 in all.
RANDOM_KILLS = 50

strategies = pytest.mark.parametrize("strategy", STRATEGIES)
warehouses = pytest.mark.parametrize("warehouse", WAREHOUSES)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    with Scenes(tmp_path_factory.mktemp("scenes")) as found:
        yield found


def steps_of(scene: Scene) -> list[Step]:
    """The steps that are visited one by one. What dlt makes and removes in the working folder, before and after what
    it moves there, is the same whatever the warehouse: that is visited with DuckDB, which takes half the time.
    """
    local = ("folder made", "file removed")
    return [step for step in scene.undisturbed[1] if scene.place.server is None or not step[0].startswith(local)]


@strategies
@warehouses
def test_a_run_consists_of_at_least_25_steps(scenes: Scenes, strategy: str, warehouse: str) -> None:
    scene = scenes.scene(strategy, warehouse, "delta")
    raw, steps = scene.undisturbed[0], steps_of(scene)
    assert len(set(steps)) == len(steps) >= 25
    assert {row[3] for row in raw["orders"]} == ({"S"} if strategy == "full" else {"S", "U", "D"})
    assert len(raw["_el_ledger"]) == 2
    assert {name for name, rows in raw.items() if rows} == {"orders", "_el_ledger", "_el_columns"}


@strategies
@pytest.mark.parametrize(
    ("warehouse", "number"), [(name, number) for name in WAREHOUSES for number in range(IN_SUITE[name])]
)
def test_a_run_killed_at_a_step_is_made_whole_by_the_next(
    scenes: Scenes, strategy: str, warehouse: str, number: int
) -> None:
    """At steps that are spread over the run, those of each strategy between those of the others."""
    scene = scenes.scene(strategy, warehouse, "delta")
    steps, parts = steps_of(scene), IN_SUITE[warehouse] * len(STRATEGIES)
    place = number * len(STRATEGIES) + list(STRATEGIES).index(strategy)
    scene.visit(steps[len(steps) * place // parts])


def every_step(scene: Scene, subtests: pytest.Subtests) -> None:
    for step in steps_of(scene):
        with subtests.test(f"{step[0]}, {step[1]}"):
            scene.visit(step)


@pytest.mark.soak
@strategies
@warehouses
def test_a_run_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    scenes: Scenes, subtests: pytest.Subtests, strategy: str, warehouse: str
) -> None:
    every_step(scenes.scene(strategy, warehouse, "delta"), subtests)


@pytest.mark.soak
@pytest.mark.parametrize("strategy", ["cdc"])
@warehouses
def test_a_first_load_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    scenes: Scenes, subtests: pytest.Subtests, strategy: str, warehouse: str
) -> None:
    """A first load is a snapshot whatever the strategy; that of CDC notes its position before it."""
    every_step(scenes.scene(strategy, warehouse, "first"), subtests)


@pytest.mark.soak
@strategies
@warehouses
def test_kills_at_random_steps_some_of_them_while_recovering_change_nothing(
    scenes: Scenes, subtests: pytest.Subtests, strategy: str, warehouse: str
) -> None:
    chance = random.Random(f"{strategy} {warehouse}")
    kills = 0
    while kills < RANDOM_KILLS:
        scene = scenes.scene(strategy, warehouse, chance.choice(("first", "delta")))
        steps = len(scene.undisturbed[1])
        # By number, for the steps of a run that recovers are others.
        stops = [chance.randint(1, steps) for _ in range(chance.choice((1, 1, 2, 3)))]
        killed = len(stops)
        with subtests.test(f"{scene.place.path.name} {stops}"):
            # Fewer, where a run that recovers comes to its end before.
            killed = scene.visit(*stops)
        kills += killed
