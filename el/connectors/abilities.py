"""What a source can do besides being read: a mixin each, found by `isinstance`. A strategy that needs one says so.

A connector takes those that its database has: `class MySql(SqlConnector, Target, OneMomentSource)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from el.connectors.catalog import Catalog, Column, SourceType, Table, TableName
from el.connectors.request import FeedRead, Position, ReadRequest, Split, Value


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a column reaches."""

    greatest: Value | None
    against: int = 0  # it lies beyond (1), at (0) or below (-1) a given bound, as the database orders them
    nulls: bool = False  # there are rows without a value


@dataclass(frozen=True, slots=True)
class Writer:
    """The transaction that has been writing for the longest."""

    age: timedelta
    since: str  # ISO 8601, local or UTC, the earlier


class SplitSource(ABC):
    """Can divide a read into parts that several connections read at once."""

    split_by_column: ClassVar[bool] = True  # el.yml says by which (`partition_by`); else `partitions` alone divides
    # What its parts are, where they say by themselves which rows they take: a later run reads what one left.
    split_type: ClassVar[type[Split] | None] = None

    statistics: ClassVar[str] = ""  # the statement that gathers what `splits` cuts by, as the database writes it

    @property
    def always_splits(self) -> bool:
        """Whether `splits` is asked for though el.yml names no parts: a part may be all, read in a way of its own."""
        return False

    def lies_by(self, request: ReadRequest, by: Column) -> bool:
        """Whether rows lie in the order of `by`, the first column of a key: a part is read without all the others."""
        return True

    @abstractmethod
    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        """At most `wanted` parts in which each row of what `request` reads is once: also one that comes meanwhile with
        a value beyond all others, or with none. None where it is not worth it, or cannot be divided.

        by: the column of `partition_by`, or the first one of a key where the plan divides the table by itself. Raises
        `PlanError` for one by which it cannot be.
        """


class ClockSource:
    """Can say how late its clock is, and which transaction has been writing for long. One that cannot says nothing."""

    writer_right: str = "a right"  # what `oldest_writer` needs, in the database's words

    def clock(self) -> str | None:
        """The database's time as ISO 8601 text, five minutes ahead: local or UTC, the later; None if it tells none."""
        return None

    def local_clock(self) -> bool:
        """Whether the database's own clock is known to show another time than UTC, now or in summer."""
        return False

    def oldest_writer(self) -> Writer | None:
        """The oldest open transaction that has written; None where there is none, or cannot be.

        Raises `NotPermitted` where this login may not see it.
        """
        return None


class CursorSource(ClockSource, ABC):
    """Can say how far a column has grown: what strategy cursor is made of."""

    @abstractmethod
    def max_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        """The greatest value of `column`, declared as `type_`, in what `request` reads; None if there is none."""

    @abstractmethod
    def extent(
        self, request: ReadRequest, column: str, type_: SourceType, bound: Value | None = None, *, nulls: bool = False
    ) -> Extent:
        """How far `column` reaches in what `request` reads, by one query; `nulls` asks for rows without a value too."""

    @abstractmethod
    def value_back(self, request: ReadRequest, column: str, type_: SourceType, bound: Value, rows: int) -> Value | None:
        """The least of the so many greatest values that are not beyond `bound`; None if there are none."""

    def in_canonical_text(self, value: Value) -> Value:
        """A value that a person wrote, as this source writes it: bounds are compared as text too."""
        return value


@dataclass(frozen=True, slots=True)
class Followed:
    """What a feed has to follow: a table, and what el.yml takes of it."""

    table: Table
    catalog: Catalog
    columns: tuple[Column, ...]  # those that are taken
    key: tuple[str, ...] = ()  # the columns that tell rows apart; () where nothing does
    own_key: bool = False  # the key is el.yml's, not the source's
    filtered: bool = False  # el.yml takes some of the rows alone
    before_images: bool = False  # an update shall bring the row as it was too
    # Who follows it: another text for each pair of a source and a warehouse, so that each may have a place in the log.
    reader: str = ""
    accept: frozenset[str] = frozenset()  # what el.yml accepts, in its words


