"""Two runs at once: one works, the other says who does; what a dead run left behind is in nobody's way."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from el.cli import main
from el.destinations import open_warehouse
from el.destinations.base import Warehouse
from el.destinations.lease import LOCK_TABLE, lease
from el.errors import RunLocked
from el.lock import Holder, file_lock, process_mark, this_process
from el.profiles import Output
from tests.shop import Workspace
from tests.standins.snowflake import SnowflakeStandIn

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


@pytest.fixture(params=["duckdb", "snowflake"], scope="module")
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse of each kind: the lease is SQL that both must take."""
    if request.param == "duckdb":
        settings = {"type": "duckdb", "path": str(tmp_path_factory.mktemp("lease") / "warehouse.duckdb")}
        yield open_warehouse(Output("warehouse", "local", settings), "snake_case")
        return
    pytest.importorskip("el.connectors.snowflake")
    with SnowflakeStandIn() as server:
        yield open_warehouse(Output("warehouse", "prod", server.dbt_output()), "snake_case")


def other_run(warehouse: Warehouse, schema: str, holder: Holder, beat: str = "beat") -> None:
    """Leave the lock as another run holds it, renewed at a time of the expression `beat`."""
    from el.connectors.query import Statement

    table = warehouse.qualified(schema, LOCK_TABLE)
    with lease(warehouse, [schema], holder, TEN_MINUTES), warehouse.connector as connector:
        assert connector.fetch(Statement(f"SELECT run_id FROM {table}")) == [(holder.run_id,)]
    values = (holder.run_id, holder.host, holder.pid, holder.process, holder.since)
    with warehouse.connector as connector:
        sql = f"UPDATE {table} SET run_id = ?, host = ?, pid = ?, process = ?, since = ?, beat = {beat}"
        connector.execute(Statement(sql, values))


ELSEWHERE = Holder("abc123", "another-machine", 77, "ticks 1", "2026-01-02 03:04:05")


def test_a_lock_in_the_warehouse_names_its_holder_to_other_machines(warehouse: Warehouse) -> None:
    other_run(warehouse, "held", ELSEWHERE)
    says = r"raw schema held is being loaded by run abc123 on another-machine, pid 77, since 2026-01-02 03:04:05 UTC"
    with pytest.raises(RunLocked, match=says), lease(warehouse, ["held"], this_process("mine"), TEN_MINUTES):
        pytest.fail("it was held")


def test_a_lock_in_the_warehouse_is_broken_when_its_lease_has_run_out(warehouse: Warehouse) -> None:
    other_run(warehouse, "silent", ELSEWHERE, beat="beat - 601")
    with lease(warehouse, ["silent"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours()


def test_a_lock_in_the_warehouse_of_a_dead_process_of_this_machine_is_broken_at_once(warehouse: Warehouse) -> None:
    other_run(warehouse, "dead", replace(this_process("dead"), process="ticks 1"))
    with lease(warehouse, ["dead"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours()


def test_a_run_that_lost_its_lock_while_it_was_silent_loads_no_more(warehouse: Warehouse) -> None:
    with lease(warehouse, ["lost"], this_process("mine"), TEN_MINUTES) as still_ours:
        still_ours()
        other_run_takes_over(warehouse, "lost")
        with pytest.raises(RunLocked, match="another-machine"):
            still_ours()


def other_run_takes_over(warehouse: Warehouse, schema: str) -> None:
    from el.connectors.query import Statement

    with warehouse.connector as connector:
        sql = f"UPDATE {warehouse.qualified(schema, LOCK_TABLE)} SET run_id = 'x', host = 'another-machine'"
        connector.execute(Statement(sql))


def test_a_lock_in_the_warehouse_is_renewed_while_the_run_works(warehouse: Warehouse) -> None:
    with lease(warehouse, ["long"], this_process("mine"), timedelta(seconds=2)):
        time.sleep(4)
        with pytest.raises(RunLocked), lease(warehouse, ["long"], this_process("other"), timedelta(seconds=2)):
            pytest.fail("it was held")
    with lease(warehouse, ["long"], this_process("other"), TEN_MINUTES):
        pass
