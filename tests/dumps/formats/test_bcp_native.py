"""Native files of bcp by their format file, as text and as XML: each value as it was, nothing guessed."""

from __future__ import annotations

import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from el.dumps.formats.base import Reading
from el.dumps.formats.bcp_native import BcpFormat
from el.errors import ConfigError, RecordRefused
from tests.standins.bcp import Column, format_file, native_file, xml_format_file
from tests.standins.stored_values import ALL_KINDS, column_of, read_as, values

TIMES = ("time", "datetime2", "datetimeoffset")


def rows(reading: Reading) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in reading.batches for row in batch.to_pylist()]


def files(folder: Path, data: bytes, said: str) -> tuple[Path, str]:
    path, format_path = folder / "t.bcp", folder / "t.fmt"
    path.write_bytes(data)
    format_path.write_text(said, newline="")
    return path, str(format_path)


@pytest.mark.parametrize("xml", [False, True], ids=["text", "xml"])
@pytest.mark.parametrize("kind", ALL_KINDS)
@given(st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_type_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, kind: str, xml: bool, data: st.DataObject
) -> None:
    column = data.draw(column_of(kind))
    columns = [Column("n", "int", nullable=False), column]
    found = [(n, data.draw(values(column))) for n in range(data.draw(st.integers(0, 12)))]
    said = xml_format_file(columns) if xml else format_file(columns)
    path, format_path = files(tmp_path_factory.mktemp("bcp"), native_file(columns, found), said)
    digits = {
        "decimal": f"decimal({column.precision},{column.scale})",
        "numeric": f"numeric({column.precision},{column.scale})",
        **{time: f"{time}({column.scale})" for time in TIMES},
    }
    types = ((column.name, digits[kind]),) if kind in digits and not xml else ()
    reading = BcpFormat(format_path, types=types, accept=TIMES).read(path)
    assert rows(reading) == [(n, read_as(column, value), number) for number, (n, value) in enumerate(found, 1)]
    assert reading.records == len(found)


CODE_PAGES = [("cp1252", "Ä€\n¤"), ("cp932", "\u6a5f\u8868\nA"), ("gb18030", "\u4e02€\n"), ("utf-8", "\u0800é\n😀")]


@pytest.mark.parametrize(("encoding", "text"), CODE_PAGES, ids=[name for name, _ in CODE_PAGES])
def test_text_in_a_code_page_keeps_the_bounds_of_its_values(tmp_path: Path, encoding: str, text: str) -> None:
    columns = [Column("a", "varchar", length=40), Column("b", "nvarchar", length=40)]
    found = [(text, "x"), (None, None), ("", ""), ("\n", text), (text * 2, "é")]
    path, said = files(tmp_path, native_file(columns, found, encoding), format_file(columns, encoding))
    read = rows(BcpFormat(said, encoding).read(path))
    assert read == [(*row, n) for n, row in enumerate(found, 1)]


def test_bytes_that_are_no_text_and_torn_pairs_are_refused(tmp_path: Path) -> None:
    narrow = [Column("a", "varchar", length=4)]
    path, said = files(tmp_path, b"\1\0a\1\0\xe9\1\0b", format_file(narrow, "cp1252"))
    with pytest.raises(RecordRefused, match=r"^record 2, byte 5: column a: bytes that are no utf-8"):
        rows(BcpFormat(said, "utf-8").read(path))
    # Two halves of a character, each in a row of its own.
    wide = [Column("a", "nvarchar", length=4)]
    path, said = files(tmp_path, b"\2\0\x3d\xd8\2\0\x00\xde", format_file(wide))
    with pytest.raises(RecordRefused, match="record 2, byte 6: column a: an unpaired surrogate"):
        rows(BcpFormat(said).read(path))


