"""`strategy: changes` on a real PostgreSQL: every change of its log, once, in the order of commits."""

from __future__ import annotations

from typing import Any

import pytest

from el.connectors.postgres.log.slots import LOCK
from el.errors import PositionLost, RowRefused
from tests.connectors.postgres.log.shop import Follower, PostgresShop

T = "CREATE TABLE t (id int PRIMARY KEY, v int)"
FULL = "ALTER TABLE t REPLICA IDENTITY FULL"
LARGE = "CREATE TABLE t (id int PRIMARY KEY, v int, doc text)"
EXTERNAL = "ALTER TABLE t ALTER doc SET STORAGE EXTERNAL"
PUBLISHED = "CREATE PUBLICATION el FOR TABLE t"


def followed(shop: PostgresShop, *setup: str, **asked: Any) -> Follower:
    """A table that is followed, its snapshot taken."""
    shop.sql(*setup, PUBLISHED)
    follower = Follower(shop, **asked)
    follower.load()
    return follower


def test_every_change_comes_once_in_the_order_of_commits(shop: PostgresShop) -> None:
    follower = followed(shop, T, "INSERT INTO t VALUES (1, 10), (2, 20)")
    shop.sql("INSERT INTO t VALUES (3, 30)", "UPDATE t SET v = 11 WHERE id = 1", "UPDATE t SET id = 9 WHERE id = 2")
    shop.sql("DELETE FROM t WHERE id = 3")
    # The key that an update changed comes as deleted, then the row under its new one.
    found = follower.load()
    assert found == [(3, 30, "U"), (1, 11, "U"), (2, None, "D"), (9, 20, "U"), (3, None, "D")]
    assert follower.load() == []


def test_what_was_rolled_back_does_not_come_and_a_subtransaction_comes_with_its_own(shop: PostgresShop) -> None:
    follower = followed(shop, T)
    with shop.session() as session:
        session.execute("BEGIN; INSERT INTO t VALUES (1, 1); ROLLBACK")
        session.execute("BEGIN; INSERT INTO t VALUES (2, 2); SAVEPOINT a; INSERT INTO t VALUES (3, 3)")
        session.execute("ROLLBACK TO a; SAVEPOINT b; INSERT INTO t VALUES (4, 4); RELEASE b")
        session.execute("INSERT INTO t VALUES (5, 5); COMMIT")
    assert follower.load() == [(2, 2, "U"), (4, 4, "U"), (5, 5, "U")]


def test_the_later_commit_counts_and_not_who_wrote_first(shop: PostgresShop) -> None:
    follower = followed(shop, T, "INSERT INTO t VALUES (1, 0)")
    with shop.session() as early, shop.session() as late:
        early.execute("BEGIN; INSERT INTO t VALUES (7, 7)")
        late.execute("BEGIN; UPDATE t SET v = 1 WHERE id = 1; COMMIT")
        # Its first row stands before the other transaction in the log, its commit behind it.
        early.execute("UPDATE t SET v = 2 WHERE id = 1; COMMIT")
    assert follower.load() == [(1, 1, "U"), (7, 7, "U"), (1, 2, "U")]


def test_a_transaction_that_is_open_at_a_load_comes_with_the_next_one(shop: PostgresShop) -> None:
    follower = followed(shop, T)
    with shop.session() as session:
        session.execute("BEGIN; INSERT INTO t VALUES (1, 1)")
        shop.sql("INSERT INTO t VALUES (2, 2)")
        assert follower.load() == [(2, 2, "U")]
        session.execute("COMMIT")
    assert follower.load() == [(1, 1, "U")]


def test_a_load_can_be_read_again_until_the_source_is_told(shop: PostgresShop) -> None:
    follower = followed(shop, T)
    shop.sql("INSERT INTO t VALUES (1, 1)")
    held = follower.position
    follower.load()
    assert follower.last is not None
    first = follower.last.to_pylist()
    shop.sql("INSERT INTO t VALUES (2, 2)")
    # As after a kill: the ledger has the former position; but the slot was advanced here, which is loud.
    follower.position = held
    with pytest.raises(PositionLost, match="was advanced to"):
        follower.load()
    assert [row["id"] for row in first] == [1]


