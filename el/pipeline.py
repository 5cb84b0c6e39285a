"""A run: plan, extract in slices, load as one package a raw schema, report.

Guarantees: a table is loaded whole or not at all; one that fails leaves the others to be loaded, and so does a raw
schema; its ledger row travels in the same package as its rows. What an earlier run left unfinished is finished first.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime

from el.config.job import Job
from el.config.settings import Config
from el.connectors.base import PressureSource, Source
from el.connectors.catalog import Catalog, TableName
from el.connectors.registry import open_source
from el.errors import DatabaseError, ElError, LoadError, NotPermitted, Paused, PlanError, SourceBusy
from el.extraction.extract import extract, reads_hold_locks, reads_together
from el.extraction.retry import retrying
from el.extraction.slice import LANDING, STEP
from el.loading.ledger import LedgerEntry
from el.loading.load import load, load_ids_for, loader
from el.loading.lock import StillOurs, this_process
from el.loading.open import open_warehouse
from el.loading.warehouse import Warehouse
from el.planning.definition import place_of
from el.planning.drift import HeldTable
from el.planning.gone import gone_tables
from el.planning.make_plan import make_plan
from el.planning.plan import Plan, TablePlan
from el.planning.plan_table import Known
from el.planning.selection import Chosen, Places, choose_tables, find_places, keep_selected, left_aside, schemas_of
from el.planning.strategies.window import Kind
from el.reporting.progress import Reporter
from el.reporting.summary import RunReport, TableReport

__all__ = ["Job", "plan_job", "run", "show_plan"]


PlaceNames = Mapping[TableName, tuple[str, str]]
"""Raw schema and raw table of each table."""

# What goes wrong with one raw schema and leaves the others to be loaded.
_OF_ONE_SCHEMA = (LoadError, DatabaseError)


def plan_job(
    job: Job,
    warehouse: Future[Warehouse],
    before: Callable[[Warehouse, PlaceNames, PlaceNames], None] | None = None,
    *,
    tried: int | None = 1,
) -> Plan:
    """The plan of a job. `before` is called with its places and those of all tables of el.yml.

    That is before the ledger, or any table, is read. tried: as for `make_plan`.
    """
    with open_source(job.source.settings, str(job.source)) as source:
        catalog, every = tables_of(job.config, source)
        chosen = keep_selected(job.config, every, job.select)
        everywhere = find_places(job.config, every)
        places = _there(everywhere, chosen)
        schemas = sorted({schema for schema, _ in places.values()})
        opened = warehouse.result()
        if taken := [schema for schema in schemas if schema.lower() in opened.taken_schemas()]:
            raise PlanError(f"raw schema {taken[0]}: the warehouse has something else of this name; set `raw.schema`")
        if before is not None:
            before(opened, places, everywhere.names)
        ledger: dict[tuple[str, str], LedgerEntry] = {}
        held: dict[tuple[str, str], HeldTable] = {}
        with opened.connector:
            for schema in schemas:
                there = opened.tables(schema)
                for table, entry in opened.ledger(schema, there).items():
                    ledger[schema, table] = entry
                for table, columns in opened.held_tables(schema, there).items():
                    held[schema, table] = columns
        known = Known(job.config, source, catalog, ledger, held, job.full_refresh)
        plan = make_plan(known, chosen, everywhere, tried=tried, confirm_deletes=job.confirm_deletes)
        gone = gone_tables(job.config, catalog, place_of(source, catalog), ledger, everywhere.names, job.select)
        plan = replace(plan, refused=(*plan.refused, *gone))
        plan = _without_masks(opened, _without_clashes(opened, plan))
        aside = [f"{table.name} ({table.aside})" for table in left_aside(job.config, catalog, every)]
        beside = [f"left out unless named exactly: {', '.join(aside)}"] if aside and not job.select else []
        return replace(plan, notes=(_consistency(job, plan), *beside, *_pressure(job, source, plan)))


def tables_of(config: Config, source: Source) -> tuple[Catalog, list[Chosen]]:
    """What the source says of the schemas in which el.yml names tables, and the tables that it takes."""
    schemas = schemas_of(config)
    catalog = source.describe(schemas, brief=True)
    every = choose_tables(config, source, catalog)
    if schemas is not None and any(item.error is not None and not item.table.columns for item in every):
        # What was meant by a name that is not there may be in another schema.
        catalog = source.describe(brief=True)
        every = choose_tables(config, source, catalog)
    return catalog, every


def _without_clashes(warehouse: Warehouse, plan: Plan) -> Plan:
    """The plan in which a table is stopped whose name, or a column's, raw holds in other letters' case."""
    if type(warehouse).clashes is Warehouse.clashes:
        # It tells all names apart, and is not asked: a session costs a second.
        return plan
    clashes: dict[tuple[str, str], str] = {}
    with warehouse.connector:
        for schema, tables in plan.by_schema().items():
            found = warehouse.clashes(schema, {table.raw_table: [c.name for c in table.columns] for table in tables})
            clashes |= {(schema, table): held for table, held in found.items()}

    def stopped(table: TablePlan) -> TablePlan:
        held = clashes.get((table.raw_schema, table.raw_table))
        if held is None:
            return table
        error = PlanError(
            f"{table.name}: raw holds {held}, which differs from what el.yml gives it only by case: write it so by "
            "`raw.schema`, `raw.naming` or `rename`, or rename it in raw"
        )
        return replace(table, window=None, reads=(), keys=None, error=error)

    return replace(plan, tables=tuple(stopped(table) for table in plan.tables)) if clashes else plan


def _without_masks(warehouse: Warehouse, plan: Plan) -> Plan:
    """The plan in which a table is stopped of which el has to read from raw, and is not shown what raw holds."""
    stopped: dict[TableName, PlanError] = {}
    for table in plan.tables:
        columns = None if table.drift.widened else [*table.key, *(field.name for field in LANDING)]
        if columns is not None and (table.keys is None or table.last is None):
            continue
        try:
            with warehouse.connector:
                warehouse.require_plain(table.raw_schema, table.raw_table, columns)
        except NotPermitted as error:
            stopped[table.name] = PlanError(f"{table.name}: {error}")

    def held_back(table: TablePlan) -> TablePlan:
        error = stopped.get(table.name)
        return table if error is None else replace(table, window=None, reads=(), keys=None, error=error)

    return replace(plan, tables=tuple(held_back(table) for table in plan.tables)) if stopped else plan


def _consistency(job: Job, plan: Plan) -> str:
    """How the tables of a run agree with each other, in words."""
    tables = reads_together(job, plan)
    together = len(tables)
    reading = sum(1 for table in plan.tables if table.reads)
    if not plan.catalog.snapshot_isolation:
        own = "each statement" if plan.catalog.read_committed_snapshot else "no table"
        return f"consistency: SNAPSHOT isolation is not allowed here; {own} sees one moment"
    # Each range is a read, and a transaction, of its own.
    divided = [
        str(table.name)
        for table in plan.tables
        if len(table.reads) > 1 and table.reads[0].changes is None and table not in tables
    ]
    but = f", but each partition of {', '.join(divided)}: a row that moves between them may come twice or not at all"
    if together:
        rest = "" if together == reading else f", {reading - together} each at its own"
        return f"consistency: {together} tables are read from one point in time{rest}{but if divided else ''}"
    return f"consistency: each table is read from one point in time of its own{but if divided else ''}"


def _pressure(job: Job, source: Source, plan: Plan) -> list[str]:
    """What is worth knowing before long reads under SNAPSHOT. Raises `SourceBusy` beyond the limit, for any read."""
    limit = job.config.source_limits.version_store_mb
    limited = limit is not None and any(table.reads or table.keys for table in plan.tables)
    long = any(table.window is not None and table.window.kind is Kind.SNAPSHOT for table in plan.tables)
    notes = []
    if job.config.source_limits.rows_per_second is not None and reads_hold_locks(plan):
        notes.append(
            "rows_per_second: without row versions a statement that waits keeps others from writing, so that each "
            "reads at full speed and rests after it"
        )
    if not isinstance(source, PressureSource):
        if limited:
            raise PlanError(f"source_limits.version_store_mb: {source.scheme} has no version store to look at")
        return notes
    if not (limited or (long and plan.catalog.snapshot_isolation)):
        return notes
    found = source.pressure()
    if limit is not None and limited and found.version_store_mb is None:
        raise NotPermitted(
            f"source_limits.version_store_mb is {limit:,}, and this login may not see the version store: "
            f"{source.state_right}; nothing was read"
        )
    if limit is not None and found.version_store_mb is not None and found.version_store_mb > limit:
        raise SourceBusy(
            f"the version store of the source is {found.version_store_mb:,} MB, and source_limits.version_store_mb is "
            f"{limit:,}: a read could let it grow; nothing was read"
        )
    blocked = f"{found.blocked:,} sessions of the source wait for a lock of another one" if found.blocked else None
    return [*notes, blocked] if blocked else notes


def show_plan(job: Job) -> Plan:
    """The plan alone: nothing is finished, extracted or loaded."""
    with ThreadPoolExecutor(1) as background:
        return plan_job(job, background.submit(warehouse_of, job))


def plan_places(job: Job) -> tuple[PlaceNames, list[Chosen]]:
    """Where the tables of a job lie in raw; and all tables of el.yml."""
    with open_source(job.source.settings, str(job.source)) as source:
        _, every = tables_of(job.config, source)
    return _there(find_places(job.config, every), keep_selected(job.config, every, job.select)), every


def _there(places: Places, chosen: Sequence[Chosen]) -> PlaceNames:
    """Where these tables lie in raw. What cannot lie there (an entry that no table fits) gets no raw schema made."""
    nowhere = set(places.problems) - places.clashes
    nowhere |= {item.table.name for item in chosen if item.error is not None and item.table.kind != "query"}
    return {item.table.name: places.names[item.table.name] for item in chosen if item.table.name not in nowhere}


def warehouse_of(job: Job) -> Warehouse:
    """The warehouse, not connected. Importing dlt and a driver takes a second or two: done beside the source's work."""
    limits = job.config.limits
    opened = open_warehouse(job.destination, job.config.raw.naming, text_mb=limits.text_mb, binary_mb=limits.binary_mb)
    loader(job, opened, "").warm_up()
    return opened


