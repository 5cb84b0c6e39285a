"""The changes that SQL Server itself remembers, tracked or captured, read as a `ReadRequest` says.

Guarantees: changes are read whole or not at all: that the server still has all of them is looked at before and after,
in the transaction of the read (Microsoft Learn, "Work with Change Tracking", "Obtaining changes"; "Change data capture
functions"). Names are quoted, versions and LSNs are parameters.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from el.connectors.buffer import Buffer
from el.connectors.request import FeedRead, Position, ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.capture import require
from el.connectors.sqlserver.capture_select import CapturedChanges, captured
from el.connectors.sqlserver.change_tracking import TrackedChanges, require_tracked, tracked
from el.connectors.sqlserver.session import SqlServerSession
from el.errors import ElError


def statement(source: SqlServerSession, request: ReadRequest, changes: FeedRead) -> Statement:
    """The SELECT that gives the changes, each with its operation and position."""
    if isinstance(changes, TrackedChanges):
        return tracked(source, request, changes)
    assert isinstance(changes, CapturedChanges)
    return captured(source, request, changes)


def read(source: SqlServerSession, request: ReadRequest, changes: FeedRead) -> Buffer:
    """The changes, in one transaction with the looks at what the server still has. `Buffer.reached`: see there."""
    try:
        source._isolate(request.isolation)
        source.driver.autocommit(False)
        reached = _require(source, request, changes)
        schema, batches, stop = source._stream(statement(source, request, changes), request)
    except BaseException as error:
        _end(source)
        if isinstance(error, ElError) or not isinstance(error, Exception):
            raise
        raise source.translate(error) from None

    def checked() -> Iterator[pa.RecordBatch]:
        yield from batches
        stop()
        _require(source, request, changes)

    def close() -> None:
        stop()
        _end(source)

    return Buffer(schema, checked(), close=close, translate=source.translate, reached=reached)


def _require(source: SqlServerSession, request: ReadRequest, changes: FeedRead) -> Position | None:
    """The position that the server is at, if that counts. Raises `PositionLost` unless all of the changes are there."""
    assert request.table is not None
    if isinstance(changes, TrackedChanges):
        return require_tracked(source, request.table, changes)
    assert isinstance(changes, CapturedChanges)
    require(source, request.table, changes.instance, changes.first)
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
