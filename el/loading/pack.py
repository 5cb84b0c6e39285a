"""What of an extracted table goes into the package of its raw schema, and what the run reports of it.

Guarantee: a table is packed whole, with its ledger row, or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from el import __version__
from el.config.job import Job
from el.errors import DatabaseError, ElError, Paused
from el.extraction.extract import Landed
from el.extraction.file_sizes import FileSizes
from el.extraction.landing import LandedFile, LandedTable, raw_columns
from el.extraction.resume import KeptSlices
from el.extraction.slice import SliceResult
from el.extraction.slicer import Destination, Slicer, pace_of
from el.loading.again import without_held
from el.loading.deletes import Gone, find_gone
from el.loading.digest import digest_of
from el.loading.key_check import doubled_keys, refuse_equal_keys
from el.loading.ledger import ledger_row
from el.loading.moved import settled
from el.loading.warehouse import Warehouse
from el.planning.columns import TableComment
from el.planning.keys import KEY_COLUMN, KEY_COMMENT
from el.planning.plan import TablePlan
from el.planning.strategies.window import Kind
from el.reporting.summary import TableReport

KEY_FILES = FileSizes(64 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Packed:
    """A table's part of a package."""

    plan: TablePlan
    table: LandedTable
    ledger: dict[str, object]  # its row


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs the tables of one raw schema."""

    job: Job
    warehouse: Warehouse
    raw_schema: str
    load_id: str
    spool: Path
    kind: str | None = None  # as of `SchemaLoad`

    def pack(self, table: TablePlan, found: Landed | None) -> tuple[TableReport, Packed | None]:
        """What is reported of the table, and its part of the package, where there is something to load or to note."""
        report = TableReport(str(table.name), f"{self.raw_schema}.{table.raw_table}", table.strategy, "nothing new")
        report = replace(report, notes=table.notes, window=str(table.window) if table.window else None)
        if table.stopped is not None:
            return replace(report, status="failed", error=table.stopped), None
        if found is None:
            return report, None
        found, deleted = self._with_gone(table, found)
        counted = replace(report, deleted=deleted, rows=found.rows, bytes=found.bytes)
        counted = replace(counted, seconds=found.seconds, attempts=found.attempts)
        if found.error is not None:
            return _failed(counted, found.error), None
        try:
            return self._pack_landed(table, found, report, counted)
        except ElError as error:
            if not isinstance(error, DatabaseError):
                # The rows themselves are wrong: taken again from what landed, they would stay so.
                KeptSlices(self.job.work).forget(table.raw_schema, table.raw_table)
            return _failed(counted, error), None

    def _pack_landed(
        self, table: TablePlan, found: Landed, report: TableReport, counted: TableReport
    ) -> tuple[TableReport, Packed | None]:
        """As `pack`, of what landed. report: where there is nothing new. Raises the `ElError` that fails the table."""
        held = table.last.fingerprint if table.last is not None and table.skip_unchanged else None
        found, fingerprint = settled(self.warehouse, self._slicer(table), table, found, held)
        if fingerprint is not None and fingerprint == held and found.keys is None:
            return replace(counted, status="unchanged", rows=0), None
        refuse_equal_keys(table, found.files, self.spool)
        doubled = doubled_keys(table, found.files, self.spool)
        notes = (*counted.notes, *([doubled] if doubled else []), *(str(each) for each in found.misfits))
        found = self._without_held(table, found)
        counted = replace(counted, rows=found.rows, bytes=found.bytes, notes=notes)
        columns = raw_columns(table.landed_schema(), table.equal)
        documents = frozenset(c.name for c in table.columns if self.warehouse.keeps_json and c.mapping.duckdb == "JSON")
        landed = LandedTable(table.raw_table, columns, found.files, comment_of(table), documents)
        row = self._ledger_row(table, found, fingerprint, counted.deleted)
        way = self.warehouse.digest_way(self.job.config.defaults.digest)
        if way is not None and found.rows:
            row["digest"] = digest_of(landed, way).text()
        packed = Packed(table, landed, row)
        if found.rows > 0 or row["kind"] != Kind.DELTA:
            return replace(counted, status="loaded", kind=str(row["kind"]), load_id=self.load_id), packed
        if fingerprint is not None and fingerprint != held and table.reads_again:
            # Noted, it tells the next run without a look into raw that nothing changed.
            return replace(counted, status="unchanged"), packed
        noted = found.keys is not None or (table.window is not None and table.window.forgets)
        return report, packed if noted else None

    def _with_gone(self, table: TablePlan, found: Landed) -> tuple[Landed, int]:
        """With the `D` rows of what is gone by the key set, and their number."""
        if found.error is not None or found.keys is None:
            return found, 0
        try:
            gone = self._gone(table, found.keys)
        except ElError as error:
            return replace(found, error=error), 0
        return replace(found, files=(*found.files, *gone.files), rows=found.rows + gone.rows), gone.rows

    def _gone(self, table: TablePlan, keys: SliceResult) -> Gone:
        """What is gone from the source by its key set; the keys' files are removed."""
        slicer = self._slicer(table, KEY_FILES)
        again: list[LandedFile] = []

        def read_again() -> Sequence[LandedFile]:
            again.extend(slicer.key_slice(table, attempt=1).run().files)
            return again

        directory = self.spool / table.raw_schema
        try:
            return find_gone(self.warehouse, table, keys.files, self.load_id, directory, read_again)
        finally:
            for file in (*keys.files, *again):
                file.path.unlink(missing_ok=True)

    def _slicer(self, table: TablePlan, sizes: FileSizes | None = None) -> Slicer:
        """For what is read again, with nothing beside it."""
        sizes = sizes or self.warehouse.file_sizes.unless(self.job.config.defaults.file_mb)
        where = Destination({table.raw_schema: self.load_id}, self.spool, sizes, self.warehouse.limits)
        return Slicer(self.job, where, replace(pace_of(self.job), after=table.look is not None))

    def _without_held(self, table: TablePlan, found: Landed) -> Landed:
        """Without the rows that were read again and that raw holds already."""
        if not table.reads_again or not found.rows:
            return found
        files = without_held(self.warehouse, table, found.files, self.spool / self.raw_schema)
        return replace(found, files=files, rows=sum(file.rows for file in files))

    def _ledger_row(self, table: TablePlan, found: Landed, fingerprint: str | None, deleted: int) -> dict[str, object]:
        window = table.window
        if window is None:
            # Only keys were read, or what differed: the bound stays where the last load left it.
            assert table.last is not None
            bounds = (Kind.DELTA, table.last.bound_column, table.last.upper, table.last.upper)
        else:
            lower, upper = (value.text if value else None for value in (window.lower, window.noted))
            bounds = (window.kind, window.bounded, lower, found.reached or upper)
        kind, column, lower, upper = bounds
        return ledger_row(
            table_name=table.raw_table,
            source_table=str(table.name),
            kind=self.kind or str(kind),
            strategy=table.strategy,
            bound_column=column,
            lower_bound=lower,
            upper_bound=upper,
            row_count=found.rows,
            deleted_count=deleted,
            misfits=json.dumps({each.column: each.count for each in found.misfits}) if found.misfits else None,
            byte_count=found.bytes,
            partitions=len(table.reads),
            fingerprint=fingerprint,
            incarnation=window.incarnation if window else table.last.incarnation if table.last else None,
            definition=table.definition,
            source=table.source,
            keys_read_at=found.keys.started if found.keys else None,
            run_id=self.job.run_id,
            started_at=found.started,
            finished_at=found.finished,
            el_version=__version__,
            _dlt_load_id=self.load_id,
        )


def _failed(report: TableReport, error: ElError) -> TableReport:
    return replace(report, status="paused" if isinstance(error, Paused) else "failed", error=str(error))


def comment_of(table: TablePlan) -> TableComment:
    columns = {column.name: column.comment() for column in table.columns}
    own = {KEY_COLUMN: KEY_COMMENT} if table.equal else {}
    return TableComment(f"{table.name} at the source", {**columns, **own})
