"""Writing into DuckDB: staged in a temporary table, and read back in the target's own types."""

from __future__ import annotations

from el.connectors.catalog import TableName
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.catalog import source_type
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.incoming import Spool
from el.connectors.sql.select import Statement
from el.connectors.sql.write import SqlWrite
from el.connectors.sql.write_job import TargetColumn
from el.errors import WriteError

TYPES = ColumnTypes(
    plain={
        "bool": "BOOLEAN",
        "int8": "TINYINT",
        "int16": "SMALLINT",
        "int32": "INTEGER",
        "int64": "BIGINT",
        "uint8": "UTINYINT",
        "uint16": "USMALLINT",
        "uint32": "UINTEGER",
        "float": "FLOAT",
        "double": "DOUBLE",
        "date32[day]": "DATE",
        **dict.fromkeys(("string", "large_string", "null"), "VARCHAR"),
        **dict.fromkeys(("binary", "large_binary"), "BLOB"),
    },
    decimal="DECIMAL({precision},{scale})",
    time="TIME",
    moment="TIMESTAMP",
    instant="TIMESTAMP WITH TIME ZONE",
    digits=6,
)


class DuckDbWrite(SqlWrite[DuckDb]):
    types = TYPES
    ledger_columns = (
        "run_id VARCHAR NOT NULL, target VARCHAR NOT NULL, mode VARCHAR NOT NULL, row_count BIGINT NOT NULL, "
        "written_at TIMESTAMP NOT NULL, PRIMARY KEY (target, run_id)"
    )
    ledger_row = "VALUES (?, ?, ?, ?, CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP))"

    def staging_table(self, name: str) -> TableName:
        # What is temporary stands in a schema of its own.
        return TableName("temp", name)

    def target_columns(self, table: TableName) -> list[TargetColumn]:
        rows = self.session.fetch(
            Statement(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
                "AND schema_name = ? AND table_name = ? AND generation_expression IS NULL ORDER BY column_index",
                (table.schema, table.name),
            )
        )
        if not rows:
            self._refuse_a_missing_schema(table)
        return [TargetColumn(str(name), source_type(str(type_))) for name, type_ in rows]

    def _refuse_a_missing_schema(self, table: TableName) -> None:
        # The database's own words come from the ledger, which is made first, and name neither the table nor a way out.
        there = (
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = current_database() AND lower(schema_name) = lower(?)"
        )
        if not self.session.fetch(Statement(there, (table.schema,))):
            wanted = f"CREATE SCHEMA {self.quote(table.schema)}"
            raise WriteError(f"{table}: there is no schema {table.schema}; a write makes tables alone: {wanted}")

    def fill(self, spool: Spool) -> None:
        connection = self.session.connection
        names = self.listed(spool.schema.names)
        connection.register("el_incoming", spool.reader())
        try:
            self.session.execute(Statement(f"INSERT INTO {self.staged} ({names}) SELECT {names} FROM el_incoming"))
        finally:
            connection.unregister("el_incoming")
