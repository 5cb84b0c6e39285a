"""Tables of el's own in which it notes what it did, a row each. el adds rows, and never changes or removes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from el.connectors.catalog import TableName
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.errors import ElError

# Of one INSERT.
_PARAMETERS = 800


@dataclass(frozen=True, slots=True)
class NoteTable:
    """Such a table: its columns, and that which no two rows have the same of.

    The database adds its own user, as `database_user`.
    """

    place: TableName
    columns: Mapping[str, pa.DataType]
    key: str


def append_notes(
    session: SqlConnector, types: ColumnTypes, table: NoteTable, rows: Sequence[tuple[object, ...]]
) -> None:
    """Add these, but those that are there; make the table where it is missing. Raises an `ElError`."""
    at_once = max(1, _PARAMETERS // len(table.columns))
    for start in range(0, len(rows), at_once):
        _append(session, types, table, rows[start : start + at_once])


def _append(session: SqlConnector, types: ColumnTypes, table: NoteTable, rows: Sequence[tuple[object, ...]]) -> None:
    columns = {name: str(types.of(type_)) for name, type_ in table.columns.items()}
    place = session.dialect.quote_table(table.place)
    values = ", ".join(f"{types.cast(type_)} AS {name}" for name, type_ in columns.items())
    given = " UNION ALL ".join([f"SELECT {values}"] * len(rows))
    insert = Statement(
        f"INSERT INTO {place} ({', '.join(columns)}, database_user) "
        f"SELECT {', '.join(f'q.{name}' for name in columns)}, {session.session_user} FROM ({given}) AS q "
        f"WHERE q.{table.key} NOT IN (SELECT {table.key} FROM {place})",
        tuple(value for row in rows for value in row),
    )
    try:
        session.execute(insert)
    except ElError:
        made = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        session.execute(Statement(f"CREATE TABLE {place} ({made}, database_user {types.of(pa.string())})"))
        session.execute(insert)
