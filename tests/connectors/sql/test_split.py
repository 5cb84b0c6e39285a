"""A table that is divided: whatever the cuts are, each row is in exactly one part; and parts are of like size."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.connectors.catalog import Column, SourceType, TableName
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.request import ReadRequest
from el.connectors.sql.scale import Scale
from el.connectors.sql.split import Step, balanced_cuts, equal_cuts, ranges
from el.errors import PlanError
from el.types.rule import TypeFacts, TypeKind

REQUEST = ReadRequest(table=TableName("main", "t"))


class Cut(DuckDb):
    """DuckDB, whose statistics are whatever a test says."""

    cuts: Sequence[str] | None = None

    def _cuts(self, request: ReadRequest, by: Column, wanted: int) -> Sequence[str]:
        return super()._cuts(request, by, wanted) if self.cuts is None else self.cuts


@pytest.fixture(scope="module")
def source() -> Iterator[Cut]:
    with Cut(DuckDbConfig()) as source:
        yield source


def parts_of(source: Cut, declared: str, values: Sequence[Any], cuts: Sequence[str] | None, wanted: int = 4) -> Any:
    """The values of each part."""
    source.cuts = cuts
    source.connection.execute(f"CREATE OR REPLACE TABLE t (k {declared})")
    source.connection.register("given", pa.table({"k": pa.array([str(v) if v is not None else None for v in values])}))
    source.connection.execute("INSERT INTO t SELECT k FROM given")
    table = source.describe().table(REQUEST.table or TableName("", ""))
    assert table is not None
    splits = source.splits(REQUEST, wanted, table.columns[0])
    assert pickle.loads(pickle.dumps(splits)) == splits
    reads = [replace(REQUEST, split=split) for split in splits]
    return [source.read_buffer(read).to_arrow().column("k").to_pylist() for read in reads]


_TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=6) | st.sampled_from(
    ["a", "A", "a ", "", "ß", "SS", "é", "e"]
)
_KINDS: dict[str, st.SearchStrategy[Any]] = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    "DECIMAL(38,10)": st.decimals(-(10**27), 10**27, places=10) | st.integers(-2, 2),
    "DATE": st.dates(),
    "TIMESTAMP": st.datetimes(),
    "UUID": st.uuids(),
    "TIME": st.times(),
    "VARCHAR": _TEXTS,
    "VARCHAR COLLATE NOCASE": _TEXTS,
}


@pytest.mark.parametrize("declared", _KINDS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_cuts_give_each_row_exactly_once(source: Cut, declared: str, data: st.DataObject) -> None:
    """Of statistics that are old, or sorted by another rule than the server's, too."""
    values = data.draw(st.lists(st.none() | _KINDS[declared], max_size=30))
    cuts = data.draw(st.lists(_KINDS[declared].map(shown) | st.sampled_from(values or [None]).map(shown), max_size=8))
    parts = parts_of(source, declared, values, [cut for cut in cuts if cut != "None"])
    if parts:
        everything = source.read_buffer(REQUEST).to_arrow().column("k").to_pylist()
        assert sorted(repr(each) for part in parts for each in part) == sorted(repr(each) for each in everything)


def shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def test_a_value_that_no_column_of_the_type_has_an_order_for_divides_nothing(source: Cut) -> None:
    with pytest.raises(PlanError, match="'k' is double, which has no order to cut it by"):
        parts_of(source, "DOUBLE", [1.5, 2.5], None)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("BIGINT", lambda n: n),
        ("DECIMAL(18,4)", lambda n: Decimal(n) / 100),
        ("TIMESTAMP", lambda n: datetime.fromtimestamp(n).isoformat()),
        ("UUID", lambda n: f"{n:08x}-0000-0000-0000-000000000000"),
        ("VARCHAR", lambda n: f"{n:010d}"),
    ],
    ids=["whole", "decimal", "moment", "uuid", "text"],
)
def test_parts_are_of_like_size_though_most_values_lie_close_together(source: Cut, declared: str, value: Any) -> None:
    """Nine of ten rows in one hundredth of the range: by equal ranges one part would have nearly all of them."""
    close = [value(500_000 + n) for n in range(9_000)]
    apart = [value(n * 1_000) for n in range(1_000)]
    parts = parts_of(source, declared, [*close, *apart, None], None, wanted=8)
    sizes = [len(part) for part in parts]
    assert (len(sizes), sum(sizes)) == (8, 10_001)
    assert all(10_000 / 8 / 2 < size < 10_000 / 8 * 2 for size in sizes), sizes


