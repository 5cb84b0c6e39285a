"""Writing into Snowflake: parquet files to a temporary stage, COPY into a staging table, then one transaction.

Guarantees: all rows or none; the target is touched by that one transaction only, which also records the run_id, so
the same run_id twice changes nothing. Stage and staging table are temporary: they end with the session if nothing
else ends them. A column of the target that cannot hold every value of the data's type is refused before a row moves.
"""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.catalog import SourceType, TableName
from el.connectors.snowflake.catalog import source_type
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.connectors.sql.write import WRITES_TABLE, WriteJob, as_batches, refuse_columns, refuse_keys
from el.errors import ElError, WriteError

# Snowflake, "Preparing your data files": 100 to 250 MB compressed.
FILE_BYTES = 128 * 1024 * 1024
ROW_GROUP_BYTES = 32 * 1024 * 1024
# Without logical types dates land far in the future; bytes that are no text must not be read as one.
_FORMAT = "TYPE = PARQUET USE_VECTORIZED_SCANNER = TRUE USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE"


def write(server: SqlConnector, job: WriteJob, data: ArrowStream) -> WriteResult:
    """See `Target.write_buffer`."""
    columns = _columns(server, job.target)
    schema, batches = as_batches(data)
    refuse_columns(job.target, schema.names, list(columns), job.mode, job.key)
    for field in schema:
        if not holds(columns[field.name], field.type):
            raise WriteError(
                f"{job.target}.{field.name} is {columns[field.name]}, which cannot hold every {field.type}: "
                "cast the data"
            )
    work = _Write(server, job)
    work.make_ledger()
    return job.done_before() if work.written() else work.run(schema, batches)


def holds(column: SourceType, data: pa.DataType) -> bool:
    """Whether every value of an Arrow type fits a column of `column` unchanged, lengths aside, which COPY checks."""
    if pa.types.is_dictionary(data):
        return holds(column, data.value_type)
    if pa.types.is_null(data):
        return True
    name, digits, fraction = column.name, column.precision or 38, column.scale or 0
    if name == "number":
        if pa.types.is_decimal(data):
            # More digits before the point than fit are an error of COPY; more after it would be rounded.
            return bool(data.scale <= fraction)
        return bool(pa.types.is_integer(data)) and digits - fraction > 0
    if name in ("float", "real", "double"):
        exact = pa.types.is_integer(data) and data.bit_width <= 32
        return bool(exact or pa.types.is_floating(data))
    if name.startswith("timestamp"):
        if not pa.types.is_timestamp(data) or (data.tz is None) != (name == "timestamp_ntz"):
            return False
        return {"s": 0, "ms": 3, "us": 6, "ns": 9}[data.unit] <= fraction
    if name == "time":
        return bool(pa.types.is_time(data)) and {"s": 0, "ms": 3, "us": 6, "ns": 9}[data.unit] <= fraction
    text = pa.types.is_string(data) or pa.types.is_large_string(data) or pa.types.is_string_view(data)
    if name in ("date", "boolean"):
        return bool(pa.types.is_date(data) if name == "date" else pa.types.is_boolean(data))
    if name == "binary":
        fixed = pa.types.is_fixed_size_binary(data) or pa.types.is_binary_view(data)
        return bool(fixed or pa.types.is_binary(data) or pa.types.is_large_binary(data))
    return name == "varchar" and bool(text)


def _columns(server: SqlConnector, target: TableName) -> dict[str, SourceType]:
    rows = server.fetch(
        Statement(
            "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, "
            "datetime_precision FROM information_schema.columns WHERE table_schema = ? AND table_name = ? "
            "ORDER BY ordinal_position",
            (target.schema, target.name),
        )
    )
    if not rows:
        raise WriteError(f"there is no table {target}")

    def number(value: object) -> int | None:
        return None if value is None else int(str(value))

    return {str(name): source_type(str(kind), *(number(n) for n in sizes)) for name, kind, *sizes in rows}


