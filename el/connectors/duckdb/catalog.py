"""DuckDB's catalog as a `Catalog`: tables, keys, foreign keys, checks, uniques, comments, row counts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import duckdb

from el.connectors.catalog import Catalog, Check, Column, ForeignKey, Key, SourceType, Table, TableName

_DECIMAL = re.compile(r"^DECIMAL\((\d+),\s*(\d+)\)$")


def source_type(declared: str) -> SourceType:
    """DuckDB's type text as a `SourceType`: "DECIMAL(10,2)" -> decimal, precision 10, scale 2.

    What stands in parentheses stays as it was declared: an enumeration's labels have a case.
    """
    decimal = _DECIMAL.match(declared)
    if decimal:
        return SourceType("decimal", precision=int(decimal[1]), scale=int(decimal[2]))
    name, parenthesis, arguments = declared.partition("(")
    return SourceType(name.lower() + parenthesis + arguments)


def read_catalog(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str] | None) -> Catalog:
    """Describe these schemas of the current database, or all of them."""
    cursor = connection.cursor()
    try:
        return _read(cursor, schemas)
    finally:
        cursor.close()


def _read(cursor: duckdb.DuckDBPyConnection, schemas: Sequence[str] | None) -> Catalog:
    database, version = _rows(cursor, "SELECT current_database(), version()")[0]
    columns: dict[TableName, list[Column]] = defaultdict(list)
    for schema, table, name, index, type_, nullable, default, comment, generated in _rows(
        cursor,
        """SELECT schema_name, table_name, column_name, column_index, data_type, is_nullable,
                  CASE WHEN is_generated THEN NULL ELSE column_default END, comment, generation_expression
           FROM duckdb_columns() WHERE database_name = current_database() AND NOT internal
           ORDER BY schema_name, table_name, column_index""",
    ):
        columns[TableName(schema, table)].append(
            Column(
                name=name,
                type=source_type(type_),
                nullable=nullable,
                position=index,
                computed=generated,
                default=default,
                comment=comment,
            )
        )
    keys: dict[TableName, dict[str, list[object]]] = defaultdict(lambda: defaultdict(list))
    for schema, table, kind, expression, names, name, referenced, referenced_names in _rows(
        cursor,
        """SELECT schema_name, table_name, constraint_type, expression, constraint_column_names,
                  constraint_name, referenced_table, referenced_column_names
           FROM duckdb_constraints() WHERE database_name = current_database()
           ORDER BY schema_name, table_name, constraint_index""",
    ):
        found = keys[TableName(schema, table)]
        if kind in ("PRIMARY KEY", "UNIQUE"):
            found[kind].append(Key(name, tuple(names)))
        elif kind == "CHECK":
            found[kind].append(Check(name, expression))
        elif kind == "FOREIGN KEY":
            # DuckDB's catalog names no schema of the referenced table, and allows no key across schemas
            # but by name: the table's own schema is what it resolves to.
            found[kind].append(ForeignKey(name, tuple(names), TableName(schema, referenced), tuple(referenced_names)))
    tables = []
    for schema, table, kind, rows, comment in _rows(
        cursor,
        """SELECT schema_name, table_name, 'table', estimated_size, comment FROM duckdb_tables()
           WHERE database_name = current_database() AND NOT internal AND NOT temporary
           UNION ALL
           SELECT schema_name, view_name, 'view', NULL, comment FROM duckdb_views()
           WHERE database_name = current_database() AND NOT internal
           ORDER BY 1, 2""",
    ):
        if schemas is not None and schema not in schemas:
            continue
        found = keys[TableName(schema, table)]
        primary = found["PRIMARY KEY"]
        tables.append(
            Table(
                name=TableName(schema, table),
                columns=tuple(columns[TableName(schema, table)]),
                kind=kind,
                primary_key=primary[0] if primary else None,  # type: ignore[arg-type]
                uniques=tuple(found["UNIQUE"]),  # type: ignore[arg-type]
                foreign_keys=tuple(found["FOREIGN KEY"]),  # type: ignore[arg-type]
                checks=tuple(found["CHECK"]),  # type: ignore[arg-type]
                rows=rows,
                comment=comment,
            )
        )
    return Catalog(database, f"DuckDB {version}", tuple(tables), snapshot_isolation=True)


def _rows(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:  # type: ignore[type-arg]
    return cursor.execute(sql).fetchall()