def test_a_field_that_goes_to_no_column_is_left_out(tmp_path: Path) -> None:
    columns = [Column("a", "int"), Column("b", "nvarchar", length=9), Column("c", "date")]
    said = format_file(columns).replace("2     b", "0     b")
    path, said = files(tmp_path, native_file(columns, [(1, "left out", date(2024, 2, 29))]), said)
    assert rows(BcpFormat(said).read(path)) == [(1, date(2024, 2, 29), 1)]


def test_a_character_file_is_read_by_its_format_file(tmp_path: Path) -> None:
    wide = '14.0\n2\n1 SQLNCHAR 0 40 "\\t\\0" 1 a ""\n2 SQLNCHAR 0 40 "\\r\\0\\n\\0" 2 "b c" Latin1_General_CI_AS\n'
    path, said = files(tmp_path, "1\té\r\n\0\t\r\n".encode("utf-16le"), wide)
    reading = BcpFormat(said).read(path)
    assert rows(reading) == [("1", "é", 1), ("", None, 2)]
    assert reading.schema.names == ["a", "b c"]
    narrow = '14.0\n2\n1 SQLCHAR 0 40 "," 1 a ""\n2 SQLCHAR 0 40 "\\n" 2 b ""\n'
    path, said = files(tmp_path, b"1,\xe9\n", narrow)
    assert rows(BcpFormat(said, "1252").read(path)) == [("1", "é", 1)]
    with pytest.raises(ConfigError, match="column a is text in a code page, which the file does not say"):
        BcpFormat(said).read(path)


def test_without_a_format_file_the_command_that_makes_one_is_named() -> None:
    with pytest.raises(ConfigError, match="format nul -n -f TABLE"):
        BcpFormat(None)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('14.0\n2\n1 SQLINT 1 4 "" 1 a ""\n', "has 1 fields, but says 2"),
        ("a,b\n1,2\n3,4\n", "does not begin with a version"),
        ('14.0\n1\n1 SQLINT x 4 "" 1 a ""\n', "field 1 is not of the form"),
        ('14.0\n1\n1 SQLVARIANT 4 0 "" 1 a ""\n', "column a is SQLVARIANT"),
        ('14.0\n1\n1 SQLDECIMAL 1 19 "" 1 a ""\n', r'types: {a: "decimal\(18,4\)"}'),
        ('14.0\n1\n1 SQLINT 0 3 "" 1 a ""\n', "column a has no prefix, and a length of 3"),
        ('14.0\n2\n1 SQLINT 1 4 "" 1 a ""\n2 SQLCHAR 0 9 "\\n" 2 b ""\n', "field 2 has a terminator"),
        ('14.0\n2\n1 SQLINT 1 4 "" 1 a ""\n2 SQLINT 1 4 "" 2 a ""\n', "column a twice"),
        ('14.0\n1\n1 SQLDATETIMEOFFSET 1 10 "" 1 a ""\n', "datetimeoffset"),
        ("<BCPFORMAT", "is no XML"),
    ],
)
def test_a_format_file_that_cannot_be_followed_is_refused(tmp_path: Path, said: str, why: str) -> None:
    path, format_path = files(tmp_path, b"", said)
    with pytest.raises(ConfigError, match=why):
        BcpFormat(format_path).read(path)


def test_a_file_that_does_not_fit_its_format_file_is_refused(tmp_path: Path) -> None:
    columns = [Column("a", "int"), Column("b", "decimal", precision=5, scale=2)]
    data = native_file(columns, [(1, Decimal("1.50")), (2, Decimal("2.50"))])
    path, said = files(tmp_path, data[:-1], format_file(columns))
    with pytest.raises(RecordRefused, match="record 2, byte 25: the file ends within this row"):
        rows(BcpFormat(said, types=(("b", "decimal(5,2)"),)).read(path))
    path.write_bytes(data)
    with pytest.raises(RecordRefused, match="record 1, byte 6: column b: a decimal of another scale than 3"):
        rows(BcpFormat(said, types=(("b", "decimal(5,3)"),)).read(path))


