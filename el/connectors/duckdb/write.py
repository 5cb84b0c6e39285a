"""Writing into DuckDB: the stream into a temporary staging table, then one transaction that applies it.

Guarantees: all rows or none; the target is touched by that one transaction only, which also records the run_id, so
the same run_id twice changes nothing. A value that the target's column would change (a digit rounded away) is refused.
Writers of one target follow each other; what two of them do is never mixed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import duckdb
import pyarrow as pa

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.catalog import TableName
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.connectors.sql.write import WRITES_TABLE, WriteJob, as_batches, refuse_columns, refuse_keys
from el.errors import ElError, WriteError

# DuckDB has no locks to wait for: of two transactions that touch the same rows one is refused, and tries again.
WAIT_SECONDS = 30.0
_MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")


def write(db: SqlConnector, connection: duckdb.DuckDBPyConnection, job: WriteJob, data: ArrowStream) -> WriteResult:
    """See `Target.write_buffer`. connection: one to the same database, of whose transaction nobody else knows."""
    types = _columns(db, job.target)
    schema, batches = as_batches(data)
    refuse_columns(job.target, schema.names, list(types), job.mode, job.key)
    broken: list[ElError] = []
    try:
        return _Write(db, connection, job, types).run(schema, _noting(batches, broken))
    except duckdb.Error as error:
        if broken:
            # DuckDB gives an error of the stream as a text of its own.
            raise broken[0] from None
        found = db.translate(error, writing=True)
        raise found from None


def _noting(batches: Iterator[pa.RecordBatch], broken: list[ElError]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except ElError as error:
        broken.append(error)
        raise


def _columns(db: SqlConnector, target: TableName) -> dict[str, str]:
    """The target's columns that can be written -> their types."""
    rows = db.fetch(
        Statement(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? AND generation_expression IS NULL ORDER BY column_index",
            (target.schema, target.name),
        )
    )
    if not rows:
        raise WriteError(f"there is no table {target}")
    return {str(name): str(type_) for name, type_ in rows}


