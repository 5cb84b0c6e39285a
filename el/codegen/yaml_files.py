"""The YAML beside the SQL: sources with freshness, original names and types; contracts, descriptions, tests, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from el.config.settings import Config
from el.config.tables import ModelKind
from el.connectors.catalog import TableName
from el.connectors.sql.dialect import Dialect
from el.planning.keys import KEY_COLUMN
from el.planning.naming import normalise
from el.planning.target_names import RESERVED

from .constraints import Untested, model_tests, source_tests
from .data_test import IN_RAW, DbtTest
from .document_tests import misfit_tests
from .dump_files import source_tables
from .dumps import DumpDesign
from .files import GeneratedFile
from .pii import PII_STAGING, STAGING
from .sql_files import FLAGS, HISTORY, own_key
from .table_design import LANDING, ColumnDesign, ModelDesign, TableDesign, TypeName
from .yaml_text import Inline, InlineList, plain, to_yaml

VARCHAR = TypeName("varchar", "varchar")
MOMENT = TypeName("timestamp", "timestamp_ntz(6)")
_OWN_TYPES = {"_el_extracted_at": MOMENT, "_el_closed_at": MOMENT, "_el_deleted": TypeName("boolean", "boolean")}
_OWN_REQUIRED = ("_dlt_load_id", "_el_op", "_el_extracted_at", "_el_valid_from", "_el_deleted", KEY_COLUMN)
_SHOWN = {
    ModelKind.CURRENT: "as the source has it now",
    ModelKind.SNAPSHOT: "as its last snapshot was",
    ModelKind.HISTORY: "one row for each version of a key",
    ModelKind.LOG: "every landed row, as it came; deletes have only their key",
}


def sources_file(
    config: Config, tables: Sequence[TableDesign], dialect: Dialect, dumps: Sequence[DumpDesign] = ()
) -> GeneratedFile:
    """`_<source>__sources.yml`: a dbt source for each schema of the source, and the raw schema that it lands in."""
    others = {table.table.name: table for table in tables}
    sources = []
    for name in sorted({table.source_name for table in tables} | {dump.source_name for dump in dumps}):
        inside = [table for table in tables if table.source_name == name]
        of_files = [dump for dump in dumps if dump.source_name == name]
        original = inside[0].table.name.schema if inside else of_files[0].name.schema
        raw_schema = inside[0].raw_schema if inside else of_files[0].raw_schema
        sources.append(
            {
                "name": name,
                "description": plain(
                    f"Schema {original} of {config.source}, as el landed it: every load, append-only."
                ),
                "schema": _per_target(original, raw_schema),
                "tables": [
                    *_own_tables(
                        config,
                        name,
                        [*(t.raw_table for t in inside), *(d.raw_table for d in of_files)],
                        [t.raw_table for t in inside if t.document is not None],
                    ),
                    *(_source_table(table, others, dialect) for table in inside),
                    *source_tables(of_files),
                ],
            }
        )
    part = normalise(config.source)
    path = PurePosixPath("models", "staging", part, f"_{part}__sources.yml")
    return GeneratedFile(path, _spaced({"version": 2, "sources": sources}, "      - name: "), config.source)


def staging_yaml(config: Config, table: TableDesign) -> GeneratedFile:
    """What a staging view is."""
    model = {
        "name": table.staging,
        "description": plain(f"{table.table.name} as it was landed: every load, one row a landed row, typed."),
        "config": Inline(**_place(table), materialized="view", group=_group(table), access="private"),
    }
    path = PurePosixPath("models", "staging", normalise(config.source), f"{table.staging}.yml")
    body = to_yaml({"version": 2, "models": [model]})
    return GeneratedFile(path, _headed(body), str(table.table.name), str(table.table.name))


def model_yaml(
    table: TableDesign, model: ModelDesign, others: Mapping[TableName, TableDesign], dialect: Dialect
) -> tuple[GeneratedFile, list[Untested]]:
    """A schema table's contract, descriptions and tests; what its source enforces and no test says."""
    tests, untested = model_tests(table, model, others, dialect)
    settings: dict[str, Any] = {"schema": model.schema}
    if model.alias != model.name:
        settings["alias"] = model.alias
    settings |= {"group": _group(table), "access": "public", "contract": Inline(enforced=True)}
    if untested:
        settings["meta"] = {"not_tested": [plain(f"{item.constraint}: {item.why}") for item in untested]}
    comment = table.table.comment or f"{table.table.name}"
    entry: dict[str, Any] = {
        "name": model.name,
        "description": plain(f"{comment.rstrip('.')}; {_SHOWN[model.kind]}."),
        "config": settings,
    }
    general = [_test(test) for test in tests if test.column is None]
    if general:
        entry["data_tests"] = general
    entry["columns"] = [
        *(_column(column, model, table.told_by, tests) for column in table.shown),
        *(_own_column(name, tests) for name in (*own_key(table, model), *LANDING, *_further(model))),
    ]
    path = PurePosixPath("models", model.schema, f"{model.name}.yml")
    body = _headed(to_yaml({"version": 2, "models": [entry]}))
    return GeneratedFile(path, body, str(table.table.name), str(table.table.name)), untested


