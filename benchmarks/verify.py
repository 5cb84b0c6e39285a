"""python benchmarks/verify.py: what `verify` costs beside a bare read and a load of the same rows, in the same run.

    python benchmarks/verify.py --rows 500000 3000000
    python benchmarks/verify.py --rows 500000 --server postgres     # a PostgreSQL that is started for it, or mysql

The bare read is the source's own driver in a process of its own, every row thrown away; of a DuckDB file, as Arrow. A
DuckDB file reads many times faster than a server does, so with it the ratio to the bare read is that of el's own work
alone; with a server the read is what costs. Each way is a process of its own: its time, its processor's, its peak
memory. Where others work on the machine too, the ratios of processor time are the steadier ones.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.extract import OUTPUT, server_of
from benchmarks.measured import ran

LOAD = "load"
WAYS = {
    LOAD: ["run", "--progress", "none"],
    "both sides read": ["verify"],
    "digest in the warehouse": ["verify", "--in-warehouse"],
    # What it goes on from is the comparison before it.
    "keys, and a sixteenth": ["verify"],
}
ROLLING = "keys, and a sixteenth"
COLUMNS = ", ".join(
    f"'text of column {n} ' || i % {1000 + n} AS t{n}, (i * {n + 7} / 100)::DECIMAL(18, 2) AS d{n}" for n in range(7)
)
FILE = "shop.duckdb"


def file_of(rows: int) -> None:
    with duckdb.connect(FILE) as source:
        source.execute(
            f"CREATE TABLE t AS SELECT i AS id, TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS seen, {COLUMNS} "
            f"FROM range({rows}) AS g (i)"
        )


def drain_file() -> int:
    with duckdb.connect(FILE, read_only=True) as source:
        return sum(batch.num_rows for batch in source.sql("FROM t").to_arrow_reader(65_536))


def drain(server: str, table: str) -> int:
    return drain_file() if server == "duckdb" else int(server_of(server).drain(table.partition(".")[2]))


@contextmanager
def source_of(server: str, rows: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """A source with so many rows: its profile's output, and its table in el.yml."""
    if server == "duckdb":
        file_of(rows)
        yield {"type": "duckdb", "path": FILE, "read_only": True}, {"name": "main.t", "key": ["id"], "cursor": "seen"}
        return
    with server_of(server).running() as output:
        os.environ[OUTPUT] = json.dumps(output)
        table = f"bench.{server_of(server).make(rows)}"
        yield output, {"name": table, "key": ["l_orderkey", "l_linenumber"], "cursor": "l_orderkey"}


def configure(output: dict[str, Any], table: dict[str, Any]) -> None:
    outputs = {"shop": output, "warehouse": {"type": "duckdb", "path": "warehouse.duckdb"}}
    profiles = {name: {"target": "l", "outputs": {"l": each}} for name, each in outputs.items()}
    Path("profiles.yml").write_text(yaml.safe_dump(profiles))
    config = {"version": 1, "source": "shop", "destination": "warehouse", "defaults": {"workers": 1}}
    Path("el.yml").write_text(yaml.safe_dump({**config, "tables": [table]}))


def measure(server: str, rows: int) -> None:
    """In the working folder."""
    with source_of(server, rows) as (output, table):
        configure(output, table)
        name = "bare read"
        command = [sys.executable, str(Path(__file__).resolve()), "--server", server, "--drain", str(table["name"])]
        found = {name: ran(name, command, Path.cwd(), {})[0]}
        for way, arguments in WAYS.items():
            rolls = {"verify": {"every": "0s", "share": "1/16"}} if way == ROLLING else {}
            configure(output, {**table, **rolls})
            found[way], _ = ran(way, [sys.executable, "-m", "el", *arguments], Path.cwd(), {})
    print(f"{server}: {rows:,} rows of 16 columns; by processor time in brackets")
    for way, each in found.items():
        beside = ", ".join(
            f"{each['seconds'] / found[other]['seconds']:.2f} ({each['cpu'] / found[other]['cpu']:.2f}) of the {other}"
            for other in (name, LOAD)
        )
        cost = f"{each['seconds']:6.1f} s {each['cpu']:6.1f} s of processor {each['mb']:5.0f} MB peak"
        print(f"{way:24} {cost}, {beside}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 3_000_000])
    parser.add_argument("--server", default="duckdb", choices=("duckdb", "postgres", "mysql", "sqlserver"))
    parser.add_argument("--drain", metavar="TABLE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.drain:
        print(drain(arguments.server, arguments.drain))
        return
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="el-bench-") as folder:
            os.chdir(folder)
            measure(arguments.server, rows)
            os.chdir(Path(folder).parent)


if __name__ == "__main__":
    main()
