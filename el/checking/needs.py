"""What a role needs of both ends, told by el.yml and, where it can be asked, the source's catalog.

Guarantee: nothing is named that no read needs: a schema as a whole only where el.yml takes all of it; of a table with
columns that are left out, the others. What cannot be told without the source is said in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from el.codegen.pii import PII_STAGING, STAGING, masked_types
from el.config.access import Access
from el.config.job import Job
from el.config.settings import Config
from el.config.tables import StrategyName, TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Table, TableName
from el.connectors.registry import open_source
from el.connectors.rights import SourceNeeds, TableNeed, WarehouseNeeds
from el.connectors.sql.connector import SqlConnector
from el.errors import AccessDenied, ElError
from el.loading.open import open_warehouse
from el.planning.dump_tables import dump_name, dump_tables
from el.planning.places import find_places, tables_of
from el.planning.selection import Chosen
from el.planning.target_names import target_schema

_GLOB = set("*?[")


@dataclass(frozen=True, slots=True)
class Taken:
    """The tables of el.yml, and what could not be told of them."""

    chosen: tuple[Chosen, ...]
    unknown: tuple[str, ...] = ()
    error: str = ""  # why the source, which is open, could not tell


def tables_taken(job: Job, source: Source | None, why: str = "") -> Taken:
    """By the source's catalog where it is open, and else by el.yml alone. why: the source could not be asked."""
    if not job.config.tables:
        return Taken(())
    error = ""
    if source is not None:
        try:
            return Taken(tuple(tables_of(job.config, source)[1]))
        except ElError as refused:
            error = why = str(refused)
    unknown = [
        f"By el.yml alone, for the source could not be asked: {why}.",
        "Give it again with a login that sees it.",
    ]
    found = []
    for entry in job.config.tables:
        if entry.exclude or entry.is_query:
            continue
        names = (
            [name] if (name := entry.pattern.plain) else [TableName(s, "*") for s in entry.pattern.whole_schemas(())]
        )
        if not names:
            unknown.append(f"{entry.name!r}: which tables it takes is known with a connection alone.")
        found += [Chosen(Table(name, ()), entry) for name in names]
    queries = [entry.name for entry in job.config.tables if entry.is_query]
    unknown += [f"query {name}: SELECT on the tables that it reads, by hand." for name in queries]
    return Taken(tuple({item.table.name: item for item in found}.values()), tuple(unknown), error)


# --- the source


def source_needs(job: Job, access: Access, taken: Taken, source: Source | None) -> SourceNeeds:
    """What a role needs of the source."""
    unknown = list(taken.unknown)
    tables: list[TableNeed] = []
    for item in taken.chosen:
        if item.table.kind == "query":
            continue
        if _GLOB & set(item.table.name.name) and not item.table.columns:
            if item.error is not None:
                unknown.append(str(item.error))
        elif not item.table.columns and _leaves_out(item.settings):
            unknown.append(f"{item.table.name}: without its columns SELECT on all but those left out cannot be told.")
        else:
            tables.append(_of_table(job, item, source))
    for item in taken.chosen:
        if item.table.kind == "query":
            tables = _with_query(tables, item, source, unknown)
    # An entry that no table fits may be a glob itself.
    named = [item.table for item in taken.chosen if item.table.columns or not _GLOB & set(item.table.name.schema)]
    spellings = {table.name.schema for table in named}
    return SourceNeeds(
        access,
        tuple(dict.fromkeys(tables)),
        _whole_schemas(job, tables, spellings, taken),
        limits=job.config.source_limits.version_store_mb is not None,
        unknown=tuple(unknown),
    )


def _leaves_out(settings: TableSettings) -> bool:
    return any(chosen.exclude or chosen.mask == "null" for chosen in settings.columns.values())


def _of_table(job: Job, item: Chosen, source: Source | None) -> TableNeed:
    table, settings = item.table, item.settings
    read = {settings.cursor, settings.partition_by, *(settings.key or ()), *(each.column for each in settings.filters)}
    used = {found.name for name in read if name is not None and (found := table.column(name)) is not None}
    left_out = []
    for name, chosen in settings.columns.items():
        column = table.column(name)
        # A mask of NULL reads nothing of its column.
        masked = chosen.mask == "null" and (source is None or source.shows_all_columns)
        if column is None and chosen.exclude and table.partly_seen:
            left_out.append(name)
        if column is not None and (chosen.exclude or masked) and column.name not in used:
            left_out.append(column.name)
    rest = tuple(column.name for column in table.columns if column.name not in left_out)
    return TableNeed(
        table.name,
        columns=rest if left_out else (),
        left_out=tuple(left_out),
        follow=str(settings.strategy or job.config.defaults.strategy),
        feeds=tuple(kept.feed for kept in table.feeds),
        seen=bool(table.columns),
        has_key=table.primary_key is not None,
    )


