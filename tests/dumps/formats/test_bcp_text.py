"""Character files of bcp: what stands in them, '' and NULL apart, and what is refused as it has two readings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.dumps.formats import transcode
from el.dumps.formats.base import ROW, Reading
from el.dumps.formats.bcp_text import BcpText
from el.errors import ConfigError, RecordRefused
from tests.standins.bcp import character_file


def file_of(folder: Path, data: bytes) -> Path:
    path = folder / "orders.bcp"
    path.write_bytes(data)
    return path


def rows(reading: Reading) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in reading.batches for row in batch.to_pylist()]


AB = BcpText(("a", "b"), "utf-8", row="\n")


def test_an_empty_text_is_one_zero_byte_and_null_is_nothing(tmp_path: Path) -> None:
    reading = AB.read(file_of(tmp_path, b"\0\t\nx\t\0\n\ty\n"))
    assert rows(reading) == [("", None, 1), ("x", "", 2), (None, "y", 3)]
    assert reading.records == 3
    assert reading.schema.names == ["a", "b"]


def test_a_value_keeps_its_blanks_quotes_and_zero_bytes(tmp_path: Path) -> None:
    reading = AB.read(file_of(tmp_path, b' "x" \ta\0b\n\0\0\t#1\n'))
    assert rows(reading) == [(' "x" ', "a\0b", 1), ("\0\0", "#1", 2)]


def test_terminators_may_have_several_characters_of_which_one_is_part_of_the_other(tmp_path: Path) -> None:
    adventure = BcpText(("a", "b"), "utf-8", field="+|", row="&|\n")
    assert rows(adventure.read(file_of(tmp_path, b"1+|x|y&|\n2+|+&z&|\n"))) == [("1", "x|y", 1), ("2", "+&z", 2)]
    ends_so = BcpText(("a", "b"), "utf-8", field="|", row="|\n")
    assert rows(ends_so.read(file_of(tmp_path, b"1|x|\n2||\n"))) == [("1", "x", 1), ("2", None, 2)]


def test_each_field_may_have_a_terminator_of_its_own(tmp_path: Path) -> None:
    own = BcpText(("a", "b", "c"), "utf-8", field=(",", ";"), row="\r\n")
    assert rows(own.read(file_of(tmp_path, b"1;,2,;3;,\r\n,;\r\n"))) == [("1;", "2,", "3;,", 1), (None, None, None, 2)]


def test_utf_16_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    wide = BcpText(("a", "b"), "utf-16le", row="\n")
    # U+0A00 and U+0900 hold the terminators' bytes at odd places.
    data = "\u0a00\t\u0900\n\0\t\U0001f600\n".encode("utf-16le")
    expected = [("\u0a00", "\u0900", 1), ("", "\U0001f600", 2)]
    assert rows(wide.read(file_of(tmp_path, data))) == expected
    assert rows(wide.read(file_of(tmp_path, b"\xff\xfe" + data))) == expected
    with pytest.raises(RecordRefused, match="byte order mark is that of utf-16-le"):
        rows(AB.read(file_of(tmp_path, b"\xff\xfe" + data)))


def test_a_trail_byte_of_a_double_byte_code_page_is_no_terminator(tmp_path: Path) -> None:
    # U+6A5F is 0x8B 0x40, and U+8868 is 0x95 0x5C, a backslash.
    japanese = BcpText(("a", "b"), "932", field="\\", row="@\n")
    data = "\u6a5f\\\u8868@\n".encode("cp932")
    assert rows(japanese.read(file_of(tmp_path, data))) == [("\u6a5f", "\u8868", 1)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1\tx\n2\n", "record 2, byte 4: 1 fields, not 2"),
        (b"1\tx\ty\n", "record 1, byte 0: 3 fields, not 2"),
        (b"1\tx\n2\ty", "record 2, byte 4: no row terminator at the file's end"),
        (b"1\tx\n2\t\x92\n", "record 2, byte 4: bytes that are no utf-8"),
        (b"1\tx\r\n2\ty\r\n", "carriage return before the row terminator"),
    ],
)
def test_what_is_not_as_said_is_refused_with_record_byte_and_reason(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(RecordRefused, match=said):
        rows(AB.read(file_of(tmp_path, data)))


def test_terminators_that_overlap_are_refused(tmp_path: Path) -> None:
    bars = BcpText(("a", "b"), "utf-8", field="||", row="\n")
    with pytest.raises(RecordRefused, match="record 2, byte 5: terminators overlap"):
        rows(bars.read(file_of(tmp_path, b"1||x\n2|||y\n")))
    leaning = BcpText(("a", "b"), "utf-8", field="+|", row="|\n")
    with pytest.raises(RecordRefused, match="record 1, byte 0: terminators overlap"):
        rows(leaning.read(file_of(tmp_path, b"1+|x+|\n")))


def test_so_many_bad_rows_are_left_out_with_their_bytes_as_they_stand(tmp_path: Path) -> None:
    western = BcpText(("a", "b"), "cp1252", row="\n")
    data = "é\tx\nü\n\x81".encode("latin-1") + b"\ty\nz\t\xe4\n"
    reading = western.read(file_of(tmp_path, data), rejects=2)
    assert rows(reading) == [("é", "x", 1), ("z", "ä", 4)]
    assert [(bad.row, bad.offset, bad.data) for bad in reading.rejects] == [(2, 4, b"\xfc"), (3, 6, b"\x81\ty")]
    assert reading.records == 4
    with pytest.raises(RecordRefused, match="record 3, byte 6"):
        rows(western.read(file_of(tmp_path, data), rejects=1))


def test_a_blank_line_may_be_a_values_end_so_it_is_refused_but_null_where_there_is_one_column(tmp_path: Path) -> None:
    with pytest.raises(RecordRefused, match="record 2, byte 4: 1 fields, not 2"):
        rows(AB.read(file_of(tmp_path, b"1\tx\n\n2\ty\n")))
    one = BcpText(("a",), "utf-8", row="\n")
    assert rows(one.read(file_of(tmp_path, b"\n\0\nx\n"))) == [(None, 1), ("", 2), ("x", 3)]


def test_an_empty_file_has_no_record(tmp_path: Path) -> None:
    reading = AB.read(file_of(tmp_path, b""))
    assert rows(reading) == []
    assert reading.records == 0


def test_what_no_file_can_be_read_by_is_refused_before() -> None:
    with pytest.raises(ConfigError, match="which byte comes first"):
        BcpText(("a",), "utf-16")
    with pytest.raises(ConfigError, match="not known"):
        BcpText(("a",), "cp9999")
    with pytest.raises(ConfigError, match="row terminator is part"):
        BcpText(("a", "b"), "utf-8", field="|\n", row="\n")


ABC = BcpText(("a", "b", "c"), "cp1252", row="\n", breaks_inside=True)


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_breaks_inside_values_are_kept_where_no_other_reading_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(transcode, "BLOCK", size)
    path = file_of(tmp_path, b"1\ta\n\n\xe9\tx\n2\tb\ty\n3\t\n\tz\n")
    reading = ABC.read(path)
    assert rows(reading) == [("1", "a\n\né", "x", 1), ("2", "b", "y", 2), ("3", "\n", "z", 3)]
    assert reading.records == 3
    with pytest.raises(RecordRefused, match="record 1, byte 0: 2 fields, not 3"):
        rows(BcpText(("a", "b", "c"), "cp1252", row="\n").read(path))


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        # A break in the last field of the first row, or in the first field of the second.
        (b"1\ta\tx\n2\n3\tb\ty\n", "record 2, byte 6: 1 fields, not 3"),
        (b"1\ta\tx\n\n3\tb\ty\n", "record 2, byte 6: 1 fields, not 3"),
        # A field is missing: the next row does not complete it.
        (b"1\ta\n2\tb\ty\n", "record 1, byte 0: 2 fields, not 3"),
        (b"1\ta\tx\n2\tb\n", "record 2, byte 6: 2 fields, not 3"),
    ],
)
def test_breaks_with_two_readings_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, data: bytes, said: str
) -> None:
    monkeypatch.setattr(transcode, "BLOCK", size)
    with pytest.raises(RecordRefused, match=said):
        rows(ABC.read(file_of(tmp_path, data)))


TEXTS = st.none() | st.text(st.characters(exclude_characters="+|&\n\0", exclude_categories=["Cs"]), max_size=20)


@given(
    values=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=40),
    encoding=st.sampled_from(["utf-8", "utf-16le", "gb18030"]),
    size=st.integers(1, 64),
)
@settings(deadline=None)
def test_what_bcp_wrote_is_read_wherever_the_blocks_are_cut(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[str | None, ...]], encoding: str, size: int
) -> None:
    path = file_of(tmp_path_factory.mktemp("bcp"), character_file(values, "+|", "&|\n", encoding))
    format_ = BcpText(("a", "b", "c"), encoding, field="+|", row="&|\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcode, "BLOCK", size)
        reading = format_.read(path)
        assert rows(reading) == [(*row, number) for number, row in enumerate(values, 1)]
    assert reading.records == len(values)
    assert reading.schema.names == ["a", "b", "c"]
    assert ROW not in reading.schema.names
