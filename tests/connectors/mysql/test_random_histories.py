"""Whichever strategy brought it, the state that raw gives is MySQL's, key by key and value by value, after the loads of
a random history of inserts, updates, changed and respelt keys and deletes, also while el reads.
"""

from __future__ import annotations

import random

import pytest

from tests.connectors.mysql.conftest import MySqlShop
from tests.connectors.random_history import History

LAYOUT = (
    "a INT NOT NULL, b VARCHAR(10) COLLATE utf8mb4_general_ci NOT NULL, "
    "v INT NULL, w VARCHAR(20) NULL, changed BIGINT NOT NULL"
)
# Three values of b, each in two spellings.
SPELLINGS = ("x", "X", "y", "y ", "Ä", "ä")


def some_change(chance: random.Random, now: int) -> str:
    a, b, other = chance.randint(1, 4), chance.choice(SPELLINGS), chance.choice(SPELLINGS)
    v, w = chance.choice(("NULL", str(chance.randint(-5, 5)))), chance.choice(("NULL", "''", "'Ω text'"))
    same = f"a = {a} AND b = '{b}'"
    insert = f"INSERT IGNORE INTO {{0}} (a, b, v, w, changed) VALUES ({a}, '{b}', {v}, {w}, {now})"
    update = f"UPDATE {{0}} SET v = {v}, w = {w}, changed = {now} WHERE {same}"
    respell = f"UPDATE {{0}} SET b = '{b.swapcase()}', changed = {now} WHERE {same}"
    move = f"UPDATE IGNORE {{0}} SET a = {a}, b = '{b}', changed = {now} WHERE a = {5 - a} AND b = '{other}'"
    delete = f"DELETE FROM {{0}} WHERE {same}"
    return chance.choice((insert, insert, insert, update, update, respell, move, delete))


@pytest.fixture
def history(shop: MySqlShop) -> History:
    made = History(shop, LAYOUT, some_change)
    made.create()
    return made


def test_raw_gives_the_source_after_the_loads_of_a_random_history_by_each_strategy(history: History) -> None:
    history.load(seed=7, loads=4)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_the_models_give_the_source_after_forty_loads_of_a_random_history(history: History, seed: int) -> None:
    history.load(seed, loads=40)
    history.models_give_the_source()
