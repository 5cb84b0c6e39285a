"""python benchmarks/verify.py: what `verify` costs beside a load of the same rows, in the same run on this machine.

The source is a DuckDB file, which reads faster than a server does: against a real one the ratios are better, for
the read is what costs there. Each way is a process of its own: its time, its processor's, its peak memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measured import ran

WAYS = {
    "load": ["run", "--progress", "none"],
    "both sides read": ["verify"],
    "digest in the warehouse": ["verify", "--in-warehouse"],
    # What it goes on from is the comparison before it.
    "keys, and a sixteenth": ["verify"],
}
ROLLING = "keys, and a sixteenth"
COLUMNS = ", ".join(
    f"'text of column {n} ' || i % {1000 + n} AS t{n}, (i * {n + 7} / 100)::DECIMAL(18, 2) AS d{n}" for n in range(7)
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=3_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="el-bench-") as name:
        folder = Path(name)
        with duckdb.connect(str(folder / "shop.duckdb")) as source:
            source.execute(
                f"CREATE TABLE t AS SELECT i AS id, TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS seen, {COLUMNS} "
                f"FROM range({rows}) AS g (i)"
            )
        (folder / "profiles.yml").write_text(
            "shop: {target: l, outputs: {l: {type: duckdb, path: shop.duckdb, read_only: true}}}\n"
            "warehouse: {target: l, outputs: {l: {type: duckdb, path: warehouse.duckdb}}}\n"
        )
        settings = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {workers: 1}\n"
        print(f"{rows:,} rows of 16 columns")
        load = 0.0
        for way, arguments in WAYS.items():
            rolls = ", verify: {every: 0s, share: 1/16}" if way == ROLLING else ""
            (folder / "el.yml").write_text(f"{settings}tables: [{{name: main.t, key: [id], cursor: seen{rolls}}}]\n")
            found, _ = ran(way, [sys.executable, "-m", "el", *arguments], folder, {})
            load = load or found["seconds"]
            print(
                f"{way:24} {found['seconds']:6.1f} s {found['cpu']:6.1f} s of processor {found['mb']:5.0f} MB peak, "
                f"{found['seconds'] / load:.2f} of the load"
            )


if __name__ == "__main__":
    main()
