"""`deletes: keys`: what is gone from the source, found by its key set alone, becomes `D` rows in raw.

Guarantees: only keys travel, in batches, and the comparison is DuckDB's, with a bound on its memory; a row inserted or
changed after the keys were read outlives its `D` row, for it comes with the same load or a later one, and within a
load a `D` row found so has no position and counts as the first. Where a scan of the keys is not of one moment, a key
counts as gone only if a second scan misses it too. More rows gone than `max_percent` is an error, and deletes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from el.connectors.request import ReadRequest, SqlText
from el.errors import LoadError, SuspiciousDeletes
from el.extraction.landing import LANDING, LandedFile, raw_columns
from el.extraction.slice import STEP
from el.loading.current_state import CurrentState
from el.loading.spill import spilling
from el.loading.warehouse import Warehouse
from el.planning.keys import KEY_COLUMN, KEY_FIELD
from el.planning.plan import TablePlan
from el.types.present import utc_now

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Gone:
    """What was found: the landing files of the `D` rows, their number, and how many rows raw held before."""

    files: tuple[LandedFile, ...]
    rows: int
    held: int


def find_gone(
    warehouse: Warehouse,
    table: TablePlan,
    keys: Sequence[LandedFile],
    load_id: str,
    directory: Path,
    read_again: Callable[[], Sequence[LandedFile]],
) -> Gone:
    """Compare the source's keys with those that raw holds, and write the `D` rows.

    read_again: a second scan of the source's keys, called only where the first was not of one moment and misses
    some. Raises `SuspiciousDeletes` where too many are gone and nobody confirmed it.
    """
    assert table.keys is not None
    schema = pa.schema([*table.key_schema(), *([KEY_FIELD] if table.equal else [])])
    held_path = directory / f"held-{keys_stem(table)}.parquet"
    told_by = [KEY_COLUMN] if table.equal else list(table.key)
    gone_path = directory / f"gone-{keys_stem(table)}.parquet"
    with removed(held_path, gone_path):
        held = write_parquet(held_path, schema, held_keys(warehouse, table, schema, told_by))
        sys.audit(STEP, "held keys read")
        gone = rows_not_among(held_path, keys, schema, told_by, gone_path)
        if gone and not table.keys.of_one_moment:
            gone_path.rename(held_path)
            gone = rows_not_among(held_path, read_again(), schema, told_by, gone_path)
        percent = 100 * gone / held if held else 0.0
        if gone and percent > table.keys.max_percent and not table.keys.confirmed:
            raise SuspiciousDeletes(
                f"{table.name}: {gone:,} of {held:,} rows ({percent:.0f} %) are gone from the source, more than "
                f"max_percent: {table.keys.max_percent:g}; nothing was deleted or loaded. If this is right: "
                f"run --confirm-deletes {table.name}"
            )
        if not gone:
            return Gone((), 0, held)
        path = directory / f"deleted-{keys_stem(table)}.parquet"
        rows = write_parquet(
            path, raw_columns(table.landed_schema(), table.equal), deleted_rows(table, gone_path, schema, load_id)
        )
    sys.audit(STEP, "deletes found")
    return Gone((LandedFile(path, rows, path.stat().st_size),), rows, held)


def keys_stem(table: TablePlan) -> str:
    """The part of a file's name that stands for the table; a raw name may hold what a file system refuses."""
    return f"keys-{abs(hash(table.raw_table)):x}"


def held_keys(
    warehouse: Warehouse, table: TablePlan, schema: pa.Schema, told_by: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    statement = CurrentState(warehouse, table.raw_schema, table.raw_table).keys(schema.names, told_by)
    request = ReadRequest(query=SqlText("SELECT 1"), batch_rows=BATCH_ROWS)
    with warehouse.connector as connector, connector.stream(statement, request) as buffer:
        for batch in buffer:
            yield _as(batch, schema, str(table.name))


def _as(batch: pa.RecordBatch, schema: pa.Schema, table: str) -> pa.RecordBatch:
    try:
        columns = [column.cast(type_) for column, type_ in zip(batch.columns, schema.types, strict=True)]
    except pa.ArrowInvalid as error:
        raise LoadError(f"{table}: raw holds a key that the source's type cannot: {error}") from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def rows_not_among(
    held: Path, keys: Sequence[LandedFile], schema: pa.Schema, told_by: Sequence[str], target: Path
) -> int:
    """Write the rows of `held` that are not among `keys`, told apart by these columns; how many."""
    temporary = held.with_suffix(".tmp")
    with spilling(temporary) as connection:
        source = connection.read_parquet([str(file.path) for file in keys]) if keys else None
        if source is None:
            source = connection.from_arrow(schema.empty_table())
        present = source.project(", ".join(quoted(name) for name in told_by)).set_alias("present")
        there = connection.read_parquet(str(held)).set_alias("held")
        same = " AND ".join(f"held.{n} IS NOT DISTINCT FROM present.{n}" for n in map(quoted, told_by))
        there.join(present, same, how="anti").write_parquet(str(target))
        found = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(target)]).fetchone()
    assert found is not None
    return int(found[0])


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def deleted_rows(table: TablePlan, gone: Path, key: pa.Schema, load_id: str) -> Iterator[pa.RecordBatch]:
    """The `D` rows of the keys in this file."""
    schema = raw_columns(table.landed_schema(), table.equal)
    found_at = utc_now()
    with pq.ParquetFile(gone) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            keys = _as(batch, key, str(table.name))
            filled = {name: keys.column(name) for name in key.names}
            filled |= {LANDING[0].name: pa.repeat(load_id, len(batch)), LANDING[1].name: pa.repeat("D", len(batch))}
            filled[LANDING[3].name] = pa.repeat(pa.scalar(found_at, LANDING[3].type), len(batch))
            columns = [
                filled[field.name] if field.name in filled else pa.nulls(len(batch), field.type) for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def write_parquet(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    rows = 0
    with pq.ParquetWriter(path, schema, compression="snappy", write_statistics=False) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


@contextmanager
def removed(*paths: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
