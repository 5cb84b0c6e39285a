"""A query of the user's own in el.yml, as a table: its columns as the database describes them.

Guarantee: a query is refused, with its place in el.yml, where its columns have no name or one name twice.
"""

from __future__ import annotations

from el.config.settings import Config
from el.config.tables import TableSettings
from el.config.text_file import read_text
from el.connectors.base import Source
from el.connectors.catalog import Catalog, Column, Key, Table
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.own_query import derived_query
from el.errors import ConfigError, PlanError


def query_table(config: Config, entry: TableSettings, index: int, source: Source, catalog: Catalog) -> Table:
    """The table that entry `index` of el.yml makes by its query."""
    where = f"{config.path} line {config.line_of(index)}: {entry.name}"
    if not isinstance(source, SqlConnector):
        raise PlanError(f"{where}: {source.scheme} has no SQL for a `query`: name its tables instead")
    query = entry.query or query_text(config, entry)
    try:
        derived_query(query, source.dialect)
        described = source.query_columns(query)
    except Exception as error:
        if getattr(error, "retryable", False):
            raise
        raise PlanError(f"{where}: {error}") from None
    columns = tuple(Column(name, type_, column_id=number) for number, (name, type_) in enumerate(described, 1))
    if unnamed := [number for number, (name, _) in enumerate(described, 1) if not name]:
        raise PlanError(f"{where}: column {unnamed[0]} of the query has no name; give it one with AS")
    spelt: dict[str, str] = {}
    for name, _ in described:
        if (before := spelt.setdefault(name.casefold(), name)) != name or [n for n, _ in described].count(name) > 1:
            both = f"{before!r} twice" if before == name else f"{before!r} and {name!r}"
            raise PlanError(f"{where}: the query has the column {both}: give each a name of its own with AS")
    stream = entry.pattern.plain
    assert stream is not None
    key = Key("key", entry.key) if entry.key else None
    return Table(stream, columns, kind="query", primary_key=key, consistency=source.query_consistency(query, catalog))


def query_text(config: Config, entry: TableSettings) -> str:
    """The text of `query_file`."""
    path = config.path.parent / (entry.query_file or "")
    try:
        return read_text(path)
    except ConfigError as error:
        raise PlanError(f"{entry.name}: query_file: {error}") from None
    except OSError:
        raise PlanError(f"{entry.name}: query_file {entry.query_file} cannot be read") from None
