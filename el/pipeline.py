"""A run: plan, extract in slices, load as one package a raw schema, report.

Guarantees: a table is loaded whole or not at all; one that fails leaves the others to be loaded; its ledger row
travels in the same package as its rows. What an earlier run left unfinished is finished first.
"""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from el import __version__
from el.config import Config
from el.connectors.catalog import TableName
from el.connectors.registry import open_connector
from el.destinations import open_warehouse
from el.destinations.base import Warehouse
from el.errors import ElError, LoadError
from el.fingerprint import fingerprint
from el.ledger import LEDGER_SCHEMA, LEDGER_TABLE, LedgerEntry
from el.plan import Plan, TablePlan, choose_tables, make_plan, raw_names
from el.profiles import Output
from el.report import Reporter, RunReport, TableReport
from el.slice import LANDING, STEP, Cancelled, LandedFile, LandedTable, Slice, SliceResult
from el.strategies.window import Kind

if TYPE_CHECKING:
    from el.destinations.package import Loader


@dataclass(frozen=True, slots=True)
class Job:
    """What a run works on. `home`: the folder for what is under way; it may be lost between two runs."""

    config: Config
    source: Output
    destination: Output
    home: Path = Path(".el")
    select: tuple[str, ...] = ()
    full_refresh: bool = False
    workers: int | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])


def plan_job(
    job: Job, warehouse: Future[Warehouse], before: Callable[[Warehouse, list[str]], None] | None = None
) -> Plan:
    """The plan of a job. `before` is called with the raw schemas once they are known, before the ledger is read."""
    with open_connector(job.source.settings, str(job.source)) as source:
        catalog = source.describe(brief=True)
        chosen = choose_tables(job.config, source, catalog, job.select)
        places = raw_names(job.config, chosen)
        schemas = sorted({schema for schema, _ in places.values()})
        opened = warehouse.result()
        if before is not None:
            before(opened, schemas)
        ledger: dict[tuple[str, str], LedgerEntry] = {}
        with opened.connector:
            for schema in schemas:
                for table, entry in opened.ledger(schema).items():
                    ledger[schema, table] = entry
        return make_plan(job.config, source, catalog, chosen, ledger, full_refresh=job.full_refresh)


def show_plan(job: Job) -> Plan:
    """The plan alone: nothing is finished, extracted or loaded."""
    with ThreadPoolExecutor(1) as background:
        return plan_job(job, background.submit(_open_warehouse, job))


def _open_warehouse(job: Job) -> Warehouse:
    """The warehouse, not connected. Importing dlt and a driver takes a second or two: done beside the source's work."""
    import_module("el.destinations.package")
    return open_warehouse(job.destination, job.config.raw.naming)


