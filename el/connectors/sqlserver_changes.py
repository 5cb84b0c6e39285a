"""What SQL Server itself remembers of changes: change tracking and change data capture, read as a `ReadRequest` says.

Guarantees: changes are read whole or not at all: that the server still has all of them is looked at before and after,
in the transaction of the read (Microsoft Learn, "Work with Change Tracking", "Obtaining changes"; "Change data capture
functions"). Names are quoted, versions and LSNs are parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from el.connectors.base import CaptureInstance, TrackingState
from el.connectors.buffer import Buffer
from el.connectors.catalog import SourceType, TableName
from el.connectors.query import Statement
from el.connectors.request import (
    OP_READ,
    POSITION_READ,
    CapturedChanges,
    ColumnRead,
    ReadRequest,
    TrackedChanges,
    Value,
)
from el.connectors.sql import canonical
from el.errors import ElError, PositionLost

if TYPE_CHECKING:
    from el.connectors.sqlserver import SqlServer

LSN = SourceType("binary", length=10)
VERSION = SourceType("bigint")

_TRACKING = """
SELECT CHANGE_TRACKING_CURRENT_VERSION(), CHANGE_TRACKING_MIN_VALID_VERSION(t.object_id), t.begin_version, t.object_id
FROM sys.change_tracking_tables AS t WHERE t.object_id = OBJECT_ID(?)
"""

_INSTANCES = """
SELECT c.capture_instance, c.start_lsn, sys.fn_cdc_get_min_lsn(c.capture_instance), k.column_name
FROM cdc.change_tables AS c
JOIN cdc.captured_columns AS k ON k.object_id = c.object_id
WHERE c.source_object_id = OBJECT_ID(?)
ORDER BY c.start_lsn, k.column_ordinal
"""


def tracking_state(source: SqlServer, table: TableName) -> TrackingState:
    rows = source.fetch(Statement(_TRACKING, (source.dialect.quote_table(table),)))
    if not rows or any(value is None for value in rows[0]):
        return TrackingState(None, None, None)
    current, least, begin, table_id = (int(str(value)) for value in rows[0])
    return TrackingState(current, least, f"{table_id}:{begin}")


def capture_instances(source: SqlServer, table: TableName) -> tuple[CaptureInstance, ...]:
    columns: dict[tuple[str, str, str], list[str]] = {}
    for name, start, least, column in source.fetch(Statement(_INSTANCES, (source.dialect.quote_table(table),))):
        columns.setdefault((str(name), canonical(start), canonical(least)), []).append(str(column))
    return tuple(
        CaptureInstance(name, Value(start, LSN), Value(max(start, least), LSN), tuple(found))
        for (name, start, least), found in columns.items()
    )


def max_lsn(source: SqlServer) -> Value | None:
    found = source.fetch(Statement("SELECT sys.fn_cdc_get_max_lsn()"))[0][0]
    return None if found is None else Value(canonical(found), LSN)


def next_lsn(lsn: Value) -> Value:
    """The least LSN behind this one (sys.fn_cdc_increment_lsn: they count in their last byte)."""
    return Value(f"0x{int(lsn.text, 16) + 1:020X}", LSN)


def previous_lsn(lsn: Value) -> Value:
    """The greatest LSN before this one (sys.fn_cdc_decrement_lsn)."""
    return Value(f"0x{int(lsn.text, 16) - 1:020X}", LSN)


def statement(source: SqlServer, request: ReadRequest) -> Statement:
    """The SELECT that gives the changes, each with its operation and position."""
    assert request.table is not None
    if isinstance(request.changes, TrackedChanges):
        return _tracked(source, request, request.table, request.changes)
    assert request.changes is not None
    return _captured(source, request, request.changes)


def _tracked(source: SqlServer, request: ReadRequest, table: TableName, changes: TrackedChanges) -> Statement:
    """Of a row that is gone the key is all that there is: it comes from the change, everything else from the row."""
    quote = source.dialect.quote
    keys = {name.lower() for name in changes.key}
    columns = [
        _column(column, f"{'c' if column.source.lower() in keys else 't'}.{quote(column.source)}", quote(column.name))
        for column in request.columns
    ]
    first = quote(changes.key[0])
    columns += [
        # Deleted since the change that is seen here: without SNAPSHOT, rows are read later than changes.
        f"CASE WHEN c.SYS_CHANGE_OPERATION = 'D' OR t.{first} IS NULL THEN 'D' ELSE 'U' END AS {quote(OP_READ)}",
        f"c.SYS_CHANGE_VERSION AS {quote(POSITION_READ)}",
    ]
    name = source.dialect.quote_table(table)
    same = " AND ".join(f"t.{quote(key)} = c.{quote(key)}" for key in changes.key)
    sql = f"SELECT {', '.join(columns)} FROM CHANGETABLE(CHANGES {name}, ?) AS c LEFT JOIN {name} AS t ON {same}"
    return Statement(sql, (int(changes.since.text),))


def _captured(source: SqlServer, request: ReadRequest, changes: CapturedChanges) -> Statement:
    quote = source.dialect.quote
    missing = {name.lower(): type_ for name, type_ in changes.missing}
    columns = []
    for column in request.columns:
        type_ = missing.get(column.source.lower())
        value = f"c.{quote(column.source)}" if type_ is None else f"CAST(NULL AS {_declared(type_)})"
        columns.append(_column(column, value, quote(column.name)))
    operation = "c.[__$operation]"
    columns += [
        f"CASE {operation} WHEN 1 THEN 'D' WHEN 3 THEN 'B' ELSE 'U' END AS {quote(OP_READ)}",
        # The order of commits, of the changes in one, and of what one change consists of: 1 before 2, 3 before 4.
        "CAST(c.[__$start_lsn] AS BINARY(10)) + CAST(c.[__$seqval] AS BINARY(10)) + "
        f"CAST({operation} AS BINARY(1)) AS {quote(POSITION_READ)}",
    ]
    function = f"{quote('cdc')}.{quote(f'fn_cdc_get_all_changes_{changes.instance}')}"
    option = "all update old" if changes.before_images else "all"
    sql = f"SELECT {', '.join(columns)} FROM {function}(?, ?, N'{option}') AS c"
    return Statement(sql, tuple(source.dialect.parameter(value) for value in (changes.first, changes.last)))


def _declared(type_: SourceType) -> str:
    return "BINARY(8)" if type_.name == "rowversion" else str(type_).upper()


def _column(column: ColumnRead, value: str, name: str) -> str:
    return f"{(column.read_as or '{column}').replace('{column}', value)} AS {name}"


def read(source: SqlServer, request: ReadRequest) -> Buffer:
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


def _require(source: SqlServer, request: ReadRequest) -> Value | None:
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
    found = source.fetch(Statement("SELECT sys.fn_cdc_get_min_lsn(?)", (changes.instance,)))[0][0]
    if found is None or canonical(found) > changes.first.text or not int(canonical(found), 16):
        raise PositionLost(
            f"{request.table}: capture instance {changes.instance} no longer has the changes since {changes.first}; "
            f"run --full-refresh --select {request.table} begins anew"
        )
    return None


def _end(source: SqlServer) -> None:
    driver = source._driver
    if driver is None:
        return
    try:
        driver.connection.rollback()
        driver.autocommit(True)
    except Exception:  # The connection is gone: the server has ended the transaction.
        return
