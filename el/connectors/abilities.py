"""What a source can do besides being read: a mixin each, found by `isinstance`. A strategy that needs one says so.

A connector takes those that its database has: `class MySql(SqlConnector, Target, OneMomentSource)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from el.connectors.catalog import SourceType, TableName
from el.connectors.request import ReadRequest, Value


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a column reaches. against: the greatest value lies beyond (1), at (0) or below (-1) a given bound, as the
    database orders them. nulls: there are rows without a value.
    """

    greatest: Value | None
    against: int = 0
    nulls: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """The transaction that has been writing for the longest. since: ISO 8601, local or UTC, the earlier."""

    age: timedelta
    since: str


class RangeSource(ABC):
    """Can say between which values a column lies: what partitions are made of."""

    @abstractmethod
    def max_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        """The greatest value of `column`, declared as `type_`, in what `request` reads; None if there is none."""

    @abstractmethod
    def min_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        """The least value of `column`; None if there is none."""


class ClockSource:
    """Can say how late its clock is, and which transaction has been writing for long. One that cannot says nothing."""

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


class CursorSource(RangeSource, ClockSource):
    """Can say how far a column has grown: what strategy cursor is made of."""

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
class TrackingState:
    """Change tracking of one table: the database's version, the least one since which all changes are known.

    All None where it is off. begun: differs when tracking was turned on anew, or the table was truncated or remade.
    """

    current: int | None
    least: int | None
    begun: str | None


class ChangeTrackingSource(ABC):
    """Remembers which keys changed since a version, and can be read with `TrackedChanges`."""

    version_type: ClassVar[SourceType]

    @abstractmethod
    def tracking_state(self, table: TableName) -> TrackingState:
        """What is tracked of this table."""


@dataclass(frozen=True, slots=True)
class CaptureInstance:
    """A capture table of one table. least: the log position since which it has all changes; None: not yet established.

    columns: what it captures, in its order. in_order: it tells the order of changes within a transaction.
    partition_switch: rows may be switched in and out, which it does not capture.
    """

    name: str
    least: Value | None
    columns: tuple[str, ...]
    in_order: bool = True
    partition_switch: bool = False


class CaptureSource(ABC):
    """Keeps every change in the order of commits, and can be read with `CapturedChanges`.

    Log positions have one width: their texts are in the order of the log.
    """

    # Types, by name, of whose values a change may hold none, for they are large; and those of which it has no old one.
    large: ClassVar[frozenset[str]] = frozenset()
    never_old: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def capture_instances(self, table: TableName) -> tuple[CaptureInstance, ...]:
        """The capture tables of this table, the first one in front. Raises `NotPermitted` where one is withheld."""

    @abstractmethod
    def captured_up_to(self) -> Value | None:
        """The greatest log position that was captured; None if the capture has not begun."""

    @abstractmethod
    def captured_at(self, milliseconds: int) -> tuple[Value | None, bool]:
        """The greatest log position of so long ago, None if not known; and whether capture has passed that moment."""

    @abstractmethod
    def has_changes(self, instance: CaptureInstance, first: Value, last: Value) -> bool:
        """Whether this instance has a change from one log position to another, both inclusive."""

    @abstractmethod
    def neighbour(self, position: Value, step: Literal[-1, 1]) -> Value:
        """The log position before or behind this one."""


class OneMomentSource(ABC):
    """Can read several tables as they were at one moment."""

    @abstractmethod
    def at_one_moment(self) -> AbstractContextManager[None]:
        """All reads inside see one state of the database; nothing is written inside."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """What a long read would add to. version_store_mb: its size now; blocked: sessions that wait for another one.

    None: the login may not see it.
    """

    version_store_mb: int | None = None
    blocked: int | None = None


class PressureSource(ABC):
    """Can say under which pressure it is, as far as the login may see it.

    session: what the server calls this connection; None while it is closed. state_right: the statement that lets a
    login see it all.
    """

    session: str | None
    state_right: ClassVar[str]

    @abstractmethod
    def pressure(self) -> Pressure:
        """A look, which itself takes no lock."""

    @abstractmethod
    def waiting_for(self, session: str) -> int | None:
        """Seconds that another session has waited for this one, 0 if none does; None: the login may not see it."""


class RowversionSource(ABC):
    """Can bound a rowversion read by the oldest open transaction."""

    @abstractmethod
    def min_active_rowversion(self) -> Value:
        """MIN_ACTIVE_ROWVERSION(): every committed rowversion below it is final (Microsoft Learn)."""