def run(job: Job, reporter: Reporter, executor: Executor | None = None) -> RunReport:
    """Do it all. Raises an `ElError` where nothing can be done at all; a table's own failure is in the report.

    executor: runs the slices; by default threads, as many as `workers`.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    finished: list[str] = []

    def finish(warehouse: Warehouse, schemas: list[str]) -> None:
        for schema in schemas:
            finished.extend(_loader(job, warehouse, schema).finish_pending())

    with ThreadPoolExecutor(1) as background:
        opening = background.submit(_open_warehouse, job)
        plan = plan_job(job, opening, finish)
    warehouse = opening.result()
    sys.audit(STEP, "planned")
    reporter.planned(plan)
    spool = job.home / "spool" / job.run_id
    reports: list[TableReport] = []
    try:
        load_ids = _load_ids(warehouse, plan)
        file_bytes = (job.config.defaults.file_mb or warehouse.file_mb) * 1024 * 1024
        landed = _extract(job, plan, load_ids, spool, reporter, executor, file_bytes)
        sys.audit(STEP, "extracted")
        for schema, tables in plan.by_schema().items():
            reports += _load(job, warehouse, schema, load_ids[schema], tables, landed, spool, reporter)
    finally:
        shutil.rmtree(spool, ignore_errors=True)
    codes = [1 for report in reports if report.status == "failed"]
    return RunReport(
        job.run_id, started, time.monotonic() - clock, tuple(reports), tuple(finished), max(codes, default=0)
    )


def _loader(job: Job, warehouse: Warehouse, schema: str) -> Loader:
    from el.destinations.package import Loader

    return Loader(warehouse, schema, job.home, job.run_id, retries=job.config.defaults.retries)


@dataclass(frozen=True, slots=True)
class _Landed:
    """A table after extraction: its files and counts, or the error that stopped it."""

    files: tuple[LandedFile, ...] = ()
    rows: int = 0
    bytes: int = 0
    started: datetime | None = None
    finished: datetime | None = None
    attempts: int = 1
    error: ElError | None = None

    @property
    def seconds(self) -> float:
        return (self.finished - self.started).total_seconds() if self.started and self.finished else 0.0


def _load_ids(warehouse: Warehouse, plan: Plan) -> dict[str, str]:
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


def _extract(
    job: Job,
    plan: Plan,
    load_ids: Mapping[str, str],
    spool: Path,
    reporter: Reporter,
    executor: Executor | None,
    file_bytes: int,
) -> dict[TableName, _Landed]:
    """Run every slice; a table's failure cancels only its own slices, an interrupt all of them."""
    cancelled = Event()
    own = executor is None
    pool = executor or ThreadPoolExecutor(job.workers or job.config.defaults.workers, thread_name_prefix="el")
    waiting: dict[Future[SliceResult], TablePlan] = {}
    results: dict[TableName, list[SliceResult]] = {}
    landed: dict[TableName, _Landed] = {}
    # The largest first, so that none of them is left alone at the end.
    for table in sorted(plan.tables, key=lambda item: -(item.rows or 0)):
        for work in _slices(job, table, load_ids[table.raw_schema], spool, file_bytes):
            # Another process cannot call back, and is not told to stop: it ends with its slice.
            future = pool.submit(work.run, reporter.progress, cancelled) if own else pool.submit(work.run)
            waiting[future] = table
    try:
        while waiting:
            done, _ = wait(waiting, return_when="FIRST_COMPLETED")
            for future in done:
                table = waiting.pop(future)
                if future.cancelled():
                    continue
                error = future.exception()
                if isinstance(error, Cancelled) or (error is not None and not isinstance(error, ElError)):
                    raise error
                if isinstance(error, ElError):
                    landed.setdefault(table.name, _Landed(error=error))
                    for other, owner in waiting.items():
                        if owner is table:
                            other.cancel()
                    continue
                results.setdefault(table.name, []).append(future.result())
                if len(results[table.name]) == len(table.reads):
                    landed[table.name] = _together(results[table.name])
                    reporter.extracted(table, landed[table.name].rows, landed[table.name].seconds)
    finally:
        cancelled.set()
        if own:
            pool.shutdown(wait=True, cancel_futures=True)
    return landed


def _slices(job: Job, table: TablePlan, load_id: str, spool: Path, file_bytes: int) -> list[Slice]:
    directory = spool / table.raw_schema
    directory.mkdir(parents=True, exist_ok=True)
    assert table.window is not None or not table.reads
    return [
        Slice(
            connection=job.source,
            table=str(table.name),
            # A raw name may hold what a file system refuses.
            stem=f"{abs(hash(table.raw_table)):x}-{number:04d}",
            request=request,
            schema=table.landed_schema(),
            load_id=load_id,
            op="S" if table.window is not None and table.window.kind is Kind.SNAPSHOT else "U",
            position=table.position,
            directory=directory,
            file_bytes=file_bytes,
            retries=job.config.defaults.retries,
        )
        for number, request in enumerate(table.reads)
    ]


def _together(results: Sequence[SliceResult]) -> _Landed:
    return _Landed(
        files=tuple(file for result in results for file in result.files),
        rows=sum(result.rows for result in results),
        bytes=sum(result.bytes for result in results),
        started=min(result.started for result in results),
        finished=max(result.finished for result in results),
        attempts=max(result.attempts for result in results),
    )


