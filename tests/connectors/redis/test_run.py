"""By `el run` into DuckDB: what lands of keys and documents; and what users of other tools lost, with the right value.

The threads stand at each test.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

from tests.connectors.redis.conftest import Shop

USERS = {"users": {"match": "user:*", "type": "hash", "document": True}}


def test_a_hash_is_a_document_of_which_el_yml_promotes_fields(shop: Shop) -> None:
    client = shop.store.client
    client.hset("user:1", mapping={"name": "Größe", "age": "33", "money": "12345678901234.56", "since": "2024-02-29"})
    client.hset("user:2", mapping={"age": "old", "money": "1.234", "blob": b"\xff"})
    client.hset("user:3", mapping={"lines": "[]"})
    promote = "age: {path: age, type: bigint}, money: {path: money, type: 'decimal(18,2)'}"
    shop.take(USERS, f"db0.users, promote: {{{promote}, since: {{path: since, type: date}}}}")
    taken = shop.run()["users"]
    assert (taken["status"], taken["rows"]) == ("loaded", 3)
    assert sorted(shop.raw("SELECT key, age, money, CAST(since AS VARCHAR) FROM raw.users")) == [
        (b"user:1", 33, Decimal("12345678901234.56"), "2024-02-29"),
        (b"user:2", None, None, None),
        (b"user:3", None, None, None),
    ]
    assert shop.raw("SELECT misfits FROM raw._el_ledger") == [('{"age": 1, "money": 1}',)]
    told = "age: 1 value does not fit and is NULL there, the first in key b'user:2': a text where int64 is expected"
    assert told in taken["notes"]
    documents = [row[0] for row in shop.raw("SELECT document FROM raw.users ORDER BY key")]
    assert documents[0] == '{"age":"33","money":"12345678901234.56","name":"Größe","since":"2024-02-29"}'
    assert '"blob":{"$binary":{"base64":"/w==","subType":"00"}}' in documents[1]
    assert shop.run()["users"]["status"] == "unchanged"


def test_json_in_strings_is_a_document_and_its_elements_a_table(shop: Shop) -> None:
    client = shop.store.client
    client.set("order:1", '{"id": 1, "total": 1234567890123456.78, "lines": [{"qty": 2.50}, {"qty": 1}]}')
    client.set("order:2", "no JSON")
    client.set("order:3", b'{"lone": "\\ud800"}')
    tables = {"orders": {"match": "order:*", "type": "string", "document": True}}
    shop.take(
        tables,
        "db0.orders, unnest: lines, promote: {total: {path: total, type: 'decimal(18,2)'}}",
        "db0.orders_lines, promote: {qty: {path: qty, type: 'decimal(9,2)'}}",
    )
    taken = shop.run()
    assert {table["status"] for table in taken.values()} == {"loaded"}, taken
    assert sorted(shop.raw("SELECT key, value, total FROM raw.orders")) == [
        (b"order:1", client.get("order:1"), Decimal("1234567890123456.78")),
        (b"order:2", b"no JSON", None),
        (b"order:3", b'{"lone": "\\ud800"}', None),
    ]
    assert any("document: 2 values do not fit" in note for note in taken["orders"]["notes"])
    assert sorted(shop.raw("SELECT key, index, document, qty FROM raw.orders_lines")) == [
        (b"order:1", 0, '{"qty": 2.50}', Decimal("2.50")),
        (b"order:1", 1, '{"qty": 1}', Decimal("1.00")),
    ]


def test_a_plan_says_what_a_scan_sees_and_proposes_fields(shop: Shop) -> None:
    shop.store.client.hset("user:1", mapping={"name": "a", "age": "33"})
    shop.take(USERS, "db0.users")
    said = shop.el("plan", "--why")
    assert "comes once; others may be missed" in said
    assert "seen in documents: age: text 1 of 1 documents" in said


def test_a_stream_entry_that_repeats_a_field_keeps_both(shop: Shop) -> None:
    """redis/RedisInsight issue 757, mediocregopher/radix issue 204, redis/redis-py issue 2532: one of them is shown."""
    shop.store.client.execute_command("XADD", "a", "1-1", "a", "1", "a", "2")
    shop.take({"a": {"stream": "a"}}, "db0.a")
    shop.run()
    assert shop.raw("SELECT index, field, value FROM raw.a ORDER BY index") == [(0, b"a", b"1"), (1, b"a", b"2")]


def test_keys_and_values_that_are_no_text_land_as_they_are(shop: Shop) -> None:
    """redis/redis-py issue 2907, p/redis-dump-load issue 66, pg-redis-fdw/redis_fdw issue 31: an error of UTF-8;
    sripathikrishnan/redis-rdb-tools issue 21: two bytes become one character."""
    value = b"\x00\x01Y\xcc\x9c\x01\xaa"
    shop.store.client.set(b"\xaa\x90", value)
    shop.store.client.hset("ial:1", mapping={b"\x86": b"\x14\x10"})
    shop.take({"keys": "*"}, "db0.keys")
    shop.run()
    assert sorted(shop.raw("SELECT key, element, value FROM raw.keys")) == [
        (b"ial:1", b"\x86", b"\x14\x10"),
        (b"\xaa\x90", b"", value),
    ]


def test_a_table_of_hashes_is_taken_though_other_types_match_its_pattern(shop: Shop) -> None:
    """RedisLabs/spark-redis issue 128: WRONGTYPE, and nothing is read."""
    client = shop.store.client
    client.hset("user:1", mapping={"a": "1"})
    client.set("user:count", "1")
    client.rpush("user:queue", "x")
    shop.take(USERS, "db0.users")
    taken = shop.run()["users"]
    assert (taken["status"], taken["rows"]) == ("loaded", 1)
    assert any(note.startswith("2 keys are left out") for note in taken["notes"]), taken["notes"]
    shop.take(USERS, "db0.users, misfits: stop")
    assert "user:" in shop.run()["users"]["error"]


def test_all_keys_come_once_each_though_a_scan_may_give_some_twice(shop: Shop) -> None:
    """Grokzen/redis-py-cluster issue 121 and redis/redis issue 12302: duplicates in what was scanned;
    stickermule/rump issue 19: fewer keys arrive than there are."""
    keys = [f"XYZ{number}" for number in range(10_000)]
    random.Random(7).shuffle(keys)
    shop.store.client.mset(dict.fromkeys(keys, "v"))
    shop.take({"xyz": {"match": "XYZ*", "type": "string"}}, "db0.xyz")
    assert shop.run()["xyz"]["rows"] == 10_000
    assert shop.raw("SELECT count(DISTINCT key), count(*) FROM raw.xyz") == [(10_000, 10_000)]


def test_commands_that_a_cap_cut_off_a_stream_are_an_error(shop: Shop) -> None:
    """fazer-ai/chatwoot issue 572: what MAXLEN cuts off before it is read leaves no trace."""
    client = shop.store.client
    shop.take({"wa": {"stream": "wa:cmd"}}, "db0.wa")
    for number in range(3):
        client.execute_command("XADD", "wa:cmd", "MAXLEN", 5, f"1-{number + 1}", "n", str(number))
    shop.run()
    for number in range(3, 12):
        client.execute_command("XADD", "wa:cmd", "MAXLEN", 5, f"1-{number + 1}", "n", str(number))
    taken = shop.run()["wa"]
    assert taken["status"] == "failed"
    assert "4 entries behind 1-3 were trimmed or deleted before they were read" in taken["error"]


def test_when_a_key_expires_is_a_moment_not_a_span_that_is_over(shop: Shop) -> None:
    """A span (TTL) in a copy says nothing once the copy is older than it."""
    shop.store.client.execute_command("SET", "session", "x", "PXAT", 4102444800123)
    shop.take({"keys": {"match": "*", "type": "string"}}, "db0.keys")
    shop.run()
    ((expires,),) = shop.raw("SELECT epoch_ms(expires_at) FROM raw.keys")
    assert expires == 4102444800123
    assert datetime.fromtimestamp(expires / 1000, UTC).year == 2100
