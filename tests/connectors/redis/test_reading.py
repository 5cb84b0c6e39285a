"""What a database holds arrives as its bytes are, each key once, with what Redis knows of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from el.connectors.catalog import TableName
from el.connectors.misfits import Misfits
from el.connectors.redis import keys
from el.connectors.redis.config import KeyTable
from el.connectors.redis.keys import WHOLE, KeyReader
from el.connectors.redis.rows import document_of, sortable_id
from el.connectors.redis.seen import Seen
from el.connectors.request import ReadRequest
from el.errors import ReadError
from tests.connectors.redis.conftest import Store

EVERY_BYTE = bytes(range(256))
LATE = 4102444800123  # 2100, in milliseconds


def test_every_type_of_key_is_a_row_an_element_with_every_byte(store: Store) -> None:
    client = store.client
    client.set(EVERY_BYTE, EVERY_BYTE)
    client.set("empty", "")
    client.execute_command("PEXPIREAT", "empty", LATE)
    client.hset("hash", mapping={EVERY_BYTE: b"", b"": EVERY_BYTE})
    client.rpush("list", b"a", b"", b"a", EVERY_BYTE)
    client.sadd("set", EVERY_BYTE, b"")
    client.zadd("zset", {EVERY_BYTE: 0.1, b"": -math.inf, b"c": 5e-324, b"d": 1.7976931348623157e308, b"e": -0.0})
    client.execute_command("XADD", "stream", "5-1", "f", "1", EVERY_BYTE, "2", "f", "3")
    found = {(row["key"], row["element"], row["index"]): row for row in store.read("*")}
    values = {place: row["value"] for place, row in found.items() if row["value"] is not None}
    assert values == {
        (EVERY_BYTE, b"", 0): EVERY_BYTE,
        (b"empty", b"", 0): b"",
        (b"hash", EVERY_BYTE, 0): b"",
        (b"hash", b"", 0): EVERY_BYTE,
        **{(b"list", b"", n): value for n, value in enumerate((b"a", b"", b"a", EVERY_BYTE))},
        (b"stream", b"5-1 f", 0): b"1",
        (b"stream", b"5-1 " + EVERY_BYTE, 1): b"2",
        (b"stream", b"5-1 f", 2): b"3",
    }
    assert {row["element"] for row in found.values() if row["type"] == "set"} == {EVERY_BYTE, b""}
    scores = {row["element"]: repr(row["score"]) for row in found.values() if row["type"] == "zset"}
    assert scores[EVERY_BYTE] == "0.1"
    assert (scores[b""], scores[b"c"], scores[b"d"]) == ("-inf", "5e-324", "1.7976931348623157e+308")
    expires = {row["key"]: row["expires_at"] for row in found.values() if row["expires_at"] is not None}
    assert list(expires) == [b"empty"]
    assert expires[b"empty"] == datetime(2100, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)
    assert len(found) == 18


def test_a_table_of_one_type_has_its_columns_and_says_which_keys_are_of_another(store: Store) -> None:
    client = store.client
    client.hset("a:1", mapping={"x": "1"})
    client.set("a:2", "text")
    client.set("b", "not of the pattern")
    with store.opened(t={"match": "a:*", "type": "hash"}) as source:
        buffer = source.read_buffer(ReadRequest(table=TableName("db0", "t")))
        assert buffer.to_arrow().to_pylist() == [
            {"key": b"a:1", "field": b"x", "value": b"1", "expires_at": None, "field_expires_at": None}
        ]
        assert [str(each) for each in buffer.misfits] == [
            "1 key is left out, the first is b'a:2': it is a string, not a hash"
        ]
    assert store.read({"match": "a:2", "type": "string"}) == [{"key": b"a:2", "value": b"text", "expires_at": None}]


def test_a_field_that_expires_by_itself_says_when(store: Store) -> None:
    store.client.hset("h", mapping={"a": "1", "b": "2"})
    try:
        store.client.execute_command("HPEXPIREAT", "h", LATE, "FIELDS", 1, "b")
    except redis.ResponseError:
        pytest.skip("this server knows no expiry of fields")
    found = {row["field"]: row["field_expires_at"] for row in store.read({"match": "h", "type": "hash"})}
    assert found == {b"a": None, b"b": datetime(2100, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)}


def test_each_key_comes_once_while_the_table_of_keys_grows_and_shrinks(store: Store) -> None:
    client = store.client
    stay = [b"stay:%d" % number for number in range(3_000)]
    client.mset(dict.fromkeys(stay, b"v"))
    client.mset({b"go:%d" % number: b"v" for number in range(62_000)})
    found: list[bytes] = []
    with store.opened(t={"match": "stay:*", "type": "string"}) as source:
        request = ReadRequest(table=TableName("db0", "t"), batch_rows=100)
        for number, batch in enumerate(source.read_buffer(request)):
            found += batch.column("key").to_pylist()
            if number == 10:
                # The server's table shrinks once it has a moment, and a scan that began before gives keys again.
                for begin in range(0, 62_000, 6_200):
                    client.unlink(*(b"go:%d" % number for number in range(begin, begin + 6_200)))
                time.sleep(0.3)
            if number == 20:
                client.mset({b"come:%d" % number: b"v" for number in range(40_000)})
    assert sorted(found) == sorted(stay)


def test_what_a_scan_gives_twice_comes_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When SCAN repeats keys cannot be told beforehand: here it repeats each page, one key of it moved to the next."""
    original = keys.scanned

    def twice(*arguments: Any, **named: Any) -> Iterator[list[Any]]:
        for page in original(*arguments, **named):
            yield page
            yield [*page[1:], *page[:1], *page]

    monkeypatch.setattr(keys, "scanned", twice)
    store.client.mset({b"k%d" % number: b"v" for number in range(2_500)})
    store.client.sadd("set", *(b"m%d" % number for number in range(WHOLE + 1)))
    rows = store.read("*")
    assert len(rows) == 2_500 + WHOLE + 1
    assert len({(row["key"], row["element"]) for row in rows}) == len(rows)


