"""Whichever strategy brought it, the state that raw gives is PostgreSQL's, key by key and value by value, after the
loads of a random history of inserts, updates, changed keys and deletes, also while el reads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.connectors.postgres.conftest import PostgresShop
from tests.connectors.postgres.log.shop import database
from tests.connectors.random_history import KEYS, TABLES, History
from tests.servers.postgres import shared

LAYOUT = "a int, b varchar(10), v int, w varchar(20), changed bigint NOT NULL"
BY_XMIN = {"versions": f"versions, strategy: rowversion, {KEYS}"}
# Six values of b: no two of them are the same key.
TEXTS = ("x", "X", "y", "y ", "Ä", "ä")


def some_change(chance: random.Random, now: int) -> str:
    a, b, other = chance.randint(1, 4), chance.choice(TEXTS), chance.choice(TEXTS)
    v, w = chance.choice(("NULL", str(chance.randint(-5, 5)))), chance.choice(("NULL", "''", "'Ω text'"))
    same = f"a = {a} AND b = '{b}'"
    insert = f"INSERT INTO {{0}} (a, b, v, w, changed) VALUES ({a}, '{b}', {v}, {w}, {now}) ON CONFLICT"
    update = f"UPDATE {{0}} SET v = {v}, w = {w}, changed = {now} WHERE {same}"
    replace = f"{insert} (a, b) DO UPDATE SET v = excluded.v, w = excluded.w, changed = excluded.changed"
    move = (
        f"UPDATE {{0}} SET a = {a}, b = '{b}', changed = {now} WHERE a = {5 - a} AND b = '{other}' "
        f"AND NOT EXISTS (SELECT 1 FROM {{0}} WHERE {same})"
    )
    delete = f"DELETE FROM {{0}} WHERE {same}"
    nothing = f"{insert} DO NOTHING"
    return chance.choice((nothing, nothing, replace, update, update, move, move, delete, delete))


@pytest.fixture
def output() -> Iterator[dict[str, Any]]:
    """A database of the test's own: a publication and a slot are a database's."""
    with database(shared()) as made:
        yield made


@pytest.fixture
def history(shop: PostgresShop) -> History:
    made = History(shop, LAYOUT, some_change, {**TABLES, **BY_XMIN})
    made.create("CREATE PUBLICATION el FOR TABLE {schema}.logged")
    return made


def test_raw_gives_the_source_after_the_loads_of_a_random_history_by_each_strategy(history: History) -> None:
    history.load(seed=7, loads=4)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_the_models_give_the_source_after_forty_loads_of_a_random_history(history: History, seed: int) -> None:
    history.load(seed, loads=40)
    history.models_give_the_source()
