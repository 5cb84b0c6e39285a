"""What codegen makes of file dumps: a staging view that casts their text, and the models in which they meet live rows.

Guarantees: of the versions of a file that was replaced the last one counts; rows of files never win over rows of the
live table, whichever of the two was loaded first. A dump that raw does not hold yet has no columns that are known, and
gets its files with the first codegen after its first run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from el.codegen.table_design import ModelDesign, TableDesign, TypeName
from el.config.dumps import DumpSettings
from el.config.settings import Config
from el.config.table_pattern import TablePattern
from el.config.tables import ModelKind
from el.connectors.catalog import TableName
from el.errors import PlanError
from el.planning.dump_tables import dump_name, dump_tables
from el.planning.held import HeldTable
from el.planning.naming import normalise
from el.planning.places import find_places
from el.planning.selection import Chosen
from el.planning.target_names import RESERVED, free_name, target_schema

_SUFFIXES = {"archive": "_with_archive", "versions": "_with_versions"}


@dataclass(frozen=True, slots=True)
class DumpColumn:
    """A column of a dump: in raw, in staging; the type that staging gives it. text: raw holds it as text.

    type: None where it stays as it is.
    """

    raw: str
    name: str
    type: TypeName | None
    text: bool
    pii: str | None = None


@dataclass(frozen=True, slots=True)
class DumpDesign:
    """A dump and all that is made of it. into: the live table that it meets."""

    name: TableName
    settings: DumpSettings
    source_name: str
    raw_schema: str
    raw_table: str
    staging: str
    columns: tuple[DumpColumn, ...]
    schema: str
    model: str
    into: TableDesign | None

    @property
    def casts(self) -> dict[str, TypeName]:
        """The text columns that staging gives another type, by their names in raw."""
        return {c.raw: c.type for c in self.columns if c.text and c.type is not None and c.type.common != "varchar"}


def dump_designs(
    config: Config,
    chosen: Sequence[Chosen],
    tables: Sequence[TableDesign],
    held: Mapping[tuple[str, str], HeldTable],
    own: Collection[str] = (),
) -> tuple[list[DumpDesign], list[str]]:
    """All dumps that raw holds; and what is to be said of the others. Raises `PlanError` for what cannot be named.

    own: names of models that the project has itself.
    """
    places = find_places(config, [*chosen, *dump_tables(config)])
    found: list[DumpDesign] = []
    said: list[str] = []
    taken = set(own) | {table.staging for table in tables} | {model.name for table in tables for model in table.models}
    for entry in config.dumps:
        name = dump_name(entry)
        if name in places.problems:
            raise places.problems[name]
        columns = held.get(places.names[name])
        if columns is None:
            said.append(f"{name}: raw does not hold it yet, so its columns are not known: run it, then codegen again")
            continue
        found.append(_design(config, entry, places.names[name], tables, columns, taken))
    return found, said


def _design(
    config: Config,
    entry: DumpSettings,
    place: tuple[str, str],
    tables: Sequence[TableDesign],
    held: HeldTable,
    taken: set[str],
) -> DumpDesign:
    name, (raw_schema, raw_table) = dump_name(entry), place
    live = _live(entry, tables)
    source_name = next((table.source_name for table in tables if table.raw_schema == raw_schema), raw_schema)
    part = normalise(config.source)
    staging = f"stg_{part}__{raw_table}"
    if staging in taken:
        staging = f"stg_{part}__{normalise(name.schema)}__{raw_table}"
    schema = target_schema(config, name, entry.model)
    model = free_name(raw_table, taken)
    taken |= {staging, model}
    return DumpDesign(
        name, entry, source_name, raw_schema, raw_table, staging, _columns(entry, held, live), schema, model, live
    )


def _live(entry: DumpSettings, tables: Sequence[TableDesign]) -> TableDesign | None:
    if entry.into is None:
        return None
    if entry.history is None:
        raise PlanError(f"{entry.name}: into: {entry.into} needs `history: archive` or `history: versions`")
    wanted = TablePattern.parse(entry.into).plain
    found = next((table for table in tables if table.table.name == wanted), None)
    if found is None:
        raise PlanError(f"{entry.name}: into: {entry.into} is no table of `tables`")
    if not found.key or tuple(found.told_by) != tuple(found.key):
        raise PlanError(
            f"{entry.name}: into: {entry.into}: its key does not compare by its bytes, and that of text from files "
            "could compare in no other way: `accept: [keys_by_bytes]` for that table says that it may"
        )
    met(found, entry.history)
    return found


def met(table: TableDesign, history: str) -> ModelDesign:
    """The model of the live table that rows of files are put beside."""
    kind = ModelKind.CURRENT if history == "archive" else ModelKind.HISTORY
    for model in table.models:
        if model.kind is kind:
            return model
    raise PlanError(f"{table.table.name}: `history: {history}` of a dump needs its `model` to have the kind {kind}")


def meeting_name(model: ModelDesign, history: str) -> str:
    """What the model is called in which live rows and rows of files stand together."""
    return model.name + _SUFFIXES[history]


def _columns(entry: DumpSettings, held: HeldTable, live: TableDesign | None) -> tuple[DumpColumn, ...]:
    names = {column.raw: column for column in live.columns} if live is not None else {}
    taken = {name for name in held.columns if name not in RESERVED}
    for setting, given in (("types", entry.types), ("pii", entry.pii)):
        if unknown := sorted(set(given) - set(held.columns)):
            raise PlanError(f"{entry.name}: {setting}: {unknown[0]} is no column; raw has: {', '.join(held.columns)}")
    found = []
    for raw, column in held.columns.items():
        text = column.landed_as == "string"
        name = raw if raw in taken else free_name(raw, taken)
        taken.add(name)
        own = None
        if raw in entry.types:
            own = type_name(entry.types[raw])
        elif raw in names:
            own = names[raw].type
        pii = entry.pii.get(raw, names[raw].pii if raw in names else None)
        found.append(DumpColumn(raw, name, own, text, None if pii == "none" else pii))
    return tuple(found)


def type_name(text: str) -> TypeName:
    """A type of el.yml's `types` as both warehouses call it."""
    plain = text.lower().replace(" ", "")
    other = {"integer": "number(10,0)", "double": "float", "timestamp": "timestamp_ntz(6)"}
    return TypeName(plain, other.get(plain, plain.replace("decimal", "number")))
