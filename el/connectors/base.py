"""The class of connectors: one small interface that every database fills.

A connector is made from its config without any I/O; `with` connects, and always closes. What it can is said by its
base classes: a `Source` is read, a `Target` is written, and each ability of `el.connectors.abilities` is one more. What
it cannot is refused before the first row moves. Every driver error leaves it as an `ElError`, translated in one method,
and no secret stands in any text that it gives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict

from el.connectors.abilities import (
    CapacitySource,
    ChangeFeed,
    ChangeSource,
    CursorSource,
    Extent,
    Followed,
    OneMomentSource,
    Pressure,
    PressureSource,
    SplitSource,
    VersionSource,
    Writer,
)
from el.connectors.access import Access, Operation, access_of, require
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, SourceType, TableName
from el.connectors.guard import guard
from el.connectors.question import Question
from el.connectors.request import Op, ReadRequest
from el.errors import ElError
from el.secrets.fields import secret_fields
from el.types.key_text import TextRule
from el.types.rule import TypeFacts, TypeRule, facts_of, parse_type

__all__ = [
    "ArrowStream",
    "CapacitySource",
    "ChangeFeed",
    "ChangeSource",
    "ConnectionConfig",
    "Connector",
    "CursorSource",
    "Extent",
    "Followed",
    "Identity",
    "OneMomentSource",
    "Pressure",
    "PressureSource",
    "Source",
    "SplitSource",
    "Target",
    "VersionSource",
    "WriteMode",
    "WriteResult",
    "Writer",
]


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

    # Settings that say which database it is, beside host, server, port, dsn, account, database and path.
    names_database: ClassVar[tuple[str, ...]] = ()
    # What `init` asks for, and what it writes beside: for a source, and for a warehouse, which dbt reads too.
    asks: ClassVar[tuple[Question, ...]] = ()
    beside_source: ClassVar[Mapping[str, Any]] = {}
    beside_warehouse: ClassVar[Mapping[str, Any]] = {}

    access: Access | None = None
    """The role: `owner`, `engineer` or `staging`; owner where nothing is said. `EL_ROLE` can only weaken it."""
    staging_data: tuple[str, ...] = ()
    """Schemas, as the database spells them: all that the role `staging` can read."""

    @classmethod
    def is_secret(cls, setting: str, text: str) -> bool:
        """Whether this text of a setting is a secret, so that a slice, a plan or a log holds a reference to it."""
        return setting in secret_fields(cls)

    def known_as(self, scheme: str) -> tuple[str, str]:
        """How tools that collect lineage name this database: the namespace of its tables, and the database's own name.

        scheme: the profile output's `type`. The names are those of OpenLineage's "Naming Conventions".
        """
        host, port, database = (getattr(self, name, None) for name in ("host", "port", "database"))
        return f"{scheme}://{host}:{port}", str(database or "")

    def sign_in_note(self) -> str | None:
        """What to know of the way that this signs in, such as that the vendor ends it; None: nothing."""
        return None


@runtime_checkable
class ArrowStream(Protocol):
    """Anything with the Arrow PyCapsule stream interface: a pyarrow Table, a Polars or pandas frame, a Buffer."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class Connector(ABC):
    """One database, as far as connecting goes. Subclasses give `scheme`, `config_type` and the abstract methods."""

    # The profile output's `type` that names it.
    scheme: ClassVar[str]
    config_type: ClassVar[type[ConnectionConfig]]
    # Other products that it connects to, as people call them.
    answers_to: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        guard(cls)

    def packages(self) -> tuple[str, ...]:
        """What its driver is called on the package index."""
        return ()

    def __init__(self, config: Any) -> None:
        """`config`: an instance of `config_type`. No I/O happens here."""
        self.config = config

    @property
    def access(self) -> Access:
        """The role that holds: what it may not do is refused in front of each method."""
        return access_of(getattr(self.config, "access", None))

    def require(self, operation: Operation) -> None:
        """Raise `AccessDenied` unless its role may; before it is connected."""
        require(operation, self.access, self.scheme)

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
    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        """The `ElError` for a driver's exception, without any secret."""


class Source(Connector):
    """A database that is read."""

    # How its types travel; without rules it can be read from Python, but is no source of a run.
    rules: ClassVar[tuple[TypeRule, ...]] = ()
    # A login sees a column that it may not read: of one that is masked as NULL, its name and type suffice.
    shows_all_columns: ClassVar[bool] = True

    @abstractmethod
    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        """The catalog of this database: of these schemas, or of all but the system's.

        brief: what a run needs (tables, columns, keys, sizes, how changes can be found), asked in fewer queries;
        foreign keys, checks, defaults and computed columns may be left out.
        """

    @abstractmethod
    def read_buffer(self, request: ReadRequest) -> Buffer:
        """Read consistently into memory, or raise `ReadError`."""

    def describe_read(self, request: ReadRequest) -> str:
        """What `read_buffer(request)` asks of the database, to be shown: a source with a language of its own says it
        in that."""
        return str(request)

    def supports(self, op: Op, column: Column) -> bool:
        """Whether a read can have a condition of this kind on a column; what it cannot is refused in the plan."""
        return True

    def facts(self, type_: SourceType) -> TypeFacts:
        """What the connector's rules say of a type's values."""
        return facts_of(self.rules, type_)

    def parse_type(self, declared: str) -> SourceType:
        """A type as it is written in SQL, "decimal(18,4)"; `ValueError` where it is not of that form."""
        return parse_type(self.rules, declared)

    def text_rule(self, column: Column) -> TextRule | None:
        """How this database compares the text of a column; None: by its bytes."""
        return None


class Target(Connector):
    """A database that is written, in transactions."""

    @abstractmethod
    def write_buffer(
        self,
        target: TableName,
        data: ArrowStream,
        mode: WriteMode = WriteMode.APPEND,
        *,
        key: Sequence[str] = (),
        run_id: str,
        create: bool = False,
    ) -> WriteResult:
        """Write all of `data` or nothing, in one transaction; raise `WriteError` if that cannot be had.

        A value that the target's column would change is refused. key: columns that identify a row, needed by MERGE.
        run_id: the same one twice changes nothing. create: a table that is not there is made, its columns of types that
        hold every value of the data's.
        """