def groups_file(config: Config, schema: str) -> GeneratedFile:
    """The group of a target schema: who owns it; its staging views are nobody else's."""
    owner = config.dbt.owner
    who = {"name": owner, "email": owner} if "@" in owner else {"name": owner}
    body = to_yaml({"version": 2, "groups": [{"name": schema, "owner": Inline(who)}]})
    return GeneratedFile(PurePosixPath("models", schema, f"_{schema}__groups.yml"), _headed(body), config.source)


def _place(table: TableDesign) -> dict[str, Any]:
    """Where its staging view is; the project's own `+grants` do not hold for one that shows personal data."""
    personal = any(column.pii for column in table.columns)
    return {"schema": PII_STAGING, "grants": Inline(select=InlineList())} if personal else {"schema": STAGING}


def doc_name(column: str) -> str:
    """The docs block of a column that el adds."""
    return f"el_{column.lstrip('_').removeprefix('el_')}"


def _group(table: TableDesign) -> str:
    return table.models[0].schema


def _own_tables(config: Config, source: str, tables: Sequence[str], documents: Sequence[str]) -> list[dict[str, Any]]:
    recency = DbtTest(
        "el_recent_run",
        f"el_recent_run__{source}",
        {
            "source_name": source,
            "days": max(1, round((config.dbt.error_after or config.dbt.warn_after) / timedelta(days=1))),
        },
        {"enabled": IN_RAW, **({} if config.dbt.error_after else {"severity": "warn"})},
    )
    numbers = DbtTest(
        "el_raw_equals_ledger",
        f"el_raw_equals_ledger__{source}",
        {"source_name": source, "tables": list(tables)},
        {"enabled": IN_RAW},
    )
    return [
        {"name": "_dlt_loads", "description": "One row a load; complete only with status 0."},
        {
            "name": "_el_ledger",
            "description": "One row a table and load, written in the same package as the rows.",
            "config": {
                # Of the run, not of the rows: a table that nobody changes is as fresh as the others.
                "loaded_at_query": f"{{{{ el_last_run('{source}') }}}}",
                "freshness": _freshness(config.dbt.warn_after, config.dbt.error_after),
            },
            "data_tests": [_test(test) for test in (numbers, recency, *misfit_tests(source, documents))],
        },
    ]


def _source_table(table: TableDesign, others: Mapping[TableName, TableDesign], dialect: Dialect) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": table.raw_table}
    original, reserved = table.table.name.name, table.raw_table in RESERVED
    if table.table.comment:
        entry["description"] = plain(table.table.comment)
    if original != table.raw_table or reserved:
        entry["identifier"] = _per_target(original, table.raw_table, folded=True)
        entry["quoting"] = Inline(identifier=True)
    if tests := source_tests(table, others, dialect):
        entry["data_tests"] = [_test(test) for test in tests]
    entry["columns"] = [_source_column(column) for column in table.columns]
    return entry


