"""Whole runs over tables that are read out of exports: one export a table and run, and the stream goes on from it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from el.connectors import dynamodb as connector
from el.connectors.dynamodb import export
from tests.connectors.dynamodb.conftest import ORDERS, Shop, change, source_of, state_of
from tests.connectors.dynamodb.exports import Exports
from tests.steps import once_at

TO = {"bucket": "bucket", "prefix": "el"}


@pytest.fixture
def exports(orders: Shop, monkeypatch: pytest.MonkeyPatch) -> Exports:
    """The service's calls of exports, in front of a server that has none."""
    found, own = Exports(orders.store.client), connector.client_of

    def client_of(*arguments: Any) -> Any:
        client = own(*arguments)
        for name in ("export_table_to_point_in_time", "describe_export", "describe_continuous_backups"):
            setattr(client, name, getattr(found, name))
        return client

    monkeypatch.setattr(connector, "client_of", client_of)
    monkeypatch.setattr(connector.DynamoDb, "_store", lambda self: found.bucket)
    monkeypatch.setattr(export.time, "sleep", lambda seconds: None)
    return found


def test_changes_go_on_from_an_export_by_the_stream(orders: Shop, exports: Exports) -> None:
    chance = random.Random(1)
    change(orders, chance, 30)
    orders.take(ORDERS, export=TO)
    planned = once_at("planned", lambda: change(orders, chance, 20))
    # What is written behind the export's moment, before it is read, is in the stream alone.
    exports.met = lambda: change(orders, chance, 20)
    first = orders.run()["orders"]
    assert (first["kind"], bool(planned), exports.made) == ("snapshot", True, ["orders"])
    for _ in range(2):
        assert orders.run()["orders"]["kind"] == "delta"
        assert state_of(orders) == source_of(orders)
        change(orders, chance, 20)
    assert exports.made == ["orders"], "deltas need none"


def test_a_read_that_is_tried_again_and_its_arrays_take_the_one_export_of_the_run(
    orders: Shop, exports: Exports
) -> None:
    line = {"M": {"sku": {"S": "x"}}}
    orders.store.put("orders", {"id": {"S": "1"}, "lines": {"L": [line, line]}}, {"id": {"S": "2"}})
    orders.take("orders, strategy: full, deletes: keys, unnest: lines", export=TO)
    el_yml = orders.folder / "el.yml"
    el_yml.write_text(el_yml.read_text().replace("retries: 0", "retries: 2"))
    exports.bucket.fails = 1
    run = orders.run()
    assert {name: table["rows"] for name, table in run.items()} == {"orders": 2, "orders_lines": 2}
    assert exports.bucket.fails == 0, "one read was tried again"
    assert exports.made == ["orders"]
    orders.store.client.delete_item(TableName="orders", Key={"id": {"S": "2"}})
    assert orders.run()["orders"]["rows"] == 1
    assert exports.made == ["orders", "orders"], "each run has its own, and looks for keys in no other"


def test_the_plan_says_what_a_table_out_of_an_export_is_and_what_another_one_could_be(
    orders: Shop, exports: Exports
) -> None:
    orders.take("orders, strategy: full")
    said = orders.el("plan", "--why")
    assert "sees no one moment" in said
    assert "a point-in-time export (`export` in the profile) prevents it" in said
    orders.take("orders, strategy: full", export=TO)
    said = orders.el("plan", "--why")
    assert "sees one moment in each read" in said
    assert "written meanwhile" not in said
    assert exports.made == []


def test_without_point_in_time_recovery_the_plan_says_what_it_would_give(orders: Shop, exports: Exports) -> None:
    exports.recovery = "DISABLED"
    orders.take("orders, strategy: full", export=TO)
    said = orders.el("plan")
    assert "dynamodb.orders: point-in-time recovery is off, and an export needs it" in said
    assert "update-continuous-backups --table-name orders" in said
    assert "gives the table as it was at one moment, at no read capacity" in said
    assert orders.run()["orders"]["status"] != "loaded"
    assert exports.made == []
    assert "gives the table as it was at one moment" in orders.el("check")
