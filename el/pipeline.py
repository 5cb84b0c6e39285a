"""A run: plan, extract in slices, load as one package a raw schema, report.

Guarantees: a table is loaded whole or not at all; one that fails leaves the others to be loaded, and so does a raw
schema; its ledger row travels in the same package as its rows. What an earlier run left unfinished is finished first.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from el.config.files_profile import FILES
from el.config.job import Job
from el.config.profiles import Output
from el.connectors.catalog import TableName
from el.connectors.origin import of_run
from el.connectors.registry import open_connector
from el.dumps.express_run import take_express, together
from el.dumps.extract import extract_dumps
from el.dumps.pack import DumpPacker
from el.dumps.plan import JobPlan
from el.errors import DatabaseError, ElError, LoadError, LoadHidden, Paused, of_table
from el.extraction.elsewhere import elsewhere
from el.extraction.extract import extract
from el.extraction.resume import KeptSlices
from el.extraction.retry import retrying
from el.extraction.slice import STEP
from el.extraction.slicer import Destination
from el.loading.audit import Audit, audited
from el.loading.let_go import let_go
from el.loading.load import PackedFiles, SchemaLoad, load_ids_for
from el.loading.lock import StillOurs, this_process
from el.loading.open import loader, warehouse_of
from el.loading.runs import Runs, local_runs, recorded
from el.loading.warehouse import Warehouse
from el.plan_job import plan_job
from el.planning.places import PlaceNames
from el.planning.plan import Plan
from el.reporting.lineage import Lineage, Place
from el.reporting.notices import Notices
from el.reporting.progress import Reporter
from el.reporting.record import Listener
from el.reporting.summary import RunReport, TableReport
from el.reporting.text import in_bytes

__all__ = ["Job", "run"]

# What goes wrong with one raw schema and leaves the others to be loaded.
_OF_ONE_SCHEMA = (LoadError, DatabaseError)


def run(
    job: Job, reporter: Reporter, executor: Executor | None = None, listeners: Sequence[Listener] = ()
) -> RunReport:
    """Do it all. Raises an `ElError` where nothing can be done at all; a table's own failure is in the report.

    executor: runs the slices; by default what the job says. listeners: told of the run besides those that
    el.yml asks for.
    """
    told = (*listeners_of(job), *listeners)
    with ExitStack() as stack:
        stack.enter_context(of_run(job.run_id))
        runs = stack.enter_context(recorded(job, "run", told))
        audit = stack.enter_context(audited(job, "run"))
        return _Run(job, reporter, executor, stack).run(audit, runs)


def listeners_of(job: Job, *, moves: bool = True) -> tuple[Listener, ...]:
    """Whom el.yml has told of a run. moves: it loads rows, so that lineage is told. Raises `DriverMissing`."""
    found: list[Listener] = []
    if job.config.notify is not None:
        found.append(Notices(job.config.notify, job.work / "notices.json", lambda: local_runs(job)))
    if moves and job.config.lineage is not None:
        name = f"{job.source}.{job.destination}"
        found.append(Lineage(job.config.lineage, name, _place(job.source), _place(job.destination)))
    return tuple(found)


def _place(output: Output) -> Place:
    """How lineage names a database; files have no tables that could be named."""
    if output.type == FILES:
        return Place(FILES, "")
    namespace, database = open_connector(output.settings, str(output)).config.known_as(output.type)
    return Place(namespace, database, output.type)


class _Run:
    """One run. What ends with it, such as its locks, is on `stack`."""

    def __init__(self, job: Job, reporter: Reporter, executor: Executor | None, stack: ExitStack) -> None:
        self.job = job
        self.reporter = reporter
        self.executor = executor
        self.stack = stack
        self.kept = KeptSlices(job.work)
        self.started, self.began = datetime.now(UTC), time.monotonic()
        self.finished: list[str] = []  # what an earlier run left and this one loaded
        self.stuck: dict[str, ElError] = {}  # raw schema -> why what an earlier run left in it cannot be loaded
        self.locks: list[StillOurs] = []
        self.reports: list[TableReport] = []
        self.raw_schemas: dict[str, str] = {}  # table -> its raw schema
        self.everywhere: PlaceNames = {}  # where all tables of el.yml land
        self.left_out: set[str] = set()  # raw schemas of which this run takes not all tables

    def run(self, audit: Audit, runs: Runs) -> RunReport:
        with ThreadPoolExecutor(1) as background:
            opening = background.submit(warehouse_of, self.job)
            try:
                plan = self._plan(opening)
            except Paused:
                audit.note("paused")
                report = self._report()
                runs.note(report, "paused")
                return report
            except ElError as error:
                runs.could_not_begin(error, opening, answers=bool(self.locks or not self.raw_schemas))
                raise
        warehouse = opening.result()
        sys.audit(STEP, "planned")
        # What was planned for a raw schema that could not be finished rests on what it no longer is.
        plan = replace(
            plan,
            tables=tuple(table for table in plan.tables if table.raw_schema not in self.stuck),
            dumps=tuple(dump for dump in plan.dumps if dump.raw_schema not in self.stuck),
        )
        self.reporter.planned(plan)
        runs.planned(plan)
        if tasks := [task for dump in plan.dumps for task in dump.tasks]:
            size = in_bytes(sum(task.file.size for task in tasks))
            self.reporter.say(f"{len(plan.dumps)} dumps, {len(tasks):,} files to read, {size}")
        for note in plan.notes:
            self.reporter.say(note)
        spool = self.job.work / "spool" / self.job.run_id
        try:
            with ExitStack() as awake:
                self._move(warehouse, plan, spool, awake)
                self._mark(warehouse, plan)
                self._let_go(warehouse, plan)
                report = self._report()
                self._note(audit, runs, warehouse, report)
        finally:
            shutil.rmtree(spool, ignore_errors=True)
        return report

    def _note(self, audit: Audit, runs: Runs, warehouse: Warehouse, report: RunReport) -> None:
        """Note what the run did; in the warehouse only where it has loaded something, and is awake, or failed anew."""
        loaded = audit.note_run(self.reports) or bool(self.finished)
        runs.note(report)
        # Of files alone, the places of the tables are not known.
        known = {schema for schema, _ in self.everywhere.values()} or set(self.raw_schemas.values())
        if (loaded or runs.is_news) and known:
            audit.deliver(warehouse, min(known))
            runs.deliver(warehouse, min(known))

    def _plan(self, opening: Future[Warehouse]) -> JobPlan:
        retries = self.job.config.defaults.retries
        for attempt in retrying(retries):
            with attempt:
                number = attempt.retry_state.attempt_number
                plan = plan_job(self.job, opening, self._finish, tried=number if number > retries else None)
        return plan

    def _finish(self, warehouse: Warehouse, places: PlaceNames, everywhere: PlaceNames | None) -> None:
        """Take the locks, and load what an earlier run left; before each try to plan. Raises `Paused`."""
        schemas = sorted({schema for schema, _ in places.values()})
        # Of a table that nobody looked up it is not known that el.yml no longer has it.
        known = None if everywhere is None else {table for _, table in everywhere.values()}
        self.everywhere = everywhere or {}
        self.raw_schemas.update({str(name): schema for name, (schema, _) in places.items()})
        beside = {schema for name, (schema, _) in self.everywhere.items() if name not in places}
        self.left_out.update(schemas if everywhere is None else beside)
        if not self.locks:
            lock = warehouse.locked(schemas, this_process(self.job.run_id), self.job.config.defaults.lock_lease)
            self.locks.append(self.stack.enter_context(lock))
            sys.audit(STEP, "locked")
        for schema in schemas:
            self._remove_spool(schema)
            self.kept.sweep(schema, None if everywhere is None else self._tables_in(schema))
            self.stuck.pop(schema, None)
            try:
                self.finished.extend(loader(self.job, warehouse, schema).finish_pending(self.reporter.say, known))
            except _OF_ONE_SCHEMA as error:
                self.stuck[schema] = error
                self._forget_hidden(schema, error)
        self._report_what_waits(places)

    def _tables_in(self, schema: str) -> set[str]:
        return {table for found, table in self.everywhere.values() if found == schema}

    def _forget_hidden(self, schema: str, error: ElError) -> None:
        """What landed is not what raw got of it, and one of the two is damaged: it is read anew."""
        if isinstance(error, LoadHidden):
            self.kept.forget_all(schema)

    def _remove_spool(self, schema: str) -> None:
        """Of a run that was killed: whoever has the lock of a raw schema is alone with it."""
        for left in (self.job.work / "spool").glob("*"):
            if (left / schema).is_dir():
                shutil.rmtree(left / schema, ignore_errors=True)
                with suppress(OSError):
                    left.rmdir()

    def _report_what_waits(self, places: PlaceNames) -> None:
        pause = self.job.config.source_limits.pause
        resting = pause is not None and pause.holds(datetime.now().time())
        self.reports.clear()
        for name, (schema, table) in sorted(places.items()):
            report = TableReport(str(name), f"{schema}.{table}", "", "failed")
            if schema in self.stuck:
                self.reports.append(replace(report, error=of_table(str(name), str(self.stuck[schema]))))
            elif resting and pause is not None:
                self.reports.append(replace(report, status="paused", error=str(pause.refusal(str(name)))))
        if resting:
            raise Paused("nothing is read now")

    def _move(self, warehouse: Warehouse, plan: JobPlan, spool: Path, awake: ExitStack) -> None:
        """Extract all, then load each raw schema; one that fails leaves the others to be loaded.

        awake: keeps the warehouse open from the first load on, for what the run asks of it afterwards.
        """
        job, reporter = self.job, self.reporter
        by_schema = plan.by_schema()
        with elsewhere(job, self.executor, reporter) as outside:
            # First, so that what these loads bring is what the packages of this run follow.
            dumps, express = take_express(job, warehouse, plan.dumps, spool, reporter, self.locks)
            schemas = sorted({*by_schema, *(dump.raw_schema for dump in dumps)})
            load_ids = load_ids_for(warehouse, schemas)
            sizes = warehouse.file_sizes.unless(job.config.defaults.file_mb)
            digest = warehouse.digest_way(job.config.defaults.digest)
            destination = Destination(load_ids, spool, sizes, warehouse.limits, digest)
            landed = extract(job, plan, destination, reporter, outside)
            files = extract_dumps(job, dumps, destination, reporter, outside)
        sys.audit(STEP, "extracted")
        if schemas:
            awake.enter_context(warehouse.kept_open())
        for schema in schemas:
            found: dict[TableName, TableReport] = {}
            packed: list[PackedFiles] = []
            for dump in dumps:
                if dump.raw_schema == schema:
                    packer = DumpPacker(job, load_ids[schema], digest)
                    found[dump.name], part = packer.pack(dump, files.get(dump.name))
                    packed += [part] if part is not None else []
            work = SchemaLoad(job, warehouse, schema, load_ids[schema], spool, reporter, self.locks)
            try:
                work.load(by_schema.get(schema, []), landed, found, packed)
                for table in by_schema.get(schema, []):
                    if found[table.name].status not in ("failed", "paused"):
                        self.kept.forget(schema, table.raw_table)
            except _OF_ONE_SCHEMA as error:
                self._forget_hidden(schema, error)
                for name, report in found.items():
                    if report.load_id is not None or report.status == "loaded":
                        said = of_table(str(name), str(error))
                        found[name] = replace(report, status="failed", load_id=None, error=said)
            self.reports += [together(express[n], each) if n in express else each for n, each in found.items()]

    def _mark(self, warehouse: Warehouse, plan: Plan) -> None:
        """Report what the plan refused, and note the run in each raw schema that it took whole without a failure."""
        for each in plan.refused:
            if each.place[0] not in self.stuck:
                raw = ".".join(each.place)
                self.reports.append(TableReport(str(each.name), raw, "", "failed", error=str(each)))
        failed = {self.raw_schemas.get(report.table) for report in self.reports if report.status == "failed"}
        failed |= {each.place[0] for each in plan.refused}
        for schema in sorted(set(self.raw_schemas.values()) - self.left_out - failed):
            # Only freshness is asked of it, and without it a source looks older than it is.
            with suppress(DatabaseError), warehouse.connector:
                warehouse.mark_run(schema, self.started)

    def _let_go(self, warehouse: Warehouse, plan: Plan) -> None:
        databases = {table.source for table in plan.tables if table.source is not None}
        try:
            let_go(self.job, warehouse, self.everywhere, databases)
        except ElError as error:
            # All is loaded; the source keeps for longer what it need not, and the next run says it again.
            self.reporter.say(f"the source could not be told up to where its changes are loaded: {error}")

    def _report(self) -> RunReport:
        code = max((1 for report in self.reports if report.status == "failed"), default=0)
        seconds = time.monotonic() - self.began
        return RunReport(self.job.run_id, self.started, seconds, tuple(self.reports), tuple(self.finished), code)
