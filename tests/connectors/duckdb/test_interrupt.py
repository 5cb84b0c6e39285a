"""Ctrl-C while DuckDB works is Python's own interrupt."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.sql.select import Statement

with DuckDb(DuckDbConfig(path="w.duckdb")) as session:
    print("begins", flush=True)
    try:
        getattr(session, sys.argv[1])(Statement("SELECT sum(a.i * b.i) FROM range(1000000) a(i), range(1000000) b(i)"))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("method", ["fetch", "execute"])
def test_ctrl_c_during_a_statement_is_an_interrupt(tmp_path: Path, method: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, method],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert program.stdout is not None
    try:
        assert program.stdout.readline() == "begins\n"
        # As whoever waits does: DuckDB does not look for it at each moment.
        for _ in range(20):
            try:
                program.wait(0.5)
                break
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGINT)
        said, errors = program.communicate(timeout=5)
    finally:
        program.kill()
    assert said == "interrupted\n", errors
