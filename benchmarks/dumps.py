"""How fast `python -m el run` takes CSV files, as ratios within one run.

    python benchmarks/dumps.py --mb 1000 --files 4

Makes files of TPC-H's kind (16 columns), then takes them in several ways, each in a process of its own: DuckDB's bare
read_csv into parquet and into a table, el's slices into landing parquet alone, el's check of files that Snowflake is to
read by itself, a whole run of el into DuckDB, and dlt's own filesystem source into DuckDB, of which a part of the files
is enough. Prints MB/s, peak memory, CPU, and ratios. Absolute figures are this machine's; the ratios are the point.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

ROWS = """
SELECT n // 4 + 1 AS l_orderkey, n * 7 % 200000 + 1 AS l_partkey, n * 13 % 10000 + 1 AS l_suppkey, n % 4 + 1 AS line,
    n % 50 + 1 AS quantity, ((n * 37 % 10494950) / 100.0 + 900)::DECIMAL(15, 2) AS price,
    ((n % 11) / 100.0)::DECIMAL(15, 2) AS discount, ((n % 9) / 100.0)::DECIMAL(15, 2) AS tax,
    substring('ANR', (n % 3)::INT + 1, 1) AS returnflag, substring('OF', (n % 2)::INT + 1, 1) AS linestatus,
    DATE '1992-01-02' + (n % 2526)::INT AS shipdate, DATE '1992-01-31' + (n % 2466)::INT AS commitdate,
    DATE '1992-01-04' + (n % 2554)::INT AS receiptdate, 'DELIVER IN PERSON' AS shipinstruct, 'TRUCK' AS shipmode,
    'carefully, "final" deposits ' || n AS comment
FROM range({start}, {end}) AS t (n)
"""
ROWS_OF_MB = 6_800


def make(folder: Path, mb: int, files: int) -> int:
    """The files; their size in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = mb * ROWS_OF_MB // files
    for number in range(files):
        path = folder / f"part_{number:03d}.csv"
        if not path.exists():
            query = ROWS.format(start=number * rows, end=(number + 1) * rows)
            duckdb.sql(f"COPY ({query}) TO '{path}' (HEADER)")
    return sum(path.stat().st_size for path in folder.glob("*.csv"))


DUCKDB = """
import duckdb, sys
names = [n for n in open(sys.argv[1] + "/part_000.csv").readline().strip().split(",")]
columns = {n: "VARCHAR" for n in names}
connection = duckdb.connect(sys.argv[2] + "/bare.duckdb")
connection.execute("SET memory_limit = '1GB'")
options = (f"columns={columns}, header=true, delim=',', quote='\\"', escape='\\"', comment='', auto_detect=false, "
           "allow_quoted_nulls=false")
scan = f"read_csv('{sys.argv[1]}/*.csv', {options})"
if sys.argv[3] == "parquet":
    connection.execute(f"COPY (SELECT * FROM {scan}) TO '{sys.argv[2]}/bare.parquet' (FORMAT parquet)")
else:
    connection.execute(f"CREATE TABLE t AS SELECT * FROM {scan}")
"""

SLICES = """
import sys, time
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from el.config.dumps import CsvSettings, DumpSettings
from el.dumps.plan import FileTask
from el.dumps.slice import DumpSlice
from el.dumps.stores.local import LocalStore
settings = DumpSettings(name="b.t", files="x", format=CsvSettings(type="csv"))
files = list(LocalStore().list("file://" + sys.argv[1] + "/part"))
out = Path(sys.argv[2]); out.mkdir(exist_ok=True)
work = [DumpSlice(None, "b.t", f"s{n}", settings, (FileTask(f, f"f{n}"),), "snake_case", "1", out, 1 << 30, 0)
        for n, f in enumerate(files)]
with ThreadPoolExecutor(int(sys.argv[3])) as pool:
    for result in pool.map(lambda each: each.run(), work):
        assert all(file.status == "loaded" for file in result.files), result.files
"""

CHECK = """
import sys
from pathlib import Path
from el.config.dumps import CsvSettings, DumpSettings
from el.dumps.express_text import check, form_of
from el.dumps.plan import FileTask
from el.dumps.slice import DumpSlice
from el.dumps.stores.local import LocalStore
settings = DumpSettings(name="b.t", files="x", format=CsvSettings(type="csv"))
tasks = tuple(FileTask(f, f.uri) for f in LocalStore().list("file://" + sys.argv[1] + "/part"))
work = DumpSlice(None, "b.t", "c", settings, tasks, "snake_case", "1", Path(sys.argv[2]), 0, 0)
for file in check(work, form_of(settings), int(sys.argv[3]), lambda *told: None):
    assert file.status == "loaded", file
"""

