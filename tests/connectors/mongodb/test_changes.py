"""A collection that is followed by `el run`: the state that raw gives is the source's, and what is lost is loud."""

from __future__ import annotations

import random
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from el.config.profiles import Output
from el.connectors.abilities import Followed
from el.connectors.mongodb.changes import ChangeStream, NotBefore
from el.connectors.mongodb.extended import text_of
from el.connectors.mongodb.stream import RAW
from el.connectors.mongodb.stream_place import Place
from el.connectors.request import ReadRequest
from el.loading.current_state import CurrentState
from el.loading.open import open_warehouse
from tests.connectors.mongodb.conftest import Shop, Store
from tests.servers.mongodb import client_of, server
from tests.steps import once_at

IMAGES = {"changeStreamPreAndPostImages": {"enabled": True}}
KEYS: tuple[Any, ...] = (1, 1.5, "a", bson.ObjectId("0" * 24), {"a": 1}, b"\x00", None)


def state(shop: Shop, table: str = "orders") -> dict[str, str]:
    """Keys and documents, as the SQL of dbt's macro takes them from raw."""
    output = {"type": "duckdb", "path": str(shop.folder / "warehouse.duckdb")}
    warehouse = open_warehouse(Output("warehouse", "it", output), "snake_case")
    with warehouse.connector:
        asked = CurrentState(warehouse, f"shop_{shop.store.database.name}", table).rows(
            ("_id", "document"), ("_id",), None
        )
        return {str(row[0]): str(row[1]) for row in warehouse.connector.fetch(asked) if not row[2]}


def held(shop: Shop, table: str = "orders") -> dict[str, str]:
    found: dict[str, str] = {}
    document: RawBSONDocument
    for document in shop.store.database[table].with_options(codec_options=RAW).find():
        text = text_of(document.raw)
        found[str(text.key)] = text.document
    return found


def ops(shop: Shop) -> list[str]:
    return [op for (op,) in shop.raw("SELECT _el_op FROM raw.orders ORDER BY _dlt_load_id, _el_position")]


def test_a_collection_is_followed_unasked_with_its_deletes(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": 1, "v": 1}, {"_id": 2, "v": 2}, {"_id": 3}])
    shop.take("orders")
    taken = shop.run()["orders"]
    assert (taken["strategy"], taken["kind"], taken["rows"]) == ("change_stream", "snapshot", 3)
    orders.update_one({"_id": 1}, {"$set": {"v": 10}})
    orders.replace_one({"_id": 2}, {"x": 1})
    orders.delete_one({"_id": 3})
    orders.insert_one({"_id": 4})
    taken = shop.run()["orders"]
    assert (taken["status"], taken["kind"], taken["rows"]) == ("loaded", "delta", 4), taken
    assert ops(shop) == ["S", "S", "S", "U", "U", "D", "U"]
    assert shop.raw("SELECT _id, document, _el_raw FROM raw.orders WHERE _el_op = 'D'") == [
        ('{"$numberInt":"3"}', None, None)
    ]
    assert state(shop) == held(shop)
    assert shop.run()["orders"]["rows"] == 0


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 9))])
def test_through_random_histories_with_writes_while_el_reads_raw_gives_the_source(shop: Shop, seed: int) -> None:
    chance, database = random.Random(seed), shop.store.database
    database.create_collection("orders", **(IMAGES if seed % 2 else {}))
    shop.take("orders")

    def some() -> None:
        for _ in range(chance.randint(0, 12)):
            key, orders = chance.choice(KEYS), database.orders
            with database.client.start_session() as session:
                session.start_transaction()
                for _ in range(chance.randint(1, 3)):
                    orders.update_one({"_id": key}, {"$set": {"v": chance.random()}}, upsert=True, session=session)
                    if chance.random() < 0.4:
                        orders.delete_one({"_id": chance.choice(KEYS)}, session=session)
                session.commit_transaction() if chance.random() < 0.8 else session.abort_transaction()

    for _ in range(6):
        some()
        busy = once_at(chance.choice(("planned", "slice begun")), some) if chance.random() < 0.5 else None
        assert shop.run()["orders"]["status"] != "failed"
        assert busy or state(shop) == held(shop), seed
    shop.run()
    assert state(shop) == held(shop) != {}
    assert shop.run("--full-refresh")["orders"]["kind"] == "snapshot"
    assert state(shop) == held(shop)


