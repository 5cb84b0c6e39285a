"""A snapshot by segments that was cut short: the next run reads the rest, and the stream has what is between."""

from __future__ import annotations

from tests.connectors.dynamodb.conftest import ORDERS, Shop, source_of, state_of
from tests.steps import run_in_process, steps_of_run


def test_a_snapshot_is_gone_on_with_and_the_next_delta_is_exact(orders: Shop) -> None:
    orders.take(f"{ORDERS}, partitions: 8")
    orders.store.put("orders", *({"id": {"S": f"k{number}"}, "n": {"N": "1"}} for number in range(200)))
    assert run_in_process(orders.folder, (), ("slice noted", 5)) == -9
    orders.store.put("orders", *({"id": {"S": f"k{number}"}, "n": {"N": "2"}} for number in range(0, 250, 3)))
    for number in range(1, 200, 10):
        orders.store.client.delete_item(TableName="orders", Key={"id": {"S": f"k{number}"}})
    code, steps = steps_of_run(orders.folder, ())
    output = (orders.folder / "output.log").read_text()
    assert code == 0, output
    assert "of 8 slices were read by an earlier run" in output
    assert sum(name == "slice taken over" for name, _ in steps) == 5
    assert sum(name == "slice begun" for name, _ in steps) <= 3
    orders.run()
    assert state_of(orders) == source_of(orders)
