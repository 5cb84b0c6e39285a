"""Slices at a Dask cluster of two real workers, started here: the rows, a worker that dies, a strange worker."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from el.config.executor import Where
from el.config.profiles import load_output
from el.config.settings import load_config
from el.errors import ConfigError, ConnectError
from el.extraction import elsewhere, engines
from el.pipeline import Job, run
from el.reporting.progress import Silent
from tests.shop import Workspace, inside

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # Its workers work in a folder of their own, as those of another machine do.
    root = str(Path(__file__).parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with (
        inside(tmp_path_factory.mktemp("workers")),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
        ) as found,
    ):
        yield found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    shop = Workspace(tmp_path).create()
    shop.source("CREATE TABLE sales.events AS SELECT i AS n, 'event ' || i AS t FROM range(8000) AS t (i)")
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.events, partition_by: n, partitions: 4}\n")
    return shop


def job(cluster: Any, **more: Any) -> Job:
    outputs = [load_output(Path("profiles.yml"), name, None) for name in ("shop", "warehouse")]
    where = Where.parse(f"dask://{cluster.scheduler_address.removeprefix('tcp://')}")
    return Job(load_config(Path("el.yml")), *outputs, executor=where, **more)


def events_are_whole(shop: Workspace) -> None:
    found = shop.complete("events", "count(*), count(DISTINCT n), sum(n), count(DISTINCT t)")
    assert found == [(8000, 8000, 8000 * 7999 // 2, 8000)]


def test_a_cluster_brings_every_row_once(shop: Workspace, cluster: Any) -> None:
    assert run(job(cluster), Silent()).rows == 20_000
    events_are_whole(shop)
    assert shop.complete("lines", "count(*), count(DISTINCT (order_id, line_no))") == [(9000, 9000)]
    assert not list(shop.path.glob(".el/*/spool/*")), "and nothing is left of what was asked"


def test_a_worker_that_is_killed_costs_no_row_and_doubles_none(shop: Workspace, cluster: Any) -> None:
    with open(shop.path / "el.yml", "a") as config:
        config.write("source_limits: {rows_per_second: 4000}\n")
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        victims = sorted(client.run(os.getpid).values())[:1]

    class Killing(Silent):
        def progress(self, table: str, rows: int, size: int) -> None:
            # Told by a thread for each slice; one of them finds the victim.
            with suppress(IndexError):
                if rows > 0:
                    os.kill(victims.pop(), signal.SIGKILL)

    report = run(job(cluster, select=("events",)), Killing())
    assert not victims
    assert report.exit_code == 0, report
    events_are_whole(shop)


@pytest.fixture
def heard() -> Iterator[None]:
    """A shell has what it begins in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_an_interrupt_stops_what_the_workers_read(shop: Workspace, cluster: Any) -> None:
    with open(shop.path / "el.yml", "a") as config:
        config.write("source_limits: {rows_per_second: 800}\n")

    class Interrupting(Silent):
        def progress(self, table: str, rows: int, size: int) -> None:
            if rows > 0 and not interrupted:
                interrupted.append(time.monotonic())
                os.kill(os.getpid(), signal.SIGINT)

    interrupted: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        run(job(cluster, select=("events",)), Interrupting())
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        while any(client.processing().values()):
            assert time.monotonic() - interrupted[0] < 20
            time.sleep(0.1)
    assert not list(shop.path.glob(".el/*/spool/*"))


def test_a_worker_that_does_not_share_the_folder_is_one_line_before_anything_is_read(
    shop: Workspace, cluster: Any
) -> None:
    # The same path is another folder for each process.
    with pytest.raises(ConfigError) as found:
        run(job(cluster, home=Path("/proc/self/cwd/.el")), Silent())
    said = str(found.value)
    assert "does not see /proc/self/cwd/.el/" in said
    assert said.endswith("EL_HOME has to be a folder that all workers share, under the same path")
    assert "\n" not in said
    assert not list(shop.path.glob(".el/*/spool/*"))


def test_a_worker_of_another_version_is_one_line(
    shop: Workspace, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "__version__", "999.9")
    with pytest.raises(ConfigError, match=r"^dask://\S+: worker \S+ has el \S+, and this is 999\.9$"):
        run(job(cluster), Silent())


def test_a_scheduler_that_does_not_answer_is_one_line(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        scheduler_address = "tcp://127.0.0.1:1"

    monkeypatch.setattr(engines, "_CONNECT", 1)
    with pytest.raises(ConnectError, match=r"^dask://127\.0\.0\.1:1: no scheduler answers"):
        run(job(Away()), Silent())


def test_a_cluster_that_has_no_worker_any_more_is_one_line_and_no_wait_for_ever(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines.Dask, "patience", 1)
    monkeypatch.setattr(elsewhere, "_BEAT", 0.2)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        report = run(job(cluster, select=("events",)), Silent())
    assert report.exit_code == 1
    said = str(report.tables[0].error)
    assert re.fullmatch(
        r"sales\.events: dask://\S+: no worker was there for \d+ seconds; start one, and run again", said
    )
