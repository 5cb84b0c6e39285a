"""rowversion: no committed row is missed whatever is open while el reads; what the counter cannot tell is seen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from el.connectors.catalog import SourceType
from el.connectors.request import Value
from el.connectors.sql.connector import canonical
from el.connectors.sqlserver import SqlServer
from tests.engines import connected, statement
from tests.tsql_shop import TsqlShop

TABLE = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v INT NULL, rv ROWVERSION NOT NULL)"
ENTRY = "  - {name: dbo.t, deletes: {by: keys, every: 0s, max_percent: 100}}"


@pytest.fixture
def shop(tsql_shop: TsqlShop) -> TsqlShop:
    return tsql_shop.create(ENTRY, TABLE)


def in_source(shop: TsqlShop) -> list[tuple[Any, ...]]:
    return sorted(shop.rows("SELECT id, v FROM dbo.t"))


def in_raw(shop: TsqlShop) -> list[tuple[Any, ...]]:
    return shop.state("t", "id", "id, v")


def naive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound that other tools take: the greatest value that is seen."""

    def greatest(source: SqlServer) -> Value:
        # Not MAX(): another T-SQL engine than SQL Server makes a whole number of it.
        found = source.fetch(statement("SELECT TOP 1 CAST(rv AS BINARY(8)) FROM dbo.t ORDER BY rv DESC"))[0][0]
        return Value(f"0x{int(canonical(found), 16) + 1:016X}", SourceType("rowversion"))

    monkeypatch.setattr(SqlServer, "stable_version", greatest)


def row_of_an_open_transaction(shop: TsqlShop) -> None:
    """Row 2 is written before row 3, and committed after a run has taken row 3."""
    shop.sql("INSERT INTO dbo.t (id, v) VALUES (1, 1)")
    shop.el()
    with shop.server() as server, server.transaction():
        server.driver.execute(statement("INSERT INTO dbo.t (id, v) VALUES (2, 2)"))
        shop.sql("INSERT INTO dbo.t (id, v) VALUES (3, 3)")
        shop.el()
    shop.el()


def test_a_row_written_before_and_committed_after_a_run_is_taken_by_the_next_one(shop: TsqlShop) -> None:
    row_of_an_open_transaction(shop)
    assert in_raw(shop) == in_source(shop) == [(1, 1), (2, 2), (3, 3)]
    assert sorted(shop.complete("t", "id")) == [(1,), (2,), (3,)], "and none is loaded twice"


def test_the_greatest_value_as_bound_loses_that_row(shop: TsqlShop, monkeypatch: pytest.MonkeyPatch) -> None:
    naive(monkeypatch)
    row_of_an_open_transaction(shop)
    assert in_source(shop) == [(1, 1), (2, 2), (3, 3)]
    assert in_raw(shop) == [(1, 1), (3, 3)]


def write(output: dict[str, Any], number: int, ended: Event) -> Counter[str]:
    """Transactions of random length with inserts, updates, changed keys, deletes and rollbacks; how they ended."""
    chance = random.Random(number)
    ends: Counter[str] = Counter()
    key = number * 1_000_000
    with connected(output) as server:
        server.driver.autocommit(False)
        while not ended.is_set():
            try:
                for _ in range(chance.randint(1, 4)):
                    some = chance.randint(number * 1_000_000 + 1, max(number * 1_000_000 + 1, key))
                    key += 1
                    server.driver.execute(
                        statement(
                            chance.choice(
                                (
                                    f"INSERT INTO dbo.t (id, v) VALUES ({key}, {chance.randint(0, 99)})",
                                    f"INSERT INTO dbo.t (id, v) VALUES ({key}, {chance.randint(0, 99)})",
                                    f"UPDATE dbo.t SET v = {chance.randint(0, 99)} WHERE id = {some}",
                                    f"UPDATE dbo.t SET id = {key + 500_000} WHERE id = {some}",
                                    f"DELETE FROM dbo.t WHERE id = {some}",
                                )
                            )
                        )
                    )
                    ended.wait(chance.random() * chance.choice((0.01, 0.05, 0.6)))
                if chance.random() < 0.2:
                    server.driver.connection.rollback()
                    ends["rolled back"] += 1
                else:
                    server.driver.connection.commit()
                    ends["committed"] += 1
            except Exception:
                # The victim of a deadlock or a conflict, as writers are.
                server.driver.connection.rollback()
                ends["refused"] += 1
    return ends


