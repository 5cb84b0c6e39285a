"""Where fields are that say their own length: found in lanes, the same as a reader finds that goes value by value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.dumps.formats import lanes
from el.dumps.formats.frames import BadFrame, Framing
from el.dumps.formats.gather import padded
from el.dumps.formats.lanes import Frame

FRAMES = st.builds(Frame, st.just(0), st.integers(1, 9)) | st.builds(
    Frame,
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 2, 4, 8, 40]),
    st.booleans(),
    st.sampled_from([1, 2]),
    st.booleans(),
)
# Zeros, small lengths and 0xFF look like prefixes.
VALUES = st.sampled_from([b"\0", b"\1", b"\4\0", b"\2\0\0\0", b"\xff", b"a\0"])


@st.composite
def written(draw: st.DrawFn) -> tuple[list[Frame], bytes, list[list[bytes | None]]]:
    """Frames, rows in them, and the values that were written."""
    shape = draw(st.lists(FRAMES, min_size=1, max_size=5)) * draw(st.integers(1, 3))
    frames = [Frame(f.prefix, f.width, f.fixed, 1 if f.fixed else f.unit, f.nullable) for f in shape]
    fill = draw(st.lists(VALUES, min_size=1, max_size=4))
    few = [[draw(_value(frame, fill)) for frame in frames] for _ in range(draw(st.integers(1, 4)))]
    rows = few * draw(st.integers(0, 30))
    return frames, b"".join(_field(f, v) for row in rows for f, v in zip(frames, row, strict=True)), rows


def _value(frame: Frame, fill: list[bytes]) -> st.SearchStrategy[bytes | None]:
    endless = b"".join(fill) * frame.width
    if not frame.prefix or frame.fixed:
        given_ = st.just(endless[: frame.width])
    else:
        given_ = st.integers(0, frame.width // frame.unit).map(lambda n: endless[: n * frame.unit])
    return st.none() | given_ if frame.prefix and frame.nullable else given_


def _field(frame: Frame, value: bytes | None) -> bytes:
    if value is None:
        return b"\xff" * frame.prefix
    return (len(value).to_bytes(frame.prefix, "little") if frame.prefix else b"") + value


def found(frames: list[Frame], data: bytes) -> tuple[list[list[bytes | None]], int]:
    rows = Framing(frames).rows(padded(data), len(data))
    fields = zip(rows.places, rows.lengths, rows.nulls, strict=True)
    columns = [
        [
            None if nulls is not None and nulls[n] else data[places[n] : places[n] + lengths[n]]
            for n in range(len(rows.starts))
        ]
        for places, lengths, nulls in fields
    ]
    return [list(row) for row in zip(*columns, strict=True)], rows.end


@given(written(), st.integers(0, 40))
@settings(deadline=None)
def test_every_value_is_where_it_was_written_and_a_cut_row_is_left(
    case: tuple[list[Frame], bytes, list[list[bytes | None]]], cut: int
) -> None:
    frames, data, rows = case
    part = data[: max(0, len(data) - cut)]
    with pytest.MonkeyPatch.context() as patch:
        # So few that the few rows of a test are walked in lanes, with guesses of all kinds.
        patch.setattr(lanes, "_ROUNDS_A_LANE", 2)
        patch.setattr(lanes, "_FIRST_ROUNDS", 2)
        values, end = found(frames, part)
    assert values == rows[: len(values)]
    lengths = [sum(len(_field(f, v)) for f, v in zip(frames, row, strict=True)) for row in rows]
    assert end == sum(lengths[: len(values)])
    whole = next((n for n in range(len(rows)) if sum(lengths[: n + 1]) > len(part)), len(rows))
    assert len(values) == whole


def test_a_length_that_a_field_cannot_have_is_named_with_its_row() -> None:
    frames = [Frame(0, 4), Frame(1, 8), Frame(2, 20, fixed=False, unit=2)]
    row = b"\0\0\0\1" + b"\x08" + bytes(8) + b"\x04\0" + bytes(4)
    for bad, field in ((row.replace(b"\x08", b"\x07"), 1), (row[:13] + b"\x03\0" + bytes(3), 2)):
        data = row * 500 + bad + row * 500
        with pytest.raises(BadFrame) as caught:
            found(frames, data)
        assert (caught.value.row, caught.value.field) == (500, field)


def test_a_field_that_cannot_be_null_is_not() -> None:
    with pytest.raises(BadFrame):
        found([Frame(1, 16, nullable=False)], b"\x10" + bytes(16) + b"\xff")


def test_fields_that_look_alike_are_told_apart_by_their_number() -> None:
    # 20 columns of which no place in a row is known by its bytes.
    frames = [Frame(1, 4)] * 20
    data = b"".join(b"\x04" + n.to_bytes(4, "little") for n in range(20 * 2000))
    values, _ = found(frames, data)
    assert [int.from_bytes(v or b"", "little") for row in values for v in row] == list(range(20 * 2000))


def plain_reader(frames: list[Frame], data: bytes) -> tuple[list[list[bytes | None]], int, tuple[int, int] | None]:
    """Value by value: the rows, where they end, and row and field of a length that cannot be."""
    rows: list[list[bytes | None]] = []
    begin = 0
    while True:
        place, row = begin, list[bytes | None]()
        for number, frame in enumerate(frames):
            value = place + frame.prefix
            length = (
                int.from_bytes(data[place:value], "little", signed=frame.prefix >= 4) if frame.prefix else frame.width
            )
            if value > len(data):
                return rows, begin, None
            null = frame.prefix > 0 and length == frame.null
            fits = length == frame.width if frame.fixed else 0 <= length <= frame.width and length % frame.unit == 0
            if frame.prefix and not (frame.nullable if null else fits):
                return rows, begin, (len(rows), number)
            place = value if null else value + length
            if place > len(data):
                return rows, begin, None
            row.append(None if null else data[value:place])
        rows.append(row)
        begin = place


@given(written(), st.lists(st.tuples(st.integers(0, 2000), st.sampled_from([0, 1, 2, 7, 255])), max_size=3))
@settings(deadline=None)
def test_of_damaged_data_as_much_is_read_as_a_plain_reader_reads(
    case: tuple[list[Frame], bytes, list[list[bytes | None]]], damage: list[tuple[int, int]]
) -> None:
    frames, data, _ = case
    damaged = bytearray(data)
    for place, byte in damage:
        if place < len(damaged):
            damaged[place] = byte
    rows, end, wrong = plain_reader(frames, bytes(damaged))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "_ROUNDS_A_LANE", 2)
        patch.setattr(lanes, "_FIRST_ROUNDS", 2)
        if wrong is None:
            assert found(frames, bytes(damaged)) == (rows, end)
            return
        with pytest.raises(BadFrame) as caught:
            found(frames, bytes(damaged))
    assert (caught.value.row, caught.value.field) == wrong
