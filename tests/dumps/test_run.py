"""Files into raw: every version of every file once, whatever its name and its time."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from el.config.job import Job
from el.config.profiles import load_output
from el.config.settings import load_config
from el.extraction.landing import LandedTable
from el.loading.package import Loader
from el.pipeline import run
from el.reporting.progress import Silent
from tests.dumps.workspace import Dumps


def test_the_rows_of_a_file_are_in_raw_with_file_and_record(dumps: Dumps) -> None:
    dumps.file("a.csv", 'id,Note\n1,\n2,""\n')
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, note, _el_row, _el_op") == [("1", None, 1, "S"), ("2", "", 2, "S")]
    ((uri, records, rows, status),) = dumps.sql("SELECT uri, record_count, row_count, status FROM old_sales._el_files")
    assert (uri, records, rows, status) == (f"file://{dumps.path}/files/a.csv", 2, 2, "loaded")
    assert dumps.sql("SELECT count(*) FROM old_sales.orders JOIN old_sales._el_files ON _el_file = file_id") == [(2,)]


def test_files_alone_are_loaded_where_tables_would_be_read_at_one_moment(dumps: Dumps) -> None:
    text = (dumps.path / "el.yml").read_text()
    dumps.entry(text=text.replace("retries: 0", "retries: 0, consistent: run"))
    dumps.file("a.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",)]


def test_a_file_is_taken_once_also_if_it_comes_late_with_an_older_time_or_in_the_same_second(dumps: Dumps) -> None:
    """A high-water mark over times or names loses each of these three: known files are a set."""
    dumps.file("m.csv", "id\n1\n", age=60)
    assert dumps.run() == 0, dumps.out
    dumps.file("late.csv", "id\n2\n", age=86_400)
    dumps.file("same.csv", "id\n3\n", age=60)
    dumps.file("a_name_before.csv", "id\n4\n", age=30)
    assert dumps.run() == 0, dumps.out
    assert dumps.run() == 0, dumps.out
    assert "nothing new" in dumps.out
    assert dumps.rows("id") == [("1",), ("2",), ("3",), ("4",)]


def test_a_bad_file_stops_no_other_and_the_table_is_failed(dumps: Dumps) -> None:
    dumps.file("a.csv", "id,x\n1,1\n")
    dumps.file("b.csv", "id,x\n2,2\n3\n")
    dumps.file("c.csv", "id,x\n4,4\n")
    assert dumps.run() == 1
    assert "files/b.csv: record 2, byte 9: 1 field instead of 2" in dumps.out
    assert dumps.rows("id") == [("1",), ("4",)]
    assert dumps.sql("SELECT count(*) FROM old_sales._el_files") == [(2,)]
    dumps.file("b.csv", "id,x\n2,2\n3,3\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",), ("2",), ("3",), ("4",)]


def test_rejected_records_stand_with_their_bytes_in_a_table_of_their_own(dumps: Dumps) -> None:
    dumps.entry("rejects: 2").file("a.csv", b"id,x\n1,1\n2\n3,\xe9\n4,4\n")
    assert dumps.run() == 0, dumps.out
    assert "2 records were rejected" in dumps.out
    assert dumps.rows("id, _el_row") == [("1", 1), ("4", 4)]
    rejects = dumps.sql("SELECT row_number, byte_offset, record, reason FROM old_sales._el_rejects ORDER BY 1")
    assert rejects == [
        (2, 9, b"2\n", "1 field instead of 2"),
        (3, 11, b"3,\xe9\n", "field 2 holds the byte 0xE9, which is no utf-8"),
    ]
    counts = dumps.sql("SELECT record_count, row_count, rejected_count FROM old_sales._el_files")
    assert counts == [(4, 2, 2)]


def test_one_reject_more_than_may_be_leaves_the_file_out(dumps: Dumps) -> None:
    dumps.entry("rejects: 1").file("a.csv", "id,x\n1,1\n2\n3\n")
    assert dumps.run() == 1
    assert "record 3, byte 11" in dumps.out


def test_a_file_whose_line_ends_are_not_those_of_el_yml_is_refused_and_not_empty(dumps: Dumps) -> None:
    dumps.file("a.csv", "id,v\r1,a\r2,b\r")
    assert dumps.run() == 1
    assert "a.csv: header, byte 0: the character '\\r' stands among the names" in dumps.out
    dumps.entry('format: {type: csv, newline: "\\r"}')
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, v") == [("1", "a"), ("2", "b")]


def test_columns_are_matched_by_their_names_over_the_years(dumps: Dumps) -> None:
    """Reordered, new and missing columns: each file's own header counts."""
    dumps.file("2019.csv", "id,a\n1,x\n")
    dumps.file("2020.csv", "a,id\ny,2\n")
    assert dumps.run() == 0, dumps.out
    dumps.file("2021.csv", "id,b,a\n3,new,z\n")
    dumps.file("2022.csv", "b\nalone\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, a, b") == [("1", "x", None), ("2", "y", None), ("3", "z", "new"), (None, None, "alone")]
    said = dumps.sql("SELECT columns_added, columns_missing FROM old_sales._el_files ORDER BY uri")
    assert said == [("[]", "[]"), ("[]", "[]"), ('["b"]', "[]"), ('["b"]', '["id", "a"]')]


