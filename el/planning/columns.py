"""How each column of a table travels: taken or excluded, renamed, masked, cast, or as the type table says.

Guarantees: names that collide, a column that is not there and a type that cannot be carried are a `PlanError` that
names table and column, before the first row is read.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from el.config.mask_key import MaskKey
from el.config.settings import Config
from el.config.tables import ColumnSettings, TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Column, Key, SourceType, Table
from el.connectors.request import ColumnRead
from el.connectors.sql.connector import SqlConnector
from el.connectors.type_rules import map_type
from el.errors import PlanError
from el.planning.naming import name_map
from el.types.mapping import TypeMapping
from el.types.times import TimeParts

_PLAIN = ColumnSettings()
_MASKED = "masked: "
_LATER = "leave out `cast`, and cast it in the warehouse; or exclude the column"
# Of a table in dlt's schema: what raw says of it.
COMMENT_HINT = "x-el-comment"


@dataclass(frozen=True, slots=True)
class TableComment:
    """What raw says of a table, and of its columns by their names."""

    text: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartColumns:
    """A time in parts: the buffer's columns that hold its seventh digit and its offset; None: it has none."""

    parts: TimeParts
    seventh: str | None
    offset: str | None


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One column on its way: where it comes from, what it is called in raw, how its type is mapped."""

    source: Column
    name: str
    mapping: TypeMapping
    mask_key: MaskKey | None = None  # of a mask that is finished here, over the SHA-256 that the source gives

    @property
    def masked(self) -> bool:
        """Whether something else than its value is read."""
        return (self.mapping.loses or "").startswith(_MASKED)

    def reads(self) -> tuple[ColumnRead, ...]:
        """How the source is asked for it: itself, and what is read beside."""
        found = self.parts()
        if found is None:
            return (ColumnRead(self.source.name, self.name, self.mapping.read_as, self.mapping.arrow),)
        # Its text is put together here, of what the driver hands over.
        itself = ColumnRead(self.source.name, self.name, self.mapping.read_as)
        parts = ((found.seventh, found.parts.seventh), (found.offset, found.parts.offset))
        return (itself, *(ColumnRead(self.source.name, name, sql) for name, sql in parts if name and sql))

    def parts(self) -> PartColumns | None:
        """For a time that is put together: from which columns of the buffer."""
        parts = self.mapping.parts
        if parts is None:
            return None
        seventh = f"_el_seventh_{self.name}" if parts.digits == 7 else None
        return PartColumns(parts, seventh, f"_el_offset_{self.name}" if parts.offset else None)

    def comment(self) -> str:
        """What raw says of the column: its name and type at the source, what it loses, the source's own comment."""
        source = self.source
        loses = f"; loses {self.mapping.loses}" if self.mapping.loses else ""
        own = f": {source.comment}" if source.comment else ""
        return f"{source.name} {source.type}{'' if source.nullable else ' not null'}{loses}{own}"

    def read_bytes(self) -> ColumnRead | None:
        """How the source is asked for its text as UTF-16LE bytes; None if the driver hands all over as it is."""
        if self.mapping.exact_bytes is None:
            return None
        return ColumnRead(self.source.name, f"_el_bytes_{self.name}", self.mapping.exact_bytes, pa.binary())


def plan_columns(config: Config, source: Source, table: Table, settings: TableSettings) -> tuple[ColumnPlan, ...]:
    for name, chosen in settings.columns.items():
        if table.column(name) is None and not (chosen.exclude and table.partly_seen):
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
            mapping = _map_type(config, source, column, chosen, settings)
        except PlanError as error:
            raise PlanError(f"{table.name}.{column.name}: {error}") from None
        plans.append(ColumnPlan(column, names[column.name], mapping, _mask_key(config, chosen)))
    return tuple(plans)


def _map_type(
    config: Config, source: Source, column: Column, chosen: ColumnSettings, settings: TableSettings
) -> TypeMapping:
    if chosen.cast is not None and chosen.mask is not None:
        raise PlanError(f"mask {chosen.mask} and cast {chosen.cast}: a masked column has no other type; leave out one")
    if chosen.cast is not None:
        if not isinstance(source, SqlConnector):
            raise PlanError(f"cast {chosen.cast}: {source.scheme} has no SQL to cast in: {_LATER}")
        try:
            cast = source.parse_type(chosen.cast)
        except ValueError as error:
            raise PlanError(f"cast: {error}") from None
        mapping = map_type(source.scheme, cast)
        mapping = mapping.over(f"CAST({{column}} AS {chosen.cast})")
        return replace(mapping, loses=f"cast from {column.type} to {chosen.cast}")
    if chosen.mask is not None:
        if not isinstance(source, SqlConnector):
            raise PlanError(f"mask {chosen.mask}: {source.scheme} has no SQL to mask in: exclude the column")
        if chosen.mask == "hmac" and config.mask_key is None:
            raise PlanError("mask hmac needs a key: say in el.yml where it is, such as `mask_key: env:EL_MASK_KEY`")
        # The key never goes to the source: its own part is the digest.
        asked = "sha256" if chosen.mask == "hmac" else chosen.mask
        if asked not in source.dialect.masks:
            raise PlanError(f"mask {chosen.mask} is not possible with {source.scheme}")
        text = map_type(source.scheme, SourceType("varchar", length=64))
        expression, digits = source.dialect.masked(asked, column.type)
        loses = f"{_MASKED}{chosen.mask}{' of all digits' if digits else ''}"
        # What is read beside a text, to tell whether the driver changed it, would be the clear value.
        return replace(text, read_as=expression, loses=loses, exact_bytes=None)
    lossy = chosen.lossy or (settings.types or config.defaults.types) == "lossy"
    trim = chosen.trim or (config.defaults.trim if settings.trim is None else settings.trim)
    found = map_type(source.scheme, column.type, lossy=lossy, trim=trim)
    return found if column.path is None else found.over(column.path)


def _mask_key(config: Config, chosen: ColumnSettings) -> MaskKey | None:
    return config.mask_key if chosen.mask == "hmac" else None


def key_of(table: Table, settings: TableSettings, columns: Sequence[ColumnPlan]) -> tuple[str, ...]:
    """The raw names of the key: `key` of el.yml, else the primary key, else a unique key without NULL."""
    landed = {column.source.name: column.name for column in columns}
    return tuple(landed[name] for name in source_key(table, settings, landed))


def is_unproven(table: Table, settings: TableSettings) -> bool:
    """Whether the key is el.yml's alone: no primary key and no unique key says that its columns tell rows apart."""
    if settings.key is None:
        return False
    named = {found.name for name in settings.key if (found := table.column(name)) is not None}
    proven = [key for key in (table.primary_key, *table.uniques) if key is not None and table.kind != "query"]
    return not any(set(key.columns) <= named for key in proven)


def source_key(table: Table, settings: TableSettings, taken: Container[str]) -> tuple[str, ...]:
    """The names of the key's columns at the source, where all of them are among those that are taken; else ()."""
    if settings.key is not None:
        found = []
        for name in settings.key:
            column = table.column(name)
            if column is None or column.name not in taken:
                raise PlanError(f"{table.name}: key column {name!r} is not among the columns that are taken")
            found.append(column.name)
        return tuple(found)
    candidates: list[Key] = [table.primary_key] if table.primary_key else []
    nullable = {column.name for column in table.columns if column.nullable}
    candidates += [key for key in table.uniques if not nullable & set(key.columns)]
    for key in candidates:
        if all(name in taken for name in key.columns):
            return key.columns
    return ()