# Files that bcp -n itself wrote, of one value each, and the value (tkrotoff/BCPWriter, BCPWriterTests/bcp_tests).
REAL = Path(os.environ.get("EL_TEST_BCP_FILES", "/nowhere"))
OF_BCP: list[tuple[str, Column, Any]] = [
    ("bigint(max).bcp", Column("v", "bigint"), 2**63 - 1),
    ("bigint(min).bcp", Column("v", "bigint"), -(2**63)),
    ("bigint_null.bcp", Column("v", "bigint"), None),
    ("int(-2147483648).bcp", Column("v", "int"), -(2**31)),
    ("int(2147483647).bcp", Column("v", "int"), 2**31 - 1),
    ("date.bcp", Column("v", "date"), date(1753, 1, 1)),
    ("datetime_min.bcp", Column("v", "datetime"), datetime(1753, 1, 1)),
    ("datetime_seconds.bcp", Column("v", "datetime"), datetime(2004, 5, 23, 14, 25, 10)),
    ("datetime2_min.bcp", Column("v", "datetime2", scale=7), "0001-01-01 00:00:00.0000000"),
    ("datetime2_milliseconds.bcp", Column("v", "datetime2", scale=7), "2004-05-23 14:25:10.1234568"),
    ("datetime2_null.bcp", Column("v", "datetime2", scale=7), None),
    ("time.bcp", Column("v", "time", scale=7), "12:35:29.1234567"),
    ("time_null.bcp", Column("v", "time", scale=7), None),
    ("uniqueidentifier.bcp", Column("v", "uniqueidentifier"), "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("nvarchar(max).bcp", Column("v", "nvarchar", length=-1), "KIKOO"),
    ("nvarchar(max)_empty.bcp", Column("v", "nvarchar", length=-1), ""),
    ("nvarchar(max)_null.bcp", Column("v", "nvarchar", length=-1), None),
    ("ntext.bcp", Column("v", "ntext"), "KIKOO éùà"),
    ("xml.bcp", Column("v", "xml"), "<content>KIKOO</content>"),
    ("varbinary(50).bcp", Column("v", "varbinary", length=50), b"KIKOO"),
    ("varbinary(max)_null.bcp", Column("v", "varbinary", length=-1), None),
    ("char(10)_oemcodepage.bcp", Column("v", "char", length=10), "KIKOO éùà "),
    ("varchar(10)_oemcodepage.bcp", Column("v", "varchar", length=10), "KIKOO éùà"),
    ("text_null.bcp", Column("v", "text"), None),
    ("float(53).bcp", Column("v", "float"), 1234.5678),
    ("real.bcp", Column("v", "real"), 1234.5677490234375),
]


@pytest.mark.skipif(not REAL.is_dir(), reason="no files of bcp (EL_TEST_BCP_FILES=folder)")
@pytest.mark.parametrize(("name", "column", "value"), OF_BCP, ids=[name for name, _, _ in OF_BCP])
def test_what_bcp_itself_wrote_is_read(tmp_path: Path, name: str, column: Column, value: Any) -> None:
    _, said = files(tmp_path, b"", format_file([column], "cp850"))
    types = (("v", f"{column.type}(7)"),) if column.type in TIMES else ()
    assert rows(BcpFormat(said, "cp850", types).read(REAL / name)) == [(value, 1)]


@pytest.mark.skipif(not REAL.is_dir(), reason="no files of bcp (EL_TEST_BCP_FILES=folder)")
def test_a_table_that_bcp_itself_wrote_is_read(tmp_path: Path) -> None:
    columns = [
        *(Column(n, "nvarchar", length=-1) for n in ("first", "last")),
        Column("born", "int"),
        Column("died", "int"),
    ]
    _, said = files(tmp_path, b"", format_file(columns))
    assert rows(BcpFormat(said).read(REAL / "4columns.bcp")) == [
        ("Frédéric François", "Chopin", 1810, 1849, 1),
        ("Franz", "Liszt", 1811, 1886, 2),
        ("George", "Sand", 1804, 1876, 3),
    ]
