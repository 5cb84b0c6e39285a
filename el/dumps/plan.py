"""The plan of file dumps: which versions of which files are new, changed, waiting, or known.

Guarantees: a file is known by what raw holds, as a set: whichever name or time it has, it is taken once, and no file
is passed over for being older than another. A run never guesses what a file looks like.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from el.config.dumps import DumpSettings
from el.config.job import Job
from el.config.table_pattern import TablePattern
from el.connectors.catalog import TableName
from el.dumps.archives.members import members_of
from el.dumps.file_version import FileVersion
from el.dumps.open import open_store
from el.dumps.pattern import Pattern
from el.dumps.places import dump_output, folder_of
from el.dumps.propose import proposal
from el.dumps.refuse_format import refuse_format
from el.dumps.stores.base import Store
from el.errors import ElError, FileChanged, PlanError, RecordRefused
from el.loading.file_ledger import KnownFile
from el.planning.held import HeldTable
from el.planning.plan import Plan

# The capture that says of which day a file is.
AS_OF = "as_of"


@dataclass(frozen=True, slots=True)
class FileTask:
    """A version of a file that is to be taken.

    captures: columns that its name gives, but for `as_of`. former: the version that raw holds the rows of; last: its
    latest version of all. error: why it cannot be taken, if that was seen when files were listed.
    """

    file: FileVersion
    file_id: str
    captures: tuple[tuple[str, str], ...] = ()
    as_of: str | None = None
    former: KnownFile | None = None
    last: KnownFile | None = None
    error: ElError | None = None


@dataclass(frozen=True, slots=True)
class DumpPlan:
    """One entry of `dumps`. waiting: files that the next run takes, each with the reason. error: why it is stopped."""

    name: TableName
    raw_schema: str
    raw_table: str
    settings: DumpSettings
    tasks: tuple[FileTask, ...] = ()
    waiting: tuple[str, ...] = ()
    known: tuple[KnownFile, ...] = ()
    unchanged: int = 0  # files whose version is known
    held: HeldTable | None = None  # the columns that raw has
    seen_at: datetime | None = None  # when the files were listed, in UTC
    notes: tuple[str, ...] = ()
    error: ElError | None = None
    stage: str | None = None  # out of which the warehouse reads the files by itself
    why_client: str | None = None  # why it does not, where it could have been

    @property
    def new(self) -> int:
        return sum(1 for task in self.tasks if task.last is None)


@dataclass(frozen=True, slots=True)
class JobPlan(Plan):
    """What a run does with tables, and with files."""

    dumps: tuple[DumpPlan, ...] = field(default=())

    @property
    def stopped(self) -> int:
        # `super()` finds no class where slots have made it anew.
        return Plan.stopped.fget(self) + sum(1 for dump in self.dumps if dump.error is not None)  # type: ignore[attr-defined,no-any-return]


def plan_dump(
    job: Job,
    settings: DumpSettings,
    place: tuple[str, str],
    known: Sequence[KnownFile],
    held: HeldTable | None,
    live: Mapping[TableName, Sequence[str]] | None,
) -> DumpPlan:
    """live: the key of each table of `tables`, which `into` may name; None where the database was not asked."""
    name = TablePattern.parse(settings.name).plain
    assert name is not None
    plan = DumpPlan(name, *place, settings, known=tuple(known), held=held)
    try:
        _refuse_into(job, settings, live)
        return _Files(job, replace(plan, notes=tuple(_notes(job, plan)))).plan()
    except ElError as error:
        return replace(plan, error=error)


def _refuse_into(job: Job, settings: DumpSettings, live: Mapping[TableName, Sequence[str]] | None) -> None:
    if settings.into is None:
        return
    if settings.history is None:
        raise PlanError(
            f"into: {settings.into} needs `history`, for nothing is safe by itself: `history: archive` where keys that "
            "the table no longer has shall stay as they are here; `history: versions` where these are past states alone"
        )
    table = TablePattern.parse(settings.into).plain
    if table is None:
        listed = False
    elif live is None:
        listed = any(entry.pattern.of([table]) for entry in job.config.tables)
    else:
        listed = table in live
    if not listed:
        raise PlanError(f"into: {settings.into} is no table of `tables`; add it, or leave `into` out")
    if live is not None and table is not None and not live[table]:
        raise PlanError(
            f"into: {settings.into} has no key by which rows could meet: set `key` in its entry of `tables`"
        )


def _notes(job: Job, plan: DumpPlan) -> Iterator[str]:
    """What a user may take for done that is not: files that raw has are never read again."""
    anew = "set `rename` to take all files into another raw table"
    loaded = [file for file in plan.known if file.status == "loaded"]
    if job.full_refresh and loaded:
        yield f"--full-refresh takes no file again: {anew}"
    now = plan.settings.format
    told = {} if now is None else json.loads(now.model_dump_json())
    others = sum(1 for file in loaded if now is not None and _differs(json.loads(file.dialect or "{}"), told))
    if others:
        yield f"{others:,} files were loaded by another `format` than el.yml says now, and stay as they are: {anew}"


def _differs(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """What only one of them says is a setting that another version of el has; a path says where el.yml was."""
    return any(before[name] != now[name] for name in before.keys() & now.keys() - {"format_file"})


class _Files:
    """The files of one entry, compared with those that raw knows."""

    def __init__(self, job: Job, plan: DumpPlan) -> None:
        self.job = job
        self.base = plan
        self.now = datetime.now(UTC)
        self.versions: dict[tuple[str, str | None], set[str]] = {}
        self.latest: dict[tuple[str, str | None], KnownFile] = {}
        self.with_rows: dict[tuple[str, str | None], KnownFile] = {}
        for file in plan.known:
            identity = (file.uri, file.member)
            self.versions.setdefault(identity, set()).add(file.version)
            self.latest[identity] = file
            if file.status == "loaded":
                self.with_rows[identity] = file

    def plan(self) -> DumpPlan:
        """Raises `ElError` where the place cannot be read, or no file is there."""
        settings = self.base.settings
        output = dump_output(self.job, settings)
        pattern = Pattern.parse(settings.files, folder_of(self.job, output))
        store = open_store(pattern.prefix, output)
        tasks: list[FileTask] = []
        waiting: list[str] = []
        unchanged = found = 0
        first: FileVersion | None = None
        for file in self._listed(store, pattern, tasks, waiting):
            captures = pattern.match(file)
            if captures is None:
                continue
            found, first = found + 1, first or file
            if self._is_known(file):
                unchanged += 1
            elif (why := self._too_young(file)) is not None:
                waiting.append(f"{file}: {why}")
            else:
                tasks.append(self._task(file, captures))
        if not found and not tasks and not waiting and not self.base.known:
            raise PlanError(f"no file is there that {settings.files} means")
        if settings.format is None and first is not None:
            raise PlanError(f"`format` is missing; to judge by {first} it could be {proposal(store, first)}")
        tasks.sort(key=lambda task: str(task.file))
        if tasks:
            refuse_format(settings, store, tasks[0].file)
        seen = self.now.replace(tzinfo=None)
        return replace(self.base, tasks=tuple(tasks), waiting=tuple(waiting), unchanged=unchanged, seen_at=seen)

    def _listed(
        self, store: Store, pattern: Pattern, tasks: list[FileTask], waiting: list[str]
    ) -> Iterator[FileVersion]:
        """The files that may be meant. An archive that cannot be looked into is a task that fails, alone."""
        for file in store.list(pattern.prefix):
            if not pattern.takes(file.uri):
                continue
            if not pattern.has_members:
                yield file
            elif (why := self._too_young(file)) is not None:
                waiting.append(f"{file}: {why}")
            else:
                try:
                    # All of them or none: an archive may be damaged at its end.
                    found = list(members_of(store, file))
                except (RecordRefused, FileChanged) as error:
                    tasks.append(replace(self._task(file, ()), error=error))
                    continue
                yield from found

    def _is_known(self, file: FileVersion) -> bool:
        """Whether raw has what the file is now. One that counts alone may be again what it was before its last one."""
        identity = (file.uri, file.member)
        if self.base.settings.changed == "append":
            return file.version in self.versions.get(identity, ())
        last = self.latest.get(identity)
        return last is not None and last.version == file.version

    def _too_young(self, file: FileVersion) -> str | None:
        settle = self.base.settings.settle
        if settle <= timedelta(0) or file.modified <= self.now - settle:
            return None
        return f"was changed at {file.modified:%Y-%m-%d %H:%M:%S} UTC, and has to be {_seconds(settle)} old"

    def _task(self, file: FileVersion, captures: Sequence[tuple[str, object]]) -> FileTask:
        identity = (file.uri, file.member)
        last = self.latest.get(identity)
        again = last if file.version in self.versions.get(identity, ()) else None
        values = dict(captures)
        as_of = values.pop(AS_OF, None)
        return FileTask(
            file,
            file_id_of(self.base.raw_table, file, again),
            tuple((name, _text(value)) for name, value in values.items()),
            None if as_of is None else _text(as_of),
            self.with_rows.get(identity),
            last,
        )


def file_id_of(raw_table: str, file: FileVersion, after: KnownFile | None = None) -> str:
    """Short, and the same whoever takes the file: what one raw table calls one version of one file.

    after: what the file was last, if it was this version already before that one.
    """
    parts = (raw_table, file.uri, file.member or "", file.version, *([after.file_id] if after else []))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _seconds(settle: timedelta) -> str:
    return f"{settle.total_seconds():.0f} s"
