"""What a read of a collection gives: every document once, as it is."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pymongo import monitoring
from pymongo.monitoring import CommandListener, register

from el.connectors.mongodb.extended import bytes_of
from el.connectors.request import Isolation, ReadRequest
from el.errors import PlanError, ReadError
from tests.connectors.mongodb.conftest import Shop, Store, on_a_store


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


# Keys of all types that have a range, and those beyond any range.
KEYS: tuple[Any, ...] = (
    *range(-20, 20),
    *(Int64(2**40 + number) for number in range(20)),
    *(number + 0.5 for number in range(20)),
    *(Decimal128(f"{number}.25") for number in range(10)),
    *(f"k{number:03d}" for number in range(40)),
    *(ObjectId() for _ in range(40)),
    *(datetime(2024, 1, 1) + timedelta(days=number) for number in range(20)),
    *({"a": number, "b": {"c": 1}} for number in range(20)),
    *(Binary(bytes([number])) for number in range(20)),
    *(Timestamp(number, 1) for number in range(10)),
    float("nan"),
    float("inf"),
    float("-inf"),
    None,
    True,
    False,
    MinKey(),
    MaxKey(),
    "",
    {},
)


@given(wanted=st.integers(2, 60), dropped=st.sets(st.integers(0, len(KEYS) - 1)))
@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_parts_have_each_document_once_whatever_the_type_of_its_key(wanted: int, dropped: set[int]) -> None:
    with on_a_store() as store:
        keys = [key for number, key in enumerate(KEYS) if number not in dropped]
        if keys:
            store.database.a.insert_many([{"_id": key} for key in keys])
        whole = Counter(row["_id"] for row in store.read("a"))
        request = ReadRequest(table=store.name("a"))
        with store.opened() as source:
            splits = source.splits(request, wanted, None)
            assert len(splits) <= wanted
            # Those that come while the parts are read, in front of all and behind all, come too.
            store.database.a.insert_one({"_id": "late"})
            parts = [pickle.loads(pickle.dumps(split)) for split in splits] or [None]
            reads = [replace(request, split=split) for split in parts]
            found = Counter(
                key for read in reads for key in source.read_buffer(read).to_arrow().column("_id").to_pylist()
            )
        assert found == whole + Counter(['"late"'])
        assert max(found.values()) == 1


def test_a_database_that_is_not_there_is_not_said_to_lack_one_collection(shop: Shop) -> None:
    shop.store.database.orders.insert_one({"_id": 1})
    shop.take("orders", database="nosuch")
    assert "in nosuch: this login sees no table there of the schemas that el.yml names" in shop.el("plan")
    shop.take("ordrs")
    assert "did you mean" in shop.el("plan")


def test_a_view_is_read_whole_and_has_no_parts(store: Store) -> None:
    store.database.a.insert_many([{"_id": number, "n": number % 2} for number in range(10)])
    store.database.command("create", "odd", viewOn="a", pipeline=[{"$match": {"n": 1}}])
    assert len(store.read("odd")) == 5
    with store.opened() as source:
        table = source.describe().table(store.name("odd"))
        assert table is not None
        assert (table.kind, table.primary_key) == ("view", None)
        assert not table.consistency.snapshot
        with pytest.raises(PlanError, match="partitions"):
            source.splits(ReadRequest(table=table.name), 4, None)


def test_reads_of_one_moment_ask_for_the_same_time_on_every_connection(store: Store) -> None:
    """That the server keeps to it is not shown here: the one that the tests start does not (docs/mongodb.md)."""
    store.database.a.insert_many([{"_id": number} for number in range(200)])
    asked: list[dict[str, Any]] = []

    class Seen(CommandListener):
        def started(self, event: Any) -> None:
            if event.command_name in ("find", "aggregate") and event.command.get("readConcern"):
                asked.append(dict(event.command["readConcern"]))

        def succeeded(self, event: Any) -> None: ...

        def failed(self, event: Any) -> None: ...

    register(Seen())
    try:
        request = ReadRequest(table=store.name("a"), isolation=Isolation.SNAPSHOT)
        with store.opened() as one, store.opened() as two, one.share_moment([two]) as sources:
            assert [source.read_buffer(request).to_arrow().num_rows for source in sources] == [200, 200]
        with store.opened() as alone:
            assert alone.read_buffer(request).to_arrow().num_rows == 200
    finally:
        monitoring._LISTENERS.command_listeners.pop()
    assert [each["level"] for each in asked] == ["snapshot"] * 3
    first, second, third = (each.get("atClusterTime") for each in asked)
    assert isinstance(first, Timestamp)
    assert first == second
    assert isinstance(third, Timestamp)


def test_a_server_by_itself_is_said_to_have_no_moment() -> None:
    with on_a_store("--standalone") as store, store.opened() as source:
        store.database.a.insert_one({"_id": 1})
        table = source.describe().table(store.name("a"))
        assert table is not None
        assert not table.consistency.snapshot
        assert "replica set" in table.consistency.no_snapshot
        assert source.standalone


EVERY: dict[str, Any] = {
    "double": [0.1, -0.0, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308],
    "text": ["", "Größe 日本 😀", '\x00\x1f"\\', "x" * 100_000],
    "empty": [{}, []],
    "bytes": [b"", bytes(range(256)), *(Binary(bytes(16), kind) for kind in (1, 3, 4, 5, 6, 128))],
    "id": ObjectId(),
    "yes": [True, False, None],
    "date": [DatetimeMS(0), DatetimeMS(-62_135_596_800_000), DatetimeMS(253_402_300_799_999)],
    "pattern": Regex("^a.*", "im"),
    "code": [Code("f()"), Code("f()", {"a": 1})],
    "int": [0, -(2**31), 2**31 - 1],
    "timestamp": [Timestamp(1, 2), Timestamp(2**32 - 1, 2**32 - 1)],
    "long": [Int64(0), Int64(-(2**63)), Int64(2**63 - 1)],
    "decimal": [Decimal128(text) for text in ("1.50", "-0", "9.999999999999999999999999999999999E+6144", "1E-6176")],
    "ends": [MinKey(), MaxKey()],
    "reference": DBRef("orders", 1),
    "a": {"b": [{"c": [[1], []]}]},
}


def test_every_type_stands_in_raw_and_gives_the_same_bytes_again(shop: Shop) -> None:
    documents = [{"_id": number, name: value} for number, (name, value) in enumerate(EVERY.items())]
    documents.append({"_id": 99, **EVERY})
    documents += [{"_id": 100 + number, "x": value} for number, value in enumerate(EVERY.values())]
    shop.store.database.orders.insert_many(documents)
    shop.take("orders, strategy: full")
    taken = shop.run()["orders"]
    assert (taken["status"], taken["rows"]) == ("loaded", len(documents)), taken
    found = shop.raw("SELECT CAST(document AS VARCHAR), _el_raw FROM raw.orders")
    wanted = sorted(bson.encode(each) for each in documents)
    assert sorted(raw or bytes_of(text) for text, raw in found) == wanted


def test_a_server_that_steps_down_is_an_error_that_may_pass() -> None:
    with on_a_store("--enable-test-commands") as store:
        store.database.a.insert_one({"_id": 1})
        admin = store.database.client.admin
        for code, passes in ((10107, True), (189, True), (2, False)):
            failing = {"failCommands": ["find"], "errorCode": code}
            admin.command("configureFailPoint", "failCommand", mode={"times": 5}, data=failing)
            with store.opened(login_timeout=1) as source, pytest.raises(ReadError) as raised:
                source.read_buffer(ReadRequest(table=store.name("a"))).to_arrow()
            admin.command("configureFailPoint", "failCommand", mode="off")
            assert raised.value.retryable is passes
        assert len(store.read("a")) == 1
