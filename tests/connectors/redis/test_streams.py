"""A stream is followed by its ids: every entry once and in order, or an error that says what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from el.connectors.catalog import TableName
from el.connectors.redis.streams import Entries, StreamState
from el.connectors.request import ReadRequest
from el.errors import PositionLost
from tests.connectors.redis.conftest import Shop, Store

EVENTS = {"events": {"stream": "events", "document": True}}
ENTRY = "SELECT id, document, _el_op FROM raw.events ORDER BY _dlt_load_id, _el_position, id"


def add(store: Store, id_: str, *pairs: bytes | str) -> None:
    store.client.execute_command("XADD", "events", id_, *pairs)


def numbers(shop: Shop) -> list[str]:
    """The second half of the ids that raw has, in the order of loads and positions."""
    rows = shop.raw("SELECT id FROM raw.events ORDER BY _dlt_load_id, id")
    return [row[0].rpartition("-")[2].lstrip("0") for row in rows]


def test_each_entry_comes_once_and_what_repeats_in_it_is_kept(shop: Shop) -> None:
    shop.take(EVENTS, "db0.events")
    add(shop.store, "7-1", "f", "1", "f", "2")
    taken = shop.run()["events"]
    assert (taken["strategy"], taken["kind"], taken["rows"]) == ("stream", "snapshot", 1)
    add(shop.store, "7-2", "g", "1")
    add(shop.store, "123456789012345-0", "g", b"\xff")
    taken = shop.run()["events"]
    assert (taken["kind"], taken["rows"]) == ("delta", 2)
    assert shop.run()["events"]["status"] == "nothing new"
    assert shop.raw(ENTRY) == [
        ("00000000000000000007-00000000000000000001", '[["f","1"],["f","2"]]', "S"),
        ("00000000000000000007-00000000000000000002", '{"g":"1"}', "U"),
        (
            "00000000000123456789-00000000000000000000".replace("00000000000123456789", "00000123456789012345"),
            '{"g":{"$binary":{"base64":"/w==","subType":"00"}}}',
            "U",
        ),
    ]


def test_what_is_added_after_a_snapshot_began_comes_once_with_the_next_delta(shop: Shop) -> None:
    shop.take(EVENTS, "db0.events")
    for number in range(1, 4):
        add(shop.store, f"1-{number}", "a", str(number))
    with shop.store.opened(**EVENTS) as source:
        buffer = source.read_buffer(ReadRequest(table=TableName("db0", "events"), placed=True))
        add(shop.store, "1-4", "a", "4")
        assert buffer.to_arrow().num_rows == 3
        assert buffer.reached is not None
        assert buffer.reached.text.startswith("00000000000000000001-00000000000000000003.")
    shop.run()
    add(shop.store, "1-5", "a", "5")
    shop.run()
    assert numbers(shop) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("removed", ["trimmed", "deleted"])
def test_entries_that_were_removed_before_they_were_read_are_an_error(shop: Shop, removed: str) -> None:
    shop.take(EVENTS, "db0.events")
    add(shop.store, "1-1", "a", "1")
    shop.run()
    for number in range(2, 6):
        add(shop.store, f"1-{number}", "a", str(number))
    if removed == "trimmed":
        shop.store.client.execute_command("XTRIM", "events", "MAXLEN", 2)
    else:
        shop.store.client.xdel("events", "1-2", "1-3")
    taken = shop.run()["events"]
    assert taken["status"] == "failed"
    assert "were trimmed or deleted before they were read" in taken["error"]
    assert "--full-refresh" in taken["error"]
    assert numbers(shop) == ["1"]
    assert shop.run("--full-refresh")["events"]["status"] == "loaded"
    left = ["4", "5"] if removed == "trimmed" else ["1", "4", "5"]
    assert numbers(shop)[1:] == left


def test_a_stream_may_be_trimmed_up_to_where_raw_has_it(shop: Shop) -> None:
    shop.take(EVENTS, "db0.events")
    for number in range(1, 5):
        add(shop.store, f"1-{number}", "a", str(number))
    shop.run()
    shop.store.client.execute_command("XTRIM", "events", "MAXLEN", 0)
    assert shop.run()["events"]["status"] == "nothing new"
    add(shop.store, "1-5", "a", "5")
    assert shop.run()["events"]["rows"] == 1
    assert numbers(shop) == ["1", "2", "3", "4", "5"]


def test_a_stream_that_was_made_anew_is_an_error_not_a_gap(shop: Shop) -> None:
    shop.take(EVENTS, "db0.events")
    for number in range(1, 5):
        add(shop.store, f"1-{number}", "a", str(number))
    shop.run()
    shop.store.client.delete("events")
    assert "is not there any longer" in shop.run()["events"]["error"]
    add(shop.store, "1-2", "a", "another")
    assert "it was made anew" in shop.run()["events"]["error"]
    # Beyond the place where raw is: the count of what was ever added tells it.
    add(shop.store, "1-9", "a", "another")
    assert "it was made anew" in shop.run()["events"]["error"]


def test_entries_that_go_between_the_plan_and_the_read_are_an_error(store: Store) -> None:
    for number in range(1, 6):
        add(store, f"1-{number}", "a", str(number))
    none, last = "0" * 20 + "-" + "0" * 20, "0" * 19 + "1-" + "0" * 19 + "5"
    with store.opened(**EVENTS) as source:
        request = ReadRequest(table=TableName("db0", "events"), changes=Entries(none, last, 5))
        assert source.read_buffer(request).to_arrow().num_rows == 5
        store.client.execute_command("XTRIM", "events", "MAXLEN", 3)
        with pytest.raises(PositionLost, match="of 5 entries behind 0-0, 3 are there"):
            source.read_buffer(request).to_arrow()


def test_a_server_that_counts_no_entries_is_loud_where_it_cannot_tell(shop: Shop, monkeypatch: Any) -> None:
    """Redis 6 has no `entries-added`: a stream whose head lies behind the position may have lost some."""
    of = StreamState.of

    def uncounted(node: Any, key: bytes) -> StreamState:
        found = of(node, key)
        return StreamState(found.first, found.last, found.length, None, found.exists)

    monkeypatch.setattr(StreamState, "of", uncounted)
    shop.take(EVENTS, "db0.events")
    add(shop.store, "1-1", "a", "1")
    shop.run()
    add(shop.store, "1-2", "a", "2")
    assert shop.run()["events"]["rows"] == 1
    add(shop.store, "1-3", "a", "3")
    shop.store.client.execute_command("XTRIM", "events", "MAXLEN", 1)
    assert "entries behind 1-2 were trimmed" in shop.run()["events"]["error"]


def test_a_stream_that_is_read_whole_each_time_has_no_place_to_go_on_from(shop: Shop) -> None:
    shop.take(EVENTS, "db0.events, strategy: full")
    add(shop.store, "1-1", "a", "1")
    shop.run()
    assert shop.raw("SELECT strategy, bound_column, upper_bound FROM raw._el_ledger") == [("full", None, None)]
    shop.take(EVENTS, "db0.events")
    add(shop.store, "1-2", "a", "2")
    taken = shop.run()["events"]
    assert (taken["strategy"], taken["kind"], taken["rows"]) == ("stream", "snapshot", 2)


def test_a_table_that_names_another_stream_does_not_go_on_in_it(shop: Shop) -> None:
    shop.take(EVENTS, "db0.events")
    add(shop.store, "1-1", "a", "1")
    shop.run()
    for number in range(1, 9):
        shop.store.client.execute_command("XADD", "others", f"1-{number}", "a", "1")
    shop.take({"events": {"stream": "others", "document": True}}, "db0.events")
    taken = shop.run()["events"]
    assert "the profile names the stream others now" in taken["error"]
    assert shop.run("--full-refresh")["events"]["rows"] == 8


def test_a_column_that_is_new_begins_a_new_snapshot(shop: Shop) -> None:
    shop.take({"events": {"stream": "events"}}, "db0.events")
    add(shop.store, "1-1", "a", "1")
    shop.run()
    add(shop.store, "1-2", "a", "2")
    shop.take(EVENTS, "db0.events")
    taken = shop.run()["events"]
    assert (taken["status"], taken["kind"], taken["rows"]) == ("loaded", "snapshot", 2), taken


def test_streams_of_a_pattern_are_read_whole(shop: Shop) -> None:
    shop.take({"all": {"match": "events*", "type": "stream"}}, "db0.all")
    add(shop.store, "1-1", "a", "1")
    shop.store.client.execute_command("XADD", "events2", "1-1", "a", "2")
    assert shop.run()["all"]["strategy"] == "full"
    assert sorted(shop.raw("SELECT key, field, value FROM raw.all")) == [
        (b"events", b"a", b"1"),
        (b"events2", b"a", b"2"),
    ]


STEPS = st.lists(st.sampled_from(["add", "add", "add", "read", "trim to what was read"]), max_size=12)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_happens_in_between_what_was_read_is_what_was_added(store: Store, steps: list[str]) -> None:
    from el.connectors.abilities import Followed
    from el.connectors.redis.streams import Stream

    store.client.delete("events")
    added, found = [], []
    with store.opened(**EVENTS) as source:
        (table,) = source.describe().tables
        feed = Stream(source, Followed(table, source.describe(), table.columns))
        since = feed.now()
        for step in [*steps, "read"]:
            if step == "add":
                added.append(len(added) + 1)
                add(store, f"3-{len(added)}", "n", str(len(added)))
            elif step == "read":
                assert feed.alive(since) is None
                until = feed.now(since)
                for read in feed.read(since, until) if until != since else ():
                    request = ReadRequest(table=table.name, changes=read)
                    ids = source.read_buffer(request).to_arrow().column("id").to_pylist()
                    found += [int(each.rpartition("-")[2]) for each in ids]
                since = until
            elif since.text[20] == "-" and not since.text.startswith("0" * 20):
                least = since.text.partition(".")[0].partition("-")[2].lstrip("0") or "0"
                store.client.execute_command("XTRIM", "events", "MINID", f"3-{least}")
    assert found == added
