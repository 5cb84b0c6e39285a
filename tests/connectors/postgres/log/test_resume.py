"""A snapshot by the log that was cut short: the rest is of a later moment, and the log has what is between."""

from __future__ import annotations

from tests.connectors.postgres.log.shop import PostgresShop
from tests.steps import run_in_process, steps_of_run

TABLE = "CREATE TABLE t (id int PRIMARY KEY, v int)"
ROWS = "INSERT INTO t SELECT g, 0 FROM generate_series(1, 800) AS g"
WRITERS = (
    "UPDATE t SET v = 1 WHERE id % 7 = 0",
    "DELETE FROM t WHERE id % 50 = 3",
    "INSERT INTO t VALUES (9000, 9), (53, 9)",
    "UPDATE t SET id = 9001 WHERE id = 11",
)


def cut_short(shop: PostgresShop, entry: str) -> None:
    shop.create(f"  - {{name: public.t, strategy: changes, {entry}}}", TABLE, "CREATE PUBLICATION el FOR TABLE t", ROWS)
    shop.sql("ANALYZE t")
    assert run_in_process(shop.path, (), ("slice noted", 6)) == -9
    shop.sql(*WRITERS)


def reads_of_next_run(shop: PostgresShop) -> int:
    code, steps = steps_of_run(shop.path, ())
    assert code == 0, (shop.path / "output.log").read_text()
    return sum(name == "slice begun" for name, _ in steps)


def test_a_snapshot_in_ranges_is_gone_on_with_and_the_next_delta_is_exact(shop: PostgresShop) -> None:
    cut_short(shop, "partition_by: id, partitions: 8")
    assert reads_of_next_run(shop) <= 4
    shop.sql("UPDATE t SET v = 2 WHERE id BETWEEN 90 AND 110")
    shop.el()
    assert shop.state("t", "id", "id, v") == shop.rows("SELECT id, v FROM t ORDER BY 1")
