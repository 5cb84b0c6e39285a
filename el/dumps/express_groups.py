"""Files of an entry that one COPY can take together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from el.dumps.compression import suffix_of
from el.dumps.express_text import GZIP, form_of
from el.dumps.plan import DumpPlan
from el.dumps.slice import FileResult
from el.loading.express import StagedFile, StagedGroup


def staged_groups(dump: DumpPlan, files: Sequence[FileResult], names: Mapping[str, str]) -> tuple[StagedGroup, ...]:
    """Files that have the same columns, under the same names, and are packed in the same way."""
    found: dict[tuple[object, ...], list[FileResult]] = {}
    for file in files:
        if file.status == "loaded" and file.schema is not None:
            found.setdefault((file.header, file.schema, suffix_of(file.task.file.uri)), []).append(file)
    groups = []
    for some in found.values():
        schema, header = some[0].schema, some[0].header
        assert schema is not None
        staged = tuple(
            StagedFile(
                names[file.task.file_id],
                file.task.file_id,
                file.task.as_of,
                tuple(value for _, value in file.task.captures),
            )
            for file in some
        )
        form = form_of(dump.settings)
        if form is not None:
            form = replace(form, packed=suffix_of(some[0].task.file.uri) == GZIP)
            # A text has its columns by their places: a header may have a name twice.
            header = tuple(f"c{number}" for number in range(1, len(header) + 1))
        columns = tuple(zip(header, schema.names[: len(header)], strict=True))
        groups.append(StagedGroup(columns, tuple(schema.names[len(header) :]), staged, form))
    return tuple(groups)
