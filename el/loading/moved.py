"""Rows that moved while a snapshot was read under locking READ COMMITTED: such a scan passes over some, or meets them
twice (Microsoft Learn, "Transaction locking and row versioning guide": missing and double reads).

Guarantees: a row counts as gone only if a second scan of the keys does not find it either, and of a row that came twice
one is loaded. What raw does not hold yet is not looked for: a full snapshot brings it next time, and for the other
strategies a row that moved is a row that changed, which comes with the next delta.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from el.errors import LoadError
from el.extraction.extract import Landed, landed_of
from el.extraction.landing import LANDING, LandedFile, raw_columns
from el.extraction.slice import STEP
from el.extraction.slicer import Slicer
from el.loading.again import PLACE, without_rows
from el.loading.deletes import BATCH_ROWS, held_keys, keys_stem, removed, rows_not_among, write_parquet
from el.loading.spill import spilling
from el.loading.warehouse import Warehouse
from el.planning.keys import KEY_COLUMN, KEY_FIELD
from el.planning.plan import TablePlan

# How often a snapshot is read that lacks rows which moved meanwhile, before its table fails.
SCANS = 3


def settled(
    warehouse: Warehouse, slicer: Slicer, table: TablePlan, found: Landed, held: str | None
) -> tuple[Landed, str | None]:
    """What landed, with its fingerprint: read again where it lacks rows that moved meanwhile, and each row once.

    held: the fingerprint of what raw holds: where the two are equal, no row was missed.
    """
    for scan in range(1, SCANS + 1):
        fingerprint = found.hashed.text(table.landed_schema()) if found.hashed is not None else None
        if table.look is None or (fingerprint is not None and fingerprint == held):
            return found, fingerprint
        missed = _missed(warehouse, slicer, table, found.files) if table.last is not None else 0
        if not missed:
            break
        if scan == SCANS:
            raise LoadError(
                f"{table.name}: {SCANS} scans each lacked rows that were there, the last one {missed:,}: they moved "
                "while it was read, and nothing was loaded. Run again when less is written; the plan says what "
                "prevents it, and `accept: [read_committed]` takes such a scan as it is"
            )
        _remove(found.files)
        found = landed_of([work.run() for work in slicer.slices(table)], snapshot=True)
    if table.unique and found.files:
        files = _without_doubled(table, found.files, slicer.directory(table))
        found = replace(found, files=files, rows=sum(file.rows for file in files))
    return found, fingerprint


def _missed(warehouse: Warehouse, slicer: Slicer, table: TablePlan, files: Sequence[LandedFile]) -> int:
    """How many rows a snapshot lacks that raw holds, and that a second scan of the source's keys finds there."""
    schema = pa.schema([*table.key_schema(), *([KEY_FIELD] if table.equal else [])])
    told_by = _told_by(table)
    directory = slicer.directory(table)
    held, lacked, gone = (directory / f"{part}-{keys_stem(table)}.parquet" for part in ("held", "lacked", "gone"))
    with removed(held, lacked, gone):
        write_parquet(held, schema, held_keys(warehouse, table, schema, told_by))
        sys.audit(STEP, "held keys read")
        number = rows_not_among(held, files, schema, told_by, lacked)
        if not number:
            return 0
        again = slicer.key_slice(table).run().files
        try:
            return number - rows_not_among(lacked, again, schema, told_by, gone)
        finally:
            _remove(again)


def _remove(files: Sequence[LandedFile]) -> None:
    for file in files:
        file.path.unlink(missing_ok=True)


def _without_doubled(table: TablePlan, files: Sequence[LandedFile], directory: Path) -> tuple[LandedFile, ...]:
    """The landed files with one row of each key: that of the greatest position, else the one that was read last."""
    # By their bytes: two keys that only el takes for one are another fault, which stops the table. Under names of their
    # own: DuckDB takes two columns for one that differ by case alone.
    names = [*table.key, LANDING[2].name]
    types = [raw_columns(table.landed_schema(), table.equal).field(name).type for name in names]
    keys = [f"c{number}" for number in range(len(names) - 1)]
    schema = pa.schema([*zip([*keys, "el_position"], types, strict=True), *PLACE])
    temporary = directory / f"doubled-{keys_stem(table)}.tmp"
    with spilling(temporary) as engine:
        engine.register("landed", pa.RecordBatchReader.from_batches(schema, _places(files, names, schema)))
        found = engine.execute(
            f"SELECT el_file, el_row FROM landed QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} "
            "ORDER BY el_position DESC NULLS LAST, el_file DESC, el_row DESC) > 1"
        ).fetchnumpy()
    numbers, rows = np.asarray(found["el_file"]), np.asarray(found["el_row"], dtype=np.int64)
    kept: list[LandedFile] = []
    for number, file in enumerate(files):
        doubled = rows[numbers == number]
        kept += without_rows(file, doubled) if len(doubled) else [file]
    return tuple(kept)


def _places(files: Sequence[LandedFile], names: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """These columns of the landed rows, with the number of their file and their own within it."""
    for number, landed in enumerate(files):
        start = 0
        with pq.ParquetFile(landed.path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(names)):
                place = [
                    pa.repeat(pa.scalar(number, pa.int64()), len(batch)),
                    pa.array(np.arange(start, start + len(batch))),
                ]
                yield pa.RecordBatch.from_arrays([*(batch.column(name) for name in names), *place], schema=schema)
                start += len(batch)


def _told_by(table: TablePlan) -> list[str]:
    return [KEY_COLUMN] if table.equal else list(table.key)
