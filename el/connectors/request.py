"""A read, as a value: what is read, which columns, within which bounds. No SQL text but the user's own query.

A `ReadRequest` is frozen and picklable: it is what a slice of work carries to whichever executor runs it. The
one builder in `el.connectors.sql.select` turns it into SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, NewType

import pyarrow as pa
from pydantic import ConfigDict

from el.connectors.catalog import Column, SourceType, TableName

# In the SQL of the source itself.
SqlText = NewType("SqlText", str)


class Op(StrEnum):
    """How a column is compared with a value."""

    EQ = "="
    NE = "<>"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IS_NULL = "is null"
    NOT_NULL = "is not null"


class Isolation(StrEnum):
    """Under which isolation a read runs. SNAPSHOT: one point in time, no locks. DEFAULT: the database's own."""

    DEFAULT = "default"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a column's own type, in that type's canonical text, so that no digit is lost in between.

    Canonical: integers and decimals in plain decimal digits; float with 17 significant digits; dates and times
    ISO 8601 with all fractional digits of the type ("2024-02-29T12:00:00.1234567"); binary as "0x" and upper-case
    hex; uniqueidentifier as SQL Server prints it; text as it is. It is bound as a parameter and cast to
    `type` on the server, so that the column itself is never wrapped and an index can serve.
    """

    text: str
    type: SourceType

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Condition:
    """`column op value`."""

    column: str
    op: Op
    value: Value | None = None
    or_null: bool = False  # rows whose column is NULL pass too

    def __str__(self) -> str:
        value = "" if self.value is None else f" {self.value}"
        return f"{self.column} {self.op}{value}{' or null' if self.or_null else ''}"


@dataclass(frozen=True, slots=True)
class ColumnRead:
    """One column of the result."""

    source: str  # its name in the table or query
    name: str  # what it is called in the buffer
    # An expression in the source's own language, "{column}" standing for the column (quoted, where that is SQL); None
    # reads the column untouched. It comes from the connector's type rules; to a `SqlConnector` alone also from a cast
    # or a mask of el.yml, as SQL.
    read_as: str | None = None
    arrow: pa.DataType | None = None  # what the plan expects, so that no driver has to guess; None: nobody planned it

    def __str__(self) -> str:
        read = self.read_as.replace("{column}", self.source) if self.read_as is not None else self.source
        return read if read == self.name else f"{read} as {self.name}"


# Columns of el's own in a buffer: the operation (`_el_op`) and the place in the source's order of each change.
OP_READ = "_el_op_source"
POSITION_READ = "_el_position_source"


class Split:
    """One of the parts that a source divides a read into: picklable, and its connector's alone."""

    __slots__ = ()
    # As JSON, for a later run (`SplitSource.split_type`).
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class FeedRead:
    """What a change feed puts into a request in place of a table's rows: picklable, and its connector's alone."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log of a change feed, as text that only the feed understands.

    Texts compare in the order of the log; where a log has parts that go on by themselves, what grows stands in front.
    """

    text: str
    # Which log it is a place in: another text after the database was restored, or its log was begun anew.
    log: str | None = None
    # Of one that was noted before a snapshot was read: when that was read to its end, in UTC by this machine's clock.
    # Changes up to then may be among its rows already.
    snapshot_ended: datetime | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What one read takes. Of `table` and `query` there is exactly one."""

    table: TableName | None = None
    query: SqlText | None = None  # a SELECT of the user's own; the plan gives one to a `SqlConnector` alone
    columns: tuple[ColumnRead, ...] = ()  # in order; empty means all, as the source orders and names them
    where: tuple[Condition, ...] = ()  # all must hold
    fields: tuple[Column, ...] = ()  # promoted ones, which conditions may name: where in a document they stand
    # Rows for which these do not all hold (UNKNOWN is not held) are read as deleted: OP_READ says "D".
    kept: tuple[Condition, ...] = ()
    order_by: tuple[str, ...] = ()  # ascending
    limit: int | None = None  # rows at most
    isolation: Isolation = Isolation.DEFAULT
    split: Split | None = None  # of all that, one part
    # Of each document not itself but the elements of the array at this path, a row each, with its place (`index`).
    unnest: str | None = None
    # Not the rows of `table` but their changes, with OP_READ and POSITION_READ besides; or `ChangeFeed.snapshot`.
    changes: FeedRead | None = None
    placed: bool = False  # of a feed's snapshot: a source that knows where in the log it is says so in `Buffer.reached`
    # What the source itself counts that a read costs (`CapacitySource`), at most so many of it a second.
    units_per_second: float | None = None
    # Upper bounds of one record batch: memory grows with these and not with the table.
    batch_rows: int = 65_536
    batch_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            raise ValueError("a ReadRequest needs either a table or a query")
        if self.batch_rows < 1 or self.batch_bytes < 1:
            raise ValueError("batch_rows and batch_bytes must be at least 1")

    def __str__(self) -> str:
        """In plain words: "sales.orders: id, note, where id > 7"."""
        parts = [", ".join(str(column) for column in self.columns) or "all columns"]
        parts += [f"where {' and '.join(str(each) for each in self.where)}"] if self.where else []
        parts += [f"as deleted unless {' and '.join(str(each) for each in self.kept)}"] if self.kept else []
        parts += [f"in the order of {', '.join(self.order_by)}"] if self.order_by else []
        parts += [f"at most {self.limit} rows"] if self.limit is not None else []
        parts += [f"the part {self.split}"] if self.split is not None else []
        parts += [f"each element of {self.unnest}"] if self.unnest is not None else []
        parts += [f"changes: {self.changes}"] if self.changes is not None else []
        return f"{self.query if self.table is None else self.table}: {', '.join(parts)}"