def test_former_rows_come_where_they_are_asked_for(shop: PostgresShop) -> None:
    follower = followed(shop, T, FULL, "INSERT INTO t VALUES (1, 10)", before_images=True)
    shop.sql("UPDATE t SET v = 11", "UPDATE t SET id = 2", "DELETE FROM t")
    assert follower.load() == [(1, 10, "B"), (1, 11, "U"), (1, 11, "D"), (2, 11, "U"), (2, 11, "D")]


def test_a_table_without_a_key_is_followed_by_its_whole_rows(shop: PostgresShop) -> None:
    follower = followed(shop, "CREATE TABLE t (a int, b text)", FULL, "INSERT INTO t VALUES (1, 'x')")
    shop.sql("INSERT INTO t VALUES (1, 'x')", "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
    assert follower.load() == [(1, "x", "U"), (1, "x", "D")]


def test_a_large_value_that_an_update_leaves_alone_is_no_null(shop: PostgresShop) -> None:
    follower = followed(shop, LARGE, EXTERNAL, FULL, "INSERT INTO t VALUES (1, 1, repeat('äx', 5000))")
    shop.sql("UPDATE t SET v = 2", "UPDATE t SET id = 3")
    doc = "äx" * 5000
    assert follower.load() == [(1, 2, doc, "U"), (1, 2, doc, "D"), (3, 2, doc, "U")]


def test_a_large_value_that_is_not_in_the_log_stops_the_table_by_name(shop: PostgresShop) -> None:
    follower = followed(shop, LARGE, EXTERNAL, FULL, "INSERT INTO t VALUES (1, 1, repeat('äx', 5000))")
    shop.sql("ALTER TABLE t REPLICA IDENTITY DEFAULT", "UPDATE t SET v = 2", FULL)
    with pytest.raises(RowRefused, match=r"public\.t\.doc: an update left a large value alone.*REPLICA IDENTITY FULL"):
        follower.load()


@pytest.mark.parametrize("how", ["TRUNCATE t", "BEGIN; TRUNCATE t; INSERT INTO t VALUES (8, 8); COMMIT"])
def test_a_truncated_table_begins_a_new_snapshot(shop: PostgresShop, how: str) -> None:
    follower = followed(shop, T, "INSERT INTO t VALUES (1, 1), (2, 2)")
    shop.sql("INSERT INTO t VALUES (3, 3)", how, "INSERT INTO t VALUES (4, 4)")
    kept = [(8, 8, "S")] if "8" in how else []
    assert follower.load() == [*kept, (4, 4, "S")]
    shop.sql("INSERT INTO t VALUES (5, 5)")
    assert follower.load() == [(5, 5, "U")]


def test_a_table_that_is_truncated_between_plan_and_read_is_not_read_past_it(shop: PostgresShop) -> None:
    follower = followed(shop, T, "INSERT INTO t VALUES (1, 1)")
    shop.sql("INSERT INTO t VALUES (2, 2)")
    # Behind the place up to which was planned: it is the next load's.
    assert follower.load(between="TRUNCATE t") == [(2, 2, "U")]
    assert follower.load() == []
    assert follower.last is not None
    assert "_el_op_source" not in follower.last.column_names


def test_a_table_that_was_written_anew_goes_on(shop: PostgresShop) -> None:
    follower = followed(shop, T, "INSERT INTO t VALUES (1, 1), (2, 2)")
    shop.sql("DELETE FROM t WHERE id = 1", "VACUUM FULL t", "INSERT INTO t VALUES (3, 3)")
    assert follower.load() == [(1, None, "D"), (3, 3, "U")]


def test_a_new_column_is_empty_in_changes_that_are_older(shop: PostgresShop) -> None:
    follower = followed(shop, T)
    shop.sql("INSERT INTO t VALUES (1, 1)", "ALTER TABLE t ADD w int", "INSERT INTO t VALUES (2, 2, 7)")
    assert follower.load() == [(1, 1, None, "U"), (2, 2, 7, "U")]


@pytest.mark.parametrize(
    ("altered", "says"),
    [
        ("ALTER TABLE t RENAME v TO w", "column w was added or renamed"),
        ("ALTER TABLE t ADD w int DEFAULT 5", "column w was added or renamed"),
        ("ALTER TABLE t ALTER v TYPE date USING '2024-01-01'", "column v had another type"),
    ],
)
def test_a_change_of_another_make_than_the_table_has_now_stops_the_table(
    shop: PostgresShop, altered: str, says: str
) -> None:
    follower = followed(shop, T)
    shop.sql("INSERT INTO t VALUES (1, 1)", altered)
    with pytest.raises(PositionLost, match=f"{says}.*--full-refresh"):
        follower.load()


def test_a_table_that_was_altered_before_its_changes_goes_on(shop: PostgresShop) -> None:
    follower = followed(shop, T)
    shop.sql("INSERT INTO t VALUES (1, 1)")
    follower.load()
    shop.sql("ALTER TABLE t RENAME v TO w", "INSERT INTO t VALUES (2, 2)")
    assert follower.load() == [(2, 2, "U")]


def test_a_column_that_became_wider_is_followed(shop: PostgresShop) -> None:
    follower = followed(shop, "CREATE TABLE t (id int PRIMARY KEY, v smallint, n numeric(5,2))")
    shop.sql("INSERT INTO t VALUES (1, 1, 1.25)", "ALTER TABLE t ALTER v TYPE bigint, ALTER n TYPE numeric(12,2)")
    shop.sql("INSERT INTO t VALUES (2, 9000000000, 1234567.89)")
    found = follower.load()
    assert [(row[0], row[1], str(row[2])) for row in found] == [(1, 1, "1.25"), (2, 9000000000, "1234567.89")]


def test_a_partitioned_table_is_followed_as_one(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE t (id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200)",
        "CREATE PUBLICATION el FOR TABLE t WITH (publish_via_partition_root = true)",
        "INSERT INTO t VALUES (1, 1), (101, 1)",
    )
    follower = Follower(shop)
    follower.load()
    shop.sql("UPDATE t SET id = 150 WHERE id = 1", "INSERT INTO t VALUES (5, 5)", "DELETE FROM t WHERE id = 101")
    assert follower.load() == [(1, None, "D"), (150, 1, "U"), (5, 5, "U"), (101, None, "D")]
    # Rows that come with a partition are in no log.
    shop.sql("CREATE TABLE t3 (id int PRIMARY KEY, v int)", "INSERT INTO t3 VALUES (201, 1)")
    shop.sql("ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM (200) TO (300)")
    assert sorted(follower.load()) == [(5, 5, "S"), (150, 1, "S"), (201, 1, "S")]


def test_a_transaction_of_many_rows_comes_in_batches(shop: PostgresShop) -> None:
    follower = followed(shop, T)
    shop.sql("INSERT INTO t SELECT g, g FROM generate_series(1, 70000) AS g")
    assert len(follower.load()) == 70_000


def test_what_a_slot_keeps_is_said(shop: PostgresShop) -> None:
    shop.sql(T, PUBLISHED)
    follower = Follower(shop)
    follower.load()
    assert "is made by the first load" in follower.notes[0]
    follower.load()
    assert "behind, and the server keeps" in follower.notes[0]


def test_a_slot_is_not_advanced_while_a_snapshot_waits_to_be_loaded(shop: PostgresShop) -> None:
    follower = followed(shop, T, "CREATE TABLE u (id int PRIMARY KEY)", "INSERT INTO t VALUES (1, 1)")
    ((slot, _),) = shop.slots()
    confirmed = f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'"
    before = shop.rows(confirmed)
    shop.sql("INSERT INTO t VALUES (2, 2)")
    # What another process holds that has read a snapshot, and not loaded it yet.
    with shop.session() as other:
        other.execute("SELECT pg_advisory_lock_shared(%s, hashtext(%s))", (LOCK, slot))
        assert follower.load() == [(2, 2, "U")]
        assert shop.rows(confirmed) == before
    shop.sql("INSERT INTO t VALUES (3, 3)")
    assert follower.load() == [(3, 3, "U")]
    assert shop.rows(confirmed) > before
