"""Snowflake's catalog as a `Catalog`: tables, columns, keys, foreign keys, comments, row counts, sizes.

Snowflake declares keys and does not enforce them, so foreign keys come as not enforced. Sources: Snowflake
documentation, "INFORMATION_SCHEMA" and "SHOW PRIMARY KEYS".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from el.connectors.catalog import ONE_MOMENT, Catalog, Column, ForeignKey, Key, SourceType, Table, TableName
from el.connectors.sql.select import Statement
from el.errors import ElError

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
Show = Callable[[str], list[dict[str, Any]]]

_TABLES = """
SELECT table_schema, table_name, table_type, row_count, bytes, comment
FROM information_schema.tables WHERE table_schema <> 'INFORMATION_SCHEMA' ORDER BY table_schema, table_name
"""

_COLUMNS = """
SELECT table_schema, table_name, column_name, ordinal_position, data_type, is_nullable, column_default,
       character_maximum_length, numeric_precision, numeric_scale, datetime_precision, comment
FROM information_schema.columns WHERE table_schema <> 'INFORMATION_SCHEMA'
ORDER BY table_schema, table_name, ordinal_position
"""


def read_catalog(fetch: Fetch, show: Show, schemas: Sequence[str] | None, *, brief: bool = False) -> Catalog:
    """Describe these schemas of the current database, or all of its own; `brief` leaves out foreign keys."""
    notes: list[str] = []

    def shown(what: str, sql: str) -> list[dict[str, Any]]:
        try:
            return show(sql)
        except ElError as error:
            if error.retryable:
                raise
            notes.append(f"{what} cannot be read here")
            return []

    database, version = fetch(Statement("SELECT CURRENT_DATABASE(), CURRENT_VERSION()"))[0]
    columns = _columns(fetch)
    primary = _keys(shown("primary keys", "SHOW PRIMARY KEYS IN DATABASE"))
    unique = _keys(shown("unique keys", "SHOW UNIQUE KEYS IN DATABASE"))
    foreign = {} if brief else _foreign_keys(shown("foreign keys", "SHOW IMPORTED KEYS IN DATABASE"))
    tables = []
    for schema, table, kind, rows, size, comment in fetch(Statement(_TABLES)):
        name = TableName(schema, table)
        if schemas is not None and schema not in schemas:
            continue
        tables.append(
            Table(
                name=name,
                columns=tuple(columns[name]),
                kind="view" if "VIEW" in str(kind) else "table",
                primary_key=next(iter(primary.get(name, ())), None),
                uniques=tuple(unique.get(name, ())),
                foreign_keys=tuple(foreign.get(name, ())),
                rows=None if rows is None else int(rows),
                bytes=None if size is None else int(size),
                comment=comment or None,
                consistency=ONE_MOMENT,
            )
        )
    return Catalog(database, f"Snowflake {version}", tuple(tables), consistency=ONE_MOMENT, notes=tuple(notes))


def _columns(fetch: Fetch) -> dict[TableName, list[Column]]:
    columns: dict[TableName, list[Column]] = defaultdict(list)
    for row in fetch(Statement(_COLUMNS)):
        schema, table, name, position, type_, nullable, default, length, precision, scale, fraction, comment = row
        columns[TableName(schema, table)].append(
            Column(
                name=name,
                type=source_type(type_, length, precision, scale, fraction),
                nullable=nullable == "YES",
                column_id=int(position),
                default=default,
                comment=comment or None,
            )
        )
    return columns


def source_type(
    declared: str, length: int | None, precision: int | None, scale: int | None, fraction: int | None
) -> SourceType:
    """A column's type as Snowflake names it: TEXT with its length, NUMBER(p,s), TIMESTAMP_NTZ(f)."""
    name = declared.lower()
    if name in ("text", "binary"):
        return SourceType("varchar" if name == "text" else name, length=None if length is None else int(length))
    if name == "number":
        return SourceType(name, precision=int(precision or 38), scale=int(scale or 0))
    if name.startswith("timestamp") or name == "time":
        return SourceType(name, scale=9 if fraction is None else int(fraction))
    return SourceType(name)


def _keys(rows: list[dict[str, Any]]) -> dict[TableName, list[Key]]:
    found: dict[TableName, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda item: int(item["key_sequence"])):
        found[TableName(row["schema_name"], row["table_name"])][row["constraint_name"]].append(row["column_name"])
    return {table: [Key(name, tuple(names)) for name, names in keys.items()] for table, keys in found.items()}


def _foreign_keys(rows: list[dict[str, Any]]) -> dict[TableName, list[ForeignKey]]:
    grouped: dict[tuple[TableName, str], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda item: int(item["key_sequence"])):
        table = TableName(row["fk_schema_name"], row["fk_table_name"])
        grouped[table, row["fk_name"]].append(row)
    found: dict[TableName, list[ForeignKey]] = defaultdict(list)
    for (table, name), parts in grouped.items():
        found[table].append(
            ForeignKey(
                name,
                tuple(part["fk_column_name"] for part in parts),
                TableName(parts[0]["pk_schema_name"], parts[0]["pk_table_name"]),
                tuple(part["pk_column_name"] for part in parts),
                enforced=False,
            )
        )
    return found
