"""How much memory a whole run takes, as a process: the same for a larger file, and little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

pytestmark = pytest.mark.soak

RUN = """
import resource, sys
from el.cli.app import main
code = main(["run", "--progress", "none"])
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
sys.exit(code)
"""
EL_YML = """
version: 1
source: old
destination: warehouse
defaults: {workers: 2}
dumps: [{name: sales.lines, files: "files/*.csv", format: csv}]
"""
PROFILES = """
old: {target: it, outputs: {it: {type: files, url: .}}}
warehouse: {target: it, outputs: {it: {type: duckdb, path: w.duckdb}}}
"""


def _peak(folder: Path, rows: int) -> int:
    """MB that a run took at most, with two files of so many rows, 150 bytes each."""
    (folder / "files").mkdir(parents=True)
    columns = ", ".join(f"(n * {7 * number + 1} % 1000003)::VARCHAR AS c{number}" for number in range(14))
    for name in ("a", "b"):
        query = f"SELECT {columns}, 'carefully, \"final\" deposits ' || n AS note FROM range({rows}) AS t (n)"
        duckdb.sql(f"COPY ({query}) TO '{folder}/files/{name}.csv' (HEADER)")
    (folder / "el.yml").write_text(EL_YML)
    (folder / "profiles.yml").write_text(PROFILES)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EL_", "ARROW", "MALLOC"))}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.rpartition("PEAK")[2])


def test_a_run_takes_less_than_500_mb_and_no_more_for_a_file_four_times_the_size(tmp_path: Path) -> None:
    small, large = (_peak(tmp_path / str(rows), rows) for rows in (350_000, 1_400_000))
    assert large < 500, (small, large)
    assert large < small + 60, (small, large)
