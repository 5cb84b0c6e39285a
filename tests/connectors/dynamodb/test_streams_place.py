"""A place in a stream, over lists of shards that divide, end, and are forgotten."""

from __future__ import annotations

import re

from el.connectors.dynamodb.streams_position import END, FORM, KEPT_MS, Place, Shard

NOW = 1_700_000_000_000


def test_a_snapshot_begins_at_the_last_shards_and_reads_no_former_ones() -> None:
    listed = [
        Shard("a", "gone", closed=True),
        Shard("b", "a", closed=True),
        Shard("c", "b"),
        Shard("d", "b", closed=True),
    ]
    place = Place.beginning_now(NOW, listed)
    assert place.shards == {"c": f"@{NOW}", "d": END}
    assert [shard.id for shard, _ in place.unread(listed)] == ["c"]
    assert Place.of(str(place)) == place
    assert re.fullmatch(FORM, str(place))


def test_a_place_of_later_is_a_greater_text() -> None:
    assert str(Place(NOW, {"z": END})) < str(Place(NOW + 1, {"a": ""}))


def test_the_children_of_a_shard_take_its_place_all_of_them() -> None:
    place = Place(NOW, {"a": "7"})
    listed = [Shard("a", closed=True), Shard("b", "a")]
    moved = place.moved(NOW + 1, {"a": END, "b": "9"}, listed)
    assert moved.shards == {"b": "9"}
    # The other half of the division is listed only now.
    later = [*listed, Shard("c", "a")]
    assert {shard.id: since for shard, since in moved.unread(later)} == {"b": "9", "c": ""}
    assert moved.lost(later, NOW + 2) is None


def test_a_shard_that_ended_waits_for_its_children() -> None:
    place = Place(NOW, {"a": "7"}).moved(NOW + 1, {"a": END}, [Shard("a", closed=True)])
    assert place.shards == {"a": END}
    # The shard itself is forgotten by now, but not who goes on from it.
    assert place.lost([Shard("b", "a")], NOW + 2 * KEPT_MS) is None
    assert [shard.id for shard, _ in place.unread([Shard("b", "a")])] == ["b"]
    assert "is gone" in str(place.lost([], NOW + 2 * KEPT_MS))
    assert "is gone" in str(place.lost([Shard("c", "b")], NOW + 2 * KEPT_MS))


def test_what_was_forgotten_before_it_was_read_is_told() -> None:
    place = Place(NOW, {"a": "7", "b": ""})
    assert "shard a is gone" in str(place.lost([Shard("b")], NOW + 1))
    assert place.lost([Shard("a"), Shard("b")], NOW + 1) is None
    # Nothing was read of b yet, and no number tells whether its first records are still there.
    assert "older than the 24 hours" in str(place.lost([Shard("a"), Shard("b")], NOW + KEPT_MS + 1))
    assert place.lost([Shard("a")], NOW) == place.lost([Shard("a"), Shard("c", "b")], NOW) != None  # noqa: E711


def test_a_generation_that_was_forgotten_between_two_runs_is_told() -> None:
    place = Place(NOW, {"a": "7"})
    assert "which c goes on from" in str(place.lost([Shard("a", closed=True), Shard("c", "b")], NOW + 1))