def test_without_statistics_numbers_and_days_have_ranges_of_equal_width_and_texts_none(source: Cut) -> None:
    assert [len(part) for part in parts_of(source, "INTEGER", range(100), [])] == [25, 25, 25, 25]
    assert [len(part) for part in parts_of(source, "DECIMAL(5,1)", [Decimal(n) / 10 for n in range(100)], [])] == [
        25
    ] * 4
    days = [date.fromordinal(date(2024, 1, 1).toordinal() + n) for n in range(100)]
    assert [len(part) for part in parts_of(source, "DATE", days, [])] == [25, 25, 25, 25]
    assert parts_of(source, "VARCHAR", ["a", "b", "c", "d"], []) == []
    assert parts_of(source, "INTEGER", [], []) == parts_of(source, "INTEGER", [None, None], []) == []


WHOLE = Scale.of(TypeFacts(TypeKind.WHOLE, None))


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50), st.integers(0, 50)), max_size=20), st.integers(2, 9))
def test_the_cuts_of_any_histogram_ascend_and_are_no_more_than_were_asked_for(
    steps: list[tuple[int, int, int]], wanted: int
) -> None:
    values = sorted({value: (below, equal) for value, below, equal in steps}.items())
    histogram = [Step(str(value), below, equal) for value, (below, equal) in values]
    assert WHOLE is not None
    cuts = [int(cut) for cut in balanced_cuts(histogram, wanted, WHOLE)]
    assert cuts == sorted(cuts)
    assert len(cuts) < wanted
    assert all(values[0][0] <= cut <= values[-1][0] for cut in cuts)
    known = [str(value) for value, _ in values]
    bare = balanced_cuts(histogram, wanted, None)
    assert len(bare) < wanted
    assert [known.index(cut) for cut in bare] == sorted(known.index(cut) for cut in bare)


def test_a_part_of_a_step_is_worked_out() -> None:
    """A server may hold thousands of numbers without a gap as one step."""
    assert balanced_cuts([Step("1", 0, 1), Step("1000", 998, 1)], 4, WHOLE) == ["251", "501", "751"]
    assert balanced_cuts([Step("1", 0, 1), Step("1000", 998, 1)], 4, None) == ["1000"]


def test_a_value_that_many_rows_have_is_in_one_part() -> None:
    assert balanced_cuts([Step("7", 0, 40)], 4, WHOLE) == balanced_cuts([Step("7", 0, 40)], 4, None) == []
    assert balanced_cuts([Step("1", 0, 10), Step("2", 0, 9_000), Step("3", 0, 10)], 2, WHOLE) == ["2"]


@pytest.mark.parametrize("kind", [TypeKind.DATE, TypeKind.MOMENT, TypeKind.INSTANT])
def test_the_ends_of_the_calendar_are_no_reason_to_fail(kind: TypeKind) -> None:
    scale = Scale.of(TypeFacts(kind, None))
    assert scale is not None
    first, last = ("0001-01-01", "9999-12-31")
    if kind is not TypeKind.DATE:
        first, last = f"{first}T00:00:00", f"{last}T23:59:59.999999"
    assert len(equal_cuts(scale, first, last, 4)) == 3
    assert balanced_cuts([Step(first, 0, 1), Step(last, 1, 1000)], 4, scale)
    assert equal_cuts(scale, "infinity", last, 4) == equal_cuts(scale, "0044-03-15 BC", last, 4) == []


def test_the_text_of_a_part_says_which_rows_it_has() -> None:
    parts = ranges("id", SourceType("integer"), ["5", "9"])
    assert [str(part) for part in parts] == ["id < 5 or null", "id >= 5 and id < 9", "id >= 9"]
