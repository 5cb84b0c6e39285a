"""Which entries go the express way, where the warehouse reads the files by itself and no byte of them passes here.

Guarantee: it is taken where raw gets the same rows by it as by way of the client. That is decided twice: in the plan
by the settings, and in the run by the footer of each file, for which no more of it is read. Of a text el reads all:
`express_text.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from el.config.dumps import ParquetSettings
from el.config.job import Job
from el.dumps.columns import landing_type, names_of_captures, raw_names
from el.dumps.compression import suffix_of
from el.dumps.express_text import GZIP, check, form_of
from el.dumps.file_version import FileVersion
from el.dumps.open import open_store
from el.dumps.places import dump_output, folder_of
from el.dumps.plan import DumpPlan, FileTask
from el.dumps.slice import DumpSlice, FileResult
from el.dumps.types import common_schema, spelt_as
from el.errors import ElError, FileChanged, FileRefused, PlanError
from el.extraction.slice import Progress
from el.loading.express import Express, Staged
from el.loading.warehouse import Warehouse

REQUIRE, OFF = "require", "off"
_WORKERS = 8


def routed(job: Job, warehouse: Warehouse, dump: DumpPlan) -> DumpPlan:
    """The plan of an entry with its way. What has to go the express way and cannot is stopped."""
    output = dump_output(job, dump.settings)
    stage = None if output is None else output.setting("stage")
    chosen = dump.settings.express
    if dump.error is not None or chosen == OFF or (stage is None and chosen != REQUIRE):
        return dump
    why = _why_client(job, warehouse, dump, None if stage is None else str(stage))
    if why is None:
        return replace(dump, stage=str(stage))
    if chosen == REQUIRE:
        return replace(dump, error=PlanError(f"express: require, but {why}"))
    return replace(dump, why_client=why)


def _why_client(job: Job, warehouse: Warehouse, dump: DumpPlan, stage: str | None) -> str | None:
    express = warehouse.express()
    if express is None:
        return "this warehouse does not read files by itself"
    if stage is None:
        return "the profile names no `stage`"
    form = form_of(dump.settings)
    if form is None and not isinstance(dump.settings.format, ParquetSettings):
        return "only parquet, csv, ndjson and plain bcp text come into raw by COPY as the client reads them"
    if form is None and warehouse.limits != warehouse.own_limits:
        return "el.yml's `limits` are held against each value"
    why = None if form is None else express.unfit_text(form)
    why = why or express.unfit(stage) or next((why for task in dump.tasks if (why := _unfit(job, dump, task))), None)
    return why or (_unseen(job, warehouse, express, dump, stage) if dump.tasks else None)


def _unseen(job: Job, warehouse: Warehouse, express: Express, dump: DumpPlan, stage: str) -> str | None:
    """Why the stage is not what the profile says: a look at one of the files."""
    name = str(name_in_stage(job, dump, dump.tasks[0]))
    try:
        with warehouse.connector:
            shown = express.listed(stage, [name])
    except ElError as error:
        return f"the stage {stage} cannot be used: {error}"
    return None if name in shown else f"the stage {stage} does not show {dump.tasks[0].file}"


def _unfit(job: Job, dump: DumpPlan, task: FileTask) -> str | None:
    text = form_of(dump.settings) is not None
    if task.file.member is not None or suffix_of(task.file.uri) not in (None, *([GZIP] if text else [])):
        return f"{task.file} has to be unpacked"
    if not text and task.last is not None and dump.settings.changed != "replace":
        return f"{task.file} was loaded before, and only its bytes tell whether it is another file"
    if name_in_stage(job, dump, task) is None:
        return f"{task.file} is not below the `url` of the profile, over which the stage is"
    return None


def name_in_stage(job: Job, dump: DumpPlan, task: FileTask) -> str | None:
    """A file's name below the stage; None for one that is elsewhere."""
    base = f"{folder_of(job, dump_output(job, dump.settings)).rstrip('/')}/"
    return task.file.uri.removeprefix(base) if task.file.uri.startswith(base) else None


@dataclass(frozen=True, slots=True)
class Looked:
    """The files of an entry after a look at each. unfit: why a file does not go this way, or failed, by its id."""

    files: tuple[FileResult, ...]
    unfit: Mapping[str, str]


def look(job: Job, dump: DumpPlan, express: Express, *, calendar: bool) -> Looked:
    """Read the footers of all files, and compare them with raw, with one another, and with what the stage shows."""
    output = dump_output(job, dump.settings)

    def footer(task: FileTask) -> FileResult | str:
        try:
            with open_store(task.file.uri, output).open(task.file) as opened:
                return _result(job, task, pq.ParquetFile(pa.PythonFile(opened, "r")), express, calendar)
        except FileChanged as error:
            return FileResult(task, "waiting", error=error)
        except (ElError, pa.ArrowException, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="el-footer") as pool:
        found = list(pool.map(footer, dump.tasks))
    return _sorted(job, dump, found)


