"""What users of other tools lost of MongoDB, each with the right value here. The threads stand at each test."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import bson
import pyarrow as pa
import pytest
from bson import json_util
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128

from el.connectors.documents.fields import Field, Promotion
from el.connectors.documents.forms import EXTENDED_JSON
from el.connectors.misfits import Misfits
from el.connectors.mongodb.rows import converted
from tests.connectors.mongodb.conftest import Shop


def rows(*documents: dict[str, Any]) -> list[dict[str, Any]]:
    """As they land, of bytes that no server has to take."""
    found: list[dict[str, Any]] = converted([bson.encode(each) for each in documents]).to_pylist()
    return found


def test_documents_with_keys_of_several_types_all_land(shop: Shop) -> None:
    """estuary/connectors issue 4693 and powersync-ja/powersync-service pull request 290: a read that goes on behind a
    key passes over all keys of another type; datazip-inc/olake issue 514, airbytehq/airbyte issue 41604: an error.
    """
    keys: list[Any] = [
        "ping",
        7,
        7.5,
        bson.Int64(8),
        bson.ObjectId(),
        datetime(2024, 1, 1),
        b"\x00",
        {"a": 1},
        None,
        True,
    ]
    shop.store.database.orders.insert_many([{"_id": key, "n": n} for n, key in enumerate(keys)])
    shop.take("orders, promote: {n: {path: n, type: bigint}}")
    assert shop.run()["orders"]["rows"] == len(keys)
    assert sorted(n for (n,) in shop.raw("SELECT n FROM raw.orders")) == list(range(len(keys)))
    assert shop.raw("SELECT count(DISTINCT _id) FROM raw.orders") == [(len(keys),)]


@pytest.mark.parametrize("milliseconds", [8_640_000_000_000_000, 20_240_620_000_000_000, -(2**63)])
def test_a_date_beyond_the_year_9999_is_there_and_no_moment_that_it_is_not(milliseconds: int) -> None:
    """datahub-project/datahub issue 10079 and yougov/mongo-connector issue 279: the read ends with an error; elastic/
    connectors pull request 4148: it becomes another date."""
    (row,) = rows({"_id": 1, "until": DatetimeMS(milliseconds)})
    assert json.loads(row["document"])["until"] == {"$date": {"$numberLong": str(milliseconds)}}
    misfits = Misfits()
    field = Field("until", ("until",), pa.timestamp("us", "UTC"))
    found = Promotion((field,), misfits, EXTENDED_JSON).of(pa.array([row["document"]]), str)
    assert found["until"].to_pylist() == [None]
    assert [each.count for each in misfits] == [1]


def test_the_key_is_the_documents_own_wherever_it_stands() -> None:
    """slingdata-io/sling-cli issue 377: the value of the first field was taken for it."""
    (row,) = rows({"__v": 3, "_id": "a", "inner": {"_id": 9}})
    assert row["_id"] == '"a"'


def test_a_field_that_is_null_wherever_it_was_looked_at_is_there(shop: Shop) -> None:
    """mongodb-labs/mongo-arrow issue 225 and airbytehq/airbyte issue 36553: it has no column, or no name."""
    shop.store.database.orders.insert_many([{"_id": n, "gone": None} for n in range(3)])
    shop.take("orders, promote: {gone: {path: gone, type: date}}")
    shop.run()
    assert shop.raw(
        "SELECT DISTINCT document ->> '$.gone', gone, contains(document, '\"gone\":null') FROM raw.orders"
    ) == [(None, None, True)]


def test_a_field_that_few_documents_have_is_taken_from_the_first_one_to_the_last(shop: Shop) -> None:
    """airbytehq/airbyte issues 29512 and 42862: what a sample does not have is missed, what it has as null is another
    type; bruin-data/ingestr: fields behind the first 1,000 documents are passed over."""
    documents: list[dict[str, Any]] = [{"_id": n} for n in range(3_000)]
    documents[2_999]["rare"] = Decimal128("12.50")
    shop.store.database.orders.insert_many(documents)
    shop.take("orders, promote: {rare: {path: rare, type: 'decimal(18,2)'}}")
    assert shop.run()["orders"]["rows"] == 3_000
    assert shop.raw("SELECT _id, rare FROM raw.orders WHERE rare IS NOT NULL") == [
        ('{"$numberInt":"2999"}', Decimal("12.50"))
    ]


def test_a_field_of_two_types_loses_neither(shop: Shop) -> None:
    """dlt-hub/dlt issue 2088: a table for a list and a column for an object of one name end the load; PyMongoArrow
    makes NULL of the second type without a word.
    """
    values: list[Any] = [1, "str", 2.5, [1, 2], {"a": 1}, None]
    shop.store.database.orders.insert_many([{"_id": n, "v": value} for n, value in enumerate(values)])
    shop.take("orders, promote: {v: {path: v, type: double}}")
    taken = shop.run()["orders"]
    found = dict(shop.raw("SELECT CAST(document ->> '$._id.$numberInt' AS INT), v FROM raw.orders"))
    assert found == {0: 1.0, 1: None, 2: 2.5, 3: None, 4: None, 5: None}
    assert any("v: 3 values do not fit" in note for note in taken["notes"])
    assert [
        json_util.loads(text)["v"] for (text,) in shop.raw("SELECT document FROM raw.orders ORDER BY _id")
    ] == values


def test_money_in_34_digits_is_money_in_34_digits(shop: Shop) -> None:
    """mongodb/mongo-odbc-driver pull request 159: a cast of a Decimal128 goes by way of a double; dlt-hub/verified-
    sources (sources/mongodb): it is text."""
    amount = "12345678901234567890123456789012.34"
    shop.store.database.orders.insert_one({"_id": 1, "amount": Decimal128(amount)})
    shop.take("orders, promote: {amount: {path: amount, type: 'decimal(38,2)'}}")
    shop.run()
    assert shop.raw("SELECT amount FROM raw.orders") == [(Decimal(amount),)]


def test_a_deleted_document_with_a_text_as_its_key_is_gone(shop: Shop) -> None:
    """airbytehq/airbyte issue 32665: deletes of collections whose `_id` is a text do not arrive."""
    shop.store.database.orders.insert_many([{"_id": "a"}, {"_id": "b"}])
    shop.take("orders")
    shop.run()
    shop.store.database.orders.delete_one({"_id": "a"})
    shop.run()
    assert shop.raw("SELECT _id FROM raw.orders WHERE _el_op = 'D'") == [('"a"',)]


def test_an_update_of_a_document_that_is_gone_since_does_not_come_back_and_is_not_passed_over(shop: Shop) -> None:
    """bruin-data/ingestr: an update whose document is gone when it is looked up is skipped; so would be its delete."""
    orders = shop.store.database.orders
    orders.insert_one({"_id": 1, "v": 1})
    shop.take("orders")
    shop.run()
    orders.update_one({"_id": 1}, {"$set": {"v": 2}})
    orders.delete_one({"_id": 1})
    shop.run()
    last = "ORDER BY _dlt_load_id DESC, _el_position DESC LIMIT 1"
    assert shop.raw(f"SELECT _id, _el_op FROM raw.orders {last}") == [('{"$numberInt":"1"}', "D")]
