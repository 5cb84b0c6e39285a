"""A workspace for tests of whole runs: a small DuckDB source, a DuckDB warehouse, el.yml, profiles.yml."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from tests.steps import Step, run_in_process

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

    def run(self, *arguments: str, stop_at: Step | int | None = None, by: signal.Signals = signal.SIGKILL) -> int:
        """`python -m el run` in a process of its own, sent the signal `by` at a step; its exit code."""
        return run_in_process(self.path, arguments, stop_at, by)


def from_duckdb_into(warehouse: dict[str, Any], entry: str) -> None:
    """Write profiles.yml and el.yml into the working folder: one table, of shop.duckdb, into this output."""
    profiles = {
        "shop": {"target": "t", "outputs": {"t": {"type": "duckdb", "path": "shop.duckdb", "read_only": True}}},
        "warehouse": {"target": "t", "outputs": {"t": warehouse}},
    }
    Path("profiles.yml").write_text(yaml.safe_dump(profiles))
    Path("el.yml").write_text(
        f"version: 1\nsource: shop\ndestination: warehouse\ndefaults: {{workers: 1, retries: 0}}\ntables: [{entry}]\n"
    )


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in `folder`, then return."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
