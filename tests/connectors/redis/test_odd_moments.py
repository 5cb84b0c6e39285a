"""What happens at a bad moment, or lies at the end of a range: nothing of it is lost or changed without a word."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.access import Access
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.check import Level
from el.connectors.misfits import Misfits
from el.connectors.redis import Redis, keys
from el.connectors.redis.config import KeyTable
from el.connectors.redis.keys import KeyReader, behind
from el.connectors.redis.rights import matching
from el.connectors.redis.seen import Seen
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest
from el.connectors.rights import SourceNeeds, TableNeed
from el.errors import ReadError, WriteError
from tests.connectors.redis.conftest import Shop, Store

T = TableName("db0", "t")


def test_an_expiry_that_no_warehouse_holds_is_counted_and_its_key_is_there(one_store: Store) -> None:
    one_store.client.execute_command("SET", "far", "x", "PXAT", 253_402_300_799_999)
    one_store.client.execute_command("SET", "farther", "x", "PXAT", 253_402_300_800_000)
    one_store.client.execute_command("SET", "farthest", "x", "PXAT", 2**63 - 1)
    with one_store.opened(t={"match": "*", "type": "string"}) as source:
        buffer = source.read_buffer(ReadRequest(table=T))
        rows = {row["key"]: row["expires_at"] for row in buffer.to_arrow().to_pylist()}
    assert rows == {b"far": datetime(9999, 12, 31, 23, 59, 59, 999000, UTC), b"farther": None, b"farthest": None}
    assert [(each.column, each.count, each.why) for each in buffer.misfits] == [
        ("expires_at", 2, "it lies beyond the year 9999")
    ]


def test_a_key_that_expires_between_its_value_and_its_expiry_is_gone_not_for_ever(
    one_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_store.client.mset({"a": "1", "b": "2"})
    answers = KeyReader._answers

    def late(self: KeyReader, group: Any) -> Any:
        values, expiries = answers(self, group)
        return values, [-2 if key == b"a" else left for (key, _), left in zip(group, expiries, strict=True)]

    monkeypatch.setattr(KeyReader, "_answers", late)
    assert [row["key"] for row in one_store.read({"match": "*", "type": "string"})] == [b"b"]


@pytest.mark.parametrize("was", ["hash", "set", "zset", "list", "stream"])
def test_a_large_key_that_becomes_another_type_while_it_is_read_is_read_anew(
    one_store: Store, monkeypatch: pytest.MonkeyPatch, was: str
) -> None:
    monkeypatch.setattr(keys, "WHOLE", 10)
    monkeypatch.setattr(keys, "PAGE", 10)
    client: Any = one_store.client
    for number in range(1000):
        name = f"{number}:" + "x" * 70
        add = {"hash": ("HSET", "k", name, "v"), "set": ("SADD", "k", name), "zset": ("ZADD", "k", "1", name)}
        add |= {"list": ("RPUSH", "k", name), "stream": ("XADD", "k", f"1-{number + 1}", "f", "v")}
        client.execute_command(*add[was])
    reader = KeyReader(client, KeyTable(match="*"), Misfits(), 10**6, Seen())
    client.response_callbacks.clear()
    held = reader.held()
    assert next(held).type == was
    client.delete("k")
    client.set("k", "now a string")
    with pytest.raises(ReadError, match="became another type while it was read") as raised:
        list(held)
    assert raised.value.retryable


def test_entries_that_are_trimmed_while_a_snapshot_is_read_are_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shop.store.client
    for number in range(1, 31):
        client.execute_command("XADD", "a", f"1-{number}", "n", str(number))
    state = Redis.stream_state

    def then_trimmed(self: Redis, name: TableName) -> Any:
        found = state(self, name)
        client.execute_command("XTRIM", "a", "MAXLEN", 20)
        return found

    monkeypatch.setattr(Redis, "stream_state", then_trimmed)
    shop.take({"a": {"stream": "a"}}, "db0.a, strategy: full")
    taken = shop.run()["a"]
    assert (taken["status"], taken["rows"]) == ("loaded", 20)
    assert any("10 keys are left out" in note and "trimmed" in note for note in taken["notes"]), taken["notes"]


def test_a_stream_that_was_made_anew_with_more_entries_is_said_to_be(shop: Shop) -> None:
    client = shop.store.client
    shop.take({"a": {"stream": "a"}}, "db0.a")
    client.execute_command("XADD", "a", "1-1", "n", "1")
    shop.run()
    client.delete("a")
    for number in range(2, 6):
        client.execute_command("XADD", "a", f"1-{number}", "n", "1")
    taken = shop.run()["a"]
    assert taken["status"] == "failed"
    assert "it was made anew" in taken["error"]


@pytest.mark.parametrize(
    ("id_", "next_"),
    [(b"0-0", b"0-1"), (b"1526919030474-55", b"1526919030474-56"), (b"7-18446744073709551615", b"8-0")],
)
def test_a_page_begins_at_the_id_behind_the_last_one_as_redis_6_takes_it(id_: bytes, next_: bytes) -> None:
    """Redis, XRANGE: "(" in front of an id is of version 6.2."""
    assert behind(id_) == next_


def test_a_merge_leaves_the_expiry_of_a_string_as_it_is(store: Store) -> None:
    store.client.execute_command("SET", "k", "old", "PXAT", 4102444800123)
    with store.opened(t={"match": "*", "type": "string"}) as target:
        target.write_buffer(T, pa.table({"key": ["k"], "value": ["new"]}), WriteMode.MERGE, run_id="1")
    assert (store.client.get("k"), store.client.pexpiretime("k")) == (b"new", 4102444800123)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"field": ["a", "a"]}, "field=b'a' more than once"),
        (
            {"field": ["a", "b"], "expires_at": pa.array([4102444800000, None], pa.timestamp("ms", "UTC"))},
            "say different moments",
        ),
    ],
)
def test_two_values_of_one_field_or_two_expiries_of_one_key_are_refused(
    one_store: Store, more: dict[str, Any], says: str
) -> None:
    data = pa.table({"key": ["k", "k"], "value": ["1", None], **more})
    with one_store.opened(t={"match": "*", "type": "hash"}) as target, pytest.raises(WriteError, match=says):
        target.write_buffer(T, data, WriteMode.MERGE, run_id="1")
    assert one_store.client.dbsize() == 0


@pytest.mark.parametrize(
    ("pattern", "key"),
    [("a:*", "a:el_probe"), ("s[ab]?", "sax"), (r"a\*b", "a*b"), ("[^x]", "y"), ("[a-c]:*", "a:el_probe")],
)
def test_a_probe_is_a_key_that_the_pattern_matches(one_store: Store, pattern: str, key: str) -> None:
    assert matching(pattern) == key
    one_store.client.set(key, "x")
    assert one_store.client.keys(pattern) == [key.encode()]


def test_grants_are_enough_for_keys_with_signs_of_patterns_and_blanks(one_store: Store) -> None:
    one_store.client.execute_command("XADD", "log[1] a", "1-1", "f", "v")
    one_store.client.set("log1 a", "secret")
    one_store.client.set("b c:1", "v")
    tables = {"log": {"stream": "log[1] a"}, "words": {"match": "[ab] c:*", "type": "string"}}
    with one_store.opened(**tables) as owner:
        needs = SourceNeeds(Access.OWNER, tuple(TableNeed(TableName("db0", each)) for each in tables), user="el_odd")
        (line,) = (each for each in owner.rights(needs).splitlines() if not each.startswith("--"))
    one_store.client.execute_command(*shlex.split(line), ">odd")
    try:
        with open_connector({**one_store.output, "user": "el_odd", "password": "odd", "tables": tables}) as source:
            assert isinstance(source, Redis)
            assert [check.level for check in source.checks(needs)] == [Level.OK]
            for name in tables:
                assert source.read_buffer(ReadRequest(table=TableName("db0", name))).to_arrow().num_rows == 1
            with pytest.raises(Exception, match=r"NOPERM|permissions"):
                source.client.do("GET", "log1 a")
    finally:
        one_store.client.execute_command("ACL", "DELUSER", "el_odd")
