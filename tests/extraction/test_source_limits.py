"""How gently a source is read: connections, rows a second, hours of rest, pressure; and which tables agree in time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as day_time
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.cli.app import main
from el.config.pace import Pace, Pause
from el.connectors.base import Pressure
from el.connectors.duckdb import DuckDb
from el.connectors.sqlserver import SqlServer
from el.extraction.slice import STEP
from el.extraction.watch import Watch
from tests.engines import own_database
from tests.shop import Workspace
from tests.standins.sqlserver.process import StandInProcess
from tests.tsql_shop import TsqlShop

MINUTES = st.integers(0, 24 * 60 - 1).map(lambda n: day_time(n // 60, n % 60))


@given(MINUTES, MINUTES, MINUTES)
def test_a_pause_holds_from_its_begin_to_before_its_end_also_over_midnight(
    begin: day_time, end: day_time, now: day_time
) -> None:
    if begin == end:
        with pytest.raises(ValueError, match="never ends"):
            Pause.parse(f"{begin:%H:%M}-{end:%H:%M}")
        return
    pause = Pause.parse(f"{begin:%H:%M}-{end:%H:%M}")
    length = (end.hour - begin.hour) * 60 + end.minute - begin.minute
    since = (now.hour - begin.hour) * 60 + now.minute - begin.minute
    assert pause.holds(now) == (since % 1440 < length % 1440)
    assert pause.holds(begin)
    assert not pause.holds(end)


def test_a_pace_waits_for_what_is_read_too_early_and_for_nothing_else() -> None:
    slept: list[float] = []
    pace = Pace(rows_per_second=100)
    pace.keep(50, 0.1, slept.append)
    pace.keep(50, 0.9, slept.append)
    Pace().keep(10**9, 0, slept.append)
    assert slept == [pytest.approx(0.4)]
    assert pace.batch_rows(65_536) == 100


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def limited(shop: Workspace, limits: str) -> None:
    with open(shop.path / "el.yml", "a") as config:
        config.write(f"source_limits: {limits}\n")


def test_rows_a_second_are_kept_over_all_reads_together(shop: Workspace) -> None:
    limited(shop, "{rows_per_second: 6000}")
    begun = time.monotonic()
    assert main(["run", "--progress", "none"]) == 0
    assert time.monotonic() - begun > 2.5, "9,000 rows in a half share of 6,000 a second"


@pytest.mark.parametrize(
    ("arguments", "share"),
    [
        (["--workers", "2"], 3000),
        (["--workers", "8"], 2000),
        (["--workers", "8", "--select", "sales.lines"], 6000),
    ],
    ids=["two of three reads at once", "three reads at once", "one alone"],
)
def test_a_read_has_the_share_of_those_that_can_be_at_work_at_once(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, arguments: list[str], share: float
) -> None:
    limited(shop, "{rows_per_second: 6000}")
    kept: set[float | None] = set()
    monkeypatch.setattr(Pace, "keep", lambda pace, *_: kept.add(pace.rows_per_second))
    assert main(["run", "--progress", "none", *arguments]) == 0
    assert kept == {share}


def test_in_the_pause_nothing_is_read_and_a_run_after_it_takes_all(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, end = (datetime.now() + timedelta(minutes=minutes) for minutes in (-60, 60))
    limited(shop, f'{{pause: "{begin:%H:%M}-{end:%H:%M}"}}')
    with monkeypatch.context() as patched:
        patched.setattr(DuckDb, "max_value", lambda *_: pytest.fail("a plan reads too"))
        assert main(["run", "--progress", "none"]) == 0
    said = capsys.readouterr().out
    assert said.count("paused") >= 3
    assert "nothing new, 0 failed" in said
    config = shop.path / "el.yml"
    config.write_text(config.read_text().partition("source_limits")[0])
    assert main(["run", "--progress", "none"]) == 0
    assert "12,000 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ('{pause: "8-18"}', "'8-18' is not of the form 08:00-18:00"),
        ('{pause: "08:00-08:00"}', "never ends"),
        ("{connectons: 2}", "unknown key; did you mean connections?"),
        ("{rows_per_second: 0}", "greater than or equal to 1"),
    ],
)
def test_a_limit_that_is_none_is_one_line(
    shop: Workspace, capsys: pytest.CaptureFixture[str], limits: str, says: str
) -> None:
    limited(shop, limits)
    assert main(["run"]) == 2
    assert says in capsys.readouterr().err


@pytest.fixture
def tsql(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sqlserver_standin: StandInProcess,
) -> Iterator[TsqlShop]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    with own_database(sqlserver_standin.output()) as output:
        yield TsqlShop(tmp_path, output, capsys).create(
            '  - {name: "dbo.*"}',
            "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
            "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)",
            "CREATE TABLE dbo.u (id INT NOT NULL PRIMARY KEY)",
            "INSERT INTO dbo.t VALUES (1)",
            "INSERT INTO dbo.u VALUES (1)",
        )


def after_the_first_table(tsql: TsqlShop) -> None:
    """Once one table is read, write into both."""
    done: list[bool] = []

    def between(event: str, arguments: tuple[object, ...]) -> None:
        if event == STEP and arguments[0] == "slice finished" and not done:
            done.append(True)
            tsql.sql("INSERT INTO dbo.t VALUES (2)", "INSERT INTO dbo.u VALUES (2)")

    sys.addaudithook(between)
    tsql.el()
    assert done


def both(tsql: TsqlShop) -> list[list[tuple[int]]]:
    return [tsql.complete(name, "id") for name in ("t", "u")]


RUN = "{workers: 2, retries: 1, consistent: run}"


@pytest.mark.parametrize("workers", [1, 2])
def test_where_el_yml_asks_for_it_all_tables_are_of_one_point_in_time(tsql: TsqlShop, workers: int) -> None:
    tsql.tables('  - {name: "dbo.*"}', f"{{workers: {workers}, retries: 0, consistent: run}}")
    assert main(["plan"]) == 0
    assert "consistency: 2 tables are read from one point in time\n" in tsql.capsys.readouterr().out
    after_the_first_table(tsql)
    assert both(tsql) == [[(1,)], [(1,)]]
    tsql.el()
    assert [sorted(set(rows)) for rows in both(tsql)] == [[(1,), (2,)], [(1,), (2,)]]


def test_a_table_that_is_changed_under_the_snapshot_of_a_run_begins_another_and_loses_no_row(
    tsql: TsqlShop, sqlserver_standin: StandInProcess
) -> None:
    tsql.tables('  - {name: "dbo.*"}', RUN)
    sqlserver_standin.faults.fail_statement(1, error=3961, like="FROM [dbo].[u]")
    assert main(["run", "--progress", "log"]) == 0
    said = tsql.capsys.readouterr().err
    assert "dbo.u and what follows are read from a later point in time: database error: Snapshot isolation" in said
    assert both(tsql) == [[(1,)], [(1,)]]


def test_a_snapshot_of_a_run_is_held_no_longer_than_it_may(tsql: TsqlShop, monkeypatch: pytest.MonkeyPatch) -> None:
    tsql.tables('  - {name: "dbo.*"}', RUN)
    clock = iter(range(0, 100_000, 4000))
    monkeypatch.setattr("el.extraction.one_moment.time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert main(["run", "--progress", "log"]) == 0
    assert "read from a later point in time: the former one was held for 60 minutes" in tsql.capsys.readouterr().err
    assert both(tsql) == [[(1,)], [(1,)]]


@pytest.mark.parametrize("workers", [1, 2])
def test_otherwise_each_table_is_of_a_moment_of_its_own_and_the_plan_says_so(tsql: TsqlShop, workers: int) -> None:
    tsql.tables('  - {name: "dbo.*"}', f"{{workers: {workers}}}")
    assert main(["plan"]) == 0
    said = tsql.capsys.readouterr().out
    assert "consistency: each table is read from one point in time of its own" in said


def test_partitions_are_each_of_a_moment_of_their_own_and_the_plan_names_their_table(tsql: TsqlShop) -> None:
    entries = '  - {name: "dbo.*"}\n  - {name: dbo.t, partition_by: id, partitions: 2}'
    tsql.sql("INSERT INTO dbo.t VALUES (9)")
    for defaults, names_it in (
        ("{workers: 2}", True),
        ("{workers: 2, consistent: run}", False),
        ("{workers: 1}", True),
    ):
        tsql.tables(entries, defaults)
        assert main(["plan"]) == 0
        assert ("but each partition of dbo.t" in tsql.capsys.readouterr().out) is names_it


@pytest.mark.parametrize("store", [2000, 900])
def test_a_version_store_beyond_the_limit_stops_the_run_before_it_reads(
    tsql: TsqlShop, monkeypatch: pytest.MonkeyPatch, store: int
) -> None:
    tsql.tables('  - {name: "dbo.*", cursor: id, strategy: cursor}', "{retries: 0}")
    tsql.el()
    with open(tsql.path / "el.yml", "a") as config:
        config.write("source_limits: {version_store_mb: 1000}\n")
    tsql.sql("INSERT INTO dbo.t VALUES (2)")
    monkeypatch.setattr(SqlServer, "pressure", lambda source: Pressure(version_store_mb=store, blocked=3))
    if store > 1000:
        # A delta is a read too.
        assert "version store of the source is 2,000 MB" in tsql.el(code=1)[""]["e"]
        assert tsql.complete("t", "id") == [(1,)]
        return
    assert main(["plan"]) == 0
    assert "3 sessions of the source wait for a lock of another one" in tsql.capsys.readouterr().out


def test_a_limit_that_cannot_be_looked_at_stops_the_run_and_names_the_right(tsql: TsqlShop) -> None:
    with open(tsql.path / "el.yml", "a") as config:
        config.write("source_limits: {version_store_mb: 1000}\n")
    tsql.sql(
        "CREATE LOGIN el_limited WITH PASSWORD = 'Stand_in_2026'",
        "CREATE USER el_limited FOR LOGIN el_limited",
        "GRANT SELECT ON SCHEMA::dbo TO el_limited",
    )
    tsql.el()
    tsql.output["user"] = "el_limited"
    tsql.create('  - {name: "dbo.*"}')
    with open(tsql.path / "el.yml", "a") as config:
        config.write("source_limits: {version_store_mb: 1000}\n")
    assert "GRANT VIEW SERVER STATE TO the login" in tsql.el("--full-refresh", code=3)[""]["e"]
    with tsql.server() as server:
        assert server.pressure() == Pressure(None, None)
        assert server.waiting_for("52") is None


def test_a_source_without_a_version_store_takes_no_limit_of_it(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    limited(shop, "{version_store_mb: 1000}")
    assert main(["run"]) == 2
    assert "source_limits.version_store_mb: duckdb has no version store to look at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "waited", "store", "stops"),
    [
        ("{}", 31, 0, "another session of the source has waited 31 s for this read"),
        ("{}", 29, 0, None),
        ("{}", None, 0, None),
        ("{blocked_seconds: 0}", 600, 0, None),
        ("{version_store_mb: 100}", 0, 101, "the version store of the source has grown to 101 MB"),
    ],
)
def test_a_read_that_others_wait_for_stops_and_the_next_run_takes_its_table(
    tsql: TsqlShop,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    waited: int | None,
    store: int,
    stops: str | None,
) -> None:
    with open(tsql.path / "el.yml", "a") as config:
        config.write(f"source_limits: {limit}\n")
    asked: list[str] = []
    # What was read before the plan is nothing yet; while the read is at work it has grown.
    sizes = iter([0])
    with monkeypatch.context() as patched:
        patched.setattr(Watch, "begin", partialmethod(_each_time, Watch.begin))
        patched.setattr(SqlServer, "waiting_for", lambda _, session: asked.append(session) or waited)
        patched.setattr(SqlServer, "pressure", lambda _: Pressure(next(sizes, store), 0))
        report = tsql.el("--select", "dbo.t", code=1 if stops else 0)["dbo.t"]
    if stops is not None:
        assert stops in report["error"]
        assert tsql.el("--select", "dbo.t")["dbo.t"]["rows"] == 1
    assert all(session.isdigit() for session in asked)
    assert bool(asked) is ("blocked_seconds: 0" not in limit)


def _each_time(watch: Watch, begin: Any, *arguments: Any) -> Any:
    return begin(replace(watch, every=0), *arguments)


def test_without_row_versions_a_slow_read_rests_after_its_statement(
    tsql: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tsql.sql("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION OFF")
    with open(tsql.path / "el.yml", "a") as config:
        config.write("source_limits: {rows_per_second: 1000}\n")
    open_then: list[bool] = []
    closed: list[bool] = []
    close = SqlServer.close
    monkeypatch.setattr(SqlServer, "close", lambda source: (closed.append(True), close(source))[1])
    monkeypatch.setattr(Pace, "keep", lambda *_: open_then.append(not closed))
    assert main(["plan", "--select", "dbo.t"]) == 0
    assert "each reads at full speed and rests after it" in tsql.capsys.readouterr().out
    closed.clear()
    tsql.el("--select", "dbo.t", "--workers", "1")
    assert open_then == [False]


def test_the_pressure_of_a_server_is_looked_at_as_far_as_the_login_may(tsql: TsqlShop) -> None:
    with tsql.server() as server:
        found = server.pressure()
    assert found.blocked in (0, None)
    assert found.version_store_mb is None or found.version_store_mb >= 0
