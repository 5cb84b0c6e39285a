"""What a database's own catalog says of its tables, as frozen values that every connector's `describe()` gives.

Names keep the case in which the database holds them. Sequences keep the catalog's order: columns by their
position, keys by their key order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from el.types.source_type import SourceType as SourceType


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table or view, by schema and name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `position` is the database's own lasting id (SQL Server's column_id), which survives a rename.

    computed: the expression, where it was read; `is_computed` is known without it.
    masked: under dynamic data masking, and this login gets the mask instead of the value.
    hidden: SELECT * leaves it out. encrypted: under Always Encrypted. generated: GENERATED ALWAYS, as the period of a
        temporal table: it can be read, not written.
    """

    name: str
    type: SourceType
    nullable: bool = True
    position: int = 0
    identity: bool = False
    computed: str | None = None
    default: str | None = None
    collation: str | None = None
    comment: str | None = None
    is_computed: bool = False
    masked: bool = False
    hidden: bool = False
    encrypted: bool = False
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key or a unique constraint (or unique index), columns in key order."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns[i]` refers to `referenced_columns[i]` of `references`."""

    name: str
    columns: tuple[str, ...]
    references: TableName
    referenced_columns: tuple[str, ...]
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint; `expression` in the database's own SQL."""

    name: str
    expression: str
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class MissingRight:
    """A right that a login lacks."""

    needed_for: str  # a strategy or a feed by its name, or in words
    grant: str  # the statement that gives it


@dataclass(frozen=True, slots=True)
class KeptChanges:
    """That a change feed keeps the changes of a table."""

    feed: str  # its name
    without: tuple[str, ...] = ()  # the columns of which no change brings a value


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view with all that its catalog knows. `rows`, `bytes`: the catalog's estimate, None if unknown.

    object_id: the database's own lasting id of the table, within which a column's `position` is lasting too; None
        where there is none, as for a view.
    memory_optimized: it cannot be read in a SNAPSHOT transaction.
    temporal: "system_versioned", "history" (where the past of another table is kept), or None. ledger: "updatable",
        "append_only", "history", or None. graph: "node", "edge", or None.
    external: its rows are elsewhere, and this database only knows where.
    row_security: the security policies that may hide rows of it from this login.
    partitions: of a partitioned table, text that is another one after a partition was switched in or out, split or
        merged; None where the table is not partitioned, or that is not known.
    elsewhere: of a view, the other databases and servers that it reads.
    missing: rights on this table that the login lacks, by what they are needed for.
    """

    name: TableName
    columns: tuple[Column, ...]
    kind: str = "table"
    primary_key: Key | None = None
    uniques: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    rows: int | None = None
    bytes: int | None = None
    comment: str | None = None
    feeds: tuple[KeptChanges, ...] = ()
    indexes: tuple[Key, ...] = ()
    object_id: int | None = None
    memory_optimized: bool = False
    temporal: str | None = None
    ledger: str | None = None
    graph: str | None = None
    external: bool = False
    row_security: tuple[str, ...] = ()
    partitions: str | None = None
    elsewhere: frozenset[str] = frozenset()
    missing: tuple[MissingRight, ...] = ()

    def column(self, name: str) -> Column | None:
        """The column of this name; case decides only where two names differ in case alone."""
        found = [c for c in self.columns if c.name.lower() == name.lower()]
        return next((c for c in found if c.name == name), found[0] if len(found) == 1 else None)

    @property
    def aside(self) -> str | None:
        """Why a glob does not take this table, though it matches: what it holds is another's, or elsewhere."""
        if self.temporal == "history":
            return "the history of a temporal table"
        if self.ledger in ("history", "view"):
            return f"the {self.ledger} of a ledger table"
        return "an external table, whose rows are elsewhere" if self.external else None

    def kept_by(self, feed: str) -> bool:
        """Whether this feed keeps the table's changes."""
        return any(kept.feed == feed for kept in self.feeds)

    def lacks(self, needed_for: str) -> str | None:
        """The GRANT that is missing on this table for a strategy; None if none is."""
        return next((right.grant for right in self.missing if right.needed_for == needed_for), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """A database as `describe()` found it, at one moment.

    snapshot_isolation: reads under SNAPSHOT are allowed , or always
        stable by the engine's nature (DuckDB).
    read_committed_snapshot: a single statement is consistent without taking locks.
    min_active_rowversion: the engine has MIN_ACTIVE_ROWVERSION().
    incarnation: differs after the database was restored; None where the server does not tell.
    identity: the same for this database under whatever name of the server it is reached, and for no other; None where
        the server does not tell.
    read_only: it takes no writes, as a readable secondary.
    engine_edition, major_version: SQL Server's SERVERPROPERTY of that name; None where it is another engine.
    language: of the server's messages to this login. case_sensitive: whether names that differ in case alone differ.
    user: of this login in the database, as a GRANT names it. masked: it gets some column of the database masked.
    row_security: the enabled security policies that hide rows, as far as they are seen. missing: rights that this login
    lacks in the database as a whole.
    """

    database: str
    version: str
    tables: tuple[Table, ...]
    snapshot_isolation: bool = False
    # In the database's own words, where there is no SNAPSHOT: why, and how it is allowed; and what a read by one
    # statement may do where it is not stable either.
    no_snapshot: str = "there is no isolation under which several reads see one moment"
    allow_snapshot: str | None = None
    unstable_read: str = "rows that change their place meanwhile may be missed or come twice"
    read_committed_snapshot: bool = False
    min_active_rowversion: bool = False
    incarnation: str | None = None
    identity: str | None = None
    read_only: bool = False
    engine_edition: int | None = None
    major_version: int | None = None
    language: str | None = None
    case_sensitive: bool = False
    user: str | None = None
    masked: bool = False
    row_security: tuple[str, ...] = ()
    missing: tuple[MissingRight, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def table(self, name: TableName) -> Table | None:
        """The table of this name, compared as the catalog spells it, else without case if that is one alone."""
        wanted = (name.schema.lower(), name.name.lower())
        found = [t for t in self.tables if (t.name.schema.lower(), t.name.name.lower()) == wanted]
        return next((t for t in found if t.name == name), found[0] if len(found) == 1 else None)
