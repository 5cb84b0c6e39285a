"""Ctrl-C while DuckDB works is Python's own interrupt."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Timer

import pytest

from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.sql.select import Statement


@pytest.mark.parametrize("method", ["fetch", "execute"])
def test_ctrl_c_during_a_statement_is_an_interrupt(tmp_path: Path, method: str) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with DuckDb(DuckDbConfig(path=str(tmp_path / "w.duckdb"))) as session:
            told = Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
            told.start()
            with pytest.raises(KeyboardInterrupt):
                getattr(session, method)(
                    Statement("SELECT sum(a.i * b.i) FROM range(1000000) a(i), range(1000000) b(i)")
                )
    finally:
        signal.signal(signal.SIGINT, before)
