"""A workspace for tests of whole runs: a small DuckDB source, a DuckDB warehouse, el.yml, profiles.yml."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
tables:
  - {name: "sales.*"}
  - {name: sales.orders, cursor: updated_at}
"""

PROFILES = """\
shop: {target: local, outputs: {local: {type: duckdb, path: shop.duckdb, read_only: true}}}
warehouse: {target: local, outputs: {local: {type: duckdb, path: warehouse.duckdb}}}
"""

SHOP = """
CREATE SCHEMA sales;
CREATE TABLE sales.orders (
    id INTEGER PRIMARY KEY, note VARCHAR, amount DECIMAL(12, 2), updated_at TIMESTAMP
);
INSERT INTO sales.orders
    SELECT i, 'order ' || i, i * 1.25, TIMESTAMP '2024-01-01' + INTERVAL (i) MINUTE FROM range(3000) AS t (i);
CREATE TABLE sales.lines (order_id INTEGER, line_no INTEGER, price DOUBLE, PRIMARY KEY (order_id, line_no));
INSERT INTO sales.lines SELECT i // 3, i % 3, i / 7 FROM range(9000) AS t (i);
CREATE TABLE sales.nothing (a INTEGER, b VARCHAR);
"""


@dataclass(frozen=True)
class Workspace:
    """A folder with all that a run needs."""

    path: Path

    def create(self) -> Workspace:
        (self.path / "el.yml").write_text(EL_YML)
        (self.path / "profiles.yml").write_text(PROFILES)
        self.source(SHOP)
        return self

    def source(self, sql: str) -> None:
        with duckdb.connect(str(self.path / "shop.duckdb")) as connection:
            connection.execute(sql)

    def warehouse(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    def complete(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """The rows of complete loads of a raw table, in order."""
        return self.warehouse(
            f"SELECT {columns} FROM shop_sales.{table} AS t WHERE _dlt_load_id IN "
            "(SELECT load_id FROM shop_sales._dlt_loads WHERE status = 0) ORDER BY ALL"
        )

    def run(self, *arguments: str, stop_at: tuple[str, int] | None = None, by: signal.Signals = signal.SIGKILL) -> int:
        """`python -m el run` in a process of its own, sent the signal `by` at the nth time of a step; its exit code."""
        process = _server().Process(target=_child, args=(str(self.path), arguments, stop_at, None, by))
        process.start()
        process.join(timeout=120)
        assert process.exitcode is not None, "the run did not end"
        return process.exitcode

    def steps(self, *arguments: str) -> list[tuple[str, int]]:
        """Every step of a run, as (name, nth time), found by running it once."""
        log = self.path / "steps.log"
        process = _server().Process(target=_child, args=(str(self.path), arguments, None, str(log)))
        process.start()
        process.join(timeout=120)
        seen: dict[str, int] = {}
        found = []
        for name in log.read_text().splitlines():
            seen[name] = seen.get(name, 0) + 1
            found.append((name, seen[name]))
        return found


def _server() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["el.cli", "tests.shop"])
    return context


def _child(
    folder: str,
    arguments: Sequence[str],
    stop_at: tuple[str, int] | None,
    log: str | None = None,
    by: signal.Signals = signal.SIGKILL,
) -> None:
    # A forked server ignores Ctrl-C; a command does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.pop("EL_TARGET", None)
    seen: dict[str, int] = {}
    lines = open(log, "a", buffering=1) if log else None  # noqa: SIM115

    def hook(event: str, args: tuple[Any, ...]) -> None:
        name = step_name(event, args)
        if name is None:
            return
        if lines is not None and not lines.closed:
            lines.write(name + "\n")
        seen[name] = seen.get(name, 0) + 1
        if stop_at == (name, seen[name]):
            os.kill(os.getpid(), by)

    sys.addaudithook(hook)
    from el.cli import main

    with open("output.log", "a") as output:
        sys.stdout = sys.stderr = output
        code = main(["run", "--progress", "log", *arguments])
    os._exit(code)


def step_name(event: str, args: tuple[Any, ...]) -> str | None:
    """el's own steps, and every move of a file inside its working folder, which is what dlt's progress consists of."""
    if event == "el.step":
        return str(args[0])
    if event == "os.rename" and ".el" in str(args[1]) and "/pipelines/" in str(args[1]):
        target = Path(str(args[1]))
        known = ("new_jobs", "started_jobs", "completed_jobs", "loaded", "extracted", "normalized", "pending")
        place = next((part for part in reversed(target.parts) if part in known), target.parent.name)
        # A folder that is named after its load has another name in every run.
        place = "package" if place.replace(".", "").isdigit() else place
        return f"file moved to {place}"
    return None


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in `folder`, then return."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