def run(job: Job, reporter: Reporter, executor: Executor | None = None) -> RunReport:
    """Do it all. Raises an `ElError` where nothing can be done at all; a table's own failure is in the report.

    executor: runs the slices; by default threads, as many as `workers`.
    """
    with ExitStack() as stack:
        return _run(job, reporter, executor, stack)


def _run(job: Job, reporter: Reporter, executor: Executor | None, stack: ExitStack) -> RunReport:
    started, clock = datetime.now(UTC), time.monotonic()
    finished: list[str] = []
    stuck: dict[str, ElError] = {}
    locks: list[StillOurs] = []
    reports: list[TableReport] = []
    raw_schemas: dict[str, str] = {}
    left_out: set[str] = set()

    def finish(warehouse: Warehouse, places: PlaceNames, everywhere: PlaceNames) -> None:
        schemas = sorted({schema for schema, _ in places.values()})
        known = {table for _, table in everywhere.values()}
        raw_schemas.update({str(name): schema for name, (schema, _) in places.items()})
        left_out.update(schema for name, (schema, _) in everywhere.items() if name not in places)
        if not locks:
            holder = this_process(job.run_id)
            locks.append(stack.enter_context(warehouse.locked(schemas, holder, job.config.defaults.lock_lease)))
            sys.audit(STEP, "locked")
        for schema in schemas:
            # Of a run that was killed: whoever has the lock of a raw schema is alone with it.
            for left in (job.work / "spool").glob("*"):
                if (left / schema).is_dir():
                    shutil.rmtree(left / schema, ignore_errors=True)
                    with suppress(OSError):
                        left.rmdir()
            stuck.pop(schema, None)
            try:
                finished.extend(loader(job, warehouse, schema).finish_pending(reporter.say, known))
            except _OF_ONE_SCHEMA as error:
                stuck[schema] = error
        pause = job.config.source_limits.pause
        resting = pause is not None and pause.holds(datetime.now().time())
        reports.clear()
        for name, (schema, table) in sorted(places.items()):
            report = TableReport(str(name), f"{schema}.{table}", "", "failed")
            if schema in stuck:
                reports.append(replace(report, error=f"{name}: {stuck[schema]}"))
            elif resting and pause is not None:
                reports.append(replace(report, status="paused", error=str(pause.refusal(str(name)))))
        if resting:
            raise Paused("nothing is read now")

    with ThreadPoolExecutor(1) as background:
        opening = background.submit(warehouse_of, job)
        try:
            for attempt in retrying(job.config.defaults.retries):
                with attempt:
                    number = attempt.retry_state.attempt_number
                    last = number > job.config.defaults.retries
                    plan = plan_job(job, opening, finish, tried=number if last else None)
        except Paused:
            return _run_report(job, started, clock, reports, finished)
    warehouse = opening.result()
    sys.audit(STEP, "planned")
    # What was planned for a raw schema that could not be finished rests on what it no longer is.
    plan = replace(plan, tables=tuple(table for table in plan.tables if table.raw_schema not in stuck))
    reporter.planned(plan)
    for note in plan.notes:
        reporter.say(note)
    spool = job.work / "spool" / job.run_id
    try:
        load_ids = load_ids_for(warehouse, plan)
        file_bytes = (job.config.defaults.file_mb or warehouse.file_mb) * 1024 * 1024
        landed = extract(job, plan, load_ids, spool, reporter, executor, file_bytes, warehouse.limits)
        sys.audit(STEP, "extracted")
        for schema, tables in plan.by_schema().items():
            found: dict[TableName, TableReport] = {}
            try:
                load(job, warehouse, schema, load_ids[schema], tables, landed, spool, reporter, found, locks)
            except _OF_ONE_SCHEMA as error:
                for name, report in found.items():
                    if report.status == "loaded":
                        found[name] = replace(report, status="failed", load_id=None, error=f"{name}: {error}")
            reports += found.values()
        for each in plan.refused:
            if each.place[0] not in stuck:
                raw = ".".join(each.place)
                reports.append(TableReport(str(each.name), raw, "", "failed", error=str(each)))
        failed = {raw_schemas.get(report.table) for report in reports if report.status == "failed"}
        for schema in sorted(set(raw_schemas.values()) - left_out - failed):
            # Only freshness is asked of it, and without it a source looks older than it is.
            with suppress(DatabaseError), warehouse.connector:
                warehouse.mark_run(schema, started)
    finally:
        shutil.rmtree(spool, ignore_errors=True)
    return _run_report(job, started, clock, reports, finished)


def _run_report(
    job: Job, started: datetime, clock: float, reports: Sequence[TableReport], finished: Sequence[str]
) -> RunReport:
    code = max((1 for report in reports if report.status == "failed"), default=0)
    return RunReport(job.run_id, started, time.monotonic() - clock, tuple(reports), tuple(finished), code)
