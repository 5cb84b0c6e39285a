"""Loading: what was extracted of one raw schema, as one package with its ledger rows.

Guarantees: a table is loaded whole or not at all; its ledger row travels in the same package as its rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from el.config.job import Job
from el.connectors.catalog import TableName
from el.errors import ElError
from el.extraction.extract import Landed
from el.extraction.landing import LandedFile, LandedTable
from el.extraction.slice import STEP
from el.loading.file_ledger import FILES_SCHEMA, FILES_TABLE, REJECTS_SCHEMA, REJECTS_TABLE
from el.loading.ledger import LEDGER_SCHEMA, LEDGER_TABLE
from el.loading.lock import StillOurs
from el.loading.open import loader
from el.loading.pack import Packed, Packer, comment_of
from el.loading.warehouse import Warehouse
from el.planning.held import COLUMNS_SCHEMA, COLUMNS_TABLE, column_rows
from el.planning.plan import TablePlan
from el.reporting.progress import Reporter
from el.reporting.summary import TableReport


@dataclass(frozen=True, slots=True)
class PackedFiles:
    """A raw table's part of a package whose rows come from files.

    ledger: its row; files, rejects, columns: those of `_el_files`, `_el_rejects`, `_el_columns`. fresh: no load of it
    is complete yet.
    """

    table: LandedTable
    ledger: dict[str, object]
    files: Sequence[Mapping[str, object]]
    rejects: Sequence[Mapping[str, object]]
    columns: Sequence[Mapping[str, object]]
    fresh: bool


def load_ids_for(warehouse: Warehouse, schemas: Iterable[str]) -> dict[str, str]:
    """A load id for each raw schema: the time, as dlt has it, but always greater than the last one's.

    Readers order loads by it, and the clock of another machine, or of this one, may be behind.
    """
    found = {}
    with warehouse.connector:
        for schema in schemas:
            last = warehouse.last_load(schema)
            now = Decimal(time.time_ns()).scaleb(-9).quantize(Decimal("0.000001"))
            if last is not None and now <= Decimal(last):
                now = Decimal(last).quantize(Decimal("0.000001")) + Decimal("0.000001")
            found[schema] = str(now)
    return found


@dataclass(frozen=True, slots=True)
class SchemaLoad:
    """The load of one raw schema."""

    job: Job
    warehouse: Warehouse
    schema: str
    load_id: str
    spool: Path
    reporter: Reporter
    locks: Sequence[StillOurs]
    kind: str | None = None  # what the ledger calls it, where no window says that

    def load(
        self,
        tables: Sequence[TablePlan],
        landed: Mapping[TableName, Landed],
        reports: dict[TableName, TableReport],
        files: Sequence[PackedFiles] = (),
    ) -> None:
        """Load what came, with its ledger; `reports` gets one for each of the tables, before it loads.

        files: raw tables whose rows come from files, which are packed already.
        """
        packer = Packer(self.job, self.warehouse, self.schema, self.load_id, self.spool, self.kind)
        package: list[Packed] = []
        for table in tables:
            reports[table.name], packed = packer.pack(table, self._widened(table, landed.get(table.name)))
            if packed is not None:
                package.append(packed)
        if not package and not files:
            return
        self.still_ours()
        rows = sum(int(str(row["row_count"])) for row in _ledger_rows(package, files))
        self.reporter.say(f"loading {self.schema}: {len(package) + len(files)} tables, {rows:,} rows")
        fresh = [packed.table.name for packed in package if packed.plan.last is None]
        fresh += [packed.table.name for packed in files if packed.fresh]
        own = self._own_tables(package, files)
        taken = [*(packed.table for packed in package), *(packed.table for packed in files), *own]
        self.prepare([table.name for table in taken], fresh)
        loader(self.job, self.warehouse, self.schema).load(self.load_id, taken, self.reporter.say)
        recorded = [packed.plan for packed in package if packed.plan.drift.unrecorded]
        if recorded:
            self._comment(recorded)

    def still_ours(self) -> None:
        """A machine that slept may have lost its lock to another run, which then reads the same windows."""
        for still_ours in self.locks:
            still_ours(self.schema)

    def _widened(self, table: TablePlan, found: Landed | None) -> Landed | None:
        """Give raw's columns the types that their values now need, before what was read again is compared with raw.

        Done twice it changes nothing: a run that ends here is followed by one that finds the same drift. What goes
        wrong is the table's own error.
        """
        if found is None or found.error is not None or table.stopped is not None or not table.drift.widened:
            return found
        self.still_ours()
        try:
            with self.warehouse.connector:
                self.warehouse.widen(self.schema, table.raw_table, table.drift.widened)
        except ElError as error:
            return replace(found, error=error)
        return found

    def prepare(self, tables: Sequence[str], fresh: Sequence[str]) -> None:
        """Make raw ready for what comes. Done twice it changes nothing. fresh: no load of them is complete yet."""
        warehouse, schema = self.warehouse, self.schema
        with warehouse.connector:
            warehouse.prepare(schema)
            if fresh:
                warehouse.drop_unseen(schema, fresh)
            warehouse.look_again(schema, sorted({LEDGER_TABLE, COLUMNS_TABLE, *tables}))
        sys.audit(STEP, "raw schema prepared")

    def _own_tables(self, package: Sequence[Packed], files: Sequence[PackedFiles]) -> list[LandedTable]:
        """The rows of el's own tables that say what the package holds."""
        directory = self.spool / self.schema
        directory.mkdir(parents=True, exist_ok=True)
        ledger = _ledger_rows(package, files)
        columns: list[Mapping[str, object]] = []
        for plan in (packed.plan for packed in package):
            if plan.drift.unrecorded:
                columns += column_rows(plan.raw_table, plan.table_id, plan.columns, self.load_id)
        columns += [row for packed in files for row in packed.columns]
        found = [_own_table(LEDGER_TABLE, LEDGER_SCHEMA, ledger, directory)]
        for name, schema, rows in (
            (COLUMNS_TABLE, COLUMNS_SCHEMA, columns),
            (FILES_TABLE, FILES_SCHEMA, [row for packed in files for row in packed.files]),
            (REJECTS_TABLE, REJECTS_SCHEMA, [row for packed in files for row in packed.rejects]),
        ):
            if rows:
                found.append(_own_table(name, schema, rows, directory))
        return found

    def _comment(self, tables: Sequence[TablePlan]) -> None:
        """Say in raw itself what its tables and columns are called at the source, and of which type they are there."""
        try:
            with self.warehouse.connector:
                self.warehouse.comment(self.schema, {table.raw_table: comment_of(table) for table in tables})
        except ElError as error:
            # The rows are whole, and `_el_columns` says the same.
            self.reporter.say(f"{self.schema}: raw lacks comments: {error}")


def _ledger_rows(package: Sequence[Packed], files: Sequence[PackedFiles]) -> list[dict[str, object]]:
    return [*(packed.ledger for packed in package), *(packed.ledger for packed in files)]


def _own_table(name: str, schema: pa.Schema, rows: Sequence[Mapping[str, object]], directory: Path) -> LandedTable:
    path = directory / f"{name}.parquet"
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    pq.write_table(table, path)
    return LandedTable(name, schema, (LandedFile(path, table.num_rows, path.stat().st_size),))
