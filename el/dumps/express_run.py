"""Files that the warehouse reads by itself, from their footers to the commit: before anything is read by the client."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from el.config.job import Job
from el.connectors.catalog import TableName
from el.dumps.express import MISREAD, REQUIRE, Looked, differs, look, name_in_stage, read_through, refused
from el.dumps.express_groups import staged_groups
from el.dumps.express_text import form_of
from el.dumps.extract import LandedDump
from el.dumps.pack import DumpPacker
from el.dumps.places import dump_output
from el.dumps.plan import DumpPlan, FileTask
from el.dumps.slice import DumpSlice, FileResult
from el.errors import ElError, FileChanged, LoadError
from el.extraction.file_sizes import FileSizes
from el.extraction.slice import STEP
from el.loading.express import Copied, Express, Staged, StagedGroup, Target
from el.loading.express_load import ExpressLoad, Made
from el.loading.file_ledger import known_files
from el.loading.load import SchemaLoad, load_ids_for
from el.loading.lock import StillOurs
from el.loading.warehouse import Warehouse
from el.reporting.progress import Reporter
from el.reporting.summary import TableReport
from el.types.present import utc_now


def take_express(
    job: Job,
    warehouse: Warehouse,
    dumps: Sequence[DumpPlan],
    spool: Path,
    reporter: Reporter,
    locks: Sequence[StillOurs],
) -> tuple[tuple[DumpPlan, ...], dict[TableName, TableReport]]:
    """What is left to the client of each entry, and what became of the rest."""
    left, reports = [], {}
    for dump in dumps:
        if dump.stage is not None and dump.tasks:
            dump, report = _Taking(job, warehouse, spool, reporter, locks, dump).take()
            if report is not None:
                reports[dump.name] = report
        left.append(dump)
    return tuple(left), reports


def together(express: TableReport, client: TableReport) -> TableReport:
    """One report of an entry of which both ways took files."""
    statuses = (express.status, client.status)
    status = next((s for s in ("failed", "loaded", "unchanged") if s in statuses), client.status)
    return replace(
        express,
        status=status,
        rows=express.rows + client.rows,
        bytes=express.bytes + client.bytes,
        seconds=express.seconds + client.seconds,
        window=", ".join(window for window in (express.window, client.window) if window) or None,
        load_id=client.load_id or express.load_id,
        kind=express.kind or client.kind,
        error="; ".join(error for error in (express.error, client.error) if error) or None,
        notes=tuple(dict.fromkeys((*express.notes, *client.notes))),
    )


@dataclass(frozen=True, slots=True)
class _Taking:
    """One entry."""

    job: Job
    warehouse: Warehouse
    spool: Path
    reporter: Reporter
    locks: Sequence[StillOurs]
    dump: DumpPlan

    def take(self) -> tuple[DumpPlan, TableReport | None]:
        """What is left of the entry, and the report of what was loaded. Until it commits, all can go by the client."""
        express = self.warehouse.express()
        assert express is not None
        started, load_id = utc_now(), load_ids_for(self.warehouse, [self.dump.raw_schema])[self.dump.raw_schema]
        try:
            # Before a connection is opened: to read texts takes as long as they are.
            looked = self._looked(express, load_id)
        except ElError as error:
            return self._by_client(str(error))
        with self.warehouse.connector:
            try:
                target = Target(self.dump.raw_schema, self.dump.raw_table, load_id, started)
                ready = self._ready(express, target, looked)
            except ElError as error:
                return self._by_client(str(error))
            return self._finish(ready, started)

    def _looked(self, express: Express, load_id: str) -> Looked:
        job, dump = self.job, self.dump
        if form_of(dump.settings) is None:
            return look(job, dump, express, calendar=self.warehouse.limits.calendar)
        with self.warehouse.connector:
            # What cannot go this way need not be read for it.
            shown = self._shown(express)
        unfit = {task.file_id: why for task in dump.tasks if (why := differs(task.file, shown.get(self._name(task))))}
        work = DumpSlice(
            dump_output(job, dump.settings),
            str(dump.name),
            "checked",
            dump.settings,
            tuple(task for task in dump.tasks if task.file_id not in unfit),
            job.config.raw.naming,
            load_id,
            self.spool / dump.raw_schema,
            FileSizes(0),
            job.config.defaults.retries,
            self.warehouse.limits,
        )
        return read_through(job, dump, work, unfit, self.reporter.progress)

    def _name(self, task: FileTask) -> str:
        """Below the stage."""
        return str(name_in_stage(self.job, self.dump, task))

    def _shown(self, express: Express) -> dict[str, Staged]:
        assert self.dump.stage is not None
        return express.listed(self.dump.stage, sorted(map(self._name, self.dump.tasks)))

    def _by_client(self, why: str) -> tuple[DumpPlan, TableReport | None]:
        dump = self.dump
        if dump.settings.express == REQUIRE:
            report, _ = DumpPacker(self.job, "").pack(dump, None)
            failed = replace(report, status="failed", error=f"{dump.name}: express: require, but {why}")
            return replace(dump, tasks=()), failed
        return replace(dump, notes=(*dump.notes, f"by the client: {why}")), None

    def _ready(self, express: Express, target: Target, looked: Looked) -> _Ready:
        """All up to the transaction."""
        dump, stage = self.dump, self.dump.stage
        assert stage is not None
        names = {task.file_id: self._name(task) for task in dump.tasks}
        shown = self._shown(express)
        sys.audit(STEP, "stage listed")
        unfit, files = dict(looked.unfit), []
        for file in looked.files:
            why = differs(file.task.file, shown.get(names[file.task.file_id])) if file.status == "loaded" else None
            if why is None:
                files.append(file)
            else:
                unfit[file.task.file_id] = why
                self.untell(file)
        ready = _Ready(self, express, target, unfit, files, staged_groups(dump, files, names), names)
        if ready.groups:
            ready.copy(stage, shown)
        ready.divide()
        return ready

    def untell(self, file: FileResult) -> None:
        """Take back what was told of a text that was read and is not taken."""
        if file.content is not None:
            self.reporter.progress(str(self.dump.name), -file.rows, -file.bytes)

    def _finish(self, ready: _Ready, started: datetime) -> tuple[DumpPlan, TableReport | None]:
        """The transaction, of whose end nobody may be sure: nothing of it goes by the client in this run."""
        dump = replace(self.dump, tasks=tuple(t for t in self.dump.tasks if t.file_id in ready.left))
        if ready.note is not None:
            dump = replace(dump, notes=(*dump.notes, ready.note))
        if not ready.files:
            return dump, None
        packer = DumpPacker(self.job, ready.target.load_id)
        found = LandedDump(ready.results(), (), started, utc_now())
        report, packed = packer.pack(self.dump, found)
        if packed is not None:
            assert ready.load is not None
            assert ready.made is not None
            try:
                ready.load.commit(ready.made, packed, ready.groups, ready.taken())
            except ElError as error:
                return replace(dump, tasks=()), replace(
                    report, status="failed", load_id=None, error=f"{dump.name}: {error}"
                )
            with suppress(ElError):
                ready.express.forget(ready.target, len(ready.groups))
        self.reporter.extracted(self.dump, report.rows, found.seconds)
        return self._renewed(dump) if dump.tasks else dump, report

    def _renewed(self, dump: DumpPlan) -> DumpPlan:
        """What raw holds now, for the client's part."""
        known = known_files(self.warehouse, dump.raw_schema).get(dump.raw_table, [])
        held = self.warehouse.held_tables(dump.raw_schema).get(dump.raw_table)
        return replace(dump, known=tuple(known), held=held)


