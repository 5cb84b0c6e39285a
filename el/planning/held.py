"""What a raw table was loaded from, column by column: the table `_el_columns` of its raw schema.

Guarantee: `_el_columns` travels in the same package as the rows, so it cannot say anything else than they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq

import pyarrow as pa

from el.planning.columns import ColumnPlan

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
    """A raw column as it was last loaded: a row of `_el_columns`."""

    name: str
    source: str  # the column's name in the source
    source_type: str
    nullable: bool
    column_id: int
    landed_as: str  # the Arrow type of its landing files
    stands_for: str  # the type that staging makes of it, as `TypeMapping.stands_for` calls it
    loses: str | None = None  # as `TypeMapping.loses`


@dataclass(frozen=True, slots=True)
class HeldTable:
    """A raw table as it was last loaded."""

    columns: Mapping[str, HeldColumn]  # those that the last load brought
    former: Mapping[str, HeldColumn] = field(default_factory=dict)  # those that an earlier load brought last
    table_id: int | None = None  # the source's own lasting id of the table
    # Whether a column that stands for the first type can become one of the second and keep each value: the warehouse
    # knows. Without a word of it, a column stays what it is.
    can_widen: Callable[[str, str], bool] = field(default=eq, compare=False)


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
            "column_id": column.source.column_id,
            "table_id": table_id,
            "landed_as": str(column.mapping.arrow),
            "stands_for": column.mapping.stands_for,
            "loses": column.mapping.loses,
            "_dlt_load_id": load_id,
        }
        for ordinal, column in enumerate(columns, 1)
    ]


def held_tables(rows: Sequence[Sequence[object]], can_widen: Callable[[str, str], bool]) -> dict[str, HeldTable]:
    """What each raw table was loaded from, by its name. can_widen: as `HeldTable.can_widen`.

    rows: of each column's last complete load (load id, table, column, source column, source type, nullable, column id,
    table id, landed as, stands for, loses).
    """
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
    return {table: HeldTable(current, former, ids[0], can_widen) for table, (current, former, ids) in found.items()}
