"""What changed at the source since a raw table was last loaded, and what that means for the table.

Guarantees: a change that raw can follow without losing a digit is followed, and said; any other stops its own table
before a row of it is read. Raw columns are only ever added or widened. What raw was loaded from stands in raw itself,
in `_el_columns`, which is loaded in the same package as the rows: it cannot say anything else than they do.

A renamed column goes on in its raw column, for whoever reads raw would otherwise find NULL there without a word. Only
a database that gives columns lasting ids within a table of lasting id tells of it; elsewhere it is one column less
and one more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from el.connectors.catalog import Table
from el.planning.columns import ColumnPlan
from el.planning.naming import Mode, normalise
from el.planning.note import MayLose

COLUMNS_TABLE = "_el_columns"

COLUMNS_SCHEMA = pa.schema(
    [
        pa.field("table_name", pa.string()),
        pa.field("column_name", pa.string()),
        pa.field("source_column", pa.string()),
        pa.field("source_type", pa.string()),
        pa.field("nullable", pa.bool_()),
        pa.field("ordinal", pa.int64()),
        pa.field("column_id", pa.int64()),
        pa.field("table_id", pa.int64()),
        pa.field("landed_as", pa.string()),
        pa.field("stands_for", pa.string()),
        pa.field("loses", pa.string()),
        pa.field("_dlt_load_id", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class HeldColumn:
    """A raw column as it was last loaded: see `COLUMNS_SCHEMA`.

    landed_as: the Arrow type of its landing files. stands_for: what staging makes of it, in Snowflake's words.
    """

    name: str
    source: str
    source_type: str
    nullable: bool
    column_id: int
    landed_as: str
    stands_for: str
    loses: str | None = None


@dataclass(frozen=True, slots=True)
class HeldTable:
    """A raw table as it was last loaded. former: columns that it has, but that were not loaded any longer."""

    columns: Mapping[str, HeldColumn]
    former: Mapping[str, HeldColumn] = field(default_factory=dict)
    table_id: int | None = None


@dataclass(frozen=True, slots=True)
class Widened:
    """A raw column whose type must become `plan.mapping`'s before the load. before: as `HeldColumn.landed_as`."""

    before: str
    plan: ColumnPlan


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed. notes: each change in words. columns: with raw names that renamed columns keep.

    filled: columns for which raw's older rows hold no value, though the source may have one. again: why raw's older
    rows cannot be trusted any longer, so that only a new snapshot will do. stopped: why this table cannot be loaded.
    record: `_el_columns` does not say yet what is loaded now.
    """

    columns: tuple[ColumnPlan, ...]
    notes: tuple[str, ...] = ()
    widened: tuple[Widened, ...] = ()
    filled: tuple[ColumnPlan, ...] = ()
    again: str | None = None
    stopped: str | None = None
    record: bool = True


def find_drift(
    held: HeldTable | None, table: Table, columns: tuple[ColumnPlan, ...], mode: Mode, *, frozen: bool = False
) -> Drift:
    """Compare what is to be loaded with what raw `held`; None: it was never loaded. frozen: `contract: freeze`."""
    if held is None:
        return Drift(columns)
    same_table = held.table_id is not None and held.table_id == table.object_id
    columns, renamed = _follow_renames(held, columns, mode, same_table)
    found = _Comparison(held, table, columns, list(renamed))
    for column in columns:
        found.compare(column, same_table)
    found.find_gone()
    if held.table_id is not None and table.object_id is not None and not same_table:
        found.begin_anew("the source's table was created anew")
    record = tuple(_held(held.columns.values())) != tuple(_planned(columns)) or held.table_id != table.object_id
    widened, added = tuple(found.widened), tuple(found.added)
    return Drift(columns, tuple(found.notes), widened, added, found.again, found.stopped(frozen), record)


class _Comparison:
    """What differs, column by column."""

    def __init__(self, held: HeldTable, table: Table, columns: Sequence[ColumnPlan], renamed: list[str]) -> None:
        self.held = held
        self.table = table
        self.columns = columns
        self.notes = renamed
        self.changed = bool(renamed)  # what `contract: freeze` stops at
        self.refused: list[str] = []
        self.added: list[ColumnPlan] = []
        self.widened: list[Widened] = []
        self.again: str | None = None

    def compare(self, column: ColumnPlan, same_table: bool) -> None:
        """A column that is to be loaded with the one of its name that raw has."""
        before = self.held.columns.get(column.name)
        known = before or self.held.former.get(column.name)
        if before is None:
            self.added.append(column)
            self.notes.append(f"new column {column.source.name} ({column.source.type})")
        elif same_table and before.column_id != column.source.position:
            self.begin_anew(f"{column.source.name} is another column than before, of the same name")
        if known is None:
            return
        change = _type_change(known, column)
        if change is not None:
            fits = _takes(known.stands_for, column.mapping.target_snowflake)
            (self.notes if fits else self.refused).append(change)
            self.changed = True
        if known.landed_as != str(column.mapping.arrow):
            self.widened.append(Widened(known.landed_as, column))

    def find_gone(self) -> None:
        """Columns that raw has and that are not loaded any longer."""
        for name, before in self.held.columns.items():
            if all(column.name != name for column in self.columns):
                taken = any(column.name == before.source for column in self.table.columns)
                gone = "is not taken any longer" if taken else "is no longer in the source"
                self.notes.append(MayLose(f"{before.source} {gone}: raw keeps the column {name} and gets NULL"))
                self.changed = self.changed or not taken

    def begin_anew(self, why: str) -> None:
        """A new snapshot begins."""
        self.again = why
        self.notes.append(why)

    def stopped(self, frozen: bool) -> str | None:
        """Why the table stops, in words."""
        if self.refused:
            return (
                f"{'; '.join(self.refused)}: raw's column cannot take that without losing something; give the column "
                "a cast to its former type, or a rename, which begins a new raw column"
            )
        if frozen and (self.added or self.changed or self.again):
            return (
                f"contract: freeze, but the source changed: {'; '.join(self.notes)}; "
                "set contract: evolve to follow it, or put the source right"
            )
        return None


def column_rows(
    raw_table: str, table_id: int | None, columns: Sequence[ColumnPlan], load_id: str
) -> list[dict[str, object]]:
    """The rows of `_el_columns` that say what these columns were loaded from."""
    return [
        {
            "table_name": raw_table,
            "column_name": column.name,
            "source_column": column.source.name,
            "source_type": str(column.source.type),
            "nullable": column.source.nullable,
            "ordinal": ordinal,
            "column_id": column.source.position,
            "table_id": table_id,
            "landed_as": str(column.mapping.arrow),
            "stands_for": column.mapping.target_snowflake,
            "loses": column.mapping.loses,
            "_dlt_load_id": load_id,
        }
        for ordinal, column in enumerate(columns, 1)
    ]


def held_tables(rows: Sequence[Sequence[object]]) -> dict[str, HeldTable]:
    """By raw table, of rows (load id, table, column, source column, source type, nullable, column id, table id,
    landed as, stands for, loses), for each column its last complete load's."""
    last: dict[str, str] = {}
    for row in rows:
        last[str(row[1])] = max(last.get(str(row[1]), ""), str(row[0]))
    found: dict[str, tuple[dict[str, HeldColumn], dict[str, HeldColumn], list[int | None]]] = {}
    for row in rows:
        load, table, name, source, type_, nullable, column_id, table_id, landed_as, stands_for, loses = row
        current, former, ids = found.setdefault(str(table), ({}, {}, []))
        place = current if str(load) == last[str(table)] else former
        place[str(name)] = HeldColumn(
            str(name),
            str(source),
            str(type_),
            bool(nullable),
            int(str(column_id)),
            str(landed_as),
            str(stands_for),
            None if loses is None else str(loses),
        )
        if place is current:
            ids.append(None if table_id is None else int(str(table_id)))
    return {table: HeldTable(current, former, ids[0]) for table, (current, former, ids) in found.items()}


