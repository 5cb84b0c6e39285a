"""Texts that Snowflake reads by itself: raw gets what el reads of them; what is doubtful goes by the client."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dumps.stage import Shop, at

# Each is written so that the documentation leaves one way to read it.
PLAIN = {
    "quotes, doubled ones and breaks within": 'id,v\n1,"a ""b"", c"\n2,"x\ny"\n3,"x\r\ny"\n4,""""\n',
    "an empty text and NULL": 'id,v,w\n1,,""\n,"",\n"",,x\n',
    "nothing is trimmed": 'id,v\n1,  a \n" 2 "," "\n\t3, \n',
    "backslashes are no escapes": 'id,v\n1,a\\\n2,\\N\n3,"c\\"\n4,\\"\n'.replace(',\\"\n', ",\\\\\n"),
    "words are texts": "id,v\n1,NULL\n2,null\n3,NaN\n#4,true\n",
    "line ends of Windows": 'id,v\r\n1,"a"\r\n2,b\r\n',
    "no line end at the end": 'id,v\n1,a\n2,"b, ""c"""',
    "a header in quotes, with a break": 'id,"v\nw"\n1,a\n',
    "a header with a name twice, and a blank one": "id,v,v,\n1,a,b,c\n",
    "a mark of the byte order": "\ufeffid,v\n1,ä€😀\n",
    "numbers and dates as they stand": "id,v\n007,1.50\n1e3,2024-02-30\n-0,01/02/03\n",
    "a header alone": "id,v\n",
    "one column": 'v\na\n""\nb\n',
    "rows that are the same": "id,v\n1,a\n1,a\n1,a\n",
}
ONE_LINE = "1|a\n"
# Files, each with its format, of which every record is read in one way.
FORMS: dict[str, tuple[str, bytes, str]] = {
    "single_quotes": ("csv", b"id|v\n1|'a''|b'\n2|\"\n", "{type: csv, delimiter: '|', quote: \"'\"}"),
    "no_quotes": ("csv", b'id\tv\r\n1\ta, "b" c\r\n2\t"\r\n', "{type: csv, delimiter: '\\t', quote: none}"),
    "utf16": ("csv", "\ufeffid;v\r\n1;ä😀\r\n".encode("utf-16-le"), "{type: csv, delimiter: ';', encoding: utf-16le}"),
    "packed": (
        "csv.gz",
        gzip.compress('1,"€\nÿ"\n2,\n'.encode("cp1252")),
        "{type: csv, encoding: cp1252, header: false, columns: [id, v]}",
    ),
    "words": ("csv", b'id,v,w\n1,NULL,\n2,\\N,""\n', "{type: csv, null: ['NULL', '\\N']}"),
    "returns": ("csv", b'id,v\r1,"a\nb"\r2,c', "{type: csv, newline: '\\r'}"),
    "documents": ("ndjson", b'{"a": "x, \\"y\\""}\r\n[1, 2]', "ndjson"),
    "one_field": ("bcp", b"a\tb\r\nc,d\r\n", "{type: bcp, columns: [v], encoding: utf-8}"),
    "bcp": ("bcp", b"1\ta\r\n\tb\\\r\n", "{type: bcp, columns: [id, v], encoding: utf-8}"),
    "ends": (
        "bcp",
        b"1+|a\nb&|\n2+|&|\n",
        "{type: bcp, columns: [id, v], encoding: utf-8, field_terminator: '+|', row_terminator: '&|\\n'}",
    ),
}
# What the documentation of COPY leaves open, or what it reads otherwise; with what el says of it.
DOUBTFUL: dict[str, tuple[bytes, str, str]] = {
    "a quote in a value without quotes": (b'id,v\n1,5" pipe\n', "csv", "may take them otherwise"),
    "a space before a quote": (b'id,v\n1, "a"\n', "csv", "may take them otherwise"),
    "a quote in a name": (b'id,v"x\n1,a\n', "csv", "may take them otherwise"),
    "a blank line": (b"id,v\n1,a\n\n2,b\n", "csv", "a blank line"),
    "a blank line of one column": (b"v\na\n\nb\n", "csv", "a blank line"),
    "a carriage return alone": (b"id,v\n1,a\rb\n", "csv", "may take them otherwise"),
    "a carriage return that is none of a line end": (b"id,v\n1,a\r\n", "{type: csv, newline: '\\n'}", "otherwise"),
    "an escape": (b'id,v\n1,"a\\"b"\n', "{type: csv, escape: '\\'}", "may take them otherwise"),
    "a byte of zero": (b"id,v\n1,a\0b\n", "csv", "the character 0x00"),
    "a character by which fields are told apart": (b"id,v\n1,a\x1fb\n", "csv", "the character 0x1F"),
    "a word for NULL in quotes": (b'id,v\n1,"NULL"\n', "{type: csv, null: 'NULL'}", "written as NULL is"),
    "a record that would be rejected": (b"id,v\n1,a\n2\n", "csv", "1 field instead of 2"),
    "an empty text of bcp": (b"1\t\0\r\n", "{type: bcp, columns: [id, v], encoding: utf-8}", "written as NULL is"),
    "half a line end of bcp": (b"1\ta\nb\r\n", "{type: bcp, columns: [id, v], encoding: utf-8}", "half a line end"),
    "a line without a document": (b"{}\n\n{}\n", "ndjson", "a blank line"),
}
# What no file of the entry can have read by COPY, whatever it holds.
NEVER = {
    "{type: csv, encoding: cp437}": "COPY is not known to read cp437",
    "{type: csv, quote: '~'}": "COPY takes no ~ for a quote",
    "{type: bcp, columns: [id, v], encoding: utf-8, field_terminator: 'ä'}": "COPY may take 'ä'",
    "{type: bcp, columns: [id, v], encoding: utf-8, row_terminator: '\\t\\n'}": "one is part",
    "{type: bcp, columns: [id, v], encoding: utf-8, field_terminator: '+|', row_terminator: '|\\n'}": "runs into it",
    "{type: bcp, columns: [id, v], encoding: utf-8, breaks_inside: true}": "only parquet, csv, ndjson and plain bcp",
}