def test_a_digest_that_was_put_away_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("el.connectors.redis.seen._RECENT", 100)
    seen, values = Seen(), [b"%d" % number for number in range(3_000)]
    for begin in range(0, 3_000, 70):
        assert seen.new(values[begin : begin + 70]) == values[begin : begin + 70]
    assert seen.new(values) == []
    assert seen.new([b"a", b"a", b"0"]) == [b"a"]
    assert len(seen._runs) < 10


def test_containers_larger_than_one_read_come_whole(store: Store) -> None:
    many = WHOLE + 500
    pipe = store.client.pipeline()
    pipe.hset("hash", mapping={b"f%d" % number: b"%d" % number for number in range(many)})
    pipe.sadd("set", *(b"m%d" % number for number in range(many)))
    pipe.zadd("zset", {b"m%d" % number: number / 7 for number in range(many)})
    pipe.rpush("list", *(b"%d" % number for number in range(many)))
    pipe.execute()
    rows = store.read("*")
    found = {type_: [row for row in rows if row["type"] == type_] for type_ in ("hash", "set", "zset", "list")}
    assert {row["element"]: row["value"] for row in found["hash"]} == {
        b"f%d" % number: b"%d" % number for number in range(many)
    }
    assert {row["element"] for row in found["set"]} == {b"m%d" % number for number in range(many)}
    assert {row["element"]: row["score"] for row in found["zset"]} == {b"m%d" % n: n / 7 for n in range(many)}
    assert {row["index"]: row["value"] for row in found["list"]} == {n: b"%d" % n for n in range(many)}
    assert len(rows) == 4 * many


def test_a_server_that_tells_a_span_alone_gives_the_moment_by_its_own_clock(store: Store) -> None:
    """Redis 6 has no PEXPIRETIME."""
    store.client.set("k", "v", px=3_600_000)
    exact = store.client.execute_command("PEXPIRETIME", "k")
    with store.opened() as source:
        source._version = (6, 2)
        (row,) = source.read_buffer(ReadRequest(table=TableName("db0", "keys"))).to_arrow().to_pylist()
    assert abs(row["expires_at"].timestamp() * 1000 - exact) < 2_000


def test_a_document_is_whole_however_many_fields_it_has(store: Store) -> None:
    store.client.hset("h", mapping={b"f%d" % number: b"%d" % number for number in range(WHOLE + 500)})
    (row,) = store.read({"match": "h", "type": "hash", "document": True})
    assert json.loads(row["document"]) == {f"f{number}": str(number) for number in range(WHOLE + 500)}


