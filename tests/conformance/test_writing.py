"""Writing: all or nothing, in the mode that was asked for, and the same run_id never twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.buffer import Buffer
from el.connectors.catalog import TableName
from el.errors import ElError, ReadError, WriteError
from tests.conformance.conftest import Place, numbered


def ids(place: Place, table: TableName) -> list[int]:
    return [int(row[0]) for row in place.rows(table)]


def test_append_adds(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1, 2))
    assert place.write(table, numbered(2, 3)).rows == 2
    assert ids(place, table) == [1, 2, 2, 3]


def test_replace_leaves_the_new_rows_alone(place: Place) -> None:
    table = place.create("keyed", {"id": f"{place.facts.whole} NOT NULL PRIMARY KEY", "note": place.facts.text})
    place.write(table, numbered(1, 2))
    place.write(table, numbered(2, 3), WriteMode.REPLACE)
    assert ids(place, table) == [2, 3]
    place.write(table, numbered(), WriteMode.REPLACE)
    assert ids(place, table) == []


def test_merge_updates_what_is_there_and_inserts_the_rest(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1, 2))
    assert place.write(table, numbered(2, 3, note="new"), WriteMode.MERGE, key=("id",)).rows == 2
    assert [(int(n), note) for n, note in place.rows(table)] == [(1, "note 1"), (2, "new 2"), (3, "new 3")]


def test_merge_by_a_key_of_two_columns_that_are_all_there_is(place: Place) -> None:
    table = place.create("pairs", {"a": place.facts.whole, "b": place.facts.whole})
    for _ in range(2):
        data = pa.table({"a": pa.array([1, 1], pa.int64()), "b": pa.array([1, 2], pa.int64())})
        place.write(table, data, WriteMode.MERGE, key=("a", "b"))
    assert [(int(a), int(b)) for a, b in place.rows(table)] == [(1, 1), (1, 2)]


def test_fewer_columns_in_another_order_are_matched_by_name(place: Place) -> None:
    table = place.create("three", {"a": place.facts.whole, "b": place.facts.text, "c": place.facts.text})
    place.write(table, pa.table({"c": ["see"], "a": pa.array([1], pa.int64())}))
    assert [(int(a), b, c) for a, b, c in place.rows(table)] == [(1, None, "see")]


def test_a_mode_given_as_text_is_the_mode_and_no_other_text_is(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1, 2))
    place.write(table, numbered(2, note="new"), "merge", key=("id",))  # type: ignore[arg-type]
    assert [note for _, note in place.rows(table)] == ["note 1", "new 2"]
    assert place.write(table, numbered(3), "replace").mode is WriteMode.REPLACE  # type: ignore[arg-type]
    with pytest.raises(WriteError, match=r"no write mode 'upsert'; there are: append, replace, merge$"):
        place.write(table, numbered(4), "upsert")  # type: ignore[arg-type]
    assert ids(place, table) == [3]


@pytest.mark.parametrize(
    "note",
    [
        pa.array(["é", None], pa.string_view()),
        pa.array(["é", None]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, None], pa.uint32()), pa.array(["é"], pa.string_view())),
    ],
    ids=["views", "dictionary", "dictionary of views"],
)
def test_text_is_taken_in_every_layout_that_frames_have(place: Place, note: pa.Array) -> None:
    table = place.plain()
    hundreds = pa.array([Decimal("1E2"), Decimal("2E2")], pa.decimal128(10, -2))
    place.write(table, pa.table({"id": hundreds, "note": note}))
    assert [(int(n), text) for n, text in place.rows(table)] == [(100, "é"), (200, None)]


def test_half_floats_are_taken_as_what_they_are(place: Place) -> None:
    table = place.create("halves", {"value": "FLOAT"})
    place.write(table, pa.table({"value": pa.array([1.5, -0.25], pa.float16())}))
    assert place.rows(table) == [(-0.25,), (1.5,)]


def unread() -> Buffer:
    """A stream that must not be touched: it was refused before its first row."""

    def rows() -> Iterator[pa.RecordBatch]:
        raise AssertionError("a row was read")
        yield

    return Buffer(pa.schema([("id", pa.int64()), ("note", pa.string())]), rows())


@pytest.mark.parametrize(
    ("mode", "key", "says"),
    [
        (WriteMode.MERGE, (), "merge needs a key"),
        (WriteMode.MERGE, ("nope",), "key column 'nope' is not in the data"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_first_row(
    place: Place, mode: WriteMode, key: tuple[str, ...], says: str
) -> None:
    table = place.plain()
    with pytest.raises(WriteError, match=says):
        place.write(table, unread(), mode, key=key)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame([[1, 2]], columns=["id", "id"]), "id"),
        (pd.DataFrame({"id": [2**70]}), "int too big|too large|overflow"),
        (pd.DataFrame({"id": [1, "one"]}), "convert|tried to"),
        (pd.DataFrame({"id": [object()]}), "convert|recognize"),
        ([1, 2], "Arrow stream"),
    ],
    ids=["a column name twice", "a number beyond 64 bits", "two types", "an object", "no frame"],
)
def test_a_frame_that_is_no_table_is_one_line_and_changes_nothing(place: Place, frame: Any, says: str) -> None:
    table = place.plain()
    place.write(table, numbered(1))
    with pytest.raises(WriteError, match=rf"(?i)^data is not in stable state: [^\n]*({says})[^\n]*$"):
        place.write(table, frame)
    assert ids(place, table) == [1]


def test_a_column_or_a_table_that_is_not_there_is_refused_before_the_first_row(place: Place) -> None:
    table = place.create("other", {"id": place.facts.whole})
    with pytest.raises(WriteError, match="has no column 'note' to write to"):
        place.write(table, unread())
    with pytest.raises(WriteError, match="there is no table"):
        place.write(TableName(place.schema, "nowhere"), unread())
    with pytest.raises(WriteError, match="no Arrow stream"):
        place.write(table, [1, 2, 3])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (numbered(1, 1), "key id=.*1.* more than once"),
        (pa.table({"id": pa.array([1, None], pa.int64()), "note": ["a", "b"]}), "key column 'id' has NULL"),
    ],
)
def test_a_key_that_is_no_key_is_refused_and_changes_nothing(place: Place, data: pa.Table, says: str) -> None:
    table = place.create("loose", {"id": place.facts.whole, "note": place.facts.text})
    place.write(table, numbered(1))
    with pytest.raises(WriteError, match=says):
        place.write(table, data, WriteMode.MERGE, key=("id",))
    assert place.rows(table)[0][1] == "note 1"
    assert len(place.rows(table)) == 1


@pytest.mark.parametrize("mode", list(WriteMode))
def test_the_same_run_twice_changes_nothing(place: Place, mode: WriteMode) -> None:
    table = place.plain()
    key = ("id",) if mode is WriteMode.MERGE else ()
    first = place.write(table, numbered(1, 2), mode, key=key, run_id="same")
    second = place.write(table, numbered(7, 8, 9), mode, key=key, run_id="same")
    assert (first.rows, first.already_done) == (2, False)
    assert (second.rows, second.already_done) == (0, True)
    assert ids(place, table) == [1, 2]


def test_the_same_run_of_another_table_is_another_write(place: Place) -> None:
    one, other = place.plain("one"), place.plain("other")
    place.write(one, numbered(1), run_id="same")
    assert not place.write(other, numbered(1), run_id="same").already_done
    assert ids(place, other) == [1]


def test_a_run_id_that_differs_in_case_is_another_run(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1), run_id="Ab")
    assert not place.write(table, numbered(2), run_id="aB").already_done
    assert ids(place, table) == [1, 2]


@pytest.mark.parametrize("run_id", ["", " ", "ends ", "\tbegins"])
def test_a_run_id_that_is_blank_or_ends_with_blanks_is_refused(place: Place, run_id: str) -> None:
    table = place.plain()
    with pytest.raises(WriteError, match=r"run_id .*: give it at least one character, and none that is blank"):
        place.write(table, unread(), run_id=run_id)


@pytest.mark.parametrize("mode", list(WriteMode))
def test_a_failure_at_any_statement_leaves_the_table_as_it_was(
    place: Place, mode: WriteMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = place.plain()
    place.write(table, numbered(1, 2), run_id="before")
    before = place.rows(table)
    owner, method = type(place.connector), "execute"
    original = getattr(owner, method)
    key = ("id",) if mode is WriteMode.MERGE else ()
    struck = 0
    for nth in range(1, 100):
        calls = 0

        def failing(self: Any, statement: Any, *rest: Any, nth: int = nth) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth:
                raise WriteError("broken off")
            return original(self, statement, *rest)

        monkeypatch.setattr(owner, method, failing)
        try:
            place.write(table, numbered(2, 3, note="new"), mode, key=key, run_id=f"fails {nth}")
            failed = False
        except WriteError:
            failed = True
        monkeypatch.setattr(owner, method, original)
        if not failed:
            break
        struck += 1
        assert place.rows(table) == before
    assert struck >= 3
    expected = {WriteMode.APPEND: [1, 2, 2, 3], WriteMode.REPLACE: [2, 3], WriteMode.MERGE: [1, 2, 3]}
    assert ids(place, table) == expected[mode]


def test_a_stream_that_breaks_off_leaves_the_table_as_it_was(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1))

    def rows() -> Iterator[pa.RecordBatch]:
        yield numbered(*range(100)).to_batches()[0]
        raise ReadError("the source went away", retryable=True)

    for mode in (WriteMode.APPEND, WriteMode.REPLACE):
        with pytest.raises(ElError, match="the source went away"):
            place.write(table, Buffer(numbered(1).schema, rows()), mode)
        assert ids(place, table) == [1]


def test_a_value_that_the_column_would_change_is_refused_and_changes_nothing(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1))
    with pytest.raises(WriteError, match=r"(?is)id.* cast the data"):
        place.write(table, pa.table({"id": [2.0, 3.5], "note": ["two", "three and a half"]}))
    assert ids(place, table) == [1]


@pytest.mark.parametrize("of", ["wall clock", "point in time"])
def test_a_moment_without_a_zone_is_no_point_in_time_nor_the_other_way(place: Place, of: str) -> None:
    zones = {"wall clock": None, "point in time": "UTC"}
    types = {held.arrow: held.declared for held in reversed(place.facts.held)}
    table = place.create("moments", {"at": types[pa.timestamp("us", zones.pop(of))]})
    (other,) = zones.values()
    with pytest.raises(WriteError, match=r"at is .* cast the data"):
        place.write(table, pa.table({"at": pa.array([0], pa.timestamp("us", other))}))
    assert place.rows(table) == []


def test_a_row_that_the_table_refuses_leaves_it_as_it_was(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1))
    data = pa.table({"id": pa.array([5, None], pa.int64()), "note": ["a", "b"]})
    with pytest.raises(WriteError, match=r"^data is not in stable state: "):
        place.write(table, data, WriteMode.REPLACE)
    assert ids(place, table) == [1]


def together(place: Place, *writes: Any) -> list[Any]:
    """Each write through a connection of its own, at once; what each gave."""
    found: list[Any] = [None] * len(writes)
    ready = threading.Barrier(len(writes))

    def work(number: int) -> None:
        with place.another() as connector:
            ready.wait()
            try:
                found[number] = writes[number](connector)
            except ElError as error:
                found[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(writes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    errors = [result for result in found if isinstance(result, ElError)]
    assert not errors, errors
    return found


def test_two_writers_at_once_do_not_mix(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered())
    together(
        place,
        lambda c: c.write_buffer(table, numbered(*range(50), note="a"), WriteMode.REPLACE, run_id="a"),
        lambda c: c.write_buffer(table, numbered(*range(50), note="b"), WriteMode.REPLACE, run_id="b"),
    )
    rows = place.rows(table)
    assert len(rows) == 50
    assert len({note.split()[0] for _, note in rows}) == 1


def test_the_same_run_of_two_writers_at_once_is_written_once(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered())
    results = together(
        place, *[lambda c: c.write_buffer(table, numbered(1, 2, 3), WriteMode.APPEND, run_id="same")] * 2
    )
    assert sorted(result.already_done for result in results) == [False, True]
    assert ids(place, table) == [1, 2, 3]


def test_a_write_takes_what_another_connector_reads(place: Place) -> None:
    source, target = place.plain("source"), place.plain("target")
    place.write(source, numbered(*range(500)))
    from el.connectors.request import ReadRequest

    with place.another() as reading:
        buffer = reading.read_buffer(ReadRequest(table=source, batch_rows=64))
        assert place.write(target, buffer).rows == 500
    assert ids(place, target) == list(range(500))
