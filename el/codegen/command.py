"""`python -m el codegen`: describe the source, generate, compare with the project, write or check.

Guarantees: nothing is written with `check`; a file that someone edited is never written over; what is not tested of the
source's constraints is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from el.config.job import Job
from el.config.settings import Config
from el.connectors.base import Source
from el.connectors.catalog import TableName
from el.connectors.registry import open_source
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.dialect import Dialect
from el.errors import ConfigError, ConnectError
from el.loading.open import open_warehouse
from el.planning.dump_tables import dump_tables
from el.planning.held import HeldTable
from el.planning.places import find_places
from el.planning.selection import Chosen, choose_tables, named

from .constraints import Untested
from .design import Held, design, nothing_held
from .dump_files import dump_files
from .dumps import DumpDesign, dump_designs
from .files import Finding, GeneratedFile, State, compare, write
from .fit import fit, free_names
from .hooks import with_hooks
from .older_dbt import as_read
from .own_names import NO_NAMES, OwnNames
from .package import ABOUT, package_files, package_folders
from .pii import masked_view
from .project import FILE, DbtProject
from .sql_files import model_file, staging_file
from .table_design import TableDesign
from .yaml_files import groups_file, model_yaml, sources_file, staging_yaml


@dataclass(frozen=True, slots=True)
class Generated:
    """What belongs into the project for these tables, and what the source enforces that no test says."""

    tables: tuple[TableDesign, ...]
    files: tuple[GeneratedFile, ...]
    untested: tuple[Untested, ...]
    said: tuple[str, ...] = ()  # of names that are taken, and of dumps that raw does not hold yet
    dumps: tuple[TableName, ...] = ()


def generate(config: Config, source: Source | None, held: Held = nothing_held, own: OwnNames = NO_NAMES) -> Generated:
    """Everything that belongs into the dbt project. Raises `PlanError` for what cannot be taken or named.

    source: None for a job of files alone. own: what the project has names for itself.
    """
    # A source without SQL has no conditions of its own to be translated.
    dialect = source.dialect if isinstance(source, SqlConnector) else Dialect("")
    tables: list[TableDesign] = []
    said: list[str] = []
    chosen: list[Chosen] = []
    if source is not None:
        catalog = source.describe()
        chosen = choose_tables(config, source, catalog)
        tables, said = free_names(design(config, source, catalog, chosen, held), own)
    policies = config.dbt.pii == "policy"
    dumps, unknown = _dumps(config, chosen, tables, held, own)
    others = {table.table.name: table for table in tables}
    files = [sources_file(config, tables, dialect, dumps), *dump_files(config.source, dumps, policies=policies)]
    files += [groups_file(config, schema) for schema in sorted({m.schema for t in tables for m in t.models})]
    untested: list[Untested] = []
    for table in tables:
        files += [staging_file(config.source, table), staging_yaml(config, table)]
        masked = masked_view(table, policies=policies)
        files += masked.files(config.source) if masked is not None else []
        for model in table.models:
            text, missing = model_yaml(table, model, others, dialect)
            files += [model_file(table, model), text]
            untested += [item for item in missing if item not in untested]
    # Another source's files in the same project are not this one's.
    of_all = {config.source: "all its tables"}
    files = [replace(file, about=f"{config.source}: {of_all.get(file.about, file.about)}") for file in files]
    return Generated(tuple(tables), tuple(files), tuple(untested), (*said, *unknown), tuple(d.name for d in dumps))


def _dumps(
    config: Config, chosen: Sequence[Chosen], tables: Sequence[TableDesign], held: Held, own: OwnNames
) -> tuple[list[DumpDesign], list[str]]:
    if not config.dumps:
        return [], []
    places = find_places(config, [*chosen, *dump_tables(config)]).names
    return dump_designs(config, chosen, tables, held(sorted({schema for schema, _ in places.values()})), own.models)


def codegen(job: Job, project: Path, *, check: bool = False) -> int:
    """Write the project's files, or with `check` only compare; print what was found; the exit code."""
    found = DbtProject.read(project)
    own = OwnNames.of(found, job.config.source)
    opened = open_source(job.source.settings, str(job.source)) if job.config.tables else nullcontext()
    with opened as source:
        generated = generate(job.config, source, lambda schemas: _held(job, schemas), own)
    fitted = fit(found, own, as_read(found, [*map(found.placed, generated.files), *package_files(found)]))
    chosen = _selected(generated, fitted.files, job.select)
    findings = compare(
        project,
        chosen,
        models=None if job.select else found.models,
        owned=package_folders(found),
        source=job.config.source,
    )
    written = _written(found, chosen, findings, check=check)
    return _report(generated, fitted.notes, written, check=check)


