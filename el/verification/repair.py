"""What differs lands once more, as the source has it: a load of kind `repair`, and never a row changed in raw.

Guarantees: rows that raw lacks, or has otherwise, come as they were read for the comparison (`U`); rows that the source
has no longer, as a log shows, come as deleted (`D`). The bound stays where the last load left it, so that what changed
behind it comes with the next run, and counts more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from el.config.job import Job
from el.connectors.catalog import TableName
from el.errors import LoadError, PlanError
from el.extraction.extract import Landed
from el.extraction.landing import LANDING, LandedFile, raw_columns
from el.loading.deletes import BATCH_ROWS, deleted_rows, write_parquet
from el.loading.load import SchemaLoad, load_ids_for
from el.loading.lock import StillOurs
from el.loading.warehouse import Warehouse
from el.planning.keys import KEY_FIELD
from el.planning.plan import TablePlan
from el.reporting.progress import Silent
from el.reporting.summary import TableReport
from el.types.present import utc_now
from el.verification.load_counts import REPAIR, wrong_counts


def refuse_repair(table: TablePlan) -> None:
    """Raise `PlanError` for a table of which a load of some rows would not make raw the source's."""
    if not table.key or table.last is None or table.last.upper is None:
        raise PlanError(f"a table without key or bound is not repaired: run --full-refresh --select {table.name}")
    if table.drift.unrecorded:
        raise PlanError("its columns changed since the last load: run first, and verify again")


def refuse_doubled(table: TablePlan, warehouse: Warehouse) -> None:
    """Raise `PlanError` where a load has more rows than the ledger says.

    A repair takes no row away, and ends the count of the loads before it: nobody would see them again.
    """
    wrong = wrong_counts(warehouse, table.raw_schema, table.raw_table)
    if more := [load for load, there, noted in wrong if there > noted]:
        raise PlanError(
            f"load {more[0]} has more rows than the ledger says, which is mended by a new snapshot alone: "
            f"run --full-refresh --select {table.name}"
        )


@dataclass(frozen=True, slots=True)
class Repair:
    """The rows of one table that are to land, as files in `folder`."""

    job: Job
    warehouse: Warehouse
    table: TablePlan
    folder: Path
    locks: Sequence[StillOurs]

    def load(self, changed: LandedFile | None, gone: LandedFile | None) -> int:
        """Load them; how many rows. Both have the key's columns, `changed` all others too.

        Raises `PlanError` where there are none.
        """
        table, schema = self.table, self.table.raw_schema
        if not any(file is not None and file.rows for file in (changed, gone)):
            # A repair ends the count of the loads before it, and would hide what it did not mend.
            raise PlanError(
                "raw holds each row as the source has it; that a load has not the rows which the ledger says is "
                f"mended by a new snapshot alone: run --full-refresh --select {table.name}"
            )
        load_id = load_ids_for(self.warehouse, [schema])[schema]
        files = []
        landed = raw_columns(table.landed_schema(), table.equal)
        if changed is not None and changed.rows:
            path = self.folder / "repair.parquet"
            rows = write_parquet(path, landed, _marked(changed.path, landed, load_id))
            files.append(LandedFile(path, rows, path.stat().st_size))
        if gone is not None and gone.rows:
            keys = pa.schema([*table.key_schema(), *([KEY_FIELD] if table.equal else [])])
            path = self.folder / "repair-deleted.parquet"
            rows = write_parquet(path, landed, deleted_rows(table, gone.path, keys, load_id))
            files.append(LandedFile(path, rows, path.stat().st_size))
        now, rows = utc_now(), sum(file.rows for file in files)
        size = sum(file.bytes for file in files)
        found = {table.name: Landed(tuple(files), rows, size, now, now)}
        work = SchemaLoad(self.job, self.warehouse, schema, load_id, self.folder, Silent(), self.locks, kind=REPAIR)
        reports: dict[TableName, TableReport] = {}
        work.load([_without_window(table)], found, reports)
        if reports[table.name].error is not None:
            raise LoadError(str(reports[table.name].error))
        return rows


def _without_window(table: TablePlan) -> TablePlan:
    return replace(table, window=None, reads=(), keys=None, look=None, reads_again=False, position_column=None)


def _marked(path: Path, schema: pa.Schema, load_id: str) -> Iterator[pa.RecordBatch]:
    """The rows as a load brings them: changed, and without a place in the source's order."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            rows = batch.num_rows
            own = {
                LANDING[0].name: pa.repeat(pa.scalar(load_id), rows),
                LANDING[1].name: pa.repeat(pa.scalar("U"), rows),
                LANDING[2].name: pa.nulls(rows, pa.string()),
            }
            columns = [own.get(name, batch.column(number)) for number, name in enumerate(schema.names)]
            cast = [column.cast(type_) for column, type_ in zip(columns, schema.types, strict=True)]
            yield pa.RecordBatch.from_arrays(cast, schema=schema)
