"""Times are put together from microseconds, a seventh digit and an offset, as SQL Server writes them."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.types.times import TimeParts, time_text

LOCAL = TimeParts("s", "o")
OF_DAY = TimeParts("s", "o", day=False)


def with_offset(digits: int) -> TimeParts:
    return TimeParts("s", "o", "z", digits=digits)


@given(st.lists(st.none() | st.tuples(st.datetimes(), st.integers(0, 9)), max_size=20), st.integers(0, 3))
def test_every_moment_keeps_its_seven_digits(rows: list[tuple[datetime, int] | None], skipped: int) -> None:
    value = pa.array([row and row[0] for row in rows], pa.timestamp("us")).slice(skipped)
    seventh = pa.array([row and row[1] for row in rows], pa.uint8()).slice(skipped)
    expected = [row and f"{row[0].isoformat(' ', 'microseconds')}{row[1]}" for row in rows[skipped:]]
    assert time_text(LOCAL, value, seventh).to_pylist() == expected


@given(st.lists(st.none() | st.tuples(st.times(), st.integers(0, 9)), max_size=20), st.sampled_from(["us", "ns"]))
def test_every_time_of_day_keeps_its_seven_digits_whichever_unit_the_driver_gives(
    rows: list[tuple[time, int] | None], unit: str
) -> None:
    of_day = [row and row[0] for row in rows]
    if unit == "us":
        value = pa.array(of_day, pa.time64("us"))
    else:
        # A driver that gives nanoseconds gives the digit too: it is not counted twice.
        value = pa.array(of_day, pa.time64("us")).cast(pa.time64("ns")).view(pa.int64())
        digits = pa.array([row and row[1] * 100 for row in rows], pa.int64())
        value = pa.compute.add(value, digits).view(pa.time64("ns"))
    seventh = pa.array([row and row[1] for row in rows], pa.uint8())
    expected = [row and f"{row[0].isoformat('microseconds')}{row[1]}" for row in rows]
    assert time_text(OF_DAY, value, seventh).to_pylist() == expected


@given(
    st.lists(st.tuples(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-840, 840)), max_size=20),
    st.integers(0, 7),
)
def test_an_offset_is_written_behind_the_local_time_and_sorts_by_the_moment(
    rows: list[tuple[datetime, int]], digits: int
) -> None:
    value = pa.array([row[0] for row in rows], pa.timestamp("us"))
    offset = pa.array([row[1] for row in rows], pa.int16())
    seventh = pa.array([5] * len(rows), pa.uint8()) if digits == 7 else None
    found = time_text(with_offset(digits), value, seventh, offset).to_pylist()
    for text, (local, minutes) in zip(found, rows, strict=True):
        fraction = f".{(local.isoformat(' ', 'microseconds')[20:] + '5')[:digits]}" if digits else ""
        sign = "-" if minutes < 0 else "+"
        hours, rest = divmod(abs(minutes), 60)
        assert text == f"{local.isoformat(' ', 'seconds')}{fraction} {sign}{hours:02d}:{rest:02d}"
    moments = [local - timedelta(minutes=minutes) for local, minutes in rows]
    sorts = time_text(with_offset(7), value, pa.array([5] * len(rows), pa.uint8()), offset, utc=True).to_pylist()
    assert sorts == [f"{moment.isoformat(' ', 'microseconds')}5" for moment in moments]


@pytest.mark.parametrize(
    ("local", "minutes", "utc"),
    [
        (datetime(1, 1, 1), 840, "0000-12-31 10:00:00.0000000"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999), -840, "9999-12-31 23:59:59.9999990"),
    ],
)
def test_the_ends_of_the_calendar_can_be_sorted_by_whatever_their_offset(
    local: datetime, minutes: int, utc: str
) -> None:
    value, offset = pa.array([local], pa.timestamp("us")), pa.array([minutes], pa.int16())
    assert time_text(with_offset(7), value, pa.array([0], pa.uint8()), offset, utc=True).to_pylist() == [utc]
    assert time_text(with_offset(0), value, None, offset).to_pylist()[0].endswith("+14:00" if minutes > 0 else "-14:00")