class _Write:
    """One write over its own connection."""

    def __init__(
        self, db: SqlConnector, connection: duckdb.DuckDBPyConnection, job: WriteJob, types: dict[str, str]
    ) -> None:
        self._connection = connection
        self._dialect = db.dialect
        self._job = job
        self._target = target = job.target
        self._types = types
        self._into = db.dialect.quote_table(target)
        self._ledger = db.dialect.quote_table(TableName(target.schema, WRITES_TABLE))
        self._staging = f"_el_staging_{uuid.uuid4().hex[:16]}"

    def run(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> WriteResult:
        self._persist(self._make_ledger)
        if self._written(self._job.run_id):
            return self._job.done_before()
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        self._connection.register("el_incoming", reader)
        self._execute(f'CREATE TEMP TABLE "{self._staging}" AS SELECT * FROM el_incoming')
        self._connection.unregister("el_incoming")
        self._refuse_changed_values(schema.names)
        if self._job.mode is WriteMode.MERGE:
            self._restage(schema.names)
            refuse_keys(self._fetch, self._dialect, TableName("", self._staging), self._target, self._job.key)
        rows = int(str(self._fetch(Statement(f'SELECT count(*) FROM "{self._staging}"'))[0][0]))
        done = self._persist(lambda: self._apply(schema.names, rows))
        return self._job.done(rows) if done else self._job.done_before()

    def _execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self._connection.execute(sql, parameters)

    def _fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        return self._connection.execute(statement.sql, statement.parameters).fetchall()

    def _persist(self, step: Callable[[], bool]) -> bool:
        """Run `step` as one transaction, again while another's transaction is in its way."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            self._connection.begin()
            try:
                done = step()
                self._connection.commit()
                return done
            except BaseException as error:
                with suppress(duckdb.Error):
                    self._connection.rollback()
                if not (isinstance(error, duckdb.TransactionException) and time.monotonic() < until):
                    raise
                time.sleep(0.02)

    def _make_ledger(self) -> bool:
        """The ledger, and in it this target's own row without a run: the row that its writers meet at."""
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {self._ledger} (run_id VARCHAR NOT NULL, target VARCHAR NOT NULL, "
            "mode VARCHAR NOT NULL, row_count BIGINT NOT NULL, written_at TIMESTAMP NOT NULL, "
            "PRIMARY KEY (target, run_id))"
        )
        if not self._written(""):
            self._record("", "lock", 0)
        return True

    def _record(self, run_id: str, mode: str, rows: int) -> None:
        now = "CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)"
        self._execute(
            f"INSERT INTO {self._ledger} (run_id, target, mode, row_count, written_at) VALUES (?, ?, ?, ?, {now})",
            (run_id, str(self._target), mode, rows),
        )

    def _written(self, run_id: str) -> bool:
        sql = f"SELECT 1 FROM {self._ledger} WHERE target = ? AND run_id = ?"
        return bool(self._fetch(Statement(sql, (str(self._target), run_id))))

    def _restage(self, names: Sequence[str]) -> None:
        """The staged rows in the target's own types and collations, in which keys are the same or not."""
        staging, listed = f"{self._staging}_own", ", ".join(self._dialect.quote(name) for name in names)
        self._execute(f'CREATE TEMP TABLE "{staging}" AS SELECT {listed} FROM {self._into} LIMIT 0')
        self._execute(f'INSERT INTO "{staging}" ({listed}) SELECT {listed} FROM "{self._staging}"')
        self._execute(f'DROP TABLE "{self._staging}"')
        self._staging = staging

    def _refuse_changed_values(self, names: Sequence[str]) -> None:
        """Raise `WriteError` where a value would not come back from the target's type as it was."""
        staged = {
            str(name): str(type_)
            for name, type_, *_ in self._fetch(Statement(f'DESCRIBE SELECT * FROM "{self._staging}"'))
        }
        for name in names:
            before, after = staged[name], self._types[name]
            if before == after:
                continue
            if before in _MOMENTS and after in _MOMENTS and "ZONE" in before + after:
                raise WriteError(
                    f"{self._target}.{name} is {after} and the data {before}: where one has a zone and the other none, "
                    "the session's own would decide; cast the data"
                )
            column = self._dialect.quote(name)
            # SQL Server tells a UUID in upper case, DuckDB in lower: it is the same one.
            told = f"lower({column})" if (before, after) == ("VARCHAR", "UUID") else column
            sql = (
                f'SELECT count(*) FROM "{self._staging}" '
                f"WHERE CAST(CAST({column} AS {after}) AS {before}) IS DISTINCT FROM {told}"
            )
            changed = int(str(self._fetch(Statement(sql))[0][0]))
            if changed:
                raise WriteError(
                    f"{self._target}.{name} is {after}: {changed:,} values of {before} would be changed; cast the data"
                )

    def _apply(self, columns: Sequence[str], rows: int) -> bool:
        """Within a transaction; False if another writer had applied this run first."""
        mode, key, run_id = self._job.mode, self._job.key, self._job.run_id
        meet = f"UPDATE {self._ledger} SET row_count = row_count + 1 WHERE target = ? AND run_id = ''"
        self._execute(meet, (str(self._target),))
        if self._written(run_id):
            return False
        self._record(run_id, str(mode), rows)
        quote = self._dialect.quote
        names = ", ".join(quote(name) for name in columns)
        if mode is WriteMode.MERGE:
            same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
            sets = ", ".join(f"{quote(name)} = s.{quote(name)}" for name in columns if name not in key)
            matched = f"WHEN MATCHED THEN UPDATE SET {sets} " if sets else ""
            values = ", ".join(f"s.{quote(name)}" for name in columns)
            self._execute(
                f'MERGE INTO {self._into} AS t USING "{self._staging}" AS s ON {same} {matched}'
                f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
            )
            return True
        if mode is WriteMode.REPLACE:
            self._execute(f"DELETE FROM {self._into}")
        self._execute(f'INSERT INTO {self._into} ({names}) SELECT {names} FROM "{self._staging}"')
        return True