@dataclass(slots=True)
class _Ready:
    """Files that lie in tables of the session. unfit: why a file does not go this way, by its id."""

    taking: _Taking
    express: Express
    target: Target
    unfit: dict[str, str]
    files: list[FileResult]
    groups: tuple[StagedGroup, ...]
    names: Mapping[str, str]  # below the stage, by file id
    left: set[str] = field(default_factory=set)  # to the client, by file id
    note: str | None = None  # what a user wants to know of those
    load: ExpressLoad | None = None
    made: Made | None = None
    copied: dict[str, Copied] = field(default_factory=dict)  # by name
    changed: set[str] = field(default_factory=set)  # names

    def copy(self, stage: str, shown: Mapping[str, Staged]) -> None:
        """Raises `LoadError` where the warehouse read other rows of a version than its footer says."""
        taking, target = self.taking, self.target
        now = LandedDump(tuple(self.files), (), target.extracted_at, target.extracted_at)
        _, packed = DumpPacker(taking.job, target.load_id).pack(taking.dump, now)
        assert packed is not None
        work = SchemaLoad(
            taking.job,
            taking.warehouse,
            target.raw_schema,
            target.load_id,
            taking.spool,
            taking.reporter,
            taking.locks,
        )
        self.load = ExpressLoad(work, self.express, target)
        self.made = self.load.make_tables(packed)
        for number, group in enumerate(self.groups):
            self.copied |= self.express.copy(target, stage, number, group)
        sys.audit(STEP, "express files copied")
        for file in self.files:
            name = self.names[file.task.file_id]
            if file.status != "loaded":
                continue
            if _other(self.copied[name], shown[name]):
                self.changed.add(name)
            elif file.content is not None:
                if (self.copied[name].rows, self.copied[name].content) != (file.rows, file.content):
                    self.unfit[file.task.file_id] = MISREAD
            elif self.copied[name].rows != file.rows:
                raise LoadError(f"{file.task.file}: {self.copied[name].rows:,} of its {file.rows:,} rows were read")

    def divide(self) -> None:
        """What is not taken this way goes by the client, or has failed where it had to go this way."""
        dump = self.taking.dump
        known = {file.task.file_id for file in self.files if file.status == "unchanged"}
        unfit = [task for task in dump.tasks if task.file_id in self.unfit]
        for file in self.files:
            if file.task.file_id in self.unfit:
                self.taking.untell(file)
        self.files = [file for file in self.files if file.task.file_id not in {*known, *self.unfit}]
        self.left = {*known, *self.unfit}
        if unfit and dump.settings.express == REQUIRE:
            self.files += [refused(task, self.unfit[task.file_id]) for task in unfit]
            self.left = known
        elif unfit:
            more = f", and {len(unfit) - 1:,} more files" if len(unfit) > 1 else ""
            self.note = f"by the client: {unfit[0].file}: {self.unfit[unfit[0].file_id]}{more}"

    def results(self) -> tuple[FileResult, ...]:
        """The files as they were read: those that were changed meanwhile wait."""
        return tuple(
            FileResult(file.task, "waiting", error=FileChanged(f"{file.task.file}: was changed since it was listed"))
            if self.names[file.task.file_id] in self.changed
            else file
            for file in self.files
        )

    def taken(self) -> dict[str, Copied]:
        loaded = {self.names[file.task.file_id] for file in self.files if file.status == "loaded"}
        return {name: read for name, read in self.copied.items() if name in loaded - self.changed}


def _other(read: Copied, shown: Staged) -> bool:
    """Whether another version was read than the stage showed. The checksum of rows may have a form of its own."""
    if read.modified is None:
        return False
    same_form = len(read.checksum) == len(shown.checksum)
    return not read.one or read.modified != shown.modified or (same_form and read.checksum != shown.checksum)
