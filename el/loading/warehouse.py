"""A warehouse: where raw lives. How dlt is set up for it, and the few questions that el asks of it.

Guarantees: what is read of the ledger belongs to complete loads only; `discard` removes exactly one load's rows.
The rest of the code does not know which warehouse it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from sqlglot import exp

from el.connectors.catalog import TableName
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.extraction.digest import Way
from el.extraction.file_sizes import FileSizes
from el.loading.canonical import Canonical
from el.loading.digest import Held, Summing, Wanted
from el.loading.express import Express
from el.loading.ledger import LEDGER_TABLE
from el.loading.lock import Holder, StillOurs
from el.loading.widening import can_widen
from el.planning.columns import TableComment
from el.planning.drift import Widened
from el.planning.held import COLUMNS_TABLE, HeldTable, held_tables
from el.planning.ledger import LedgerEntry
from el.types.limits import Limits
from el.types.mapping import TypeMapping

LOADS_TABLE = "_dlt_loads"
VERSION_TABLE = "_dlt_version"


class Warehouse(ABC):
    """One destination, over its connector. `naming` is that of el.yml's `raw`."""

    loader_workers: ClassVar[int]  # how many files dlt loads at a time
    file_sizes: ClassVar[FileSizes]  # how large landing files get, where el.yml does not say
    keeps_json: ClassVar[bool] = False  # has a type for JSON that keeps its text as it is
    canonical: ClassVar[Canonical]  # how it writes a row as one number
    # The text of a document: of raw's "{column}" as staging makes it, and of staging's own.
    documents: ClassVar[tuple[str, str]] = ("CAST({column} AS VARCHAR)", "CAST({column} AS VARCHAR)")
    # From so many rows on, verification has it sum them up rather than hand them over; None: that never costs more.
    sums_from_rows: ClassVar[int | None] = None
    summing: ClassVar[Summing]  # how it makes the digest of a load
    windows_are_dear: ClassVar[bool] = False  # a window over all columns of a table costs many times its scan
    own_limits: ClassVar[Limits] = Limits()  # of one value, where el.yml's `limits` say nothing else

    def __init__(
        self,
        connector: SqlConnector,
        naming: Literal["snake_case", "preserve"],
        *,
        text_mb: int | None = None,
        binary_mb: int | None = None,
    ) -> None:
        self.connector = connector
        self.naming = naming
        self.limits = self.own_limits.but(text_mb, binary_mb)

    @abstractmethod
    def types_of(self, mapping: TypeMapping) -> tuple[str, str]:
        """The type of a column in raw, and the one that staging makes of it."""

    @abstractmethod
    def dlt_destination(self, raw_schema: str, run_id: str) -> Any:
        """dlt's destination object, for the loads of one raw schema."""

    @abstractmethod
    def prepare(self, raw_schema: str) -> None:
        """Create what must be there before dlt comes: the raw schema, a stage."""

    @abstractmethod
    def locked(self, raw_schemas: Sequence[str], holder: Holder, lease: timedelta) -> AbstractContextManager[StillOurs]:
        """Keep other runs away from these raw schemas while inside. Raises `RunLocked` where another one is at work."""

    @contextmanager
    def frugal(self, columns: int) -> Iterator[SqlConnector]:
        """The connector, open for a statement over a whole table: little of this machine's memory goes into it.

        columns: how many of them it is over.
        """
        with self.connector as connector:
            yield connector

    def kept_open(self) -> AbstractContextManager[None]:
        """Spare each question asked inside the cost of a connection, where one costs more than a session's question."""
        return nullcontext()

    def taken_schemas(self) -> frozenset[str]:
        """Names in lower case that no raw schema can have here."""
        return frozenset({"information_schema"})

    def clashes(self, raw_schema: str, tables: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Raw table -> what raw holds already that this warehouse cannot tell from it, or from one of its columns."""
        return {}

    def fold(self, name: str) -> str:
        """A name as this warehouse stores it."""
        return name

    @property
    def naming_module(self) -> str:
        """dlt's naming convention that leaves names as el made them."""
        return "el.loading.naming" if self.naming == "snake_case" else "el.loading.naming_preserve"

    def qualified(self, raw_schema: str, table: str) -> str:
        """Schema and table, quoted."""
        return self.connector.dialect.quote_table(TableName(self.fold(raw_schema), self.fold(table)))

    def column(self, name: str) -> str:
        """A column's name, quoted."""
        return self.connector.dialect.quote(self.fold(name))

    def tables(self, raw_schema: str) -> set[str]:
        """The tables that the raw schema has, as the warehouse stores their names; empty if it is not there."""
        rows = self.connector.fetch(
            Statement(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", (self.fold(raw_schema),)
            )
        )
        return {str(row[0]) for row in rows}

    def ledger(self, raw_schema: str, there: set[str] | None = None) -> dict[str, LedgerEntry]:
        """The last complete load of each raw table, by the table's name. there: what `tables` said."""
        there = self.tables(raw_schema) if there is None else there
        if not {self.fold(LEDGER_TABLE), self.fold(LOADS_TABLE)} <= there:
            return {}
        # A ledger that an older el began lacks the columns that a newer one adds with its first load.
        held = self.columns_of(raw_schema, LEDGER_TABLE)
        entry = (
            *("_dlt_load_id", "table_name", "source_table", "kind", "strategy", "bound_column", "upper_bound"),
            *("row_count", "fingerprint", "finished_at", "incarnation", "definition", "source"),
        )
        columns = [f"l.{self.column(name)}" if self.fold(name) in held else "NULL" for name in entry]
        keys_read = "CASE WHEN l.{kind} = 'snapshot' THEN l.{started} END"
        if self.fold("keys_read_at") in held:
            keys_read = f"COALESCE(l.{{keys}}, {keys_read})"
        names = {"kind": "kind", "started": "started_at", "keys": "keys_read_at", "table": "table_name"}
        named = {key: self.column(name) for key, name in names.items()}
        columns.append(f"MAX({keys_read.format(**named)}) OVER (PARTITION BY l.{named['table']})")
        rows = self.connector.fetch(
            Statement(
                f"SELECT {', '.join(columns)} FROM {self.qualified(raw_schema, LEDGER_TABLE)} AS l "
                f"WHERE l.{self.column('_dlt_load_id')} IN ({self.complete_ids(raw_schema)}) "
                f"QUALIFY row_number() OVER (PARTITION BY l.{named['table']} "
                f"ORDER BY l.{self.column('_dlt_load_id')} DESC) = 1"
            )
        )
        stored = {name.lower() for name in there}
        return {str(row[1]): _entry(row, gone=self.fold(str(row[1])).lower() not in stored) for row in rows}

    def held_tables(self, raw_schema: str, there: set[str] | None = None) -> dict[str, HeldTable]:
        """What each raw table that is there was last loaded with, by complete loads, by the table's name."""
        there = self.tables(raw_schema) if there is None else there
        if not {self.fold(COLUMNS_TABLE), self.fold(LOADS_TABLE)} <= there:
            return {}
        entry = (
            *("_dlt_load_id", "table_name", "column_name", "source_column", "source_type", "nullable"),
            *("column_id", "table_id", "landed_as", "stands_for", "loses"),
        )
        columns = ", ".join(f"c.{self.column(name)}" for name in entry)
        by = ", ".join(f"c.{self.column(name)}" for name in ("table_name", "column_name"))
        rows = self.connector.fetch(
            Statement(
                f"SELECT {columns} FROM {self.qualified(raw_schema, COLUMNS_TABLE)} AS c "
                f"WHERE c.{self.column('_dlt_load_id')} IN ({self.complete_ids(raw_schema)}) "
                f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY c.{self.column('_dlt_load_id')} DESC) = 1"
            )
        )
        named = {name.lower() for name in there}
        return held_tables([row for row in rows if self.fold(str(row[1])).lower() in named], self.can_widen)

    def drop_unseen(self, raw_schema: str, tables: Sequence[str]) -> None:
        """Drop those of el's tables of which no load is complete: made by a run that came to nothing, with the types of
        its time. Nobody has seen a row of them; what el did not make stays.
        """
        there, known = {name.lower() for name in self.tables(raw_schema)}, self.ledger(raw_schema)
        load, loads = self.column("_dlt_load_id"), self.fold(LOADS_TABLE).lower()
        for table in tables:
            if table in known or self.fold(table).lower() not in there:
                continue
            if not {self.fold(name) for name in ("_dlt_load_id", "_el_op")} <= self.columns_of(raw_schema, table):
                continue
            place = self.qualified(raw_schema, table)
            seen = f"{load} IS NULL" + (f" OR {load} IN ({self.complete_ids(raw_schema)})" if loads in there else "")
            if not self.connector.fetch(Statement(f"SELECT 1 FROM {place} WHERE {seen} LIMIT 1")):
                self.connector.execute(Statement(f"DROP TABLE {place}"))

    def look_again(self, raw_schema: str, tables: Sequence[str]) -> None:
        """Where one of these tables is not there, have dlt look: it takes a schema that it made once for there."""
        there = self.tables(raw_schema)
        if self.fold(VERSION_TABLE) in there and not {self.fold(table) for table in tables} <= there:
            self.connector.execute(Statement(f"DELETE FROM {self.qualified(raw_schema, VERSION_TABLE)}"))

    def can_widen(self, before: str, now: str) -> bool:
        """Whether a raw column that stands for `before` can become one of `now` and keep each value."""
        return can_widen(before, now)

    @abstractmethod
    def widen(self, raw_schema: str, table: str, columns: Sequence[Widened]) -> None:
        """Give these raw columns the types that their values now need; what they hold stays the same. Repeatable."""

    def require_plain(self, raw_schema: str, table: str, columns: Sequence[str] | None = None) -> None:
        """Raise `NotPermitted` where this login may be shown other rows or values of a raw table than it holds.

        columns: only these may not be masked; None: none may. By itself a warehouse shows what it holds.
        """
        return

    @abstractmethod
    def comment(self, raw_schema: str, comments: Mapping[str, TableComment]) -> None:
        """Comment raw tables and their columns."""

    def mark_run(self, raw_schema: str, began: datetime) -> None:
        """Say when the last run began that took all tables of a raw schema and failed in none, if it loaded or not.

        It is the end of a comment, which in Snowflake wakes no warehouse; the dbt project asks its freshness there.
        """
        said = (
            f"One row a table and load. The last whole run of el that failed nowhere began at {began:%Y-%m-%d %H:%M:%S}"
        )
        ledger = self.qualified(raw_schema, LEDGER_TABLE)
        self.connector.execute(Statement(f"COMMENT ON TABLE {ledger} IS {self.literal(said)}"))

    def express(self) -> Express | None:
        """What reads files by itself, where this warehouse can."""
        return None

    def put_files(self, raw_schema: str, package: Path) -> None:
        """Send the files of a package to where they are loaded from, where that is not where they lie.

        Raises `LoadError`, and is called again then.
        """
        return

    def forget_staged(self, raw_schema: str) -> None:
        """Remove files that were put beside a raw schema to be loaded; only ever called when none waits there."""
        return

    def literal(self, text: str) -> str:
        """A text as this warehouse writes it in SQL, where it takes no parameter."""
        return exp.Literal.string(text).sql(dialect=self.connector.dialect.name)

    def columns_of(self, raw_schema: str, table: str) -> set[str]:
        """A table's columns, as the warehouse stores their names."""
        rows = self.connector.fetch(
            Statement(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ?",
                (self.fold(raw_schema), self.fold(table)),
            )
        )
        return {str(row[0]) for row in rows}

    def move_bound(self, raw_schema: str, table: str, load_id: str, upper: str | None) -> None:
        """Put the bound that the next run begins at elsewhere; None: it takes a new snapshot."""
        names = {name: self.column(name) for name in ("upper_bound", "fingerprint", "table_name", "_dlt_load_id")}
        sql = (
            f"UPDATE {self.qualified(raw_schema, LEDGER_TABLE)} SET {names['upper_bound']} = ?, "
            f"{names['fingerprint']} = NULL WHERE {names['table_name']} = ? AND {names['_dlt_load_id']} = ?"
        )
        self.connector.execute(Statement(sql, (upper, table, load_id)))

    def complete_loads(self, raw_schema: str, load_ids: Sequence[str]) -> set[str]:
        """Which of these loads are complete."""
        if not load_ids or self.fold(LOADS_TABLE) not in self.tables(raw_schema):
            return set()
        rows = self.connector.fetch(Statement(self.complete_ids(raw_schema)))
        return {str(row[0]) for row in rows} & set(load_ids)

    def last_load(self, raw_schema: str) -> str | None:
        """The greatest load id that was ever begun or completed in this schema."""
        if self.fold(LOADS_TABLE) not in self.tables(raw_schema):
            return None
        sql = f"SELECT max({self.column('load_id')}) FROM {self.qualified(raw_schema, LOADS_TABLE)}"
        found = self.connector.fetch(Statement(sql))[0][0]
        return None if found is None else str(found)

    def held(self, raw_schema: str, load_id: str, tables: Mapping[str, Wanted]) -> dict[str, Held]:
        """What each table holds of one load: how many rows, and their digest, where one is wanted."""
        found = {}
        for table, wanted in tables.items():
            sums = self._sums(wanted)
            sql = (
                f"SELECT {', '.join(['count(*)', *sums])} FROM {self.qualified(raw_schema, table)} "
                f"WHERE {self.column('_dlt_load_id')} = ?"
            )
            rows, *further = self.connector.fetch(Statement(sql, (load_id,)))[0]
            found[table] = self.summing.held(rows, further, wanted.schema)
        return found

    def digest_way(self, wanted: bool | None) -> Way | None:
        """How the digest of a load is made; None where there is none. wanted: what el.yml says."""
        return self.summing.way if (self.summing.by_default if wanted is None else wanted) else None

    def _sums(self, wanted: Wanted) -> list[str]:
        if wanted.schema is None:
            return []
        return self.summing.columns(wanted.schema, {name: self.column(name) for name in wanted.schema.names})

    def discard(self, raw_schema: str, load_id: str, tables: Sequence[str]) -> int:
        """Remove one load's rows from these tables, those of them that exist; how many went."""
        there = self.tables(raw_schema)
        gone = 0
        for table in tables:
            if self.fold(table) in there:
                sql = f"DELETE FROM {self.qualified(raw_schema, table)} WHERE {self.column('_dlt_load_id')} = ?"
                gone += max(0, self.connector.execute(Statement(sql, (load_id,))))
        return gone

    def hide(self, raw_schema: str, load_id: str) -> None:
        """Mark a load as not complete, so that no reader sees it."""
        sql = (
            f"UPDATE {self.qualified(raw_schema, LOADS_TABLE)} SET {self.column('status')} = 1 "
            f"WHERE {self.column('load_id')} = ?"
        )
        self.connector.execute(Statement(sql, (load_id,)))

    def complete_ids(self, raw_schema: str) -> str:
        """The query that gives the ids of complete loads."""
        return (
            f"SELECT {self.column('load_id')} FROM {self.qualified(raw_schema, LOADS_TABLE)} "
            f"WHERE {self.column('status')} = 0"
        )


def _entry(row: Sequence[object], *, gone: bool) -> LedgerEntry:
    def text(value: object) -> str | None:
        return None if value is None else str(value)

    load_id, table, source, kind, strategy, bound_column, upper, rows, fingerprint, finished, *further = row
    incarnation, definition, database, keys = further
    return LedgerEntry(
        load_id=str(load_id),
        table_name=str(table),
        source_table=str(source),
        kind=str(kind),
        strategy=str(strategy),
        bound_column=text(bound_column),
        upper=text(upper),
        rows=int(str(rows)),
        fingerprint=text(fingerprint),
        finished_at=finished if isinstance(finished, datetime) else None,
        incarnation=text(incarnation),
        keys_read_at=keys if isinstance(keys, datetime) else None,
        definition=text(definition),
        source=text(database),
        gone=gone,
    )
