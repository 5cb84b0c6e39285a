"""Files of SQL Server's tools into raw by el.yml, and those that only their server reads."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.dumps.workspace import Dumps
from tests.standins.bacpac import Table, write_bacpac
from tests.standins.bcp import Column, format_file, native_file
from tests.standins.xlsx import write_xlsx

COLUMNS = (Column("id", "int", nullable=False), Column("note", "nvarchar", length=20), Column("paid", "money"))
ROWS = [(1, "é", Decimal("1.5")), (2, "", None), (3, None, Decimal("-0.0001"))]


def test_a_table_of_a_bacpac_lands_with_its_types(dumps: Dumps) -> None:
    dumps.entry("format: {type: bacpac, table: dbo.orders}")
    other = Table("dbo", "other", [Column("x", "int")], [(7,)])
    write_bacpac(dumps.path / "files" / "shop.bacpac", [Table("dbo", "orders", COLUMNS, ROWS, 2), other])
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, note, paid, _el_row") == [(*row, n) for n, row in enumerate(ROWS, 1)]
    assert dumps.sql("SELECT record_count, row_count FROM old_sales._el_files") == [(3, 3)]


def test_a_bacpac_that_lacks_rows_of_another_table_is_not_taken(dumps: Dumps) -> None:
    dumps.entry("format: {type: bacpac, table: dbo.orders}")
    write_bacpac(dumps.path / "files" / "shop.bacpac", [Table("dbo", "orders", COLUMNS, ROWS)], rows_stated=9)
    assert dumps.run() == 1
    assert "files/shop.bacpac: it has 3 rows, but its Origin.xml says 9" in dumps.out


def test_a_table_whose_type_no_bacpac_showed_is_failed_by_name_and_can_be_accepted(dumps: Dumps) -> None:
    columns = [Column("since", "datetime2", nullable=False, scale=7)]
    dumps.entry("format: {type: bacpac, table: dbo.t}")
    write_bacpac(dumps.path / "files" / "a.bacpac", [Table("dbo", "t", columns, [((738_944, 1, 0),)])])
    assert dumps.run(command="plan") != 0
    assert "dbo.t: column since is datetime2(7) NOT NULL" in dumps.out
    assert dumps.run() != 0
    assert "column since is datetime2(7) NOT NULL, which no bacpac was seen with" in dumps.out
    dumps.entry("format: {type: bacpac, table: dbo.t, accept: [datetime2]}")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("since") == [("2024-02-29 00:00:00.0000001",)]


def test_a_native_file_of_bcp_is_read_by_its_format_file_beside_el_yml(dumps: Dumps) -> None:
    dumps.entry("format: {type: bcp, format_file: orders.fmt}")
    (dumps.path / "orders.fmt").write_text(format_file(COLUMNS))
    dumps.file("orders.bcp", native_file(COLUMNS, ROWS))
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, note, paid") == ROWS


def test_a_format_file_that_cannot_be_followed_is_refused_in_the_plan(dumps: Dumps) -> None:
    dumps.entry("format: {type: bcp, format_file: orders.fmt}").file("a.bcp", b"")
    assert dumps.run(command="plan") != 0
    assert "orders.fmt: No such file" in dumps.out
    (dumps.path / "orders.fmt").write_text(format_file([Column("price", "decimal", precision=9, scale=2)]))
    assert dumps.run(command="plan") != 0
    assert 'its digits are not said: types: {price: "decimal(18,4)"}' in dumps.out


def test_a_character_file_of_bcp_is_read_by_its_terminators(dumps: Dumps) -> None:
    told = "columns: [id, note], encoding: cp1252, field_terminator: '+|', row_terminator: '&|\\n', unterminated: true"
    dumps.entry(f"format: {{type: bcp, {told}}}")
    dumps.file("orders.txt", b"1+|\xe9&|\n2+|\0&|\n3+|")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, note") == [("1", "é"), ("2", ""), ("3", None)]


@pytest.mark.parametrize(
    ("told", "data", "expected"),
    [
        ("json", '[{"a": 1},\n{"a": 2}]', ['{"a": 1}', '{"a": 2}']),
        ("{type: xml, root: rows}", "<rows><r a='1'/>\n<r/></rows>", ["<r a='1'/>", "<r/>"]),
    ],
)
def test_each_row_of_a_document_lands_as_its_text(dumps: Dumps, told: str, data: str, expected: list[str]) -> None:
    dumps.entry(f"format: {told}").file("a", data)
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("document") == [(text,) for text in expected]


def test_columns_of_fixed_width_and_a_sheet_land_as_text(dumps: Dumps) -> None:
    dumps.entry("format: {type: fixed, columns: {id: 2, note: 3}, row_terminator: '\\n'}").file("a.txt", " 1ab \n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, note") == [(" 1", "ab ")]
    (dumps.path / "files" / "a.txt").unlink()
    pytest.importorskip("python_calamine")
    dumps.entry("format: {type: xlsx, header: 2}")
    write_xlsx(dumps.path / "files" / "a.xlsx", {"s": [["of 2024"], ["id", "note"], [7, "x"]]})
    assert dumps.run() == 0, dumps.out
    assert ("7", "x") in dumps.rows("id, note")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("shop.bak", b"TAPE", "shop.bak is a backup, which only its server reads: restore it and read the database"),
        ("shop", b"TAPE\0\0", "shop is a backup"),
        ("shop.mdf", b"\1\17", "shop.mdf is a database's own file"),
        ("shop.dacpac", b"PK", "which holds no rows: export a bacpac"),
        ("orders.raw", b"\0", "a raw file of SSIS"),
        ("orders.xls", b"\xd0\xcf", "save it as .xlsx"),
    ],
)
def test_what_only_its_server_reads_is_refused_with_the_ways_out(
    dumps: Dumps, name: str, data: bytes, said: str
) -> None:
    dumps.entry("format: none").file(name, data)
    assert dumps.run() != 0
    assert said in dumps.out


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.bacpac", b"PK\3\4", "{type: bacpac, table: schema.table}"),
        ("a.xlsx", b"PK\3\4", "`format: xlsx`"),
        ("a.json", b"\xff\xfe" + "[{}]".encode("utf-16le"), "{type: json, encoding: utf-16le}"),
        ("a.xml", b"<row/>", "`format: {type: xml}`"),
    ],
)
def test_a_format_is_proposed(dumps: Dumps, name: str, data: bytes, said: str) -> None:
    dumps.entry("format: none").file(name, data)
    assert dumps.run() != 0
    assert said in dumps.out


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("{type: bcp}", "give the `format_file`, made by: bcp DATABASE.SCHEMA.TABLE format nul -n"),
        ("{type: bcp, columns: [a]}", "name the `encoding`"),
        ("{type: bcp, columns: [a], format_file: a.fmt}", "leave `columns` out"),
        ("{type: xlsx, header: 0}", "name the `columns`"),
        ("{type: bacpac, table: dbo.t, acept: [time]}", "did you mean accept"),
        ("{type: bak}", "names no format that is known: csv, parquet, ndjson, bcp, bacpac"),
    ],
)
def test_settings_that_say_too_little_are_refused(dumps: Dumps, told: str, said: str) -> None:
    dumps.entry(f"format: {told}").file("a", b"")
    assert dumps.run() == 2
    assert said in dumps.out


def test_every_type_of_a_bacpac_lands_in_raw_as_it_is(dumps: Dumps) -> None:
    day = (738_944, 450_001_234_567, 0)
    held: list[tuple[Column, Any, Any]] = [
        (Column("a_bit", "bit"), 1, True),
        (Column("a_tinyint", "tinyint"), 255, 255),
        (Column("a_bigint", "bigint"), -(2**63), -(2**63)),
        (Column("a_real", "real"), 0.5, 0.5),
        (Column("a_float", "float"), 1e-300, 1e-300),
        (Column("a_money", "money"), Decimal("-922337203685477.5808"), Decimal("-922337203685477.5808")),
        (Column("a_decimal", "decimal", precision=38, scale=10), -Decimal(1).scaleb(-10), Decimal("-1E-10")),
        (Column("a_fraction", "numeric", precision=38, scale=38), Decimal(1).scaleb(-38), f"0.{'0' * 37}1"),
        (Column("a_date", "date"), date(1, 1, 1), date(1, 1, 1)),
        (Column("a_time", "time", scale=7), day, "12:30:00.1234567"),
        (Column("a_short_time", "time", scale=3), (0, 450_001_230_000, 0), time(12, 30, 0, 123_000)),
        (Column("a_datetime", "datetime"), datetime(1753, 1, 1), datetime(1753, 1, 1)),
        (Column("a_datetime2", "datetime2", scale=7), day, "2024-02-29 12:30:00.1234567"),
        (Column("an_offset", "datetimeoffset", scale=7), (*day[:2], -330), "2024-02-29 07:00:00.1234567 -05:30"),
        (Column("an_id", "uniqueidentifier"), UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Column("a_text", "nvarchar", length=-1), "\U0001f600 ", "\U0001f600 "),
        (Column("an_xml", "xml"), "<a/>", "<a/>"),
        (Column("bytes", "varbinary", length=-1), b"\0\xff", b"\0\xff"),
        (Column("a_version", "timestamp"), b"\0\0\0\0\0\0\7\xd1", b"\0\0\0\0\0\0\7\xd1"),
    ]
    dumps.entry("format: {type: bacpac, table: dbo.t, accept: [time, datetimeoffset]}")
    stored = [tuple(value for _, value, _ in held), (None,) * len(held)]
    write_bacpac(dumps.path / "files" / "a.bacpac", [Table("dbo", "t", [column for column, _, _ in held], stored)])
    assert dumps.run() == 0, dumps.out
    names = ", ".join(column.name for column, _, _ in held)
    assert dumps.rows(f"_el_row, {names}") == [(1, *(read for _, _, read in held)), (2, *[None] * len(held))]
