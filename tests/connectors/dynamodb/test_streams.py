"""Whole runs over a table with a stream: raw's state is the table's; what the stream lost stops the table by name."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from el.connectors.dynamodb import DynamoDb, streams
from el.connectors.dynamodb.streams_position import KEPT_MS, Place
from tests.connectors.dynamodb.conftest import ORDERS, Shop, change, source_of, state_of
from tests.connectors.dynamodb.streams import MadeShard, MadeStream, numbered
from tests.steps import once_at, run_in_process


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 6))])
def test_over_a_random_history_the_state_of_raw_is_that_of_the_table(orders: Shop, seed: int) -> None:
    chance = random.Random(seed)
    change(orders, chance, 30)
    met = once_at("planned", lambda: change(orders, chance, 20))
    first = orders.run()["orders"]
    assert first["kind"] == "snapshot"
    assert met, "there were changes while the snapshot was read"
    for _ in range(4):
        change(orders, chance, chance.randint(0, 25))
        assert orders.run()["orders"]["kind"] == "delta"
        assert state_of(orders) == source_of(orders)
    assert {row[0] for row in orders.raw("SELECT DISTINCT _el_op FROM raw.orders")} == {"S", "U", "D"}


def test_each_change_is_there_with_the_item_as_it_was_before_where_that_is_asked(orders: Shop) -> None:
    orders.take(f"{ORDERS}, images: both")
    orders.run()
    for number in ("1", "2"):
        orders.store.put("orders", {"id": {"S": "a"}, "n": {"N": number}})
    orders.store.client.delete_item(TableName="orders", Key={"id": {"S": "a"}})
    orders.run()
    found = orders.raw("SELECT _el_op, document->>'$.n.N' FROM raw.orders ORDER BY _el_position")
    assert found == [("U", "1"), ("B", "1"), ("U", "2"), ("D", "2")]


def test_a_promoted_field_and_the_document_of_a_deleted_item_are_null(orders: Shop) -> None:
    orders.take(f'{ORDERS}, promote: {{n: {{path: n, type: "decimal(38,0)"}}}}')
    orders.run()
    orders.store.put("orders", {"id": {"S": "a"}, "n": {"N": "12345678901234567890123456789012345678"}})
    orders.run()
    orders.store.client.delete_item(TableName="orders", Key={"id": {"S": "a"}})
    orders.run()
    found = orders.raw("SELECT _el_op, n::text, document FROM raw.orders ORDER BY _el_position")
    whole = "12345678901234567890123456789012345678"
    assert found == [("U", whole, f'{{"id":{{"S":"a"}},"n":{{"N":"{whole}"}}}}'), ("D", None, None)]


def test_an_item_that_expired_is_deleted_as_by_anyone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MadeStream({"a": MadeShard()}, at=datetime.now(UTC), outlived=frozenset({3}))
    monkeypatch.setattr(DynamoDb, "streams", made)
    shop.store.table("orders", k="S")
    shop.store.put("orders", *({"k": {"S": key}, "n": {"N": "1"}} for key in ("gone", "kept")))
    shop.take(f"{ORDERS}, images: both")
    shop.run()
    made.shards["a"].records += [*numbered(2, key="kept"), *numbered(3, key="gone")]
    shop.run()
    found = shop.raw("SELECT k, _el_op, document->>'$.n.N' FROM raw.orders WHERE _el_op <> 'S' ORDER BY _el_position")
    assert found == [("kept", "U", "2"), ("gone", "D", "3")]


@pytest.mark.parametrize("how", ["off", "off and on again", "made anew"])
def test_a_stream_that_is_another_one_stops_its_table_and_says_what_to_do(orders: Shop, how: str) -> None:
    orders.store.put("orders", {"id": {"S": "1"}})
    orders.run()
    client = orders.store.client
    if how == "made anew":
        client.delete_table(TableName="orders")
        orders.store.table("orders")
    else:
        client.update_table(TableName="orders", StreamSpecification={"StreamEnabled": False})
    if how == "off and on again":
        again = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        client.update_table(TableName="orders", StreamSpecification=again)
    said = orders.el("run")
    assert orders.code != 0
    assert ("has no stream: aws dynamodb update-table" if how == "off" else "begins anew with a snapshot") in said
    if how != "off":
        assert "--full-refresh --select dynamodb.orders" in said
        orders.el("run", "--full-refresh")
        assert orders.code == 0
        assert state_of(orders) == source_of(orders)


def test_a_run_that_comes_a_day_late_stops_and_does_not_pass_over_the_gap(
    orders: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.run()
    now = streams.DynamoDbStream._time
    monkeypatch.setattr(streams.DynamoDbStream, "_time", lambda self: now(self) + KEPT_MS + 60_000)
    said = orders.el("run")
    assert orders.code == 1
    assert "older than the 24 hours" in said
    assert "--full-refresh --select dynamodb.orders" in said


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_without_items_as_they_are_is_refused_in_the_plan(orders: Shop, view: str) -> None:
    client = orders.store.client
    for wanted in ({"StreamEnabled": False}, {"StreamEnabled": True, "StreamViewType": view}):
        client.update_table(TableName="orders", StreamSpecification=wanted)
    said = orders.el("plan")
    assert f"the stream has {view}, no items as they are after a change" in said
    assert "StreamViewType=NEW_AND_OLD_IMAGES" in said


def test_the_place_of_a_load_is_in_the_ledger_with_its_stream(orders: Shop) -> None:
    orders.run()
    orders.store.put("orders", {"id": {"S": "1"}})
    orders.run()
    held = orders.raw("SELECT upper_bound, incarnation FROM raw._el_ledger ORDER BY _dlt_load_id DESC LIMIT 1")
    text, stream = held[0]
    (read,) = Place.of(text).shards.values()
    (position,) = orders.raw("SELECT _el_position FROM raw.orders")[0]
    assert position.split(".")[2] == f"{read:0>40}", "the number of the last record"
    assert stream == orders.store.client.describe_table(TableName="orders")["Table"]["LatestStreamArn"]


def test_a_run_that_is_killed_while_more_changes_come_loses_and_doubles_nothing(orders: Shop) -> None:
    chance = random.Random(1)
    orders.run()
    change(orders, chance, 20)
    assert run_in_process(orders.folder, (), ("slice finished", 1)) == -9
    change(orders, chance, 5)
    orders.run()
    assert state_of(orders) == source_of(orders)
    complete = "_dlt_load_id IN (SELECT load_id FROM raw._dlt_loads WHERE status = 0)"
    number = "split_part(_el_position, '.', 3)"
    ((rows, numbers),) = orders.raw(
        f"SELECT count(*), count(DISTINCT {number}) FROM raw.orders WHERE _el_op <> 'S' AND {complete}"
    )
    assert rows == numbers, "each record of the stream is there once"
