"""What a database's own catalog says of its tables, as frozen values that every connector's `describe()` gives.

Names keep the case in which the database holds them. Sequences keep the catalog's order: columns by their
position, keys by their key order.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """One column."""

    name: str
    type: SourceType
    nullable: bool = True
    column_id: int = 0  # the database's own lasting id, which survives a rename
    computed: str | None = None  # the expression, where it was read; `is_computed` is known without it
    default: str | None = None
    collation: str | None = None
    comment: str | None = None
    is_computed: bool = False
    masked: bool = False  # under data masking, and this login gets the mask instead of the value
    hidden: bool = False  # SELECT * leaves it out
    encrypted: bool = False  # only the ciphertext can be read
    generated: bool = False  # by the database, as the period of a temporal table: it can be read, not written
    path: str | None = None  # of a field that el.yml promotes, its place in the row's document


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
class Consistency:
    """What the reads of a table see, and what is needed to see better, in the database's own words."""

    snapshot: bool = False  # several reads can see one moment: `Isolation.SNAPSHOT` may be asked for
    statement: bool = False  # one read sees one moment by itself
    no_snapshot: str = "there is no isolation under which several reads see one moment"  # why, where there is none
    better: str | None = None  # what has to be done, so that there is one
    complete: bool = False  # a read of no one moment misses no row that stays where it is, and gives none twice
    unstable: str = "rows that change their place meanwhile may be missed or come twice"  # of a read of no one moment
    # Why a read is not under SNAPSHOT, though it may be, unless el.yml asks for it.
    doubt: str | None = None

    def words(self, *, snapshot: bool) -> str:
        """What a read sees, in short. snapshot: it is under `Isolation.SNAPSHOT`."""
        if snapshot:
            return "one moment, all reads that are together the same one"
        return "one moment in each read" if self.statement else "no one moment"


ONE_MOMENT = Consistency(snapshot=True, statement=True)


@dataclass(frozen=True, slots=True)
class KeptChanges:
    """That a change feed keeps the changes of a table."""

    feed: str  # its name
    # The columns of which no change brings a value. They are left out where el.yml asks for feeds; of a table that is
    # followed unasked the feed itself has to object.
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unnests:
    """An array in the documents of a table."""

    table: TableName
    path: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view with all that its catalog knows."""

    name: TableName
    columns: tuple[Column, ...]
    kind: str = "table"
    primary_key: Key | None = None
    uniques: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    rows: int | None = None  # the catalog's estimate, None if unknown
    bytes: int | None = None  # the same
    comment: str | None = None
    feeds: tuple[KeptChanges, ...] = ()
    indexes: tuple[Key, ...] = ()
    consistency: Consistency = Consistency()
    # The database's own lasting id of the table, within which a column's id is lasting too; None where there is
    # none, as for a view.
    object_id: int | None = None
    temporal: str | None = None  # "system_versioned", or "history", where the past of another table is kept
    ledger: str | None = None  # "updatable", "append_only", "history" or "view"
    graph: str | None = None  # "node" or "edge"
    external: bool = False  # its rows are elsewhere, and this database only knows where
    row_security: tuple[str, ...] = ()  # the security policies that may hide rows of it from this login
    # Of a partitioned table, text that is another one after a partition was switched in or out, split or merged; None
    # where the table is not partitioned, or that is not known.
    partitions: str | None = None
    missing: tuple[MissingRight, ...] = ()  # rights on this table that the login lacks
    partly_seen: bool = False  # it may have more columns, which this login may not read and does not see
    # A column beside those of the table, which is not taken: a number that the database gives a row with each write.
    version: Column | None = None
    unnests: Unnests | None = None  # its rows are the elements of an array in another table's documents

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
    """A database as `describe()` found it, at one moment."""

    database: str
    version: str
    tables: tuple[Table, ...]
    consistency: Consistency = Consistency()  # of a query of the user's own
    stable_version: bool = False  # the engine can tell `VersionSource.stable_version`
    incarnation: str | None = None  # another one after the database was restored; None where the server does not tell
    # The same for this database under whatever name of the server it is reached, and for no other; None where the
    # server does not tell.
    identity: str | None = None
    read_only: bool = False  # it takes no writes, as a readable secondary
    engine_edition: int | None = None  # the property of that name of the server; None where it is another engine
    major_version: int | None = None  # the same
    language: str | None = None  # of the server's messages to this login
    case_sensitive: bool = False  # names that differ in case alone differ
    user: str | None = None  # this login in the database, as a GRANT names it
    masked: bool = False  # the login gets some column of the database masked
    row_security: tuple[str, ...] = ()  # the enabled policies that hide rows, as far as they are seen
    missing: tuple[MissingRight, ...] = ()  # rights that the login lacks in the database as a whole
    notes: tuple[str, ...] = ()  # what could not be asked

    def table(self, name: TableName) -> Table | None:
        """The table of this name, compared as the catalog spells it, else without case if that is one alone."""
        wanted = (name.schema.lower(), name.name.lower())
        found = [t for t in self.tables if (t.name.schema.lower(), t.name.name.lower()) == wanted]
        return next((t for t in found if t.name == name), found[0] if len(found) == 1 else None)
