"""Random histories by `strategy: changes`: what raw holds, by the SQL of dbt's macro, is what MariaDB holds.

Writers leave transactions open while el reads, undo some of them, and change keys. A table that only grows tells each
of its rows once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from el.config.profiles import Output
from el.connectors.mysql import MySql
from el.connectors.sql.select import Statement
from el.errors import ElError
from el.loading.current_state import CurrentState
from el.loading.open import open_warehouse
from tests.connectors.mysql.conftest import MySqlShop

KEYS = 60
FOLLOWED = ("orders, strategy: changes", "journal, strategy: changes")


@pytest.fixture
def written(shop: MySqlShop) -> MySqlShop:
    shop.sql(
        "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v INT NOT NULL, w VARCHAR(40) CHARACTER SET latin1)",
        "CREATE TABLE {schema}.journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, writer INT, n INT)",
        f"INSERT INTO {{schema}}.orders SELECT seq, seq, 'é' FROM {{schema}}.seq_1_to_{KEYS // 2}",
    )
    return shop


def change(chance: random.Random) -> str:
    """A change of one row, or of several."""
    key, other, value = chance.randint(1, KEYS), chance.randint(1, KEYS), chance.randint(0, 10**6)
    text = chance.choice(("'ä'", "NULL", "''", f"REPEAT('x', {value % 40})"))
    return chance.choice(
        (
            f"INSERT INTO {{orders}} VALUES ({key}, {value}, {text}) ON DUPLICATE KEY UPDATE v = {value}, w = {text}",
            f"REPLACE INTO {{orders}} VALUES ({key}, {value}, {text})",
            f"UPDATE {{orders}} SET v = {value} WHERE id BETWEEN {key} AND {key + 3}",
            f"UPDATE IGNORE {{orders}} SET id = {other}, w = {text} WHERE id = {key}",
            f"DELETE FROM {{orders}} WHERE id = {key}",
        )
    )


def write(shop: MySqlShop, writer: int, ended: threading.Event, errors: list[BaseException], pause: float) -> None:
    chance, number = random.Random(writer), 0
    try:
        with shop.another(lock_timeout=2) as session:
            while not ended.is_set():
                try:
                    number += 1
                    one(shop, session, chance, writer, number, pause)
                except ElError as error:
                    # A deadlock, or a lock that was waited for: the server undid it, or we do.
                    if not error.retryable:
                        raise
                    session.execute(Statement("ROLLBACK"))
    except BaseException as error:
        errors.append(error)


def one(shop: MySqlShop, session: MySql, chance: random.Random, writer: int, number: int, pause: float) -> None:
    """A transaction."""
    session.execute(Statement("START TRANSACTION"))
    for _ in range(chance.randint(1, 4)):
        session.execute(Statement(change(chance).replace("{orders}", f"{shop.schema}.orders")))
        time.sleep(chance.random() * pause)
    session.execute(Statement(f"INSERT INTO {shop.schema}.journal (writer, n) VALUES ({writer}, {number})"))
    time.sleep(chance.random() * pause)
    session.execute(Statement(chance.choice(("COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"))))


@contextmanager
def writers(shop: MySqlShop, count: int, pause: float) -> Iterator[None]:
    ended, errors = threading.Event(), list[BaseException]()
    threads = [threading.Thread(target=write, args=(shop, n, ended, errors, pause), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(timeout=30)
        assert not any(thread.is_alive() for thread in threads)
        assert errors == []


def state(shop: MySqlShop, table: str, *columns: str) -> list[tuple[Any, ...]]:
    output = {"type": "duckdb", "path": str(shop.folder / "warehouse.duckdb")}
    warehouse = open_warehouse(Output("warehouse", "it", output), "snake_case")
    with warehouse.connector:
        asked = CurrentState(warehouse, f"shop_{shop.schema}", table).rows(columns, ("id",), None)
        rows = warehouse.connector.fetch(asked)
    return sorted(tuple(row[:-1]) for row in rows if not row[-1])


def compare(shop: MySqlShop) -> int:
    """What raw holds with what the server holds; the number of changes that came."""
    assert state(shop, "orders", "id", "v", "w") == sorted(shop.fetch("SELECT id, v, w FROM {schema}.orders"))
    journal = shop.raw(
        "SELECT id, writer, n FROM {raw}.journal WHERE _dlt_load_id >= (SELECT max(_dlt_load_id) FROM "
        "{raw}._el_ledger WHERE table_name = 'journal' AND kind = 'snapshot') ORDER BY id"
    )
    assert journal == sorted(shop.fetch("SELECT id, writer, n FROM {schema}.journal")), "each row once"
    return len(journal)


def history(shop: MySqlShop, runs: int, count: int, pause: float, refresh: float = 0.0) -> int:
    chance, kinds = random.Random(runs), []
    with writers(shop, count, pause):
        for number in range(runs):
            again = number > 0 and chance.random() < refresh
            report = shop.run(*FOLLOWED, command="run --full-refresh" if again else "run")
            kinds += [table["kind"] for table in report["tables"]]
    shop.run(*FOLLOWED)
    assert kinds.count("delta") >= runs
    return compare(shop)


def test_raw_holds_what_the_server_holds_after_runs_beside_writers(written: MySqlShop) -> None:
    assert history(written, 4, count=4, pause=0.02) > 20


@pytest.mark.soak
def test_raw_holds_what_the_server_holds_after_fifty_runs_beside_eight_writers(written: MySqlShop) -> None:
    assert history(written, 50, count=8, pause=0.05, refresh=0.06) > 1000


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_raw_holds_what_the_server_holds_after_each_run_of_a_random_history(written: MySqlShop, seed: int) -> None:
    chance = random.Random(seed)
    with written.another() as session, written.another() as left_open:
        for number in range(6):
            for writer in range(chance.randint(0, 6)):
                one(written, session, chance, writer, number, 0)
            left_open.execute(Statement("START TRANSACTION"))
            left_open.execute(Statement(f"INSERT INTO {written.schema}.journal (writer, n) VALUES (99, {number})"))
            written.run(*FOLLOWED)
            compare(written)
            left_open.execute(Statement(chance.choice(("COMMIT", "ROLLBACK"))))
            written.run(*FOLLOWED)
            compare(written)
