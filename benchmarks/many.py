"""Runs of many small tables: a first load, one that looks again at the rows of its bound, one in which nothing is new,
and one in which a tenth of the tables has news.

    python benchmarks/many.py [--tables 1000] [--columns 12] [--rows 20]
    python benchmarks/many.py --tables 2 --columns 900

Each is `python -m el.run` as a process of its own, out of a DuckDB file into another one: what is left is what el and
dlt do for each table, and no server's work. Prints seconds after the start (what the imports of a run take, told
beside), the processor's, peak memory, and milliseconds a table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
import yaml

from benchmarks.measured import ran

RUN = [sys.executable, "-m", "el.run", "--progress", "none"]


def make(folder: Path, tables: int, columns: int, rows: int) -> None:
    """The source, and what el reads of it."""
    names = [f"c{number}" for number in range(columns - 2)]
    with duckdb.connect(str(folder / "shop.duckdb")) as source:
        source.execute("CREATE SCHEMA sales")
        for number in range(tables):
            declared = ", ".join(f"{name} VARCHAR" for name in names)
            values = ", ".join(f"'{name} of ' || r" for name in names)
            source.execute(f"CREATE TABLE sales.t{number} (id INTEGER PRIMARY KEY, updated_at TIMESTAMP, {declared})")
            source.execute(
                f"INSERT INTO sales.t{number} "
                f"SELECT r, TIMESTAMP '2024-01-01' + INTERVAL (r) DAY, {values} FROM range({rows}) AS t(r)"
            )
    outputs = {
        "shop": {"type": "duckdb", "path": str(folder / "shop.duckdb"), "read_only": True},
        "warehouse": {"type": "duckdb", "path": str(folder / "warehouse.duckdb")},
    }
    profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in outputs.items()}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    tables_of = [{"name": "sales.*", "cursor": "updated_at"}]
    config = {"version": 1, "source": "shop", "destination": "warehouse", "tables": tables_of}
    (folder / "el.yml").write_text(yaml.safe_dump(config))


def change(folder: Path, tables: int, rows: int) -> None:
    with duckdb.connect(str(folder / "shop.duckdb")) as source:
        for number in range(0, tables, 10):
            source.execute(
                f"UPDATE sales.t{number} SET updated_at = TIMESTAMP '2034-01-01' WHERE id = {rows - 1}",
            )


def count(folder: Path) -> int:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as warehouse:
        row = warehouse.execute("SELECT sum(row_count) FROM shop_sales._el_ledger").fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--rows", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="el-bench-") as made:
        folder = Path(made)
        make(folder, options.tables, options.columns, options.rows)
        start, _ = ran("start", [sys.executable, "-c", "import el.pipeline, el.cli.run, dlt"], folder, {})
        print(f"{options.tables:,} tables of {options.columns} columns and {options.rows} rows", flush=True)
        print(f"{'start':12} {start['seconds']:7.1f} s {start['cpu']:7.1f} s of processor", flush=True)
        for name in ("first load", "looks again", "nothing new", "some news"):
            if name == "some news":
                change(folder, options.tables, options.rows)
            held = count(folder) if name != "first load" else 0
            found, _ = ran(name, RUN, folder, {})
            after = found["seconds"] - start["seconds"]
            each = 1000 * after / options.tables
            print(
                f"{name:12} {after:7.1f} s {found['cpu']:7.1f} s of processor {found['mb']:6.0f} MB peak "
                f"{each:7.1f} ms a table, {count(folder) - held:,} rows",
                flush=True,
            )


if __name__ == "__main__":
    main()
