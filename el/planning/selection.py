"""Which tables a run takes, with which settings, and where each lands in raw.

Guarantees: an entry of el.yml that matches nothing, a query that cannot be read, and tables that would land in one
place are stopped by a `PlanError` that names them, and stop no other; later entries win over earlier ones, setting by
setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from el.config.merging import merge_settings
from el.config.settings import Config
from el.config.table_pattern import TablePattern, schemas_of_patterns
from el.config.tables import ColumnSettings, StrategyName, TableSettings
from el.config.text_file import read_text
from el.connectors.base import Source
from el.connectors.catalog import Catalog, Column, Key, Table, TableName
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.own_query import derived_query
from el.errors import ConfigError, PlanError
from el.planning.naming import file_refusal, find_names


@dataclass(frozen=True, slots=True)
class Chosen:
    """A table that el.yml takes, with the settings that hold for it.

    error: why it cannot be taken; the table may then have no columns, and bear the entry's name.
    """

    table: Table
    settings: TableSettings
    error: PlanError | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where tables land. names: table -> raw schema and raw table; problems: tables that cannot land there, and why.

    clashes: those of them whose place another table wants too.
    """

    names: dict[TableName, tuple[str, str]]
    problems: dict[TableName, PlanError]
    clashes: frozenset[TableName]


def choose_tables(config: Config, source: Source, catalog: Catalog, select: Sequence[str] = ()) -> list[Chosen]:
    """The tables that el.yml takes and `select` keeps, with the error of each that cannot be taken.

    Raises `ConfigError` where `select` names none, and `PlanError` where an entry that protects something matches none.
    """
    entries: dict[TableName, list[TableSettings]] = {}
    taken: set[TableName] = set()
    idle: list[tuple[TableSettings, str, list[TableName]]] = []
    tables: dict[TableName, Table] = {table.name: table for table in catalog.tables}
    errors: dict[TableName, PlanError] = {}
    for index, entry in enumerate(config.tables):
        if entry.is_query:
            name = entry.pattern.plain
            assert name is not None
            # A table whose place it takes may have had a mask from an earlier entry.
            entries.setdefault(name, []).append(entry)
            taken.add(name)
            try:
                tables[name] = _stream(config, entry, index, source, catalog)
            except PlanError as error:
                tables[name], errors[name] = Table(name, (), kind="query"), error
            continue
        where = f"{config.path} line {config.line_of(index)}"
        try:
            matched = entry.pattern.of(tables)
        except ConfigError as error:
            raise PlanError(f"{where}: {error}") from None
        if not matched and "gone" in entry.accept:
            continue
        if not matched:
            text = f"{where}: no table matches {entry.name!r} in {catalog.database}{_close(entry, catalog)}"
            if entry.protects:
                # What it was to protect would be taken as it is.
                raise PlanError(text)
            name = _name_of(entry)
            tables[name], errors[name], matched = Table(name, ()), PlanError(text), [name]
        # Also of what this entry does not take: what it protects is protected where another one takes it.
        for found in matched:
            entries.setdefault(found, []).append(entry)
        takes = [name for name in matched if taken_by(entry, tables[name])]
        taken.update(takes)
        if not takes and not entry.protects and "gone" not in entry.accept:
            idle.append((entry, where, matched))
    for entry, where, matched in idle:
        if not taken & set(matched):
            name = _name_of(entry)
            tables[name], errors[name] = Table(name, ()), PlanError(f"{where}: {_idle(entry, matched, tables)}")
            entries[name] = [entry]
            taken.add(name)
    chosen = [
        _followed(config, _chosen(tables[found], settings, errors.get(found)))
        for found, settings in entries.items()
        if found in taken
    ]
    chosen = keep_selected(config, [item for item in chosen if item.error or not item.settings.exclude], select)
    return sorted(chosen, key=lambda item: item.table.name)


def _chosen(table: Table, entries: Sequence[TableSettings], error: PlanError | None) -> Chosen:
    try:
        return Chosen(table, merge_settings(table, entries), error)
    except PlanError as refused:
        return Chosen(table, TableSettings.model_construct(name=str(table.name)), error or refused)


