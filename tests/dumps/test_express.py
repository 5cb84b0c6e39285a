"""Files that Snowflake reads by itself out of a stage: raw gets what it would get by the client, or nothing."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from el.dumps.express import differs
from el.dumps.file_version import FileVersion
from el.loading.express import Staged, portions
from el.loading.snowflake_express import SnowflakeExpress
from tests.dumps.stage import Shop, at


def values(first: int, count: int) -> dict[str, Any]:
    """A column of each type that goes this way."""
    numbers = list(range(first, first + count))
    moment = dt.datetime(2024, 2, 29, 23, 59, 59, 123456)
    return {
        "OrderId": pa.array(numbers, pa.int64()),
        "small": pa.array(numbers, pa.int16()),
        "note": pa.array([None if n % 3 == 0 else "" if n % 3 == 1 else f"it's \\ n{n}" for n in numbers], pa.string()),
        "raw bytes": pa.array([bytes([n % 256, 0, 255]) for n in numbers], pa.binary()),
        "price": pa.array([Decimal(n) / 100 for n in numbers], pa.decimal128(12, 2)),
        "rate": pa.array([n / 3 for n in numbers], pa.float64()),
        "good": pa.array([n % 2 == 0 for n in numbers], pa.bool_()),
        "day": pa.array([dt.date(2024, 1, 1 + n % 28) for n in numbers], pa.date32()),
        "hour": pa.array([dt.time(1, 2, 3, n % 1000) for n in numbers], pa.time64("us")),
        "at": pa.array([moment + dt.timedelta(seconds=n) for n in numbers], pa.timestamp("us")),
        "instant": pa.array([moment] * count, pa.timestamp("us", "UTC")),
    }


def test_raw_and_ledgers_are_the_same_as_by_the_client(shop: Shop) -> None:
    shop.file("2024/eu_1.parquet", pa.table(values(1, 7)), row_group_size=3)
    shop.file("2024/eu_2.parquet", pa.table({**values(8, 2), "more": ["x", None]}))
    reordered = dict(reversed(values(10, 3).items()))
    shop.file("2025/us_1.parquet", pa.table(reordered).drop_columns(["rate"]))
    shop.file("2025/us_2.parquet", pa.table(values(1, 0)))
    files = "{year}/{region}_*.parquet"
    express, client = shop.both_ways(files)
    assert len(express["orders"]) == 12
    for table in express:
        assert express[table] == client[table], table


def test_no_byte_of_a_file_but_its_footer_passes_the_client(shop: Shop) -> None:
    shop.file("it's #1, as (of) 50%.parquet", pa.table({"id": [1, 2]}))
    puts = sum(query.sql.startswith("PUT") for query in shop.standin.queries)
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id, _el_row, _el_op") == [(1, 1, "S"), (2, 2, "S")]
    assert sum(query.sql.startswith("PUT") for query in shop.standin.queries) == puts
    assert shop.run() == 0, shop.dumps.out
    assert len(shop.rows()) == 2


def test_plan_says_which_way_and_why(shop: Shop) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.entry("express: auto")
    assert shop.dumps.run(command="plan") == 0, shop.dumps.out
    assert "way       express: the warehouse reads them by itself, out of the stage" in shop.dumps.out
    shop.file("a.json", "[]")
    shop.entry("express: auto", "*.json", format_="json")
    assert shop.dumps.run(command="plan") == 0, shop.dumps.out
    assert (
        "way       by the client: only parquet, csv, ndjson and plain bcp text come into raw by COPY" in shop.dumps.out
    )


def test_a_stage_that_is_not_there_or_not_el_s_to_use_is_told_in_the_plan(shop: Shop) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.ask(f"DROP STAGE {shop.database}.PUBLIC.DUMPS")
    assert shop.dumps.run(command="plan") == 2
    assert "express: require, but the stage" in shop.dumps.out
    assert "el's role needs USAGE on an external stage" in shop.dumps.out


@pytest.mark.parametrize(
    ("stage", "more", "why"),
    [
        (False, "express: require", "the profile names no `stage`"),
        (True, "express: require, changed: append", "was loaded before, and only its bytes tell"),
    ],
)
def test_an_entry_that_has_to_go_this_way_and_cannot_is_stopped(shop: Shop, stage: bool, more: str, why: str) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    if stage:
        assert shop.run() == 0, shop.dumps.out
        shop.file("a.parquet", pa.table({"id": [2]}), age=5)
    shop.entry(more, stage=stage)
    assert shop.dumps.run(command="plan") == 2
    assert why in shop.dumps.out
    assert shop.run() == 1
    assert f"express: require, but {why}" in shop.dumps.out or why in shop.dumps.out


def test_a_changed_file_counts_instead_of_the_former_one(shop: Shop) -> None:
    shop.entry("express: require, changed: replace")
    shop.file("a.parquet", pa.table({"id": [1]}))
    assert shop.run() == 0, shop.dumps.out
    former = shop.rows("file_id", "_el_files")[0][0]
    shop.file("a.parquet", pa.table({"id": [2]}), age=5)
    assert shop.run() == 0, shop.dumps.out
    assert set(shop.rows("route, replaces", "_el_files")) == {("express", None), ("express", former)}


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ({"id": pa.array(["x"])}, "column id is string there, and int64 in raw"),
        ({"id": pa.array([1], pa.uint32())}, "COPY may read uint32"),
        ({"id": pa.array([1]), "ID": pa.array([1])}, "differ by case alone"),
        ({"id": pa.array([[1]])}, "COPY may read list"),
        ({"day": pa.array([1_000_000_000], pa.int32()).view(pa.date32())}, "days of the years 1 to 9999"),
    ],
)
def test_a_file_with_another_column_is_refused_before_the_copy_and_the_others_load(
    shop: Shop, column: dict[str, Any], why: str
) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.file("b.parquet", pa.table(column))
    assert shop.run() == 1
    assert why in shop.dumps.out
    assert shop.rows("id") == [(1,)]
    copies = [
        query.sql for query in shop.standin.queries if query.sql.startswith("COPY INTO") and "b.parquet" in query.sql
    ]
    assert not [sql for sql in copies if shop.database in sql]


def test_a_file_of_which_no_bytes_were_seen_is_not_loaded_beside_itself(shop: Shop) -> None:
    """As an object that was written again with the same bytes: its version is another one, and no checksum is known."""
    shop.entry("express: auto, changed: append")
    shop.file("a.parquet", pa.table({"id": [1]}))
    assert shop.run() == 0, shop.dumps.out
    shop.file("a.parquet", pa.table({"id": [1]}), age=30)
    assert shop.run() == 1
    assert "a.parquet: is another version of the file that the warehouse read by itself" in shop.dumps.out
    assert shop.rows("id") == [(1,)]


def test_a_part_of_a_name_is_not_mixed_with_a_column_of_the_same_name(shop: Shop) -> None:
    shop.entry(files="{year}.parquet")
    shop.file("2019.parquet", pa.table({"id": [1], "year": ["x"]}))
    shop.file("2020.parquet", pa.table({"id": [2]}))
    assert shop.run() == 1
    assert "2019.parquet: express: require, but the file has a column year" in shop.dumps.out
    assert shop.rows("id, year") == [(2, "2020")]


def test_by_itself_what_does_not_fit_goes_by_the_client(shop: Shop) -> None:
    """A small number of another width the client casts; its way is told for each file."""
    shop.entry("express: auto")
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.file("b.parquet", pa.table({"id": pa.array([2], pa.uint32())}))
    assert shop.run() == 0, shop.dumps.out
    assert "by the client: file://" in shop.dumps.out
    assert shop.rows("id") == [(1,), (2,)]
    assert shop.rows("route, row_count", "_el_files") == [("client", 1), ("express", 1)]
    assert "2 rows" in shop.dumps.out


def test_a_column_that_a_file_lacks_is_null_and_a_new_one_is_added(shop: Shop) -> None:
    shop.file("a.parquet", pa.table({"id": [1], "old": ["x"]}))
    assert shop.run() == 0, shop.dumps.out
    shop.file("b.parquet", pa.table({"id": [2], "new": ["y"]}))
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id, old, new") == [(1, "x", None), (2, None, "y")]
    said = shop.rows("columns_added, columns_missing", "_el_files")
    assert said == [('["new"]', '["old"]'), ("[]", "[]")]


def test_under_freeze_a_file_with_other_columns_fails(shop: Shop) -> None:
    shop.entry("express: require, contract: freeze")
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.file("b.parquet", pa.table({"id": [2], "new": ["y"]}))
    assert shop.run() == 1
    assert "contract: freeze" in shop.dumps.out
    assert shop.rows("id") == [(1,)]


# In the suite texts are, which are read one by one as well.
@pytest.mark.soak
def test_more_than_a_thousand_files_are_one_load(shop: Shop) -> None:
    first = shop.file("0000.parquet", pa.table({"id": [7]}))
    for number in range(1, 1003):
        path = shop.files / f"{number:04}.parquet"
        path.write_bytes(first.read_bytes())
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert shop.run() == 0, shop.dumps.out
    assert shop.ask("SELECT COUNT(*), COUNT(DISTINCT _el_file), MAX(id) FROM old_sales.orders") == [(1003, 1003, 7)]
    assert shop.ask("SELECT COUNT(*), SUM(row_count) FROM old_sales._el_files") == [(1003, 1003)]
    assert shop.ask("SELECT COUNT(*) FROM old_sales._dlt_loads WHERE status = 0") == [(1,)]


def test_a_file_that_is_overwritten_between_list_and_copy_waits_and_the_others_load(shop: Shop) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.file("b.parquet", pa.table({"id": [2]}))
    at("stage listed", lambda: shop.file("b.parquet", pa.table({"id": [3]}), age=7))
    assert shop.run() == 0, shop.dumps.out
    assert "b.parquet: was changed since it was listed" in shop.dumps.out
    assert shop.rows("id") == [(1,)]
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id") == [(1,), (3,)]


def test_a_file_of_which_another_one_is_in_the_same_second_is_told_by_its_checksum(shop: Shop) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    at("stage listed", lambda: shop.file("a.parquet", pa.table({"id": [3]})))
    assert shop.run() == 0, shop.dumps.out
    assert "a.parquet: was changed since it was listed" in shop.dumps.out


def test_a_stage_that_shows_other_files_is_not_believed(shop: Shop, tmp_path: Path) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.file("b.parquet", pa.table({"id": [1]}))
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({"id": [9]}), other / "a.parquet")
    shop.ask(f"CREATE OR REPLACE STAGE {shop.database}.PUBLIC.DUMPS URL = '{other.as_uri()}/'")
    assert shop.run() == 1
    assert "a.parquet: express: require, but the stage shows another version of it" in shop.dumps.out
    assert "b.parquet: express: require, but the stage does not show it" in shop.dumps.out
    (other / "a.parquet").rename(other / "b.parquet")
    shop.entry("express: auto")
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id") == [(1,), (1,)]


@pytest.mark.parametrize("base", ["s3://acme/old/", "azure://a.blob.core.windows.net/old/", "gcs://acme/old/"])
def test_files_are_found_by_the_url_of_whichever_cloud(base: str) -> None:
    """Also where a folder below has a file of the same name, and where the first file is gone."""

    class Shown:
        def show(self, sql: str) -> list[dict[str, Any]]:
            names = ("b/a.parquet", "b/c.parquet", "c.parquet")
            told = {"size": 1, "md5": None, "last_modified": "Fri, 1 Dec 2023 10:00:00 GMT"}
            return [{"name": f"{base}{name}", **told} for name in names]

    class Raw:
        connector = Shown()

        def literal(self, text: str) -> str:
            return text

    found = SnowflakeExpress(Raw()).listed("s", ["a.parquet", "b/c.parquet", "c.parquet"])
    assert set(found) == {"b/c.parquet", "c.parquet"}
    assert found["c.parquet"] == Staged(1, "", dt.datetime(2023, 12, 1, 10, tzinfo=dt.UTC))


def test_a_statement_has_so_many_names_and_so_many_characters_at_most() -> None:
    assert [len(some) for some in portions(["x"] * 2001, 1000)] == [1000, 1000, 1]
    assert [len(some) for some in portions(["x" * 40, "y" * 40, "z" * 400, "w"], 1000, 100)] == [2, 1, 1]
    assert list(portions([], 1000)) == []


def test_an_etag_that_is_a_checksum_has_to_be_the_stage_s() -> None:
    moment = dt.datetime(2023, 12, 1, 10, tzinfo=dt.UTC)
    for etag, same in (("a" * 32, True), ("b" * 32, False), ("b" * 32 + "-2", True)):
        file = FileVersion("s3://acme/a.parquet", f'"{etag}"', 1, moment.replace(microsecond=5))
        said = differs(file, Staged(1, "a" * 32, moment))
        assert (said is None) is same


@pytest.mark.parametrize("statement", ["COPY INTO", "INSERT INTO .*_EL_FILES", "INSERT INTO .*_DLT_LOADS", "^COMMIT"])
def test_a_statement_that_fails_leaves_nothing_and_the_next_run_loads(shop: Shop, statement: str) -> None:
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.standin.fail(statement)
    assert shop.run() == 1, shop.dumps.out
    assert shop.ask("SELECT COUNT(*) FROM old_sales.orders") == [(0,)]
    assert shop.run() == 0, shop.dumps.out
    assert shop.rows("id") == [(1,)]
    assert shop.ask("SELECT COUNT(*) FROM old_sales._el_files") == [(1,)]


def test_a_commit_of_which_no_answer_comes_is_not_done_again(shop: Shop) -> None:
    shop.entry("express: auto")
    shop.file("a.parquet", pa.table({"id": [1]}))
    shop.standin.fail("^COMMIT", after=True)
    shop.run()
    assert shop.run() == 0, shop.dumps.out
    assert shop.ask("SELECT id FROM old_sales.orders") == [(1,)]
    assert shop.ask("SELECT COUNT(*) FROM old_sales._el_files") == [(1,)]


def test_a_copy_that_tells_of_other_rows_than_the_footer_loads_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from el.dumps import express

    real = express._result

    def one_more(*arguments: Any) -> Any:
        from dataclasses import replace

        found = real(*arguments)
        return replace(found, rows=found.rows + 1)

    monkeypatch.setattr(express, "_result", one_more)
    shop.file("a.parquet", pa.table({"id": [1]}))
    assert shop.run() == 1
    assert "1 of its 2 rows were read" in shop.dumps.out
    assert shop.ask("SELECT COUNT(*) FROM old_sales.orders") == [(0,)]
