"""What a read of a collection gives: every document once, as it is."""

from __future__ import annotations

import json

from bson import Int64, ObjectId

from tests.connectors.mongodb.conftest import Shop, Store


def test_a_key_keeps_its_type(store: Store) -> None:
    oid = ObjectId()
    store.database.a.insert_many([{"_id": key} for key in (1, "1", Int64(2), 2.5, oid, {"a": 1})])
    keys = {row["_id"] for row in store.read("a")}
    assert keys == {
        '{"$numberInt":"1"}',
        '"1"',
        '{"$numberLong":"2"}',
        '{"$numberDouble":"2.5"}',
        f'{{"$oid":"{oid}"}}',
        '{"a":{"$numberInt":"1"}}',
    }


def test_documents_land_whole_with_their_keys(shop: Shop) -> None:
    shop.store.database.orders.insert_many([{"_id": 1, "total": 1.5, "x": "a"}, {"_id": 2, "total": "many"}])
    shop.take("orders")
    taken = shop.run()["orders"]
    assert (taken["status"], taken["rows"]) == ("loaded", 2), taken
    found = shop.raw("SELECT _id, document, _el_raw FROM raw.orders ORDER BY _id")
    assert [(key, json.loads(text), raw) for key, text, raw in found] == [
        ('{"$numberInt":"1"}', {"_id": {"$numberInt": "1"}, "total": {"$numberDouble": "1.5"}, "x": "a"}, None),
        ('{"$numberInt":"2"}', {"_id": {"$numberInt": "2"}, "total": "many"}, None),
    ]
