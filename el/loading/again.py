"""What was read again and stands in raw already is not loaded again.

Guarantees: a row is left out only if raw holds it value by value: with a key, as the last row of its key; without, as
many times as it was read, so that equal rows keep their number. Raw is asked for the rows within the reach of
the read alone, the comparison is DuckDB's with a bound on its memory, and what stays is copied batch by batch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from el.connectors.request import ReadRequest, SqlText
from el.errors import LoadError
from el.extraction.landing import LANDING, LandedFile
from el.extraction.slice import STEP
from el.loading.current_state import CurrentState
from el.loading.deletes import BATCH_ROWS, removed, write_parquet
from el.loading.spill import spilling
from el.loading.warehouse import Warehouse
from el.planning.keys import KEY_COLUMN
from el.planning.plan import TablePlan
from el.planning.strategies.position import sortable

# Where a landed row stands: the number of its file, and its own.
PLACE = (pa.field("el_file", pa.int64()), pa.field("el_row", pa.int64()))


def without_held(
    warehouse: Warehouse, table: TablePlan, files: Sequence[LandedFile], directory: Path
) -> tuple[LandedFile, ...]:
    """The landed files without the rows that raw holds; the files themselves where it holds none of theirs."""
    held = directory / f"again-{abs(hash(table.raw_table)):x}.parquet"
    temporary = held.with_suffix(".tmp")
    kept: list[LandedFile] = []
    with removed(held):
        if not write_parquet(held, _compared(table), _held(warehouse, table)):
            return tuple(files)
        sys.audit(STEP, "held rows read")
        with spilling(temporary) as engine:
            known = _known(engine, table, files, held)
        for number, file in enumerate(files):
            rows = known.get(number)
            kept += [file] if rows is None else without_rows(file, rows)
    return tuple(kept)


def _compared(table: TablePlan) -> pa.Schema:
    """What is compared, under names of its own: two of the source's may differ by case alone, which DuckDB ignores."""
    types = [*(_bits(type_) for type_ in table.landed_schema().types), pa.int8()]
    return pa.schema([pa.field(f"c{number}", type_) for number, type_ in enumerate(types)])


def _bits(type_: pa.DataType) -> pa.DataType:
    """Of floats their bits: 0.0 and -0.0 are one number and two values."""
    found: pa.DataType = {pa.float64(): pa.int64(), pa.float32(): pa.int32()}.get(type_, type_)
    return found


