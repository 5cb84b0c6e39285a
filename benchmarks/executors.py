"""How fast `python -m el run` takes the parts of one table by threads and by processes, as ratios within one run.

    python benchmarks/executors.py --server mysql --rows 3000000    # a MariaDB that is started for it, or a PostgreSQL
    EL_TEST_SQLSERVER="host=...,port=1433,user=...,password=...,database=bench,trust_cert=true" \\
        python benchmarks/executors.py --server sqlserver

The table is that of `extract.py`, in `--partitions` parts that each see a moment of their own, into DuckDB. Each way
is a process of its own with `--at-once` reads at a time. Prints the seconds of reading alone and of the whole run, the
processor's of all its processes, their peak memory together, and the ratios to threads. With `--busy` the program that
begins the run has a thread that computes in Python all the time, as an orchestrator or a notebook may.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# A script's own folder is where Python looks first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.extract import OUTPUT, configure_el, server_of, warehouse_of
from benchmarks.measured import ran


@contextmanager
def memory_of_children() -> Iterator[list[float]]:
    """The most that what is begun inside had together (MB); a page that two of them share counts once."""
    import psutil

    before = {each.pid for each in psutil.Process().children(recursive=True)}
    most, done = [0.0], threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            total = 0
            for each in psutil.Process().children(recursive=True):
                if each.pid not in before:
                    with suppress(psutil.Error):
                        total += each.memory_full_info().pss
            most[0] = max(most[0], total / 1024 / 1024)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def configure(table: str, folder: Path, output: dict[str, Any], partitions: int) -> None:
    import yaml

    with warehouse_of("el") as warehouse:
        configure_el(table, folder, output, warehouse)
    path = folder / "el.yml"
    config = yaml.safe_load(path.read_text())
    config["tables"][0] |= {"partition_by": "l_orderkey", "partitions": partitions, "isolation": "read_committed"}
    path.write_text(yaml.safe_dump(config))


BUSY = """
import sys, threading
def compute():
    while True:
        sum(range(1000))
threading.Thread(target=compute, daemon=True).start()
from el.cli.app import leave, main
leave(main(sys.argv[1:]))
"""


def measure(way: str, table: str, output: dict[str, Any], arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds, of it those of reading, the processor's, and peak memory (MB) of one way; counts checked."""
    where = f"processes:{arguments.at_once}" if way == "processes" else "threads"
    workers = "1" if way == "one thread" else str(arguments.at_once)
    program = ["-c", BUSY] if arguments.busy else ["-m", "el"]
    command = [sys.executable, *program, "run", "--json", "--executor", where, "--workers", workers]
    rows = int(table.rpartition("_")[2])
    with tempfile.TemporaryDirectory(prefix="el-bench-") as folder:
        configure(table, Path(folder), output, arguments.partitions)
        with memory_of_children() as most:
            found, out = ran(way, command, Path(folder), {OUTPUT: json.dumps(output)})
    # el itself counts the rows where it brings them.
    (told,) = json.loads(out)["tables"]
    if told["rows"] != rows:
        sys.exit(f"{way} brought {told['rows']:,} of {rows:,} rows")
    return {**found, "mb": most[0], "read": told["seconds"]}


WAYS = ("threads", "processes", "one thread")


def show(rounds: Sequence[dict[str, dict[str, float]]], ways: Sequence[str]) -> None:
    for way in ways:
        read, seconds, cpu, mb = (
            statistics.median(each[way][name] for each in rounds) for name in ("read", "seconds", "cpu", "mb")
        )
        print(
            f"{way:10} read in {read:6.1f} s, whole run {seconds:6.1f} s, {cpu:6.1f} s of processor, {mb:5.0f} MB peak"
        )
    for way in (way for way in ways if way != "threads" and "threads" in ways):
        print(f"{way} / threads:", end="")
        for name in ("read", "seconds", "cpu", "mb"):
            ratios = [each[way][name] / each["threads"][name] for each in rounds]
            print(f" {name} {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", end="")
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="mysql", choices=("sqlserver", "mysql", "postgres"))
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--at-once", type=int, default=2, help="reads at a time: threads, or processes")
    parser.add_argument("--busy", action="store_true", help="beside a thread that computes in Python")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the medians are printed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    server = server_of(arguments.server)
    with server.running() as output:
        os.environ[OUTPUT] = json.dumps(output)
        table = server.make(arguments.rows)
        rounds = [
            {
                way: measure(way, table, output, arguments)
                for way in (arguments.ways if number % 2 == 0 else reversed(arguments.ways))
            }
            for number in range(arguments.repeat)
        ]
    print(f"{arguments.rows:,} rows in {arguments.partitions} parts, median of {arguments.repeat}")
    show(rounds, arguments.ways)


if __name__ == "__main__":
    main()