@pytest.fixture
def misreading(shop: Shop) -> Iterator[Shop]:
    """A server that can be told to read otherwise."""
    yield shop
    shop.standin.misread(None)


def entries(shop: Shop, express: str, dumps: dict[str, tuple[str, str]]) -> None:
    """An entry for each name, of these files in this format."""
    shop.entry()
    told = "\n".join(
        f'  - {{name: "sales.{name}", files: "{files}", format: {format_}, express: {express}}}'
        for name, (files, format_) in dumps.items()
    )
    path = shop.dumps.path / "el.yml"
    path.write_text(path.read_text().partition("  - {")[0] + told + "\n")


def test_hard_texts_are_the_same_as_by_the_client_value_by_value(shop: Shop) -> None:
    for number, text in enumerate(PLAIN.values()):
        shop.file(f"{number:02}.csv", text)
    express, client = shop.both_ways("*.csv", "csv")
    for table in express:
        assert express[table] == client[table], table
    assert len(express["_el_files"]) == len(PLAIN)
    values = {row[0] for row in express["orders"]}
    assert {None, "", " 2 ", "\t3", "007", "#4"} <= values


def test_every_form_that_copy_knows_is_the_same_as_by_the_client(shop: Shop) -> None:
    for name, (suffix, data, _) in FORMS.items():
        shop.file(f"{name}.{suffix}", data)
    dumps = {name: (f"{name}.{suffix}", format_) for name, (suffix, _, format_) in FORMS.items()}
    found = []
    for express in ("require", "'off'"):
        entries(shop, express, dumps)
        assert shop.run() == 0, shop.dumps.out
        rows = {name: shop.rows("* EXCLUDE (_dlt_load_id, _el_extracted_at)", name) for name in dumps}
        routes = {row[0] for row in shop.rows("route", "_el_files")}
        found.append((rows, routes, shop.rows("sha256, record_count, row_count", "_el_files")))
        shop.ask("DROP SCHEMA old_sales CASCADE")
    (express_rows, express_routes, express_files), (rows, routes, files) = found
    assert (express_routes, routes) == ({"express"}, {"client"})
    assert express_files == files
    for name in dumps:
        assert express_rows[name] == rows[name], name
    assert [row[:3] for row in rows["words"]] == [("1", None, ""), ("2", None, "")]
    assert rows["bcp"][0][:2] in [("1", "a"), (None, "b\\")]


