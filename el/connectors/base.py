"""The class of connectors: one small interface that every database fills.

A connector is made from its config without any I/O; `with` connects, and always closes. It says of itself, as
class facts, what it can (`capabilities`); what it cannot is refused before the first row moves. Every driver
error leaves it as an `ElError`, translated in one method, and no secret stands in any text that it gives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict

from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, SourceType, TableName
from el.connectors.request import ReadRequest, Value
from el.errors import ElError
from el.types.key_text import TextRule
from el.types.rule import TypeRule


class Capability(StrEnum):
    """What a connector can do."""

    READ = "read"
    APPEND = "append"
    REPLACE = "replace"
    MERGE = "merge"
    SNAPSHOT_ISOLATION = "snapshot isolation"
    SQL = "sql"


class WriteMode(StrEnum):
    """How `write_buffer` leaves its target: rows added, rows replaced, or rows merged by key."""

    APPEND = "append"
    REPLACE = "replace"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write did. `already_done`: this run_id was written before, and nothing was changed now."""

    rows: int
    mode: WriteMode
    run_id: str
    already_done: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection is, and what it may do, as `ping()` found it."""

    server: str
    version: str
    database: str
    user: str
    roles: tuple[str, ...] = ()


class ConnectionConfig(BaseModel):
    """Where and as whom to connect. Secrets are `SecretStr`, so no repr shows them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@runtime_checkable
class ArrowStream(Protocol):
    """Anything with the Arrow PyCapsule stream interface: a pyarrow Table, a Polars or pandas frame, a Buffer."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class Connector(ABC):
    """One database. Subclasses give `scheme`, `capabilities`, `config_type` and the abstract methods.

    scheme: the profile output's `type` that names it. rules: how its types travel, where it is a source.
    """

    scheme: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]
    config_type: ClassVar[type[ConnectionConfig]]
    rules: ClassVar[tuple[TypeRule, ...]] = ()

    def __init__(self, config: Any) -> None:
        """`config`: an instance of `config_type`. No I/O happens here."""
        self.config = config

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config!r})"

    @abstractmethod
    def connect(self) -> None:
        """Open the connection. Raises a `ConnectError` that says which thing is missing or refused."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection without draining what is open; closing twice is allowed."""

    @abstractmethod
    def ping(self) -> Identity:
        """Who am I here, and what may I do."""

    @abstractmethod
    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        """The catalog of this database: of these schemas, or of all but the system's.

        brief: what a run needs (tables, columns, keys, sizes, how changes can be found), asked in fewer queries;
        foreign keys, checks, defaults and computed columns may be left out.
        """

    @abstractmethod
    def read_buffer(self, request: ReadRequest) -> Buffer:
        """Read consistently into memory, or raise `ReadError`."""

    @abstractmethod
    def write_buffer(
        self,
        target: TableName,
        data: ArrowStream,
        mode: WriteMode = WriteMode.APPEND,
        *,
        key: Sequence[str] = (),
        run_id: str,
    ) -> WriteResult:
        """Write all of `data` or nothing, in one transaction; raise `WriteError` if that cannot be had.

        key: columns that identify a row, needed by MERGE. run_id: the same one twice changes nothing.
        """

    def text_rule(self, column: Column) -> TextRule | None:
        """How this database compares the text of a column; None: by its bytes."""
        return None

    @abstractmethod
    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        """The `ElError` for a driver's exception, without any secret."""


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


class CursorSource(ABC):
    """Can say how far a column reaches: what cursor windows and partitions are made of."""

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

    @abstractmethod
    def extent(
        self, request: ReadRequest, column: str, type_: SourceType, bound: Value | None = None, *, nulls: bool = False
    ) -> Extent:
        """How far `column` reaches in what `request` reads, by one query; `nulls` asks for rows without a value too."""

    @abstractmethod
    def value_back(self, request: ReadRequest, column: str, type_: SourceType, bound: Value, rows: int) -> Value | None:
        """The least of the so many greatest values that are not beyond `bound`; None if there are none."""

    @abstractmethod
    def max_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        """The greatest value of `column`, declared as `type_`, in what `request` reads; None if there is none."""

    @abstractmethod
    def min_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        """The least value of `column`; None if there is none."""


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
