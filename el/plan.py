"""The plan: for every table its strategy and why, its keys, its columns' types, its window. Nothing moves before it.

Guarantees: what cannot be done (a table or column that is not there, a type that cannot be carried, names that
collide) is a `PlanError` that names each, before the first row is read. A plan is a value: it can be printed,
compared, and handed to any executor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from el.config import ColumnSettings, Config, TableSettings
from el.connectors.base import Connector, CursorSource
from el.connectors.catalog import Catalog, Column, Key, SourceType, Table, TableName
from el.connectors.request import ColumnRead, Condition, Isolation, ReadRequest, Value
from el.connectors.sql import SqlConnector
from el.errors import ConfigError, PlanError
from el.ledger import LedgerEntry
from el.naming import name_map
from el.strategies import Subject, choose
from el.strategies.partition import WHOLE_NUMBERS, divide
from el.strategies.window import Kind, Window
from el.types import Carried, carry

POSITION_READ = "_el_position_source"


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One column on its way: where it comes from, what it is called in raw, how it is carried."""

    source: Column
    name: str
    carried: Carried

    def read(self) -> ColumnRead:
        """How the source is asked for it."""
        return ColumnRead(self.source.name, self.name, self.carried.read_as)


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table on its way. `window` is None when there is nothing new for certain; `reads` are its slices.

    position: the buffer's column that orders the rows, None for a strategy without order; where the column itself
    is not taken, it is read besides under a name of el's own.
    """

    name: TableName
    raw_schema: str
    raw_table: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]
    strategy: str
    why: str
    guarantee: str
    window: Window | None
    reads: tuple[ReadRequest, ...]
    position: str | None = None
    rows: int | None = None
    bytes: int | None = None
    last: LedgerEntry | None = None
    skip_unchanged: bool = True
    notes: tuple[str, ...] = ()

    def landed_schema(self) -> pa.Schema:
        """The source columns as they stand in raw, in order, without the landing columns."""
        return pa.schema([pa.field(column.name, column.carried.arrow) for column in self.columns])


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run will do."""

    source: str
    catalog: Catalog
    tables: tuple[TablePlan, ...]

    def by_schema(self) -> dict[str, list[TablePlan]]:
        """The tables by raw schema: each becomes one load package."""
        found: dict[str, list[TablePlan]] = {}
        for table in self.tables:
            found.setdefault(table.raw_schema, []).append(table)
        return found


@dataclass(frozen=True, slots=True)
class Chosen:
    """A table that el.yml takes, with the settings that hold for it."""

    table: Table
    settings: TableSettings


def choose_tables(config: Config, source: Connector, catalog: Catalog, select: Sequence[str] = ()) -> list[Chosen]:
    """The tables that el.yml takes and `select` keeps. Raises `PlanError` for an entry that matches nothing."""
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
    if select:
        patterns = [TableSettings(name=pattern if "." in pattern else f"*.{pattern}") for pattern in select]
        for pattern in patterns:
            if not any(pattern.matches(str(item.table.name)) for item in chosen):
                raise ConfigError(f"--select {pattern.name}: no table of {config.path} matches")
        chosen = [item for item in chosen if any(pattern.matches(str(item.table.name)) for pattern in patterns)]
    return sorted(chosen, key=lambda item: item.table.name)


def merge_settings(name: TableName, entries: Sequence[TableSettings]) -> TableSettings:
    """One table's settings from all entries that match it; what a later entry sets wins, columns are merged."""
    merged: dict[str, object] = {}
    columns: dict[str, ColumnSettings] = {}
    for entry in entries:
        merged.update({field: getattr(entry, field) for field in entry.model_fields_set})
        columns.update(entry.columns)
    return TableSettings.model_construct(**{**merged, "name": str(name), "columns": columns})  # type: ignore[arg-type]


def make_plan(
    config: Config,
    source: Connector,
    catalog: Catalog,
    chosen: Sequence[Chosen],
    ledger: Mapping[tuple[str, str], LedgerEntry],
    *,
    full_refresh: bool = False,
) -> Plan:
    """Decide everything for these tables. `ledger`: (raw schema, raw table) -> its last complete load.

    Raises `PlanError` with one line for each problem, of all tables.
    """
    raw = raw_names(config, chosen)
    tables: list[TablePlan] = []
    problems: list[str] = []
    for item in chosen:
        schema, table = raw[item.table.name]
        last = None if full_refresh else ledger.get((schema, table))
        try:
            tables.append(_plan_table(config, source, catalog, item, schema, table, last))
        except PlanError as error:
            problems.append(str(error))
    if problems:
        raise PlanError("; ".join(problems))
    return Plan(config.source, catalog, tuple(tables))