def _as_compared(columns: Sequence[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    viewed = [
        column.view(type_) if pa.types.is_floating(column.type) else column
        for column, type_ in zip(columns, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(viewed, schema=schema)


def _held(warehouse: Warehouse, table: TablePlan) -> Iterator[pa.RecordBatch]:
    types = [*table.landed_schema().types, pa.int8()]
    # Raw gets a new column with this load: until then it has NULL there.
    new = {column.name for column in table.drift.added}
    names = [*table.landed_schema().names, None]
    held = [name for name in names if name is not None and name not in new]
    told_by = (KEY_COLUMN,) if table.equal else table.key
    statement = CurrentState(warehouse, table.raw_schema, table.raw_table).rows(held, told_by, _position(table))
    request = ReadRequest(query=SqlText("SELECT 1"), batch_rows=BATCH_ROWS)
    with warehouse.connector as connector, connector.stream(statement, request) as buffer:
        for batch in buffer:
            there = iter(batch.columns)
            try:
                columns = [
                    pa.nulls(batch.num_rows, type_) if name in new else next(there).cast(type_)
                    for name, type_ in zip(names, types, strict=True)
                ]
            except pa.ArrowInvalid as error:
                raise LoadError(f"{table.name}: raw holds a value that the source's type cannot: {error}") from None
            yield _as_compared(columns, _compared(table))


def _position(table: TablePlan) -> str | None:
    """A position that no row of the window lies before; None where there is none that is known to be so."""
    window, name = table.window, table.position_column
    if window is None or window.lower is None or name is None or name not in table.landed_schema().names:
        return None
    text, type_ = window.lower.text, table.landed_schema().field(name).type
    if text[4:5] == "-" and text[:4].isdigit():
        # Whole seconds are the beginning of the texts of all moments within them, and of a date the day.
        return text[:19].replace("T", " ")
    try:
        if pa.types.is_floating(type_):
            values = pa.array([float(text)], pa.float64())
        elif pa.types.is_integer(type_) or pa.types.is_decimal(type_):
            values = pa.array([text]).cast(pa.decimal128(38, type_.scale if pa.types.is_decimal(type_) else 0))
        else:
            return None
    except (ValueError, pa.ArrowInvalid):
        return None
    found: str = sortable(values)[0].as_py()
    return found


def _landed(table: TablePlan, files: Sequence[LandedFile]) -> Iterator[pa.RecordBatch]:
    """The landed rows as they are compared, with the number of their file and their own within it."""
    schema, names = _compared(table), table.landed_schema().names
    whole = pa.schema([*schema, *PLACE])
    for number, landed in enumerate(files):
        start = 0
        with pq.ParquetFile(landed.path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                deleted = pc.equal(batch.column(LANDING[1].name), "D").cast(pa.int8())
                compared = _as_compared([*(batch.column(name) for name in names), deleted], schema)
                rows = np.arange(start, start + batch.num_rows, dtype=np.int64)
                place = [pa.repeat(pa.scalar(number, pa.int64()), batch.num_rows), pa.array(rows)]
                yield pa.RecordBatch.from_arrays([*compared.columns, *place], schema=whole)
                start += batch.num_rows


def _known(
    engine: duckdb.DuckDBPyConnection, table: TablePlan, files: Sequence[LandedFile], held: Path
) -> dict[int, np.ndarray]:
    """Number of a file -> the numbers of its rows that raw holds."""
    schema = _compared(table)
    whole = pa.schema([*schema, *PLACE])
    engine.register("landed", pa.RecordBatchReader.from_batches(whole, _landed(table, files)))
    engine.execute("CREATE TEMP VIEW held AS SELECT * FROM read_parquet('" + str(held).replace("'", "''") + "')")
    columns = ", ".join(schema.names)
    # By hash first: most rows of a load are new, and need not be kept for the comparison.
    engine.execute(
        f"CREATE TEMP TABLE near AS SELECT * FROM landed SEMI JOIN (SELECT hash({columns}) AS h FROM held) AS marks "
        f"ON hash({columns}) = marks.h"
    )
    # Equal rows are numbered, so that each of them finds one of raw's, and no two the same.
    numbered = f"SELECT *, row_number() OVER (PARTITION BY {columns}) AS nth FROM"
    same = " AND ".join(f"l.{name} IS NOT DISTINCT FROM h.{name}" for name in (*schema.names, "nth"))
    found = engine.execute(
        f"SELECT el_file, el_row FROM ({numbered} near) AS l SEMI JOIN ({numbered} held) AS h ON {same}"
    ).fetchnumpy()
    engine.unregister("landed")
    numbers, rows = np.asarray(found["el_file"]), np.asarray(found["el_row"], dtype=np.int64)
    return {int(number): rows[numbers == number] for number in np.unique(numbers)}


def without_rows(file: LandedFile, known: np.ndarray) -> list[LandedFile]:
    """The file without these rows; none where no row is left. The file as it was is removed."""
    if len(known) == file.rows:
        file.path.unlink()
        return []
    path = file.path.with_name(f"{file.path.stem}-new.parquet")
    mask = np.ones(file.rows, dtype=bool)
    mask[known] = False

    def batches(source: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in source.iter_batches(BATCH_ROWS):
            yield batch.filter(pa.array(mask[start : start + batch.num_rows]))
            start += batch.num_rows

    with pq.ParquetFile(file.path) as source:
        rows = write_parquet(path, source.schema_arrow, batches(source))
    file.path.unlink()
    return [LandedFile(path, rows, path.stat().st_size)]
