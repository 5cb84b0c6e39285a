"""Any name that the database allows is the name of a table, a column and a key: quoted by one function everywhere."""

from __future__ import annotations

import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.catalog import SourceType
from el.connectors.request import Condition, Op, ReadRequest, Value
from tests.conformance.conftest import Place

NAMES = (
    "MixedCase",
    "with blanks",
    'double"quote',
    "single'quote",
    "[brackets]",
    "dots.in.it",
    "select",
    "Größe 日本 😀",
    "semi;colon -- comment",
    "back\\slash",
    "n" * 128,
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_a_name_is_written_read_filtered_merged_and_described(place: Place, name: str) -> None:
    table = place.create(name, {name: f"{place.facts.whole} NOT NULL", "note": place.facts.text})
    data = pa.table({name: pa.array([1, 2], pa.int64()), "note": ["one", "two"]})
    place.write(table, data)
    place.write(table, data.slice(1), WriteMode.MERGE, key=(name,))
    where = (Condition(name, Op.GT, Value("1", SourceType("bigint"))),)
    read = place.connector.read_buffer(ReadRequest(table=table, where=where, order_by=(name,))).to_arrow()
    assert read.column_names == [name, "note"]
    assert read.column("note").to_pylist() == ["two"]
    described = place.connector.describe([place.schema]).table(table)
    assert described is not None
    assert [column.name for column in described.columns] == [name, "note"]
