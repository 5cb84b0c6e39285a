"""A strategy: what it needs of a table, how it fixes a window, and what it guarantees in words.

A strategy is a stateless object; the last complete ledger entry of the table is all that it knows of the past.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from el.config.tables import TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Catalog, SourceType, Table
from el.connectors.request import ColumnRead, Condition, FeedRead, Op, ReadRequest
from el.connectors.type_rules import map_type
from el.planning.ledger import LedgerEntry
from el.planning.strategies.earlier import EarlierRead
from el.planning.strategies.window import Window
from el.types.rule import TypeFacts, TypeKind, TypeRule, facts_of

# Bytes from which on it is worth a word that a table is scanned.
WORTH_A_NOTE = 100 * 2**20


@dataclass(frozen=True, slots=True)
class TableContext:
    """What a strategy decides about."""

    table: Table  # of the catalog, or the shape of a query
    settings: TableSettings
    request: ReadRequest  # what is read of it, before its columns and its window are known
    catalog: Catalog
    rules: Sequence[TypeRule]  # what the source says of its types
    reader: str = ""  # as `Followed.reader`

    def facts(self, type_: SourceType) -> TypeFacts:
        """What is known of the values of a type."""
        return facts_of(self.rules, type_)

    @property
    def version_column(self) -> str | None:
        """The column to which the database gives a greater number with each write of a row; a table has one at most."""
        beside = [self.table.version] if self.table.version is not None else []
        columns = (*self.table.columns, *beside)
        return next((c.name for c in columns if self.facts(c.type).kind is TypeKind.VERSION), None)

    def column_type(self, name: str) -> SourceType | None:
        """The declared type of a column, or None where there is none of this name."""
        column = self.table.column(name)
        if column is None and self.table.version is not None and self.table.version.name == name:
            column = self.table.version
        return column.type if column else None


def unfiltered(context: TableContext) -> ReadRequest:
    """The read without el.yml's filters: a row that leaves them is a change too, and a bound has to pass it."""
    return replace(context.request, where=())


def index_on(table: Table, column: str) -> str | None:
    """The name of an index, or key, that begins with this column."""
    keys = (table.primary_key, *table.uniques, *table.indexes)
    found = table.column(column)
    # Of a field of a document an index has the path.
    named = (column,) if found is None or found.path is None else (found.path,)
    return next((key.name for key in keys if key is not None and key.columns[0] in named), None)


def scan_note(context: TableContext, column: str) -> tuple[str, ...]:
    """What the plan says where each run has to scan a large table; no words where that is unknown."""
    table = context.table
    if table.kind != "table" or (table.bytes or 0) < WORTH_A_NOTE or index_on(table, column) is not None:
        return ()
    return (f"no index begins with {column}: each run scans all of it, {(table.bytes or 0) / 2**30:.1f} GB",)


def has_null(source: Source, context: TableContext, column: str) -> bool:
    """Whether there are rows without a value in `column`: they have no place in its order."""
    found = context.table.column(column)
    if found is None or not found.nullable:
        return False
    condition = Condition(found.name, Op.IS_NULL)
    mapping = map_type(source.scheme, found.type, lossy=True)
    request = replace(
        context.request,
        columns=(ColumnRead(found.name, "found", mapping.read_as, None if mapping.parts else mapping.arrow),),
        where=(condition,),
        limit=1,
    )
    with source.read_buffer(request) as buffer:
        return any(batch.num_rows for batch in buffer)


class Strategy(ABC):
    """How the changes of a table are found."""

    name: str
    guarantee: str  # in words
    shows_deletes: bool = False  # rows that are gone are seen without reading the key set
    only_if_named: bool = False  # `auto` does not pick it
    goes_on: bool = False  # a delta brings whatever changes while the snapshot before it is read
    whole_filters: bool = True  # rows that leave el.yml's filters are seen without a key

    @abstractmethod
    def obstacle(self, context: TableContext, source: Source) -> str | None:
        """Why this table cannot be read so, in words; None where it can."""

    def doubt(self, context: TableContext) -> str | None:
        """Why `auto` passes over it for this table although it can be asked for by name; None where it does not."""
        return None

    def at_hand(self, context: TableContext) -> bool:
        """Whether the source keeps for this table what the strategy is made of, so that an obstacle is worth a word."""
        return False

    @abstractmethod
    def reason(self, context: TableContext) -> str:
        """Why this table is read so, in words."""

    @abstractmethod
    def window(self, context: TableContext, source: Source, last: LedgerEntry | None) -> Window | None:
        """The window of the next read, from the last complete load; None where there is nothing new for certain."""

    def only_whole(self, context: TableContext) -> str | None:
        """Why a snapshot cannot be read on by a later run, in words; None where what changed meanwhile is not lost."""
        return f"strategy {self.name} does not tell all that changes meanwhile"

    def resumed(self, context: TableContext, source: Source, snapshot: Window, earlier: EarlierRead) -> Window | str:
        """The window of a snapshot that an earlier run began, where the source has all changes since; else why not.

        snapshot: that of one that begins now.
        """
        raise NotImplementedError

    def changes(self, window: Window) -> tuple[FeedRead, ...] | None:
        """What a delta reads instead of the table's rows, one read each; None: rows within the window's bounds."""
        return None

    def snapshot(self) -> FeedRead | None:
        """What the reads of a snapshot carry besides, so that a delta goes on just where it ended."""
        return None

    def notes(
        self, context: TableContext, source: Source, last: LedgerEntry | None, window: Window | None
    ) -> tuple[str, ...]:
        """What `plan` tells of this table besides."""
        return ()

    def reads_again(self, context: TableContext, window: Window | None) -> bool:
        """Whether this read takes rows again that did not change, so that only a key tells which are new."""
        return False

    def position_column(self, context: TableContext) -> str | None:
        """The source column whose value orders the rows, or None."""
        return None
