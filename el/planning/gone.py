"""Tables that raw holds and the source no longer shows: dropped there, or the login lost its rights on them.

Which of the two it is the source does not tell, so such a table is a failure until el.yml says `accept: [gone]`: a
REVOKE must not look like success.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from el.config.merging import merge_settings
from el.config.settings import Config
from el.config.tables import TableSettings
from el.connectors.catalog import Catalog, Table, TableName
from el.errors import ConfigError, PlanError
from el.planning.definition import same_database
from el.planning.ledger import LedgerEntry
from el.planning.plan import Refused
from el.planning.selection import Chosen, keep_selected


def gone_tables(
    config: Config,
    catalog: Catalog,
    database: str,
    ledger: Mapping[tuple[str, str], LedgerEntry],
    places: Mapping[TableName, tuple[str, str]],
    select: Sequence[str],
) -> list[Refused]:
    """Those of the last loads whose table el.yml takes and this database, which they came from, does not show.

    ledger: (raw schema, raw table) -> its last complete load. places: where the tables of el.yml land.
    """
    taken = set(places.values())
    found = []
    for where, last in sorted(ledger.items()):
        schema, _, name = last.source_table.partition(".")
        table = TableName(schema, name)
        if last.gone or where in taken or any(str(each.name) == last.source_table for each in catalog.tables):
            continue
        entries = [entry for entry in config.tables if not entry.is_query and entry.pattern.of([table])]
        # A query of el.yml's own that is no longer there is no table that was dropped.
        if last.definition is not None and json.loads(last.definition).get("query") is not None:
            continue
        if not entries or last.source is None or not same_database(last.source, database):
            continue
        settings = merge_settings(Table(table, ()), entries)
        if settings.exclude or "gone" in settings.accept or not _selected(config, table, settings, select):
            continue
        error = PlanError(
            f"{table}: in raw as {'.'.join(where)}, and no longer visible at the source: it was dropped (then say "
            f"`{{name: {table}, accept: [gone]}}` in el.yml), or the login lost its rights on it (GRANT SELECT ON "
            f"[{schema}].[{name}] TO {catalog.user or 'it'})"
        )
        found.append(Refused(table, where, error))
    return found


def left_views(
    config: Config,
    database: str,
    ledger: Mapping[tuple[str, str], LedgerEntry],
    left: Sequence[Chosen],
    select: Sequence[str],
) -> list[Refused]:
    """Views that raw holds, and that no entry takes any longer: a glob took them before it took tables alone.

    left: what globs of el.yml match and do not take.
    """
    views = {str(item.table.name): item for item in left if item.table.kind == "view"}
    found = []
    for where, last in sorted(ledger.items()):
        item = views.get(last.source_table)
        if item is None or last.gone or last.source is None or not same_database(last.source, database):
            continue
        name = item.table.name
        if "gone" in item.settings.accept or not _selected(config, name, item.settings, select):
            continue
        error = PlanError(
            f"{name}: in raw as {'.'.join(where)}, and a view, which a glob no longer takes: say `views: true` in the "
            f"glob's entry, or `{{name: {name}}}`, to go on with it, or `{{name: {name}, exclude: true}}` to leave it"
        )
        found.append(Refused(name, where, error))
    return found


def _selected(config: Config, table: TableName, settings: TableSettings, select: Sequence[str]) -> bool:
    try:
        return bool(keep_selected(config, [Chosen(Table(table, ()), settings)], select))
    except ConfigError:
        return False
