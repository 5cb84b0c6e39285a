"""What dlt says and does by itself: nothing, unless it is asked for. Each run is a process: dlt is told once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EL_YML = """
version: 1
source: old
destination: warehouse
defaults: {retries: 0}
dumps: [{name: sales.orders, files: a.csv, format: csv}]
"""
PROFILES = """
old: {target: it, outputs: {it: {type: files, url: .}}}
warehouse: {target: it, outputs: {it: {type: duckdb, path: w.duckdb}}}
"""


def _run(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "a.csv").write_text("id\n1\n")
    (folder / "el.yml").write_text(EL_YML)
    (folder / "profiles.yml").write_text(PROFILES)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RUNTIME__", "EL_"))}
    command = [sys.executable, "-c", script, "run", "--progress", "none", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("asked", [False, True])
def test_a_load_that_fails_is_one_line_and_its_traceback_is_there_for_who_asks(tmp_path: Path, asked: bool) -> None:
    script = """
import sys
from el.cli import app

def broken():
    from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

    def refuse(self):
        raise RuntimeError("the disk is full")

    DuckDbCopyJob.run = refuse

sys.addaudithook(lambda event, found: broken() if event == "el.step" and found == ("planned",) else None)
sys.exit(app.main(sys.argv[1:]))
"""
    done = _run(tmp_path, script, *(["--traceback"] if asked else []))
    assert done.returncode == 1
    assert "FAILED sales.orders: loading old_sales failed: the disk is full" in done.stdout
    assert ("Traceback" in done.stderr) is asked
    assert asked or not done.stderr


def test_dlt_reports_nothing_to_anyone(tmp_path: Path) -> None:
    script = """
import sys
from el.cli.app import main
code = main(sys.argv[1:])
from dlt.common.runtime import anon_tracker
sys.exit(code or (9 if anon_tracker._ANON_TRACKER_ENDPOINT else 0))
"""
    done = _run(tmp_path, script)
    assert done.returncode == 0, done.stdout + done.stderr
