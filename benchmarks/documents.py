"""How fast `python -m el run` takes documents of a store into DuckDB, as ratios within one run.

    python benchmarks/documents.py --server redis --documents 200000       # or mongodb

Fills a store of its own, which is started for it, with orders of some 450 bytes, then takes them three ways, each in a
process of its own: the bare driver draining them, el with three promoted fields, and dlt, which makes of each document
a dict and of it rows (the way of `load_documents` in dlt-hub/verified-sources, sources/mongodb/helpers.py: lists of
10,000 documents, ids and decimals as text). Prints documents/s, the client's processor time, peak memory, and the
ratios. At least 0.5 of the drain and 3 times dlt are wanted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

# A script's own folder is where Python looks first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measured import ran, show

OUTPUT = "EL_BENCH_OUTPUT"  # in the environment of a way: the store's profile output
WAYS = ("drain", "el", "dlt")
PROMOTE = {
    "total": {"path": "total", "type": "decimal(18,2)"},
    "customer": {"path": "customer.name", "type": "varchar"},
    "placed_at": {"path": "placed_at", "type": "timestamptz"},
}


def store_of(name: str) -> ModuleType:
    """`running`, `fill`, `drain`, `documents` and `TABLE` of a store, in benchmarks/servers."""
    return importlib.import_module(f"benchmarks.servers.{name}")


def order(number: int) -> dict[str, Any]:
    """A document with a bit of everything that JSON has."""
    return {
        "number": number,
        "total": (number * 37 % 10_494_950) / 100,
        "placed_at": f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}T10:00:{number % 60:02}Z",
        "paid": number % 3 == 0,
        "customer": {
            "name": f"Größe & Söhne {number % 977}",
            "address": {"city": "Köln", "zip": f"{number % 99999:05}"},
        },
        "tags": ["new", "export"][: number % 3],
        "note": None if number % 2 else "carefully final deposits",
        "lines": [{"item": f"I-{number % 4999}", "qty": n + 1, "price": n * 1.25} for n in range(number % 4)],
    }


def configure_el(store: ModuleType, folder: Path, output: dict[str, Any]) -> None:
    import yaml

    profiles = {
        "bench": {"target": "it", "outputs": {"it": output}},
        "warehouse": {"target": "it", "outputs": {"it": {"type": "duckdb", "path": "warehouse.duckdb"}}},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    tables = [{"name": store.TABLE, "promote": getattr(store, "PROMOTE", PROMOTE)}]
    config = {"version": 1, "source": "bench", "destination": "warehouse", "tables": tables}
    (folder / "el.yml").write_text(yaml.safe_dump(config))


def count_el(store: ModuleType, folder: Path) -> int:
    import duckdb

    schema, _, table = store.TABLE.partition(".")
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        sql = f"SELECT count(total), count(customer), count(placed_at), count(document) FROM bench_{schema}.{table}"
        found = connection.execute(sql).fetchone() or ()
    return int(found[0]) if len(set(found)) == 1 else -1


def with_dlt(store: ModuleType) -> int:
    import dlt

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

    @dlt.resource(name="orders")
    def orders() -> Iterator[list[dict[str, Any]]]:
        documents = store.documents()
        while some := list(islice(documents, 10_000)):
            yield some

    pipeline = dlt.pipeline("bench", pipelines_dir=".dlt", destination=dlt.destinations.duckdb("dlt.duckdb"))
    pipeline.run(orders(), dataset_name="raw")
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM raw.orders")
    return int(rows[0][0]) if rows else 0


def measure(name: str, way: str, count: int, output: dict[str, Any]) -> dict[str, float]:
    """Seconds, the processor's, documents/s and peak memory (MB) of one way in a process of its own, counts checked."""
    store = store_of(name)
    command = [sys.executable, __file__, "--server", name, "--way", way]
    with tempfile.TemporaryDirectory(prefix="el-bench-") as folder:
        if way == "el":
            configure_el(store, Path(folder), output)
            command = [sys.executable, "-m", "el", "run", "--progress", "none"]
        found, out = ran(way, command, Path(folder), {OUTPUT: json.dumps(output)})
        brought = count_el(store, Path(folder)) if way == "el" else json.loads(out.splitlines()[-1])["documents"]
    if brought != count:
        sys.exit(f"{way} brought {brought:,} of {count:,} documents")
    return {**found, "rate": count / found["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="redis", choices=("redis", "mongodb", "dynamodb"))
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the medians are printed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--way", choices=("drain", "dlt"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    store = store_of(arguments.server)
    if arguments.way:
        brought = store.drain() if arguments.way == "drain" else with_dlt(store)
        print(json.dumps({"documents": brought}))
        return
    with store.running() as output:
        os.environ[OUTPUT] = json.dumps(output)
        store.fill(order(number) for number in range(arguments.documents))
        rounds = [
            {way: measure(arguments.server, way, arguments.documents, output) for way in arguments.ways}
            for _ in range(arguments.repeat)
        ]
    print(f"{arguments.documents:,} documents, median of {arguments.repeat}; whole processes, start-up included")
    show(rounds, arguments.ways, "documents")


if __name__ == "__main__":
    main()
