"""Slices in other processes: the same rows, whatever happens to the processes, and nothing secret on the way."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from el import errors
from el.config.executor import Where
from el.config.mask_key import MaskKey
from el.config.profiles import Output, load_output
from el.config.settings import load_config
from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.errors import ElError, LoadError, ReadError, SecretUnavailable
from el.extraction.engines import Given
from el.extraction.file_sizes import FileSizes
from el.extraction.remote import Heard, Remote, Signs
from el.extraction.slice import Cancelled, Slice
from el.pipeline import Job, run
from el.reporting.progress import Silent
from el.reporting.summary import RunReport
from el.secrets.references import Secret
from tests.forked import context
from tests.shop import Workspace

PASSWORD = "correct-horse-battery-staple-of-the-shop"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def events(shop: Workspace, rows: int, *, a_second: int | None = None) -> None:
    """A table in four parts beside the others; a_second: as slow as that."""
    shop.source(f"CREATE TABLE sales.events AS SELECT i AS n, 'event ' || i AS t FROM range({rows}) AS t (i)")
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.events, partition_by: n, partitions: 4}\n")
        if a_second is not None:
            config.write(f"source_limits: {{rows_per_second: {a_second}}}\n")


def defaults(shop: Workspace, text: str) -> None:
    path = shop.path / "el.yml"
    path.write_text(path.read_text().replace("workers: 2, retries: 0", text))


def job(where: str = "threads", **more: Any) -> Job:
    outputs = [load_output(Path("profiles.yml"), name, None) for name in ("shop", "warehouse")]
    return Job(load_config(Path("el.yml")), *outputs, executor=Where.parse(where), **more)


def events_are_whole(shop: Workspace, rows: int) -> None:
    found = shop.complete("events", "count(*), count(DISTINCT n), sum(n), count(t), count(DISTINCT t)")
    assert found == [(rows, rows, rows * (rows - 1) // 2, rows, rows)]


class Told(Silent):
    """Keeps what it is told, and acts once, at the first rows of a table that is being read."""

    def __init__(self, act: Callable[[], None] = lambda: None, *, at: str = "sales.events", times: int = 1) -> None:
        self.lines: list[str] = []
        self.rows: list[int] = []
        self._act, self._at, self._times = act, at, times

    def progress(self, table: str, rows: int, size: int) -> None:
        if table == self._at:
            self.rows.append(rows)
            if rows > 0 and self._times:
                self._times -= 1
                self._act()

    def say(self, text: str) -> None:
        self.lines.append(text)


def workers() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [each for each in found if any("popen_loky" in part for part in each.cmdline())]


def kill_one() -> None:
    workers()[0].kill()


def by_table(report: RunReport) -> dict[str, str]:
    return {each.table: each.status for each in report.tables}


def test_a_process_that_is_killed_costs_no_row_and_doubles_none(shop: Workspace) -> None:
    events(shop, 12_000, a_second=8_000)
    defaults(shop, "retries: 1")
    told = Told(kill_one)
    report = run(job("processes:2", select=("events",)), told)
    assert set(by_table(report).values()) == {"loaded"}, report
    events_are_whole(shop, 12_000)
    again = [line for line in told.lines if "is gone" in line]
    assert len(again) == 1
    assert "sales." in again[0]
    assert "SIGKILL" in again[0]
    # What the dead one had told is taken back.
    assert sum(told.rows) == 12_000
    assert not workers()


def test_what_is_read_is_told_while_it_is_read(shop: Workspace) -> None:
    shop.source("CREATE TABLE sales.slow AS SELECT i AS n FROM range(4000) AS t (i)")
    with open(shop.path / "el.yml", "a") as config:
        config.write("source_limits: {rows_per_second: 2000}\n")
    told = Told(at="sales.slow")
    report = run(job("processes:1", select=("slow",)), told)
    assert report.rows == 4000
    assert sum(told.rows) == 4000
    assert len([rows for rows in told.rows if rows > 0]) >= 2, "as it is read, not at its end"


def test_a_table_whose_process_always_dies_fails_alone(shop: Workspace) -> None:
    events(shop, 12_000, a_second=24_000)
    defaults(shop, "retries: 0")
    report = run(job("processes:1"), Told(kill_one))
    assert by_table(report) == {
        "sales.events": "failed",
        "sales.lines": "loaded",
        "sales.nothing": "loaded",
        "sales.orders": "loaded",
    }
    (failed,) = [each for each in report.tables if each.status == "failed"]
    assert failed.error is not None
    assert failed.error.startswith("sales.events: the process that read a part of it is gone: it ended by SIGKILL")
    assert "\n" not in failed.error


def test_ctrl_c_ends_the_run_and_its_processes_within_seconds(shop: Workspace) -> None:
    events(shop, 200_000, a_second=2_000)
    program = subprocess.Popen(
        [sys.executable, "-m", "el", "run", "--executor", "processes:2", "--progress", "log"],
        stderr=subprocess.PIPE,
        text=True,
        # As a terminal does: all processes of the group are told.
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    beside: list[psutil.Process] = []
    try:
        while not list(shop.path.glob(".el/*/spool/*/*/*.progress")):
            assert program.poll() is None
            time.sleep(0.1)
        beside = psutil.Process(program.pid).children(recursive=True)
        os.killpg(program.pid, signal.SIGINT)
        told = time.monotonic()
        _, said = program.communicate(timeout=30)
        assert time.monotonic() - told < 8
    finally:
        program.kill()
    assert program.returncode == 130
    assert said.count("interrupted: ") == 1
    assert "Traceback" not in said
    assert "Warning" not in said
    assert not psutil.wait_procs(beside, timeout=5)[1]
    assert not list(shop.path.glob(".el/*/spool/*"))


def test_a_run_by_processes_says_no_more_than_another_one(shop: Workspace) -> None:
    """loky's own process told of each semaphore that it had to clean up, when the run's had ended."""
    command = [sys.executable, "-m", "el", "run", "--executor", "processes:2", "--progress", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_processes_end_with_a_run_that_is_killed(shop: Workspace) -> None:
    events(shop, 200_000, a_second=2_000)
    command = [sys.executable, "-m", "el", "run", "--executor", "processes:1", "--progress", "none"]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    beside: list[psutil.Process] = []
    try:
        while not list(shop.path.glob(".el/*/spool/*/*/*.progress")):
            assert program.poll() is None
            time.sleep(0.1)
        beside = [each for each in psutil.Process(program.pid).children() if "popen_loky" in " ".join(each.cmdline())]
    finally:
        program.kill()
    # loky's own process cleans up, and nobody has to know.
    assert program.communicate(timeout=30)[1] == ""
    assert beside
    assert not psutil.wait_procs(beside, timeout=5)[1]


class Counting(ThreadPoolExecutor):
    """An executor that knows how many it was given at once."""

    def __init__(self) -> None:
        super().__init__(16)
        self.now = self.most = 0
        self.lock = threading.Lock()

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        future = super().submit(call, *arguments, **named)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Future[Any]) -> None:
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize(("limit", "most"), [("{}", 6), ("{connections: 2}", 2)], ids=["workers", "connections"])
def test_no_executor_is_given_more_at_once_than_may_connect(shop: Workspace, limit: str, most: int) -> None:
    defaults(shop, "workers: 6")
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.lines, partition_by: order_id, partitions: 12}\n")
        config.write(f"source_limits: {limit}\n")
    with Counting() as executor:
        assert run(job(), Silent(), executor).rows == 12_000
    assert 2 <= executor.most <= most
    assert shop.complete("lines", "count(*), count(DISTINCT (order_id, line_no))") == [(9000, 9000)]


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, context()) as found:
        yield found


def test_what_a_slice_raises_arrives_as_it_is_and_stops_its_table_alone(shop: Workspace, pool: Executor) -> None:
    shop.source("CREATE VIEW sales.broken AS SELECT CAST(note AS INTEGER) AS n FROM sales.orders")
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.broken}\n")
    here = {each.table: each.error for each in run(job(select=("broken",)), Silent()).tables}
    there = run(job(), Silent(), pool)
    assert there.exit_code == 1
    assert by_table(there)["sales.broken"] == "failed"
    assert by_table(there)["sales.orders"] == "loaded"
    assert {each.table: each.error for each in there.tables if each.error} == here


def every_error() -> list[type[ElError]]:
    found = [ElError]
    for each in found:
        found += each.__subclasses__()
    return [each for each in found if each.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_an_error_that_travels_is_the_same_error(kind: type[ElError]) -> None:
    error = kind("sales.orders: 8 of 9", retryable=True)
    error.args = (f"{error} (tried 2 times)",)
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), found.retryable, found.exit_code) == (kind, str(error), True, kind.exit_code)
    found = ReadError("it said no")
    found.number = 1205
    assert pickle.loads(pickle.dumps(found)).number == 1205


def a_slice(folder: Path, output: Output, **more: Any) -> Slice:
    return Slice(
        connection=output,
        table="sales.orders",
        stem="a1-0000",
        request=ReadRequest(table=TableName("sales", "orders")),
        schema=pa.schema([("n", pa.int64())]),
        load_id="1.0",
        op="S",
        position_column=None,
        directory=folder,
        sizes=FileSizes(1 << 20),
        retries=0,
        **more,
    )


def remote(folder: Path, output: Output, **more: Any) -> Remote[Any]:
    return Remote.of(a_slice(folder, output, **more), 0, "run", 60)


SERVER = {"type": "postgres", "host": "127.0.0.1", "port": 1, "user": "el", "database": "shop"}


def test_a_secret_travels_as_a_reference_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_TEST_PASSWORD", PASSWORD)
    (tmp_path / "profiles.yml").write_text(
        "shop: {target: t, outputs: {t: {type: postgres, host: h, user: el, database: d, "
        "password: \"{{ env_var('EL_TEST_PASSWORD') }}\"}}}\n"
    )
    key = MaskKey("env:EL_TEST_PASSWORD")
    # Also of one that was looked up here.
    assert key.secret() == PASSWORD.encode()
    output = load_output(tmp_path / "profiles.yml", "shop", None)
    assert output.settings["password"].get_secret_value() == PASSWORD
    sent = pickle.dumps(remote(tmp_path, output, masks=(("n", key),)))
    assert PASSWORD.encode() not in sent
    assert b"env:EL_TEST_PASSWORD" in sent
    assert pickle.loads(sent).work.connection.settings["password"].get_secret_value() == PASSWORD


def test_a_process_without_the_secret_says_so_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EL_TEST_PASSWORD", raising=False)
    sent = remote(tmp_path, Output("shop", "t", {**SERVER, "password": Secret("env:EL_TEST_PASSWORD")}))
    sent.signs.renew(1)
    with pytest.raises(SecretUnavailable) as found:
        sent()
    assert str(found.value) == (
        f"process {os.getpid()} of {os.uname().nodename}: env:EL_TEST_PASSWORD: "
        "environment variable EL_TEST_PASSWORD is not set"
    )


def test_a_process_that_does_not_see_the_folder_says_so_and_connects_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"^sales\.orders: process \d+ of .* does not see .*: EL_HOME has to be"):
        remote(tmp_path / "elsewhere", Output("shop", "t", SERVER))()


def test_a_process_of_another_version_of_el_that_came_later_reads_nothing(tmp_path: Path) -> None:
    sent = replace(remote(tmp_path, Output("shop", "t", SERVER)), version="999.9")
    sent.signs.renew(1)
    with pytest.raises(LoadError, match=r"^sales\.orders: process \d+ of \S+ has el \S+, and the run has 999\.9$"):
        pickle.loads(pickle.dumps(sent))()


def test_a_slice_stops_where_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    signs = Signs.of(a_slice(tmp_path, Output("shop", "t", SERVER)), 0)
    signs.renew(1)
    heard = Heard(signs, patience=1, mark="a")
    begun = time.monotonic()
    signs.renew(2)
    assert heard.wait(30)
    assert 1 <= time.monotonic() - begun < 5
    signs.renew(3)
    told = Heard(signs, patience=60, mark="b")
    assert not told.is_set()
    signs.remove()
    assert told.wait(5), "it is told to stop"


def test_of_two_processes_that_were_given_a_slice_the_second_one_reads_it(tmp_path: Path) -> None:
    signs = Signs.of(a_slice(tmp_path, Output("shop", "t", SERVER)), 0)
    signs.renew(1)
    first = Heard(signs, patience=60, mark="a")
    assert not first.is_set()
    second = Heard(signs, patience=60, mark="b")
    assert first.wait(5)
    assert not second.is_set()


def test_a_slice_that_was_left_alone_for_too_long_is_no_interrupt(shop: Workspace) -> None:
    class Sleepy(ThreadPoolExecutor):
        def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
            found: Future[Any] = Future()
            found.set_exception(Cancelled("sales.orders: interrupted"))
            return found

    with Sleepy(1) as executor:
        report = run(job(select=("orders",)), Silent(), executor)
    assert report.exit_code == 1
    assert "it heard nothing of this process for too long" in str(report.tables[0].error)


def test_a_file_of_the_source_is_found_from_another_folder(
    shop: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = str(tmp_path_factory.mktemp("other"))
    with ProcessPoolExecutor(1, context(), initializer=os.chdir, initargs=(other,)) as executor:
        assert run(job(), Silent(), executor).rows == 12_000
    assert not list(Path(other).iterdir())


def test_an_executor_that_the_caller_has_is_never_ended() -> None:
    with ThreadPoolExecutor(1) as executor:
        engine = Given(executor)
        with engine.one() as found:
            assert found is executor
        engine.close()
        assert executor.submit(int, "7").result() == 7