def _with_query(tables: list[TableNeed], item: Chosen, source: Source | None, unknown: list[str]) -> list[TableNeed]:
    """`tables`, and those that a query of the user's own reads, as far as its text says so."""
    try:
        query = item.settings.query if isinstance(source, SqlConnector) else None
        parsed = parse_one(query, read=source.dialect.name) if query and isinstance(source, SqlConnector) else None
    except SqlglotError:
        parsed = None
    own = {each.alias_or_name.lower() for each in parsed.find_all(exp.CTE)} if parsed is not None else set()
    read = [] if parsed is None else [each for each in parsed.find_all(exp.Table) if each.name.lower() not in own]
    if parsed is None or any(not each.db or each.catalog for each in read):
        unknown.append(f"query {item.table.name}: SELECT on the tables that it reads, by hand.")
    if parsed is None:
        return tables
    everything = parsed.find(exp.Star) is not None
    words = {each.name.lower() for each in parsed.find_all(exp.Identifier)}
    found = {(need.name.schema.lower(), need.name.name.lower()): need for need in tables}
    for each in read:
        if not each.db or each.catalog:
            continue
        place = (each.db.lower(), each.name.lower())
        known = found.get(place, TableNeed(TableName(each.db, each.name), follow=str(StrategyName.FULL)))
        # Of columns that the table's own entry leaves out, those that the query names.
        more = tuple(name for name in known.left_out if everything or name.lower() in words)
        left_out = tuple(name for name in known.left_out if name not in more)
        found[place] = replace(known, columns=(*known.columns, *more) if left_out else (), left_out=left_out)
    return list(found.values())


def _whole_schemas(job: Job, tables: Sequence[TableNeed], known: set[str], taken: Taken) -> tuple[str, ...]:
    """The schemas that a glob takes as a whole, and of which nothing is left out."""
    entries = [entry for entry in job.config.tables if not entry.is_query]
    found = {s for entry in entries if not entry.exclude for s in entry.pattern.whole_schemas(known)}
    spelt = {schema.lower(): schema for schema in known}
    whole = []
    for schema in sorted(found):
        excluded = any(e.pattern.may_mean_in(schema) for e in entries if e.exclude or _leaves_out(e))
        if not excluded and not any(t.left_out for t in tables if t.name.schema.lower() == schema.lower()):
            whole.append(spelt.get(schema.lower(), schema))
    return tuple(dict.fromkeys(whole))


# --- the warehouse


def warehouse_needs(job: Job, access: Access, taken: Taken) -> WarehouseNeeds:
    """What a role needs of the warehouse: raw schemas, and those of the dbt project where el.yml makes one of raw."""
    config = job.config
    every = [*taken.chosen, *dump_tables(config)]
    raw = _raw_schemas(job, every)
    models = config.dbt.loads_taken != "none"
    targets = {target_schema(config, item.table.name, item.settings.model) for item in taken.chosen}
    targets |= {target_schema(config, dump_name(entry), entry.model) for entry in config.dumps}
    stages = {
        str(job.files[entry.source].setting("stage"))
        for entry in config.dumps
        if entry.source and entry.express != "off" and job.files[entry.source].settings.get("stage")
    }
    unknown = [*taken.unknown, *_types_unknown(config, taken)]
    return WarehouseNeeds(
        access,
        raw=tuple(sorted(raw)),
        staging=(STAGING,) if models else (),
        targets=tuple(sorted(targets)) if models else (),
        stages=tuple(sorted(stages)),
        # What staging is needs no word of the source.
        unknown=tuple(unknown) if access != Access.STAGING else (),
        clear=(PII_STAGING,) if models and _personal(config) else (),
        masked=_masked(job, taken) if models else (),
    )


def _personal(config: Config) -> bool:
    """Whether anything that is taken is personal data."""
    columns = [column for settings in config.tables for column in settings.columns.values()]
    return any(column.pii for column in columns) or any(entry.pii for entry in config.dumps)


def _masked(job: Job, taken: Taken) -> tuple[str, ...]:
    known = [item for item in taken.chosen if item.table.columns]
    return masked_types(job.config, open_source(job.source.settings, str(job.source)) if known else None, known)


def _types_unknown(config: Config, taken: Taken) -> list[str]:
    blind = any(not item.table.columns and item.settings.protects for item in taken.chosen)
    if config.dbt.pii != "policy" or not blind:
        return []
    return ["dbt: {pii: policy}: which masking policies there have to be is known with the source's catalog alone."]


def _raw_schemas(job: Job, every: Sequence[Chosen]) -> set[str]:
    """As the warehouse stores their names; none where this connection's role has no business in raw."""
    try:
        fold = open_warehouse(job.destination, job.config.raw.naming).fold
    except AccessDenied:
        return set()
    return {fold(schema) for schema, _ in find_places(job.config, every).names.values()}
