"""What codegen costs on many tables: `python benchmarks/codegen.py [--tables 500]`.

It makes a source of so many small tables in DuckDB, then times `el run`, `el codegen`, `dbt parse`, the first `dbt run`
and a second one with nothing new; and shows how the second one's queries are kept from the loads that were taken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
EL_YML = 'version: 1\nsource: shop\ndestination: warehouse\ntables:\n  - {name: "main.*"}\n'
DBT = Path(sys.executable).parent / "dbt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=500)
    tables = parser.parse_args().tables
    with tempfile.TemporaryDirectory(prefix="el_codegen_") as folder:
        work = Path(folder)
        prepare(work, tables)
        el = [sys.executable, "-m", "el"]
        dbt = ["--project-dir", "dbt_project", "--profiles-dir", "."]
        timed(work, f"el run, {tables} tables", *el, "run", "--progress", "none")
        timed(work, "el codegen", *el, "codegen")
        timed(work, "el codegen --check, nothing to write", *el, "codegen", "--check")
        timed(work, "dbt parse, from nothing", str(DBT), "parse", "--no-partial-parse", *dbt)
        timed(work, "dbt parse, nothing changed", str(DBT), "parse", *dbt)
        timed(work, "dbt run, first", str(DBT), "run", *dbt)
        timed(work, "dbt run, nothing new", str(DBT), "run", *dbt)
        compiled = work / "dbt_project" / "target" / "run" / "el" / "models" / "main" / "t000.sql"
        print(f"nothing new is one row less in el_window, by which raw is filtered ({tables} models alike):")
        explain(work, compiled.parents[4] / "compiled" / "el" / "models" / "main" / "t000.sql")


def prepare(work: Path, tables: int) -> None:
    """A source of small tables, each with a key, a reference to the one before, a unique and a check."""
    (work / "local").mkdir()
    (work / "el.yml").write_text(EL_YML)
    shutil.copy(ROOT / "profiles.example.yml", work / "profiles.yml")
    ignored = shutil.ignore_patterns("target", "logs", "sales", "staging")
    shutil.copytree(ROOT / "dbt_project", work / "dbt_project", ignore=ignored)
    with duckdb.connect(str(work / "local" / "shop.duckdb")) as source:
        for number in range(tables):
            parent = f" REFERENCES t{number - 1:03d} (id)" if number else ""
            source.execute(
                f"CREATE TABLE t{number:03d} (id INTEGER PRIMARY KEY, code VARCHAR NOT NULL UNIQUE, "
                f"parent INTEGER{parent}, amount DECIMAL(12, 2) CHECK (amount >= 0), noted_on TIMESTAMP NOT NULL)"
            )
            source.execute(
                f"INSERT INTO t{number:03d} SELECT i, 'c' || i, i, i, TIMESTAMP '2024-01-01' FROM range(10) AS r (i)"
            )


def timed(work: Path, what: str, *command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    started = time.monotonic()
    done = subprocess.run(command, cwd=work, env=environment, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{what} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    print(f"{what:40s} {time.monotonic() - started:8.1f} s", flush=True)


def explain(work: Path, path: Path) -> None:
    """How many raw rows the model's query reads when nothing is new, of those that are there."""
    with duckdb.connect(str(work / "local" / "warehouse.duckdb")) as warehouse:
        (there,) = warehouse.execute("SELECT count(*) FROM shop_main.t000").fetchone() or (0,)
        (new,) = warehouse.execute(f"SELECT count(*) FROM ({path.read_text()})").fetchone() or (0,)
    print(f"  {new} of {there} raw rows come through")


if __name__ == "__main__":
    main()
