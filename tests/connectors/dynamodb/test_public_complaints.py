"""What users of other tools lost of DynamoDB, each with the right value here. The threads stand at each test."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

from el.connectors.catalog import TableName
from el.connectors.documents.fields import Field, Promotion
from el.connectors.documents.forms import DYNAMODB_JSON
from el.connectors.dynamodb.items import text_of
from el.connectors.misfits import Misfits
from el.connectors.request import ReadRequest
from tests.connectors.dynamodb.conftest import Shop, Store

LARGE = "123456789012345678901234567890"


def test_numbers_of_a_set_keep_their_digits(store: Store) -> None:
    """stackshy/cloudemu pull request 713: numbers of a set beyond 2^53 were rounded; awslabs/amazon-dynamodb-tools
    pull request 221: a set became a list, a number a double, and a null was left out."""
    store.table("orders")
    store.put(
        "orders", {"id": {"S": "1"}, "set": {"NS": [LARGE, "1"]}, "list": {"L": [{"N": LARGE}]}, "no": {"NULL": True}}
    )
    (row,) = store.read("orders")
    assert json.loads(row["document"]) == {
        "id": {"S": "1"},
        "set": {"NS": ["1", LARGE]},
        "list": {"L": [{"N": LARGE}]},
        "no": {"NULL": True},
    }


def test_a_number_in_a_key_is_the_number_that_its_item_can_be_found_by(store: Store) -> None:
    """boto/boto issue 873: the key had become a float, so the item could not be deleted."""
    store.table("orders", id="S", at="N")
    key = "1234567890123.12345678901234567890123"
    store.put("orders", {"id": {"S": "1"}, "at": {"N": key}})
    (row,) = store.read("orders")
    assert row["at"] == key
    store.client.delete_item(TableName="orders", Key={"id": {"S": row["id"]}, "at": {"N": row["at"]}})
    assert store.read("orders") == []


def test_an_empty_table_lands_with_its_key_and_does_not_stop_the_others(shop: Shop) -> None:
    """airbytehq/airbyte issue 43408: a table without items had no key, and no connection could be made."""
    for name in ("empty", "full"):
        shop.store.table(name)
    shop.store.put("full", {"id": {"S": "1"}})
    shop.take("empty", "full")
    taken = shop.run()
    assert {name: (table["rows"], table["error"]) for name, table in taken.items()} == {
        "empty": (0, None),
        "full": (1, None),
    }


def test_attributes_that_only_the_last_items_have_are_there(shop: Shop) -> None:
    """scylladb/scylla-migrator issue 103, airbytehq/airbyte issue 54730 and awslabs/aws-athena-query-federation issue
    75: the first page or a sample says which attributes there are, and others are left out. Here are three pages."""
    shop.store.table("orders", id="N")
    items = [{"id": {"N": str(number)}, "v": {"S": "x" * 20_000}} for number in range(150)]
    shop.store.put("orders", *items)
    (last,) = shop.store.client.scan(TableName="orders")["Items"][-1:]
    shop.store.put("orders", {**last, "rare": {"N": "12.50"}})
    shop.take('orders, promote: {rare: {path: rare, type: "decimal(18,2)"}}')
    assert shop.run()["orders"]["rows"] == 150
    assert shop.raw("SELECT rare FROM raw.orders WHERE rare IS NOT NULL") == [(Decimal("12.50"),)]


def test_a_null_in_a_map_and_a_list_of_several_types_are_there(store: Store) -> None:
    """awslabs/aws-athena-query-federation issue 118: a null within a map ended the read of all tables."""
    store.table("orders")
    inside = {"M": {"f1": {"N": "456"}, "f2": {"NULL": True}, "f3": {"L": [{"N": "1"}, {"S": "1"}, {"NULL": True}]}}}
    store.put("orders", {"id": {"S": "foo"}, "o": inside})
    (row,) = store.read("orders")
    assert json.loads(row["document"])["o"] == inside


def test_an_end_that_is_written_as_an_empty_key_is_the_end(store: Store) -> None:
    """pynamodb/PynamoDB pull request 1307: a page whose LastEvaluatedKey is an empty map was followed by the first one
    again, and items came twice."""
    store.table("orders")
    store.put("orders", {"id": {"S": "1"}})
    pages = []
    with store.opened() as source:

        def emptied(response_dict: dict[str, Any], **_: object) -> None:
            pages.append(response_dict["body"])
            response_dict["body"] = response_dict["body"][:-1] + b',"LastEvaluatedKey":{}}'
            response_dict["headers"].pop("x-amz-crc32", None)

        source.client.meta.events.register_first("before-parse.dynamodb.Scan", emptied)
        found = source.read_buffer(ReadRequest(table=TableName("dynamodb", "orders"))).to_arrow()
    assert (found.num_rows, len(pages)) == (1, 1)


def test_a_value_100_levels_deep_keeps_its_text_and_gives_its_field() -> None:
    """The service takes 32 levels; what converts them has no such end."""
    value: dict[str, Any] = {"N": LARGE}
    for _ in range(100):
        value = {"M": {"m": value}}
    text = text_of({"a": value}).decode()
    assert json.loads(text) == {"a": value}
    misfits = Misfits()
    field = Field("deep", ("a", *["m"] * 100), pa.decimal128(38, 0))
    found = Promotion((field,), misfits, DYNAMODB_JSON).of(pa.array([text], pa.string()), str)
    assert (found["deep"].to_pylist(), list(misfits)) == ([Decimal(LARGE)], [])
