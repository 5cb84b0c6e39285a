"""DuckDB in memory, for rows as they pass by: one engine a process, and a session of it for each thread.

To start an engine costs 10 ms of processor time, and a run of many small tables started one for each slice of each.
"""

from __future__ import annotations

import os
from threading import Lock

import duckdb

_lock = Lock()
# By process: one that was forked begins with an engine of its own, and leaves alone what it inherited.
_engines: dict[int, duckdb.DuckDBPyConnection] = {}


def session() -> duckdb.DuckDBPyConnection:
    """A session of its own: what is registered in it, no other one sees. It is for one thread, and to be closed."""
    with _lock:
        if os.getpid() not in _engines:
            # A second thread would take from the reading and writing that go on beside it.
            _engines[os.getpid()] = duckdb.connect(config={"threads": 1})
        return _engines[os.getpid()].cursor()