def test_what_copy_may_read_otherwise_goes_by_the_client_and_its_reason_is_told(shop: Shop) -> None:
    for number, (data, _, _) in enumerate(DOUBTFUL.values()):
        shop.file(f"{number}.txt", data)
    dumps = {f"t{number}": (f"{number}.txt", format_) for number, (_, format_, _) in enumerate(DOUBTFUL.values())}
    entries(shop, "auto", dumps)
    assert shop.run() == 1  # the record that is rejected
    for number, (_, _, why) in enumerate(DOUBTFUL.values()):
        said = [
            line for line in shop.dumps.out.splitlines() if f"by the client: {shop.files.as_uri()}/{number}.txt" in line
        ]
        assert said, (number, shop.dumps.out)
        assert why in said[0]
    assert {row[0] for row in shop.rows("route", "_el_files")} == {"client"}
    assert len(shop.rows("file_id", "_el_files")) == len(DOUBTFUL) - 1


def test_the_plan_says_of_which_formats_none_is_read_by_copy(shop: Shop) -> None:
    shop.file("a.txt", "id,v\n1,a\n")
    entries(shop, "auto", {f"t{number}": ("a.txt", format_) for number, format_ in enumerate(["csv", *NEVER])})
    assert shop.dumps.run(command="plan") == 0, shop.dumps.out
    for why in NEVER.values():
        assert f"way       by the client: {why}" in shop.dumps.out or why in shop.dumps.out
    assert "way       express: the warehouse reads them by itself" in shop.dumps.out
    assert "after el has read each one to compare" in shop.dumps.out


def test_one_that_does_not_fit_stops_no_other(shop: Shop) -> None:
    shop.entry("express: auto, rejects: 1", "*.csv*", format_="csv")
    shop.file("a.csv", "id,v\n1,a\n")
    shop.file("b.csv", "id,v\n2,b\n3\n")
    shop.file("c.csv.bz2", bz2.compress(b"id,v\n4,d\n"))
    shop.file("d.csv.gz", gzip.compress(b"id,v\n5,e\n") + gzip.compress(b"6,f\n"))
    assert shop.dumps.run(command="plan") == 0
    assert "c.csv.bz2 has to be unpacked" in shop.dumps.out
    (shop.files / "c.csv.bz2").unlink()
    assert shop.run() == 0, shop.dumps.out
    assert "b.csv: record 2 is rejected, and COPY keeps none, and 1 more files" in shop.dumps.out
    assert shop.rows("id") == [("1",), ("2",), ("5",), ("6",)]
    assert sorted(shop.rows("route, row_count", "_el_files")) == [("client", 1), ("client", 2), ("express", 1)]


@pytest.mark.parametrize("how", ["trims", "nulls", "folds"])
def test_a_copy_that_reads_otherwise_is_found_out_and_nothing_of_it_lands(misreading: Shop, how: str) -> None:
    shop = misreading
    shop.file("a.csv", 'id,v\n1," a"\n2,""\n3,"x\r\ny"\n')
    shop.file("b.csv", "id,v\n4,b\n")
    shop.standin.misread(how)
    shop.entry("express: require", "*.csv", format_="csv")
    assert shop.run() == 1
    assert "a.csv: express: require, but the warehouse reads it otherwise than el does" in shop.dumps.out
    assert "say `express: 'off'`" in shop.dumps.out
    assert shop.ask("SELECT id FROM old_sales.orders") == [("4",)]
    shop.entry("express: auto", "*.csv", format_="csv")
    assert shop.run() == 0, shop.dumps.out
    assert "by the client" in shop.dumps.out
    assert shop.rows("id, v") == [("1", " a"), ("2", ""), ("3", "x\r\ny"), ("4", "b")]


