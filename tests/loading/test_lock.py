"""Two runs at once: one works, the other says who does; what a dead run left behind is in nobody's way."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from el.cli.app import main
from el.config.profiles import Output
from el.connectors.snowflake import Snowflake
from el.connectors.sql.select import Statement
from el.errors import ElError, RunLocked
from el.loading.lease import LOCK_TABLE, lease
from el.loading.lock import Holder, file_lock, process_mark, this_process
from el.loading.open import open_warehouse
from el.loading.snowflake import SnowflakeWarehouse
from el.loading.snowflake_queries import run_tag
from tests.shop import Workspace
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.snowflake.warehouse import needs_warehouse

TEN_MINUTES = timedelta(minutes=10)


def test_the_second_run_says_who_is_at_work_and_leaves_with_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Workspace(tmp_path).create()
    holder = this_process("abc123")
    with file_lock(tmp_path / "warehouse.duckdb.lock", holder):
        assert main(["run", "--progress", "none"]) == 3
    said = capsys.readouterr().err.strip()
    assert said == (
        f"error: warehouse.duckdb is being loaded by run abc123 on {socket.gethostname()}, pid {os.getpid()}, "
        f"since {holder.since} UTC; wait until it has ended, or end it"
    )
    assert main(["run", "--progress", "none"]) == 0


def test_a_run_that_was_killed_leaves_no_lock_on_a_file(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).create()
    assert shop.run(stop_at=("locked", 1)) == -9
    assert json.loads((tmp_path / "warehouse.duckdb.lock").read_text())["run_id"]
    assert shop.run() == 0


def test_a_duckdb_file_that_another_program_holds_is_one_line_with_its_pid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("el.connectors.duckdb.PATIENCE", 0.2)
    Workspace(tmp_path).create()
    context = multiprocessing.get_context("spawn")
    opened, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(str(tmp_path / "warehouse.duckdb"), opened, done))
    other.start()
    try:
        assert opened.wait(30)
        assert main(["run", "--progress", "none"]) == 3
    finally:
        done.set()
        other.join()
    said = capsys.readouterr().err.strip()
    assert f"warehouse.duckdb is open in another process, pid {other.pid}" in said
    assert len(said.splitlines()) == 1


def hold(path: str, opened: object, done: object) -> None:
    with duckdb.connect(path):
        opened.set()  # type: ignore[attr-defined]
        done.wait(60)  # type: ignore[attr-defined]


def test_a_process_is_told_from_a_later_one_of_the_same_pid() -> None:
    mine = this_process("a")
    assert not mine.is_gone()
    assert replace(mine, process="ticks 1").is_gone()
    assert replace(mine, pid=2**22 + 1).is_gone()
    assert not replace(mine, host="elsewhere", process="ticks 1").is_gone(), "of another machine nothing is known"
    assert process_mark(os.getpid()).startswith("ticks ")


def test_a_process_that_another_container_of_the_same_name_cannot_see_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead = replace(this_process("a"), process="ticks 1")
    assert dead.is_gone()
    assert replace(dead, host=socket.gethostname()).is_gone(), "of an older lock the name is all that is known"
    monkeypatch.setattr("os.readlink", lambda path: "pid:[1]")
    assert not dead.is_gone()
    assert str(dead).startswith(f"run a on {socket.gethostname()}, pid ")


@pytest.fixture(scope="module")
def server() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture
def warehouse(server: SnowflakeStandIn) -> SnowflakeWarehouse:
    found = open_warehouse(Output("warehouse", "prod", server.dbt_output()), "snake_case")
    assert isinstance(found, SnowflakeWarehouse)
    return found


def held(warehouse: SnowflakeWarehouse, schema: str, holder: Holder, *, silent: int = 0) -> None:
    """Leave the lock as another run holds it, last heard of `silent` seconds ago."""
    with warehouse.connector as connector:
        connector.execute(Statement(f"CREATE OR REPLACE TRANSIENT SCHEMA {schema}"))
        now = int(str(connector.fetch(Statement("SELECT CAST(DATE_PART('epoch', CURRENT_TIMESTAMP) AS BIGINT)"))[0][0]))
        said = json.dumps({"run_id": holder.run_id, "beat": now - silent})
        name = "|".join((holder.run_id, str(now - silent), str(holder.pid), holder.process, holder.since, holder.host))
        column = f'"{name}" BOOLEAN COMMENT {warehouse.literal(said)}'
        connector.execute(Statement(f"CREATE TABLE {warehouse.qualified(schema, LOCK_TABLE)} ({column})"))


def columns(warehouse: SnowflakeWarehouse, schema: str) -> set[str]:
    with warehouse.connector:
        return warehouse.columns_of(schema, LOCK_TABLE)


ELSEWHERE = Holder("abc123", "another-machine", 77, "ticks 1", "2026-01-02 03:04:05")


def test_a_lock_in_the_warehouse_names_its_holder_to_other_machines(warehouse: SnowflakeWarehouse) -> None:
    held(warehouse, "held", ELSEWHERE)
    says = r"raw schema held is being loaded by run abc123 on another-machine, pid 77, since 2026-01-02 03:04:05 UTC"
    with pytest.raises(RunLocked, match=says), lease(warehouse, ["held"], this_process("mine"), TEN_MINUTES):
        pytest.fail("it was held")
    assert {name.partition("|")[0] for name in columns(warehouse, "held")} == {"abc123"}


def test_a_lock_in_the_warehouse_is_broken_when_its_lease_has_run_out(warehouse: SnowflakeWarehouse) -> None:
    held(warehouse, "silent", ELSEWHERE, silent=601)
    with lease(warehouse, ["silent"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours("silent")
    assert columns(warehouse, "silent") == {"free"}


def test_a_lock_of_a_run_that_was_killed_before_it_said_who_it_is_is_broken_when_its_lease_has_run_out(
    warehouse: SnowflakeWarehouse,
) -> None:
    held(warehouse, "mute", replace(ELSEWHERE, run_id="killed"), silent=601)
    column = next(iter(columns(warehouse, "mute")))
    with warehouse.connector as connector:
        place = warehouse.qualified("mute", LOCK_TABLE)
        connector.execute(Statement(f"COMMENT ON COLUMN {place}.\"{column}\" IS ''"))
    with lease(warehouse, ["mute"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours("mute")
    held(warehouse, "mute", replace(ELSEWHERE, run_id="begun"), silent=10)
    column = next(iter(columns(warehouse, "mute")))
    with warehouse.connector as connector:
        connector.execute(Statement(f"COMMENT ON COLUMN {place}.\"{column}\" IS ''"))
    says = "run begun on another-machine"
    with pytest.raises(RunLocked, match=says), lease(warehouse, ["mute"], this_process("mine"), TEN_MINUTES):
        pytest.fail("it was held")


def test_a_lock_in_the_warehouse_of_a_dead_process_of_this_machine_is_broken_at_once(
    warehouse: SnowflakeWarehouse,
) -> None:
    held(warehouse, "dead", replace(this_process("dead"), process="ticks 1"))
    with lease(warehouse, ["dead"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours("dead")


def test_a_lock_of_a_run_of_this_machine_that_was_killed_as_it_took_it_is_broken_at_once(
    warehouse: SnowflakeWarehouse,
) -> None:
    held(warehouse, "young", replace(this_process("dead"), process="ticks 1"))
    column = next(iter(columns(warehouse, "young")))
    with warehouse.connector as connector:
        place = warehouse.qualified("young", LOCK_TABLE)
        connector.execute(Statement(f"COMMENT ON COLUMN {place}.\"{column}\" IS ''"))
    with lease(warehouse, ["young"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours("young")


def test_of_many_runs_that_find_the_lock_of_a_dead_one_at_once_one_gets_it(server: SnowflakeStandIn) -> None:
    def opened() -> SnowflakeWarehouse:
        found = open_warehouse(Output("warehouse", "prod", server.dbt_output()), "snake_case")
        assert isinstance(found, SnowflakeWarehouse)
        return found

    def attempt(number: int) -> bool:
        together.wait()
        try:
            with lease(opened(), ["raced"], this_process(f"racer{number}"), TEN_MINUTES) as still_ours:
                still_ours("raced")
                everyone.wait(60)
            return True
        except RunLocked:
            everyone.wait(60)
            return False

    for _ in range(3):
        held(opened(), "raced", replace(this_process("dead"), process="ticks 1"))
        together, everyone = threading.Barrier(5), threading.Barrier(5)
        with ThreadPoolExecutor(5) as pool:
            assert sorted(pool.map(attempt, range(5))) == [False] * 4 + [True]


def test_a_run_that_lost_its_lock_while_it_was_silent_loads_no_more(
    warehouse: SnowflakeWarehouse,
) -> None:
    with lease(warehouse, ["lost"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours("lost")
        held(warehouse, "lost", ELSEWHERE)
        with pytest.raises(RunLocked, match="another-machine"):
            still_ours("lost")
    assert {name.partition("|")[0] for name in columns(warehouse, "lost")} == {"abc123"}


def test_a_lock_in_the_warehouse_is_renewed_while_the_run_works(warehouse: SnowflakeWarehouse) -> None:
    with lease(warehouse, ["long"], this_process("mine"), timedelta(seconds=3)):
        time.sleep(4.5)
        with pytest.raises(RunLocked), lease(warehouse, ["long"], this_process("other"), timedelta(seconds=3)):
            pytest.fail("it was held")
    with lease(warehouse, ["long"], this_process("other"), TEN_MINUTES):
        pass


def test_a_lock_needs_no_running_warehouse(warehouse: SnowflakeWarehouse, server: SnowflakeStandIn) -> None:
    before = len(server.queries)
    with lease(warehouse, ["asleep"], this_process("mine"), timedelta(seconds=2)) as still_ours:
        still_ours("asleep")
        time.sleep(2)
    with lease(warehouse, ["asleep"], this_process("mine"), TEN_MINUTES):
        pass
    asked = [(query.sql, query.bindings) for query in server.queries[before:] if not query.error]
    assert len(asked) > 8
    assert not any(needs_warehouse(asked)), asked


def test_a_statement_that_a_dead_run_left_running_is_ended_before_its_lock_is_broken(
    warehouse: SnowflakeWarehouse, server: SnowflakeStandIn
) -> None:
    """A table made anew with its rows: done late, it would put back what the next run has added to."""
    held(warehouse, "widened", replace(this_process("dead"), process="ticks 1"))
    table = warehouse.qualified("widened", "orders")
    with warehouse.connector as connector:
        connector.execute(Statement(f"CREATE TABLE {table} AS SELECT 1 AS ID"))
    server.slow("CREATE OR REPLACE TABLE .*WIDENED.*ORDERS", 30)
    dead = Snowflake(warehouse.connector.config)
    ended: list[str] = []

    def widen() -> None:
        with dead, dead.tagged(run_tag("dead")):
            try:
                dead.execute(Statement(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table}"))
                ended.append("done")
            except ElError as error:
                ended.append(str(error))

    thread = threading.Thread(target=widen)
    thread.start()
    while not running(warehouse):
        time.sleep(0.05)
    with lease(warehouse, ["widened"], this_process("mine"), TEN_MINUTES), warehouse.connector as connector:
        thread.join(10)
        assert ended == ["data is not in stable state: Snowflake: SQL execution canceled"]
        connector.execute(Statement(f"INSERT INTO {table} VALUES (2)"))
    with warehouse.connector as connector:
        assert len(connector.fetch(Statement(f"SELECT * FROM {table}"))) == 2


def running(warehouse: SnowflakeWarehouse) -> bool:
    with warehouse.connector as connector:
        history = "TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER())"
        return bool(connector.fetch(Statement(f"SELECT 1 FROM {history} WHERE execution_status = 'RUNNING'")))