def _followed(config: Config, item: Chosen) -> Chosen:
    """Where a feed is asked for, without the columns of which no change would bring a value."""
    wanted = item.settings.strategy or config.defaults.strategy
    feeds = item.table.feeds[:1] if wanted is StrategyName.CHANGES else item.table.feeds
    kept = next((each for each in feeds if wanted in (each.feed, StrategyName.CHANGES)), None)
    if kept is None or not kept.without:
        return item
    left_out = {name.lower() for name in kept.without}
    columns = {name: chosen for name, chosen in item.settings.columns.items() if name.lower() not in left_out}
    columns.update(dict.fromkeys(kept.without, ColumnSettings(exclude=True)))
    return replace(item, settings=item.settings.model_copy(update={"columns": columns}))


def taken_by(entry: TableSettings, table: Table) -> bool:
    """Whether an entry that matches this table takes it.

    By its own name alone it takes what is kept of others, or elsewhere; and a view, unless it says `views: true`.
    """
    if entry.pattern.plain is not None or entry.name == str(table.name):
        return True
    return table.aside is None and (entry.views or table.kind != "view")


def left_aside(config: Config, catalog: Catalog, chosen: Sequence[Chosen]) -> list[Chosen]:
    """The tables that a glob of el.yml matches and does not take, though no entry excludes them."""
    taken = {item.table.name for item in chosen}
    left = []
    for table in catalog.tables:
        if table.name in taken or (table.aside is None and table.kind != "view"):
            continue
        entries = [entry for entry in config.tables if not entry.is_query and entry.pattern.of([table.name])]
        if entries and not any(taken_by(entry, table) for entry in entries):
            left.append(_chosen(table, entries, None))
    return [item for item in left if not item.settings.exclude]


def left_aside_notes(left: Sequence[Chosen]) -> list[str]:
    """What the plan says of them, once."""
    views = [str(item.table.name) for item in left if item.table.aside is None]
    aside = [f"{item.table.name} ({item.table.aside})" for item in left if item.table.aside is not None]
    notes = [f"left out unless named exactly: {', '.join(aside)}"] if aside else []
    if views:
        some = ", ".join([*views[:3], *(["..."] if len(views) > 3 else [])])
        left_out = "1 view is left out" if len(views) == 1 else f"{len(views)} views are left out"
        notes.append(f"{left_out} ({some}): a glob takes tables alone, unless its entry says `views: true`")
    return notes


def schemas_of(config: Config) -> list[str] | None:
    """The source's schemas in which tables of el.yml can be; None where a glob stands in their place."""
    return schemas_of_patterns([entry.pattern for entry in config.tables if not entry.is_query])


def keep_selected(config: Config, chosen: Sequence[Chosen], select: Sequence[str]) -> list[Chosen]:
    """Those that `select` names; all where it is empty."""
    if not select:
        return list(chosen)
    kept: set[TableName] = set()
    for text in select:
        found = named("--select", text, [item.table.name for item in chosen])
        if not found:
            raise ConfigError(f"--select {text}: no table of {config.path} matches")
        kept.update(found)
    return [item for item in chosen if item.table.name in kept]


def named(option: str, text: str, names: Sequence[TableName]) -> list[TableName]:
    """Those of `names` that an argument of this option means: orders, sales.orders, sales.*, "a.b"."c"."""
    try:
        return TablePattern.parse(text, bare=True).of(names)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{option} {error}; a table is named as orders, sales.orders or sales.*") from None


def raw_names(config: Config, chosen: Sequence[Chosen]) -> dict[TableName, tuple[str, str]]:
    """Each table's raw schema and raw table. Raises `PlanError` with every problem at once."""
    places = find_places(config, chosen)
    if places.problems:
        raise PlanError("; ".join(dict.fromkeys(str(problem) for problem in places.problems.values())))
    return places.names


