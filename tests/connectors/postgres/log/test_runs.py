"""`strategy: changes` of a PostgreSQL by whole runs: what changes meanwhile, what is killed, who writes at once."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.postgres.log.shop import PostgresShop, database
from tests.servers import postgres
from tests.shop import inside
from tests.steps import Step, run_in_process

FOLLOWED = "  - {name: public.t, strategy: changes}"
BOTH = f"{FOLLOWED}\n  - {{name: public.u, strategy: changes}}"
T = "CREATE TABLE t (id int PRIMARY KEY, v int)"
U = "CREATE TABLE u (id int PRIMARY KEY, v int)"
FULL = "ALTER TABLE t REPLICA IDENTITY FULL"


def publication(*tables: str) -> str:
    return f"CREATE PUBLICATION el FOR TABLE {', '.join(tables)}"


@pytest.mark.parametrize(
    "step", ["batch read", *(pytest.param(each, marks=pytest.mark.soak) for each in ("planned", "slice begun"))]
)
def test_what_changes_while_the_first_snapshot_is_read_is_neither_lost_nor_doubled(
    shop: PostgresShop, step: str
) -> None:
    shop.create(FOLLOWED, T, publication("t"), "INSERT INTO t SELECT g, g FROM generate_series(1, 100) AS g")
    done = shop.meanwhile(
        "INSERT INTO t VALUES (200, 200)", "UPDATE t SET v = -1 WHERE id = 1", "DELETE FROM t WHERE id = 2", step=step
    )
    shop.el()
    assert done
    shop.el()
    rows = shop.raw("SELECT id, count(*) FROM shop_public.t WHERE id IN (1, 2, 200) GROUP BY 1 ORDER BY 1")
    met = shop.raw("SELECT count(*) FROM shop_public.t WHERE id = 200 AND _el_op = 'S'") == [(1,)]
    assert rows == ([(1, 1), (200, 1)] if met else [(1, 2), (2, 2), (200, 1)])
    assert shop.state("t", "id", "id, v") == shop.rows("SELECT id, v FROM t ORDER BY 1")


def test_the_parts_of_a_snapshot_and_all_tables_of_it_are_of_one_moment(shop: PostgresShop) -> None:
    divided = "{name: public.t, strategy: changes, partition_by: id, partitions: 3}"
    shop.create(
        f"  - {divided}\n  - {{name: public.u, strategy: changes}}",
        *(T, U, publication("t", "u")),
        "INSERT INTO t SELECT g, 0 FROM generate_series(1, 300) AS g",
        "INSERT INTO u SELECT g, 0 FROM generate_series(1, 300) AS g",
    )
    shop.meanwhile("BEGIN; UPDATE t SET v = 1; UPDATE u SET v = 1; COMMIT", step="batch read")
    shop.el()
    met = "SELECT 't', v, count(*) FROM shop_public.t GROUP BY ALL UNION ALL SELECT 'u', v, count(*) FROM shop_public.u"
    assert sorted(shop.raw(f"{met} GROUP BY ALL")) == [("t", 0, 300), ("u", 0, 300)]
    shop.el()
    assert len(shop.changes("t", "id")) == len(shop.changes("u", "id")) == 300
    assert len(shop.raw("SELECT DISTINCT upper_bound FROM shop_public._el_ledger WHERE kind = 'snapshot'")) == 1


def test_one_slot_serves_all_tables_and_one_that_fails_holds_it_back(shop: PostgresShop) -> None:
    shop.create(BOTH, T, U, publication("t", "u"))
    shop.el()
    shop.sql("INSERT INTO t VALUES (1, 1)", "INSERT INTO u VALUES (1, 1)", "ALTER TABLE u RENAME v TO w")
    shop.sql("INSERT INTO u VALUES (2, 2)", "INSERT INTO t VALUES (2, 2)")
    assert "column w was added or renamed" in shop.el(code=1)["public.u"]["error"]
    assert shop.changes("t", "id") == [(1,), (2,)]
    assert len(shop.slots()) == 1
    # What the other one needs is there still.
    shop.el("--full-refresh", "--select", "public.u")
    shop.sql("INSERT INTO t VALUES (3, 3)", "INSERT INTO u VALUES (3, 3)")
    shop.el()
    assert shop.changes("t", "id") == [(1,), (2,), (3,)]
    assert shop.changes("u", "id") == [(3,)]
    assert len(shop.slots()) == 1


def test_a_plan_makes_no_slot_and_a_run_advances_it_to_what_raw_holds(shop: PostgresShop) -> None:
    shop.create(FOLLOWED, T, publication("t"))
    assert "is made by the first load" in shop.plan()
    assert shop.slots() == []
    shop.el()
    ((name, _),) = shop.slots()
    assert name.startswith("el_t_")
    shop.sql("INSERT INTO t VALUES (1, 1)")
    confirmed = f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{name}'"
    before = shop.rows(confirmed)
    shop.plan()
    assert shop.rows(confirmed) == before
    shop.el()
    held = shop.raw("SELECT max(upper_bound) FROM shop_public._el_ledger")[0][0]
    assert shop.rows(f"{confirmed} AND confirmed_flush_lsn = '{held}'") != before


def killed(shop: PostgresShop, stop: Step | int, *, first: bool = False) -> int:
    """A run that is killed there, then runs that are not: raw has what it would have had. The first run's exit code."""
    shop.create(FOLLOWED, T, publication("t"), "INSERT INTO t VALUES (1, 1), (2, 2)")
    if not first:
        shop.el()
        shop.sql("INSERT INTO t VALUES (3, 3)", "UPDATE t SET v = 9 WHERE id = 1", "DELETE FROM t WHERE id = 2")
    code = run_in_process(shop.path, (), stop)
    shop.sql("INSERT INTO t VALUES (4, 4)")
    shop.el()
    shop.sql("INSERT INTO t VALUES (5, 5)")
    shop.el()
    assert shop.state("t", "id", "id, v") == shop.rows("SELECT id, v FROM t ORDER BY 1")
    complete = "_dlt_load_id IN (SELECT load_id FROM shop_public._dlt_loads WHERE status = 0)"
    deltas = f"FROM shop_public.t WHERE {complete} AND _el_op <> 'S'"
    came = shop.raw(f"SELECT id, v, _el_op {deltas} ORDER BY _dlt_load_id, _el_position")
    before = [] if first else [(3, 3, "U"), (1, 9, "U"), (2, None, "D"), (4, 4, "U")]
    assert [row for row in came if not first or row[0] > 4] == [*before, (5, 5, "U")]
    ((_, temporary),) = shop.slots()
    assert not temporary
    return code