def read_through(job: Job, dump: DumpPlan, work: DumpSlice, unfit: Mapping[str, str], tell: Progress) -> Looked:
    """Read the texts of `work`, and compare their columns as those of footers are. unfit: of the other files, why."""
    form = form_of(dump.settings)
    assert form is not None
    found: dict[str, FileResult | str] = {}
    for file in check(work, form, job.readers, tell):
        # What is wrong with a file, and that it is known already, the client notes.
        failed = file.status == "failed"
        found[file.task.file_id] = str(file.error).removeprefix(f"{file.task.file}: ") if failed else file
    return _sorted(job, dump, [{**unfit, **found}[task.file_id] for task in dump.tasks])


def _sorted(job: Job, dump: DumpPlan, found: Sequence[FileResult | str]) -> Looked:
    unfit = {task.file_id: said for task, said in zip(dump.tasks, found, strict=True) if isinstance(said, str)}
    files = [result for result in found if isinstance(result, FileResult)]
    unfit |= _misfits(job, dump, [file for file in files if file.schema is not None])
    return Looked(tuple(file for file in files if file.task.file_id not in unfit), unfit)


def _result(job: Job, task: FileTask, file: pq.ParquetFile, express: Express, calendar: bool) -> FileResult | str:
    schema, metadata = file.schema_arrow.remove_metadata(), file.metadata
    chunks = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    if why := express.unfit_columns(schema, {chunk.compression for chunk in chunks}):
        return why
    names, notes = raw_names(schema.names, job.config.raw.naming)
    captures = names_of_captures([name for name, _ in task.captures], names, job.config.raw.naming)
    types = [landing_type(name, type_) for name, type_ in zip(names, schema.types, strict=True)]
    if calendar and (outside := _not_in_calendar(schema, chunks)):
        return f"its footer does not tell that column {outside} has days of the years 1 to 9999 alone"
    fields = [*zip(names, types, strict=True), *((name, pa.string()) for name in captures)]
    return FileResult(
        task,
        schema=pa.schema(fields),
        header=tuple(schema.names),
        records=metadata.num_rows,
        rows=metadata.num_rows,
        bytes=task.file.size,
        notes=tuple(notes),
        route="express",
    )


def _not_in_calendar(schema: pa.Schema, chunks: Iterable[pq.ColumnChunkMetaData]) -> str | None:
    """The first column of days that may hold one that the warehouse has not."""
    days = {c.name for c in schema if pa.types.is_date(c.type) or pa.types.is_timestamp(c.type)}
    for chunk in chunks:
        if chunk.path_in_schema not in days or not chunk.num_values:
            continue
        told = chunk.statistics
        try:
            empty = told is not None and told.has_null_count and told.null_count == chunk.num_values
            if not empty and not (told is not None and told.has_min_max and _is_day(told.min) and _is_day(told.max)):
                return str(chunk.path_in_schema)
        except (ValueError, OverflowError):
            return str(chunk.path_in_schema)
    return None


def _is_day(value: object) -> bool:
    return isinstance(value, date | datetime)


def _misfits(job: Job, dump: DumpPlan, files: list[FileResult]) -> dict[str, str]:
    """Files whose columns are not those of raw, or of the first file, by their ids."""
    held = {name: column.landed_as for name, column in dump.held.columns.items()} if dump.held is not None else {}
    schemas = [file.schema for file in files if file.schema is not None]
    raw = common_schema(held, list(dict.fromkeys(schemas)))
    frozen = (dump.settings.contract or job.config.defaults.contract) == "freeze"
    first = set(held) or (set(schemas[0].names) if schemas else set())
    found = {}
    for file, schema in zip(files, schemas, strict=True):
        if spelt_as(schema.names, raw.names) != schema.names:
            found[file.task.file_id] = "its columns are written in other capitals than in raw"
            continue
        other = [column for column in schema if column.type != raw.field(column.name).type]
        if other:
            found[file.task.file_id] = (
                f"column {other[0].name} is {other[0].type} there, and {raw.field(other[0].name).type} in raw"
            )
        elif frozen and set(schema.names) != first:
            found[file.task.file_id] = "it has other columns than the first one, and `contract: freeze` is set"
    return found


def differs(listed: FileVersion, staged: Staged | None) -> str | None:
    """Why what the stage shows is not the version that was listed."""
    if staged is None:
        return "the stage does not show it"
    if staged.size != listed.size or int(staged.modified.timestamp()) != int(listed.modified.timestamp()):
        return f"the stage shows another version of it, of {staged.modified:%Y-%m-%d %H:%M:%S} UTC"
    tag = listed.version.strip('"')
    if (
        listed.version.startswith('"')
        and _is_checksum(tag)
        and _is_checksum(staged.checksum)
        and tag != staged.checksum
    ):
        return "the stage shows another version of it, with another checksum"
    return None


def _is_checksum(text: str) -> bool:
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)


def refused(task: FileTask, why: str) -> FileResult:
    """A file that had to go this way and cannot."""
    return FileResult(task, "failed", error=FileRefused(f"{task.file}: express: require, but {why}"))


MISREAD = "the warehouse reads it otherwise than el does, so nothing of it was taken: say `express: 'off'`"
