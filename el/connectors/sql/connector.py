"""What SQL databases share: reading through the one query builder, in batches bounded by rows and bytes.

A SQL connector gives its `Dialect`, and over its driver `_stream` (Arrow batches of a statement),
`fetch` (a few metadata rows) and `execute`; and three for a transaction: `_begin`, `_commit` and `_rollback`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import ClassVar, Self

import pyarrow as pa

from el.connectors.abilities import CursorSource, Extent, SplitSource
from el.connectors.base import Source
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, Consistency, SourceType
from el.connectors.request import ColumnRead, Isolation, Op, ReadRequest, Split, Value
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.scale import Scale
from el.connectors.sql.select import Statement, build_back, build_extent, build_extreme, build_order, build_select
from el.connectors.sql.split import Range, ascending, can_divide, equal_cuts, ranges
from el.errors import ElError, PlanError
from el.types.rule import decide

Stream = tuple[pa.Schema, Iterator[pa.RecordBatch], Callable[[], None]]


class SqlConnector(Source, CursorSource, SplitSource):
    """A connector whose source understands SQL."""

    dialect: ClassVar[Dialect]
    split_type = Range
    session_user: ClassVar[str] = "CURRENT_USER"  # whom the server knows, in its SQL

    @abstractmethod
    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        """Run `statement`; give its schema, its batches, and what stops it without draining."""

    @abstractmethod
    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        """All rows of a small metadata query."""

    @abstractmethod
    def execute(self, statement: Statement) -> int:
        """Run a statement that gives no rows; the number of rows that it touched, or -1."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether there is a session."""

    @contextmanager
    def another_session(self) -> Iterator[Self]:
        """A session of its own to the same database: it sees what is committed and no more."""
        with type(self)(self.config) as session:
            yield session

    @abstractmethod
    def _begin(self) -> None:
        """Begin a transaction."""

    @abstractmethod
    def _commit(self) -> None:
        """Commit it. Raises the `ElError` that the driver's error means; what was committed may be unknown then."""

    @abstractmethod
    def _rollback(self) -> None:
        """Undo what is open. Nothing needs to be open: the transaction may have been committed after all."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside commit together, or not at all.

        Whatever happens, no transaction is open at the end: where a rollback fails, the session is given up, and the
        server undoes what was open in it. So nobody reads his own uncommitted rows and takes them for done.
        """
        self._begin()
        try:
            yield
            self._commit()
        except BaseException:
            try:
                self._rollback()
            except Exception:
                self._give_up()
            raise

    def _give_up(self) -> None:
        """Close a session of which nobody knows what is open in it; what went wrong first is what is told."""
        with suppress(Exception):
            self.close()

    def _isolate(self, isolation: Isolation) -> None:
        """Set the isolation of the next read; databases that are always stable need nothing."""

    def _with_hints(self, statement: Statement, request: ReadRequest) -> Statement:
        """The statement, which scans what `request` reads, with what this database is told besides to spare itself."""
        return statement

    def statement(self, request: ReadRequest) -> Statement:
        """The SQL that `read_buffer(request)` runs, to be shown."""
        return self._with_hints(build_select(request, self.dialect), request)

    def describe_read(self, request: ReadRequest) -> str:
        """That SQL."""
        return f"{self.statement(request)};"

    def read_buffer(self, request: ReadRequest) -> Buffer:
        """Read what `request` says. Raises `ReadError`, or the `ElError` that the driver's error means."""
        return self.stream(self.statement(request), request)

    def _by_rules(self, request: ReadRequest, otherwise: str | None = None) -> ReadRequest:
        """All columns, where nobody chose some, each as its rule reads it; `otherwise`: one without a rule."""
        if request.columns:
            return request
        table = request.table and f"SELECT * FROM {self.dialect.quote_table(request.table)}"
        columns, changed = [], False
        for name, type_ in self.query_columns(table or str(request.query)):
            rule = decide(self.rules, type_)
            way = rule.exact if rule is not None else None
            read_as = way.read_as if way is not None else otherwise
            arrow = None
            if way is not None and read_as is not None:
                arrow = way.arrow(type_) if callable(way.arrow) else way.arrow
            columns.append(ColumnRead(name, name, read_as, arrow))
            changed = changed or read_as is not None
        return replace(request, columns=tuple(columns)) if changed else request

    def stream(self, statement: Statement, request: ReadRequest) -> Buffer:
        """Read a statement of el's own; of `request` only isolation and batch bounds count. Raises as `read_buffer`."""
        try:
            self._isolate(request.isolation)
            schema, batches, close = self._stream(statement, request)
        except ElError:
            raise
        except Exception as error:
            raise self.translate(error) from None
        return Buffer(
            schema,
            _bounded(batches, request.batch_rows, request.batch_bytes),
            close=close,
            translate=self.translate,
        )

    def clock(self) -> str | None:
        return str(self.fetch(Statement(f"SELECT {self.dialect.clock}"))[0][0]) if self.dialect.clock else None

    def extent(
        self, request: ReadRequest, column: str, type_: SourceType, bound: Value | None = None, *, nulls: bool = False
    ) -> Extent:
        """How far `column` reaches, under the isolation of `request`."""
        self._isolate(request.isolation)
        row = self.fetch(self._with_hints(build_extent(request, column, type_, bound, nulls, self.dialect), request))[0]
        greatest = None if row[0] is None else Value(canonical(row[0]), type_)
        return Extent(greatest, int(str(row[1])), nulls and row[2] is not None and int(str(row[2])) == 1)

    def value_back(self, request: ReadRequest, column: str, type_: SourceType, bound: Value, rows: int) -> Value | None:
        """The value that lies so many rows below `bound`, under the isolation of `request`."""
        self._isolate(request.isolation)
        found = self.fetch(self._with_hints(build_back(request, column, type_, bound, rows, self.dialect), request))
        return None if not found or found[0][0] is None else Value(canonical(found[0][0]), type_)

    def max_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        """The greatest value of `column` in canonical text; None where there is no row with one."""
        return self._extreme("MAX", request, column, type_)

    def min_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        """The least value of `column` in canonical text; None where there is no row with one."""
        return self._extreme("MIN", request, column, type_)

    def _extreme(self, function: str, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        self._isolate(request.isolation)
        rows = self.fetch(self._with_hints(build_extreme(function, request, column, type_, self.dialect), request))
        text = rows[0][0] if rows else None
        return None if text is None else Value(canonical(text), type_)

    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        """Ranges of a column: of as many rows each where the database knows how its values lie, else of equal width."""
        if by is None or not can_divide(self.facts(by.type)) or not self.supports(Op.LT, by):
            what = None if by is None else f"{by.name!r} is {by.type}, which"
            raise PlanError(f"partition_by: {what} has no order to cut it by" if what else "partition_by: no column")
        if wanted < 2:
            return ()
        scale = Scale.of(self.facts(by.type))
        cuts = self._cuts(request, by, wanted)
        if scale is None:
            return ranges(by.name, by.type, self._in_order(request, by, cuts))
        return ranges(by.name, by.type, ascending(scale, cuts) or self._equal_cuts(request, by, scale, wanted))

    def _cuts(self, request: ReadRequest, by: Column, wanted: int) -> Sequence[str]:
        """Values in canonical text that cut the column into so many parts of about as many rows each, in no order.

        None where the database does not know them: a table is not scanned for it, unless that is cheap.
        """
        return ()

    def _in_order(self, request: ReadRequest, by: Column, cuts: Sequence[str]) -> list[str]:
        """These values as they compare with the column: what is equal there is one."""
        if not cuts:
            return []
        found = self.fetch(build_order(request, by.name, by.type, cuts, self.dialect))
        return [cuts[int(str(number)) - 1] for (number,) in found]

    def _equal_cuts(self, request: ReadRequest, by: Column, scale: Scale, wanted: int) -> list[str]:
        least, greatest = (found(request, by.name, by.type) for found in (self.min_value, self.max_value))
        return [] if least is None or greatest is None else equal_cuts(scale, least.text, greatest.text, wanted)

    def in_canonical_text(self, value: Value) -> Value:
        """The value as the database writes it. Raises `ReadError` for a text that is none of its type."""
        sql = f"SELECT {self.dialect.as_text(self.dialect.bound(value), value.type)}"
        found = self.fetch(Statement(sql, (self.dialect.parameter(value),)))[0][0]
        return Value(canonical(found), value.type)

    def query_columns(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        """Names and types of the columns that the user's query gives, without running it."""
        raise PlanError(f"{self.scheme}: a query of one's own is not possible with this connector")

    def query_consistency(self, query: str, catalog: Catalog) -> Consistency:
        """What a read of the user's own query sees."""
        return catalog.consistency


def canonical(value: object) -> str:
    """A fetched value in canonical text; bytes become "0x" and upper-case hex."""
    return f"0x{value.hex().upper()}" if isinstance(value, bytes | bytearray) else str(value)


def _bounded(batches: Iterator[pa.RecordBatch], batch_rows: int, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """Split batches that exceed either bound; slices share memory with their batch, nothing is copied."""
    for batch in batches:
        if batch.num_rows == 0:
            continue
        pieces = max(1, -(-batch.nbytes // batch_bytes))
        rows = max(1, min(batch_rows, -(-batch.num_rows // pieces)))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)
