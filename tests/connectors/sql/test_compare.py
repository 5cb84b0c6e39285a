"""What was staged beside what was sent: another value is refused, and the same one in another type is not."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.buffer import Buffer
from el.connectors.sql.common_form import TextIs
from el.connectors.sql.compare import Compared, refuse_changes
from el.connectors.sql.incoming import plain
from el.errors import WriteError

NAN = float("nan")
UTC = pa.timestamp("us", "UTC")


def compared(sent: pa.Array, staged: pa.Array, text: TextIs = TextIs.TEXT) -> str:
    """What is said, or nothing."""

    def side(data: pa.Array) -> Any:
        table = pa.table({"c": plain(data)})
        return lambda: Buffer(table.schema, iter(table.to_batches(max_chunksize=2)))

    try:
        refuse_changes([Compared("s.t.c is int", text)], side(sent), side(staged), "s.t")
    except WriteError as error:
        return str(error)
    return ""


def decimals(*values: str | None, type_: pa.DataType) -> pa.Array:
    return pa.array([None if value is None else Decimal(value) for value in values], type_)


@pytest.mark.parametrize(
    ("sent", "staged"),
    [
        (pa.array([1, None, 3]), pa.array([3, 1, None])),
        (pa.array([1, 2], pa.int64()), decimals("1.00", "2.00", type_=pa.decimal128(9, 2))),
        (pa.array([2**63, 1], pa.uint64()), decimals("9223372036854775808", "1", type_=pa.decimal128(38, 0))),
        (pa.array([2**31], pa.int64()), pa.array([float(2**31)])),
        (pa.array([1.0, -0.0, None]), pa.array([1, 0, None])),
        (pa.array([0.1, 0.13]), decimals("0.10", "0.13", type_=pa.decimal128(9, 2))),
        (pa.array([0.1], pa.float32()), pa.array([pa.scalar(0.1, pa.float32()).as_py()], pa.float64())),
        (pa.array([0.5], pa.float64()), pa.array([0.5], pa.float32())),
        (pa.array([NAN, 0.0, -0.0]), pa.array([-0.0, -NAN, 0.0])),
        (pa.array([0.1, 1e300, NAN]), pa.array(["0.1", "1e+300", "nan"])),
        (decimals("1.50", None, type_=pa.decimal128(9, 2)), decimals("1.500", None, type_=pa.decimal128(38, 3))),
        (decimals("1.00", type_=pa.decimal128(9, 2)), pa.array([1], pa.int32())),
        (decimals("0.5", type_=pa.decimal128(38, 10)), pa.array([0.5])),
        (decimals("1.5", type_=pa.decimal256(60, 10)), decimals("1.5", type_=pa.decimal256(60, 10))),
        (pa.array([True, False]), pa.array([1, 0], pa.int64())),
        (pa.array([1, 0]), pa.array([True, False])),
        (pa.array(["1", "0"]), pa.array([True, False])),
        (pa.array(["17", "-3"]), pa.array([17, -3])),
        (pa.array(["-1.25", "7"]), decimals("-1.25", "7.00", type_=pa.decimal128(9, 2))),
        (pa.array([17, None]), pa.array(["17", None])),
        (pa.array([date(2024, 2, 29)]), pa.array([datetime(2024, 2, 29)])),
        (pa.array([datetime(2024, 2, 29)]), pa.array([date(2024, 2, 29)])),
        (pa.array([datetime(2024, 2, 29, 1)], pa.timestamp("s")), pa.array([datetime(2024, 2, 29, 1)])),
        (pa.array([123_456_700], pa.timestamp("ns")), pa.array(["1970-01-01 00:00:00.1234567"])),
        (pa.array([5], pa.timestamp("us", "Europe/Berlin")), pa.array([5], UTC)),
        (pa.array([1_000_000], UTC), pa.array(["1970-01-01 02:00:01.0000000 +02:00"])),
        (pa.array([time(1, 2, 3, 400)]), pa.array(["01:02:03.0004000"])),
        (pa.array([time(1)], pa.time32("s")), pa.array([time(1)], pa.time64("us"))),
        (pa.array(["2024-02-29T12:00:00"]), pa.array([datetime(2024, 2, 29, 12)])),
        (pa.array(["2024-02-29"]), pa.array([date(2024, 2, 29)])),
        (pa.array([b"\x00", None], pa.binary(1)), pa.array([b"\x00", None])),
        (pa.nulls(2), pa.array([None, None], pa.int64())),
        (pa.array(["a", None]).dictionary_encode(), pa.array([None, "a"])),
    ],
)
def test_the_same_values_are_the_same_in_another_type_and_another_order(sent: pa.Array, staged: pa.Array) -> None:
    assert compared(sent, staged) == ""


@pytest.mark.parametrize(
    ("sent", "staged"),
    [
        (pa.array([1, 2]), pa.array([1, 3])),
        (pa.array([1, None]), pa.array([1, 0])),
        (pa.array([-0.0]), pa.array([0.0])),
        (pa.array([NAN]), pa.array([None], pa.float64())),
        (pa.array([1.7]), pa.array([1])),
        (pa.array([1.7]), pa.array([2])),
        (pa.array([0.125]), decimals("0.13", type_=pa.decimal128(9, 2))),
        (pa.array([0.1]), pa.array([0.1], pa.float32())),
        (pa.array([2**53 + 1]), pa.array([float(2**53)])),
        (pa.array([300]), pa.array([44], pa.uint8())),
        (pa.array([2]), pa.array([True])),
        (decimals("0.125", type_=pa.decimal128(9, 3)), decimals("0.13", type_=pa.decimal128(9, 2))),
        (decimals("1.5", type_=pa.decimal128(9, 1)), pa.array([2])),
        (pa.array(["a"]), pa.array(["a "])),
        (pa.array(["a"]), pa.array(["A"])),
        (pa.array([""]), pa.array([None], pa.string())),
        (pa.array(["漢"]), pa.array(["?"])),
        (pa.array(["007"]), pa.array([7])),
        (pa.array(["007"]), decimals("7", type_=pa.decimal128(9, 0))),
        (pa.array(["0.125"]), decimals("0.13", type_=pa.decimal128(9, 2))),
        (pa.array(["text"]), pa.array([b"text"])),
        (pa.array([b"\x01"]), pa.array([b"\x01\x00"])),
        (pa.array([datetime(2024, 2, 29, 1)]), pa.array([date(2024, 2, 29)])),
        (pa.array([1], pa.timestamp("us")), pa.array([0], pa.timestamp("s"))),
        (pa.array([0], pa.timestamp("us")), pa.array([0], UTC)),
        (pa.array([0], UTC), pa.array(["1970-01-01 00:00:00.0000000 +02:00"])),
        (pa.array([time(1, 2, 3, 4)]), pa.array([time(1, 2, 3)], pa.time32("s"))),
    ],
)
def test_another_value_is_refused_by_its_column(sent: pa.Array, staged: pa.Array) -> None:
    said = compared(sent, staged)
    assert said.startswith("data is not in stable state: s.t.c is int")
    assert said.endswith("cast the data")


def test_what_a_column_does_to_every_text_by_itself_is_no_change() -> None:
    assert compared(pa.array(["ab"]), pa.array(["ab   "]), TextIs.PADDED) == ""
    assert compared(pa.array(["6F-A"]), pa.array(["6f-a"]), TextIs.ANY_CASE) == ""
    assert compared(pa.array(["1.50"]), pa.array(["1.5"]), TextIs.NUMBER_OR_TIME) == ""
    assert compared(pa.array(['{"a": [1, 2]}\n']), pa.array(['{"a":[1,2]}']), TextIs.DOCUMENT) == ""
    assert compared(pa.array(['<?xml version="1.0"?>\n<a b="c"/>']), pa.array(['<a b="c"/>']), TextIs.DOCUMENT) == ""
    assert compared(pa.array(['{"a": 1.50}']), pa.array(['{"a": 1.5}']), TextIs.DOCUMENT) != ""
    assert compared(pa.array(["{6F}"]), pa.array(["6f"]), TextIs.ANY_CASE) != ""
    assert compared(pa.array([" ab"]), pa.array(["ab"]), TextIs.PADDED) != ""


def test_it_is_said_how_many_values_changed_and_one_of_them() -> None:
    said = compared(pa.array([0.5, 1.25, 2.0, -1.75]), pa.array([0.5, 1.3, 2.0, -1.8]))
    assert "s.t.c is int: 2 values of the data would be changed, " in said
    assert "1.25 the first" in said or "-1.75 the first" in said


def test_a_row_that_is_missing_or_there_twice_is_refused() -> None:
    assert "s.t took 2 of 3 rows" in compared(pa.array([1, 2, 3]), pa.array([1, 2]))
    assert "s.t took 3 of 2 rows" in compared(pa.array([1, 2]), pa.array([1, 2, 2]))
