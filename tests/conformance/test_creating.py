"""`create=True`: a table that is not there is made, and holds what was sent as it was."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from el.connectors.base import ArrowStream, WriteMode
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.errors import WriteError
from tests.conformance.conftest import Place, numbered
from tests.conformance.facts.values import BYTES, DAYS, FLOATS, INSTANTS, INT64, MOMENTS, TEXTS, TIMES, decimals
from tests.conformance.test_writing import ids, together


def made(place: Place, data: ArrowStream, **options: Any) -> list[dict[str, Any]]:
    """What another session reads of the table that was made of `data`, whose column `id` gives the order."""
    table = place.table("made")
    place.write(table, data, create=True, **options)
    rows = place.reader.read_buffer(ReadRequest(table=table)).to_arrow()
    return sorted(rows.to_pylist(), key=lambda row: int(row["id"]))


COLUMNS = {
    "whole": pa.array(INT64, pa.int64()),
    "small": pa.array((-(2**15), 0, 2**15 - 1), pa.int16()),
    "tiny": pa.array((-128, 0, 127), pa.int8()),
    "natural": pa.array((0, 2**64 - 1), pa.uint64()),
    "byte": pa.array((0, 255), pa.uint8()),
    "amount": pa.array(decimals(38, 10), pa.decimal128(38, 10)),
    "ratio": pa.array(FLOATS, pa.float64()),
    "single": pa.array((0.5, -0.25), pa.float32()),
    "flag": pa.array((True, False), pa.bool_()),
    "note": pa.array(TEXTS, pa.string()),
    "bytes": pa.array(BYTES, pa.binary()),
    "day": pa.array(DAYS, pa.date32()),
    "moment": pa.array(MOMENTS, pa.timestamp("us")),
    "second": pa.array((datetime(2024, 2, 29, 12, 0, 1),), pa.timestamp("s")),
    "instant": pa.array(INSTANTS, pa.timestamp("us", "UTC")),
    "time": pa.array(TIMES, pa.time64("us")),
    "nothing": pa.nulls(1),
}


def test_a_missing_table_is_made_with_types_that_hold_every_value(place: Place) -> None:
    most = max(len(column) for column in COLUMNS.values())
    held = {name: as_far_as_any_type_holds(place, column) for name, column in COLUMNS.items()}
    columns = {name: pa.concat_arrays([data, pa.nulls(most - len(data), data.type)]) for name, data in held.items()}
    data = pa.table({"id": pa.array(range(most), pa.int64()), **columns})
    # The write itself compares what the table holds; here it is read once more, and by another session.
    rows = made(place, data)
    assert len(rows) == most
    for name, column in columns.items():
        for sent, found in zip(column.to_pylist(), [row[name] for row in rows], strict=True):
            assert same(sent, found), (name, sent, found)


def as_far_as_any_type_holds(place: Place, column: pa.Array) -> pa.Array:
    """Where the facts have other edges of such values, those: a database may have no negative zero, and fewer years."""
    if column.type not in (pa.float64(), pa.timestamp("us", "UTC")):
        return column
    held = [held.values for held in place.facts.held if held.arrow == column.type]
    values = [value for value in column.to_pylist() if repr(value) in map(repr, held[-1])]
    return pa.array(values or held[-1], column.type)


def same(sent: Any, found: Any) -> bool:
    if isinstance(found, str) and isinstance(sent, time):
        found = time.fromisoformat(found)
    if isinstance(found, str) and not isinstance(sent, str):
        found = datetime.fromisoformat(found.replace(" +", "+")) if isinstance(sent, datetime) else type(sent)(found)
    if isinstance(sent, float) and isinstance(found, float):
        return sent == found and math.copysign(1, sent) == math.copysign(1, found)
    return bool(sent == found)


def test_a_frame_of_pandas_is_made_as_it_is(place: Place) -> None:
    moment = pd.Timestamp("2024-02-29 12:30:15.123456")
    frame = pd.DataFrame(
        {
            "id": [1, 2],
            "value": [0.5, np.nan],
            "at": [moment, pd.NaT],
            "there": [moment.tz_localize("Europe/Berlin"), pd.NaT],
            "kind": pd.Categorical(["a", None]),
            "count": pd.array([7, None], dtype="Int64"),
            "sure": pd.array([True, None], dtype="boolean"),
            "price": [Decimal("12.50"), None],
            "day": [date(2024, 2, 29), None],
            "note": ["Zoë", None],
        }
    )
    one, two = made(place, frame)
    expected: dict[str, Any] = {
        "id": 1,
        "value": 0.5,
        "at": moment.to_pydatetime(),
        "there": datetime(2024, 2, 29, 11, 30, 15, 123456, tzinfo=UTC),
        "kind": "a",
        "count": 7,
        "sure": True,
        "price": Decimal("12.50"),
        "day": date(2024, 2, 29),
        "note": "Zoë",
    }
    assert [name for name, value in expected.items() if not same(value, one[name])] == [], one
    assert two == {**dict.fromkeys(two), "id": 2}


def test_lists_and_structs_are_json_text_where_there_is_no_type_for_them(place: Place) -> None:
    vectors = [[0.1, 2.5, 1e300], [], None, [None, -1.0]]
    parts = [{"a": 2**63 - 1, "b": 'x"\\\n\u00e9\U0001f600'}, {"a": None, "b": ""}, None, {"a": -1, "b": "\u20ac"}]
    singles = pa.array([[0.1], None, None, None], pa.list_(pa.float32()))
    sent = pa.table({"id": range(4), "vector": vectors, "part": parts, "single": singles})
    rows = made(place, sent)
    assert np.float32(said(rows[0]["single"])[0]) == np.float32(0.1)
    assert [said(row["vector"]) for row in rows] == vectors
    assert [said(row["part"]) for row in rows] == parts


def said(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@pytest.mark.parametrize("value", [[math.nan], [math.inf], [-0.0], [b"x"]], ids=["nan", "infinity", "-0.0", "bytes"])
def test_what_json_cannot_say_is_refused(place: Place, value: Any) -> None:
    table = place.table("made")
    with pytest.raises(WriteError, match=r"made\.v: JSON has no "):
        place.write(table, pa.table({"id": [1], "v": [value]}), create=True)
    with pytest.raises(WriteError, match="there is no table"):
        place.write(table, numbered(1))


def test_a_list_goes_into_a_column_of_text_that_is_there(place: Place) -> None:
    table = place.table("made")
    place.write(table, pa.table({"id": [0], "v": ["none"]}), create=True)
    place.write(table, pa.table({"id": [1], "v": [[1, 2]]}))
    assert sorted(tuple(row) for row in place.rows(table)) == [(0, "none"), (1, "[1,2]")]


@pytest.mark.parametrize(
    "frame", [numbered(), pd.DataFrame({"id": pd.Series(dtype="int64"), "note": pd.Series(dtype="str")})]
)
def test_of_an_empty_frame_an_empty_table_is_made(place: Place, frame: Any) -> None:
    assert made(place, frame) == []
    place.write(place.table("made"), numbered(1))
    assert ids(place, place.table("made")) == [1]


def test_a_table_that_is_there_is_left_as_it_is(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1), create=True)
    assert ids(place, table) == [1]
    with pytest.raises(WriteError, match="has no column 'more' to write to"):
        place.write(table, numbered(2).append_column("more", pa.array([1])), create=True)


@pytest.mark.parametrize("mode", list(WriteMode))
def test_the_same_run_twice_makes_and_fills_the_table_once(place: Place, mode: WriteMode) -> None:
    table, key = place.table("made"), ("id",) if mode is WriteMode.MERGE else ()
    first = place.write(table, numbered(1, 2), mode, key=key, run_id="same", create=True)
    second = place.write(table, numbered(1, 2), mode, key=key, run_id="same", create=True)
    assert (first.already_done, second.already_done) == (False, True)
    assert ids(place, table) == [1, 2]


def test_a_write_that_is_refused_makes_no_table(place: Place) -> None:
    table = place.table("made")
    with pytest.raises(WriteError, match="more than once"):
        place.write(table, numbered(1, 1), WriteMode.MERGE, key=("id",), create=True)
    with pytest.raises(WriteError, match=r"made\.took: no column type holds every duration\[us\]; cast the data"):
        place.write(table, pa.table({"took": pa.array([1], pa.duration("us"))}), create=True)
    with pytest.raises(WriteError, match="there is no table"):
        place.write(table, numbered(1))


def test_of_two_writers_that_make_a_table_neither_loses_its_rows(place: Place) -> None:
    table = place.table("made")
    together(
        place,
        lambda c: c.write_buffer(table, numbered(1, 2), run_id="one", create=True),
        lambda c: c.write_buffer(table, numbered(3, 4), run_id="other", create=True),
    )
    assert ids(place, table) == [1, 2, 3, 4]


def test_a_table_that_appears_meanwhile_keeps_its_own_types(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Staged in the data's types, a value would be rounded on its way into the other's."""
    connector: Any = place.connector
    table, writer = place.table("made"), connector.writer()
    create, quoted = writer._create, connector.dialect.quote_table(table)

    def appears(self: Any, schema: pa.Schema) -> None:
        monkeypatch.undo()
        with place.another() as other:
            other.execute(Statement(f"CREATE TABLE {quoted} ({other.dialect.quote('id')} {place.facts.whole})"))
        create(self, schema)

    monkeypatch.setattr(writer, "_create", appears)
    with pytest.raises(WriteError, match=r"made\.id is .* cast the data"):
        place.write(table, pa.table({"id": [2.0, 2.5]}), create=True)
    assert place.rows(table) == []
