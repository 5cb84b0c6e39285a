"""The SQL of staging views and schema tables: a few lines each, what repeats is said by the project's macros."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from el.config.tables import ModelKind
from el.planning.keys import KEY_COLUMN
from el.planning.naming import normalise
from el.planning.target_names import RESERVED

from .files import GeneratedFile
from .table_design import LANDING, ColumnDesign, ModelDesign, TableDesign

LINE = 120
_MACROS = {
    ModelKind.CURRENT: "el_current_state",
    ModelKind.SNAPSHOT: "el_last_snapshot",
    ModelKind.HISTORY: "el_history",
    ModelKind.LOG: "el_append_log",
}
HISTORY = ("_el_valid_from", "_el_valid_to", "_el_closed_at")
FLAGS = ("_el_deleted", "_el_deleted_load_id")


def staging_file(source: str, table: TableDesign) -> GeneratedFile:
    """The view over a raw table: names that need no quotes, the exact types, the landing columns behind."""
    lines = [f"{_typed(column, table)} as {column.name}" for column in table.shown]
    lines += own_key(table)
    relation = "{{ source(" + f"'{table.source_name}', '{table.raw_table}'" + ") }}"
    body = f"select\n{listed([*lines, *LANDING])}\nfrom {relation}\n"
    path = PurePosixPath("models", "staging", normalise(source), f"{table.staging}.sql")
    return GeneratedFile(path, body, str(table.table.name), str(table.table.name))


def model_file(table: TableDesign, model: ModelDesign) -> GeneratedFile:
    """The schema table of one kind."""
    name = "landed" if model.kind is ModelKind.LOG else model.alias
    body = f"{_config(table, model)}\n\nwith {name} as (\n{_call(table, model)}\n)\n\n"
    body += f"select\n{listed(model_columns(table, model))}\nfrom {name}\n"
    path = PurePosixPath("models", model.schema, f"{model.name}.sql")
    return GeneratedFile(path, body, str(table.table.name), str(table.table.name))


def model_columns(table: TableDesign, model: ModelDesign) -> list[str]:
    """The names of a schema table's columns, in order."""
    more = HISTORY if model.kind is ModelKind.HISTORY else FLAGS if model.flagged else ()
    return [*(column.name for column in table.shown), *own_key(table, model), *LANDING, *more]


def own_key(table: TableDesign, model: ModelDesign | None = None) -> tuple[str, ...]:
    """`_el_key`, if staging, or this model, has it: what does not tell rows apart by their key has no use for it."""
    keyed = model is None or model.kind in (ModelKind.CURRENT, ModelKind.HISTORY)
    return (KEY_COLUMN,) if keyed and table.told_by == (KEY_COLUMN,) else ()


def _config(table: TableDesign, model: ModelDesign) -> str:
    strategy = "append" if model.kind is ModelKind.LOG else "el_current_state"
    settings = ["materialized='incremental'", f"incremental_strategy='{strategy}'"]
    key = {
        ModelKind.SNAPSHOT: ("_dlt_load_id",),
        ModelKind.HISTORY: (*table.told_by, "_el_valid_from"),
        ModelKind.LOG: (),
    }.get(model.kind, table.told_by)
    if key:
        settings.append(f"unique_key={_list(key)}")
    settings.append(f"on_schema_change='{'fail' if table.frozen else 'append_new_columns'}'")
    # Raw can give some again. The others hold what a purged raw has no more: permanent tables have time travel and
    # seven days of fail-safe, on every partition that a MERGE rewrites (Snowflake, "Understanding storage cost").
    again = not model.flagged and model.kind in (ModelKind.CURRENT, ModelKind.SNAPSHOT)
    settings.append(f"transient={'true' if again else 'false'}")
    if table.cluster_by:
        cluster = ("_dlt_load_id",) if model.kind in (ModelKind.LOG, ModelKind.SNAPSHOT) else table.cluster_by
        settings.append(f"cluster_by={_list(cluster)}")
    return "{{\n    config(\n" + ",\n".join(f"        {setting}" for setting in settings) + "\n    )\n}}"


def _call(table: TableDesign, model: ModelDesign) -> str:
    macro = "el_flagged_state" if model.flagged else _MACROS[model.kind]
    arguments = [f"ref('{table.staging}')", f"'{table.source_name}'", f"'{table.raw_table}'"]
    if model.kind in (ModelKind.CURRENT, ModelKind.HISTORY):
        arguments.append(f"key={_list(table.told_by)}")
    line = f"    {{{{ {macro}({', '.join(arguments)}) }}}}"
    if len(line) <= LINE:
        return line
    inside = ",\n".join(f"            {argument}" for argument in arguments)
    return f"    {{{{\n        {macro}(\n{inside}\n        )\n    }}}}"


def _typed(column: ColumnDesign, table: TableDesign) -> str:
    if column.type.is_document:
        # A cast would make it one text, not what stands in the text.
        name = f"el_quoted('{column.raw}')" if column.raw in RESERVED else f"'{column.raw}'"
        return f"{{{{ el_document({name}) }}}}"
    picked = _picked(column, table)
    value = _raw(column) if picked is None else f"coalesce({_raw(column)}, {picked})" if column.in_raw else picked
    return f"cast({value} as {_type(column)})"


def _picked(column: ColumnDesign, table: TableDesign) -> str | None:
    """A field out of the document: of rows that came before it was promoted, too."""
    if column.field is None or table.document is None or column.masked:
        return None
    steps = _list([step.replace("\\", "\\\\").replace("'", "\\'") for step in column.field.steps])
    arguments = f"'{table.document.raw}', {steps}, '{column.field.type}', '{column.field.form}'"
    return f"{{{{ el_document_field({arguments}) }}}}"


def _raw(column: ColumnDesign) -> str:
    return f"{{{{ el_quoted('{column.raw}') }}}}" if column.raw in RESERVED else column.raw


def _type(column: ColumnDesign) -> str:
    type_ = column.type
    if type_.common is not None:
        return type_.common.replace(",", ", ")
    return f"{{{{ el_type('{type_.duckdb}', '{type_.snowflake}') }}}}"


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def listed(items: Sequence[str]) -> str:
    lines = []
    for number, item in enumerate(items, 1):
        line = f"    {item}{',' if number < len(items) else ''}"
        lines.append(line if len(line) <= LINE else f"{line}  -- noqa: LT05")
    return "\n".join(lines)