def _source_column(column: ColumnDesign) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.raw}
    if column.source.comment:
        entry["description"] = plain(column.source.comment)
    meta = Inline(source_name=plain(column.source.name), source_type=str(column.source.type))
    # What `_el_columns` says too: el_refuse_narrow_types compares both.
    meta["stands_for"] = column.type.snowflake
    entry["config"] = Inline(meta=meta)
    return Inline(entry)


def _column(column: ColumnDesign, model: ModelDesign, key: Sequence[str], tests: Sequence[DbtTest]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "data_type": _data_type(column.type)}
    if column.source.comment:
        entry["description"] = plain(column.source.comment)
    if column.name in key and model.kind is not ModelKind.LOG:
        entry["constraints"] = InlineList([Inline(type="not_null")])
    own = [_test(test) for test in tests if test.column == column.name]
    if own:
        entry["data_tests"] = own
    return entry


def _own_column(name: str, tests: Sequence[DbtTest]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": name,
        "data_type": _data_type(_OWN_TYPES.get(name, VARCHAR)),
        "description": f"{{{{ doc('{doc_name(name)}') }}}}",
    }
    if name in _OWN_REQUIRED:
        entry["constraints"] = InlineList([Inline(type="not_null")])
    if own := [_test(test) for test in tests if test.column == name]:
        entry["data_tests"] = own
    return entry


def _further(model: ModelDesign) -> tuple[str, ...]:
    return HISTORY if model.kind is ModelKind.HISTORY else FLAGS if model.flagged else ()


def _test(test: DbtTest) -> dict[str, Any]:
    inside: dict[str, Any] = {"name": test.name}
    if test.arguments:
        # Several conditions are a line each.
        several = any(isinstance(value, dict) for value in test.arguments.values())
        arguments = {
            key: InlineList(value) if isinstance(value, list) else value for key, value in test.arguments.items()
        }
        inside["arguments"] = arguments if several else Inline(arguments)
    if test.config:
        inside["config"] = Inline(test.config)
    return {test.generic: inside if len(inside) > 1 else Inline(inside)}


def _data_type(type_: TypeName) -> str:
    if type_.common is not None:
        return type_.common
    return f"{{{{ '{type_.duckdb}' if target.type == 'duckdb' else '{type_.snowflake}' }}}}"


def _per_target(original: str, raw: str, folded: bool = False) -> str:
    name = original.replace("\\", "\\\\").replace("'", "\\'")
    other = f"('{raw.upper()}' if target.type == 'snowflake' else '{raw}')" if folded else f"'{raw}'"
    return f"{{{{ '{name}' if target.name == 'source' else {other} }}}}"


def _freshness(warn: timedelta, error: timedelta | None) -> dict[str, Any]:
    found = {"warn_after": _period(warn)}
    return found if error is None else {**found, "error_after": _period(error)}


def _period(value: timedelta) -> Inline:
    minutes = max(1, round(value.total_seconds() / 60))
    for period, size in (("day", 1440), ("hour", 60)):
        if minutes % size == 0:
            return Inline(count=minutes // size, period=period)
    return Inline(count=minutes, period="minute")


def _headed(body: str) -> str:
    """A blank line after the version, as people leave it."""
    return body.replace("version: 2\n", "version: 2\n\n", 1)


def _spaced(content: dict[str, Any], entry: str) -> str:
    """Blank lines between the tables."""
    lines = _headed(to_yaml(content)).splitlines()
    found = [
        f"\n{line}" if line.startswith(entry) and before != "    tables:" else line
        for before, line in zip(["", *lines], lines, strict=False)
    ]
    return "\n".join(found) + "\n"
