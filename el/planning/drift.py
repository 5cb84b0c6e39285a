"""Schema drift: what changed at the source since a raw table was last loaded, and what that means for the table.

Guarantees: raw follows a change that loses no digit, and the plan says so. Any other change stops its own table before
a row of it is read. Raw columns are only ever added or widened.

A renamed column keeps its raw column: readers of raw would otherwise find NULL there without a word. A rename shows
only in a database that gives tables and columns lasting ids. Elsewhere it is one column less and one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from el.connectors.catalog import Table
from el.connectors.note import MayLose
from el.planning.columns import ColumnPlan
from el.planning.held import HeldColumn, HeldTable
from el.planning.naming import Mode, normalise


@dataclass(frozen=True, slots=True)
class Widened:
    """A raw column whose type must become that of `plan.mapping` before the load."""

    before: str  # as `HeldColumn.landed_as`
    plan: ColumnPlan


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed."""

    columns: tuple[ColumnPlan, ...]  # the columns to load; a renamed one has its former name in raw
    notes: tuple[str, ...] = ()  # each change in words
    widened: tuple[Widened, ...] = ()
    added: tuple[ColumnPlan, ...] = ()  # raw's older rows have no value for them, though the source may have one
    new_snapshot: str | None = None  # why raw's older rows are not to be trusted, so that a new snapshot begins
    stopped: str | None = None  # why this table cannot be loaded
    unrecorded: bool = True  # `_el_columns` does not yet say what is loaded now


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
    return Drift(
        columns,
        notes=tuple(found.notes),
        widened=tuple(found.widened),
        added=tuple(found.added),
        new_snapshot=found.new_snapshot,
        stopped=found.stopped(frozen),
        unrecorded=_held(held.columns.values()) != _planned(columns) or held.table_id != table.object_id,
    )


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
        self.new_snapshot: str | None = None

    def compare(self, column: ColumnPlan, same_table: bool) -> None:
        """A column that is to be loaded with the one of its name that raw has."""
        before = self.held.columns.get(column.name)
        known = before or self.held.former.get(column.name)
        if before is None:
            self.added.append(column)
            self.notes.append(f"new column {column.source.name} ({column.source.type})")
        elif same_table and before.column_id != column.source.column_id:
            self.begin_anew(f"{column.source.name} is another column than before, of the same name")
        if known is None:
            return
        change = _type_change(known, column)
        if change is not None:
            fits = self.held.can_widen(known.stands_for, column.mapping.stands_for)
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
        self.new_snapshot = why
        self.notes.append(why)

    def stopped(self, frozen: bool) -> str | None:
        """Why the table stops, in words."""
        if self.refused:
            return (
                f"{'; '.join(self.refused)}: raw's column cannot take that without losing something; give the column "
                "a cast to its former type, or a rename, which begins a new raw column"
            )
        if frozen and (self.added or self.changed or self.new_snapshot):
            return (
                f"contract: freeze, but the source changed: {'; '.join(self.notes)}; "
                "set contract: evolve to follow it, or put the source right"
            )
        return None


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
        before = by_name.get(column.source.name) or by_id.get(column.source.column_id)
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
    if before.stands_for != column.mapping.stands_for or before.landed_as != str(column.mapping.arrow):
        return f"{column.source.name} ({now}) was taken as {before.stands_for}, and el.yml now takes it as " + (
            column.mapping.stands_for
        )
    return None


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
            c.source.column_id,
            str(c.mapping.arrow),
            c.mapping.stands_for,
            c.mapping.loses or "",
        )
        for c in columns
    )
