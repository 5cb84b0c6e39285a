"""While a random history of changes goes on, `verify` says of no strategy that something differs; a fault it finds."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from el.cli.app import main
from tests.planning.strategies.test_random_histories import STRATEGIES, for_each_table, shop, some_changes
from tests.tsql_shop import TsqlShop

__all__ = ["shop"]


def verified(shop: TsqlShop) -> tuple[int, dict[str, dict[str, Any]]]:
    shop.capsys.readouterr()
    code = main(["verify", "--json"])
    said = shop.capsys.readouterr()
    return code, {table["table"]: table for table in json.loads(said.out)["tables"]}


def history(shop: TsqlShop, seed: int, loads: int) -> None:
    chance = random.Random(seed)
    clock = iter(range(1, 10**9))
    compared = dict.fromkeys(STRATEGIES, 0)
    for number in range(loads):
        shop.sql(*for_each_table(some_changes(chance, clock)))
        shop.el()
        for _ in range(2):
            shop.sql(*for_each_table(some_changes(chance, clock)))
            step = chance.choice(("planned", "slice begun", "batch read", "slice finished"))
            shop.meanwhile(*for_each_table(some_changes(chance, clock)), step=step)
            code, found = verified(shop)
            assert code in (0, 1), f"load {number}, seed {seed}: {found}"
            for name in STRATEGIES:
                compared[name] += found[f"dbo.{name}"]["counts"]["compared"]
    assert all(compared[name] for name in ("full", "rowversion", "change_tracking", "cdc", "some_by_rowversion"))
    shop.el()
    for name in ("full", "rowversion", "change_tracking", "cdc"):
        shop.raw(f"UPDATE shop_dbo.\"{name}\" SET w = coalesce(w, '') || ' '")
    code, found = verified(shop)
    assert code == 4
    for name in ("full", "rowversion", "change_tracking", "cdc"):
        assert found[f"dbo.{name}"]["verdict"] == "DIFFERENT", found[f"dbo.{name}"]
        assert set(found[f"dbo.{name}"]["columns"]) == {"w"}


def test_a_random_history_brings_no_false_difference(shop: TsqlShop) -> None:
    history(shop, seed=3, loads=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_fifteen_loads_of_a_random_history_bring_no_false_difference(shop: TsqlShop, seed: int) -> None:
    history(shop, seed, loads=15)
