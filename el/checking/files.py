"""Whether the place of each entry of `dumps` can be listed, and whether a file is there. No file is read."""

from __future__ import annotations

from collections.abc import Iterator

from el.config.job import Job
from el.connectors.check import Check, fine, warn, wrong
from el.dumps.open import open_store
from el.dumps.pattern import Pattern
from el.dumps.places import dump_output, folder_of
from el.errors import ElError


def places(job: Job) -> Iterator[Check]:
    """A line for each entry."""
    for entry in job.config.dumps:
        try:
            output = dump_output(job, entry)
            pattern = Pattern.parse(entry.files, folder_of(job, output))
            listed = open_store(pattern.prefix, output).list(pattern.prefix)
            there = any(pattern.takes(file.uri) for file in listed)
        except ElError as error:
            yield wrong("files", f"{entry.name}: {error}")
            continue
        if there:
            yield fine("files", f"{entry.name}: {entry.files} can be listed")
        else:
            yield warn("files", f"{entry.name}: no file is there that {entry.files} means")
