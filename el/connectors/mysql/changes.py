"""binlog: every change of a table that the binary log has, in the order of commits.

Guarantees: whole transactions, up to the place where the log was when the run was planned; each row with its place. A
snapshot's place in the log is one that all its rows are of (MariaDB), or before it, and what comes twice has the same
key. A place that the server no longer has, and whatever the log does not tell row by row, is an error that says what
to do, and never a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.abilities import ChangeFeed
from el.connectors.buffer import Buffer
from el.connectors.catalog import SourceType
from el.connectors.mysql.log_changes import Changes, Piece
from el.connectors.mysql.log_columns import Columns
from el.connectors.mysql.log_position import FORM, of_position
from el.connectors.mysql.log_server import ServerLog
from el.connectors.mysql.log_statement import Followed
from el.connectors.note import MayLose
from el.connectors.request import OP_READ, POSITION_READ, ColumnRead, FeedRead, Position, ReadRequest
from el.errors import NotPermitted, PlanError, PositionLost, ReadError

if TYPE_CHECKING:
    from el.connectors.mysql import MySql


@dataclass(frozen=True, slots=True)
class LoggedChanges(FeedRead):
    """The changes behind one position up to another."""

    since: str
    until: str
    columns: tuple[tuple[str, SourceType], ...]  # those that are taken
    key: tuple[str, ...]
    before_images: bool = False
    folded: bool = True  # names of tables compare without case

    def __str__(self) -> str:
        return f"behind {self.since} up to {self.until}"


class BinaryLog(ChangeFeed):
    """Needs the binary log with whole rows and the names of their columns, and a key."""

    name = "binlog"
    counts = "GTID"
    form = FORM
    guarantee = "every change in the order of commits, deletes included; a lost position is an error"
    source: MySql

    def obstacle(self) -> str | None:
        table, followed = self.followed.table, self.followed
        if table.kind != "table":
            return "the binary log has the rows of tables, not of views and queries"
        if table.temporal is not None:
            return "of a table with SYSTEM VERSIONING the binary log has the rows of its history too"
        if not table.consistency.snapshot:
            return f"{table.consistency.no_snapshot}: a snapshot has no place in the binary log"
        if followed.filtered:
            return "of a row that leaves the `filters`, the binary log does not tell"
        if not followed.key:
            return "there is no key to tell by which row a change is of: set `key`"
        return None

    def notes(self, *, waits: bool = False) -> tuple[str, ...]:
        if "cascades" not in self.followed.accept:
            return ()
        return (MayLose("rows that a foreign key deletes or changes in cascade are not seen"),)

    @property
    def _log(self) -> ServerLog:
        return self.source.binary_log

    def now(self, since: Position | None = None) -> Position:
        if since is not None:
            upper = self._log.now().text
            return since if upper == since.text else Position(upper, self._log.identity())
        self._log.require(self.followed.table.name, self.followed.accept)
        found = self._log.seen()
        try:
            identity = self._log.identity()
            self._log.look(found)
        except NotPermitted as refused:
            raise PlanError(f"{self.followed.table.name}: {refused}") from None
        return Position(found.text, identity)

    def alive(self, since: Position) -> str | None:
        self._log.require(self.followed.table.name, self.followed.accept)
        try:
            held = of_position(since.text, is_mariadb=self._log.is_mariadb)
        except ValueError:
            return f"raw's position {since} is of another kind of server"
        now = self._log.now()
        try:
            other = self._log.why_another(since.log)
        except NotPermitted as refused:
            raise PlanError(f"{self.followed.table.name}: {refused}") from None
        if other is not None:
            return f"the server was restored, or its log begun anew (RESET MASTER): {other}"
        if not now.holds(held):
            return f"the log is at {now}, before raw's {held}: the server was restored, or its log begun anew"
        if now.text == since.text:
            return None
        try:
            self._log.look(held)
        except PositionLost as lost:
            return f"the changes behind {held} are gone from the binary log (binlog_expire_logs_seconds): {lost}"
        except NotPermitted as refused:
            raise PlanError(f"{self.followed.table.name}: {refused}") from None
        return None

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        followed = self.followed
        columns = tuple((column.name, column.type) for column in followed.columns)
        folded = not followed.catalog.case_sensitive
        return (LoggedChanges(since.text, until.text, columns, followed.key, followed.before_images, folded),)


def read(source: MySql, request: ReadRequest, changes: LoggedChanges) -> Buffer:
    """The changes of a request. `Buffer.reached`: the end of the transaction that they go up to."""
    if request.table is None or request.where or request.kept or request.limit is not None or request.order_by:
        raise ReadError("the binary log gives all changes of a table, in their order, without conditions")
    server = source.binary_log
    since, until = (of_position(text, is_mariadb=server.is_mariadb) for text in (changes.since, changes.until))
    names = [name for name, _ in changes.columns]
    followed = Followed(request.table, frozenset(name.lower() for name in names), changes.folded)
    log = server.open(since)
    found = Changes(log, since, until, followed)
    columns = Columns(source, dict(changes.columns), is_mariadb=server.is_mariadb)
    fields = [pa.field(read.name, read.arrow or pa.null()) for read in request.columns]
    schema = pa.schema([*fields, pa.field(OP_READ, pa.string()), pa.field(POSITION_READ, pa.string())])

    def batches() -> Iterator[pa.RecordBatch]:
        for piece in found.pieces(request.batch_rows, request.batch_bytes):
            yield _batch(piece, columns, request, changes, schema)
        buffer.reached = Position(found.reached.text)

    buffer = Buffer(schema, batches(), close=log.close, translate=server.translated)
    return buffer


def _batch(
    piece: Piece, columns: Columns, request: ReadRequest, changes: LoggedChanges, schema: pa.Schema
) -> pa.RecordBatch:
    """An update is its row as it is now; one that changed the key is a "D" of the former row and a "U"."""
    kinds = np.frombuffer(bytes(piece.kinds), np.uint8)
    before = np.flatnonzero(kinds == ord("B"))
    moved = np.zeros(len(before), np.bool_)
    for name in changes.key if len(before) else ():
        read = ColumnRead(name, name)
        was, is_ = columns.of(piece, read, before), columns.of(piece, read, before + 1)
        differs = pc.fill_null(pc.not_equal(was, is_), False).to_numpy(zero_copy_only=False)
        moved |= differs | (
            was.is_valid().to_numpy(zero_copy_only=False) != is_.is_valid().to_numpy(zero_copy_only=False)
        )
    ops = np.where(kinds == ord("D"), "D", "U").astype(object)
    ops[before] = np.where(moved, "D", "B")
    kept = np.ones(len(kinds), np.bool_)
    if not changes.before_images:
        kept[before[~moved]] = False
    rows = np.flatnonzero(kept)
    made = [columns.of(piece, read, rows) for read in request.columns]
    made += [pa.array(ops[rows], pa.string()), _positions(piece).take(pa.array(rows))]
    return pa.RecordBatch.from_arrays(made, schema=schema)


def _positions(piece: Piece) -> pa.Array:
    totals = np.repeat([total for total, _, _ in piece.places], [count for _, _, count in piece.places])
    numbers = np.concatenate([np.arange(first, first + count) for _, first, count in piece.places])
    padded = [pc.utf8_lpad(pa.array(part).cast(pa.string()), size, "0") for part, size in ((totals, 20), (numbers, 10))]
    return pc.binary_join_element_wise(*padded, ".")