EL = """
import os, sys
from pathlib import Path
folder = Path(sys.argv[2]); folder.mkdir(exist_ok=True); os.chdir(folder)
Path("el.yml").write_text(f'''
version: 1
source: old
destination: warehouse
defaults: {{workers: {sys.argv[3]}}}
dumps: [{{name: b.t, files: "file://{sys.argv[1]}/*.csv", format: csv}}]
''')
Path("profiles.yml").write_text('''
old: {target: l, outputs: {l: {type: files, url: .}}}
warehouse: {target: l, outputs: {l: {type: duckdb, path: w.duckdb}}}
''')
from el.cli.app import main
code = main(["run", "--progress", "none"])
assert code == 0
"""

DLT = """
import os, sys
os.chdir(sys.argv[2])
import dlt
from dlt.sources.filesystem import filesystem, read_csv
source = filesystem("file://" + sys.argv[1], file_glob="part_000.csv") | read_csv(dtype=str, keep_default_na=False)
pipeline = dlt.pipeline("bench", destination=dlt.destinations.duckdb("dlt.duckdb"), dataset_name="b",
                        pipelines_dir=sys.argv[2])
pipeline.run(source.with_name("t"))
"""

# Runs a script with its peak memory, of all that it holds at once, on the last line.
WATCH = """
import resource, runpy, sys, time
begun = time.monotonic()
script = sys.argv[1]
sys.argv = sys.argv[1:]
runpy.run_path(script, run_name="__main__")
used = resource.getrusage(resource.RUSAGE_SELF)
print("\\nRESULT", time.monotonic() - begun, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)
"""


def timed(script: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Seconds and peak MB of a script in a process of its own."""
    path, watch = folder / "script.py", folder / "watch.py"
    path.write_text(script)
    watch.write_text(WATCH)
    command = [sys.executable, str(watch), str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    seconds, peak, cpu = done.stdout.rpartition("RESULT")[2].split()
    return {"seconds": float(seconds), "peak_mb": float(peak), "cpu_seconds": float(cpu)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the files there, for another run")
    parser.add_argument("--without-dlt", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = (given.folder or folder / "files").absolute()
        size = make(files, given.mb, given.files)
        part = (files / "part_000.csv").stat().st_size
        workers = str(given.workers)
        ways = {
            "duckdb -> parquet": (DUCKDB, (str(files), temporary, "parquet"), size),
            "el slices -> parquet": (SLICES, (str(files), f"{temporary}/slices", workers), size),
            "el check, express": (CHECK, (str(files), f"{temporary}/check", workers), size),
            "duckdb -> table": (DUCKDB, (str(files), temporary, "table"), size),
            "el run -> table": (EL, (str(files), f"{temporary}/el", workers), size),
        }
        if not given.without_dlt:
            ways["dlt filesystem -> table"] = (DLT, (str(files), temporary), part)
        found = {}
        for name, (script, arguments, amount) in ways.items():
            time.sleep(1)
            found[name] = timed(script, folder, *arguments)
            found[name]["mb_per_second"] = amount / 1e6 / found[name]["seconds"]
            shown = f"{found[name]['mb_per_second']:8.1f} MB/s  peak {found[name]['peak_mb']:6.0f} MB"
            shown += f"  {found[name]['cpu_seconds']:6.1f} s of CPU"
            print(f"{name:26} {shown}", flush=True)
        rate = {name: each["mb_per_second"] for name, each in found.items()}
        ratios = {
            "parquet: el / duckdb": rate["el slices -> parquet"] / rate["duckdb -> parquet"],
            "CPU: el check / el parquet": found["el check, express"]["cpu_seconds"]
            / found["el slices -> parquet"]["cpu_seconds"],
            "table: el / duckdb": rate["el run -> table"] / rate["duckdb -> table"],
        }
        if "dlt filesystem -> table" in rate:
            ratios["table: el / dlt"] = rate["el run -> table"] / rate["dlt filesystem -> table"]
        for name, ratio in ratios.items():
            print(f"{name:26} {ratio:8.2f}")
        print(json.dumps({"bytes": size, **found, "ratios": ratios}))


if __name__ == "__main__":
    main()