class _Write:
    """One write into a table that can hold the data."""

    def __init__(self, server: SqlConnector, job: WriteJob) -> None:
        self._server = server
        self._job = job
        self._target = job.target
        mark = uuid.uuid4().hex[:16].upper()
        self._staging = TableName(job.target.schema, f"_EL_STAGING_{mark}")
        self._stage = TableName(job.target.schema, f"_EL_FILES_{mark}")
        self._ledger = server.dialect.quote_table(TableName(job.target.schema, WRITES_TABLE.upper()))

    def run(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> WriteResult:
        server, quote_table = self._server, self._server.dialect.quote_table
        names = ", ".join(server.dialect.quote(name) for name in schema.names)
        try:
            empty = f"SELECT {names} FROM {quote_table(self._target)} LIMIT 0"
            server.execute(Statement(f"CREATE TEMPORARY TABLE {quote_table(self._staging)} AS {empty}"))
            server.execute(Statement(f"CREATE TEMPORARY STAGE {quote_table(self._stage)}"))
            rows = self._fill(schema, batches)
            if self._job.mode is WriteMode.MERGE:
                refuse_keys(server.fetch, server.dialect, self._staging, self._target, self._job.key)
            if not self._apply(schema.names, rows):
                return self._job.done_before()
        except ElError as error:
            with contextlib.suppress(ElError):
                if self.written():
                    return self._job.done_before()
            if isinstance(error, WriteError):
                raise
            raise WriteError(str(error), retryable=error.retryable) from None
        finally:
            self._drop()
        return self._job.done(rows)

    def make_ledger(self) -> None:
        """The ledger, and in it this target's own row without a run: the row that writers of one target wait for."""
        self._server.execute(
            Statement(
                f"CREATE TABLE IF NOT EXISTS {self._ledger} (RUN_ID VARCHAR NOT NULL, TARGET VARCHAR NOT NULL, "
                "MODE VARCHAR NOT NULL, ROW_COUNT NUMBER(19,0) NOT NULL, WRITTEN_AT TIMESTAMP_NTZ NOT NULL)"
            )
        )
        if not self._has(""):
            self._record("", "lock", 0)

    def written(self) -> bool:
        """Whether this very run was applied."""
        return self._has(self._job.run_id)

    def _has(self, run_id: str) -> bool:
        sql = f"SELECT 1 FROM {self._ledger} WHERE TARGET = ? AND RUN_ID = ?"
        return bool(self._server.fetch(Statement(sql, (str(self._target), run_id))))

    def _record(self, run_id: str, mode: str, rows: int) -> None:
        sql = (
            f"INSERT INTO {self._ledger} (RUN_ID, TARGET, MODE, ROW_COUNT, WRITTEN_AT) "
            "SELECT ?, ?, ?, ?, CAST(CURRENT_TIMESTAMP() AS TIMESTAMP_NTZ)"
        )
        self._server.execute(Statement(sql, (run_id, str(self._target), mode, rows)))

    def _fill(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
        """Every row into the staging table; how many. Files go one at a time, so the disk holds one of them."""
        server = self._server
        at, rows = f"@{server.dialect.quote_table(self._stage)}", 0
        groups = _groups(schema, batches)
        with tempfile.TemporaryDirectory(prefix="el-write-") as folder:
            for number, first in enumerate(groups):
                path, group = Path(folder) / f"{number:06d}.parquet", first
                with pq.ParquetWriter(path, schema, compression="snappy") as writer:
                    while group is not None:
                        writer.write_table(group, row_group_size=group.num_rows)
                        rows += group.num_rows
                        group = next(groups, None) if path.stat().st_size < FILE_BYTES else None
                server.execute(Statement(f"PUT 'file://{path}' {at} AUTO_COMPRESS = FALSE"))
                path.unlink()
        if not rows:
            return 0
        copied = server.fetch(
            Statement(
                f"COPY INTO {server.dialect.quote_table(self._staging)} FROM {at} FILE_FORMAT = ({_FORMAT}) "
                "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT"
            )
        )
        # file, status, rows_parsed, rows_loaded: Snowflake, "COPY INTO <table>", output.
        loaded = sum(int(str(row[3])) for row in copied)
        if loaded != rows:
            raise WriteError(f"COPY loaded {loaded:,} of {rows:,} rows")
        return rows

    def _apply(self, columns: Sequence[str], rows: int) -> bool:
        """The one transaction; False if another writer had applied this run first."""
        server = self._server
        with server.transaction():
            # An UPDATE locks its table's rows until the transaction ends (Snowflake, "Transactions"), and INSERT does
            # not: a second writer of this target waits here, and then sees what the first one did.
            lock = f"UPDATE {self._ledger} SET WRITTEN_AT = WRITTEN_AT WHERE TARGET = ? AND RUN_ID = ''"
            server.execute(Statement(lock, (str(self._target),)))
            if self.written():
                return False
            self._record(self._job.run_id, str(self._job.mode), rows)
            for sql in self._steps(columns):
                server.execute(Statement(sql))
        return True

    def _steps(self, columns: Sequence[str]) -> list[str]:
        """The statements that bring the staged rows into the target."""
        dialect, mode, key = self._server.dialect, self._job.mode, self._job.key
        quote, into, staged = dialect.quote, *map(dialect.quote_table, (self._target, self._staging))
        names = ", ".join(quote(name) for name in columns)
        if mode is not WriteMode.MERGE:
            insert = f"INSERT INTO {into} ({names}) SELECT {names} FROM {staged}"
            return [f"DELETE FROM {into}", insert] if mode is WriteMode.REPLACE else [insert]
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        sets = ", ".join(f"t.{quote(name)} = s.{quote(name)}" for name in columns if name not in key)
        matched = f"WHEN MATCHED THEN UPDATE SET {sets} " if sets else ""
        values = ", ".join(f"s.{quote(name)}" for name in columns)
        return [
            f"MERGE INTO {into} AS t USING {staged} AS s ON {same} {matched}"
            f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        ]

    def _drop(self) -> None:
        quote_table = self._server.dialect.quote_table
        for sql in (
            f"DROP STAGE IF EXISTS {quote_table(self._stage)}",
            f"DROP TABLE IF EXISTS {quote_table(self._staging)}",
        ):
            # The session is gone, and what was temporary in it too.
            with contextlib.suppress(ElError):
                self._server.execute(Statement(sql))


def _groups(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows in groups worth a parquet row group each; none is empty."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        waiting.append(batch)
        size += batch.nbytes
        if size >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(waiting, schema)
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)