# The last one is killed when all is loaded, and the source is not told yet.
@pytest.mark.parametrize(
    "stop",
    [
        ("working folder emptied", 1),
        *(pytest.param((step, 1), marks=pytest.mark.soak) for step in ("slice begun", "statement COMMIT")),
    ],
)
def test_a_run_that_was_killed_is_made_whole_by_the_next(shop: PostgresShop, stop: Step) -> None:
    assert killed(shop, stop) == -9


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", [False, True])
def test_a_run_that_was_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: bool
) -> None:
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        folder.mkdir()
        with database(postgres.shared()) as output, inside(folder):
            if killed(PostgresShop(folder, output, capsys), steps + 1, first=first) != -9:
                break
        steps += 1
    assert steps > 80
    print(f"\nkilled at each of {steps} steps")


def some_changes(chance: random.Random) -> list[str]:
    """Transactions on table t, some of which are rolled back."""

    def one() -> str:
        a, to, b = chance.randint(1, 8), chance.randint(1, 8), chance.choice("xyz")
        v, text = chance.choice(("NULL", "5", "-5")), chance.choice(("NULL", "''", "repeat('Ω', 3000)", "'w'"))
        row = f"({a}, '{b}', {v}, {text})"
        return chance.choice(
            (
                f"INSERT INTO t VALUES {row} ON CONFLICT DO NOTHING",
                f"INSERT INTO t VALUES {row} ON CONFLICT (a, b) DO UPDATE SET v = excluded.v",
                f"UPDATE t SET v = {v} WHERE a = {a}",
                f"UPDATE t SET w = {text} WHERE b = '{b}'",
                f"UPDATE t SET a = {to} WHERE a = {a} AND b = '{b}' AND NOT EXISTS "
                f"(SELECT 1 FROM t WHERE a = {to} AND b = '{b}')",
                f"DELETE FROM t WHERE a = {a} AND b = '{b}'",
            )
        )

    found = []
    for _ in range(chance.randint(0, 10)):
        several = "; ".join(one() for _ in range(chance.randint(1, 4)))
        found.append(f"BEGIN; {several}; {chance.choice(('COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK'))}")
    return found


