"""Which tables a run takes, and with which settings.

Guarantees: an entry of el.yml that matches nothing, or a query that cannot be read, is a `PlanError` that names it, and
stops no other. Later entries win over earlier ones, setting by setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from el.config.merging import merge_settings
from el.config.settings import Config
from el.config.table_pattern import TablePattern, schemas_of_patterns
from el.config.tables import ColumnSettings, StrategyName, TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Catalog, Table, TableName
from el.errors import ConfigError, PlanError
from el.planning.documents import promoted, unnested
from el.planning.query_table import query_table


@dataclass(frozen=True, slots=True)
class Chosen:
    """A table that el.yml takes, with the settings that hold for it."""

    table: Table  # where there is an error, it may have no columns, and the entry's name
    settings: TableSettings
    error: PlanError | None = None  # why it cannot be taken


def choose_tables(config: Config, source: Source, catalog: Catalog, select: Sequence[str] = ()) -> list[Chosen]:
    """The tables that el.yml takes and `select` keeps, with the error of each that cannot be taken.

    Raises `ConfigError` where `select` names none, and `PlanError` where an entry that protects something matches none.
    """
    choice = _Choice(config, source, catalog)
    for index, entry in enumerate(config.tables):
        if entry.is_query:
            choice.take_query(entry, index)
        else:
            choice.take_matching(entry, index)
    choice.refuse_idle()
    return sorted(keep_selected(config, choice.chosen(), select), key=lambda item: item.table.name)


class _Choice:
    """What the entries of el.yml take, one entry after the other."""

    def __init__(self, config: Config, source: Source, catalog: Catalog) -> None:
        self.config = config
        self.source = source
        self.catalog = catalog
        self.tables: dict[TableName, Table] = {table.name: table for table in catalog.tables}
        self.entries: dict[TableName, list[TableSettings]] = {}  # those that speak of a table
        self.taken: set[TableName] = set()
        self.errors: dict[TableName, PlanError] = {}
        self.idle: list[tuple[TableSettings, str, list[TableName]]] = []  # take nothing of what they match

    def take_query(self, entry: TableSettings, index: int) -> None:
        """A query of the user's own takes the place of a table of its name."""
        name = entry.pattern.plain
        assert name is not None
        # A table whose place it takes may have had a mask from an earlier entry.
        self.entries.setdefault(name, []).append(entry)
        self.taken.add(name)
        try:
            self.tables[name] = query_table(self.config, entry, index, self.source, self.catalog)
        except PlanError as error:
            self.tables[name], self.errors[name] = Table(name, (), kind="query"), error

    def take_matching(self, entry: TableSettings, index: int) -> None:
        """Raises `PlanError` for an entry that protects something and matches nothing."""
        where = f"{self.config.path} line {self.config.line_of(index)}"
        try:
            matched = entry.pattern.of(self.tables)
        except ConfigError as error:
            raise PlanError(f"{where}: {error}") from None
        if not matched and "gone" in entry.accept:
            return
        if not matched:
            database = self.catalog.database
            missing = PlanError(f"{where}: no table matches {entry.name!r} in {database}{_close(entry, self.catalog)}")
            if entry.protects:
                # What it was to protect would be taken as it is.
                raise missing
            matched = [self._refuse(entry, missing)]
        # Also of what this entry does not take: what it protects is protected where another one takes it.
        for found in matched:
            self.entries.setdefault(found, []).append(entry)
        takes = [name for name in matched if taken_by(entry, self.tables[name])]
        self.taken.update(takes)
        for name in takes:
            self._unnest(name, entry)
        if not takes and not entry.protects and "gone" not in entry.accept:
            self.idle.append((entry, where, matched))

    def refuse_idle(self) -> None:
        """An entry that takes nothing is an error, unless another one takes what it matches."""
        for entry, where, matched in self.idle:
            if not self.taken & set(matched):
                name = self._refuse(entry, PlanError(f"{where}: {_idle(entry, matched, self.tables)}"))
                self.entries[name] = [entry]
                self.taken.add(name)

    def chosen(self) -> list[Chosen]:
        """The tables that are taken and not excluded, with their settings."""
        found = [
            _followed(self.config, self._promoted(_chosen(self.tables[name], settings, self.errors.get(name))))
            for name, settings in self.entries.items()
            if name in self.taken
        ]
        return [item for item in found if item.error or not item.settings.exclude]

    def _unnest(self, name: TableName, entry: TableSettings) -> None:
        """The tables of a document's arrays; later entries can give them settings."""
        for path in entry.unnest:
            try:
                made = unnested(self.source, self.tables[name], path)
                if made.name in self.tables:
                    raise PlanError(f"{name}: unnest: {made.name} is a table already: {path} stays JSON")
            except PlanError as error:
                self.errors[name] = error
                return
            self.tables[made.name] = made
            self.entries[made.name] = [TableSettings(name=str(made.name))]
            self.taken.add(made.name)

    def _promoted(self, item: Chosen) -> Chosen:
        if item.error is not None:
            return item
        try:
            return replace(item, table=promoted(self.source, item.table, item.settings))
        except PlanError as error:
            return replace(item, error=error)

    def _refuse(self, entry: TableSettings, error: PlanError) -> TableName:
        """Report an error under the entry's name."""
        name = entry.pattern.plain or TableName(*entry.name.split(".", 1))
        self.tables[name], self.errors[name] = Table(name, ()), error
        return name


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


def _idle(entry: TableSettings, matched: Sequence[TableName], tables: Mapping[TableName, Table]) -> str:
    """Why an entry takes nothing of what it matches."""
    some = ", ".join([*(str(name) for name in matched[:3]), *(["..."] if len(matched) > 3 else [])])
    if any(tables[name].aside is None for name in matched):
        return f"{entry.name!r} matches views alone ({some}): `views: true` takes them, or name each"
    return f"{entry.name!r} matches only what is taken if it is named exactly: {some}"


def _close(entry: TableSettings, catalog: Catalog) -> str:
    if not catalog.tables:
        # There are databases that a server has by nobody's making them: a wrong name is an empty one.
        return ": this login sees no table there of the schemas that el.yml names; is it the right database?"
    close = get_close_matches(entry.name.lower(), {str(t.name).lower(): t for t in catalog.tables}, n=1)
    return f"; did you mean {close[0]}?" if close else ""