def test_memory_is_bounded_by_the_batch_not_by_the_values(store: Store) -> None:
    store.client.mset({b"k%d" % number: b"x" * 100_000 for number in range(100)})
    with store.opened() as source:
        request = ReadRequest(table=TableName("db0", "keys"), batch_bytes=1_000_000)
        sizes = [batch.nbytes for batch in source.read_buffer(request)]
    assert max(sizes) < 1_500_000
    assert len(sizes) >= 10


def test_memory_is_bounded_by_the_batch_also_of_few_large_elements(one_store: Store) -> None:
    name = b"y" * 70  # so that the server does not give all of a hash at once
    wanted = 0
    for number in range(60):
        value = b"%d " % number + b"x" * 100_000
        one_store.client.hset("hash", name + b"%d" % number, value)
        one_store.client.rpush("list", value)
        one_store.client.sadd("set", value)
        one_store.client.zadd("zset", {value: 1})
        one_store.client.xadd("stream", {"f": value})
        wanted += 5
    with one_store.opened() as source:
        request = ReadRequest(table=TableName("db0", "keys"), batch_bytes=1_000_000)
        reader = KeyReader(source.client.nodes[0], KeyTable(match="*"), Misfits(), 1_000_000, Seen())
        parts = [sum(len(each) for each in _flat(held.found)) for held in reader.held()]
        rows = source.read_buffer(request).to_arrow()
    assert rows.num_rows == wanted
    assert (
        len({(row["key"], row["element"], row["index"]) for row in rows.drop_columns(["value"]).to_pylist()}) == wanted
    )
    assert max(parts) < 3_000_000


def _flat(found: Any) -> list[bytes]:
    return [found] if isinstance(found, bytes) else [each for part in found for each in _flat(part)]


def test_keys_of_els_own_are_no_rows(store: Store) -> None:
    store.client.hset("_el_writes", "run", "1")
    assert store.read("*") == []


def test_a_table_that_the_profile_does_not_name_is_an_error_by_name(store: Store) -> None:
    with store.opened(users="user:*") as source, pytest.raises(ReadError, match=r"no table db0\.others"):
        source.read_buffer(ReadRequest(table=TableName("db0", "others")))


BYTES = st.binary(max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    strings=st.dictionaries(BYTES, BYTES, max_size=5),
    hashes=st.dictionaries(BYTES, st.dictionaries(BYTES, BYTES, min_size=1, max_size=5), max_size=3),
    lists=st.dictionaries(BYTES, st.lists(BYTES, min_size=1, max_size=5), max_size=3),
)
def test_whatever_bytes_there_are_come_as_they_are(
    store: Store, strings: dict[bytes, bytes], hashes: dict[bytes, dict[bytes, bytes]], lists: dict[bytes, list[bytes]]
) -> None:
    store.client.flushall()
    wanted: set[Any] = set()
    for key, value in strings.items():
        store.client.set(b"s" + key, value)
        wanted.add((b"s" + key, b"", 0, value))
    for key, fields in hashes.items():
        store.client.hset(b"h" + key, mapping=fields)
        wanted |= {(b"h" + key, name, 0, value) for name, value in fields.items()}
    for key, values in lists.items():
        store.client.rpush(b"l" + key, *values)
        wanted |= {(b"l" + key, b"", number, value) for number, value in enumerate(values)}
    rows = store.read("*")
    assert {(row["key"], row["element"], row["index"], row["value"]) for row in rows} == wanted
    assert len(rows) == len(wanted)


PAIRS = st.lists(st.tuples(BYTES, BYTES), max_size=4)


@given(PAIRS, PAIRS)
def test_two_entries_have_one_document_only_if_they_are_one(left: Any, right: Any) -> None:
    assert (document_of(left) == document_of(right)) == (left == right)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_ids_sort_as_text_as_the_server_orders_them(a: int, b: int, c: int, d: int) -> None:
    one, other = sortable_id(b"%d-%d" % (a, b)), sortable_id(b"%d-%d" % (c, d))
    assert (one < other) == ((a, b) < (c, d))
