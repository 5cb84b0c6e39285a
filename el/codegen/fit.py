"""How what is generated fits into a project that has names and settings of its own.

Guarantees: no name of the project is taken twice: el's model gets another one, or one line says which file is in the
way, and what to do. A macro of the project that overrides dbt's own stays the one that dbt calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from el.codegen.files import GeneratedFile
from el.codegen.older_dbt import installed_older
from el.codegen.own_names import OwnNames, macro_names
from el.codegen.pii import PII_STAGING
from el.codegen.project import FILE, DbtProject
from el.codegen.table_design import ModelDesign, TableDesign
from el.errors import ConfigError

_SOURCES = "__sources.yml"
_VIEW = "snowflake__create_view_as"
_TESTED = "sqlserver__get_test_sql"
_BUILT = "it decides how el's models are built: give it another name"
# dbt's own names that the package overrides -> what becomes of el without it; and those that it cannot do without.
_WITHOUT = {
    "apply_grants": "dbt asks for the grants of el's tables at every build",
    "materialization_view_snowflake": "dbt makes el's views anew at every build",
    "materialization_test": "`el_tests: changed` leaves out no test",
    "duckdb__get_where_subquery": (every_row := "tests look at every row of a table, however large it is"),
    "snowflake__get_where_subquery": every_row,
    _TESTED: "tests at the source need what yours needs",
}
_NEEDED = {
    "materialization_incremental": _BUILT,
    "get_incremental_append_sql": _BUILT,
    _VIEW: "el puts masking policies into views by it: give it another name",
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is written into a project, and what has to be said of what is not."""

    files: tuple[GeneratedFile, ...]
    notes: tuple[str, ...]


def free_names(tables: Sequence[TableDesign], own: OwnNames) -> tuple[list[TableDesign], list[str]]:
    """The tables with names for dbt that the project has not given to something else, and what is to be said of it.

    A model is called so in the warehouse too: a project's `generate_schema_name` may put both into one schema.
    """
    found, said = [], []
    for table in tables:
        models = tuple(_renamed(model) if model.name in own.models else model for model in table.models)
        staging = f"el_{table.staging}" if table.staging in own.models else table.staging
        found.append(replace(table, models=models, staging=staging))
        before = (table.staging, *(model.name for model in table.models))
        for old, new in zip(before, (staging, *(model.name for model in models)), strict=True):
            if old != new:
                said.append(f"{own.models[old]} is called {old}, so what {table.table.name} becomes is called {new}")
    return found, said


def fit(project: DbtProject, own: OwnNames, files: Sequence[GeneratedFile]) -> Fitted:
    """Leave out what the project has itself. Raises `ConfigError` with a line for each thing that is in the way."""
    masks = any("policies: {" in file.body and "policies: {}" not in file.body for file in files)
    unfound = _dispatch(project, masks=masks)
    problems = [*_sources_in_the_way(own, files), *_models_in_the_way(project, own, files)]
    problems += [ConfigError(note) for note in unfound if masks]
    kept, notes = [], [] if masks else unfound
    for file in files:
        wrong, skip = _macros(file, own, masks=masks)
        skip += _group(file, own)
        problems += wrong
        notes += [f"{file.path} is not written: {note}" for note in skip]
        kept += [] if skip else [file]
    if problems:
        raise ConfigError("\n".join(map(str, problems)))
    quoted = [_quoted(file) for file in kept] if project.settings.get("quoting") else kept
    return Fitted(tuple(quoted), (*notes, *installed_older(project), *_personal(own, files)))


def _renamed(model: ModelDesign) -> ModelDesign:
    name = f"{model.schema}__{model.alias}"
    return replace(model, name=name, alias=name)


def _macros(file: GeneratedFile, own: OwnNames, *, masks: bool) -> tuple[list[ConfigError], list[str]]:
    """What is in the way of the macros of a file; why it need not be written."""
    wrong, skip = [], []
    for name in macro_names(file.body) if file.path.suffix == ".sql" else ():
        # One for all adapters would be passed over for el's, which is for one.
        general = name.rpartition("_")[0] if name.startswith("materialization_") else name
        found = [own.macros[known] for known in (name, f"{general}_default") if known in own.macros]
        # A file of el that someone took over is left alone, as any other.
        theirs = next((path for path in found if path != file.path), None)
        without = _WITHOUT.get(name) or _WITHOUT.get(general) or ("" if name != _VIEW or masks else "el needs it not")
        if theirs is not None and without:
            skip.append(f"{theirs} has {name}, and stays as it is; {without}")
        elif theirs is not None:
            wrong.append(ConfigError(f"{theirs} has {name}, as el has: {_NEEDED.get(general, 'give it another name')}"))
    return wrong, skip


def _group(file: GeneratedFile, own: OwnNames) -> list[str]:
    name = file.path.name.removeprefix("_").removesuffix("__groups.yml")
    theirs = own.groups.get(name) if file.path.name.endswith("__groups.yml") else None
    return [] if theirs is None else [f"{theirs} has group {name}, to which el's models belong too"]


def _sources_in_the_way(own: OwnNames, files: Sequence[GeneratedFile]) -> list[ConfigError]:
    ours = OwnNames()
    for file in files:
        if file.path.name.endswith(_SOURCES):
            ours.describe(file.path, file.body)
    return [
        ConfigError(
            f"{theirs} describes source {source}.{table}, as el's {ours.sources[source, table]} does: take it out"
        )
        for (source, table), theirs in own.sources.items()
        if ours.sources.get((source, table), theirs) != theirs
    ]


def _models_in_the_way(project: DbtProject, own: OwnNames, files: Sequence[GeneratedFile]) -> list[ConfigError]:
    ours = [file.path for file in files if file.path.suffix == ".sql" and file.path.is_relative_to(project.models)]
    return [
        ConfigError(f"{own.models[path.stem]} is called {path.stem}, as el's {path} is: give it another name")
        for path in ours
        if own.models.get(path.stem, path) != path
    ]


def _dispatch(project: DbtProject, *, masks: bool) -> list[str]:
    """Where dbt would not find what el overrides: personal data would be seen, or views be made at the source."""
    needed = [_TESTED, *([_VIEW] if masks else [])]
    return [
        f"{FILE}: begin the search_order of dbt under dispatch with {project.name}: there is el's {', '.join(needed)}"
        for entry in project.entries("dispatch")
        if entry.get("macro_namespace") == "dbt" and project.name not in (entry.get("search_order") or ())
    ]


def _quoted(file: GeneratedFile) -> GeneratedFile:
    """Sources that stay unquoted where the project quotes: raw's names are those that the warehouse folds."""
    if not file.path.name.endswith(_SOURCES):
        return file
    folded = "\"{{ target.type != 'snowflake' }}\""
    line = f"    quoting: {{database: {folded}, schema: {folded}, identifier: {folded}}}\n"
    return replace(file, body=re.sub(r"(?m)^    schema: .*\n", lambda found: found[0] + line, file.body))


def _personal(own: OwnNames, files: Sequence[GeneratedFile]) -> list[str]:
    decides = own.macros.get("generate_schema_name")
    if decides is None or not any(f"schema: {PII_STAGING}" in file.body for file in files):
        return []
    return [f"{decides}: see to it that schema {PII_STAGING} stays one that no reader of staging is granted"]
