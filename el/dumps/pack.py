"""What of the files of an entry goes into the package of its raw schema, and what the run reports of it.

Guarantees: a file is packed whole, with its row in the ledger of files, or not at all. Columns are matched by their
names: one that a file lacks is NULL there, a new one is added to raw, and the order of a header is of no matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from el import __version__
from el.config.job import Job
from el.dumps.extract import LandedDump
from el.dumps.plan import DumpPlan
from el.dumps.slice import FileResult, landed_schema
from el.dumps.types import common_schema, misfits, recast, spelt_as
from el.errors import FileRefused
from el.extraction.digest import Way
from el.extraction.landing import LandedFile, LandedTable
from el.loading.digest import digest_of
from el.loading.file_ledger import FILES_TABLE, STRATEGY
from el.loading.ledger import ledger_row
from el.loading.load import PackedFiles
from el.planning.columns import TableComment
from el.reporting.summary import TableReport
from el.reporting.text import FEW

# The columns that el adds behind those of a file.
_ADDED = len(landed_schema(pa.schema([])))


@dataclass(frozen=True, slots=True)
class DumpPacker:
    """Packs the entries of one raw schema."""

    job: Job
    load_id: str
    way: Way | None = None  # how the digest of what lands is made, where it is wanted

    def pack(self, dump: DumpPlan, found: LandedDump | None) -> tuple[TableReport, PackedFiles | None]:
        """What is reported of the entry, and its part of the package, where there is something to load or to note."""
        report = TableReport(str(dump.name), f"{dump.raw_schema}.{dump.raw_table}", STRATEGY, "nothing new")
        report = replace(report, notes=(*dump.notes, *_waiting(dump)))
        if dump.error is not None:
            return replace(report, status="failed", error=f"{dump.name}: {dump.error}"), None
        if found is None:
            return report, None
        schema, parts, files = self._one_schema(dump, found)
        taken = [file for file in files if file.status in ("loaded", "unchanged")]
        failed = [file for file in files if file.status == "failed"]
        rows = sum(file.rows for file in taken)
        report = replace(
            report,
            rows=rows,
            bytes=sum(file.bytes for file in taken),
            seconds=found.seconds,
            window=f"{len(taken)} of {len(files)} files",
            notes=(*report.notes, *_notes(files, dump)),
            error=_failed(dump, failed, len(files)) if failed else None,
        )
        if not taken:
            return replace(report, status="failed" if failed else "nothing new"), None
        status = "failed" if failed else "loaded" if any(f.status == "loaded" for f in taken) else "unchanged"
        report = replace(report, status=status, kind=STRATEGY, load_id=self.load_id)
        return report, self._packed(dump, found, schema, parts, taken)

    def _one_schema(self, dump: DumpPlan, found: LandedDump) -> tuple[pa.Schema, list[LandedFile], list[FileResult]]:
        """The columns of all files together, the landing files, and the results, in which some may have failed now."""
        held = {name: column.landed_as for name, column in dump.held.columns.items()} if dump.held is not None else {}
        loaded = [(file, file.schema) for file in found.files if file.status == "loaded" and file.schema is not None]
        refused = {} if held else self._frozen(dump, loaded)
        schemas = dict.fromkeys(schema for file, schema in loaded if file.task.file_id not in refused)
        schema = common_schema(held, list(schemas))
        parts = [(file, landed) for landed, files in found.landed for file in files]
        for file, landed in parts:
            if set(spelt_as(landed.names[:-_ADDED], schema.names)) <= set(schema.names):
                refused = {**misfits(file, landed, schema), **refused}
        kept = [recast(file, landed, schema, refused) for file, landed in parts]
        results = [
            replace(file, status="failed", rows=0, error=FileRefused(f"{file.task.file}: {why}"))
            if file.status == "loaded" and (why := refused.get(file.task.file_id)) is not None
            else file
            for file in found.files
        ]
        return schema, [file for file in kept if file is not None], results

    def _frozen(self, dump: DumpPlan, loaded: Sequence[tuple[FileResult, pa.Schema]]) -> dict[str, str]:
        """Under `contract: freeze`, the files that have other columns than the first one of all."""
        if (dump.settings.contract or self.job.config.defaults.contract) != "freeze":
            return {}
        return {
            file.task.file_id: f"contract: freeze, and the file has other columns than {loaded[0][0].task.file}"
            for file, schema in loaded
            if set(spelt_as(schema.names, loaded[0][1].names)) != set(loaded[0][1].names)
        }

    def _packed(
        self, dump: DumpPlan, found: LandedDump, schema: pa.Schema, parts: list[LandedFile], taken: list[FileResult]
    ) -> PackedFiles:
        comments = {name: f"{name} of the file" for name in schema.names}
        comment = TableComment(f"{dump.settings.files}: see {FILES_TABLE}", comments)
        landed = LandedTable(dump.raw_table, landed_schema(schema), tuple(parts), comment)
        row = self._ledger_row(dump, found, taken)
        if self.way is not None and parts:
            row["digest"] = digest_of(landed, self.way).text()
        return PackedFiles(
            landed,
            row,
            [self._file_row(dump, schema, file) for file in taken],
            [
                {
                    "table_name": dump.raw_table,
                    "file_id": file.task.file_id,
                    "row_number": reject.row,
                    "byte_offset": reject.offset,
                    "record": reject.data,
                    "reason": reject.reason,
                    "_dlt_load_id": self.load_id,
                }
                for file in taken
                for reject in file.rejects
            ],
            self._column_rows(dump, schema),
            fresh=not dump.known,
        )

    def _ledger_row(self, dump: DumpPlan, found: LandedDump, taken: Sequence[FileResult]) -> dict[str, object]:
        return ledger_row(
            table_name=dump.raw_table,
            source_table=str(dump.name),
            kind=STRATEGY,
            strategy=STRATEGY,
            row_count=sum(file.rows for file in taken),
            deleted_count=0,
            byte_count=sum(file.bytes for file in taken),
            partitions=len(taken),
            source=dump.settings.files,
            run_id=self.job.run_id,
            started_at=found.started,
            finished_at=found.finished,
            el_version=__version__,
            _dlt_load_id=self.load_id,
        )

    def _file_row(self, dump: DumpPlan, schema: pa.Schema, result: FileResult) -> dict[str, object]:
        task, file = result.task, result.task.file
        names = spelt_as(result.schema.names, schema.names) if result.schema is not None else []
        held = set(dump.held.columns) if dump.held is not None else set()
        loaded = result.status == "loaded"
        replaces = task.former.file_id if loaded and task.former and dump.settings.changed == "replace" else None
        return {
            "table_name": dump.raw_table,
            "file_id": task.file_id,
            "uri": file.uri,
            "member": file.member,
            "version": file.version,
            "file_bytes": file.size,
            "modified_at": file.modified.replace(tzinfo=None),
            "sha256": result.sha256,
            "as_of": task.as_of,
            "dialect": dump.settings.format.model_dump_json() if dump.settings.format is not None else None,
            "header": json.dumps(result.header, ensure_ascii=False) if loaded else None,
            "columns_added": json.dumps([name for name in names if held and name not in held]),
            "columns_missing": json.dumps([name for name in schema.names if loaded and name not in names]),
            "record_count": result.records,
            "row_count": result.rows,
            "rejected_count": len(result.rejects),
            "blank_lines": result.blank_lines,
            "route": result.route,
            "status": result.status,
            "replaces": replaces,
            "seen_at": dump.seen_at,
            "run_id": self.job.run_id,
            "el_version": __version__,
            "_dlt_load_id": self.load_id,
        }

    def _column_rows(self, dump: DumpPlan, schema: pa.Schema) -> list[dict[str, object]]:
        """The rows of `_el_columns`; none where they stand there already."""
        held = {name: column.landed_as for name, column in dump.held.columns.items()} if dump.held is not None else {}
        if held == {field.name: str(field.type) for field in schema}:
            return []
        return [
            {
                "table_name": dump.raw_table,
                "column_name": column.name,
                "source_column": column.name,
                "source_type": "text" if column.type == pa.string() else str(column.type),
                "nullable": True,
                "ordinal": ordinal,
                "column_id": ordinal,
                "table_id": None,
                "landed_as": str(column.type),
                "stands_for": stands_for(column.type),
                "loses": None,
                "_dlt_load_id": self.load_id,
            }
            for ordinal, column in enumerate(schema, 1)
        ]


def stands_for(type_: pa.DataType) -> str:
    """What staging makes of it, in Snowflake's words."""
    if pa.types.is_decimal(type_):
        return f"NUMBER({type_.precision},{type_.scale})"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP_NTZ" if type_.tz is None else "TIMESTAMP_TZ"
    known: Mapping[str, str] = {"string": "VARCHAR", "int64": "NUMBER(19,0)", "double": "FLOAT", "bool": "BOOLEAN"}
    other = {"binary": "BINARY", "date32[day]": "DATE", "time64[us]": "TIME"}
    return {**known, **other}[str(type_)]


