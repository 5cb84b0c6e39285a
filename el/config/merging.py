"""One table's settings out of all entries of el.yml that name it.

Guarantees: entries are merged setting by setting, and columns by the columns that they mean, however they are spelt. So
a mask or an exclusion that one entry gave holds until another takes it away by name: `mask: none`, `pii: none`,
`exclude: false`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from el.config.strict import Strict
from el.config.tables import ColumnSettings, TableSettings
from el.connectors.catalog import Table
from el.errors import PlanError

Group = TypeVar("Group", bound=Strict)


def merge_settings(table: Table, entries: Sequence[TableSettings]) -> TableSettings:
    """The settings for `table`; what a later entry sets wins. Columns are called as the source calls them."""
    merged: dict[str, object] = {}
    columns: dict[str, ColumnSettings] = {}
    for entry in entries:
        for field in entry.model_fields_set - {"columns"}:
            merged[field] = _over(merged.get(field), getattr(entry, field))
        for name, chosen in _by_column(table, entry).items():
            before = columns.get(name)
            columns[name] = chosen if before is None else _merged(before, chosen)
    columns = {name: _without_none(chosen) for name, chosen in columns.items()}
    found = {**merged, "name": str(table.name), "columns": columns}
    return TableSettings.model_construct(**found)  # type: ignore[arg-type]


def merged(before: Group | None, after: Group | None) -> Group | None:
    """A group of settings over that of `defaults`."""
    return _merged(before, after) if before is not None and after is not None else after or before


def _over(before: object, after: object) -> object:
    """A later setting over an earlier one: groups of settings, such as `deletes`, are merged too."""
    if isinstance(before, Strict) and isinstance(after, Strict) and type(before) is type(after):
        return _merged(before, after)
    return after


def _merged(before: Group, after: Group) -> Group:
    return before.model_copy(update={field: getattr(after, field) for field in after.model_fields_set})


def _by_column(table: Table, entry: TableSettings) -> dict[str, ColumnSettings]:
    """The settings of one entry by the source's own names; two spellings of one column must not differ."""
    found: dict[str, ColumnSettings] = {}
    for written, chosen in entry.columns.items():
        name = _column(table, written)
        before = found.get(name)
        if before is not None:
            for field in sorted(before.model_fields_set & chosen.model_fields_set):
                if getattr(before, field) != getattr(chosen, field):
                    raise PlanError(f"{table.name}.{name}: {entry.name} gives it {field} twice, by two spellings")
        found[name] = chosen if before is None else _merged(before, chosen)
    return found


def _column(table: Table, written: str) -> str:
    """The column that is meant: spelt exactly, else the only one that differs by capitals alone; unknown ones stay."""
    alike = [column.name for column in table.columns if column.name.lower() == written.lower()]
    if written in alike or not alike:
        return written
    if len(alike) > 1:
        raise PlanError(f"{table.name}: column {written!r} could be {' or '.join(alike)}: write it as the source does")
    return alike[0]


def _without_none(chosen: ColumnSettings) -> ColumnSettings:
    taken_away = {field: None for field in ("mask", "pii") if getattr(chosen, field) == "none"}
    return chosen.model_copy(update=taken_away) if taken_away else chosen
