"""What dlt is told of a load package, and what it says of it: names, sources, folders, errors."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as pq
from dlt.common.libs.pyarrow import py_arrow_to_table_schema_columns
from dlt.common.storages import LoadStorage, NormalizeStorage
from dlt.extract import storage as extract_storage
from dlt.load.load import Load
from dlt.pipeline.exceptions import PipelineStepFailed

from el.errors import LoadError
from el.extraction.landing import LandedTable
from el.planning.columns import COMMENT_HINT


def safe_name(raw_schema: str) -> str:
    """What dlt calls a raw schema in its own files: it takes fewer names than a database does, and shorter ones."""
    if re.fullmatch(r"[A-Za-z_]\w{0,63}", raw_schema, re.ASCII):
        return raw_schema
    digest = hashlib.sha256(raw_schema.encode()).hexdigest()[:8]
    return f"s_{re.sub('[^a-z0-9]+', '_', raw_schema.lower())[:30]}_{digest}"


def examine(pipeline: dlt.Pipeline) -> bool:
    """Open all that an earlier run left behind, as dlt will; raises what opening a damaged file raises.

    Whether there is a package at all.

    Opened as their owner, the folders get what a run that was killed while it made them did not come to make.
    """
    extracted = NormalizeStorage(True, pipeline._normalize_storage_config()).extracted_packages
    load_storage = LoadStorage(True, LoadStorage.ALL_SUPPORTED_FILE_FORMATS, pipeline._load_storage_config())
    normalized = load_storage.normalized_packages
    # dlt removes an extracted package once it is normalized as a whole: what a kill left of it is no package.
    for load_id in set(extracted.list_packages()) & set(normalized.list_packages()):
        extracted.delete_package(load_id)
    found = False
    for packages in (extracted, normalized):
        for load_id in packages.list_packages():
            found = True
            packages.load_schema(load_id)
            packages.get_load_package_state(load_id)
            folder = Path(packages.storage.make_full_path(packages.get_package_path(load_id)))
            for path in folder.glob("*_jobs/*.parquet"):
                pq.read_metadata(path)
    return found


def asked_once(destination: Any) -> Any:
    """The destination, which works out once what it can. dlt asks it twenty times a load, and each time it looks up
    all of its settings anew: a tenth of the processor time of a small run."""
    original, found = destination.capabilities, {}

    def capabilities(config: Any = None, naming: Any = None) -> Any:
        if config is not None:
            return original(config, naming)
        key = naming and (type(naming), naming.is_case_sensitive, naming.max_length)
        if key not in found:
            found[key] = original(naming=naming)
        # A copy: dlt notes in it what a package is to be written as.
        return found[key].copy()

    destination.capabilities = capabilities
    return destination


@contextlib.contextmanager
def _instead(owner: Any, **values: Any) -> Iterator[None]:
    """These in the place of what dlt has under their names, for as long as it lasts."""
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


def named(load_id: str) -> contextlib.AbstractContextManager[None]:
    """dlt names a package by the clock when it makes it; the rows were written before, and carry the name already."""
    return _instead(extract_storage, create_load_id=lambda: load_id)


def appending() -> contextlib.AbstractContextManager[None]:
    """dlt's loader without what an append has no use for, and what grows with the square of the number of tables.

    For each table it works out the version of the whole schema, for its trace; after each job it lists all jobs, for
    those that follow a merge, and writes down the figures of all jobs so far. A thousand tables took twice as long.
    """
    return _instead(
        Load,
        _compute_outputs=lambda *_: [],
        create_followup_jobs=lambda *_: ([], [], []),
        _persist_job_metrics_to_state=lambda *_: None,
    )


def source_of(schema: dlt.Schema, tables: Sequence[LandedTable]) -> Any:
    """The landing files as dlt takes them."""

    def resource(table: LandedTable) -> Any:
        def files() -> Iterator[Any]:
            if not table.files:
                # Its own mark would add a `_dlt_id` that no later row has.
                yield table.schema.empty_table()
            for file in table.files:
                yield dlt.mark.with_file_import(str(file.path), "parquet", file.rows)

        found = dlt.resource(
            files,
            name=table.name,
            table_name=table.name,
            write_disposition="append",
            columns=_columns(table),
        )
        if table.comment is not None:
            found.apply_hints(additional_table_hints={COMMENT_HINT: table.comment.text})
        return found

    resources = [resource(table) for table in tables]
    return dlt.source(lambda: resources, schema=schema)()


def _columns(table: LandedTable) -> Any:
    """dlt's columns; a description is the comment of a column in what CREATE TABLE of dlt knows comments."""
    found = py_arrow_to_table_schema_columns(table.schema)
    for name in table.documents:
        found[name]["data_type"] = "json"
    for name, said in (table.comment.columns if table.comment else {}).items():
        if name in found:
            found[name]["description"] = said
    return found


@contextlib.contextmanager
def as_load_error(raw_schema: str) -> Iterator[None]:
    """dlt's exceptions as one line; whatever it could not finish stays as a package for another try."""
    try:
        yield
    except PipelineStepFailed as error:
        cause: BaseException = error
        while cause.__cause__ is not None or getattr(cause, "exception", None) is not None:
            cause = getattr(cause, "exception", None) or cause.__cause__  # type: ignore[assignment]
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        step = {"extract": "packing", "normalize": "normalising"}.get(error.step, "loading")
        text = str(cause).strip().splitlines()
        raise LoadError(
            f"{step} {raw_schema} failed: {text[0] if text else type(cause).__name__}", retryable=error.step == "load"
        ) from None