def codegen_package(project: Path, *, check: bool = False) -> int:
    """Only what every dbt project needs of el, as `codegen` writes it too; no database is asked."""
    found = DbtProject.read(project)
    fitted = fit(found, OwnNames.of(found), as_read(found, package_files(found)))
    findings = compare(project, fitted.files, models=None, owned=package_folders(found))
    return _report(None, fitted.notes, _written(found, fitted.files, findings, check=check), check=check)


def _written(
    project: DbtProject, files: Sequence[GeneratedFile], findings: list[Finding], *, check: bool
) -> list[Finding]:
    """What was written of these files, and of dbt_project.yml; with `check`, what would be."""
    settings = with_hooks(project)
    if not check:
        write(project.folder, files, findings)
    if settings is not None:
        findings.append(Finding(PurePosixPath(FILE), State.HOOKS))
        if not check:
            (project.folder / FILE).write_bytes(settings.encode())
    return findings


def _held(job: Job, schemas: Iterable[str]) -> dict[tuple[str, str], HeldTable]:
    """What raw says that it was loaded with; nothing, and said, where it cannot be asked."""
    output = job.destination
    if output.type == "duckdb":
        output = replace(output, settings={**output.settings, "read_only": True})
    try:
        warehouse = open_warehouse(output, job.config.raw.naming)
        with warehouse.connector:
            return {
                (schema, table): columns
                for schema in schemas
                for table, columns in warehouse.held_tables(schema).items()
            }
    except ConnectError as error:
        print(f"raw was not asked whether a column had another name before: {error}")
        return {}


def _selected(generated: Generated, files: Sequence[GeneratedFile], select: Sequence[str]) -> Sequence[GeneratedFile]:
    """The files of these tables, and those that no single table has."""
    if not select:
        return files
    names = [table.table.name for table in generated.tables] + list(generated.dumps)
    kept: set[str] = set()
    for text in select:
        found = named("--select", text, names)
        if not found:
            raise ConfigError(f"--select {text}: no table of el.yml matches")
        kept.update(str(name) for name in found)
    return [file for file in files if file.table is None or file.table in kept]


def _report(generated: Generated | None, notes: Sequence[str], findings: Sequence[Finding], *, check: bool) -> int:
    for said in (*(generated.said if generated else ()), *notes):
        print(said)
    for item in generated.untested if generated else ():
        print(f"not tested: {item.table}: {item.constraint}: {item.why}")
    brought = [finding for finding in findings if finding.state is State.NEW and finding.about == ABOUT]
    if brought:
        print(f"{len(brought)} macros, tests and models that el brings: {State.NEW}")
    for finding in findings:
        if finding.state is not State.SAME and finding not in brought:
            print(f"{finding.path}: {finding.state}")
        if finding.diff:
            print(finding.diff)
    writes = (State.NEW, State.CHANGED, State.OLD, State.HOOKS)
    different = [f for f in findings if f.state in (*writes, State.DIFFERS, State.GONE)]
    written = sum(finding.state in writes for finding in findings)
    same = sum(finding.state is State.SAME for finding in findings)
    line = f"{written} files {'to write' if check else 'written'}, {same} unchanged"
    if generated is not None:
        line = f"{len(generated.tables)} tables: {line}, {len(generated.untested)} constraints not tested"
    print(line)
    if any(finding.state is State.DIFFERS for finding in findings):
        print("an edited file is up to date again once its marker has the hash of what is generated now")
    return 1 if check and different else 0
