"""Shards that divide, end, answer nothing, and are forgotten: every record comes once, in order, or it is an error."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from el.connectors.dynamodb.streams_position import END, Place
from el.connectors.dynamodb.streams_read import EMPTY_ANSWERS, Change, Stream, shards_of
from el.errors import PositionLost
from tests.connectors.dynamodb.streams import NOW, MadeShard, MadeStream, last_of_each, numbered

UNTIL = int(NOW.timestamp() * 1000)


def drained(made: MadeStream, since: Place, until: int = UNTIL) -> tuple[list[Change], Place]:
    stream = Stream(made, "arn", "shop.orders", since, until)
    found = list(stream.changes())
    return found, Place.of(str(stream.reached))


def test_a_child_is_read_behind_its_parent_though_its_numbers_are_less() -> None:
    made = MadeStream(
        {
            "a": MadeShard(None, numbered(50, 60), closed=True),
            "b": MadeShard("a", numbered(7, 8)),
            "c": MadeShard("a", numbered(9, key="b")),
        }
    )
    found, reached = drained(made, Place(UNTIL - 1, {"a": ""}))
    assert last_of_each(found) == {"a": "8", "b": "9"}
    assert [int(change.new["n"]["N"]) for change in found if change.new] == [50, 60, 7, 8, 9]
    assert reached.shards == {"b": "8", "c": "9"}
    assert drained(made, reached)[0] == []


def test_answers_without_a_record_are_no_end_and_of_a_closed_shard_never() -> None:
    some = [None] * (EMPTY_ANSWERS - 1)
    made = MadeStream(
        {"a": MadeShard(None, [*[None] * 50, *numbered(1)], closed=True), "b": MadeShard("a", [*some, *numbered(2)])}
    )
    found, reached = drained(made, Place(UNTIL - 1, {"a": ""}))
    assert len(found) == 2
    assert reached.shards == {"b": "2"}


def test_what_an_open_shard_has_behind_many_empty_answers_comes_with_a_later_run() -> None:
    made = MadeStream({"a": MadeShard(None, numbered(1) + [None] * EMPTY_ANSWERS + numbered(2))})
    found, reached = drained(made, Place(UNTIL - 1, {"a": ""}))
    assert (len(found), reached.shards) == (1, {"a": "1"})
    made.shards["a"].closed = True
    assert len(drained(made, reached)[0]) == 1


def test_a_parent_that_is_not_read_to_its_end_holds_its_children_back() -> None:
    made = MadeStream({"a": MadeShard(None, numbered(1, 2), closed=True), "b": MadeShard("a", numbered(3))})
    made.at = NOW + timedelta(seconds=2)
    found, reached = drained(made, Place(UNTIL - 1, {"a": ""}))
    assert (found, reached.shards) == ([], {"a": ""})
    found, reached = drained(made, reached, UNTIL + 2000)
    assert (len(found), reached.shards) == (3, {"b": "3"})


def test_an_iterator_that_expired_is_asked_anew_and_no_record_comes_twice() -> None:
    made = MadeStream({"a": MadeShard(None, numbered(1, 2, 3), closed=True)}, expires=1)
    stream = Stream(made, "arn", "shop.orders", Place(UNTIL - 1, {"a": ""}), UNTIL)
    found = []
    for change in stream.changes():
        found.append(change)
        made.expires = 1
    assert [int(change.new["n"]["N"]) for change in found if change.new] == [1, 2, 3]
    assert stream.reached.shards == {"a": END}


@pytest.mark.parametrize("how", ["trimmed", "a shard gone", "a generation gone"])
def test_what_was_forgotten_is_an_error_that_says_what_to_do(how: str) -> None:
    made = MadeStream({"a": MadeShard(None, numbered(1, 2), closed=True), "b": MadeShard("a", numbered(3))})
    if how == "trimmed":
        made.shards["a"].trimmed = 1
    elif how == "a shard gone":
        del made.shards["a"]
    else:
        made.shards["c"] = MadeShard("x", numbered(9))
    with pytest.raises(PositionLost, match=r"run --full-refresh --select shop\.orders begins anew"):
        drained(made, Place(UNTIL - 1, {"a": "1"}))


def test_of_what_was_written_before_a_snapshot_its_reads_have_each_change() -> None:
    made = MadeStream({"a": MadeShard(None, numbered(1, 2))}, at=NOW - timedelta(minutes=6))
    place = Place.beginning_now(UNTIL, shards_of(made, "arn"))
    found, reached = drained(made, place, UNTIL + 1)
    assert (found, reached.shards) == ([], {"a": "2"})


@pytest.mark.parametrize("seed", range(20))
def test_over_a_random_history_of_shards_every_record_comes_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    made = MadeStream({"s000": MadeShard()})
    place = Place.beginning_now(UNTIL, shards_of(made, "arn"))
    holder = dict.fromkeys("abcdefgh", "s000")
    numbers, wanted, got = 0, {}, []
    latest: dict[str, str] = {}
    for step in range(1, 120):
        key = chance.choice("abcdefgh")
        if chance.random() < 0.12:
            _divide(made, holder, holder[key], chance)
        numbers += 1
        made.shards[holder[key]].records += [*([None] * chance.randint(0, 2)), (numbers, key)]
        wanted[key] = str(numbers)
        if chance.random() < 0.15:
            found, place = drained(made, place, UNTIL + step)
            got += [each.new["n"]["N"] for each in found if each.new]
            latest |= last_of_each(found)
            assert latest == wanted
    found, place = drained(made, place, UNTIL + 1000)
    got += [each.new["n"]["N"] for each in found if each.new]
    assert sorted(map(int, got)) == list(range(1, numbers + 1))


def _divide(made: MadeStream, holder: dict[str, str], name: str, chance: random.Random) -> None:
    """A shard ends, and one or two go on from it."""
    made.shards[name].closed = True
    into = [f"s{len(made.shards) + number + 1000:04d}" for number in range(chance.choice((1, 2)))]
    made.shards |= {each: MadeShard(name) for each in into}
    for key, held in holder.items():
        if held == name:
            holder[key] = chance.choice(into)
