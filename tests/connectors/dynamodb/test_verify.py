"""`verify` by a table's stream, whose records come a moment after the change."""

from __future__ import annotations

import json
import random

from tests.connectors.dynamodb.conftest import Shop, change
from tests.steps import once_at


def test_what_the_stream_tells_since_is_no_difference(orders: Shop) -> None:
    chance = random.Random(1)
    change(orders, chance, 30)
    orders.run()
    # The stream tells once more what came shortly before the first load: all of it is late until the next.
    orders.run()
    change(orders, chance, 5)
    met = once_at("slice begun", lambda: change(orders, chance, 5))
    said = orders.el("verify", "--json")
    assert (orders.code, met) == (0, [True]), said
    (table,) = json.loads(said)["tables"]
    assert table["verdict"] == "EQUAL"
    assert table["counts"]["late"] > 0
