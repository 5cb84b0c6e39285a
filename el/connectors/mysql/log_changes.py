"""The changed rows of one table out of the events of the binary log, in the order of commits, whole transactions.

Guarantees: rows are taken apart by the columns that the log itself names with them. What the log does not tell row by
row (a statement, a half-logged row, an XA transaction that waits) is a `PositionLost`, and never passed over.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from uuid import UUID

import pyarrow as pa

from el.connectors.mysql.log import Event, event_of
from el.connectors.mysql.log_position import DomainGtids, Gtids, UuidGtids
from el.connectors.mysql.log_rows import Rows, UnknownType
from el.connectors.mysql.log_statement import Followed, effect_of
from el.connectors.mysql.log_table import LogTable, number, read_table, table_of
from el.errors import PositionLost

QUERY, XID, TABLE_MAP, XA_PREPARE, PAYLOAD, QUERY_COMPRESSED = 2, 16, 19, 38, 40, 165
GTID, ANONYMOUS, GTID_TAGGED, MARIADB_GTID = 33, 34, 42, 162
# Kind of event -> what the rows are, bytes before the number of columns, whether the rows are compressed.
_ROWS = {
    first + number: ("IUD"[number], head, packed)
    for first, head, packed in ((23, 8, False), (30, 10, False), (166, 8, True), (169, 10, True))
    for number in range(3)
}
_HALF_ROWS = {39: "binlog_row_value_options is PARTIAL_JSON", 20: "it is", 21: "it is", 22: "it is"}
# Places in files, what precedes statements, notes.
_PASSED = frozenset({3, 4, 5, 13, 14, 27, 28, 29, 35, 36, 37, 41, 160, 161, 163, 164})
_STATEMENT_FILES = frozenset({6, 8, 9, 10, 11, 12, 17, 18})
_STANDALONE = 1
_HEAD = 19
_STRICT = 1 << 21 | 1 << 22


@dataclass(slots=True)
class Piece:
    """Rows that were written with the same columns. kinds: I, D, and of an update B, then A."""

    table: LogTable
    rows: Rows
    kinds: bytearray = field(default_factory=bytearray)
    places: list[tuple[int, int, int]] = field(default_factory=list)  # transaction, number of the first row, how many


class Changes:
    """What happened to one table behind `since`, up to `until` or the end of the transaction that holds it.

    reached: up to where it was read; it grows with the pieces.
    """

    def __init__(self, events: Iterable[Event], since: Gtids, until: Gtids, followed: Followed) -> None:
        self.reached = since.copy()
        self._events, self._until, self._followed = events, until, followed
        self._tables: dict[bytes, LogTable] = {}
        self._known: dict[bytes, LogTable] = {}
        self._piece: Piece | None = None
        self._full: list[Piece] = []
        self._open = self._standalone = False  # within a transaction; one that is a single event
        self._touched = 0  # rows of ours in this transaction
        self._lacking: set[str] = set()  # columns that a row lacked, and of which no statement told yet that they came

    def pieces(self, rows: int, size: int) -> Iterator[Piece]:
        """Of about so many rows and bytes at most."""
        for event in self._all(self._events):
            self._take(event)
            piece = self._piece
            if piece is not None and (piece.rows.count >= rows or len(piece.rows.data) >= size):
                self._full.append(piece)
                self._piece = None
            yield from self._full
            self._full.clear()
            if not self._open and self.reached.holds(self._until):
                break
        else:
            if self._open or not self.reached.holds(self._until):
                self._lose(f"the log ends at {self.reached}, before {self._until}")
        if self._lacking:
            self._lose(f"rows lack {', '.join(sorted(self._lacking))}, and no statement says that it came later")
        if self._piece is not None:
            yield self._piece

    def _all(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if event.kind == PAYLOAD:
                yield from self._all(unpacked(event.body))
            else:
                yield event

    def _lose(self, why: str) -> NoReturn:
        name = self._followed.table
        raise PositionLost(
            f"{name}: {why} (in the binary log behind {self.reached}): its rows cannot be followed past that; "
            f"run --full-refresh --select {name} begins anew"
        )

    def _take(self, event: Event) -> None:
        kind, body = event.kind, event.body
        if kind in _ROWS:
            self._rows(kind, body)
        elif kind == TABLE_MAP:
            self._table(body)
        elif kind in (MARIADB_GTID, GTID, ANONYMOUS, GTID_TAGGED):
            self._begin(event)
        elif kind == XID:
            self._open = False
        elif kind in (QUERY, QUERY_COMPRESSED):
            self._statement(body if kind == QUERY else _inflated_query(body))
        elif kind == XA_PREPARE:
            # Its first byte says that it is committed in one phase.
            if self._touched and not body[0]:
                self._lose("an XA transaction changed it, which the log has before it is known to be committed")
            self._open = False
        elif kind in _HALF_ROWS:
            if body[:6] in self._tables:
                self._lose(f"the log does not have its rows whole: {_HALF_ROWS[kind]} of an old format")
        elif kind in _STATEMENT_FILES:
            self._lose("a session logged a statement and not its rows (binlog_format)")
        elif kind not in _PASSED and not event.ignorable:
            self._lose(f"an event of kind {kind} that el does not know")

    def _begin(self, event: Event) -> None:
        if self._open:
            self._lose("a transaction without an end")
        body, reached = event.body, self.reached
        if event.kind == MARIADB_GTID and isinstance(reached, DomainGtids):
            counted, domain = int.from_bytes(body[:8], "little"), int.from_bytes(body[8:12], "little")
            reached.add(domain, event.server, counted)
            self._standalone = bool(body[12] & _STANDALONE)
        elif event.kind == GTID and isinstance(reached, UuidGtids):
            reached.add(UUID(bytes=body[1:17]), int.from_bytes(body[17:25], "little"))
            self._standalone = True  # until it says BEGIN
        else:
            self._lose("a transaction without a GTID, or with a tag in it")
        self._open, self._touched = True, 0
        self._tables.clear()

    def _statement(self, body: bytes) -> None:
        size, states = body[8], int.from_bytes(body[11:13], "little")
        start = 13 + states
        schema, sql = body[start : start + size].decode(), _text(body[start + size + 1 :])
        said = sql[:20].upper().rstrip(" ;")
        if said == "BEGIN" or said.startswith("XA START"):
            self._standalone = False
        elif said in ("COMMIT", "ROLLBACK") or said.startswith(("XA COMMIT", "XA ROLLBACK")):
            if said == "ROLLBACK" and self._touched:
                self._lose("a transaction was undone after it was logged: tables without transactions are in it")
            self._open = False
        elif said.startswith("ROLLBACK"):
            if self._touched:
                self._lose("a part of a transaction was undone after it was logged")
        else:
            effect = effect_of(sql, schema, self._followed, strict=_is_strict(body[13:start]))
            if effect.harm is not None:
                self._lose(effect.harm)
            self._lacking -= effect.added
            if self._standalone:
                self._open = False

    def _table(self, body: bytes) -> None:
        number_, said = body[:6], body[8:]
        table = self._known.get(said)
        if table is None:
            if not self._followed.is_named(*table_of(body)):
                self._tables.pop(number_, None)
                return
            table = read_table(body, is_mariadb=isinstance(self.reached, DomainGtids))
            if not table.named:
                self._lose("its columns have no names there: binlog_row_metadata was not FULL")
            self._known[said] = table
        self._tables[number_] = table

    def _rows(self, kind: int, body: bytes) -> None:
        table = self._tables.get(body[:6])
        if table is None:
            return
        what, head, packed = _ROWS[kind]
        if head == 10:
            head = 8 + int.from_bytes(body[8:10], "little")
        width, at = number(body, head)
        size = (width + 7) // 8
        images = 2 if what == "U" else 1
        there = int.from_bytes(body[at : at + size], "little")
        after = int.from_bytes(body[at + size : at + 2 * size], "little") if images == 2 else there
        if width != len(table.columns) or {there, after} != {(1 << width) - 1}:
            self._lose("the log does not have its rows whole: binlog_row_image was not FULL")
        at += images * size
        if packed:
            body, at = inflated(body, at), 0
        piece = self._piece
        if piece is None or piece.table is not table:
            self._full += [piece] if piece is not None else []
            piece = self._piece = Piece(table, Rows(table.columns))
            named = {column.name.lower() for column in table.columns}
            self._lacking |= {name for name in self._followed.columns if name not in named}
        try:
            count = piece.rows.add(body, at)
        except (UnknownType, IndexError) as error:
            self._lose(f"its rows cannot be taken apart: {error}")
        piece.kinds += (b"BA" * (count // 2)) if what == "U" else what.encode() * count
        piece.places.append((self.reached.total, self._touched, count))
        self._touched += count


def inflated(body: bytes, at: int) -> bytes:
    """What MariaDB compressed (`log_bin_compress`): a byte that says how, the length, zlib."""
    return zlib.decompress(body[at + 1 + (body[at] & 7) :])


def _inflated_query(body: bytes) -> bytes:
    at = 13 + int.from_bytes(body[11:13], "little") + body[8] + 1
    return body[:at] + inflated(body, at)


def unpacked(body: bytes) -> Iterator[Event]:
    """The events of a transaction that MySQL compressed (`binlog_transaction_compression`)."""
    fields: dict[int, int] = {}
    at = 0
    while at < len(body):
        kind, at = number(body, at)
        if not kind:
            break
        size, at = number(body, at)
        fields[kind] = number(body, at)[0]
        at += size
    # 1: the payload's size, 2: how it is compressed, 3: the size of what it holds.
    stream = pa.input_stream(pa.BufferReader(body[at:]), compression="zstd" if fields.get(2) == 0 else None)
    while head := stream.read(_HEAD):
        size = int.from_bytes(head[9:13], "little") - _HEAD
        yield event_of(memoryview(head + stream.read(size)))


def _is_strict(states: bytes) -> bool:
    """Status variables begin with the flags, then the sql_mode: codes 0 and 1."""
    at = 5 if states[:1] == b"\0" else 0
    mode = int.from_bytes(states[at + 1 : at + 9], "little") if states[at : at + 1] == b"\1" else _STRICT
    return bool(mode & _STRICT)


def _text(sql: bytes) -> str:
    try:
        return sql.decode()
    except UnicodeDecodeError:
        return sql.decode("latin-1")
