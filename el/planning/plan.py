"""The plan as values: for every table its strategy and why, its keys, its columns' types, its window.

Guarantee: a plan is a value: it can be printed, compared, and handed to any executor. `el.planning.make_plan` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from el.config.verify import VerifySettings
from el.connectors.catalog import Catalog, Consistency, TableName
from el.connectors.request import Isolation, ReadRequest
from el.errors import ElError, of_table
from el.planning.columns import ColumnPlan
from el.planning.drift import Drift
from el.planning.keys import KeyRule
from el.planning.ledger import LedgerEntry
from el.planning.strategies.earlier import EarlierRead
from el.planning.strategies.key_set import KeyRead
from el.planning.strategies.window import Window


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table on its way from the source into raw."""

    name: TableName
    raw_schema: str
    raw_table: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]  # names in raw, in the key's order
    strategy: str
    why: str  # why this strategy, in words
    guarantee: str  # what the strategy is sure of, in words
    window: Window | None  # None: there is nothing new for certain
    reads: tuple[ReadRequest, ...]  # the window's slices
    corrected: bool = False  # the next load brings what changes while a snapshot is read
    # The buffer's column that orders the rows; None for a strategy without order. Where the column itself is not taken,
    # it is read besides, under a name of el's own.
    position_column: str | None = None
    consistency: Consistency = field(default_factory=Consistency)  # what its reads see, as things are at the source
    isolation: Isolation = Isolation.DEFAULT
    rows: int | None = None  # the catalog's estimate
    bytes: int | None = None  # the catalog's estimate
    last: LedgerEntry | None = None  # the load behind which the window begins
    skip_unchanged: bool = True  # a snapshot whose content raw holds already is not loaded again
    notes: tuple[str, ...] = ()
    drift: Drift = field(default_factory=lambda: Drift(()))  # what changed at the source since raw was loaded
    table_id: int | None = None  # the database's own lasting id of the table
    keys: KeyRead | None = None  # the read of the key set, where one is due
    keys_not_before: datetime | None = None  # UTC: when it is due, where el.yml asks for one and it is not due yet
    look: KeyRead | None = None  # a second read of the keys, where a snapshot may have missed rows or doubled some
    unique: bool = False  # the source itself sees to it that no two rows have one key
    error: ElError | None = None  # why this table cannot go on while others can
    whole: ReadRequest | None = None  # the read of all its rows, whatever was read before
    shows_deletes: bool = False  # the strategy itself sees rows that are gone
    definition: str | None = None  # what el.yml made of the table: see `el.planning.definition`
    source: str | None = None  # the database that it comes from: see `el.planning.definition`
    key_unproven: bool = False  # the key is el.yml's, and the catalog does not say that no two rows have the same
    equal: KeyRule | None = None  # how the key compares, where that is not by bytes
    reads_again: bool = False  # rows are read again that raw may hold already
    misfits_stop: bool = False  # a value that does not fit its promoted column stops the table
    anew: bool = False  # raw was loaded before, and the last load is none to go on from
    verify: VerifySettings | None = None  # how `verify` compares it; None: all, each time
    # Of a snapshot that a later run may go on with: what tells it from any other (`el.planning.resumed`).
    read_digest: str | None = None
    splits: str | None = None  # of such a one, how it is cut
    earlier: EarlierRead | None = None  # what an earlier run read of it, and this one does not read again
    personal: frozenset[str] = frozenset()  # the columns, by their names in raw, of which el.yml says so (`pii`)

    @property
    def of_one_moment(self) -> bool:
        """Whether each read of it sees one moment."""
        return self.isolation is Isolation.SNAPSHOT or self.consistency.statement

    @property
    def stopped(self) -> str | None:
        """Why nothing of this table is read, in words; None if it is."""
        why = self.drift.stopped if self.drift.stopped is not None else self.error
        return None if why is None else of_table(str(self.name), str(why))

    def key_schema(self) -> pa.Schema:
        """The key's columns as they stand in raw, in key order."""
        landed = self.landed_schema()
        return pa.schema([landed.field(name) for name in self.key])

    def landed_schema(self) -> pa.Schema:
        """The source columns as they stand in raw, in order, without the landing columns."""
        return pa.schema([pa.field(column.name, column.mapping.arrow) for column in self.columns])


@dataclass(frozen=True, slots=True)
class Refused:
    """A table of el.yml that cannot be planned, or an entry that no table fits, and why."""

    name: TableName
    place: tuple[str, str]  # raw schema and raw table
    error: ElError

    def __str__(self) -> str:
        """The reason, in which the table's name stands."""
        return of_table(str(self.name), str(self.error))


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run will do."""

    source: str
    catalog: Catalog
    tables: tuple[TablePlan, ...]
    notes: tuple[str, ...] = ()  # of the run as a whole: how its tables agree, what the source is under
    refused: tuple[Refused, ...] = ()  # the tables that stop alone, while the others are taken

    @property
    def stopped(self) -> int:
        """How many tables cannot be taken as things are."""
        return len(self.refused) + sum(1 for table in self.tables if table.stopped is not None)

    def by_schema(self) -> dict[str, list[TablePlan]]:
        """The tables by raw schema: each becomes one load package."""
        found: dict[str, list[TablePlan]] = {}
        for table in self.tables:
            found.setdefault(table.raw_schema, []).append(table)
        return found