def test_a_text_that_is_overwritten_between_its_check_and_the_copy_waits(shop: Shop) -> None:
    shop.entry("express: auto", "*.csv", format_="csv")
    shop.file("a.csv", "id,v\n1,a\n")
    shop.file("b.csv", "id,v\n2,b\n")
    at("stage listed", lambda: shop.file("b.csv", "id,v\n3,b\n", age=7))
    assert shop.run() == 0, shop.dumps.out
    assert "b.csv: was changed since it was listed" in shop.dumps.out
    assert shop.rows("id") == [("1",)]
    shop.file("c.csv", "id,v\n4,c\n")
    at("text checked", lambda: shop.file("c.csv", "id,v\n5,c\n", age=7))
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id") in ([("1",), ("3",)], [("1",)])
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id") == [("1",), ("3",), ("5",)]


def test_a_text_of_the_same_size_and_time_is_told_by_its_content(shop: Shop) -> None:
    """As an object behind another stage: nothing but what was read tells that it is not the one that el read."""
    shop.entry("express: require", "*.csv", format_="csv")
    shop.file("a.csv", "id,v\n1,a\n")
    at("text checked", lambda: shop.file("a.csv", "id,v\n1,b\n"))
    assert shop.run() == 1
    assert "reads it otherwise than el does" in shop.dumps.out
    assert shop.ask("SELECT COUNT(*) FROM old_sales.orders") == [(0,)]


def test_a_text_that_the_stage_shows_otherwise_is_not_read_for_it(shop: Shop, tmp_path: Path) -> None:
    shop.entry("express: auto", "*.csv", format_="csv")
    shop.file("a.csv", "id,v\n1,a\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.csv").write_text("id,v\n9,other\n")
    shop.ask(f"CREATE OR REPLACE STAGE {shop.database}.PUBLIC.DUMPS URL = '{other.as_uri()}/'")
    checked = []
    at("text checked", lambda: checked.append("read"))
    assert shop.run() == 0, shop.dumps.out
    assert "by the client" in shop.dumps.out
    assert "the stage shows another version of it" in shop.dumps.out
    assert not checked
    assert shop.rows("id, v") == [("1", "a")]


def test_a_text_that_was_only_touched_is_noted_and_one_with_other_bytes_goes_as_changed_says(shop: Shop) -> None:
    shop.entry("express: require", "*.csv", format_="csv")
    shop.file("a.csv", "id,v\n1,a\n")
    assert shop.run() == 0, shop.dumps.out
    shop.file("a.csv", "id,v\n1,a\n", age=30)
    assert shop.run() == 0, shop.dumps.out
    assert sorted(shop.rows("status", "_el_files")) == [("loaded",), ("unchanged",)]
    shop.file("a.csv", "id,v\n2,a\n", age=20)
    assert shop.run() == 1
    assert "is another file than the one of this name that was loaded" in shop.dumps.out
    shop.entry("express: require, changed: append", "*.csv", format_="csv")
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id") == [("1",), ("2",)]
    assert shop.rows("route", "_el_files").count(("express",)) == 2


def test_more_than_a_thousand_texts_are_one_load(shop: Shop) -> None:
    shop.entry("express: require", "*.csv", format_="csv")
    for number in range(1003):
        shop.file(f"{number:04}.csv", f"id,v\n{number},a\n")
    assert shop.run() == 0, shop.dumps.out
    assert shop.ask("SELECT COUNT(*), COUNT(DISTINCT _el_file), COUNT(DISTINCT id) FROM old_sales.orders") == [
        (1003, 1003, 1003)
    ]
    assert shop.ask("SELECT COUNT(*) FROM old_sales._dlt_loads WHERE status = 0") == [(1,)]
