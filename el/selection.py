"""Which tables a run takes, with which settings, and where each lands in raw.

Guarantees: an entry of el.yml that matches nothing, a column name that a query lacks, and two tables that would land in
one place are a `PlanError` that names them; later entries win over earlier ones, setting by setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from el.config import ColumnSettings, Config, TableSettings
from el.connectors.base import Connector
from el.connectors.catalog import Catalog, Column, Key, Table, TableName
from el.connectors.sql import SqlConnector
from el.errors import ConfigError, PlanError
from el.naming import file_refusal, name_map


@dataclass(frozen=True, slots=True)
class Chosen:
    """A table that el.yml takes, with the settings that hold for it."""

    table: Table
    settings: TableSettings


def choose_tables(config: Config, source: Connector, catalog: Catalog, select: Sequence[str] = ()) -> list[Chosen]:
    """The tables that el.yml takes and `select` keeps.

    Raises `PlanError` for an entry that matches nothing, and where two tables of el.yml would land in one place.
    """
    entries: dict[TableName, list[TableSettings]] = {}
    tables: dict[TableName, Table] = {table.name: table for table in catalog.tables}
    for index, entry in enumerate(config.tables):
        if entry.is_query:
            stream = _stream(config, entry, index, source)
            tables[stream.name] = stream
            entries[stream.name] = [entry]
            continue
        matched = [name for name in tables if entry.matches(str(name))]
        if not matched:
            where = f"{config.path} line {config.line_of(index)}"
            raise PlanError(f"{where}: no table matches {entry.name!r} in {catalog.database}{_close(entry, catalog)}")
        for name in matched:
            entries.setdefault(name, []).append(entry)
    chosen = [Chosen(tables[name], merge_settings(name, found)) for name, found in entries.items()]
    chosen = [item for item in chosen if not item.settings.exclude]
    # Of all: what one run takes today, and another one tomorrow, must not meet in raw either.
    raw_names(config, chosen)
    chosen = keep_selected(config, chosen, select)
    return sorted(chosen, key=lambda item: item.table.name)


def keep_selected(config: Config, chosen: Sequence[Chosen], select: Sequence[str]) -> list[Chosen]:
    """Those that `select` names; all where it is empty."""
    if not select:
        return list(chosen)
    patterns = [_pattern(pattern) for pattern in select]
    for pattern in patterns:
        if not any(pattern.matches(str(item.table.name)) for item in chosen):
            raise ConfigError(f"--select {pattern.name}: no table of {config.path} matches")
    return [item for item in chosen if any(pattern.matches(str(item.table.name)) for pattern in patterns)]


def _pattern(text: str) -> TableSettings:
    name = text if "." in text else f"*.{text}"
    if name.count(".") != 1 or not all(name.split(".")):
        raise ConfigError(f"--select {text!r}: a table is named as orders, sales.orders or sales.*")
    return TableSettings(name=name)


def merge_settings(name: TableName, entries: Sequence[TableSettings]) -> TableSettings:
    """One table's settings from all entries that match it; what a later entry sets wins, columns are merged."""
    merged: dict[str, object] = {}
    columns: dict[str, ColumnSettings] = {}
    for entry in entries:
        merged.update({field: getattr(entry, field) for field in entry.model_fields_set})
        columns.update(entry.columns)
    return TableSettings.model_construct(**{**merged, "name": str(name), "columns": columns})  # type: ignore[arg-type]


def raw_names(config: Config, chosen: Sequence[Chosen]) -> dict[TableName, tuple[str, str]]:
    """Each table's raw schema and raw table; collisions, and what cannot be called so, are refused."""
    mode = config.raw.naming
    schemas = sorted({item.table.name.schema for item in chosen})
    parts = name_map(schemas, mode, {}, "schema")
    found: dict[TableName, tuple[str, str]] = {}
    for schema in schemas:
        inside = [item for item in chosen if item.table.name.schema == schema]
        renames = {item.table.name.name: item.settings.rename for item in inside if item.settings.rename}
        names = name_map([item.table.name.name for item in inside], mode, renames, f"table of {schema}", tables=True)
        raw_schema = config.raw.schema_.format(source=config.source, schema=parts[schema])
        for item in inside:
            found[item.table.name] = (raw_schema, names[item.table.name.name])
    taken: dict[tuple[str, str], TableName] = {}
    for name, place in found.items():
        if refused := file_refusal(place[0], dots=True):
            raise PlanError(f"{name}: the raw schema {refused}: set `raw: {{schema: ...}}` or `naming: snake_case`")
        if refused := file_refusal(place[1], dots=False):
            raise PlanError(f"{name}: the raw table {refused}: set `rename` for it")
        folded = (place[0].casefold(), place[1].casefold())
        if folded in taken:
            raise PlanError(
                f"{taken[folded]} and {name} would both land in {place[0]}.{place[1]}; set `rename` for one of them"
            )
        taken[folded] = name
    return found


def _stream(config: Config, entry: TableSettings, index: int, source: Connector) -> Table:
    """A query of the user's own as a table: its columns as the database describes them."""
    where = f"{config.path} line {config.line_of(index)}: {entry.name}"
    if not isinstance(source, SqlConnector):
        raise PlanError(f"{where}: a query is not possible with {source.scheme}")
    query = entry.query or query_text(config, entry)
    try:
        described = source.query_columns(query)
    except PlanError:
        raise
    except Exception as error:
        raise PlanError(f"{where}: {error}") from None
    columns = tuple(Column(name, type_, position=number) for number, (name, type_) in enumerate(described, 1))
    if unnamed := [number for number, (name, _) in enumerate(described, 1) if not name]:
        raise PlanError(f"{where}: column {unnamed[0]} of the query has no name; give it one with AS")
    schema, _, name = entry.name.partition(".")
    key = Key("key", entry.key) if entry.key else None
    return Table(TableName(schema, name), columns, kind="query", primary_key=key)


def query_text(config: Config, entry: TableSettings) -> str:
    path = config.path.parent / (entry.query_file or "")
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise PlanError(f"{entry.name}: query_file {entry.query_file} cannot be read") from None


def _close(entry: TableSettings, catalog: Catalog) -> str:
    close = get_close_matches(entry.name.lower(), {str(t.name).lower(): t for t in catalog.tables}, n=1)
    return f"; did you mean {close[0]}?" if close else ""