def find_places(config: Config, chosen: Sequence[Chosen]) -> Places:
    """Each table's raw schema and raw table; collisions, and what cannot be called so, are its problems.

    chosen: all tables of el.yml: what one run takes today, and another one tomorrow, must not meet in raw either.
    """
    mode = config.raw.naming
    schemas = sorted({item.table.name.schema for item in chosen})
    parts, wrong = find_names(schemas, mode, {})
    texts: dict[TableName, list[str]] = {}
    clashes: set[TableName] = set()

    def refuse(names: Iterable[TableName], text: str, *, clash: bool = False) -> None:
        for name in names:
            texts.setdefault(name, []).append(text)
            if clash:
                clashes.add(name)

    for problem in wrong:
        here = [item.table.name for item in chosen if item.table.name.schema in problem.names]
        refuse(here, f"schema: {problem.text}", clash=problem.clash)
    found: dict[TableName, tuple[str, str]] = {}
    for schema in schemas:
        inside = [item for item in chosen if item.table.name.schema == schema]
        renames = {item.table.name.name: item.settings.rename for item in inside if item.settings.rename}
        names, wrong = find_names([item.table.name.name for item in inside], mode, renames, tables=True)
        for problem in wrong:
            owners = [TableName(schema, name) for name in problem.names]
            refuse(owners, f"table of {schema}: {problem.text}", clash=problem.clash)
        raw_schema = config.raw.schema_.format(source=config.source, schema=parts[schema])
        for item in inside:
            found[item.table.name] = (raw_schema, names[item.table.name.name])
    taken: dict[tuple[str, str], TableName] = {}
    for name, place in found.items():
        if refused := file_refusal(place[0], dots=True):
            refuse([name], f"{name}: the raw schema {refused}: set `raw: {{schema: ...}}` or `naming: snake_case`")
        if refused := file_refusal(place[1], dots=False):
            refuse([name], f"{name}: the raw table {refused}: set `rename` for it")
        first = taken.setdefault((place[0].casefold(), place[1].casefold()), name)
        if first != name and not {first, name} <= clashes:
            where = f"{place[0]}.{place[1]}"
            refuse([first, name], f"{first} and {name} would both land in {where}; set `rename` for one", clash=True)
    problems = {name: PlanError("; ".join(said)) for name, said in texts.items()}
    return Places(found, problems, frozenset(clashes))


def _stream(config: Config, entry: TableSettings, index: int, source: Source, catalog: Catalog) -> Table:
    """A query of the user's own as a table: its columns as the database describes them."""
    where = f"{config.path} line {config.line_of(index)}: {entry.name}"
    if not isinstance(source, SqlConnector):
        raise PlanError(f"{where}: {source.scheme} has no SQL for a `query`: name its tables instead")
    query = entry.query or query_text(config, entry)
    try:
        derived_query(query, source.dialect.name)
        described = source.query_columns(query)
    except Exception as error:
        if getattr(error, "retryable", False):
            raise
        raise PlanError(f"{where}: {error}") from None
    columns = tuple(Column(name, type_, position=number) for number, (name, type_) in enumerate(described, 1))
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
    path = config.path.parent / (entry.query_file or "")
    try:
        return read_text(path)
    except ConfigError as error:
        raise PlanError(f"{entry.name}: query_file: {error}") from None
    except OSError:
        raise PlanError(f"{entry.name}: query_file {entry.query_file} cannot be read") from None


def _name_of(entry: TableSettings) -> TableName:
    """Under which an entry is reported that takes no table."""
    return entry.pattern.plain or TableName(*entry.name.split(".", 1))


def _idle(entry: TableSettings, matched: Sequence[TableName], tables: Mapping[TableName, Table]) -> str:
    """Why an entry takes nothing of what it matches."""
    some = ", ".join([*(str(name) for name in matched[:3]), *(["..."] if len(matched) > 3 else [])])
    if any(tables[name].aside is None for name in matched):
        return f"{entry.name!r} matches views alone ({some}): `views: true` takes them, or name each"
    return f"{entry.name!r} matches only what is taken if it is named exactly: {some}"


def _close(entry: TableSettings, catalog: Catalog) -> str:
    close = get_close_matches(entry.name.lower(), {str(t.name).lower(): t for t in catalog.tables}, n=1)
    return f"; did you mean {close[0]}?" if close else ""