@pytest.mark.parametrize("contract", ["evolve", "freeze"])
def test_a_header_in_other_capitals_has_the_same_columns(dumps: Dumps, contract: str) -> None:
    """Also where names stand in raw as files spell them: DuckDB takes both for one."""
    dumps.entry(f"contract: {contract}")
    path = dumps.path / "el.yml"
    path.write_text(path.read_text().replace("defaults:", "raw: {naming: preserve}\ndefaults:"))
    dumps.file("a.csv", "Id,note\n1,x\n")
    dumps.file("b.csv", "NOTE,ID\ny,2\n")
    assert dumps.run() == 0, dumps.out
    dumps.file("c.csv", "iD,NOTE\n3,z\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows('"Id", note') == [("1", "x"), ("2", "y"), ("3", "z")]
    assert dumps.sql("SELECT DISTINCT columns_added, columns_missing FROM old_sales._el_files") == [("[]", "[]")]


def test_a_header_that_changes_stops_its_file_under_freeze(dumps: Dumps) -> None:
    dumps.entry("contract: freeze").file("2019.csv", "id,a\n1,x\n")
    dumps.file("2020.csv", "a,id\ny,2\n")
    dumps.file("2021.csv", "id,a,b\n3,z,new\n")
    for _ in range(2):
        assert dumps.run() == 1
        assert "2021.csv: contract: freeze" in dumps.out
    assert dumps.rows("id, a") == [("1", "x"), ("2", "y")]


def test_equal_and_blank_names_in_a_header_are_told_apart_and_said(dumps: Dumps) -> None:
    dumps.file("a.csv", "id,Id,,_el_row\n1,2,3,4\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, id_2, column_3, source_el_row") == [("1", "2", "3", "4")]
    assert "'Id' stands more than once: id_2 in raw" in dumps.out
    assert "column 3 has no name" in dumps.out


def test_equal_names_have_the_same_place_in_raw_whatever_the_order_of_a_header(dumps: Dumps) -> None:
    dumps.file("a.csv", "ID,id,Order ID,order_id,order_id_2\nA,a,B,b,c\n")
    dumps.file("b.csv", "order_id_2,order_id,Order ID,id,ID\nc,b,B,a,A\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, id_2, order_id, order_id_3, order_id_2") == [("a", "A", "b", "B", "c")] * 2


def test_a_part_of_a_name_is_not_mixed_with_a_column_of_the_same_name(dumps: Dumps) -> None:
    """One file has such a column, another one has none."""
    dumps.entry(text=(dumps.path / "el.yml").read_text().replace("files/**", "files/{Year}.csv"))
    dumps.file("2019.csv", "id,year\n1,x\n")
    dumps.file("2020.csv", "id\n2\n")
    assert dumps.run() == 1
    assert "2019.csv: the file has a column year, and so has its name by {Year}" in dumps.out
    assert dumps.rows("id, year") == [("2", "2020")]


def test_parts_of_a_name_become_columns(dumps: Dumps) -> None:
    dumps.entry(text=(dumps.path / "el.yml").read_text().replace("files/**", "files/year={year}/o_{as_of:%Y%m%d}.csv"))
    dumps.file("year=2019/o_20190131.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, year, _el_position") == [("1", "2019", "2019-01-31")]
    assert dumps.sql("SELECT as_of FROM old_sales._el_files") == [("2019-01-31",)]


def test_a_packed_file_is_unpacked_and_one_that_is_cut_is_refused(dumps: Dumps) -> None:
    packed = gzip.compress(b"id\n1\n") + gzip.compress(b"2\n")
    dumps.file("whole.csv.gz", packed)
    dumps.file("cut.csv.gz", packed[:-4])
    assert dumps.run() == 1
    assert "cut.csv.gz: it is cut off or damaged" in dumps.out
    assert dumps.rows("id") == [("1",), ("2",)]


def test_a_copy_under_another_name_is_loaded_and_said(dumps: Dumps) -> None:
    dumps.file("a.csv", "id\n1\n")
    dumps.file("b.csv", "id\n1\n")
    assert dumps.run() == 0, dumps.out
    assert "b.csv has the same bytes as" in dumps.out
    assert dumps.rows("id") == [("1",), ("1",)]


def test_no_file_at_all_is_a_failure(dumps: Dumps) -> None:
    assert dumps.run() == 1
    assert "no file is there that files/** means" in dumps.out
    assert dumps.run(command="plan") == 2


def test_files_in_an_archive_are_files_of_their_own(dumps: Dumps) -> None:
    """A second file in the same archive is new, and the first one is known."""
    dumps.entry(text=(dumps.path / "el.yml").read_text().replace("files/**", "files/*.zip!/{year}/*.csv"))

    def packed(**members: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, text in members.items():
                archive.writestr(f"{name}/a.csv", text)
        return out.getvalue()

    dumps.file("a.zip", packed(y2019="id\n1\n"))
    assert dumps.run() == 0, dumps.out
    dumps.file("a.zip", packed(y2019="id\n1\n", y2020="id\n2\n"))
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, year") == [("1", "y2019"), ("2", "y2020")]
    assert dumps.sql("SELECT member, status FROM old_sales._el_files ORDER BY ALL") == [
        ("y2019/a.csv", "loaded"),
        ("y2020/a.csv", "loaded"),
    ]


@pytest.mark.soak
def test_three_thousand_small_files_are_few_load_jobs(dumps: Dumps) -> None:
    for number in range(3000):
        dumps.file(f"{number:04d}.csv", f"id,n\n{number},a\n{number},b\n")
    assert dumps.run() == 0, dumps.out
    assert dumps.sql("SELECT count(*), count(DISTINCT _el_file), count(DISTINCT id) FROM old_sales.orders") == [
        (6000, 3000, 3000)
    ]
    assert dumps.run() == 0, dumps.out
    assert "nothing new" in dumps.out


def test_many_small_files_share_landing_files(dumps: Dumps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each landing file is a load job, and thousands of these would take hours."""
    jobs: list[int] = []
    load = Loader.load

    def counted(self: Loader, load_id: str, tables: Sequence[LandedTable], say: Callable[[str], None]) -> None:
        jobs.extend(len(table.files) for table in tables if table.name == "orders")
        load(self, load_id, tables, say)

    monkeypatch.setattr(Loader, "load", counted)
    for number in range(200):
        dumps.file(f"{number:04d}.csv", "id\n" if number % 50 == 0 else f"id\n{number}\n")
    dumps.file("bad.csv", "id\n1,2\n")
    assert dumps.run() == 1
    assert len(dumps.rows("id")) == 196
    assert len(jobs) == 1
    assert jobs[0] <= 4


def test_a_load_that_holds_other_rows_of_a_file_than_its_ledger_says_is_hidden(
    dumps: Dumps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts of the whole table agree: one file has a row too many, and another one too few."""
    for name in ("a", "b"):
        dumps.file(f"{name}.csv", f"id\n{name}1\n{name}2\n")
    load = Loader._load

    def mixed_up(self: Loader, pipeline: Any) -> list[str]:
        loaded = load(self, pipeline)
        a, b = (row[0] for row in dumps.sql("SELECT file_id FROM old_sales._el_files ORDER BY uri"))
        dumps.sql(f"UPDATE old_sales.orders SET _el_file = '{b}' WHERE _el_file = '{a}' AND id = 'a1'")
        return loaded

    monkeypatch.setattr(Loader, "_load", mixed_up)
    assert dumps.run() == 1
    assert "files/a.csv has 1 of 2 rows; file://" in dumps.out
    assert dumps.rows("id") == []
    monkeypatch.setattr(Loader, "_load", load)
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("a1",), ("a2",), ("b1",), ("b2",)]


def test_slices_run_in_other_processes_too(dumps: Dumps) -> None:
    for number in range(3):
        dumps.file(f"{number}.csv", f"id\n{number}\n")
    dumps.file("bad.csv", "id\n1,2\n")
    outputs = [load_output(Path("profiles.yml"), name, None) for name in ("old", "warehouse")]
    job = Job(load_config(Path("el.yml")), *outputs)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        report = run(job, Silent(), pool)
    assert (report.exit_code, report.rows) == (1, 3)
    assert dumps.rows("id") == [("0",), ("1",), ("2",)]
