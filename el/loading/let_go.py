"""After a run: the source is told up to where raw holds the changes of its feeds, so that it need keep them no longer.

Guarantee: told is what the ledger has after the loads, of every table of el.yml, whichever of them the run took: one
that failed, or was not selected, is told with the position that it is at.
"""

from __future__ import annotations

from collections.abc import Set

from el.config.job import Job
from el.connectors.base import ChangeSource
from el.connectors.catalog import TableName
from el.connectors.registry import connector_class, open_source
from el.connectors.request import Position
from el.loading.warehouse import Warehouse
from el.planning.definition import same_database
from el.planning.places import PlaceNames

Held = dict[str, dict[TableName, Position]]
"""By feed, the position of each table that follows it."""


def let_go(job: Job, warehouse: Warehouse, places: PlaceNames, databases: Set[str]) -> None:
    """places: where all tables of el.yml land. databases: what the plan says that the source is (`database_of`)."""
    kind = connector_class(job.source.type)
    if not issubclass(kind, ChangeSource) or kind.loaded is ChangeSource.loaded:
        return
    held = _held(warehouse, places, databases, {feed.name for feed in kind.feeds})
    if not held:
        return
    with open_source(job.source.settings, str(job.source)) as source:
        assert isinstance(source, ChangeSource)
        for feed, positions in held.items():
            source.loaded(feed, positions)


def _held(warehouse: Warehouse, places: PlaceNames, databases: Set[str], feeds: Set[str]) -> Held:
    found: Held = {}
    with warehouse.connector:
        ledgers = {schema: warehouse.ledger(schema) for schema in sorted({schema for schema, _ in places.values()})}
    for name, (schema, table) in places.items():
        last = ledgers[schema].get(table)
        if last is None or last.gone or last.upper is None or last.strategy not in feeds:
            continue
        here = last.source is not None and any(same_database(last.source, each) for each in databases)
        if here and last.source_table == str(name):
            found.setdefault(last.strategy, {})[name] = Position(last.upper, last.incarnation)
    return found
