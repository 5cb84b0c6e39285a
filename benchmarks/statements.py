"""What el and dbt ask of Snowflake: statements, logins, and statements that need a warehouse, at the stand-in.

    python benchmarks/statements.py [--tables 100] [--columns 20] [--models 100]

A first load of all tables, one in which all have news, one in which nothing is new; then the same of the models that
dbt makes of them. On an account each statement takes
0.1 s and more, a login with a key pair 0.5 to 1 s, and a warehouse that wakes up is paid for 60 s at least.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"

import duckdb
import yaml

from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.snowflake.warehouse import needs_warehouse

EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
tables:
  - {name: "sales.*", cursor: updated_at}
"""


class Asked(NamedTuple):
    """What one run asked."""

    statements: int
    logins: int
    need_warehouse: int


class Shop:
    """A source of `tables` tables of `columns` columns, and a stand-in to load it into."""

    def __init__(self, folder: Path, server: SnowflakeStandIn, tables: int, columns: int) -> None:
        self.folder, self.server, self.tables = folder, server, tables
        self.lines: list[tuple[str, tuple[int, int], tuple[int, int]]] = []
        profiles = {
            "shop": {"type": "duckdb", "path": str(folder / "shop.duckdb"), "read_only": True},
            "warehouse": server.dbt_output(),
        }
        outputs = {name: {"target": "it", "outputs": {"it": output}} for name, output in profiles.items()}
        (folder / "profiles.yml").write_text(yaml.safe_dump(outputs))
        (folder / "el.yml").write_text(EL_YML)
        further = ", ".join(f"c{number} INTEGER" for number in range(columns - 2))
        with duckdb.connect(str(folder / "shop.duckdb")) as source:
            source.execute("CREATE SCHEMA sales")
            for number in range(tables):
                source.execute(
                    f"CREATE TABLE sales.t{number} (id INTEGER PRIMARY KEY, updated_at TIMESTAMP, {further})"
                )
        self.change(1)

    def change(self, day: int, tables: int | None = None) -> None:
        """A row more in each table, or in so many of them."""
        with duckdb.connect(str(self.folder / "shop.duckdb")) as source:
            for number in range(self.tables if tables is None else tables):
                source.execute(
                    f"INSERT INTO sales.t{number} (id, updated_at) VALUES ({day}, TIMESTAMP '2024-01-{day:02d}')"
                )

    def run(self) -> None:
        """`python -m el run` here."""
        from el.cli.app import main

        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                code = main(["run", "--json", "--progress", "none"])
        finally:
            os.chdir(before)
        assert code == 0

    def runs(self) -> dict[str, Asked]:
        """A first load, one with news in all tables, and one with nothing new.

        The first with nothing new notes so, and by the second Snowflake has the answers of what was noted: the third
        is told, which is as all that follow.
        """
        with self.told("first load"):
            self.run()
        self.change(2)
        with self.told("all have news"):
            self.run()
        self.run()
        self.run()
        with self.told("nothing new"):
            self.run()
        return self.asked()

    @contextlib.contextmanager
    def told(self, name: str) -> Iterator[None]:
        """What is asked within has a line of its own."""
        began = len(self.server.queries), len(self.server.logins)
        yield
        self.lines.append((name, began, (len(self.server.queries), len(self.server.logins))))

    def asked(self) -> dict[str, Asked]:
        """The lines so far."""
        done = [not query.error for query in self.server.queries]
        answered = [(query.sql, query.bindings) for query in self.server.queries if not query.error]
        needed = iter(list(needs_warehouse(answered)))
        needs = [next(needed) if success else False for success in done]
        return {
            name: Asked(end[0] - began[0], end[1] - began[1], sum(needs[began[0] : end[0]]))
            for name, began, end in self.lines
        }


def main() -> None:
    from benchmarks.statements_dbt import Models

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--models", type=int, help="so many tables for dbt's part, which takes long; 0: leave it out")
    parser.add_argument("--log", help="a file for all statements of el's part, as JSON")
    options = parser.parse_args()
    models = options.tables if options.models is None else options.models
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, SnowflakeStandIn() as server:
        show(f"el run, {options.tables} tables", Shop(Path(folder), server, options.tables, options.columns).runs())
        if options.log:
            Path(options.log).write_text(json.dumps(server.queries, indent=1))
    if models:
        with tempfile.TemporaryDirectory() as folder, SnowflakeStandIn() as server:
            show(f"dbt, {models} tables", Models(Path(folder), server, models, options.columns).builds(5))


def show(title: str, lines: dict[str, Asked]) -> None:
    print(f"{title:35} {'statements':>10} {'logins':>8} {'need a warehouse':>18}")
    for name, asked in lines.items():
        print(f"  {name:33} {asked.statements:10,} {asked.logins:8,} {asked.need_warehouse:18,}", flush=True)


if __name__ == "__main__":
    main()