def history(shop: PostgresShop, seed: int, loads: int) -> None:
    """So many loads, some with changes while they read; raw's state is the source's after each of the others."""
    chance = random.Random(seed)
    shop.create(
        FOLLOWED,
        "CREATE TABLE t (a int, b text, v int, w text, PRIMARY KEY (a, b))",
        "ALTER TABLE t ALTER w SET STORAGE EXTERNAL",
        "ALTER TABLE t REPLICA IDENTITY FULL",
        publication("t"),
    )
    kinds, waiting, compared = set(), [], 0
    for number in range(1, loads + 1):
        shop.sql(*some_changes(chance))
        if chance.random() < 0.1:
            shop.sql("TRUNCATE t")
        meanwhile = some_changes(chance) if chance.random() < 0.4 and number < loads else []
        if meanwhile:
            step = chance.choice(("planned", "slice begun", "batch read", "extracted"))
            waiting.append(shop.meanwhile(*meanwhile, step=step))
        kinds.add(shop.el(*(["--full-refresh"] if number > 1 and chance.random() < 0.1 else []))["public.t"]["kind"])
        # A run that has nothing to read does not come to each step: then a later one does.
        disturbed, waiting = any(waiting), [done for done in waiting if not done]
        if not disturbed:
            compared += 1
            found = shop.state("t", "a, b", "a, b, v, w")
            assert found == shop.rows("SELECT a, b, v, w FROM t ORDER BY 1, 2, 3"), f"load {number}, seed {seed}"
    assert "delta" in kinds
    assert compared >= loads / 3


def test_raw_has_the_source_after_the_loads_of_a_random_history(shop: PostgresShop) -> None:
    history(shop, seed=5, loads=4)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_raw_has_the_source_after_each_of_forty_loads_of_a_random_history(shop: PostgresShop, seed: int) -> None:
    history(shop, seed, loads=40)


def written_by_eight(shop: PostgresShop, entry: str, runs: int, *setup: str) -> tuple[list[Any], list[Any]]:
    """Runs while eight write in transactions that stay open for a while; then what raw has, and what the source has."""
    shop.create(entry, "CREATE TABLE t (id bigserial PRIMARY KEY, writer int, n int)", *setup)
    stop = threading.Event()

    def write(number: int) -> None:
        chance, count = random.Random(number), 0
        with shop.session() as session:
            while not stop.is_set():
                session.execute("BEGIN")
                for _ in range(chance.randint(1, 20)):
                    count += 1
                    session.execute("INSERT INTO t (writer, n) VALUES (%s, %s)", (number, count))
                    time.sleep(chance.random() * 0.02)
                session.execute("COMMIT" if chance.random() < 0.85 else "ROLLBACK")

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(runs):
            shop.el()
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    shop.el()
    counted = "SELECT writer, n, count(*) FROM {} GROUP BY writer, n ORDER BY 1, 2"
    return shop.raw(counted.format("shop_public.t")), shop.rows(counted.format("t"))


def test_nothing_is_lost_or_doubled_while_eight_write(shop: PostgresShop) -> None:
    raw, source = written_by_eight(shop, FOLLOWED, 2, publication("t"))
    assert raw == source
    assert len(raw) > 50


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_in_fifty_runs_while_eight_write(shop: PostgresShop) -> None:
    raw, source = written_by_eight(shop, FOLLOWED, 50, publication("t"))
    assert raw == source
    print(f"\n{len(raw):,} rows of eight writers in 50 runs")
