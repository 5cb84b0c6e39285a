"""Loading: what was extracted of one raw schema, as one package with its ledger rows.

Guarantees: a table is loaded whole or not at all; its ledger row travels in the same package as its rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from el import __version__
from el.config.job import Job
from el.connectors.catalog import TableName
from el.errors import ElError, Paused
from el.extraction.again import without_held
from el.extraction.deletes import Gone, find_gone
from el.extraction.extract import Landed, key_slice, pace_of
from el.extraction.key_check import refuse_equal_keys
from el.extraction.slice import STEP, LandedFile, LandedTable, SliceResult, raw_columns
from el.loading.ledger import LEDGER_SCHEMA, LEDGER_TABLE
from el.loading.lock import StillOurs
from el.loading.warehouse import Warehouse
from el.planning.columns import TableComment
from el.planning.drift import COLUMNS_SCHEMA, COLUMNS_TABLE, column_rows
from el.planning.keys import KEY_COLUMN, KEY_COMMENT
from el.planning.plan import Plan, TablePlan
from el.planning.strategies.window import Kind
from el.reporting.progress import Reporter
from el.reporting.summary import TableReport

if TYPE_CHECKING:
    from el.loading.package import Loader


KEY_FILE_BYTES = 64 * 1024 * 1024


def load_ids_for(warehouse: Warehouse, plan: Plan) -> dict[str, str]:
    """A load id for each raw schema: the time, as dlt has it, but always greater than the last one's.

    Readers order loads by it, and the clock of another machine, or of this one, may be behind.
    """
    found = {}
    with warehouse.connector:
        for schema in plan.by_schema():
            last = warehouse.last_load(schema)
            now = Decimal(time.time_ns()).scaleb(-9).quantize(Decimal("0.000001"))
            if last is not None and now <= Decimal(last):
                now = Decimal(last).quantize(Decimal("0.000001")) + Decimal("0.000001")
            found[schema] = str(now)
    return found


def loader(job: Job, warehouse: Warehouse, schema: str) -> Loader:
    from el.loading.package import Loader

    return Loader(warehouse, schema, job.work, job.run_id, retries=job.config.defaults.retries)


def load(
    job: Job,
    warehouse: Warehouse,
    schema: str,
    load_id: str,
    tables: Sequence[TablePlan],
    landed: Mapping[TableName, Landed],
    spool: Path,
    reporter: Reporter,
    reports: dict[TableName, TableReport],
    locks: Sequence[StillOurs],
) -> None:
    """Load what came of one raw schema, with its ledger; `reports` gets one for each of its tables, before it loads."""
    package: list[LandedTable] = []
    packed: list[TablePlan] = []
    ledger: list[dict[str, object]] = []
    columns: list[dict[str, object]] = []
    for table in tables:
        found = landed.get(table.name)
        report = TableReport(str(table.name), f"{schema}.{table.raw_table}", table.strategy, "nothing new")
        report = replace(report, notes=table.notes, window=str(table.window) if table.window else None)
        reports[table.name] = report
        if table.stopped is not None:
            reports[table.name] = replace(report, status="failed", error=table.stopped)
            continue
        if found is None:
            continue
        deleted = 0
        if found.error is None and found.keys is not None:
            try:
                gone = _gone(job, warehouse, table, found.keys, load_id, spool)
            except ElError as error:
                found = replace(found, error=error)
            else:
                deleted = gone.rows
                found = replace(found, files=(*found.files, *gone.files), rows=found.rows + gone.rows)
        report = replace(report, deleted=deleted)
        report = replace(report, rows=found.rows, bytes=found.bytes, seconds=found.seconds, attempts=found.attempts)
        if isinstance(found.error, Paused):
            reports[table.name] = replace(report, status="paused", error=str(found.error))
            continue
        if found.error is not None:
            reports[table.name] = replace(report, status="failed", error=str(found.error))
            continue
        mark = found.hashed.text(table.landed_schema()) if found.hashed is not None else None
        held = table.last.fingerprint if table.last is not None and table.skip_unchanged else None
        if mark is not None and mark == held and found.keys is None:
            reports[table.name] = replace(report, status="unchanged", rows=0)
            continue
        try:
            refuse_equal_keys(table, found.files, spool)
        except ElError as error:
            reports[table.name] = replace(report, status="failed", error=str(error))
            continue
        if table.again and found.rows:
            try:
                files = without_held(warehouse, table, found.files, spool / schema)
            except ElError as error:
                reports[table.name] = replace(report, status="failed", error=str(error))
                continue
            found = replace(found, files=files, rows=sum(file.rows for file in files))
            report = replace(report, rows=found.rows)
        row = _ledger_row(job, table, found, mark, load_id, deleted)
        if found.rows == 0 and row["kind"] == Kind.DELTA:
            if mark is not None and mark != held and table.again:
                # Noted, it tells the next run without a look into raw that nothing changed.
                reports[table.name] = replace(report, status="unchanged")
            elif found.keys is None and not (table.window is not None and table.window.forgets):
                continue
        else:
            reports[table.name] = replace(report, status="loaded", kind=str(row["kind"]), load_id=load_id)
        landed_schema = raw_columns(table.landed_schema(), table.equal)
        package.append(LandedTable(table.raw_table, landed_schema, found.files, comment_of(table)))
        packed.append(table)
        ledger.append(row)
        if table.drift.record:
            columns += column_rows(table.raw_table, table.table_id, table.columns, load_id)
    if package:
        # A machine that slept may have lost its lock to another run, which then reads the same windows.
        for still_ours in locks:
            still_ours(schema)
        reporter.say(f"loading {schema}: {len(package)} tables, {sum(int(str(r['row_count'])) for r in ledger):,} rows")
        with warehouse.connector:
            warehouse.prepare(schema)
            if fresh := [table.raw_table for table in packed if table.last is None]:
                warehouse.drop_unseen(schema, fresh)
            warehouse.look_again(schema, [LEDGER_TABLE, COLUMNS_TABLE, *(table.raw_table for table in packed)])
            # Done twice it changes nothing: a run that ends here is followed by one that finds the same drift. Also
            # where no row came: `_el_columns` says in this package that it is done.
            for table in packed:
                if table.drift.widened:
                    warehouse.widen(schema, table.raw_table, table.drift.widened)
        sys.audit(STEP, "raw schema prepared")
        own = [_own_table(LEDGER_TABLE, LEDGER_SCHEMA, ledger, spool / schema)]
        if columns:
            own.append(_own_table(COLUMNS_TABLE, COLUMNS_SCHEMA, columns, spool / schema))
        loader(job, warehouse, schema).load(load_id, [*package, *own])
        recorded = [table for table in packed if table.drift.record]
        if recorded:
            _comment(warehouse, schema, recorded, reporter)


def _gone(job: Job, warehouse: Warehouse, table: TablePlan, keys: SliceResult, load_id: str, spool: Path) -> Gone:
    """What is gone from the source by its key set; the keys' files are removed."""

    def read_again() -> Sequence[LandedFile]:
        again.extend(key_slice(job, table, load_id, spool, KEY_FILE_BYTES, pace_of(job), attempt=1).run().files)
        return again

    again: list[LandedFile] = []
    try:
        return find_gone(warehouse, table, keys.files, load_id, spool / table.raw_schema, read_again)
    finally:
        for file in (*keys.files, *again):
            file.path.unlink(missing_ok=True)


