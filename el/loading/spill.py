"""DuckDB for what compares the rows of a table with those that raw holds: bounded memory, and the rest on disk.

To start an engine costs 10 ms of processor time, and a table needs it up to three times: it is one for the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import duckdb

MEMORY = 256  # MB
# Of each column of a row several parts of a query hold some values at once, and these cannot go on disk.
_COLUMN_MB = 2.25

_lock = RLock()
# By process: one that was forked begins with an engine of its own, and leaves alone what it inherited.
_engines: dict[int, duckdb.DuckDBPyConnection] = {}


@contextmanager
def spilling(folder: Path, columns: int = 1) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session that puts into this folder what it has no memory for; one at a time, for they share the memory.

    columns: of a row.
    """
    with _lock, _engine(str(folder), f"{max(MEMORY, columns * _COLUMN_MB):.0f}MB").cursor() as session:
        yield session


def _engine(folder: str, memory: str) -> duckdb.DuckDBPyConnection:
    found = _engines.get(os.getpid())
    if found is not None:
        try:
            found.execute("SET temp_directory = '" + folder.replace("'", "''") + "'")
            found.execute(f"SET memory_limit = '{memory}'")
            return found
        except duckdb.Error:
            # An engine that has put something on disk stays with its folder.
            found.close()
    made = duckdb.connect(config={"memory_limit": memory, "temp_directory": folder, "threads": 2})
    _engines[os.getpid()] = made
    return made
