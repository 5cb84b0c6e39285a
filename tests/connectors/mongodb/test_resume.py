"""A snapshot in ranges of `_id` that was cut short: the next run reads the rest, and the stream has what is between."""

from __future__ import annotations

from tests.connectors.mongodb.conftest import Shop
from tests.connectors.mongodb.test_changes import held, state
from tests.steps import run_in_process, steps_of_run


def test_a_snapshot_is_gone_on_with_and_the_next_delta_is_exact(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": number, "v": f"row {number}"} for number in range(800)])
    shop.take("orders, strategy: changes, partitions: 8")
    assert run_in_process(shop.folder, (), ("slice noted", 5)) == -9
    orders.update_many({"_id": {"$mod": [7, 0]}}, {"$set": {"v": "changed"}})
    orders.delete_many({"_id": {"$mod": [50, 3]}})
    orders.insert_many([{"_id": 9000}, {"_id": "a text"}, {"_id": 53, "v": "here again"}])
    code, steps = steps_of_run(shop.folder, ())
    output = (shop.folder / "output.log").read_text()
    assert code == 0, output
    read, parts = sum(name == "slice begun" for name, _ in steps), sum(name == "slice taken over" for name, _ in steps)
    assert "were read by an earlier run" in output
    assert parts == 5
    assert read <= 3
    orders.update_many({"_id": {"$gt": 700}}, {"$set": {"v": "later"}})
    shop.run()
    assert held(shop) == state(shop)
