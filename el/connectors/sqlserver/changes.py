"""The changes that SQL Server itself remembers, tracked or captured, read as a `ReadRequest` says.

Guarantees: changes are read whole or not at all: that the server still has all of them is looked at before and after,
in the transaction of the read (Microsoft Learn, "Work with Change Tracking", "Obtaining changes"; "Change data capture
functions"). Names are quoted, versions and LSNs are parameters.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from el.connectors.base import TrackingState
from el.connectors.buffer import Buffer
from el.connectors.catalog import SourceType, TableName
from el.connectors.request import (
    OP_READ,
    POSITION_READ,
    ColumnRead,
    ReadRequest,
    TrackedChanges,
    Value,
)
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.capture import captured, require
from el.connectors.sqlserver.session import SqlServerSession
from el.errors import ElError, PositionLost

VERSION = SourceType("bigint")

_TRACKING = """
SELECT CHANGE_TRACKING_CURRENT_VERSION(), CHANGE_TRACKING_MIN_VALID_VERSION(t.object_id), t.begin_version, t.object_id,
       t.cleanup_version
FROM sys.change_tracking_tables AS t WHERE t.object_id = OBJECT_ID(?)
"""


def tracking_state(source: SqlServerSession, table: TableName) -> TrackingState:
    rows = source.fetch(Statement(_TRACKING, (source.dialect.quote_table(table),)))
    if not rows or any(value is None for value in rows[0][:4]):
        return TrackingState(None, None, None)
    current, least, begin, table_id = (int(str(value)) for value in rows[0][:4])
    # Up to here cleanup "might have removed" changes ("sys.change_tracking_tables"): it can be ahead of the least
    # version that the function gives.
    cleaned = rows[0][4]
    return TrackingState(current, max(least, int(str(cleaned or 0))), f"{table_id}:{begin}")


def statement(source: SqlServerSession, request: ReadRequest) -> Statement:
    """The SELECT that gives the changes, each with its operation and position."""
    assert request.table is not None
    if isinstance(request.changes, TrackedChanges):
        return _tracked(source, request, request.table, request.changes)
    assert request.changes is not None
    return captured(source, request, request.changes)


def _tracked(source: SqlServerSession, request: ReadRequest, table: TableName, changes: TrackedChanges) -> Statement:
    """Of a row that is gone the key is all that there is, and comes from the change; else all comes from the row.

    Whether the row is there says more than the operation: builds before KB4135113 tell 'D' of a row whose unique column
    was updated, and without SNAPSHOT rows are read later than changes.
    """
    quote = source.dialect.quote
    keys = {name.lower() for name in changes.key}

    def value(column: str) -> str:
        own = f"t.{quote(column)}"
        # A key that differs in case alone may be told by its former spelling.
        return f"COALESCE({own}, c.{quote(column)})" if column.lower() in keys else own

    columns = [_column(column, value(column.source), quote(column.name)) for column in request.columns]
    columns += [
        f"CASE WHEN t.{quote(changes.key[0])} IS NULL THEN 'D' ELSE 'U' END AS {quote(OP_READ)}",
        f"c.SYS_CHANGE_VERSION AS {quote(POSITION_READ)}",
    ]
    name = source.dialect.quote_table(table)
    same = " AND ".join(f"t.{quote(key)} = c.{quote(key)}" for key in changes.key)
    sql = f"SELECT {', '.join(columns)} FROM CHANGETABLE(CHANGES {name}, ?) AS c LEFT JOIN {name} AS t ON {same}"
    return Statement(sql, (int(changes.since.text),))


def _column(column: ColumnRead, value: str, name: str) -> str:
    return f"{(column.read_as or '{column}').replace('{column}', value)} AS {name}"


def read(source: SqlServerSession, request: ReadRequest) -> Buffer:
    """The changes, in one transaction with the looks at what the server still has. `Buffer.reached`: see there."""
    try:
        source._isolate(request.isolation)
        source.driver.autocommit(False)
        reached = _require(source, request)
        schema, batches, stop = source._stream(statement(source, request), request)
    except BaseException as error:
        _end(source)
        if isinstance(error, ElError) or not isinstance(error, Exception):
            raise
        raise source.translate(error) from None

    def checked() -> Iterator[pa.RecordBatch]:
        yield from batches
        stop()
        _require(source, request)

    def close() -> None:
        stop()
        _end(source)

    return Buffer(schema, checked(), close=close, translate=source.translate, reached=reached)


def _require(source: SqlServerSession, request: ReadRequest) -> Value | None:
    """Raise `PositionLost` unless the server has all changes of `request`; the version that it is at."""
    assert request.table is not None
    changes = request.changes
    if isinstance(changes, TrackedChanges):
        state = tracking_state(source, request.table)
        if state.current is None or state.least is None or int(changes.since.text) < state.least:
            raise PositionLost(
                f"{request.table}: changes were cleaned up while they were read; the next run begins a new snapshot"
            )
        return Value(str(state.current), VERSION)
    assert changes is not None
    require(source, request.table, changes)
    return None


def _end(source: SqlServerSession) -> None:
    driver = source._driver
    if driver is None:
        return
    try:
        driver.connection.rollback()
        driver.autocommit(True)
    except Exception:  # The connection is gone: the server has ended the transaction.
        return
