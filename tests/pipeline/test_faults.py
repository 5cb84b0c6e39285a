"""What a network, a server and a disk do to a run: a line cut after any bytes, a deadlock at any statement, an answer
that is lost after the commit, a full disk. Counts are exact afterwards, and what failed is one line.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from el.config.profiles import Output
from el.connectors.sql.select import Statement
from el.loading.open import open_warehouse
from tests.engines import own_database
from tests.forked import context
from tests.shop import Workspace
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.sqlserver.process import StandInProcess
from tests.tsql_shop import TsqlShop

ENTRIES = "  - {name: dbo.t}\n  - {name: dbo.u, cursor: id}"
TRYING = "{workers: 2, retries: 3}"
ROWS = 10_000
DIGITS = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))"
# 10 MB: 10,000 rows of 500 characters, two bytes each.
FILL = (
    "INSERT INTO dbo.t SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d, REPLICATE(N'x', 500) FROM "
    + " CROSS JOIN ".join(f"{DIGITS} AS {name} (d)" for name in "abce")
)


@pytest.fixture(scope="module")
def server() -> Iterator[StandInProcess]:
    with StandInProcess() as server:
        yield server


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], server: StandInProcess
) -> Iterator[TsqlShop]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    with own_database(server.output()) as output:
        shop = TsqlShop(tmp_path, output, capsys).create(
            ENTRIES,
            "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(500) NOT NULL)",
            "CREATE TABLE dbo.u (id INT NOT NULL PRIMARY KEY)",
            "INSERT INTO dbo.u VALUES (1), (2), (3)",
            defaults=TRYING,
        )
        yield shop
    server.faults.clear()


def counts(shop: TsqlShop, table: str = "t") -> tuple[int, int]:
    return shop.complete_counts(table)


@pytest.mark.parametrize("cut", [100_000, 4_000_000, 9_900_000])
def test_a_line_cut_after_some_bytes_is_read_again_from_the_slices_beginning(
    shop: TsqlShop, server: StandInProcess, cut: int
) -> None:
    cut_and_counted(shop, server, cut)


@pytest.mark.soak
def test_a_line_cut_after_every_half_million_bytes_changes_no_count(shop: TsqlShop, server: StandInProcess) -> None:
    for cut in range(1_000, 10_500_000, 500_000):
        cut_and_counted(shop, server, cut)


def cut_and_counted(shop: TsqlShop, server: StandInProcess, cut: int) -> None:
    if not shop.rows("SELECT TOP 1 1 FROM dbo.t"):
        shop.sql(FILL)
    begun = time.monotonic()
    server.faults.cut_after_bytes(cut)
    report = shop.el("--full-refresh", "--select", "dbo.t")["dbo.t"]
    assert time.monotonic() - begun < 60
    assert report["rows"] == ROWS
    assert counts(shop)[1] == ROWS
    server.faults.clear()


@pytest.mark.parametrize("nth", [1, 6, 12, 18])
def test_a_deadlock_at_any_statement_is_tried_again_within_the_bound(
    shop: TsqlShop, server: StandInProcess, nth: int
) -> None:
    deadlocked(shop, server, nth)


@pytest.mark.soak
def test_a_deadlock_at_each_statement_of_a_run_changes_no_count(shop: TsqlShop, server: StandInProcess) -> None:
    for nth in range(1, 30):
        deadlocked(shop, server, nth)


def deadlocked(shop: TsqlShop, server: StandInProcess, nth: int) -> None:
    server.faults.fail_statement(nth)
    shop.el("--full-refresh")
    server.faults.clear()
    assert counts(shop, "u")[1] == 3


def test_what_fails_each_time_is_given_up_after_the_bound_and_says_how_often_it_was_tried(
    shop: TsqlShop, server: StandInProcess
) -> None:
    shop.el()
    shop.sql("INSERT INTO dbo.u VALUES (4)")
    shop.tables(ENTRIES, "{workers: 2, retries: 1}")
    server.faults.fail_statement(1, like="FROM [dbo].[u]", times=50)
    begun = time.monotonic()
    said = str(shop.el(code=1))
    assert "deadlock" in said.lower()
    assert "(tried 2 times)" in said
    assert time.monotonic() - begun < 30
    server.faults.clear()
    assert shop.el()["dbo.u"]["rows"] == 1
    assert counts(shop, "u") == (4, 1)


@pytest.mark.parametrize("after", [False, True], ids=["before the COPY ran", "after it had committed"])
def test_a_warehouse_whose_answer_is_lost_holds_every_row_once(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    with SnowflakeStandIn() as warehouse:
        profiles = yaml.safe_load(Path("profiles.yml").read_text())
        profiles["warehouse"]["outputs"]["it"] = warehouse.dbt_output()
        Path("profiles.yml").write_text(yaml.safe_dump(profiles))
        warehouse.fail("(?i)^copy into", times=2, after=after)
        shop.el()
        held = open_warehouse(Output("warehouse", "it", warehouse.dbt_output()), "snake_case")
        with held.connector as connector:
            for table, rows in (("u", 3), ("_el_ledger", 2)):
                sql = f"SELECT count(*) FROM {held.qualified('shop_dbo', table)}"
                assert connector.fetch(Statement(sql)) == [(rows,)], table


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).create()
    shop.source("INSERT INTO sales.lines SELECT i, 9, random() FROM range(10000, 400000) AS t (i)")
    process = context().Process(target=with_a_small_disk, args=(str(tmp_path),))
    process.start()
    process.join(timeout=120)
    said = (tmp_path / "output.log").read_text()
    assert process.exitcode == 1, said
    assert "sales.lines: cannot write landing files in" in said
    assert "Traceback" not in said
    assert shop.run() == 0
    assert shop.complete("lines", "count(*)") == [(9000 + 390_000,)]
    assert shop.complete("orders", "count(*), count(DISTINCT id)") == [(3000, 3000)]


def with_a_small_disk(folder: str) -> None:
    """No file may grow beyond 2 MB here, as on a disk that has no more room."""
    import sys

    os.chdir(folder)
    os.environ.pop("EL_TARGET", None)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    from el.cli.app import main

    with open("output.log", "w") as output:
        sys.stdout = sys.stderr = output
        code = main(["run", "--progress", "log"])
    os._exit(code)


def test_a_ledger_put_back_to_yesterday_costs_a_second_read_and_no_row(tmp_path: Path, capsys: Any) -> None:
    shop = Workspace(tmp_path).create()
    assert shop.run() == 0
    shop.source("UPDATE sales.orders SET note = 'changed', updated_at = TIMESTAMP '2024-02-01' WHERE id < 50")
    shop.warehouse("CREATE TABLE shop_sales.yesterday AS FROM shop_sales._el_ledger")
    shop.warehouse("CREATE TABLE shop_sales.yesterdays_loads AS FROM shop_sales._dlt_loads")
    assert shop.run() == 0
    for table, backup in (("_el_ledger", "yesterday"), ("_dlt_loads", "yesterdays_loads")):
        shop.warehouse(f"DELETE FROM shop_sales.{table}; INSERT INTO shop_sales.{table} FROM shop_sales.{backup}")
    assert shop.run() == 0
    assert shop.complete("orders", "count(*) FILTER (_el_op = 'U'), count(*)") == [(50, 3050)]
