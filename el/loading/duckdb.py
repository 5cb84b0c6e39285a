"""A DuckDB file as the warehouse: the local target, on a machine with no Snowflake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt
import duckdb
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.errors import ElError
from el.extraction.file_sizes import MB, FileSizes
from el.loading.canonical import DUCKDB
from el.loading.digest import Summing
from el.loading.lock import Holder, StillOurs, file_lock
from el.loading.warehouse import Warehouse
from el.planning.columns import TableComment
from el.planning.drift import Widened
from el.types.mapping import TypeMapping

# DuckDB takes most of the machine's memory for itself unless told otherwise.
LOAD_SETTINGS = {"memory_limit": "192MB", "preserve_insertion_order": "false"}
# For a statement over all of a table. What two parts of it read alike would be gathered, which is the whole table.
_FRUGAL_MB, _COLUMN_MB = 128, 0.5
FRUGAL_SETTINGS = {
    "memory_limit": f"{_FRUGAL_MB}MB",
    "preserve_insertion_order": "false",
    "disabled_optimizers": "common_subplan",
}

# Landing type -> the text in which SQL Server writes the same time with seven digits.
_AS_TEXT = {
    "date32[day]": "strftime({column}, '%Y-%m-%d') || ' 00:00:00.0000000'",
    "timestamp[us]": "strftime({column}, '%Y-%m-%d %H:%M:%S.%f') || '0'",
    "time64[us]": "strftime(DATE '2000-01-01' + {column}, '%H:%M:%S.%f') || '0'",
    "timestamp[us, tz=UTC]": "strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f') || '0 +00:00'",
}


class DuckDbWarehouse(Warehouse):
    """Loads by `INSERT INTO ... SELECT FROM read_parquet`, one file a slice: DuckDB reads its row groups side by side.

    Many small files cost a checkpoint each: eight of them took 1.6 times the processor time of one.
    """

    loader_workers = 2
    file_sizes = FileSizes(1024 * MB)
    keeps_json = True
    canonical = DUCKDB
    summing = Summing("hash", {}, by_default=True)
    windows_are_dear = True

    def types_of(self, mapping: TypeMapping) -> tuple[str, str]:
        return mapping.duckdb, mapping.target_duckdb

    def dlt_destination(self, raw_schema: str, run_id: str) -> Any:
        path = self.connector.config.path
        # dlt takes a relative path from the folder in which the package was begun, and both may have been moved.
        place = path if path == ":memory:" else str(Path(path).absolute())
        credentials = DuckDbCredentials(place, global_config=dict(LOAD_SETTINGS))
        return dlt.destinations.duckdb(credentials, naming_convention=self.naming_module)

    def locked(self, raw_schemas: Sequence[str], holder: Holder, lease: timedelta) -> AbstractContextManager[StillOurs]:
        """The file's own lock is not enough: between two connections of a run, another run could begin."""
        path = self.connector.config.path
        if path == ":memory:":
            return nullcontext(lambda _: None)
        # What follows a "?" in the path may be a token.
        return file_lock(Path(f"{self.connector.config.place}.lock"), holder)

    @contextmanager
    def frugal(self, columns: int) -> Iterator[SqlConnector]:
        """What has no room goes on disk, beside the file; but of each column something has to be in memory."""
        settings = {**FRUGAL_SETTINGS, "memory_limit": f"{max(_FRUGAL_MB, columns * _COLUMN_MB):.0f}MB"}
        with super().frugal(columns) as connector:
            for setting, value in settings.items():
                # A DuckDB of another version may not know it, and does without.
                with suppress(ElError):
                    if setting not in self.connector.config.settings:
                        connector.execute(Statement(f"SET {setting} = '{value}'"))
            yield connector

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """What is opened meanwhile is this one once more: to open a file costs 15 ms, and a checkpoint at its end.

        While a source's rows are read the file is free, and another process may look into it. With settings of its
        own it cannot be shared with dlt.
        """
        config = self.connector.config
        with ExitStack() as stack:
            if not (config.read_only or config.settings):
                # A file that cannot be opened is told by who asks something of it.
                with suppress(duckdb.Error):
                    stack.enter_context(duckdb.connect(config.path))
            yield

    def taken_schemas(self) -> frozenset[str]:
        """With a database's own name, DuckDB does not know which of the two is meant."""
        own = Path(self.connector.config.path).stem.lower()
        return super().taken_schemas() | {own, "temp", "system", "pg_catalog"}

    def clashes(self, raw_schema: str, tables: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """DuckDB keeps the case of names, and does not tell two by it."""
        rows = self.connector.fetch(
            Statement(
                "SELECT table_schema, table_name, column_name FROM information_schema.columns "
                "WHERE table_catalog = current_database() AND lower(table_schema) = lower(?)",
                (raw_schema,),
            )
        )
        held: dict[str, dict[str, str]] = {}
        for schema, table, column in rows:
            if schema != raw_schema:
                return dict.fromkeys(tables, f"the schema {schema}")
            columns = held.setdefault(str(table).lower(), {"": str(table)})
            columns[str(column).lower()] = str(column)
        found = {}
        for table, names in tables.items():
            columns = held.get(table.lower(), {"": table})
            if columns[""] != table:
                found[table] = f"the table {columns['']}"
            elif other := [f"the column {columns[n.lower()]}" for n in names if columns.get(n.lower(), n) != n]:
                found[table] = other[0]
        return found

    def prepare(self, raw_schema: str) -> None:
        self.connector.execute(Statement(f"CREATE SCHEMA IF NOT EXISTS {self.connector.dialect.quote(raw_schema)}"))

    def comment(self, raw_schema: str, comments: Mapping[str, TableComment]) -> None:
        """What is new is said, in one transaction: a commit of its own costs each more than itself."""
        held = self._comments(raw_schema)
        with self.connector.transaction():
            for table, said in comments.items():
                place = self.qualified(raw_schema, table)
                texts = {(table, ""): (f"TABLE {place}", said.text)}
                for name, text in said.columns.items():
                    texts[table, name] = (f"COLUMN {place}.{self.column(name)}", text)
                new = [found for key, found in texts.items() if held.get(key) != found[1]]
                if new:
                    sql = "; ".join(f"COMMENT ON {what} IS {self.literal(text)}" for what, text in new)
                    self.connector.execute(Statement(sql))

    def _comments(self, raw_schema: str) -> dict[tuple[str, str], str]:
        """(table, column) -> its comment; the table's own beside no column."""
        where = "database_name = current_database() AND schema_name = ? AND comment IS NOT NULL"
        rows = self.connector.fetch(
            Statement(
                f"SELECT table_name, '', comment FROM duckdb_tables() WHERE {where} "
                f"UNION ALL SELECT table_name, column_name, comment FROM duckdb_columns() WHERE {where}",
                (raw_schema, raw_schema),
            )
        )
        return {(str(table), str(column)): str(said) for table, column, said in rows}

    def widen(self, raw_schema: str, table: str, columns: Sequence[Widened]) -> None:
        place = self.qualified(raw_schema, table)
        rows = self.connector.fetch(
            Statement(
                "SELECT column_name, data_type FROM duckdb_columns() "
                "WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
                (raw_schema, table),
            )
        )
        types = {str(name): str(type_) for name, type_ in rows}
        with self.connector.transaction():
            for column in columns:
                wanted = column.plan.mapping.duckdb
                if types[column.plan.name] == wanted:
                    continue
                name = self.column(column.plan.name)
                made = _AS_TEXT[column.before] if wanted == "VARCHAR" else f"CAST({{column}} AS {wanted})"
                using = made.replace("{column}", name)
                self.connector.execute(
                    Statement(f"ALTER TABLE {place} ALTER COLUMN {name} TYPE {wanted} USING {using}")
                )
