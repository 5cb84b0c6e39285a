"""A load of files that the warehouse reads by itself: dlt makes the tables, one transaction fills them.

Guarantee: the rows, their ledgers, and the mark in `_dlt_loads` that makes them count, commit together or not at all.
So nothing waits in a working folder, and a run that is killed, wherever, has loaded the files or has not.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import dlt
import pyarrow as pa

from el.connectors.sql.select import Statement
from el.errors import LoadError
from el.extraction.landing import LandedTable
from el.extraction.slice import STEP
from el.loading.dlt_package import as_load_error, safe_name, source_of
from el.loading.express import Copied, Express, StagedGroup, Target, portions
from el.loading.file_ledger import FILES_SCHEMA, FILES_TABLE
from el.loading.ledger import LEDGER_SCHEMA, LEDGER_TABLE
from el.loading.load import PackedFiles, SchemaLoad
from el.loading.package import Loader
from el.loading.warehouse import LOADS_TABLE
from el.planning.held import COLUMNS_SCHEMA, COLUMNS_TABLE

# Of a ledger: so many rows are written with one statement.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Made:
    """What dlt calls the schema with which it made the tables."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ExpressLoad:
    """The load of one raw table, over a connection that is open all the while."""

    work: SchemaLoad
    express: Express
    target: Target

    def make_tables(self, packed: PackedFiles) -> Made:
        """Have dlt make the raw table and el's own, with the columns that a package would give them."""
        work, name = self.work, safe_name(self.work.schema)
        own = [
            LandedTable(LEDGER_TABLE, LEDGER_SCHEMA, ()),
            LandedTable(FILES_TABLE, FILES_SCHEMA, ()),
            LandedTable(COLUMNS_TABLE, COLUMNS_SCHEMA, ()),
        ]
        tables = [replace(packed.table, files=()), *own]
        fresh = [packed.table.name] if packed.fresh else []
        work.prepare([table.name for table in tables], fresh)
        # In a folder of the run's own: it is no package that could wait to be loaded.
        home: Path = work.spool / work.schema / "express"
        pipeline = Loader(work.warehouse, work.schema, home, work.job.run_id, retries=0).pipeline()
        with as_load_error(work.schema):
            pipeline.extract(source_of(dlt.Schema(name), tables), loader_file_format="parquet")
            pipeline.normalize()
            pipeline.sync_schema()
        sys.audit(STEP, "tables of the express way made")
        return Made(name, pipeline.default_schema.version_hash)

    def commit(
        self, made: Made, packed: PackedFiles, groups: Sequence[StagedGroup], copied: Mapping[str, Copied]
    ) -> None:
        """Raises `LoadError` where other rows come into raw than were read; then nothing is loaded."""
        work, schema = self.work, self.work.schema
        work.still_ours()
        wanted = sum(read.rows for read in copied.values())
        with work.warehouse.connector.transaction():
            rows = sum(self.express.insert(self.target, number, group, copied) for number, group in enumerate(groups))
            if rows != wanted:
                raise LoadError(f"{schema}.{packed.table.name}: {rows:,} of {wanted:,} rows came into raw")
            sys.audit(STEP, "rows of the express way inserted")
            self._note(FILES_TABLE, FILES_SCHEMA, packed.files)
            self._note(COLUMNS_TABLE, COLUMNS_SCHEMA, packed.columns)
            self._note(LEDGER_TABLE, LEDGER_SCHEMA, [packed.ledger])
            self._complete(made)
            sys.audit(STEP, "express load noted")
        sys.audit(STEP, "express load committed")

    def _note(self, table: str, schema: pa.Schema, rows: Sequence[Mapping[str, object]]) -> None:
        """What all rows have in common is said once, for a statement's length has an end."""
        if not rows:
            return
        warehouse = self.work.warehouse
        place = warehouse.qualified(self.work.schema, table)
        alike = [name for name in schema.names if all(row[name] == rows[0][name] for row in rows)]
        other = [name for name in schema.names if name not in alike]
        names = ", ".join(warehouse.column(name) for name in (*alike, *other))
        said = ", ".join([*(self._literal(rows[0][name]) for name in alike), *(f"v.c{n}" for n in range(len(other)))])
        into = f"INSERT INTO {place} ({names}) SELECT {said}"
        if not other:
            warehouse.connector.execute(Statement(into))
            return
        values = [f"({', '.join(self._literal(row[name]) for name in other)})" for row in rows]
        head = ", ".join(f"c{n}" for n in range(len(other)))
        for some in portions(values, _AT_ONCE):
            warehouse.connector.execute(Statement(f"{into} FROM (VALUES {', '.join(some)}) AS v({head})"))

    def _literal(self, value: object) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bool | int):
            return str(value).upper()
        text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
        return self.work.warehouse.literal(text)

    def _complete(self, made: Made) -> None:
        """The row with which dlt says that a load is complete."""
        warehouse = self.work.warehouse
        names = ("load_id", "schema_name", "status", "inserted_at", "schema_version_hash")
        values = [self._literal(value) for value in (self.target.load_id, made.name, 0)]
        values += ["CURRENT_TIMESTAMP", self._literal(made.version)]
        warehouse.connector.execute(
            Statement(
                f"INSERT INTO {warehouse.qualified(self.work.schema, LOADS_TABLE)} "
                f"({', '.join(warehouse.column(name) for name in names)}) SELECT {', '.join(values)}"
            )
        )
