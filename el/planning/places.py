"""Where the tables of a job lie in raw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from el.config.job import Job
from el.config.settings import Config
from el.connectors.base import Source
from el.connectors.catalog import Catalog, TableName
from el.connectors.registry import open_source
from el.planning.selection import Chosen, Places, choose_tables, find_places, keep_selected, schemas_of

PlaceNames = Mapping[TableName, tuple[str, str]]
"""Raw schema and raw table of each table."""


def tables_of(config: Config, source: Source) -> tuple[Catalog, list[Chosen]]:
    """What the source says of the schemas in which el.yml names tables, and the tables that it takes."""
    schemas = schemas_of(config)
    catalog = source.describe(schemas, brief=True)
    every = choose_tables(config, source, catalog)
    if schemas is not None and any(item.error is not None and not item.table.columns for item in every):
        # What was meant by a name that is not there may be in another schema.
        catalog = source.describe(brief=True)
        every = choose_tables(config, source, catalog)
    return catalog, every


def plan_places(job: Job) -> tuple[PlaceNames, list[Chosen]]:
    """Where the tables of a job lie in raw; and all tables of el.yml."""
    with open_source(job.source.settings, str(job.source)) as source:
        _, every = tables_of(job.config, source)
    return landing_places(find_places(job.config, every), keep_selected(job.config, every, job.select)), every


def landing_places(places: Places, chosen: Sequence[Chosen]) -> PlaceNames:
    """Where these tables lie in raw. What cannot lie there (an entry that no table fits) gets no raw schema made."""
    nowhere = set(places.problems) - places.clashes
    nowhere |= {item.table.name for item in chosen if item.error is not None and item.table.kind != "query"}
    return {item.table.name: places.names[item.table.name] for item in chosen if item.table.name not in nowhere}
