"""How fast `python -m el.run` moves a table from a server into DuckDB, as ratios within one run.

    EL_TEST_SQLSERVER="host=...,port=1433,user=...,password=...,database=bench,trust_cert=true" \\
        python benchmarks/extract.py --rows 3000000
    python benchmarks/extract.py --server mysql --rows 1000000      # a MariaDB that is started for it, or a PostgreSQL

Makes `bench.lineitem_<rows>` (TPC-H's lineitem: 16 columns) where it is not there yet, then takes it three ways, each
in a process of its own: the bare driver draining the same query, el, and dlt's own `sql_table` with its pyarrow
backend. Prints rows/s, the client's processor time, peak memory, and the ratios. Absolute figures are this machine's;
the ratios are the point, those of processor time where others work on the machine too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

# A script's own folder is where Python looks first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measured import ran, show

OUTPUT = "EL_BENCH_OUTPUT"  # in the environment of a way: the source's profile output


def server_of(name: str) -> ModuleType:
    """`running`, `make`, `drain` and `sqlalchemy_url` of a server, in benchmarks/servers."""
    return importlib.import_module(f"benchmarks.servers.{name}")


def configure_el(table: str, folder: Path, output: dict[str, Any]) -> None:
    """What `python -m el.run` reads, in `folder`."""
    import yaml

    profiles = {
        "bench": {"target": "it", "outputs": {"it": output}},
        "warehouse": {"target": "it", "outputs": {"it": {"type": "duckdb", "path": "warehouse.duckdb"}}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    config = {"version": 1, "source": "bench", "destination": "warehouse", "tables": [{"name": f"bench.{table}"}]}
    (folder / "el.yml").write_text(yaml.safe_dump(config))


def count_el(table: str, folder: Path) -> int:
    import duckdb

    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute(f"SELECT count(*) FROM bench_bench.{table}").fetchone()
    return int(row[0]) if row else 0


def with_dlt(url: str, table: str) -> int:
    """dlt's own `sql_table`, pyarrow backend, into DuckDB."""
    import dlt
    from dlt.sources.sql_database import sql_table

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline("bench", pipelines_dir=".dlt", destination=dlt.destinations.duckdb("dlt.duckdb"))
    found = sql_table(url, table, schema="bench", backend="pyarrow", chunk_size=50_000)
    pipeline.run(found, loader_file_format="parquet", dataset_name="raw")
    with pipeline.sql_client() as client:
        rows = client.execute_sql(f"SELECT count(*) FROM raw.{table}")
    return int(rows[0][0]) if rows else 0


WAYS = ("drain", "el", "dlt")


def brought_here(server: ModuleType, way: str, table: str) -> int:
    """`el` is its own command, and has no function here."""
    return int(server.drain(table) if way == "drain" else with_dlt(server.sqlalchemy_url(), table))


def measure(name: str, way: str, table: str, output: dict[str, Any]) -> dict[str, Any]:
    """Seconds, the processor's, rows/s and peak memory (MB) of one way in a process of its own, counts checked."""
    command = [sys.executable, __file__, "--server", name, "--way", way, "--table", table]
    rows = int(table.rpartition("_")[2])
    with tempfile.TemporaryDirectory(prefix="el-bench-") as folder:
        if way == "el":
            configure_el(table, Path(folder), output)
            command = [sys.executable, "-m", "el.run", "--progress", "none"]
        found, out = ran(way, command, Path(folder), {OUTPUT: json.dumps(output)})
        brought = count_el(table, Path(folder)) if way == "el" else json.loads(out.splitlines()[-1])["rows"]
    if brought != rows:
        sys.exit(f"{way} brought {brought:,} of {rows:,} rows")
    return {**found, "rate": rows / found["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="sqlserver", choices=("sqlserver", "mysql", "postgres"))
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the medians are printed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--way", choices=("drain", "dlt"), help=argparse.SUPPRESS)
    parser.add_argument("--table", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    server = server_of(arguments.server)
    if arguments.way:
        print(json.dumps({"rows": brought_here(server, arguments.way, arguments.table)}))
        return
    with server.running() as output:
        os.environ[OUTPUT] = json.dumps(output)
        table = server.make(arguments.rows)
        rounds = [
            {way: measure(arguments.server, way, table, output) for way in arguments.ways}
            for _ in range(arguments.repeat)
        ]
    print(f"{arguments.rows:,} rows, median of {arguments.repeat}; whole processes, start-up included")
    show(rounds, arguments.ways, "rows")


if __name__ == "__main__":
    main()
