"""`strategy: rowversion` on a real PostgreSQL: windows of xmin, which no late commit can pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from el.config.tables import TableSettings
from el.connectors.catalog import Table, TableName
from el.connectors.postgres import Postgres
from el.connectors.postgres.xmin import NEXT, WHOLE
from el.connectors.request import POSITION_READ, ColumnRead, ReadRequest
from el.connectors.type_rules import map_type
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import TableContext
from el.planning.strategies.rowversion import Rowversion
from el.planning.strategies.window import Kind, Window
from tests.connectors.postgres.log.shop import PostgresShop, database
from tests.connectors.postgres.log.test_runs import written_by_eight
from tests.servers import postgres
from tests.shop import inside

T = "CREATE TABLE t (id int PRIMARY KEY, v int)"
BY_XMIN = "  - {name: public.t, strategy: rowversion}"


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[PostgresShop]:
    with database(postgres.shared()) as output, inside(tmp_path):
        yield PostgresShop(tmp_path, output, capsys)


class Windows:
    """What strategy `rowversion` does with a table from load to load, without a warehouse: quick."""

    def __init__(self, shop: PostgresShop) -> None:
        self.shop = shop
        self.last: LedgerEntry | None = None
        self.window: Window | None = None

    def load(self) -> list[tuple[Any, ...]]:
        """The rows of the next load."""
        with Postgres(Postgres.config_type.model_validate(self.shop.output)) as source:
            catalog = source.describe(["public"], brief=True)
            table = catalog.table(TableName("public", "t"))
            assert table is not None
            request = ReadRequest(table=table.name)
            context = TableContext(table, TableSettings(name="public.t"), request, catalog, source.rules)
            strategy = Rowversion()
            assert strategy.obstacle(context, source) is None
            self.window = window = strategy.window(context, source, self.last)
            if window is None:
                return []
            assert window.upper is not None
            rule = map_type("postgres", table.version.type) if table.version else None
            assert rule is not None
            place = ColumnRead("xmin", POSITION_READ, rule.read_as, rule.arrow)
            reads = (ColumnRead("id", "id"), ColumnRead("v", "v"), place)
            with source.read_buffer(replace(request, columns=reads, where=window.conditions())) as buffer:
                found = buffer.to_arrow()
            self.last = _loaded(window, table)
        for version in found.column(POSITION_READ).to_pylist():
            assert version < int(window.upper.text)
            assert window.lower is None or version >= int(window.lower.text)
        return sorted(zip(found.column("id").to_pylist(), found.column("v").to_pylist(), strict=True))


def _loaded(window: Window, table: Table) -> LedgerEntry:
    assert window.upper is not None
    kind, upper, past = str(window.kind), window.upper.text, window.incarnation
    return LedgerEntry("1", "t", str(table.name), kind, "rowversion", "xmin", upper, 0, None, incarnation=past)


def test_a_row_comes_once_each_time_that_it_is_written(shop: PostgresShop) -> None:
    shop.sql(T, "INSERT INTO t VALUES (1, 1), (2, 2)")
    windows = Windows(shop)
    assert windows.load() == [(1, 1), (2, 2)]
    shop.sql("UPDATE t SET v = 9 WHERE id = 2", "INSERT INTO t VALUES (3, 3)")
    assert windows.load() == [(2, 9), (3, 3)]
    assert windows.load() == []
    assert windows.window is None


def test_a_row_that_is_committed_late_is_not_passed_over(shop: PostgresShop) -> None:
    shop.sql(T)
    windows = Windows(shop)
    with shop.session() as early:
        early.execute("BEGIN; INSERT INTO t VALUES (1, 1)")
        shop.sql("INSERT INTO t VALUES (2, 2)")
        # It has a later number than the one that is open, and waits with it.
        assert windows.load() == []
        early.execute("COMMIT")
    shop.sql("INSERT INTO t VALUES (3, 3)")
    assert windows.load() == [(1, 1), (2, 2), (3, 3)]
    assert windows.load() == []


def test_what_was_rolled_back_does_not_come_and_a_subtransaction_waits_for_its_own(shop: PostgresShop) -> None:
    shop.sql(T)
    windows = Windows(shop)
    windows.load()
    with shop.session() as session:
        session.execute("BEGIN; INSERT INTO t VALUES (9, 9); ROLLBACK")
        session.execute("BEGIN; INSERT INTO t VALUES (1, 1); SAVEPOINT a; INSERT INTO t VALUES (2, 2); RELEASE a")
        assert windows.load() == []
        session.execute("SAVEPOINT b; INSERT INTO t VALUES (3, 3); ROLLBACK TO b; COMMIT")
    assert windows.load() == [(1, 1), (2, 2)]


def test_rows_that_were_frozen_or_written_anew_in_place_are_as_old_as_they_were(shop: PostgresShop) -> None:
    shop.sql(T, "INSERT INTO t VALUES (1, 1)")
    windows = Windows(shop)
    windows.load()
    shop.sql("VACUUM (FREEZE) t", "VACUUM FULL t", "CLUSTER t USING t_pkey", "INSERT INTO t VALUES (2, 2)")
    assert windows.load() == [(2, 2)]


def test_rows_that_come_with_a_partition_begin_a_new_snapshot(shop: PostgresShop) -> None:
    shop.sql("CREATE TABLE t (id int PRIMARY KEY, v int) PARTITION BY RANGE (id)")
    shop.sql("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)")
    shop.sql(
        "CREATE TABLE t2 (id int PRIMARY KEY, v int)", "INSERT INTO t2 VALUES (11, 1)", "INSERT INTO t VALUES (1, 1)"
    )
    windows = Windows(shop)
    assert windows.load() == [(1, 1)]
    shop.sql("ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (10) TO (20)")
    assert windows.load() == [(1, 1), (11, 1)]
    assert windows.window is not None
    assert windows.window.kind is Kind.SNAPSHOT


@pytest.mark.parametrize("former", ["00000009", "00000001"])
def test_a_server_that_took_over_or_was_restored_begins_a_new_snapshot(shop: PostgresShop, former: str) -> None:
    """It may have given the same numbers once more."""
    shop.sql(T, "INSERT INTO t VALUES (1, 1)")
    windows = Windows(shop)
    windows.load()
    assert windows.last is not None
    table = str(windows.last.incarnation).partition(":")[0]
    windows.last = replace(windows.last, incarnation=f"{table}:{former}")
    shop.sql("INSERT INTO t VALUES (2, 2)")
    assert windows.load() == ([(2, 2)] if former == "00000001" else [(1, 1), (2, 2)])
    assert windows.window is not None
    assert windows.window.because == (None if former == "00000001" else "the database was restored")


@pytest.mark.parametrize("now", [1000, 2**31 + 5, 2**32 - 1, 2**32, 2**32 + 3, 7 * 2**32 + 12345, 2**40 + 2**31])
def test_a_number_of_32_bits_is_one_of_the_last_transactions_also_where_the_count_wraps_around(
    shop: PostgresShop, now: int
) -> None:
    distances = [0, 1, 5, 996, 2**16, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 4]
    numbers = [now - distance for distance in distances if now - distance >= 3]
    # Transactions of which the lower half is 0, 1 or 2 there are none.
    numbers = [number for number in numbers if number % 2**32 >= 3]
    expression = WHOLE.replace(NEXT, f"({now}::bigint)").replace("{column}", "x")
    with shop.session() as session:
        listed = ", ".join(f"({place}, {number % 2**32})" for place, number in enumerate(numbers))
        sql = f"SELECT {expression} FROM (VALUES {listed}) AS t(n, x) ORDER BY n"
        found = session.execute(sql.encode()).fetchall()
    assert [row[0] for row in found] == numbers
    assert len(numbers) >= 4


def test_a_run_takes_no_column_of_it_and_says_what_it_costs(shop: PostgresShop) -> None:
    shop.create(
        "  - {name: public.t, strategy: rowversion, deletes: {by: keys, every: 0s, max_percent: 100}}",
        T,
        "INSERT INTO t VALUES (1, 1), (2, 2)",
    )
    assert "xmin has no index: each run scans all of the table" in shop.plan()
    assert shop.el()["public.t"]["kind"] == "snapshot"
    shop.sql("UPDATE t SET v = 5 WHERE id = 1", "DELETE FROM t WHERE id = 2")
    assert shop.el()["public.t"]["kind"] == "delta"
    assert sorted(shop.changes("t", "id, v, _el_op")) == [(1, 5, "U"), (2, None, "D")]
    assert shop.raw("SELECT column_name FROM (DESCRIBE shop_public.t) WHERE column_name LIKE '%xmin%'") == []
    assert shop.raw("SELECT count(*) FROM shop_public.t WHERE _el_op <> 'D' AND _el_position IS NULL") == [(0,)]


def test_nobody_gets_it_unasked(shop: PostgresShop) -> None:
    shop.create("  - {name: public.t}", T, "INSERT INTO t VALUES (1, 1)")
    assert shop.el()["public.t"]["strategy"] == "full"


def test_no_row_is_lost_or_doubled_by_xmin_while_eight_write(shop: PostgresShop) -> None:
    raw, source = written_by_eight(shop, BY_XMIN, 2)
    assert raw == source
    assert len(raw) > 50


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_no_row_is_lost_or_doubled_by_xmin_in_fifty_runs_while_eight_write(shop: PostgresShop) -> None:
    raw, source = written_by_eight(shop, BY_XMIN, 50)
    assert raw == source
    print(f"\n{len(raw):,} rows of eight writers in 50 runs")