def _load(
    job: Job,
    warehouse: Warehouse,
    schema: str,
    load_id: str,
    tables: Sequence[TablePlan],
    landed: Mapping[TableName, _Landed],
    spool: Path,
    reporter: Reporter,
) -> list[TableReport]:
    """Load what came of one raw schema, with its ledger; a report for each of its tables."""
    reports: dict[TableName, TableReport] = {}
    package: list[LandedTable] = []
    ledger: list[dict[str, object]] = []
    for table in tables:
        found = landed.get(table.name)
        report = TableReport(str(table.name), f"{schema}.{table.raw_table}", table.strategy, "nothing new")
        report = replace(report, notes=table.notes, window=str(table.window) if table.window else None)
        reports[table.name] = report
        if found is None:
            continue
        report = replace(report, rows=found.rows, bytes=found.bytes, seconds=found.seconds, attempts=found.attempts)
        if found.error is not None:
            reports[table.name] = replace(report, status="failed", error=str(found.error))
            continue
        assert table.window is not None
        mark = _fingerprint(table, found)
        if mark is not None and table.last is not None and table.last.fingerprint == mark and table.skip_unchanged:
            reports[table.name] = replace(report, status="unchanged", rows=0)
            continue
        if found.rows == 0 and table.window.kind is Kind.DELTA:
            continue
        reports[table.name] = replace(report, status="loaded", kind=str(table.window.kind), load_id=load_id)
        landed_schema = pa.schema([*table.landed_schema(), *LANDING])
        package.append(LandedTable(table.raw_table, landed_schema, found.files))
        ledger.append(_ledger_row(job, table, found, mark, load_id))
    if package:
        reporter.say(f"loading {schema}: {len(package)} tables, {sum(int(str(r['row_count'])) for r in ledger):,} rows")
        with warehouse.connector:
            warehouse.prepare(schema)
        sys.audit(STEP, "raw schema prepared")
        _loader(job, warehouse, schema).load(load_id, [*package, _ledger_table(ledger, spool / schema)])
        _confirm(warehouse, schema, load_id, ledger)
        sys.audit(STEP, "load confirmed")
    return [reports[table.name] for table in tables]


def _fingerprint(table: TablePlan, found: _Landed) -> str | None:
    """Only a snapshot without a bound is compared: the others know by their bound that nothing is new."""
    if table.window is None or table.window.column is not None or table.window.kind is not Kind.SNAPSHOT:
        return None
    return fingerprint([file.path for file in found.files], table.landed_schema())


def _ledger_row(job: Job, table: TablePlan, found: _Landed, mark: str | None, load_id: str) -> dict[str, object]:
    assert table.window is not None
    window = table.window
    return {
        "table_name": table.raw_table,
        "source_table": str(table.name),
        "kind": str(window.kind),
        "strategy": table.strategy,
        "bound_column": window.column,
        "lower_bound": window.lower.text if window.lower else None,
        "upper_bound": window.upper.text if window.upper else None,
        "row_count": found.rows,
        "byte_count": found.bytes,
        "partitions": len(table.reads),
        "fingerprint": mark,
        "run_id": job.run_id,
        "started_at": found.started,
        "finished_at": found.finished,
        "el_version": __version__,
        "_dlt_load_id": load_id,
    }


def _ledger_table(rows: Sequence[Mapping[str, object]], directory: Path) -> LandedTable:
    path = directory / "ledger.parquet"
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=LEDGER_SCHEMA)
    pq.write_table(table, path)
    return LandedTable(LEDGER_TABLE, LEDGER_SCHEMA, (LandedFile(path, table.num_rows, path.stat().st_size),))


def _confirm(warehouse: Warehouse, schema: str, load_id: str, ledger: Sequence[Mapping[str, object]]) -> None:
    """Compare what raw holds of this load with what was sent; a load that differs is hidden from every reader."""
    sent = {str(row["table_name"]): int(str(row["row_count"])) for row in ledger}
    with warehouse.connector:
        held = warehouse.count(schema, load_id, list(sent))
        wrong = [f"{name} has {held[name]:,} of {rows:,} rows" for name, rows in sent.items() if held[name] != rows]
        if wrong:
            warehouse.hide(schema, load_id)
            raise LoadError(f"load {load_id} of {schema} is not what was sent and was hidden: {'; '.join(wrong)}")
