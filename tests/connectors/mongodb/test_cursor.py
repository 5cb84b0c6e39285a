"""Strategy cursor by `el run`: a key or a field that grows, of whatever types its values are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from tests.connectors.mongodb.conftest import Shop

AT = datetime(2024, 1, 1, tzinfo=UTC)
BY_TIME = "orders, key: [_id], strategy: cursor, cursor: at, promote: {at: {path: meta.at, type: timestamptz}}"


def at(days: float) -> dict[str, Any]:
    return {"meta": {"at": AT + timedelta(days=days)}}


def ids(shop: Shop) -> list[int]:
    return sorted(int(key) for (key,) in shop.raw("""SELECT _id ->> '$."$numberInt"' FROM raw.orders"""))


def test_what_grew_past_the_bound_is_loaded_and_nothing_else_again(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.create_index("meta.at")
    orders.insert_many([{"_id": number, **at(number)} for number in range(5)])
    shop.take(BY_TIME)
    assert shop.run()["orders"]["rows"] == 5
    orders.insert_many([{"_id": 5, **at(4)}, {"_id": 6, **at(9)}])
    assert shop.run()["orders"]["rows"] == 2
    assert ids(shop) == [0, 1, 2, 3, 4, 5, 6]
    orders.update_one({"_id": 0}, {"$set": at(10)})
    assert shop.run()["orders"]["rows"] == 1
    assert ids(shop) == [0, 0, 1, 2, 3, 4, 5, 6]
    assert "nothing" in shop.run()["orders"]["status"] or shop.run()["orders"]["rows"] == 0


def test_a_document_with_another_type_in_the_cursors_field_is_not_lost(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": 0, **at(0)}, {"_id": 1, "meta": {"at": "2024-01-02"}}, {"_id": 2}])
    shop.take(BY_TIME)
    assert shop.run()["orders"]["rows"] == 3
    odd: list[Any] = ["2023-01-01T00:00:00Z", 17, None, [AT], [], {"a": 1}, Decimal128("1"), ObjectId(), True]
    orders.insert_many([{"_id": 10 + number, "meta": {"at": value}} for number, value in enumerate(odd)])
    orders.insert_one({"_id": 30, "meta": [{"at": AT - timedelta(days=1)}]})
    orders.insert_one({"_id": 31, "meta": 5})
    shop.run()
    assert set(ids(shop)) == {0, 1, 2, *range(10, 10 + len(odd)), 30, 31}
    shop.run()
    assert len(ids(shop)) == len(set(ids(shop)))


def test_numbers_of_all_types_have_one_order(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": 0, "n": 1}, {"_id": 1, "n": Int64(2**53)}, {"_id": 2, "n": float("nan")}])
    shop.take("orders, key: [_id], strategy: cursor, cursor: n, promote: {n: {path: n, type: 'decimal(38,2)'}}")
    assert shop.run()["orders"]["rows"] == 3
    orders.insert_one({"_id": 3, "n": Int64(2**53 + 1)})
    orders.insert_one({"_id": 4, "n": Decimal128("9007199254740993.25")})
    orders.insert_one({"_id": 5, "n": 9007199254740996.0})
    orders.insert_one({"_id": 6, "n": float("nan")})
    shop.run()
    assert ids(shop) == [0, 1, 2, 3, 4, 5, 6]
    orders.insert_one({"_id": 7, "n": 9007199254740998.0})
    shop.run()
    assert ids(shop) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_keys_are_a_cursor_and_a_key_of_another_type_is_not_lost(shop: Shop) -> None:
    orders = shop.store.database.orders
    shop.take("orders, strategy: cursor, cursor: _id")
    orders.insert_many([{"_id": ObjectId()} for _ in range(3)])
    assert "accept: [text_cursor]" in shop.el("plan")
    shop.take("orders, strategy: cursor, cursor: _id, accept: [text_cursor]")
    assert shop.run()["orders"]["rows"] == 3
    orders.insert_many([{"_id": ObjectId()}, {"_id": 1}, {"_id": "a"}, {"_id": float("nan")}, {"_id": {"a": 1}}])
    shop.run()
    assert shop.raw("SELECT count(*), count(DISTINCT _id) FROM raw.orders") == [(8, 8)]


def test_a_document_that_left_a_filter_is_told_as_deleted(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": number, "open": True, **at(number)} for number in range(3)])
    promote = "promote: {at: {path: meta.at, type: timestamptz}, open: {path: open, type: boolean}}"
    filters = "filters: [{column: open, op: '=', value: true}]"
    shop.take(f"orders, key: [_id], strategy: cursor, cursor: at, {filters}, {promote}")
    assert shop.run()["orders"]["rows"] == 3
    orders.update_one({"_id": 1}, {"$set": {"open": False, **at(9)}})
    shop.run()
    assert shop.raw("SELECT _id, _el_op FROM raw.orders WHERE _el_op = 'D'") == [('{"$numberInt":"1"}', "D")]


@pytest.mark.parametrize("type_", ["date", "timestamp", "json", "binary"])
def test_a_field_that_the_server_orders_otherwise_is_no_cursor(shop: Shop, type_: str) -> None:
    shop.store.database.orders.insert_one({"_id": 1})
    shop.take(f"orders, key: [_id], strategy: cursor, cursor: f, promote: {{f: {{path: f, type: {type_}}}}}")
    assert "cursor f" in shop.el("plan")
    assert shop.code != 0


def test_moments_beyond_the_years_that_python_knows_do_not_carry_the_bound(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": 0, **at(0)}, {"_id": 1, "meta": {"at": DatetimeMS(253_000_000_000_000)}}])
    shop.take(BY_TIME)
    assert shop.run()["orders"]["rows"] == 2
    orders.insert_one({"_id": 2, **at(1)})
    shop.run()
    assert ids(shop) == [0, 1, 2]


def test_keys_that_are_gone_are_told_by_the_key_set(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": number, **at(number)} for number in range(200)])
    shop.take(BY_TIME + ", deletes: {by: keys, every: 0s}")
    shop.run()
    orders.delete_one({"_id": 7})
    shop.run()
    assert shop.raw("SELECT _id FROM raw.orders WHERE _el_op = 'D'") == [('{"$numberInt":"7"}',)]
