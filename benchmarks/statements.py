"""What a run asks of Snowflake: statements, logins, and statements that need a running warehouse, at the stand-in.

    python benchmarks/statements.py [--tables 100] [--columns 20]

A first load of all tables, one in which all have news, one in which nothing is new. On an account each statement takes
0.1 s and more, a login with a key pair 0.5 to 1 s, and a warehouse that wakes up is paid for 60 s at least.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

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

    def __str__(self) -> str:
        return f"{self.statements:6,} statements {self.logins:4} logins {self.need_warehouse:6,} need a warehouse"


class Shop:
    """A source of `tables` tables of `columns` columns, and a stand-in to load it into."""

    def __init__(self, folder: Path, server: SnowflakeStandIn, tables: int, columns: int) -> None:
        self.folder, self.server, self.tables = folder, server, tables
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

    def change(self, day: int) -> None:
        """A row more in each table."""
        with duckdb.connect(str(self.folder / "shop.duckdb")) as source:
            for number in range(self.tables):
                source.execute(
                    f"INSERT INTO sales.t{number} (id, updated_at) VALUES ({day}, TIMESTAMP '2024-01-{day:02d}')"
                )

    def run(self) -> Asked:
        """`python -m el run` here, and what it asked."""
        from el.cli.app import main

        queries, logins, before = len(self.server.queries), len(self.server.logins), Path.cwd()
        os.chdir(self.folder)
        try:
            code = main(["run", "--json", "--progress", "none"])
        finally:
            os.chdir(before)
        assert code == 0
        asked = [query for query in self.server.queries if not query.error]
        needed = list(needs_warehouse([(query.sql, query.bindings) for query in asked]))
        began = sum(1 for query in self.server.queries[:queries] if not query.error)
        return Asked(len(self.server.queries) - queries, len(self.server.logins) - logins, sum(needed[began:]))

    def runs(self) -> dict[str, Asked]:
        """A first load, one with news in all tables, and two with nothing new, of which the second is told."""
        found = {"first load": self.run()}
        self.change(2)
        found["all have news"] = self.run()
        self.run()
        found["nothing new"] = self.run()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--log", help="a file for all statements, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, SnowflakeStandIn() as server:
        shop = Shop(Path(folder), server, options.tables, options.columns)
        out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
        found: dict[str, Any] = shop.runs()
        sys.stdout = out
        for name, asked in found.items():
            print(f"{name:15} {asked}")
        if options.log:
            Path(options.log).write_text(json.dumps(server.queries, indent=1))


if __name__ == "__main__":
    main()