def _waiting(dump: DumpPlan) -> list[str]:
    if not dump.waiting:
        return []
    more = f", and {len(dump.waiting) - 1} more files" if len(dump.waiting) > 1 else ""
    return [f"waits for a later run: {dump.waiting[0]}{more}"]


def _notes(files: Sequence[FileResult], dump: DumpPlan) -> list[str]:
    """What a user wants to know of the files, each thing once."""
    notes = [note for file in files for note in file.notes]
    notes += [f"waits for the next run: {file.error}" for file in files if file.status == "waiting"]
    rejected = sum(len(file.rejects) for file in files if file.status == "loaded")
    if rejected:
        notes.append(f"{rejected:,} records were rejected: they stand in _el_rejects")
    notes += _same_content(files, dump)
    return list(dict.fromkeys(notes))


def _same_content(files: Sequence[FileResult], dump: DumpPlan) -> list[str]:
    """Copies under another name are loaded, since nobody but the user knows that they are no data of their own."""
    seen = {known.sha256: known.uri for known in dump.known if known.rows}
    notes = []
    for file in files:
        if file.status != "loaded" or not file.rows or not file.sha256:
            continue
        first = seen.setdefault(file.sha256, file.task.file.uri)
        if first != file.task.file.uri:
            notes.append(f"{file.task.file} has the same bytes as {first}: both were loaded")
    return notes


def _failed(dump: DumpPlan, failed: Sequence[FileResult], files: int) -> str:
    said = "; ".join(str(file.error) for file in failed[:FEW])
    more = f"; and {len(failed) - FEW} more" if len(failed) > FEW else ""
    return f"{dump.name}: {len(failed)} of {files} files were not loaded: {said}{more}"
