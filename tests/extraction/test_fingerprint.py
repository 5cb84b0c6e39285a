"""A fingerprint is that of the rows: of all their columns and all of them, in any order and any slices."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.extraction.fingerprint import RowHash, RowHasher

VALUES = st.tuples(st.integers(-5, 5) | st.none(), st.text(max_size=3) | st.none(), st.booleans() | st.none())


def table(rows: list[tuple[int | None, str | None, bool | None]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    types = (pa.int64(), pa.string(), pa.bool_())
    return pa.table({name: pa.array(column, type_) for name, column, type_ in zip("abc", columns, types, strict=True)})


def text(rows: pa.Table) -> str:
    hasher = RowHasher()
    try:
        return hasher.of(rows).text(rows.schema)
    finally:
        hasher.close()


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(VALUES, min_size=1, max_size=20), chance=st.randoms(use_true_random=False))
def test_neither_order_nor_slices_change_it(
    rows: list[tuple[int | None, str | None, bool | None]], chance: random.Random
) -> None:
    mixed = chance.sample(rows, len(rows))
    cut = chance.randint(0, len(rows))
    hasher = RowHasher()
    together = sum((hasher.of(table(part)) for part in (mixed[:cut], mixed[cut:])), RowHash())
    hasher.close()
    assert together.text(table(rows).schema) == text(table(rows))


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(VALUES, min_size=1, max_size=8), other=VALUES, place=st.integers(0, 7))
def test_another_row_one_more_and_one_less_change_it(
    rows: list[tuple[int | None, str | None, bool | None]],
    other: tuple[int | None, str | None, bool | None],
    place: int,
) -> None:
    place %= len(rows)
    before = text(table(rows))
    assert text(table([*rows, rows[place]])) != before
    assert text(table(rows[:place] + rows[place + 1 :])) != before
    if other != rows[place]:
        assert text(table([*rows[:place], other, *rows[place + 1 :]])) != before


@pytest.mark.parametrize("name", ["landed", "t", "row_", "rows", "c0", "c1"])
def test_whatever_a_column_is_called_the_others_count(name: str) -> None:
    before = pa.table({name: [1, 2], "v": ["a", "b"]})
    after = pa.table({name: [1, 2], "v": ["a", "changed"]})
    assert text(before) != text(after)


def test_two_columns_that_swap_their_values_change_it() -> None:
    assert text(pa.table({"a": [1], "b": [2]})) != text(pa.table({"a": [2], "b": [1]}))


@pytest.mark.parametrize("type_", [pa.float64(), pa.float32()])
def test_zero_is_told_from_minus_zero(type_: pa.DataType) -> None:
    assert text(pa.table({"a": pa.array([0.0, 1.5], type_)})) != text(pa.table({"a": pa.array([-0.0, 1.5], type_)}))


def test_another_type_of_a_column_changes_it() -> None:
    assert text(pa.table({"a": pa.array([1], pa.int32())})) != text(pa.table({"a": pa.array([1], pa.int64())}))


def test_nothing_is_told_from_no_table() -> None:
    assert text(table([])).endswith(":0")
