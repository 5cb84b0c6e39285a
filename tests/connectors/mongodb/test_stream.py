"""The events of a change stream as rows: none twice, none missed, and the last of a document's is what it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.monitoring import CommandListener

from el.connectors.mongodb.stream import RAW, Stream, Window, probe, token_now
from el.connectors.mongodb.stream_images import Images, identity
from el.connectors.mongodb.stream_place import FORM, Place, time_of
from el.connectors.mongodb.stream_rows import Row, rows_of
from el.errors import PositionLost
from tests.conformance.line import line_to
from tests.servers.mongodb import server, shared

# Those that a server takes for one another are others in raw.
KEYS: tuple[Any, ...] = (0, 1, 1.0, "a", bson.ObjectId("0" * 24), {"a": 1}, b"\x00", True, None)
WITH_IMAGES = {"changeStreamPreAndPostImages": {"enabled": True}}


def now(client: Any) -> Timestamp:
    found: Timestamp = client.admin.command("ping")["operationTime"]
    return found


def here(collection: Any) -> Place:
    token = token_now(collection)
    return Place.at(now(collection.database.client), token)


def read(
    collection: Any, since: Place, until: Timestamp | None = None, *, before: bool = False
) -> tuple[list[Row], Place]:
    until = until or now(collection.database.client)
    stream = Stream(collection, Window(since, until, images=True, before=before, splits=True, sharded=False))
    rows = list(rows_of(stream, Images(collection, until, 2**20), 2**20, before=before))
    return rows, Place.of(str(stream.reached))


def applied(state: dict[bytes, bytes], rows: list[Row]) -> dict[bytes, bytes]:
    for row in rows:
        if row.op == "D":
            state.pop(identity(row.key), None)
        elif row.op == "U":
            assert row.document is not None
            state[identity(row.key)] = row.document.raw
    return state


def held(collection: Any) -> dict[bytes, bytes]:
    return {identity(each): each.raw for each in collection.with_options(codec_options=RAW).find()}


@pytest.fixture
def client() -> Iterator[Any]:
    with MongoClient(port=shared()["port"], directConnection=True) as found:
        yield found


@pytest.fixture
def orders(client: Any) -> Iterator[Any]:
    database = client[f"s{bson.ObjectId()}"]
    database.create_collection("orders")
    yield database.orders
    client.drop_database(database.name)


def change(collection: Any, chance: random.Random, session: Any = None) -> None:
    key, value = chance.choice(KEYS), chance.random()
    what = chance.randrange(6)
    if what == 0:
        collection.update_one({"_id": key}, {"$set": {"v": value}}, upsert=True, session=session)
    elif what == 1:
        collection.update_one({"_id": key}, {"$set": {"w": value}}, session=session)
    elif what == 2:
        collection.update_many({}, {"$inc": {"n": 1}}, session=session)
    elif what == 3:
        collection.replace_one({"_id": key}, {"x": value}, upsert=True, session=session)
    else:
        collection.delete_one({"_id": key}, session=session)


def some_changes(collection: Any, chance: random.Random) -> None:
    for _ in range(chance.choice((0, 1, 20))):
        if chance.random() < 0.7:
            change(collection, chance)
            continue
        with collection.database.client.start_session() as session:
            session.start_transaction()
            for _ in range(4):
                change(collection, chance, session)
            session.commit_transaction() if chance.random() < 0.7 else session.abort_transaction()


def history(client: Any, seed: int, windows: int = 6) -> None:
    chance, database = random.Random(seed), client[f"h{bson.ObjectId()}"]
    images = bool(seed % 2)
    database.create_collection("orders", **(WITH_IMAGES if images else {}))
    orders, state, places = database.orders, dict[bytes, bytes](), list[str]()
    since = here(orders)
    for _ in range(windows):
        some_changes(orders, chance)
        until = now(client)
        beyond = chance.random() < 0.5
        if beyond:
            some_changes(orders, chance)
        rows, since = read(orders, since, until, before=images)
        applied(state, rows)
        places += [row.position for row in rows]
        assert beyond or state == held(orders), seed
    assert applied(state, read(orders, since)[0]) == held(orders), seed
    assert places == sorted(set(places)), "each once, in the order of the log"
    client.drop_database(database.name)


@pytest.mark.parametrize("seed", range(6))
def test_through_any_history_the_state_is_the_sources(client: Any, seed: int) -> None:
    history(client, seed)


@pytest.mark.soak
def test_through_many_histories_the_state_is_the_sources(client: Any) -> None:
    for seed in range(100, 400):
        history(client, seed)


def test_a_transaction_is_never_cut_and_its_rows_are_in_its_order(client: Any, orders: Any) -> None:
    since = here(orders)
    with client.start_session() as session, session.start_transaction():
        for number in range(5):
            orders.insert_one({"_id": number}, session=session)
        orders.delete_one({"_id": 0}, session=session)
    rows, since = read(orders, since)
    assert [row.op for row in rows] == ["U"] * 5 + ["D"]
    assert len({row.position[:21] for row in rows}) == 1
    assert [row.position[22:] for row in rows] == [f"{2 * number + 1:010d}" for number in range(6)]
    assert read(orders, since)[0] == []


def test_what_is_beyond_the_window_comes_with_the_next_one_once(client: Any, orders: Any) -> None:
    since = here(orders)
    orders.insert_one({"_id": 1})
    until = now(client)
    orders.insert_one({"_id": 2})
    first, since = read(orders, since, until)
    second, since = read(orders, since)
    assert [[row.key["_id"] for row in rows] for rows in (first, second)] == [[1], [2]]
    # A place without a token, as of a window in which nothing was, says by its time where to go on.
    orders.insert_one({"_id": 3})
    assert [row.key["_id"] for row in read(orders, Place(since.time))[0]] == [3]


def test_a_stream_ends_only_where_most_of_the_nodes_are_at_the_windows_end(orders: Any) -> None:
    """One node has all of it: what is asked for is seen on the line."""
    asked: list[Any] = []

    class Heard(CommandListener):
        def started(self, event: Any) -> None:
            if event.command_name == "aggregate":
                asked.append(dict(event.command["readConcern"]))

        def succeeded(self, event: Any) -> None: ...

        def failed(self, event: Any) -> None: ...

    since, until = here(orders), now(orders.database.client)
    with MongoClient(port=shared()["port"], directConnection=True, event_listeners=[Heard()]) as own:
        read(own[orders.database.name].orders, since, until)
    assert asked == [{"level": "majority", "afterClusterTime": until}]


def test_what_lies_between_a_places_token_and_its_time_is_in_the_snapshot_already(orders: Any) -> None:
    """The token is taken first, so that nothing is missed."""
    early = here(orders)
    orders.insert_one({"_id": 1})
    since = Place(now(orders.database.client), early.token)
    orders.insert_one({"_id": 2})
    assert [row.key["_id"] for row in read(orders, since)[0]] == [2]


def test_a_document_that_is_gone_when_it_is_looked_up_does_not_come_back(client: Any, orders: Any) -> None:
    orders.insert_many([{"_id": 1}, {"_id": 2}])
    since = here(orders)
    orders.update_one({"_id": 1}, {"$set": {"v": 1}})
    orders.delete_one({"_id": 1})
    orders.update_one({"_id": 2}, {"$set": {"v": 1}})
    until = now(client)
    orders.delete_one({"_id": 2})
    rows, since = read(orders, since, until)
    assert (1, "D") in [(row.key["_id"], row.op) for row in rows]
    assert applied(dict.fromkeys(map(identity_of, (1, 2)), b""), [*rows, *read(orders, since)[0]]) == {}


def identity_of(key: Any) -> bytes:
    return bson.encode({"_id": key})


def test_a_key_of_another_type_is_another_document(orders: Any) -> None:
    """The server takes 1 and 1.0 for one key, so that a lookup of one finds the other."""
    orders.insert_one({"_id": 1})
    since = here(orders)
    orders.update_one({"_id": 1}, {"$set": {"v": 1}})
    orders.delete_one({"_id": 1})
    orders.insert_one({"_id": 1.0})
    rows, _ = read(orders, since)
    assert [(row.op, type(row.key["_id"])) for row in rows] == [("D", int), ("U", float)]


def test_documents_are_looked_up_as_they_were_at_the_windows_end(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's server takes the concern and gives what is there now: here it is seen what is asked for."""
    asked: list[dict[str, Any]] = []
    find = Images._find

    def told(self: Images, ids: Any, concern: dict[str, Any]) -> Any:
        asked.append(concern)
        if concern["level"] == "snapshot" and refuses:
            raise OperationFailure("Read timestamp is older than the oldest available timestamp", 239)
        return find(self, ids, concern)

    monkeypatch.setattr(Images, "_find", told)
    refuses = False
    orders.insert_one({"_id": 1})
    since = here(orders)
    orders.update_one({"_id": 1}, {"$set": {"v": 1}})
    until = now(orders.database.client)
    assert [row.op for row in read(orders, since, until)[0]] == ["U"]
    assert asked == [{"level": "snapshot", "atClusterTime": until}]
    # Where the server keeps no past that long, as it is now: what made it so comes with the next window.
    refuses = True
    assert [row.op for row in read(orders, since, until)[0]] == ["U"]
    assert asked[-1] == {"level": "majority", "afterClusterTime": until}


