"""A lock in the warehouse itself, for runs that may be on different machines: one row in `_el_lock` of each raw schema.

Guarantees: the row is taken by one UPDATE that finds it free, its lease run out, or its process dead, and read back; a
run that was silent for longer than its lease finds out before its next load (`still_ours`), and loads no more. Time is
the warehouse's own, so that the clocks of two machines need not agree.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

from el.connectors.query import Statement
from el.connectors.sql import SqlConnector
from el.errors import ElError, RunLocked
from el.lock import Holder, StillOurs, taken

if TYPE_CHECKING:
    from el.destinations.base import Warehouse

LOCK_TABLE = "_el_lock"
# The warehouse's clock as seconds since 1970, in SQL that Snowflake and DuckDB share.
NOW = "CAST(DATE_PART('epoch', CURRENT_TIMESTAMP) AS BIGINT)"
_COLUMNS = ("run_id", "host", "pid", "process", "since")


@contextmanager
def lease(warehouse: Warehouse, raw_schemas: Sequence[str], holder: Holder, length: timedelta) -> Iterator[StillOurs]:
    """Hold the lock of these raw schemas while inside, renewing it five times a `length`. Raises `RunLocked`."""
    rows = [_Row(warehouse, schema, holder, int(length.total_seconds())) for schema in sorted(raw_schemas)]
    held: list[_Row] = []
    ended = Event()
    beat: Thread | None = None
    try:
        with warehouse.connector as connector:
            for row in rows:
                warehouse.prepare(row.raw_schema)
                row.take(connector)
                held.append(row)

        def renew() -> None:
            while not ended.wait(length.total_seconds() / 5):
                try:
                    with type(warehouse.connector)(warehouse.connector.config) as connector:
                        for row in held:
                            row.renew(connector)
                except ElError:
                    # The next beat tries again; whether the lock is still ours is asked before every load.
                    continue

        def still_ours() -> None:
            with warehouse.connector as connector:
                for row in held:
                    row.renew(connector)
                    row.require(connector)

        beat = Thread(target=renew, name="el-lock", daemon=True)
        beat.start()
        yield still_ours
    finally:
        ended.set()
        if beat is not None:
            beat.join()
        if held:
            with warehouse.connector as connector:
                for row in held:
                    row.release(connector)


class _Row:
    """The lock of one raw schema."""

    def __init__(self, warehouse: Warehouse, raw_schema: str, holder: Holder, seconds: int) -> None:
        self.raw_schema = raw_schema
        self._holder = holder
        self._seconds = seconds
        self._table = warehouse.qualified(raw_schema, LOCK_TABLE)
        self._name = {name: warehouse.column(name) for name in (*_COLUMNS, "beat")}

    def take(self, connector: SqlConnector) -> None:
        self._create(connector)
        name = self._name
        # Ours already: a connection that broke after it had taken the lock.
        free = f"{name['run_id']} IS NULL OR {name['run_id']} = ? OR {name['beat']} < {NOW} - {self._seconds}"
        parameters: tuple[object, ...] = (self._holder.run_id,)
        found = self._read(connector)
        if found is not None and found.is_gone():
            free += f" OR ({name['run_id']} = ? AND {name['process']} = ?)"
            parameters += (found.run_id, found.process)
        values = (self._holder.run_id, self._holder.host, self._holder.pid, self._holder.process, self._holder.since)
        assignments = ", ".join(f"{name[column]} = ?" for column in _COLUMNS)
        sql = f"UPDATE {self._table} SET {assignments}, {name['beat']} = {NOW} WHERE {free}"
        connector.execute(Statement(sql, (*values, *parameters)))
        self.require(connector)

    def _create(self, connector: SqlConnector) -> None:
        name = self._name
        types = {"pid": "BIGINT", "beat": "BIGINT"}
        empty = ", ".join(f"CAST(NULL AS {types.get(column, 'VARCHAR')}) AS {name[column]}" for column in name)
        try:
            connector.execute(Statement(f"CREATE TABLE IF NOT EXISTS {self._table} AS SELECT {empty}"))
        except ElError:
            # Made by the other run between our look and our statement.
            time.sleep(0.5)
            connector.fetch(Statement(f"SELECT count(*) FROM {self._table}"))

    def require(self, connector: SqlConnector) -> None:
        """Raise `RunLocked` unless the lock is ours."""
        found = self._read(connector)
        if found is None or found.run_id != self._holder.run_id:
            raise taken(f"raw schema {self.raw_schema}", found)

    def renew(self, connector: SqlConnector) -> None:
        self._update(connector, f"{self._name['beat']} = {NOW}")

    def release(self, connector: SqlConnector) -> None:
        self._update(connector, f"{self._name['run_id']} = NULL")

    def _update(self, connector: SqlConnector, assignment: str) -> None:
        sql = f"UPDATE {self._table} SET {assignment} WHERE {self._name['run_id']} = ?"
        connector.execute(Statement(sql, (self._holder.run_id,)))

    def _read(self, connector: SqlConnector) -> Holder | None:
        columns = ", ".join(self._name[column] for column in _COLUMNS)
        rows = connector.fetch(Statement(f"SELECT {columns} FROM {self._table}"))
        if len(rows) != 1:
            raise RunLocked(f"{self._table} must hold one row and has {len(rows)}: drop it, and el makes it anew")
        run_id, host, pid, process, since = rows[0]
        return None if run_id is None else Holder(str(run_id), str(host), int(str(pid)), str(process), str(since))
