"""`verify` of a store of documents: by its log, by a field that grows, and whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.mongodb.conftest import Shop
from tests.connectors.mongodb.test_cursor import BY_TIME, at


def verified(shop: Shop, code: int = 0) -> dict[str, Any]:
    said = shop.el("verify", "--json")
    assert shop.code == code, said
    (table,) = json.loads(said)["tables"]
    return dict(table)


@pytest.mark.parametrize("strategy", ["changes", "full"])
def test_what_changed_since_is_no_difference_and_a_fault_is_found(shop: Shop, strategy: str) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": number, "note": f"row {number}"} for number in range(50)])
    shop.take(f"orders, strategy: {strategy}")
    shop.run()
    assert verified(shop)["counts"]["equal"] == 50
    orders.update_one({"_id": 1}, {"$set": {"note": "changed"}})
    orders.delete_one({"_id": 2})
    found = verified(shop)
    assert found["verdict"] == "EQUAL", found
    assert found["counts"]["compared"] == (48 if strategy == "changes" else 49)
    shop.raw("UPDATE raw.orders SET document = replace(document, 'row 7', 'row 8')")
    found = verified(shop, 4)
    assert "document" in found["columns"]


def test_by_a_field_that_grows(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": number, **at(number)} for number in range(50)])
    shop.take(BY_TIME)
    shop.run()
    assert verified(shop)["counts"]["compared"] == 49
    orders.update_one({"_id": 1}, {"$set": at(60)})
    orders.update_one({"_id": 7}, {"$set": {"note": "silently"}})
    found = verified(shop, 4)
    assert (found["counts"]["different"], found["counts"]["late"]) == (1, 2)