def _follow_renames(
    held: HeldTable, columns: tuple[ColumnPlan, ...], mode: Mode, same_table: bool
) -> tuple[tuple[ColumnPlan, ...], list[str]]:
    """Columns that go by another name since: they keep their raw column, unless el.yml names another one."""
    by_id = {column.column_id: column for column in held.columns.values()} if same_table else {}
    # Renamed at an earlier run: neither way of naming makes this raw name of the source's.
    by_name = {
        column.source: column
        for column in held.columns.values()
        if column.name not in (normalise(column.source), normalise(column.source, "preserve"))
    }
    taken = {column.name for column in columns}
    found, notes = [], []
    for column in columns:
        before = by_name.get(column.source.name) or by_id.get(column.source.position)
        chosen = column.name != normalise(column.source.name, mode)
        if before is None or before.name in taken or column.name in held.columns or chosen:
            found.append(column)
            continue
        if before.source != column.source.name:
            notes.append(
                f"{before.source} is now called {column.source.name}: it goes on in raw's column {before.name}; "
                f"`rename: {before.name}` in el.yml says so for good"
            )
        found.append(replace(column, name=before.name))
    return tuple(found), notes


def _type_change(before: HeldColumn, column: ColumnPlan) -> str | None:
    now = str(column.source.type)
    if before.source_type != now:
        return f"{column.source.name} changed from {before.source_type} to {now}"
    if before.stands_for != column.mapping.target_snowflake or before.landed_as != str(column.mapping.arrow):
        return f"{column.source.name} ({now}) was taken as {before.stands_for}, and el.yml now takes it as " + (
            column.mapping.target_snowflake
        )
    return None


_TYPE = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))?")


def _takes(before: str, now: str) -> bool:
    """Whether a column that stood for `before` holds the same values as `now`: NUMBER(10,2) as NUMBER(12,4)."""
    old, new = _TYPE.fullmatch(before), _TYPE.fullmatch(now)
    if old is None or new is None:
        return before == now
    (kind, p, s), (new_kind, new_p, new_s) = old.groups(), new.groups()
    if kind == new_kind == "NUMBER":
        return int(new_s) >= int(s) and int(new_p) - int(new_s) >= int(p) - int(s)
    if kind == new_kind:
        return p is None or int(new_p or 0) >= int(p)
    # A 64-bit float holds whole numbers of 15 digits, and a day is a time at midnight.
    whole_to_float = kind == "NUMBER" and new_kind == "FLOAT" and s == "0" and int(p) <= 15
    return whole_to_float or (kind == "DATE" and new_kind == "TIMESTAMP_NTZ")


def _held(columns: Iterable[HeldColumn]) -> list[tuple[object, ...]]:
    return sorted(
        (c.name, c.source, c.source_type, c.nullable, c.column_id, c.landed_as, c.stands_for, c.loses or "")
        for c in columns
    )


def _planned(columns: Sequence[ColumnPlan]) -> list[tuple[object, ...]]:
    return sorted(
        (
            c.name,
            c.source.name,
            str(c.source.type),
            c.source.nullable,
            c.source.position,
            str(c.mapping.arrow),
            c.mapping.target_snowflake,
            c.mapping.loses or "",
        )
        for c in columns
    )
