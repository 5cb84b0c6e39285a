"""Both sides as parquet files of one schema: the source by the reads that a run makes, raw as its warehouse has it.

Guarantees: a value comes by the same way as in a load (types, casts, masks, keys), batch by batch; of the source one
scan is made, and after it the keys that changed since the bound are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from el.config.job import Job
from el.connectors.abilities import ChangeSource, Followed
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog
from el.connectors.registry import open_source
from el.connectors.request import Condition, ReadRequest, SqlText
from el.connectors.sql.select import Statement
from el.errors import LoadError, PlanError
from el.extraction.file_sizes import FileSizes
from el.extraction.fingerprint import RowHash
from el.extraction.landing import LandedFile, LandingFiles
from el.extraction.slicer import Destination, Slicer, pace_of
from el.loading.current_state import CurrentState
from el.loading.deletes import BATCH_ROWS
from el.loading.warehouse import Warehouse
from el.plan_job import plan_job
from el.planning.keys import KEY_COLUMN, KEY_FIELD
from el.planning.plan import TablePlan
from el.planning.strategies.key_set import KeyRead
from el.planning.strategies.window import Kind, Window
from el.verification.compare import Shape
from el.verification.rule import LateBy, Rule

# Seconds that a log is waited for which is filled later than rows change.
PATIENCE = 15
_FILES = FileSizes(1024 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Sides:
    """Reads both sides of one table into `folder`."""

    job: Job
    warehouse: Warehouse
    table: TablePlan
    catalog: Catalog
    rule: Rule
    folder: Path

    def source(self, within: Sequence[tuple[Condition, ...]] = ((),)) -> tuple[LandedFile, ...]:
        """Every row of the source; one that is not settled comes as deleted, with its key alone.

        within: only rows that meet one of these sets of conditions, each set in a read of its own.
        """
        whole = self.table.whole
        assert whole is not None
        settled = (self.rule.settled,) if self.rule.settled is not None else ()
        scans = tuple(replace(whole, kept=settled, where=(*whole.where, *each)) for each in within)
        window = Window(Kind.SNAPSHOT, bound="all")
        return self._run(replace(self.table, reads=scans, window=window, position_column=None))

    def late(self) -> tuple[LandedFile, ...]:
        """The keys that changed since the bound, as far as the source tells after the scan."""
        if self.rule.by is LateBy.NOTHING or not self.table.key:
            return ()
        if self.rule.by is LateBy.LOG:
            return self._logged()
        assert self.table.whole is not None
        reads = {column.name: column.reads() for column in self.table.columns}
        columns = tuple(read for name in self.table.key for read in reads[name])
        # Without the filters: a row that has left them since is late too.
        request = replace(self.table.whole, columns=columns, where=(self.rule.late,))
        keys = KeyRead(request, 100, of_one_moment=False)
        return self._slicer().key_slice(replace(self.table, keys=keys)).run().files

    def _logged(self) -> tuple[LandedFile, ...]:
        opened: Future[Warehouse] = Future()
        opened.set_result(self.warehouse)
        plan = plan_job(replace(self.job, select=(str(self.table.name),)), opened)
        if plan.refused:
            raise plan.refused[0].error
        now = next(each for each in plan.tables if each.name == self.table.name)
        if now.error is not None:
            raise now.error
        if now.window is not None and now.window.kind is Kind.SNAPSHOT:
            raise PlanError(f"the log no longer tells what changed: {now.window.because}")
        return () if now.window is None else self._run(now)

    def log_is_past(self, moment: datetime) -> bool:
        """Whether the log tells what was committed up to then, waiting a little for it; True where there is none."""
        if self.rule.by is not LateBy.LOG:
            return True
        at_source = self.catalog.table(self.table.name)
        assert at_source is not None
        columns = tuple(column.source for column in self.table.columns)
        with open_source(self.job.source.settings, str(self.job.source)) as source:
            assert isinstance(source, ChangeSource)
            made = next(feed for feed in source.feeds if feed.name == self.table.strategy)
            feed = made(source.beside_log(), Followed(at_source, self.catalog, columns))
            until = time.monotonic() + PATIENCE
            while not feed.is_past(moment):
                if time.monotonic() >= until:
                    return False
                time.sleep(1)
        return True

    def _slicer(self) -> Slicer:
        load_ids = {self.table.raw_schema: "verify"}
        destination = Destination(load_ids, self.folder, _FILES, self.warehouse.limits)
        return Slicer(self.job, destination, pace_of(self.job))

    def _run(self, table: TablePlan) -> tuple[LandedFile, ...]:
        # Each scan has a folder of its own: files are named by table and number alone.
        folder = self.folder / f"read-{len(list(self.folder.glob('read-*')))}"
        slicer = replace(self._slicer(), destination=replace(self._slicer().destination, spool=folder))
        works = [replace(work, hashed=False) for work in slicer.slices(table)]
        return tuple(file for work in works for file in work.run().files)

    def raw(self, only: Statement | None = None) -> tuple[tuple[LandedFile, ...], RowHash | None]:
        """What raw holds now. With it, of a snapshot, the hash of its rows as that of a load is made.

        only: what gives some of the rows, instead of all.
        """
        table = self.table
        names = self.compared()
        fields = [table.landed_schema().field(name) for name in names]
        schema = pa.schema([*fields, *([KEY_FIELD] if table.equal else [])])
        whole = self.rule.by is LateBy.NOTHING
        state = CurrentState(self.warehouse, table.raw_schema, table.raw_table)
        # Of a snapshot each row counts, so that one that stands there twice is seen.
        statement = only or state.all_rows(schema.names, () if whole else self.shape().told_by)
        request = ReadRequest(query=SqlText("SELECT 1"), batch_rows=BATCH_ROWS)
        hashed = names if whole and len(names) == len(table.columns) else ()
        landing = LandingFiles(self.folder / "raw", schema, _FILES, hashed)
        with self.warehouse.frugal(len(names)) as connector, connector.stream(statement, request) as buffer:
            for batch in self._held(buffer, schema):
                landing.write(batch)
            files = landing.close()
        return files, landing.hashed

    def shape(self) -> Shape:
        """What is compared, and by which key."""
        table = self.table
        schema = pa.schema([table.landed_schema().field(name) for name in self.compared()])
        return Shape(schema, table.key, (KEY_COLUMN,) if table.equal else table.key)

    def compared(self) -> list[str]:
        """The columns that both sides have, by their names in raw."""
        new = {column.name for column in self.table.drift.added}
        return [column.name for column in self.table.columns if column.name not in new]

    def _held(self, buffer: Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in buffer:
            *columns, deleted = batch.columns
            try:
                made = [column.cast(type_) for column, type_ in zip(columns, schema.types, strict=True)]
            except pa.ArrowInvalid as error:
                raise LoadError(f"raw holds a value that the source's type cannot: {error}") from None
            yield pa.RecordBatch.from_arrays(made, schema=schema).filter(pc.equal(deleted.cast(pa.int8()), 0))