def under_writers(shop: TsqlShop, runs: int) -> Counter[str]:
    """Run el many times while eight writers are at work, and once after; how their transactions ended."""
    ended = Event()
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, shop.output, number, ended) for number in range(1, 9)]
        try:
            for _ in range(runs):
                shop.el()
        finally:
            ended.set()
        ends = sum((writer.result() for writer in writers), Counter())
    shop.el()
    return ends


def doubled(shop: TsqlShop) -> list[tuple[Any, ...]]:
    """Row versions that came with more than one load: a version of a row is loaded once."""
    return shop.raw(
        "SELECT id, _el_position, count(*) FROM shop_dbo.t WHERE _el_op <> 'D' AND _el_position IS NOT NULL "
        "GROUP BY ALL HAVING count(*) > 1"
    )


def test_eight_writers_with_open_transactions_lose_and_double_no_row(shop: TsqlShop) -> None:
    assert under_writers(shop, 5)["committed"] > 20
    assert in_raw(shop) == in_source(shop)
    assert doubled(shop) == []


@pytest.mark.soak
def test_fifty_runs_among_eight_writers_lose_and_double_no_row(
    shop: TsqlShop, record_property: Callable[[str, object], None]
) -> None:
    ends = under_writers(shop, 50)
    record_property("writers", dict(ends))
    record_property("rows", len(in_source(shop)))
    assert ends["committed"] > 200
    assert ends["rolled back"] > 20
    assert in_raw(shop) == in_source(shop)
    assert doubled(shop) == []


@pytest.mark.soak
def test_fifty_runs_among_eight_writers_lose_rows_with_the_greatest_value_as_bound(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    shop.sql("INSERT INTO dbo.t (id, v) VALUES (0, 0)")
    naive(monkeypatch)
    under_writers(shop, 50)
    lost = set(in_source(shop)) - set(in_raw(shop))
    record_property("lost", f"{len(lost)} of {len(in_source(shop))}")
    assert lost


def test_a_counter_that_went_back_begins_a_new_snapshot_and_says_so(shop: TsqlShop) -> None:
    shop.sql("INSERT INTO dbo.t (id, v) VALUES (1, 1)")
    shop.el()
    shop.raw("UPDATE shop_dbo._el_ledger SET upper_bound = '0x7000000000000000'")
    report = shop.el()["dbo.t"]
    assert report["kind"] == "snapshot"
    assert any("before 0x7000000000000000: it was restored" in note for note in report["notes"])
    assert in_raw(shop) == in_source(shop)


def test_a_table_made_anew_begins_a_new_snapshot_and_says_so(shop: TsqlShop) -> None:
    shop.sql("INSERT INTO dbo.t (id, v) VALUES (1, 1), (2, 2)")
    shop.el()
    shop.sql("DROP TABLE dbo.t", TABLE, "INSERT INTO dbo.t (id, v) VALUES (7, 7)")
    report = shop.el()["dbo.t"]
    assert report["kind"] == "snapshot"
    assert "a new snapshot begins: the table was made anew" in report["notes"]
    assert in_raw(shop) == [(7, 7)]


def test_a_restored_database_begins_a_new_snapshot_though_its_counter_has_passed_the_bound(shop: TsqlShop) -> None:
    """The server gives a database another recovery fork with every restore; here the ledger remembers the former."""
    shop.sql("INSERT INTO dbo.t (id, v) VALUES (1, 1)")
    shop.el()
    table_id = shop.ledger("incarnation")[0][0].partition(":")[0]
    shop.raw(f"UPDATE shop_dbo._el_ledger SET incarnation = '{table_id}:FORMER'")
    with shop.server() as server:
        fork = server.describe(brief=True).incarnation
    report = shop.el()["dbo.t"]
    assert (report["kind"] == "snapshot") == (fork is not None)
    assert ("a new snapshot begins: the database was restored" in report["notes"]) == (fork is not None)
