"""python -m el.run, on DuckDB as source and warehouse: what is taken, what is said, what comes out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from el.cli.app import main
from el.config.profiles import load_output
from el.config.settings import load_config
from el.connectors.catalog import Catalog
from el.connectors.duckdb import DuckDb
from el.connectors.request import Op
from el.pipeline import Job, run
from el.reporting.progress import Silent
from tests.shop import Workspace, inside


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def el(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def statuses(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, int]]:
    code, out, _ = el(capsys, "run", "--json", *arguments)
    assert code == 0
    return {table["table"]: (table["status"], table["rows"]) for table in json.loads(out)["tables"]}


def test_the_first_run_takes_everything_and_the_ledger_says_so(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert statuses(capsys) == {
        "sales.lines": ("loaded", 9000),
        "sales.nothing": ("loaded", 0),
        "sales.orders": ("loaded", 3000),
    }
    ledger = shop.complete("_el_ledger", "table_name, kind, strategy, row_count, upper_bound")
    assert ledger == [
        ("lines", "snapshot", "full", 9000, None),
        ("nothing", "snapshot", "full", 0, None),
        ("orders", "snapshot", "cursor", 3000, "2024-01-03T01:59:00.000000"),
    ]
    assert shop.warehouse("SELECT count(*) FROM shop_sales.nothing") == [(0,)]


def test_a_second_run_takes_only_what_changed_and_a_third_nothing(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses(capsys)
    shop.source("UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 10")
    shop.source("INSERT INTO sales.orders VALUES (9000, NULL, NULL, TIMESTAMP '2024-02-02')")
    assert statuses(capsys) == {
        "sales.lines": ("unchanged", 0),
        "sales.nothing": ("unchanged", 0),
        "sales.orders": ("loaded", 11),
    }
    assert {table: status for table, (status, _) in statuses(capsys).items()} == {
        "sales.lines": "unchanged",
        "sales.nothing": "unchanged",
        "sales.orders": "unchanged",
    }
    operations = shop.complete("orders", "_el_op, note, _el_position")
    assert len(operations) == 3011
    assert ("U", "changed", "2024-02-01 00:00:00.000000") in operations


def test_a_table_that_was_empty_takes_its_first_rows_later(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    statuses(capsys)
    shop.source("INSERT INTO sales.nothing VALUES (1, 'first')")
    assert statuses(capsys)["sales.nothing"] == ("loaded", 1)
    assert shop.complete("nothing", "a, b, _el_op") == [(1, "first", "S")]


def test_a_full_table_that_lost_a_row_is_a_new_snapshot(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    statuses(capsys)
    shop.source("DELETE FROM sales.lines WHERE order_id = 5 AND line_no = 1")
    assert statuses(capsys)["sales.lines"] == ("loaded", 8999)


def test_full_refresh_takes_every_table_again(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    statuses(capsys)
    again = statuses(capsys, "--full-refresh")
    assert again["sales.orders"] == ("loaded", 3000)
    assert again["sales.lines"] == ("loaded", 9000)


def test_select_takes_only_what_it_names(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(statuses(capsys, "--select", "orders")) == {"sales.orders"}
    assert set(statuses(capsys, "--select", "sales.l*", "sales.nothing")) == {"sales.lines", "sales.nothing"}


def test_a_dry_run_prints_the_plan_and_moves_nothing(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = el(capsys, "run", "--dry-run")
    assert code == 0
    assert "into shop_sales\n" in out
    assert re.search(r"^  sales.orders +cursor +3,000  snapshot$", out, re.MULTILINE)
    assert shop.warehouse("SELECT count(*) FROM duckdb_tables()") == [(0,)]


def test_plan_says_since_when_and_sql_shows_bound_parameters(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses(capsys)
    shop.source("UPDATE sales.orders SET updated_at = TIMESTAMP '2024-02-01' WHERE id = 1")
    code, out, _ = el(capsys, "plan")
    assert code == 0
    assert re.search(r"^\* sales.orders +cursor +3,000  delta from 2024-01-03T01:54:00$", out, re.MULTILINE)
    code, out, _ = el(capsys, "plan", "--why")
    assert code == 0
    assert "sales.orders  (3,000 rows)  ->  shop_sales.orders" in out
    assert "cursor: `cursor: updated_at` is set" in out
    assert "delta: 2024-01-03T01:54:00.000000 <= updated_at <= 2024-02-01T00:00:00.000000 (last load 1" in out
    code, out, _ = el(capsys, "plan", "--sql", "--select", "orders")
    assert 'WHERE "updated_at" >= CAST(? AS TIMESTAMP) AND "updated_at" <= CAST(? AS TIMESTAMP)' in out
    assert "-- parameters: '2024-01-03T01:54:00.000000', '2024-02-01T00:00:00.000000'" in out


def test_a_query_of_ones_own_is_a_stream_with_its_key(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.path / "big.sql").write_text(
        "WITH big AS (SELECT * FROM sales.orders WHERE amount > 1000) SELECT id, amount, updated_at FROM big"
    )
    entry = "  - {name: reports.big_orders, query_file: big.sql, key: id, cursor: updated_at}\n"
    with open(shop.path / "el.yml", "a") as config:
        config.write(entry)
    assert statuses(capsys, "--select", "big_orders") == {"reports.big_orders": ("loaded", 2199)}
    shop.source("UPDATE sales.orders SET updated_at = TIMESTAMP '2024-02-01' WHERE id = 2999")
    assert statuses(capsys, "--select", "big_orders") == {"reports.big_orders": ("loaded", 1)}


def test_filters_columns_and_masks_hold_for_a_table(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with open(shop.path / "el.yml", "a") as config:
        config.write(
            "  - name: sales.orders\n"
            "    filters: [{column: id, op: '<', value: 10}]\n"
            "    columns: {note: {mask: sha256}, amount: {exclude: true}, id: {rename: order_id}}\n"
        )
    assert statuses(capsys)["sales.orders"] == ("loaded", 10)
    rows = shop.complete("orders", "order_id, note")
    assert rows == [(n, hashlib.sha256(f"order {n}".encode()).hexdigest()) for n in range(10)]
    assert "amount" not in {row[0] for row in shop.warehouse("DESCRIBE shop_sales.orders")}


@pytest.mark.parametrize(
    ("type_", "least"),
    [("INTEGER", -500), ("UTINYINT", 0), ("USMALLINT", 0), ("UINTEGER", 0), ("UBIGINT", 2**63), ("HUGEINT", -(2**90))],
)
def test_partitions_bring_every_row_once_null_included(
    shop: Workspace, capsys: pytest.CaptureFixture[str], type_: str, least: int
) -> None:
    shop.source(f"CREATE TABLE sales.events (n {type_}, t VARCHAR)")
    each = f"(i % 250)::HUGEINT + {least}::HUGEINT"
    shop.source(f"INSERT INTO sales.events SELECT if(i % 50 = 0, NULL, {each}), i FROM range(1000) AS t (i)")
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.events, partition_by: n, partitions: 7}\n")
    assert statuses(capsys, "--select", "events") == {"sales.events": ("loaded", 1000)}
    assert shop.complete("events", "count(*), count(DISTINCT t)") == [(1000, 1000)]
    assert shop.complete("_el_ledger", "partitions") == [(7,)]


def test_what_the_catalog_could_not_see_is_said(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = DuckDb.describe

    def half_seen(self: DuckDb, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        return replace(
            describe(self, schemas, brief=brief), notes=("sizes cannot be read here", "neither can comments")
        )

    monkeypatch.setattr(DuckDb, "describe", half_seen)
    assert "of the catalog: sizes cannot be read here; neither can comments" in el(capsys, "plan")[1]


def test_slices_run_on_any_executor(shop: Workspace) -> None:
    job = Job(
        load_config(Path("el.yml")),
        load_output(Path("profiles.yml"), "shop", None),
        load_output(Path("profiles.yml"), "warehouse", None),
    )
    with ProcessPoolExecutor(1) as executor:
        report = run(job, Silent(), executor)
    assert report.rows == 12000


def test_a_table_that_fails_leaves_the_others_to_be_loaded(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source("CREATE VIEW sales.broken AS SELECT CAST(note AS INTEGER) AS n FROM sales.orders")
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.broken}\n")
    code, out, _ = el(capsys, "run", "--json")
    report = {table["table"]: table for table in json.loads(out)["tables"]}
    assert code == 1
    assert report["sales.broken"]["status"] == "failed"
    assert "database error" in report["sales.broken"]["error"]
    assert report["sales.orders"]["status"] == "loaded"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--select", "nowhere"), "--select nowhere: no table of el.yml matches"),
        (("--target", "prod"), "has no output 'prod'; it has: local"),
        (("--config", "other.yml"), "other.yml is not there"),
        (("--profiles-dir", "elsewhere"), "no profiles.yml in elsewhere"),
    ],
)
def test_a_bad_argument_is_one_line_and_exit_code_2(
    shop: Workspace, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    code, _, err = el(capsys, "run", *arguments)
    assert code == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{name: sales.ordrs}", "el.yml line 8: no table matches 'sales.ordrs' in shop; did you mean sales.orders?"),
        ("{name: sales.orders, columns: {nme: {exclude: true}}}", "sales.orders has no column 'nme'; it has: id, note"),
        ("{name: sales.orders, cursor: changed_at}", "no column 'changed_at' for the cursor"),
        ("{name: sales.lines, strategy: rowversion}", "strategy rowversion: there is no rowversion column"),
        ("{name: sales.lines, strategy: cursor}", "strategy cursor needs `cursor: <column>`"),
        ("{name: sales.lines, key: [nope]}", "key column 'nope' is not among the columns"),
        ("{name: sales.lines, partition_by: price}", "'price' is double, which has no order to cut it by"),
        ("{name: sales.lines, rename: orders}", "rename"),
        ("{name: reports.q, query: 'SELECT 1 FROM nowhere'}", "el.yml line 8: reports.q"),
        ("{name: sales.orders, filters: [{column: x, op: '=', value: 1}]}", "no column 'x' to filter by"),
    ],
)
def test_a_table_that_cannot_be_taken_stops_alone_and_comes_once_it_is_mended(
    shop: Workspace, capsys: pytest.CaptureFixture[str], entry: str, says: str
) -> None:
    as_it_was = (shop.path / "el.yml").read_text()
    with open(shop.path / "el.yml", "a") as config:
        config.write(f"  - {entry}\n")
    code, out, err = el(capsys, "plan")
    assert (code, err) == (2, "")
    stopped = [line for line in out.splitlines() if line.startswith("STOPPED ")]
    assert any(says in line for line in stopped)
    code, out, err = el(capsys, "run", "--json")
    assert code == 1, err
    report = json.loads(out)
    failed = {table["table"]: table["error"] for table in report["tables"] if table["status"] == "failed"}
    assert len(failed) == len(stopped)
    assert all(says in error for error in failed.values())
    others = [table for table in report["tables"] if table["status"] == "loaded"]
    assert {table["table"] for table in others} == {"sales.lines", "sales.nothing", "sales.orders"} - set(failed)
    (shop.path / "el.yml").write_text(as_it_was)
    assert {table for table, (status, _) in statuses(capsys).items() if status == "loaded"} == set(failed) & {
        *("sales.lines", "sales.nothing", "sales.orders")
    }


def test_a_cursor_that_the_source_cannot_compare_is_refused_by_name(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DuckDb, "supports", lambda _, op, column: (op, column.name) != (Op.LE, "updated_at"))
    code, out, _ = el(capsys, "plan")
    assert code == 2
    assert "sales.orders: strategy cursor: cursor updated_at: duckdb cannot read timestamp by <=" in out


def test_a_source_that_is_not_there_is_exit_code_3(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.path / "shop.duckdb").unlink()
    code, _, err = el(capsys, "run")
    assert code == 3
    assert "shop.duckdb does not exist" in err


def test_a_traceback_is_shown_only_when_asked_for(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.path / "shop.duckdb").unlink()
    assert "Traceback" not in el(capsys, "run")[2]
    assert "Traceback" in el(capsys, "run", "--traceback")[2]


def test_what_nobody_foresaw_is_one_line_too_and_says_nothing_of_its_text(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("PWD=secret")

    monkeypatch.setattr("el.planning.places.choose_tables", broken)
    code, _, err = el(capsys, "run")
    assert code == 1
    assert len(err.strip().splitlines()) == 1
    assert "a defect of el: RuntimeError in places.py, line " in err
    assert "secret" not in err
    assert "Traceback" in el(capsys, "run", "--traceback")[2]


def test_load_ids_grow_even_when_the_clock_went_back(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses(capsys)
    shop.source("DELETE FROM sales.lines WHERE order_id = 5")
    with inside(shop.path):
        monkeypatch.setattr("el.loading.load.time.time_ns", lambda: 1_000_000_000)
        assert statuses(capsys)["sales.lines"][0] == "loaded"
    loads = [row[0] for row in shop.warehouse("SELECT load_id FROM shop_sales._dlt_loads ORDER BY inserted_at")]
    assert loads == sorted(loads)


def test_a_table_that_was_emptied_is_an_empty_snapshot_over_the_old_one(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses(capsys)
    shop.source("DELETE FROM sales.lines")
    assert statuses(capsys)["sales.lines"] == ("loaded", 0)
    assert [row for row in shop.complete("_el_ledger", "table_name, kind, row_count") if row[0] == "lines"] == [
        ("lines", "snapshot", 0),
        ("lines", "snapshot", 9000),
    ]
    shop.source("INSERT INTO sales.nothing VALUES (1, 'x')")
    assert statuses(capsys)["sales.nothing"] == ("loaded", 1)
    assert "_dlt_id" not in {row[0] for row in shop.warehouse("DESCRIBE shop_sales.nothing")}
