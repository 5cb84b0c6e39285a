"""What dbt asks of Snowflake: statements, and those that need a running warehouse, at the stand-in.

    python benchmarks/statements_dbt.py [--tables 100] [--columns 20] [--news 5]

The first build of all models without tests, one in which `--news` tables have news, built whole and by
`python -m el changed`, and one with nothing new; then all tests, and builds with the tests of what has news.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"

import duckdb

from benchmarks.statements import Shop
from tests.dbt.project import DBT, ROOT, copy_project
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.snowflake.warehouse import needs_warehouse


class Built(Shop):
    """The shop with a dbt project of its own."""

    def generate(self) -> None:
        copy_project(self.folder, generated=False)
        self.call(sys.executable, "-m", "el", "codegen")

    def news(self, day: int, tables: int) -> None:
        """A row more in each of the first so many tables."""
        with duckdb.connect(str(self.folder / "shop.duckdb")) as source:
            for number in range(tables):
                source.execute(
                    f"INSERT INTO sales.t{number} (id, updated_at) VALUES ({day}, TIMESTAMP '2024-01-{day:02d}')"
                )

    def build(self, *arguments: str) -> str:
        """`dbt run`, and what it asked."""
        return self.dbt("run", *arguments)

    def dbt(self, *command: str) -> str:
        """What a dbt command asked."""
        before = len(self.server.queries)
        self.call(str(DBT), "--quiet", *command, "--project-dir", "dbt_project", "--profiles-dir", ".")
        return self.asked(before)

    def asked(self, before: int) -> str:
        asked = [(query.sql, query.bindings) for query in self.server.queries if not query.error]
        began = sum(1 for query in self.server.queries[:before] if not query.error)
        needed = sum(list(needs_warehouse(asked))[began:])
        return f"{len(self.server.queries) - before:6,} statements {needed:6,} need a warehouse"

    def changed(self) -> tuple[list[str], str]:
        """`python -m el changed`: the models that it names, and what it asked."""
        before = len(self.server.queries)
        return self.call(sys.executable, "-m", "el", "changed", codes=(0, 5)).split(), self.asked(before)

    def call(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "EL_"))}
        environment |= {"PYTHONPATH": str(ROOT), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        done = subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True, check=False)
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--news", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, SnowflakeStandIn() as server:
        shop = Built(Path(folder), server, options.tables, options.columns)
        shop.call(sys.executable, "-m", "el", "run", "--progress", "none")
        shop.generate()
        print(f"first build           {shop.build()}")
        for day, how in ((2, "whole"), (3, "by changed")):
            shop.news(day, options.news)
            shop.call(sys.executable, "-m", "el", "run", "--progress", "none")
            models, asked = shop.changed() if how == "by changed" else ([], "")
            if asked:
                print(f"changed               {asked}")
            print(f"{options.news} with news, {how:10} {shop.build(*(['--select', *models] if models else []))}")
        print(f"nothing new, whole    {shop.build()}")
        models, asked = shop.changed()
        assert models == []
        print(f"nothing new, changed  {asked}")
        print(f"all tests             {shop.dbt('test')}")
        hourly = ("build", "--vars", "{el_tests: changed}")
        shop.news(4, options.news)
        shop.call(sys.executable, "-m", "el", "run", "--progress", "none")
        print(f"{options.news} with news, hourly     {shop.dbt(*hourly)}")
        print(f"nothing new, hourly   {shop.dbt(*hourly)}")


if __name__ == "__main__":
    main()
