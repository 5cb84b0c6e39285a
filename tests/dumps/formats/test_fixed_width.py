"""Columns of fixed width: characters, not bytes; nothing trimmed, and no row of another width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.dumps.formats import transcode
from el.dumps.formats.base import Reading
from el.dumps.formats.fixed_width import FixedWidthFormat
from el.errors import ConfigError, RecordRefused

COLUMNS = (("a", 3), ("b", 1), ("c", 2))


def reading_of(folder: Path, data: bytes, rejects: int = 0, **how: Any) -> Reading:
    path = folder / "a.txt"
    path.write_bytes(data)
    return FixedWidthFormat(COLUMNS, **how).read(path, rejects)


def rows(reading: Reading) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in reading.batches for row in batch.to_pylist()]


LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1)


@given(
    st.lists(st.tuples(*(LETTERS.map(lambda t, w=width: (t * w)[:w]) for _, width in COLUMNS)), max_size=20),
    st.sampled_from(["utf-8", "utf-16le", "gb18030"]),
    st.integers(1, 50),
)
@settings(deadline=None)
def test_each_column_has_its_characters(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, ...]], encoding: str, size: int
) -> None:
    data = "".join("".join(row) + "\r\n" for row in written).encode(encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcode, "BLOCK", size)
        reading = reading_of(tmp_path_factory.mktemp("fixed"), data, encoding=encoding)
        assert rows(reading) == [(*row, number) for number, row in enumerate(written, 1)]
    assert reading.records == len(written)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"abcdef\r\nabcde\r\n", "record 2, byte 8: 5 characters, not 6"),
        (b"abcdef\r\nabcdefg\r\n", "record 2, byte 8: 7 characters, not 6"),
        (b"abcdef\r\nabcdef", "record 2, byte 8: no row terminator at the file's end"),
        (b"abcdef\r\nabcde\xff\r\n", "record 2, byte 8: bytes that are no utf-8"),
    ],
)
def test_a_row_of_another_width_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(RecordRefused, match=said):
        rows(reading_of(tmp_path, data))


def test_a_bad_row_may_be_left_out_and_a_blank_line_is_none(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, b"abcdef\n\nxyz\n   12 ", rejects=1, row="\n", unterminated=True)
    assert rows(reading) == [("abc", "d", "ef", 1), ("   ", "1", "2 ", 3)]
    assert [(bad.row, bad.offset, bad.data) for bad in reading.rejects] == [(2, 8, b"xyz")]
    assert (reading.records, reading.blank_lines) == (3, 1)


def test_widths_have_to_be_there() -> None:
    with pytest.raises(ConfigError, match="width of one character or more"):
        FixedWidthFormat((("a", 0),))
