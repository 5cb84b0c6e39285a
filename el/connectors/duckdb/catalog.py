"""DuckDB's catalog as a `Catalog`: tables, keys, foreign keys, checks, uniques, comments, row counts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from el.connectors.catalog import ONE_MOMENT, Catalog, Check, Column, ForeignKey, Key, SourceType, Table, TableName

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
    columns, constraints = _columns(cursor), _constraints(cursor)
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
        name = TableName(schema, table)
        found = constraints[name]
        tables.append(
            Table(
                name=name,
                columns=tuple(columns[name]),
                kind=kind,
                primary_key=found.primary[0] if found.primary else None,
                uniques=tuple(found.uniques),
                foreign_keys=tuple(found.foreign),
                checks=tuple(found.checks),
                rows=rows,
                comment=comment,
                consistency=ONE_MOMENT,
            )
        )
    return Catalog(database, f"DuckDB {version}", tuple(tables), consistency=ONE_MOMENT)


def _columns(cursor: duckdb.DuckDBPyConnection) -> dict[TableName, list[Column]]:
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
                column_id=index,
                computed=generated,
                default=default,
                comment=comment,
            )
        )
    return columns


@dataclass(slots=True)
class _Constraints:
    """Those of one table."""

    primary: list[Key] = field(default_factory=list)
    uniques: list[Key] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    foreign: list[ForeignKey] = field(default_factory=list)


def _constraints(cursor: duckdb.DuckDBPyConnection) -> dict[TableName, _Constraints]:
    found: dict[TableName, _Constraints] = defaultdict(_Constraints)
    for schema, table, kind, expression, names, name, referenced, referenced_names in _rows(
        cursor,
        """SELECT schema_name, table_name, constraint_type, expression, constraint_column_names,
                  constraint_name, referenced_table, referenced_column_names
           FROM duckdb_constraints() WHERE database_name = current_database()
           ORDER BY schema_name, table_name, constraint_index""",
    ):
        of_table = found[TableName(schema, table)]
        if kind in ("PRIMARY KEY", "UNIQUE"):
            (of_table.primary if kind == "PRIMARY KEY" else of_table.uniques).append(Key(name, tuple(names)))
        elif kind == "CHECK":
            of_table.checks.append(Check(name, expression))
        elif kind == "FOREIGN KEY":
            # DuckDB's catalog names no schema of the referenced table, and allows no key across schemas
            # but by name: the table's own schema is what it resolves to.
            of_table.foreign.append(
                ForeignKey(name, tuple(names), TableName(schema, referenced), tuple(referenced_names))
            )
    return found


def _rows(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:  # type: ignore[type-arg]
    return cursor.execute(sql).fetchall()
