"""_el_position keeps the source's order, for every type that can be a position."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.planning.strategies.position import sortable

COLUMNS = {
    "bigint": (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    "rowversion": (st.binary(min_size=8, max_size=8), pa.binary()),
    "rowversion of fixed size": (st.binary(min_size=8, max_size=8), pa.binary(8)),
    "float": (st.floats(allow_nan=False, allow_infinity=True).map(lambda x: x + 0.0), pa.float64()),
    "timestamp": (st.datetimes(), pa.timestamp("us")),
    "date": (st.dates(), pa.date32()),
    "text": (st.text(), pa.string()),
}


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_text_order_is_the_value_order(name: str, data: st.DataObject) -> None:
    values, kind = COLUMNS[name]
    found = data.draw(st.lists(values, min_size=1, max_size=30))
    ordered = sorted(found, key=lambda v: v.encode() if isinstance(v, str) else v)
    texts = sortable(pa.array(ordered, kind)).to_pylist()
    assert texts == sorted(texts, key=str.encode)
    assert len(set(texts)) == len(set(ordered))


def test_years_of_more_than_four_digits_come_behind_those_of_four() -> None:
    of_years = pa.array(["1999-12-31", "2024-01-01", "9999-12-31"]).cast(pa.timestamp("s"))
    far = pa.array([253402300800, 568971820800], pa.timestamp("s"))
    ordered = pa.concat_arrays([of_years, far])
    texts = sortable(ordered).to_pylist()
    assert texts == sorted(texts, key=str.encode)
    assert texts[0] == "1999-12-31 00:00:00"
    assert texts[4] == "Y" + "20000-01-01 00:00:00".zfill(40)


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=1, max_size=30), st.integers(0, 38))
def test_decimals_of_every_scale_keep_their_order(unscaled: list[int], scale: int) -> None:
    ordered = sorted(unscaled)
    whole = pa.array([Decimal(n) for n in ordered], pa.decimal128(38, 0))
    scaled = pa.Array.from_buffers(pa.decimal128(38, scale), len(whole), whole.buffers())
    texts = sortable(scaled).to_pylist()
    assert texts == sorted(texts)
    assert len(set(texts)) == len(set(ordered))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None, 2]),
        pa.array([b"12345678", None], pa.binary(8)),
        pa.array([b"12345678", None], pa.binary()),
        pa.array([date(2024, 1, 1), None]),
        pa.array([datetime(2024, 1, 1), None], pa.timestamp("us")),
        pa.array([1.5, None]),
        pa.array([Decimal("1.50"), None]),
    ],
)
def test_null_stays_null_and_slices_count_from_their_own_start(values: pa.Array) -> None:
    whole = sortable(values).to_pylist()
    assert [text is None for text in whole] == [value is None for value in values.to_pylist()]
    assert sortable(values.slice(1)).to_pylist() == whole[1:]


def test_a_rowversion_is_its_sixteen_hex_digits() -> None:
    assert sortable(pa.array([bytes.fromhex("00000000000007d1")], pa.binary(8))).to_pylist() == ["00000000000007D1"]
