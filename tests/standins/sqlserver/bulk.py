"""Bulk load ([MS-TDS] 2.2.6.1): INSERT BULK says what comes, a BULK message brings the rows as a server sends them.

All rows of a message land in one transaction, or in the one that is open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from . import lookup
from .driver_questions import table_collations
from .errors import SqlError
from .scan import Scanner, unquote
from .sqltypes import SqlType, parse_type
from .wire import arrow_type
from .wire_read import Reader, WireType, read_type_info

if TYPE_CHECKING:
    from .session import Session

COLMETADATA, ROW, NBCROW, DONE = 0x81, 0xD1, 0xD2, 0xFD
BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Target:
    """What INSERT BULK names: a dotted name, columns with their types, and options as upper-case words."""

    parts: tuple[str, ...]
    columns: tuple[str, ...]
    types: tuple[SqlType, ...]
    options: frozenset[str]


def parse_insert_bulk(sql: str) -> Target | None:
    """The target, if the batch is an INSERT BULK (Microsoft Learn, "BULK INSERT", external tool syntax)."""
    if "insert" not in sql[:200].lower() or "bulk" not in sql[:200].lower():
        return None
    scanner = Scanner(sql)
    if not scanner.accept("INSERT", "BULK"):
        return None
    parts = scanner.names()
    inner = Scanner(scanner.parenthesised())
    columns, types = [], []
    while not inner.done:
        columns.append(inner.name())
        types.append(parse_type(inner.until(",", "COLLATE")))
        inner.until(",")
        inner.accept(",")
    options = set()
    if scanner.accept("WITH"):
        options = {o.upper() for o in Scanner(scanner.parenthesised()).list_of()}
    return Target(tuple(parts), tuple(columns), tuple(types), frozenset(options))


def destination(session: Session, sql: str) -> bool:
    """Answers what bulk loaders ask about their destination before INSERT BULK; False if the batch is not that.

    It is one long batch, .NET's and mssql-python's, that puts together a SELECT of all columns with FMTONLY on.
    """
    found = re.search(r"SET FMTONLY ON.*sp_tablecollations_100\s+(N?'(?:[^']|'')*')", sql, re.S)
    if found is None or "@Column_Names" not in sql:
        return False
    name = unquote(found[1])
    columns = ", ".join(f"[{c.name.replace(']', ']]')}]" for c in lookup.table(session, Scanner(name).names()).columns)
    session.run(f"SELECT @@TRANCOUNT; SET FMTONLY ON; SELECT {columns} FROM {name}; SET FMTONLY OFF")
    table_collations(session, [name], {})
    return True


def load(session: Session, target: Target, body: bytes) -> int:
    """Loads the rows of a message; how many."""

    def work() -> int:
        return sum(
            session.bulk_insert(list(target.parts), list(target.columns), batch, set(target.options))
            for batch in batches(target, body)
        )

    return int(session.atomic(work))


def batches(target: Target, body: bytes) -> Iterator[pa.RecordBatch]:
    reader = Reader(body)
    if reader.byte() != COLMETADATA:
        raise SqlError(4804, "Premature end of message while reading current row from host.")
    wire = [_column(reader) for _ in range(reader.ushort())]
    columns: list[list[Any]] = [[] for _ in wire]
    steps = [(column.read, values.append) for column, values in zip(wire, columns, strict=True)]
    count = 0
    while reader.at < len(body):
        token = reader.byte()
        if token == ROW:
            for read, append in steps:
                append(read(reader))
        elif token == NBCROW:
            nulls = int.from_bytes(reader.take((len(wire) + 7) // 8), "little")
            for i, (read, append) in enumerate(steps):
                append(None if nulls >> i & 1 else read(reader))
        elif token == DONE:
            break
        else:
            raise SqlError(4804, "Premature end of message while reading current row from host.")
        count += 1
        if count == BATCH_ROWS:
            yield _batch(target, wire, columns)
            for values in columns:
                values.clear()
            count = 0
    if count:
        yield _batch(target, wire, columns)


def _column(reader: Reader) -> WireType:
    reader.take(6)
    found = read_type_info(reader)
    if found.type.name in ("text", "ntext", "image"):
        # One name, and before each value a text pointer and a timestamp (2.2.7.19), as a server sends them.
        reader.us_varchar()
        found = WireType(found.type, _after_pointer(found.read))
    reader.b_varchar()
    return found


def _after_pointer(read: Callable[[Reader], Any]) -> Callable[[Reader], Any]:
    def value(reader: Reader) -> Any:
        size = reader.byte()
        if not size:
            return None
        reader.take(size + 8)
        return read(reader)

    return value


def _batch(target: Target, wire: list[WireType], columns: list[list[Any]]) -> pa.RecordBatch:
    arrays = []
    for declared, sent, values in zip(target.types, wire, columns, strict=True):
        if declared.name == "xml":
            # XML comes as text, its byte order mark with it.
            values = [v and v.removeprefix("\ufeff") for v in values]
        array = pa.array(values, arrow_type(sent.type))
        wanted = arrow_type(declared)
        try:
            arrays.append(array if array.type == wanted else array.cast(wanted))
        except pa.ArrowInvalid as error:
            raise SqlError(4863, f"Bulk load data conversion error (truncation): {error}") from error
    return pa.RecordBatch.from_arrays(arrays, names=list(target.columns))