class ChangeFeed(ABC):
    """The changes of one table, as its database keeps them in a log; made for one plan of that table.

    The first load is a snapshot, which is read after `now()`. Of a later one `alive(since)` is asked first, then
    `now(since)`, so that what one has found out the other may use.
    """

    name: ClassVar[str]  # in the ledger; in el.yml, where it is asked for by name
    counts: ClassVar[str]  # what a position is called: "LSN"
    form: ClassVar[str]  # of a position's text, as a regular expression
    guarantee: ClassVar[str]  # in words
    reason: ClassVar[str] = "asked for"  # why it is read, in words, where nobody asked for it by name
    automatic: ClassVar[bool] = False  # `strategy: auto` picks it
    # A position that is lost begins a new snapshot; else it stops the table. Looked at after `alive`, which may decide.
    begins_anew: bool = False
    shows_deletes: ClassVar[bool] = True

    def __init__(self, source: Any, followed: Followed) -> None:
        """`source`: the connector, open. No I/O happens here."""
        self.source = source
        self.followed = followed

    @abstractmethod
    def obstacle(self) -> str | None:
        """Why this table cannot be followed so, in words; None where it can."""

    @abstractmethod
    def now(self, since: Position | None = None) -> Position:
        """Up to where changes can be read now: `since` itself, where there are none behind it for certain.

        Without `since`: the position to note with a snapshot that is read after this; what changed before it is in the
        snapshot's rows. Raises `PositionLost`, or `PlanError`, for a table that cannot be followed as things are.
        """

    def snapshot(self) -> FeedRead | None:
        """What the reads of a snapshot carry in `ReadRequest.changes`, where they have to meet the log at one place.

        They are reads of the table's rows all the same, and say in `Buffer.reached` which place it was.
        """
        return None

    @abstractmethod
    def alive(self, since: Position) -> str | None:
        """Why the changes behind `since` are not all there any longer, in words; None where they are."""

    def is_past(self, moment: datetime) -> bool:
        """Whether it tells all that was committed up to then (UTC, by this machine's clock): of a log that is filled
        later than rows change, it may not yet."""
        return True

    @abstractmethod
    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        """What is read behind `since` up to `until`, in the order of the log, one read each.

        `read_buffer` gives the columns of the request, OP_READ ("U", "D", or "B" for a row as it was before) and
        POSITION_READ, which is in the order of the changes. It raises `PositionLost` where a change is missing. The
        last read may see more than `until`: it says how far in `Buffer.reached`.
        """

    def notes(self, *, waits: bool = False) -> tuple[str, ...]:
        """What `plan` tells of this table besides. waits: changes were asked for, and none are read now."""
        return ()


class ChangeSource:
    """Keeps changes in one log or several, which can be read behind a position."""

    feeds: ClassVar[tuple[type[ChangeFeed], ...]]  # the strongest one in front

    def beside_log(self) -> Self:
        """The session whose server has the logs, connected: itself, unless rows are read at a replica.

        It has the feeds' questions and reads, and the snapshots that they go on from. Closed with this one.
        """
        return self

    def loaded(self, feed: str, held: Mapping[TableName, Position]) -> None:
        """After a run's loads: up to where raw holds the changes of each table of el.yml that follows this feed.

        What is kept until somebody says so may be given up: of a log that tables share, up to the least of these
        positions. Called again with the same ones, and after a kill with those of the next run.
        """


class OneMomentSource(ABC):
    """Can read several tables as they were at one moment."""

    # Several connections can see the same moment, and so can what they read at once: the parts of a table, tables.
    shares_moment: ClassVar[bool] = False

    def can_share_moment(self) -> bool:
        """Whether this server, as it is set up, lets several connections see the same moment."""
        return self.shares_moment

    @abstractmethod
    def at_one_moment(self) -> AbstractContextManager[None]:
        """All reads inside see one state of the database; nothing is written inside."""

    @contextmanager
    def share_moment(self, others: Sequence[Self]) -> Iterator[Sequence[Self]]:
        """As `at_one_moment`, over several connections: gives those that see the same state, this one in front.

        They are fewer than were asked for where the database cannot say of more that they do.
        """
        with self.at_one_moment():
            yield (self,)


@dataclass(frozen=True, slots=True)
class Pressure:
    """What a long read would add to. None: the login may not see it."""

    version_store_mb: int | None = None  # its size now
    blocked: int | None = None  # sessions that wait for another one


class CapacitySource:
    """Counts what a read costs in units of its own, and keeps to `ReadRequest.units_per_second`."""


class PressureSource(ABC):
    """Can say under which pressure it is, as far as the login may see it."""

    has_version_store: ClassVar[bool] = True  # whose size can be looked at
    session: str | None  # what the server calls this connection; None while it is closed
    state_right: ClassVar[str]  # the statement that lets a login see it all

    @abstractmethod
    def pressure(self) -> Pressure:
        """A look, which itself takes no lock."""

    @abstractmethod
    def waiting_for(self, session: str) -> int | None:
        """Seconds that another session has waited for this one, 0 if none does; None: the login may not see it."""


class VersionSource(ABC):
    """Gives each write of a row a greater number, and can say below which number no row can still appear."""

    stable_version_name: ClassVar[str]  # what gives that bound, in the database's words
    version_form: ClassVar[str]  # a bound in canonical text, as a regular expression

    @abstractmethod
    def stable_version(self) -> Value:
        """The bound: a row of a transaction that is open now, or begins later, has this number or a greater one."""

    def version_past(self) -> str | None:
        """Another text once numbers may have been given a second time, as after a failover; None: it is not told."""
        return None
