"""strategy: changes, from MariaDB's binary log: every change in the order of commits, and loud where one is missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import el.connectors.mysql as connector
from el.connectors.buffer import Buffer
from el.connectors.mysql.log import Log
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from tests.connectors.mysql.conftest import MySqlShop

ORDERS = "orders, strategy: changes"


@pytest.fixture
def orders(shop: MySqlShop) -> MySqlShop:
    """A table of three rows, loaded."""
    shop.sql(
        "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v VARCHAR(20))",
        "INSERT INTO {schema}.orders VALUES (1, 'a'), (2, 'b'), (3, NULL)",
    )
    taken = shop.run(ORDERS)["tables"][0]
    assert (taken["strategy"], taken["kind"], taken["rows"]) == ("binlog", "snapshot", 3)
    return shop


def changed(shop: MySqlShop, **run: Any) -> dict[str, Any]:
    return dict(shop.run(ORDERS, **run)["tables"][0])


def came(shop: MySqlShop, columns: str = "id, v, _el_op") -> list[tuple[Any, ...]]:
    """What the loads behind the snapshot brought, in their order."""
    found = shop.raw(f"SELECT {columns} FROM {{raw}}.orders WHERE _el_position IS NOT NULL ORDER BY _el_position")
    return [tuple(row) for row in found]


def test_changes_come_in_the_order_of_commits_and_what_was_undone_does_not(orders: MySqlShop) -> None:
    with orders.another() as other:
        with other.transaction():
            other.execute(Statement(f"UPDATE {orders.schema}.orders SET v = 'first begun' WHERE id = 1"))
            orders.sql("INSERT INTO {schema}.orders VALUES (4, 'first done')")
        other.execute(Statement("START TRANSACTION"))
        other.execute(Statement(f"DELETE FROM {orders.schema}.orders"))
        other.execute(Statement("ROLLBACK"))
    orders.sql(
        "DELETE FROM {schema}.orders WHERE id = 2",
        "UPDATE {schema}.orders SET id = 33, v = 'moved' WHERE id = 3",
        "REPLACE INTO {schema}.orders VALUES (4, 'replaced')",
        "UPDATE {schema}.orders SET id = id + 100 WHERE id IN (1, 4) ORDER BY id",
    )
    assert changed(orders)["rows"] == len(came(orders))
    assert came(orders) == [
        (4, "first done", "U"),
        (1, "first begun", "U"),
        (2, "b", "D"),
        (3, None, "D"),
        (33, "moved", "U"),
        (4, "replaced", "U"),
        (1, "first begun", "D"),
        (101, "first begun", "U"),
        (4, "replaced", "D"),
        (104, "replaced", "U"),
    ]
    assert changed(orders)["status"] == "nothing new"


def test_an_update_brings_the_row_as_it_was_where_that_is_asked_for(shop: MySqlShop) -> None:
    both = f"{ORDERS}, images: both"
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v INT)", "INSERT INTO {schema}.orders VALUES (1, 1)")
    shop.run(both)
    shop.sql("UPDATE {schema}.orders SET v = 2", "UPDATE {schema}.orders SET id = 2", "DELETE FROM {schema}.orders")
    shop.run(both)
    assert came(shop) == [(1, 1, "B"), (1, 2, "U"), (1, 2, "D"), (2, 2, "U"), (2, 2, "D")]


def test_what_is_open_or_comes_while_the_snapshot_is_read_comes_once(
    shop: MySqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sql("CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v VARCHAR(20))")
    shop.sql("INSERT INTO {schema}.orders VALUES (1, 'before')")
    within = SqlTarget.read_buffer
    with shop.another() as other, shop.another() as third:
        other.execute(Statement("START TRANSACTION"))
        other.execute(Statement(f"INSERT INTO {shop.schema}.orders VALUES (2, 'open')"))

        def read(source: connector.MySql, request: ReadRequest) -> Buffer:
            # The snapshot has begun.
            if request.placed:
                third.execute(Statement(f"INSERT INTO {shop.schema}.orders VALUES (4, 'meanwhile')"))
            return within(source, request)

        placed = connector.MySql._placed

        def later(source: connector.MySql, request: ReadRequest) -> Buffer:
            # The plan has its position; the snapshot begins behind this.
            third.execute(Statement(f"INSERT INTO {shop.schema}.orders VALUES (3, 'planned')"))
            return placed(source, request)

        monkeypatch.setattr(SqlTarget, "read_buffer", read)
        monkeypatch.setattr(connector.MySql, "_placed", later)
        assert changed(shop)["rows"] == 2
        monkeypatch.undo()
        monkeypatch.chdir(shop.folder)
        other.execute(Statement("COMMIT"))
    assert changed(shop)["rows"] == 2
    found = shop.raw("SELECT id, v, _el_op FROM {raw}.orders ORDER BY id")
    assert found == [(1, "before", "S"), (2, "open", "U"), (3, "planned", "S"), (4, "meanwhile", "U")]


def test_parts_of_a_snapshot_and_one_moment_for_all_tables_have_their_place_too(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v INT)",
        "INSERT INTO {schema}.orders SELECT seq, seq FROM {schema}.seq_1_to_40",
        "CREATE TABLE {schema}.more (id INT PRIMARY KEY, v INT)",
    )
    shop.run(
        f"{ORDERS}, partition_by: id, partitions: 3", "more, strategy: changes", defaults="retries: 0, consistent: run"
    )
    shop.sql("UPDATE {schema}.orders SET v = 0 WHERE id = 7", "INSERT INTO {schema}.more VALUES (1, 1)")
    report = shop.run(f"{ORDERS}, partition_by: id, partitions: 3", "more, strategy: changes")
    assert [(table["kind"], table["rows"]) for table in report["tables"]] == [("delta", 1), ("delta", 1)]


def test_a_transaction_beyond_all_batches_comes_whole_and_in_order(orders: MySqlShop) -> None:
    orders.sql(
        "INSERT INTO {schema}.orders SELECT seq, REPEAT('x', seq % 20) FROM {schema}.seq_10_to_30000",
        "DELETE FROM {schema}.orders WHERE id % 3 = 0",
    )
    assert changed(orders, defaults="retries: 0, batch_rows: 1000")["rows"] == 29_991 + 9_998
    (found,) = orders.raw(
        "SELECT count(*), count(DISTINCT _el_position), sum(length(v)) FILTER (_el_op = 'U') FROM {raw}.orders "
        "WHERE _el_position IS NOT NULL"
    )
    assert found == (39_989, 39_989, sum(seq % 20 for seq in range(10, 30_001)))


def test_rows_and_statements_that_the_server_compressed_are_read(orders: MySqlShop) -> None:
    orders.sql("SET GLOBAL log_bin_compress = ON", "SET GLOBAL log_bin_compress_min_len = 10")
    try:
        with orders.another() as other:
            name = f"{orders.schema}.orders"
            other.execute(
                Statement(f"INSERT INTO {name} SELECT seq, REPEAT('y', 20) FROM {orders.schema}.seq_10_to_99")
            )
            other.execute(Statement(f"UPDATE {name} SET v = REPEAT('z', 19) WHERE id < 50"))
            other.execute(Statement(f"DELETE FROM {name} WHERE id >= 50"))
            other.execute(Statement(f"ALTER TABLE {name} COMMENT = '{'a long text ' * 20}'"))
    finally:
        orders.sql("SET GLOBAL log_bin_compress = DEFAULT", "SET GLOBAL log_bin_compress_min_len = DEFAULT")
    assert changed(orders)["rows"] == 90 + 43 + 50
    assert (49, "z" * 19, "U") in came(orders)


def test_a_new_column_that_has_values_begins_a_new_snapshot(orders: MySqlShop) -> None:
    orders.sql("ALTER TABLE {schema}.orders ADD COLUMN w INT DEFAULT 5")
    assert changed(orders)["kind"] == "snapshot"
    orders.sql("INSERT INTO {schema}.orders VALUES (9, 'i', 6)")
    assert changed(orders)["rows"] == 1
    assert came(orders, "id, v, w") == [(9, "i", 6)]


def test_a_table_that_was_emptied_stops_until_a_new_snapshot(orders: MySqlShop) -> None:
    orders.sql("TRUNCATE {schema}.orders", "INSERT INTO {schema}.orders VALUES (7, 'g')")
    before = orders.raw("SELECT count(*) FROM {raw}.orders")
    for _ in range(2):
        taken = changed(orders, says=1)
        assert "TRUNCATE" in taken["error"]
        assert f"--full-refresh --select {orders.schema}.orders" in taken["error"]
        assert orders.raw("SELECT count(*) FROM {raw}.orders") == before
    assert changed(orders, command="run --full-refresh")["kind"] == "snapshot"
    orders.sql("INSERT INTO {schema}.orders (id) VALUES (77)")
    assert changed(orders)["rows"] == 1


@pytest.mark.parametrize("forget", [["FLUSH BINARY LOGS"], ["RESET MASTER"]], ids=["purged", "begun anew"])
def test_a_log_that_no_longer_has_the_changes_stops_the_table(orders: MySqlShop, forget: list[str]) -> None:
    orders.sql("INSERT INTO {schema}.orders VALUES (4, 'd')", *forget)
    for _ in range(50):
        logs = orders.fetch("SHOW BINARY LOGS")
        if len(logs) == 1:
            break
        # The server keeps what it may still need for itself.
        orders.sql(f"PURGE BINARY LOGS TO '{logs[-1][0]}'")
        time.sleep(0.1)
    orders.sql("INSERT INTO {schema}.orders VALUES (5, 'e')")
    taken = changed(orders, says=1)
    assert "--full-refresh" in taken["error"], taken
    assert "are gone from the binary log" in taken["error"] or "begun anew" in taken["error"]
    assert changed(orders, command="run --full-refresh")["rows"] == 5


def test_a_log_that_was_begun_anew_is_another_though_it_has_passed_raws_position(orders: MySqlShop) -> None:
    (upper,) = orders.raw("SELECT max(upper_bound) FROM {raw}._el_ledger")[0]
    # The server is that of other tests too: its log may have any length.
    commits = int(upper.partition(":")[0]) + 10
    update = "UPDATE {schema}.orders SET v = UUID_SHORT() % 1000000 WHERE id = 1"
    # A log says in which second it began, and the one before may be of this second.
    time.sleep(1 - time.time() % 1)
    orders.sql("RESET MASTER", f"BEGIN NOT ATOMIC FOR n IN 1 .. {commits} DO {update}; END FOR; END")
    assert orders.server.binary_log.now().text > upper, "the case is another one"
    assert "begun anew" in changed(orders, says=1)["error"]


def test_a_log_that_only_went_on_to_another_file_is_the_same(orders: MySqlShop) -> None:
    orders.sql("FLUSH BINARY LOGS", "INSERT INTO {schema}.orders VALUES (4, 'd')", "FLUSH BINARY LOGS")
    assert changed(orders)["rows"] == 1
    assert changed(orders)["status"] == "nothing new"
    orders.sql("INSERT INTO {schema}.orders VALUES (5, 'e')")
    assert changed(orders)["rows"] == 1


def test_a_log_that_is_cut_while_it_is_read_is_tried_again(orders: MySqlShop, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.sql("INSERT INTO {schema}.orders SELECT seq, 'x' FROM {schema}.seq_10_to_500")
    more, calls = Log._more, iter(range(100))
    monkeypatch.setattr(Log, "_more", lambda log, size: b"" if next(calls) == 1 else more(log, size))
    assert changed(orders, defaults="retries: 1")["rows"] == 491
    assert next(calls) > 2


def test_a_byte_that_another_one_became_on_the_way_is_found_by_its_checksum(
    orders: MySqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.sql("INSERT INTO {schema}.orders VALUES (4, 'abcdefgh')")
    more: Callable[[Log, int], bytes] = Log._more
    monkeypatch.setattr(Log, "_more", lambda log, size: more(log, size).replace(b"abcdefgh", b"abcdefgi"))
    assert "wrong checksum" in changed(orders, says=1)["error"]
    monkeypatch.undo()
    monkeypatch.chdir(orders.folder)
    assert came(orders) == []
    assert changed(orders)["rows"] == 1
