"""A read that keeps others waiting at MySQL: it is seen, by who may see it."""

from __future__ import annotations

import threading
import time

from el.cli.app import main
from el.connectors.base import Pressure
from el.connectors.catalog import TableName
from el.connectors.mysql import MySql
from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from tests.connectors.mysql.conftest import MySqlShop


def waits_for(shop: MySqlShop, session: str) -> int | None:
    """Seconds, once somebody waits; 0 after a while without."""
    ends = time.monotonic() + 20
    while not (found := shop.server.waiting_for(session)) and time.monotonic() < ends:
        time.sleep(0.2)
    return found


def test_a_change_of_a_table_that_waits_for_a_read_of_it_is_seen(shop: MySqlShop) -> None:
    for name in ("t", "u"):
        shop.sql(
            f"CREATE TABLE {{schema}}.{name} (id INT PRIMARY KEY, v VARCHAR(1000))",
            f"INSERT INTO {{schema}}.{name} SELECT seq, REPEAT('x', 1000) FROM {{schema}}.seq_1_to_20000",
        )

    def read(session: MySql, name: str) -> object:
        """A read that stands still: its rows are more than the line holds."""
        batches = iter(session.read_buffer(ReadRequest(table=TableName(shop.schema, name), batch_rows=10)))
        next(batches)
        return batches

    def change() -> None:
        with shop.another(lock_timeout=60) as other:
            other.execute(Statement(f"ALTER TABLE {shop.schema}.t ADD COLUMN w INT"))

    with shop.another() as reader, shop.another() as bystander:
        assert reader.session is not None
        assert bystander.session is not None
        kept = [read(reader, "t"), read(bystander, "u")]
        assert shop.server.waiting_for(reader.session) == 0
        thread = threading.Thread(target=change)
        thread.start()
        assert (waits_for(shop, reader.session) or 0) >= 1
        assert shop.server.waiting_for(bystander.session) == 0
        assert shop.server.pressure() == Pressure(blocked=1)
        del kept
    thread.join(60)
    assert reader.session is None
    assert shop.server.pressure() == Pressure(blocked=0)


def test_a_login_that_may_not_see_other_sessions_says_so_and_not_that_nobody_waits(shop: MySqlShop) -> None:
    shop.sql("CREATE USER IF NOT EXISTS 'el_blind'@'%' IDENTIFIED BY 'Geheim_2026'")
    with shop.another(user="el_blind", password="Geheim_2026") as blind:
        assert blind.session is not None
        assert blind.waiting_for(blind.session) is None
        assert blind.pressure() == Pressure()


def test_a_limit_of_a_version_store_is_refused_for_there_is_none(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.t (id INT PRIMARY KEY)")
    shop.configure("t")
    with open(shop.folder / "el.yml", "a") as config:
        config.write("source_limits: {version_store_mb: 100}\n")
    assert main(["run"]) == 2
    assert "mysql has no version store to look at" in shop.capsys.readouterr().err