def test_large_documents_are_looked_up_a_few_at_a_time(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    find = Images._find
    monkeypatch.setattr(Images, "_find", lambda self, ids, how: (asked.append(len(ids)), find(self, ids, how))[1])
    small, large = ({"_id": number, "v": "x" * size} for number, size in ((0, 1), (1, 100_000)))
    orders.insert_many([{**each, "_id": number} for number, each in enumerate([small] * 400 + [large] * 200)])
    since = here(orders)
    orders.update_many({}, {"$set": {"w": 1}})
    rows, _ = read(orders, since)
    assert [row.key["_id"] for row in rows] == list(range(600))
    assert asked[:5] == [16, 32, 64, 128, 256]
    # Of 100 kB each, ten are a megabyte.
    assert set(asked[7:-1]) == {10}


def test_images_are_the_document_before_and_after_each_change(client: Any) -> None:
    database = client[f"s{bson.ObjectId()}"]
    database.create_collection("orders", **WITH_IMAGES)
    database.orders.insert_one({"_id": 1, "v": 1})
    since = here(database.orders)
    database.orders.replace_one({"_id": 1}, {"v": 2})
    database.orders.delete_one({"_id": 1})
    rows, _ = read(database.orders, since, before=True)
    assert [(row.op, bson.decode(row.document.raw) if row.document else None) for row in rows] == [
        ("B", {"_id": 1, "v": 1}),
        ("U", {"_id": 1, "v": 2}),
        ("D", {"_id": 1, "v": 2}),
    ]
    assert [row.position for row in rows] == sorted({row.position for row in rows})
    database.command({"collMod": "orders", "changeStreamPreAndPostImages": {"enabled": False}})
    database.orders.insert_one({"_id": 2})
    database.orders.delete_one({"_id": 2})
    with pytest.raises(PositionLost, match="expireAfterSeconds"):
        read(database.orders, since, before=True)
    client.drop_database(database.name)


def test_an_event_that_comes_in_parts_is_one_change(client: Any) -> None:
    """With both images it is larger than the 16 MB of a document."""
    database = client[f"s{bson.ObjectId()}"]
    database.create_collection("orders", **WITH_IMAGES)
    database.orders.insert_one({"_id": 1, "v": "a" * 12_000_000})
    since = here(database.orders)
    database.orders.replace_one({"_id": 1}, {"v": "b" * 12_000_000})
    rows, since = read(database.orders, since, before=True)
    assert [(row.op, row.document["v"][:1] if row.document else "") for row in rows] == [("B", "a"), ("U", "b")]
    assert probe(database.orders, since, splits=True) is None
    database.orders.delete_one({"_id": 1})
    assert [row.op for row in read(database.orders, since)[0]] == ["D"]
    client.drop_database(database.name)


@pytest.mark.parametrize("end", ["drop", "rename", "renamed to", "drop the database"])
def test_a_collection_that_ends_is_an_error_not_a_gap(client: Any, orders: Any, end: str) -> None:
    database, since = orders.database, here(orders)
    orders.insert_one({"_id": 1})
    if end == "drop":
        orders.drop()
    elif end == "rename":
        orders.rename("others")
    elif end == "renamed to":
        database.others.insert_one({"_id": 2})
        database.others.rename("orders", dropTarget=True)
    else:
        client.drop_database(database.name)
    orders.insert_one({"_id": 3})
    with pytest.raises(PositionLost, match=r"it was (dropped|renamed)|its database was dropped"):
        read(orders, since)


def test_a_quiet_collections_place_moves_on_with_the_servers_log() -> None:
    """Else it would fall off the oplog although nothing was missed."""
    with server("--oplog-max-entries", "40") as output, MongoClient(port=output["port"], directConnection=True) as own:
        own.shop.create_collection("quiet")
        own.shop.create_collection("forgotten")
        since, forgotten = here(own.shop.quiet), here(own.shop.forgotten)
        for number in range(5):
            own.shop.busy.insert_many([{"n": number, "m": each} for each in range(30)])
            own.admin.command("secantusAdmin.pruneOplog")
            assert probe(own.shop.quiet, since, splits=True) is None
            rows, since = read(own.shop.quiet, since)
            assert rows == []
            assert since.token is not None
        own.shop.quiet.insert_one({"_id": 1})
        assert [row.key["_id"] for row in read(own.shop.quiet, since)[0]] == [1]
        assert "the oplog does not reach back" in str(probe(own.shop.forgotten, forgotten, splits=True))
        with pytest.raises(PositionLost, match=r"shop\.forgotten: the oplog does not reach back"):
            read(own.shop.forgotten, forgotten)


def test_a_line_that_is_cut_while_the_stream_is_read_loses_nothing(orders: Any) -> None:
    since = here(orders)
    orders.insert_many([{"_id": number, "v": "x" * 2_000} for number in range(2_000)])
    until = now(orders.database.client)
    with line_to("127.0.0.1", shared()["port"]) as line, MongoClient(port=line.port, directConnection=True) as own:
        stream = Stream(
            own[orders.database.name].orders,
            Window(since, until, images=True, before=False, splits=True, sharded=False),
        )
        found = []
        for event in stream.events():
            found.append(event.key["_id"])
            if len(found) in (150, 900):
                line.cut()
    assert found == list(range(2_000))


def test_a_cursor_that_the_driver_opened_anew_has_not_said_yet_that_there_is_nothing_more() -> None:
    """It gives what came with it, which may be nothing, and was not asked for more."""

    class Reopened:
        resume_token: Any = None

        def __init__(self) -> None:
            self._cursor = "first"
            self.left: list[Any] = [None, {"_id": {"_data": "1"}}, None]

        def try_next(self) -> Any:
            self._cursor = "second"
            return self.left.pop(0)

    until = Timestamp(1, 1)
    window = Window(Place(until), until, images=False, before=False, splits=False, sharded=False)
    found = Stream(MongoClient(connect=False).shop.orders, window)._found(Reopened())
    assert [each["_id"] for each in found] == [{"_data": "1"}]


def test_a_place_is_text_that_sorts_and_says_the_same_again() -> None:
    import re

    times = [Timestamp(9, 1), Timestamp(9, 2), Timestamp(9, 10), Timestamp(10, 0), Timestamp(2**32 - 1, 2**32 - 1)]
    for token in (None, {"_data": "82" + "0A" * 60, "_typeBits": b"\x00\xff"}):
        texts = [str(Place.at(time, token)) for time in times]
        assert texts == sorted(texts)
        assert [Place.of(text).time for text in texts] == times
        assert all(re.fullmatch(FORM, text) for text in texts)
        start = Place.of(texts[0]).start()
        assert start == ({"startAtOperationTime": Timestamp(9, 2)} if token is None else {"resumeAfter": token})
    # The key of a document may be as large as the document, and is in the token.
    assert Place.at(times[0], {"_data": "82" + "00" * 10_000}).token is None


def test_shards_are_read_until_their_token_is_beyond_the_window() -> None:
    """A router gives nothing also while a shard is slow. The token is one that damianiandrea/mongodb-nats-connector#13
    shows, with its event's cluster time."""
    token = {"_data": "8265B41E97000000012B022C0100296E5A1004002FB9BB2E124BFCAF935B8C8F64417104"}
    assert time_of(token) == Timestamp(1706303127, 1)
    assert time_of({"_data": "2d0000001073"}) is None

    class Given:
        resume_token = token

    for until, ended in ((Timestamp(1706303127, 0), True), (Timestamp(1706303127, 1), False)):
        window = Window(Place(until), until, images=False, before=False, splits=False, sharded=True)
        assert Stream(MongoClient(connect=False).shop.orders, window)._ended(Given()) is ended