def _ledger_row(
    job: Job, table: TablePlan, found: Landed, mark: str | None, load_id: str, deleted: int
) -> dict[str, object]:
    window = table.window
    if window is None:
        # Only keys were read: the bound stays where the last load left it.
        assert table.last is not None
        bounds = (Kind.DELTA, table.last.bound_column, table.last.upper, table.last.upper)
    else:
        lower, upper = (value.text if value else None for value in (window.lower, window.noted))
        bounds = (window.kind, window.bounded, lower, found.reached or upper)
    kind, column, lower, upper = bounds
    return {
        "table_name": table.raw_table,
        "source_table": str(table.name),
        "kind": str(kind),
        "strategy": table.strategy,
        "bound_column": column,
        "lower_bound": lower,
        "upper_bound": upper,
        "row_count": found.rows,
        "deleted_count": deleted,
        "byte_count": found.bytes,
        "partitions": len(table.reads),
        "fingerprint": mark,
        "incarnation": window.incarnation if window else table.last.incarnation if table.last else None,
        "definition": table.definition,
        "source": table.source,
        "keys_read_at": found.keys.started if found.keys else None,
        "run_id": job.run_id,
        "started_at": found.started,
        "finished_at": found.finished,
        "el_version": __version__,
        "_dlt_load_id": load_id,
    }


def _own_table(name: str, schema: pa.Schema, rows: Sequence[Mapping[str, object]], directory: Path) -> LandedTable:
    path = directory / f"{name}.parquet"
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    pq.write_table(table, path)
    return LandedTable(name, schema, (LandedFile(path, table.num_rows, path.stat().st_size),))


def _comment(warehouse: Warehouse, schema: str, tables: Sequence[TablePlan], reporter: Reporter) -> None:
    """Say in raw itself what its tables and columns are called at the source, and of which type they are there."""
    try:
        with warehouse.connector:
            warehouse.comment(schema, {table.raw_table: comment_of(table) for table in tables})
    except ElError as error:
        # The rows are whole, and `_el_columns` says the same.
        reporter.say(f"{schema}: raw lacks comments: {error}")


def comment_of(table: TablePlan) -> TableComment:
    columns = {column.name: column.comment() for column in table.columns}
    own = {KEY_COLUMN: KEY_COMMENT} if table.equal else {}
    return TableComment(f"{table.name} at the source", {**columns, **own})
