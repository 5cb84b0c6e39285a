"""python benchmarks/digest.py: what the digest of each load costs, on this machine, with and without it in one run.

The source is a DuckDB file, which costs less than a server does: of a load from a real one the digest is a smaller
part. Each load is a process of its own. The stand-in for Snowflake is another process: what a warehouse does to sum
its rows up is not told by it, and neither is it part of these figures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measured import ran
from benchmarks.verify import COLUMNS
from tests.standins.snowflake import SnowflakeStandIn


def load(folder: Path, warehouse: dict[str, Any], *, digest: bool) -> dict[str, float]:
    profiles = {
        "shop": {"target": "l", "outputs": {"l": {"type": "duckdb", "path": "shop.duckdb", "read_only": True}}},
        "warehouse": {"target": "l", "outputs": {"l": warehouse}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    (folder / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\n"
        f"defaults: {{workers: 1, digest: {str(digest).lower()}}}\n"
        "tables: [{name: main.t, key: [id], cursor: seen}]\n"
    )
    command = [sys.executable, "-m", "el", "run", "--full-refresh", "--progress", "none"]
    return ran("load", command, folder, {})[0]


@contextmanager
def places(folder: Path, which: str) -> Iterator[dict[str, Any]]:
    if which == "duckdb":
        yield {"type": "duckdb", "path": "warehouse.duckdb"}
    else:
        with SnowflakeStandIn() as standin:
            yield standin.dbt_output()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warehouse", choices=("duckdb", "snowflake"), default="duckdb")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="el-bench-") as name, places(Path(name), asked.warehouse) as warehouse:
        folder = Path(name)
        with duckdb.connect(str(folder / "shop.duckdb")) as source:
            source.execute(
                f"CREATE TABLE t AS SELECT i AS id, TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS seen, {COLUMNS} "
                f"FROM range({asked.rows}) AS g (i)"
            )
        load(folder, warehouse, digest=False)
        found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
        for _ in range(asked.rounds):
            for digest, rounds in found.items():
                rounds.append(load(folder, warehouse, digest=digest))
        print(f"{asked.rows:,} rows of 16 columns into {asked.warehouse}, median of {asked.rounds}")
        named = ("seconds", "cpu", "mb")
        medians = {
            d: {each: statistics.median(r[each] for r in rounds) for each in named} for d, rounds in found.items()
        }
        for digest, each in medians.items():
            print(
                f"{'with' if digest else 'without'} digest {each['seconds']:6.1f} s {each['cpu']:6.1f} s of processor "
                f"{each['mb']:5.0f} MB peak"
            )
        for each in ("seconds", "cpu"):
            print(f"more {each}: {100 * (medians[True][each] / medians[False][each] - 1):.0f} %")


if __name__ == "__main__":
    main()
