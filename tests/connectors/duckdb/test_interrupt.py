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
from el.connectors.request import ReadRequest, SqlText
from el.connectors.sql.select import Statement

STATEMENT = Statement("SELECT sum(hash(i)) FROM range(1000000000000) AS t(i)")


def read(session):
    with session.stream(STATEMENT, ReadRequest(query=SqlText("SELECT 1"))) as buffer:
        return list(buffer)


with DuckDb(DuckDbConfig(path="w.duckdb", settings={"threads": 1})) as session:
    print("begins", flush=True)
    try:
        read(session) if sys.argv[1] == "stream" else getattr(session, sys.argv[1])(STATEMENT)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("method", ["fetch", "execute", "stream"])
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
        # DuckDB looks for it between the pieces of work that the thread does which asks. With one thread that does all
        # of them; else another one may, and does not look before it is through.
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
