"""Reading: the schema first, and batches no larger than asked."""

from __future__ import annotations

import pyarrow as pa
import pytest

from el.connectors.catalog import SourceType, TableName
from el.connectors.request import Condition, Op, ReadRequest, Value
from el.connectors.sql.target import SqlTarget
from el.errors import ElError, ReadError
from tests.conformance.conftest import Place, numbered
from tests.conformance.line import Line


def test_the_schema_is_there_before_the_first_row(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(1))
    with place.connector.read_buffer(ReadRequest(table=table)) as buffer:
        assert buffer.schema.names == ["id", "note"]
        assert pa.types.is_integer(buffer.schema.field("id").type)
        assert buffer.schema.field("note").type in (pa.string(), pa.large_string())
        assert buffer.rows == 0
        for batch in buffer:
            assert batch.schema == buffer.schema


def test_an_empty_table_has_the_schema_of_a_full_one(place: Place) -> None:
    table = place.plain()
    empty = place.connector.read_buffer(ReadRequest(table=table)).to_arrow()
    place.write(table, numbered(1))
    assert empty.num_rows == 0
    assert empty.schema == place.connector.read_buffer(ReadRequest(table=table)).to_arrow().schema


def test_a_table_of_one_column(place: Place) -> None:
    table = place.create("one", {"only": place.facts.whole})
    place.write(table, pa.table({"only": pa.array([1, None, 3], pa.int64())}))
    read = place.connector.read_buffer(ReadRequest(table=table)).to_arrow()
    assert sorted(read.column("only").to_pylist(), key=str) == [1, 3, None]


def test_a_table_of_300_columns_keeps_their_order(place: Place) -> None:
    names = [f"column_{n:03}" for n in reversed(range(300))]
    table = place.create("wide", dict.fromkeys(names, place.facts.whole))
    data = pa.table({name: pa.array([n, n + 1], pa.int64()) for n, name in enumerate(names)})
    assert place.write(table, data).rows == 2
    read = place.connector.read_buffer(ReadRequest(table=table)).to_arrow()
    assert read.column_names == names
    assert sorted(tuple(row.values()) for row in read.to_pylist()) == [tuple(range(300)), tuple(range(1, 301))]


def test_batches_are_bounded_in_rows(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(*range(1001)))
    sizes = [b.num_rows for b in place.connector.read_buffer(ReadRequest(table=table, batch_rows=100))]
    assert sum(sizes) == 1001
    assert max(sizes) <= 100


def test_batches_are_bounded_in_bytes(place: Place) -> None:
    table = place.plain()
    texts = ["x" * 1000] * 500
    place.write(table, pa.table({"id": pa.array(range(500), pa.int64()), "note": texts}))
    request = ReadRequest(table=table, batch_bytes=50_000)
    batches = list(place.connector.read_buffer(request))
    assert sum(batch.num_rows for batch in batches) == 500
    # A slice shares its buffers, so its share is counted by its rows.
    assert max(batch.num_rows for batch in batches) <= 60


@pytest.mark.parametrize(
    ("op", "found"),
    [(Op.LT, [1, 2]), (Op.LE, [1, 2, 3]), (Op.EQ, [3]), (Op.NE, [1, 2, 4]), (Op.GE, [3, 4]), (Op.GT, [4])],
)
def test_a_bound_belongs_to_the_window_or_not_as_its_operator_says(place: Place, op: Op, found: list[int]) -> None:
    table = place.plain()
    place.write(table, numbered(1, 2, 3, 4))
    bound = Condition("id", op, Value("3", SourceType("bigint")))
    read = place.connector.read_buffer(ReadRequest(table=table, where=(bound,), order_by=("id",))).to_arrow()
    assert [int(value) for value in read.column("id").to_pylist()] == found


def test_two_windows_that_meet_have_every_row_once(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(*range(10)))
    middle = Value("5", SourceType("bigint"))
    seen: list[int] = []
    for op in (Op.LT, Op.GE):
        request = ReadRequest(table=table, where=(Condition("id", op, middle),))
        seen += [int(value) for value in place.connector.read_buffer(request).to_arrow().column("id").to_pylist()]
    assert sorted(seen) == list(range(10))


def test_the_greatest_and_the_least_value(place: Place) -> None:
    table, type_ = place.plain(), SourceType("bigint")
    assert place.connector.max_value(ReadRequest(table=table), "id", type_) is None
    place.write(table, numbered(-5, 7, 3))
    greatest = place.connector.max_value(ReadRequest(table=table), "id", type_)
    least = place.connector.min_value(ReadRequest(table=table), "id", type_)
    assert (greatest and greatest.text, least and least.text) == ("7", "-5")


def test_a_table_that_is_not_there_is_a_read_error(place: Place) -> None:
    with pytest.raises(ReadError, match=r"^database error: .*nowhere") as failed:
        place.connector.read_buffer(ReadRequest(table=TableName(place.schema, "nowhere"))).to_arrow()
    assert (failed.value.exit_code, failed.value.retryable) == (1, False)


@pytest.mark.parametrize("size", [4_000, 70_000])
def test_a_read_whose_line_is_cut_is_an_error_that_may_be_tried_again(
    place: Place, over_a_line: tuple[SqlTarget, Line], size: int
) -> None:
    table = place.plain()
    many = pa.table({"id": pa.array(range(5000), pa.int64()), "note": pa.array(["some twenty characters"] * 5000)})
    place.write(table, many)
    connector, line = over_a_line
    line.cut_after(size)
    with pytest.raises(ElError) as caught:
        connector.read_buffer(ReadRequest(table=table)).to_arrow()
    assert caught.value.retryable, "whoever reads may try again"
    assert not line.is_to_be_cut, "the line was cut while rows came"
