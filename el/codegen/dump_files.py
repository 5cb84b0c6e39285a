"""The files of the dbt project for dumps: staging views, models, and their tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from el.codegen.dumps import DumpColumn, DumpDesign, meeting_name, met
from el.codegen.files import GeneratedFile
from el.codegen.pii import PII_STAGING, STAGING, MaskedView, PiiColumn
from el.codegen.sql_files import listed
from el.codegen.table_design import LANDING, ModelDesign, TableDesign, TypeName
from el.codegen.yaml_text import Inline, InlineList, plain, to_yaml
from el.planning.naming import normalise
from el.planning.target_names import RESERVED

# What staging has of a row of a file behind its columns.
OF_FILE = ("_el_file", "_el_row", "_el_uri")
_VIEW = "{{ config(materialized='view') }}\n\n"


def dump_files(source: str, dumps: Sequence[DumpDesign], *, policies: bool = False) -> list[GeneratedFile]:
    """All files of all dumps. policies: as of `masked_view`."""
    files = [made for dump in dumps for made in (_staging(source, dump), _staging_yaml(source, dump))]
    for dump in dumps:
        if any(column.pii for column in dump.columns):
            files += _masked(dump, policies).files(source)
    for dump in dumps:
        if dump.into is None:
            files += [_model(dump), _model_yaml(dump, dump.model, f"{dump.name}: the files that count.")]
    for dump in dumps:
        if dump.into is None or dump.settings.history is None:
            continue
        together = [d for d in dumps if d.into is dump.into and d.settings.history == dump.settings.history]
        if together[0] is dump:
            files += _meeting(dump.into, dump.settings.history, together)
    return files


def _staging(source: str, dump: DumpDesign) -> GeneratedFile:
    columns = [_column(column) for column in dump.columns]
    columns += [f"landed.{name}" for name in OF_FILE[:2]] + ["files.uri as _el_uri"]
    columns += [f"landed.{name}" for name in LANDING]
    relation = "{{ source(" + f"'{dump.source_name}', '{dump.raw_table}'" + ") }}"
    files = "{{ el_files(" + f"'{dump.source_name}', '{dump.raw_table}'" + ") }}"
    body = (
        f"with files as (\n    {files}\n)\n\nselect\n{listed(columns)}\nfrom {relation} as landed\n"
        "inner join files on landed._el_file = files.file_id\n"
    )
    path = PurePosixPath("models", "staging", normalise(source), f"{dump.staging}.sql")
    return GeneratedFile(path, body, str(dump.name), str(dump.name))


def _column(column: DumpColumn) -> str:
    found = _cast(column)
    return found if found == f"landed.{column.name}" else f"{found} as {column.name}"


def _cast(column: DumpColumn) -> str:
    raw = f"{{{{ el_quoted('{column.raw}') }}}}" if column.raw in RESERVED else column.raw
    if column.type is None or (column.text and column.type.common == "varchar"):
        return f"landed.{raw}"
    how = "try_cast" if column.text else "cast"
    type_ = column.type.common or f"{{{{ el_type('{column.type.duckdb}', '{column.type.snowflake}') }}}}"
    return f"{how}(landed.{raw} as {type_})"


def _staging_yaml(source: str, dump: DumpDesign) -> GeneratedFile:
    text = f"{dump.name} as its files have it: those that count, one row a record, typed where its text can be."
    model: dict[str, Any] = {"name": dump.staging, "description": plain(text)}
    if any(column.pii for column in dump.columns):
        model["config"] = Inline(schema=PII_STAGING, grants=Inline(select=InlineList()), materialized="view")
    else:
        model["config"] = Inline(schema=STAGING, materialized="view")
    body = to_yaml({"version": 2, "models": [model]})
    path = PurePosixPath("models", "staging", normalise(source), f"{dump.staging}.yml")
    return GeneratedFile(path, body, str(dump.name), str(dump.name))


def _masked(dump: DumpDesign, policies: bool) -> MaskedView:
    # What a file's own type becomes on Snowflake is not known here: no policy would fit it.
    types = {c.name: c.type.snowflake if c.type else "varchar" if c.text else None for c in dump.columns}
    pii = [PiiColumn(c.name, c.pii, types[c.name] if policies else None) for c in dump.columns if c.pii]
    columns = [*(column.name for column in dump.columns), *OF_FILE, *LANDING]
    return MaskedView(dump.staging, columns, pii, str(dump.name))


def _model(dump: DumpDesign) -> GeneratedFile:
    columns = [*(column.name for column in dump.columns), *OF_FILE, *LANDING]
    body = f"{_VIEW}select\n{listed(columns)}\nfrom {{{{ ref('{dump.staging}') }}}}\n"
    return GeneratedFile(
        PurePosixPath("models", dump.schema, f"{dump.model}.sql"), body, str(dump.name), str(dump.name)
    )


def _model_yaml(dump: DumpDesign, name: str, text: str, schema: str | None = None) -> GeneratedFile:
    schema = schema or dump.schema
    model = {"name": name, "description": plain(text), "config": Inline(schema=schema)}
    path = PurePosixPath("models", schema, f"{name}.yml")
    return GeneratedFile(path, to_yaml({"version": 2, "models": [model]}), str(dump.name), str(dump.name))


def _meeting(table: TableDesign, history: str, dumps: Sequence[DumpDesign]) -> list[GeneratedFile]:
    """The view in which the rows of a live table and of files stand together."""
    model = met(table, history)
    name = meeting_name(model, history)
    body = _VIEW + (_archive(table, model, dumps) if history == "archive" else _versions(table, model, dumps))
    about = f"{table.table.name} and dumps"
    path = PurePosixPath("models", model.schema, f"{name}.sql")
    says = {
        "archive": f"{table.table.name} as it is now, and the keys that it no longer has, as files have them last.",
        "versions": f"{table.table.name}: one row for each version of a key, those of files before all others.",
    }[history]
    return [
        GeneratedFile(path, body, about, str(dumps[0].name)),
        _model_yaml(dumps[0], name, says, model.schema),
    ]


def _archive(table: TableDesign, model: ModelDesign, dumps: Sequence[DumpDesign]) -> str:
    names = [*(column.name for column in table.columns), *LANDING]
    where = "\n    where not _el_deleted" if model.flagged else ""
    live = _select([*names, "cast(null as varchar) as _el_file"], f"{{{{ ref('{model.name}') }}}}") + where
    same = " and ".join(f"live.{name} = latest.{name}" for name in table.key)
    # Of two versions of one file that both count, the one that was loaded later.
    order = "_el_position desc nulls last, _el_uri desc, _dlt_load_id desc, _el_row desc"
    return (
        f"with live as (\n    {live}\n),\n\narchived as (\n    {_of_files(table, dumps)}\n),\n\n"
        f"latest as (\n    select * from archived\n    qualify\n        row_number() over (\n"
        f"            partition by {', '.join(table.key)}\n            order by {order}\n        ) = 1\n)\n\n"
        f"select\n{listed([*names, '_el_file'])}\nfrom live\nunion all\n"
        f"select\n{listed([*names, '_el_file'])}\nfrom latest\n"
        f"where\n    not exists (\n        select 1\n        from live\n        where {same}\n    )\n"
    )


def _versions(table: TableDesign, model: ModelDesign, dumps: Sequence[DumpDesign]) -> str:
    names = [*(column.name for column in table.columns), *LANDING, "_el_valid_from", "_el_valid_to"]
    live = _select([*names, "cast(null as varchar) as _el_file"], f"{{{{ ref('{model.name}') }}}}")
    key = ", ".join(table.key)
    before = [name for name in names if name not in ("_el_valid_from", "_el_valid_to")]
    # "0/" sorts before every load, and "0~" behind all that begins with "0/".
    parts = ["coalesce(_el_position, '')", "_el_uri", "_dlt_load_id", "lpad(cast(_el_row as varchar), 19, '0')"]
    begins = "'0/' || " + " || '/' || ".join(parts)
    same = " and ".join(f"past.{name} = first_live.{name}" for name in table.key)
    ends = f"lead(past._el_valid_from) over (partition by {', '.join(f'past.{k}' for k in table.key)} " + (
        "order by past._el_valid_from)"
    )
    shown = [f"past.{name}" for name in before] + ["past._el_valid_from", "past._el_valid_to", "past._el_file"]
    shown[-2] = f"coalesce({ends}, first_live.begins, '0~') as _el_valid_to"
    return (
        f"with live as (\n    {live}\n),\n\nof_files as (\n    {_of_files(table, dumps)}\n),\n\n"
        f"past as (\n    select *, {begins} as _el_valid_from\n    from of_files\n),\n\n"
        f"first_live as (\n    select {key}, min(_el_valid_from) as begins\n    from live\n    group by {key}\n)\n\n"
        f"select\n{listed([*names, '_el_file'])}\nfrom live\nunion all\n"
        f"select\n{listed(shown)}\nfrom past\nleft join first_live on {same}\n"
    )


def _of_files(table: TableDesign, dumps: Sequence[DumpDesign]) -> str:
    """The rows of these dumps in the columns of the live table; one that a dump lacks is NULL."""
    parts = []
    for dump in dumps:
        there = {column.raw: column.name for column in dump.columns}
        columns = [
            f"{there[column.raw]} as {column.name}"
            if column.raw in there and there[column.raw] != column.name
            else column.name
            if column.raw in there
            else f"cast(null as {_of_target(column.type)}) as {column.name}"
            for column in table.columns
        ]
        parts.append(_select([*columns, *LANDING, *OF_FILE], f"{{{{ ref('{dump.staging}') }}}}"))
    return "\n    union all\n    ".join(parts)


def _of_target(type_: TypeName) -> str:
    return type_.common or f"{{{{ el_type('{type_.duckdb}', '{type_.snowflake}') }}}}"


def _select(columns: Sequence[str], relation: str) -> str:
    inside = "\n".join(f"    {line}" for line in listed(columns).splitlines())
    return f"select\n{inside}\n    from {relation}"


def source_tables(dumps: Sequence[DumpDesign]) -> list[dict[str, Any]]:
    """The entries of one dbt source for the raw tables of dumps, and for the ledger of their files."""
    if not dumps:
        return []
    name = dumps[0].source_name
    tables = [dump.raw_table for dump in dumps]
    arguments = Inline(source_name=name, tables=tables)
    enabled = Inline(enabled="{{ target.name != 'source' }}")
    test = {"name": f"el_files_equal_ledger__{name}", "arguments": arguments, "config": enabled}
    ledger = {
        "name": "_el_files",
        "description": "One row a version of a file, written in the same package as its rows.",
        "data_tests": [{"el_files_equal_ledger": test}],
    }
    return [ledger, *(_source_table(dump, enabled) for dump in dumps)]


def _source_table(dump: DumpDesign, enabled: Inline) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": dump.raw_table, "description": plain(f"The rows of {dump.settings.files}")}
    if dump.casts:
        columns = {raw: [type_.duckdb, type_.snowflake] for raw, type_ in dump.casts.items()}
        test = {
            "name": f"el_values_survive_cast__{dump.source_name}_{dump.raw_table}",
            "arguments": Inline(source_name=dump.source_name, table=dump.raw_table, columns=Inline(columns)),
            "config": enabled,
        }
        entry["data_tests"] = [{"el_values_survive_cast": test}]
    entry["columns"] = [Inline(name=column.raw) for column in dump.columns]
    return entry
