"""Whichever strategy brought it, the state that raw gives is MySQL's, key by key and value by value, after the loads of
a random history of inserts, updates, changed and respelt keys and deletes, also while el reads.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from el.extraction.slice import STEP
from tests.connectors.mysql.conftest import MySqlShop
from tests.dbt.project import Project, copy_project

KEYS = "deletes: {by: keys, every: 0s, max_percent: 100}"
TABLES = {
    "whole": "whole, strategy: full, skip_unchanged: false",
    "parts": "parts, strategy: full, partition_by: a, partitions: 3",
    "logged": "logged, strategy: changes",
    "grown": f"grown, strategy: cursor, cursor: changed, {KEYS}",
    "fewer": f'fewer, strategy: cursor, cursor: changed, filters: [{{column: v, op: ">=", value: -1}}], {KEYS}',
}
KEY, COLUMNS = "a, b", "a, b, v, w, changed"
# Three values of b, each in two spellings.
SPELLINGS = ("x", "X", "y", "y ", "Ä", "ä")
Rows = list[tuple[Any, ...]]


def some_changes(chance: random.Random, clock: Iterator[int]) -> list[tuple[str, ...]]:
    """Transactions on a table {0}; every change draws a later `changed`."""

    def one() -> str:
        now = next(clock)
        a, b, other = chance.randint(1, 4), chance.choice(SPELLINGS), chance.choice(SPELLINGS)
        v, w = chance.choice(("NULL", str(chance.randint(-5, 5)))), chance.choice(("NULL", "''", "'Ω text'"))
        same = f"a = {a} AND b = '{b}'"
        insert = f"INSERT IGNORE INTO {{0}} (a, b, v, w, changed) VALUES ({a}, '{b}', {v}, {w}, {now})"
        update = f"UPDATE {{0}} SET v = {v}, w = {w}, changed = {now} WHERE {same}"
        respell = f"UPDATE {{0}} SET b = '{b.swapcase()}', changed = {now} WHERE {same}"
        move = f"UPDATE IGNORE {{0}} SET a = {a}, b = '{b}', changed = {now} WHERE a = {5 - a} AND b = '{other}'"
        delete = f"DELETE FROM {{0}} WHERE {same}"
        return chance.choice((insert, insert, insert, update, update, respell, move, delete))

    return [tuple(one() for _ in range(chance.randint(1, 3))) for _ in range(chance.randint(0, 12))]


def apply(shop: MySqlShop, changes: list[tuple[str, ...]]) -> None:
    for name in TABLES:
        for statements in changes:
            with shop.server.transaction():
                shop.sql(*(each.format(f"{shop.schema}.{name}") for each in statements))


def by_text(rows: Rows) -> Rows:
    return sorted(rows, key=str)


def source(shop: MySqlShop) -> dict[str, Rows]:
    taken = {name: " WHERE v >= -1" if name == "fewer" else "" for name in TABLES}
    return {name: by_text(shop.fetch(f"SELECT {COLUMNS} FROM {{schema}}.{name}{taken[name]}")) for name in TABLES}


def found(shop: MySqlShop) -> dict[str, Rows]:
    return {name: by_text(shop.state(name, KEY, COLUMNS)) for name in TABLES}


def history(shop: MySqlShop, seed: int, loads: int) -> None:
    chance = random.Random(seed)
    clock = iter(range(1, 10**9))
    for name in TABLES:
        shop.sql(
            f"CREATE TABLE {{schema}}.{name} (a INT NOT NULL, b VARCHAR(10) COLLATE utf8mb4_general_ci NOT NULL, "
            "v INT NULL, w VARCHAR(20) NULL, changed BIGINT NOT NULL, PRIMARY KEY (a, b))"
        )
    waits: list[tuple[str, list[tuple[str, ...]]]] = []

    def between(event: str, arguments: tuple[object, ...]) -> None:
        if event == STEP and waits and arguments[0] == waits[-1][0]:
            apply(shop, waits.pop()[1])

    sys.addaudithook(between)
    kinds = set()
    for number in range(1, loads + 1):
        apply(shop, some_changes(chance, clock))
        busy = chance.random() < 0.4 and number < loads
        if busy:
            waits.append((chance.choice(("planned", "slice begun")), some_changes(chance, clock)))
        reports = shop.run(*TABLES.values())["tables"]
        kinds |= {(each["table"].partition(".")[2], each["kind"]) for each in reports}
        waits.clear()
        if not busy:
            assert found(shop) == source(shop), f"load {number}, seed {seed}"
    assert {("grown", "delta"), ("logged", "delta"), ("fewer", "delta"), ("parts", "snapshot")} <= kinds
    assert all(source(shop).values()), "there is something to compare"


def test_raw_gives_the_source_after_the_loads_of_a_random_history_by_each_strategy(shop: MySqlShop) -> None:
    history(shop, seed=7, loads=4)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_the_models_give_the_source_after_forty_loads_of_a_random_history(shop: MySqlShop, seed: int) -> None:
    history(shop, seed, loads=40)
    project = Project(shop.folder)
    copy_project(shop.folder, generated=False)
    project.el("codegen")
    project.models()
    wanted = source(shop)
    for name in TABLES:
        columns = f"SELECT {COLUMNS} FROM main_{shop.schema}.{name}"
        assert by_text(shop.raw(columns)) == wanted[name], f"{name}, seed {seed}"
