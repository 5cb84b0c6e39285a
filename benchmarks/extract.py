"""How fast `python -m el.run` moves a table from a server into DuckDB, as ratios within one run.

    EL_TEST_SQLSERVER="host=...,port=1433,user=...,password=...,database=bench,trust_cert=true" \\
        python benchmarks/extract.py --rows 3000000
    python benchmarks/extract.py --server mysql --rows 1000000      # a MariaDB that is started for it, or a PostgreSQL

Makes `bench.lineitem_<rows>` (TPC-H's lineitem: 16 columns) where it is not there yet, then takes it four ways, each
in a process of its own: the bare driver draining the same query; el into DuckDB; `el-stage`, el into the stand-in for
Snowflake; and dlt's own `sql_table` with its pyarrow backend. The stand-in is another process: what counts of
`el-stage` is el's own processor time, for reading, landing, hashing and PUT, not its rate. Prints rows/s, the client's
processor time, peak memory, and the ratios. Absolute figures are this machine's; the ratios are the point, those of
processor time where others work on the machine too. `--pin` holds the server to one processor and the ways to another.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def configure_el(table: str, folder: Path, output: dict[str, Any], warehouse: dict[str, Any]) -> None:
    """What `python -m el.run` reads, in `folder`."""
    import yaml

    profiles = {
        "bench": {"target": "it", "outputs": {"it": output}},
        "warehouse": {"target": "it", "outputs": {"it": warehouse}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    config = {"version": 1, "source": "bench", "destination": "warehouse", "tables": [{"name": f"bench.{table}"}]}
    (folder / "el.yml").write_text(yaml.safe_dump(config))


@contextmanager
def warehouse_of(way: str) -> Iterator[dict[str, Any]]:
    """The profile output of where el brings the rows. el itself counts them there."""
    if way == "el":
        yield {"type": "duckdb", "path": "warehouse.duckdb"}
        return
    from tests.standins.snowflake import SnowflakeStandIn

    with SnowflakeStandIn() as standin:
        yield standin.dbt_output()


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


WAYS = ("drain", "el", "el-stage", "dlt")


def brought_here(server: ModuleType, way: str, table: str) -> int:
    """`el` is its own command, and has no function here."""
    return int(server.drain(table) if way == "drain" else with_dlt(server.sqlalchemy_url(), table))


def measure(name: str, way: str, table: str, output: dict[str, Any]) -> dict[str, Any]:
    """Seconds, the processor's, rows/s and peak memory (MB) of one way in a process of its own, counts checked."""
    rows = int(table.rpartition("_")[2])
    with tempfile.TemporaryDirectory(prefix="el-bench-") as folder:
        if way.startswith("el"):
            with warehouse_of(way) as warehouse:
                configure_el(table, Path(folder), output, warehouse)
                found, out = ran(way, [sys.executable, "-m", "el.run", "--json"], Path(folder), {})
        else:
            command = [sys.executable, __file__, "--server", name, "--way", way, "--table", table]
            found, out = ran(way, command, Path(folder), {OUTPUT: json.dumps(output)})
    brought = json.loads(out.splitlines()[-1])["rows"]
    if brought != rows:
        sys.exit(f"{way} brought {brought:,} of {rows:,} rows")
    return {**found, "rate": rows / found["seconds"]}


def pin(pids: list[int]) -> None:
    """Hold the server's processes, these and those that were started here, to the first processor, and the ways to the
    second."""
    first, second, *_ = sorted(os.sched_getaffinity(0))
    own = str(os.getpid())
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(process.name) in pids or f"\nPPid:\t{own}\n" in (process / "status").read_text():
                subprocess.run(["taskset", "-a", "-c", "-p", str(first), process.name], check=True, capture_output=True)
    os.sched_setaffinity(0, {second})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="sqlserver", choices=("sqlserver", "mysql", "postgres"))
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the medians are printed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--pin", type=int, nargs="*", metavar="PID", help="and these processes, of the server's, too")
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
        if arguments.pin is not None:
            pin(arguments.pin)
        rounds = [
            {way: measure(arguments.server, way, table, output) for way in arguments.ways}
            for _ in range(arguments.repeat)
        ]
    print(f"{arguments.rows:,} rows, median of {arguments.repeat}; whole processes, start-up included")
    show(rounds, arguments.ways, "rows")


if __name__ == "__main__":
    main()
