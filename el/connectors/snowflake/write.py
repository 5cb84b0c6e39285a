"""Writing into Snowflake: parquet files to a temporary stage, COPY into a temporary staging table.

Stage and staging table end with the session if nothing else ends them. A column of the target that cannot hold every
value of the data's type is refused before a row moves.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from el.connectors.catalog import SourceType, TableName
from el.connectors.snowflake import Snowflake
from el.connectors.snowflake.catalog import source_type
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.incoming import Spool
from el.connectors.sql.select import Statement
from el.connectors.sql.write import SqlWrite
from el.connectors.sql.write_job import TargetColumn
from el.errors import ElError, WriteError

# Snowflake, "Preparing your data files": 100 to 250 MB compressed.
FILE_BYTES = 128 * 1024 * 1024
ROW_GROUP_BYTES = 32 * 1024 * 1024
# Without logical types dates land far in the future; bytes that are no text must not be read as one.
_FORMAT = "TYPE = PARQUET USE_VECTORIZED_SCANNER = TRUE USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE"

TYPES = ColumnTypes(
    plain={
        "bool": "BOOLEAN",
        **dict.fromkeys(("int8", "uint8"), "NUMBER(3,0)"),
        **dict.fromkeys(("int16", "uint16"), "NUMBER(5,0)"),
        **dict.fromkeys(("int32", "uint32"), "NUMBER(10,0)"),
        "int64": "NUMBER(19,0)",
        **dict.fromkeys(("float", "double"), "FLOAT"),
        "date32[day]": "DATE",
        **dict.fromkeys(("string", "large_string", "null"), "VARCHAR"),
        **dict.fromkeys(("binary", "large_binary"), "BINARY"),
    },
    decimal="NUMBER({precision},{scale})",
    time="TIME({digits})",
    moment="TIMESTAMP_NTZ({digits})",
    instant="TIMESTAMP_TZ({digits})",
    digits=9,
    scale=37,
)


class SnowflakeWrite(SqlWrite[Snowflake]):
    types = TYPES
    ledger_name = "_EL_WRITES"
    audit_name = "_EL_AUDIT"
    ledger_columns = (
        "RUN_ID VARCHAR NOT NULL, TARGET VARCHAR NOT NULL, MODE VARCHAR NOT NULL, ROW_COUNT NUMBER(19,0) NOT NULL, "
        "WRITTEN_AT TIMESTAMP_NTZ NOT NULL"
    )
    ledger_row = "SELECT ?, ?, ?, ?, CAST(CURRENT_TIMESTAMP() AS TIMESTAMP_NTZ)"
    # A DDL statement commits (Snowflake, "Transactions").
    transactional_ddl = False

    def staging_table(self, name: str) -> TableName:
        return TableName(self.job.target.schema, name.upper())

    @property
    def stage_name(self) -> str:
        """The files' place."""
        return self.quote_table(TableName(self.staging.schema, self.staging.name.replace("STAGING", "FILES")))

    def target_columns(self, table: TableName) -> list[TargetColumn]:
        rows = self.session.fetch(
            Statement(
                "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, "
                "datetime_precision FROM information_schema.columns WHERE table_schema = ? AND table_name = ? "
                "ORDER BY ordinal_position",
                (table.schema, table.name),
            )
        )

        def number(value: object) -> int | None:
            return None if value is None else int(str(value))

        return [
            TargetColumn(str(name), source_type(str(kind), *(number(size) for size in sizes)))
            for name, kind, *sizes in rows
        ]

    def takes_text(self, column: TargetColumn) -> bool:
        return holds(column.type, pa.string())

    def checked_early(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for field, column in zip(schema, self.columns, strict=True):
            if not holds(column.type, field.type):
                raise WriteError(
                    f"{self.job.target}.{field.name} is {column.type}, which cannot hold every {field.type}: "
                    "cast the data"
                )
        return batches

    def fill(self, spool: Spool) -> None:
        """Files go one at a time, so that the disk holds one of them beside the data."""
        session, at = self.session, f"@{self.stage_name}"
        session.execute(Statement(f"CREATE TEMPORARY STAGE {self.stage_name}"))
        groups = _groups(spool.schema, spool.batches())
        with tempfile.TemporaryDirectory(prefix="el-write-") as folder:
            for number, first in enumerate(groups):
                path, group = Path(folder) / f"{number:06d}.parquet", first
                with pq.ParquetWriter(path, spool.schema, compression="snappy") as writer:
                    while group is not None:
                        writer.write_table(group, row_group_size=group.num_rows)
                        group = next(groups, None) if path.stat().st_size < FILE_BYTES else None
                session.execute(Statement(f"PUT 'file://{path}' {at} AUTO_COMPRESS = FALSE"))
                path.unlink()
        copied = session.fetch(
            Statement(
                f"COPY INTO {self.staged} FROM {at} FILE_FORMAT = ({_FORMAT}) "
                "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT"
            )
        )
        # file, status, rows_parsed, rows_loaded: Snowflake, "COPY INTO <table>", output.
        loaded = sum(int(str(row[3])) for row in copied)
        if loaded != spool.rows:
            raise WriteError(f"COPY loaded {loaded:,} of {spool.rows:,} rows")

    def clean_up(self) -> None:
        with contextlib.suppress(ElError):
            self.session.execute(Statement(f"DROP STAGE IF EXISTS {self.stage_name}"))
        super().clean_up()


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
