"""A thread that writes one batch while the driver fetches the next: never more than the two are in memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa


class WriteBehind:
    """Calls `write` with each batch, in their order, in a thread of its own.

    There is none until a second batch comes: most tables have one, and a thread costs more than to write it.
    """

    def __init__(self, write: Callable[[pa.RecordBatch], None]) -> None:
        self._write = write
        self._first: pa.RecordBatch | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def put(self, batch: pa.RecordBatch) -> None:
        """Raises what went wrong with an earlier one."""
        if self._pool is None and self._first is None:
            self._first = batch
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="el-write")
            self._writing = self._pool.submit(self._write, self._first)
            self._first = None
        if self._writing is not None:
            self._writing.result()
        self._writing = self._pool.submit(self._write, batch)

    def finish(self) -> None:
        """Wait until all are written. Raises what went wrong."""
        if self._writing is not None:
            self._writing.result()
        if self._first is not None:
            first, self._first = self._first, None
            self._write(first)

    def close(self) -> None:
        """End the thread; what it is at, it brings to its end."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