def test_what_changes_while_the_snapshot_is_read_comes_with_the_first_delta(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_many([{"_id": number} for number in range(5)])
    shop.take("orders")

    def change() -> None:
        orders.delete_one({"_id": 0})
        orders.insert_one({"_id": 9})

    once_at("slice begun", change)
    shop.run()
    shop.run()
    assert state(shop) == held(shop)


def test_promoted_fields_are_of_each_change_and_null_of_a_deleted_document(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_one({"_id": 1, "v": bson.Int64(1)})
    shop.take("orders, promote: {v: {path: v, type: bigint}}")
    shop.run()
    orders.update_one({"_id": 1}, {"$set": {"v": "many"}})
    orders.update_one({"_id": 1}, {"$set": {"v": 7}})
    orders.delete_one({"_id": 1})
    shop.run()
    assert shop.raw("SELECT _el_op, v FROM raw.orders ORDER BY _dlt_load_id, _el_position")[-1] == ("D", None)
    # A place that the read itself knows is noted also where fields are promoted.
    ((bound,),) = shop.raw("SELECT upper_bound FROM raw._el_ledger ORDER BY _dlt_load_id DESC LIMIT 1")
    assert Place.of(bound).token is not None


def test_former_documents_are_taken_where_the_server_keeps_them(shop: Shop) -> None:
    database = shop.store.database
    database.create_collection("orders")
    shop.take("orders, strategy: changes, images: both")
    assert "collMod" in shop.run()["orders"]["error"]
    database.command({"collMod": "orders", **IMAGES})
    shop.run()
    database.orders.insert_one({"_id": 1, "v": 1})
    database.orders.update_one({"_id": 1}, {"$set": {"v": 2}})
    shop.run()
    database.orders.delete_one({"_id": 1})
    shop.run()
    assert ops(shop) == ["U", "B", "U", "D"]
    assert state(shop) == {}


@pytest.mark.parametrize("ended", ["dropped", "replaced by $out", "gone with its database"])
def test_a_collection_that_was_made_anew_begins_a_new_snapshot(shop: Shop, ended: str) -> None:
    database = shop.store.database
    database.orders.insert_many([{"_id": 1}, {"_id": 2}])
    database.others.insert_one({"_id": 3})
    shop.take("orders")
    shop.run()
    if ended == "dropped":
        database.orders.drop()
        database.orders.insert_one({"_id": 3})
    elif ended == "replaced by $out":
        list(database.others.aggregate([{"$out": "orders"}]))
    else:
        database.client.drop_database(database.name)
        database.orders.insert_one({"_id": 3})
    taken = shop.run()["orders"]
    assert (taken["status"], taken["kind"]) == ("loaded", "snapshot"), taken
    assert state(shop) == held(shop)
    assert set(held(shop)) == {'{"$numberInt":"3"}'}


def test_a_collection_that_is_dropped_while_el_reads_stops_its_table(shop: Shop) -> None:
    orders = shop.store.database.orders
    orders.insert_one({"_id": 1})
    shop.take("orders")
    shop.run()
    orders.insert_one({"_id": 2})
    once_at("slice begun", orders.drop)
    # What was up to the plan is read, or the table stops: never half of it.
    taken = shop.run()["orders"]
    assert taken["status"] == "loaded" or "it was dropped" in taken["error"]
    assert ops(shop) in (["S"], ["S", "U"])


def test_a_position_that_the_oplog_no_longer_has_stops_the_table_and_says_what_to_do(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with server("--oplog-max-entries", "20") as output, client_of(output) as client:
        shop = Shop(Store(output, client.shop), folder, capsys)
        client.shop.orders.insert_one({"_id": 1})
        shop.take("orders")
        shop.run()
        client.shop.orders.delete_one({"_id": 1})
        client.shop.busy.insert_many([{"n": number} for number in range(50)])
        client.admin.command("secantusAdmin.pruneOplog")
        taken = shop.run()["orders"]
        assert taken["status"] == "failed"
        assert "the oplog does not reach back to raw's position any longer" in taken["error"]
        assert "--full-refresh --select shop.orders" in taken["error"]
        assert state(shop) == {'{"$numberInt":"1"}': '{"_id":{"$numberInt":"1"}}'}
        assert shop.run("--full-refresh")["orders"]["status"] in ("loaded", "unchanged")
        assert state(shop) == {}


def test_a_position_of_another_cluster_or_of_a_later_time_is_refused(store: Store) -> None:
    store.database.orders.insert_one({"_id": 1})
    with store.opened() as source:
        catalog = source.describe()
        table = catalog.table(store.name("orders"))
        assert table is not None
        feed = ChangeStream(source, Followed(table, catalog, table.columns, ("_id",)))
        assert feed.obstacle() is None
        since = feed.now()
        assert feed.alive(since) is None
        assert since.log is not None
        other = type(since)(since.text, "another" + since.log)
        assert "this is another cluster" in str(feed.alive(other))
        later = type(since)("4294967295.0000000001", since.log)
        assert "it was restored" in str(feed.alive(later))
        unknown = type(since)(str(Place.at(Place.of(since.text).time, {"_data": "82"})), since.log)
        assert "does not know raw's position" in str(feed.alive(unknown))


def test_a_snapshot_is_read_of_no_earlier_moment_than_its_place(store: Store) -> None:
    """A secondary that lags has to wait."""
    store.database.orders.insert_one({"_id": 1})
    with store.opened() as source:
        catalog = source.describe()
        table = catalog.table(store.name("orders"))
        assert table is not None
        feed = ChangeStream(source, Followed(table, catalog, table.columns, ("_id",)))
        assert feed.obstacle() is None
        place = Place.of(feed.now().text)
        read = feed.snapshot()
        assert isinstance(read, NotBefore)
        assert read.time >= place.time
        assert source.read_buffer(ReadRequest(table=table.name, changes=read)).to_arrow().num_rows == 1


@pytest.mark.parametrize(
    ("made", "entry", "says"),
    [
        ({"viewOn": "others", "pipeline": []}, "orders", "no changes of its own"),
        ({"capped": True, "size": 10_000}, "orders", "a capped collection drops"),
        ({}, "orders, key: [document]", "the stream has its `_id` alone"),
        ({}, "orders, columns: {_id: {exclude: true}}", "the stream has its `_id` alone"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name_and_read_whole_where_nobody_asked(
    shop: Shop, made: dict[str, Any], entry: str, says: str
) -> None:
    shop.store.database.create_collection("orders", **made)
    name, _, more = entry.partition(", ")
    shop.take(f"{name}, strategy: changes" + (f", {more}" if more else ""))
    taken = shop.run()["orders"]
    assert says in taken["error"], taken
    shop.take(entry)
    assert shop.run()["orders"]["strategy"] == "full"


def test_a_login_that_may_not_read_changes_reads_whole(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(collection: Any) -> Any:
        raise OperationFailure(f"not authorized on {collection.database.name} to execute command", 13)

    monkeypatch.setattr("el.connectors.mongodb.changes.token_now", refused)
    shop.store.database.orders.insert_one({"_id": 1})
    shop.take("orders")
    assert shop.run()["orders"]["strategy"] == "full"
    shop.take("orders, strategy: changes")
    assert "it needs `find` and `changeStream` on it" in shop.run()["orders"]["error"]


def test_a_server_that_keeps_no_changes_is_read_whole(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with server("--standalone") as output, client_of(output) as client:
        shop = Shop(Store(output, client.shop), folder, capsys)
        client.shop.orders.insert_one({"_id": 1})
        shop.take("orders")
        assert shop.run()["orders"]["strategy"] == "full"
        shop.take("orders, strategy: changes")
        assert "as a replica set of one (rs.initiate()) it does" in shop.run()["orders"]["error"]
