"""The ledger of writes `_el_writes`, in the target's schema: a row for each target and run_id that was written.

Its row is committed in the transaction that applies the data, so that neither stands without the other. Each target has
a row without a run besides, which its writers lock: they follow each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from el.connectors.catalog import TableName
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.errors import ElError

WRITES_TABLE = "_el_writes"
LOCK = ""
# How long a commit of one row may take.
APPEARS_SECONDS = 2.0


class WriteLedger:
    """The ledger as one target's writers use it."""

    def __init__(self, session: SqlConnector, target: TableName, name: str, row: str) -> None:
        """name: of the table. row: the end of an INSERT, `?` for run_id, target, mode and row_count, then the time."""
        self._session = session
        self._target = str(target)
        self.table = TableName(target.schema, name)
        self._quoted = session.dialect.quote_table(self.table)
        self._row = row

    def make(self, columns: str, there: Callable[[], bool]) -> None:
        """The table, and this target's row without a run. there: whether the table is there, asked again after an
        error: another writer may have been quicker, and a login may lack the right to create."""
        if not there():
            try:
                self._session.execute(Statement(f"CREATE TABLE {self._quoted} ({columns})"))
            except ElError:
                if not there():
                    raise
        if not self.written(LOCK):
            try:
                self.record(LOCK, "lock", 0)
            except ElError:
                if not self._appears():
                    raise

    def _appears(self) -> bool:
        """Whether another writer's row for this target is there soon: it is in the way before it can be seen."""
        until = time.monotonic() + APPEARS_SECONDS
        while not self.written(LOCK):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def lock(self) -> None:
        """Within a transaction: wait for another writer of this target, and then see what it did."""
        sql = f"UPDATE {self._quoted} SET row_count = row_count + 1 WHERE target = ? AND run_id = ?"
        self._session.execute(Statement(sql, (self._target, LOCK)))

    def record(self, run_id: str, mode: str, rows: int) -> None:
        sql = f"INSERT INTO {self._quoted} (run_id, target, mode, row_count, written_at) {self._row}"
        self._session.execute(Statement(sql, (run_id, self._target, mode, rows)))

    def written(self, run_id: str) -> bool:
        """Whether this very run_id is there; a database may take texts for equal that differ in case."""
        sql = f"SELECT run_id FROM {self._quoted} WHERE target = ? AND run_id = ?"
        return (run_id,) in self._session.fetch(Statement(sql, (self._target, run_id)))