def raw_names(config: Config, chosen: Sequence[Chosen]) -> dict[TableName, tuple[str, str]]:
    """Each table's raw schema and raw table, collisions refused."""
    mode = config.raw.naming
    schemas = sorted({item.table.name.schema for item in chosen})
    parts = name_map(schemas, mode, {}, "schema")
    found: dict[TableName, tuple[str, str]] = {}
    for schema in schemas:
        inside = [item for item in chosen if item.table.name.schema == schema]
        renames = {item.table.name.name: item.settings.rename for item in inside if item.settings.rename}
        names = name_map([item.table.name.name for item in inside], mode, renames, f"table of {schema}")
        raw_schema = config.raw.schema_.format(source=config.source, schema=parts[schema])
        for item in inside:
            found[item.table.name] = (raw_schema, names[item.table.name.name])
    taken: dict[tuple[str, str], TableName] = {}
    for name, place in found.items():
        if place in taken:
            raise PlanError(
                f"{taken[place]} and {name} would both land in {place[0]}.{place[1]}; set `rename` for one of them"
            )
        taken[place] = name
    return found


def _plan_table(
    config: Config,
    source: Connector,
    catalog: Catalog,
    item: Chosen,
    raw_schema: str,
    raw_table: str,
    last: LedgerEntry | None,
) -> TablePlan:
    table, settings = item.table, item.settings
    columns = _plan_columns(config, source, table, settings)
    notes = [f"{column.source.name}: {column.carried.loses}" for column in columns if column.carried.loses]
    base = _request(config, catalog, table, settings)
    subject = Subject(table, settings, base, catalog)
    if settings.cursor is not None and table.column(settings.cursor) is None:
        raise PlanError(f"{table.name} has no column {settings.cursor!r} for the cursor")
    strategy, why = choose(settings.strategy or config.defaults.strategy, subject, source)
    if last is not None and last.strategy != strategy.name:
        notes.append(f"the last load was {last.strategy}: a new snapshot begins")
        last = None
    window = strategy.window(subject, source, last)
    position_column = strategy.position_column(subject)
    reads, position = _reads(config, source, subject, columns, window, position_column)
    if not catalog.snapshot_isolation and len(reads) > 1:
        notes.append(
            f"{len(reads)} partitions are read at slightly different moments: SNAPSHOT isolation is not allowed"
        )
    elif window is not None and not catalog.snapshot_isolation and not catalog.read_committed_snapshot:
        notes.append("read under READ COMMITTED: rows that change meanwhile may be seen before or after their change")
    return TablePlan(
        name=table.name,
        raw_schema=raw_schema,
        raw_table=raw_table,
        columns=columns,
        key=_key(table, settings, columns),
        strategy=strategy.name,
        why=why,
        guarantee=strategy.guarantee,
        window=window,
        reads=reads,
        position=position,
        rows=table.rows,
        bytes=table.bytes,
        last=last,
        skip_unchanged=settings.skip_unchanged,
        notes=tuple(notes),
    )


def _plan_columns(config: Config, source: Connector, table: Table, settings: TableSettings) -> tuple[ColumnPlan, ...]:
    for name in settings.columns:
        if table.column(name) is None:
            known = ", ".join(column.name for column in table.columns)
            raise PlanError(f"{table.name} has no column {name!r}; it has: {known}")
    wanted = {found.name: chosen for name, chosen in settings.columns.items() if (found := table.column(name))}
    kept = [column for column in table.columns if not wanted.get(column.name, _PLAIN).exclude]
    if not kept:
        raise PlanError(f"{table.name}: every column is excluded")
    renames = {name: chosen.rename for name, chosen in wanted.items() if chosen.rename}
    names = name_map([column.name for column in kept], config.raw.naming, renames, f"column of {table.name}")
    plans = []
    for column in kept:
        chosen = wanted.get(column.name, _PLAIN)
        try:
            carried = _carry(config, source, column, chosen, settings)
        except PlanError as error:
            raise PlanError(f"{table.name}.{column.name}: {error}") from None
        plans.append(ColumnPlan(column, names[column.name], carried))
    return tuple(plans)


_PLAIN = ColumnSettings()


def _carry(
    config: Config, source: Connector, column: Column, chosen: ColumnSettings, settings: TableSettings
) -> Carried:
    if chosen.cast is not None:
        try:
            cast = SourceType.parse(chosen.cast)
        except ValueError as error:
            raise PlanError(f"cast: {error}") from None
        carried = carry(source.scheme, cast)
        inner = f"CAST({{column}} AS {chosen.cast})"
        read_as = carried.read_as.replace("{column}", inner) if carried.read_as else inner
        return replace(carried, read_as=read_as, exact=False, loses=f"cast from {column.type} to {chosen.cast}")
    if chosen.mask is not None:
        masks = source.dialect.masks if isinstance(source, SqlConnector) else {}
        if chosen.mask not in masks:
            raise PlanError(f"mask {chosen.mask} is not possible with {source.scheme}")
        text = carry(source.scheme, SourceType("varchar", length=64))
        return replace(text, read_as=masks[chosen.mask], exact=False, loses=f"masked: {chosen.mask}")
    lossy = chosen.lossy or (settings.types or config.defaults.types) == "lossy"
    trim = chosen.trim or (config.defaults.trim if settings.trim is None else settings.trim)
    return carry(source.scheme, column.type, lossy=lossy, trim=trim)


def _key(table: Table, settings: TableSettings, columns: Sequence[ColumnPlan]) -> tuple[str, ...]:
    """The raw names of the key: `key` of el.yml, else the primary key, else a unique key without NULL."""
    landed = {column.source.name: column.name for column in columns}
    if settings.key is not None:
        found = []
        for name in settings.key:
            column = table.column(name)
            if column is None or column.name not in landed:
                raise PlanError(f"{table.name}: key column {name!r} is not among the columns that are taken")
            found.append(landed[column.name])
        return tuple(found)
    candidates: list[Key] = [table.primary_key] if table.primary_key else []
    nullable = {column.name for column in table.columns if column.nullable}
    candidates += [key for key in table.uniques if not nullable & set(key.columns)]
    for key in candidates:
        if all(name in landed for name in key.columns):
            return tuple(landed[name] for name in key.columns)
    return ()


def _request(config: Config, catalog: Catalog, table: Table, settings: TableSettings) -> ReadRequest:
    """What is read of this table, before its columns and its window are known."""
    conditions = []
    for wanted in settings.filters:
        column = table.column(wanted.column)
        if column is None:
            raise PlanError(f"{table.name} has no column {wanted.column!r} to filter by")
        value = None if wanted.value is None else Value(wanted.text, column.type)
        conditions.append(Condition(column.name, wanted.op, value))
    query = settings.query or (_query_text(config, settings) if settings.query_file else None)
    return ReadRequest(
        table=None if query else table.name,
        query=query,
        where=tuple(conditions),
        isolation=Isolation.SNAPSHOT if catalog.snapshot_isolation else Isolation.DEFAULT,
        batch_rows=config.defaults.batch_rows,
        batch_bytes=config.defaults.batch_mb * 1024 * 1024,
    )


def _reads(
    config: Config,
    source: Connector,
    subject: Subject,
    columns: Sequence[ColumnPlan],
    window: Window | None,
    position_column: str | None,
) -> tuple[tuple[ReadRequest, ...], str | None]:
    """The slices of the window, and the buffer's column that holds the position."""
    reads = [column.read() for column in columns]
    position = None
    if position_column is not None:
        landed = next((column for column in columns if column.source.name == position_column), None)
        if landed is not None and landed.carried.exact:
            position = landed.name
        else:
            type_ = subject.column_type(position_column)
            assert type_ is not None
            reads.append(ColumnRead(position_column, POSITION_READ, carry(source.scheme, type_).read_as))
            position = POSITION_READ
    if window is None:
        return (), position
    request = replace(subject.request, columns=tuple(reads), where=subject.request.where + window.conditions())
    settings = subject.settings
    if settings.partition_by is None or window.kind is not Kind.SNAPSHOT:
        return (request,), position
    ranges = _ranges(config, source, subject)
    return tuple(replace(request, where=request.where + conditions) for conditions in ranges), position


def _ranges(config: Config, source: Connector, subject: Subject) -> tuple[tuple[Condition, ...], ...]:
    settings, table = subject.settings, subject.table
    column = table.column(settings.partition_by or "")
    if column is None or column.type.name not in WHOLE_NUMBERS or column.type.scale:
        raise PlanError(f"{table.name}: partition_by: {settings.partition_by!r} is not a whole-number column")
    if not isinstance(source, CursorSource):
        raise PlanError(f"{table.name}: partition_by is not possible with {source.scheme}")
    least = source.min_value(subject.request, column.name, column.type)
    greatest = source.max_value(subject.request, column.name, column.type)
    if least is None or greatest is None:
        return ((),)
    wanted = settings.partitions or -(-(table.rows or 0) // config.defaults.partition_rows)
    return divide(column.name, column.type, int(least.text), int(greatest.text), wanted)


def _stream(config: Config, entry: TableSettings, index: int, source: Connector) -> Table:
    """A query of the user's own as a table: its columns as the database describes them."""
    where = f"{config.path} line {config.line_of(index)}: {entry.name}"
    if not isinstance(source, SqlConnector):
        raise PlanError(f"{where}: a query is not possible with {source.scheme}")
    query = entry.query or _query_text(config, entry)
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


def _query_text(config: Config, entry: TableSettings) -> str:
    path = config.path.parent / (entry.query_file or "")
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise PlanError(f"{entry.name}: query_file {entry.query_file} cannot be read") from None


def _close(entry: TableSettings, catalog: Catalog) -> str:
    from difflib import get_close_matches

    close = get_close_matches(entry.name.lower(), {str(t.name).lower(): t for t in catalog.tables}, n=1)
    return f"; did you mean {close[0]}?" if close else ""
