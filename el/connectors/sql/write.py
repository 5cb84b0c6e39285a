"""How every SQL database is written: stage, read back and compare, then one transaction that applies the rows.

Guarantees: all rows or none; the target is touched by that one transaction only, which also records the run_id, so
that the same run_id twice changes nothing; a value that the target's column changed is refused; the staging table is
dropped whatever happens. After a commit of which nobody knows whether it took effect, another session is asked. The
data waits in a local file, so that memory does not grow with it.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import ClassVar, Generic, TypeVar

import pyarrow as pa

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.catalog import TableName
from el.connectors.request import ColumnRead, ReadRequest
from el.connectors.sql.audit import AUDIT_TABLE
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.common_form import TextIs
from el.connectors.sql.compare import Compared, refuse_changes
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.incoming import Spool, as_batches, spooled
from el.connectors.sql.nested import as_json, nested
from el.connectors.sql.select import Statement
from el.connectors.sql.write_job import TargetColumn, WriteJob, refuse_columns, refuse_keys
from el.connectors.sql.write_ledger import WRITES_TABLE, WriteLedger
from el.errors import ElError, WriteError
from el.types.rule import NUMBERS, TypeKind, decide

# The table that every raw schema has (`el.loading.ledger`).
RAW_MARKS = ("_el_ledger", "_EL_LEDGER")
T = TypeVar("T")
Session = TypeVar("Session", bound=SqlConnector)
# A transaction that another's was in the way of is tried again so long.
WAIT_SECONDS = 30.0
_TIMES = (TypeKind.DATE, TypeKind.TIME, TypeKind.MOMENT, TypeKind.INSTANT)


class TableAppeared(Exception):
    """The table that was missing was made by somebody else meanwhile: its columns have types of their own."""


class SqlWrite(ABC, Generic[Session]):
    """One write. A database gives what has no default here: its types, its ledger, its columns, how rows come in."""

    # The column types of a table that is made.
    types: ClassVar[ColumnTypes]
    # Column definitions of the ledger, and the end of an INSERT into it, in the order of `WriteLedger.record`.
    ledger_columns: ClassVar[str]
    ledger_row: ClassVar[str]
    ledger_name: ClassVar[str] = WRITES_TABLE
    audit_name: ClassVar[str] = AUDIT_TABLE
    # How a staging table is created that ends with the session.
    temporary: ClassVar[str] = "TEMPORARY "
    # Whether CREATE TABLE is undone with its transaction.
    transactional_ddl: ClassVar[bool] = True
    # Whether two names are one that differ in case alone.
    names_in_any_case: ClassVar[bool] = False

    def __init__(self, session: Session, job: WriteJob) -> None:
        self.session, self.job = session, job
        self.quote, self.quote_table = session.dialect.quote, session.dialect.quote_table
        self.staging = self.staging_table(f"_el_staging_{uuid.uuid4().hex[:16]}")
        self.ledger = self._ledger_of(session)
        # The target's column for each of the data's; none where the table is to be made.
        self.columns: list[TargetColumn] = []

    # -- what a database gives

    @abstractmethod
    def target_columns(self, table: TableName) -> list[TargetColumn]:
        """The columns of a table that can be written, in order; none where there is no such table."""

    @abstractmethod
    def fill(self, spool: Spool) -> None:
        """Every row into the staging table."""

    # -- what a database may do otherwise

    def staging_table(self, name: str) -> TableName:
        return TableName(self.job.target.schema, name)

    def checked_early(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches; raises `WriteError` early, and says why better than a comparison can."""
        return batches

    def takes_text(self, column: TargetColumn) -> bool:
        """Whether the column holds texts, or JSON that is sent as text."""
        return self.session.facts(column.type).kind in (TypeKind.TEXT, TypeKind.DOCUMENT)

    def pads_blanks(self, column: TargetColumn) -> bool:
        """Whether the column fills up a text with blanks."""
        return False

    def read_back(self, column: TargetColumn) -> str | None:
        """The SQL, with "{column}", that reads all of a column's value; None: the column itself."""
        rule = decide(self.session.rules, column.type)
        return rule.exact.read_as if rule is not None and rule.exact is not None else None

    def like_target(self, names: str) -> str:
        """The statement that makes an empty staging table with these columns of the target's."""
        made = f"CREATE {self.temporary}TABLE {self.staged}"
        return f"{made} AS SELECT {names} FROM {self.into} LIMIT 0"

    def merged(self, names: Sequence[str]) -> list[str]:
        """The statements that merge the staged rows by their key."""
        quote, key = self.quote, self.job.key
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        sets = ", ".join(f"{quote(name)} = s.{quote(name)}" for name in names if name not in key)
        matched = f"WHEN MATCHED THEN UPDATE SET {sets} " if sets else ""
        values = ", ".join(f"s.{quote(name)}" for name in names)
        return [
            f"MERGE INTO {self.into} AS t USING {self.staged} AS s ON {same} {matched}"
            f"WHEN NOT MATCHED THEN INSERT ({self.listed(names)}) VALUES ({values})"
        ]

    def rows_inserted(self, touched: int) -> int:
        """How many rows the last statement inserted; -1 where nobody knows. touched: what the driver said."""
        return touched

    def clean_up(self) -> None:
        """Take away what was staged; the session may be gone, and what was temporary in it too."""
        with suppress(ElError):
            self.session.execute(Statement(f"DROP TABLE {self.staged}"))

    # -- the protocol

    def into_raw(self) -> bool:
        """Whether the target's schema is one of raw: it has el's ledger, as some database may have folded its name."""
        return any(self.target_columns(TableName(self.job.target.schema, name)) for name in RAW_MARKS)

    @property
    def into(self) -> str:
        return self.quote_table(self.job.target)

    @property
    def staged(self) -> str:
        return self.quote_table(self.staging)

    def listed(self, names: Sequence[str]) -> str:
        return ", ".join(self.quote(name) for name in names)

    def run(self, data: ArrowStream) -> WriteResult:
        """See `Target.write_buffer`."""
        schema, batches = as_batches(data)
        with _as_write_error():
            self._find_columns(schema)
            schema, batches = as_json(schema, batches, self._said_in_text(schema), str(self.job.target))
            if not self.columns:
                self._types_of(schema)
            batches = self.checked_early(schema, batches) if self.columns else batches
            _again(self._make_ledger, self.session)
            if self.ledger.written(self.job.run_id):
                return self.job.done_before()
        with spooled(schema, batches) as spool, _as_write_error():
            try:
                return self._staged_and_applied(spool)
            except TableAppeared:
                self._find_columns(schema)
                for _ in self.checked_early(schema, spool.batches()):
                    pass
                return self._staged_and_applied(spool)

    def _find_columns(self, schema: pa.Schema) -> None:
        """Raises `WriteError` where the data has another column than the target, or there is no target."""
        job, names = self.job, schema.names
        found = self.target_columns(job.target)
        if not found and not job.create:
            raise WriteError(
                f"there is no table {job.target}; `--create` (in Python: create=True) makes it of the data"
            )
        by_name = {self._folded(column.name): column for column in found}
        asked = {self._folded(name): name for name in names}
        known = [asked.get(folded, column.name) for folded, column in by_name.items()]
        refuse_columns(job.target, names, known if found else names, job.mode, job.key)
        self.columns = [by_name[self._folded(name)] for name in names] if found else []

    def _said_in_text(self, schema: pa.Schema) -> set[str]:
        """The columns of lists and structs for which the table has text, or JSON, or nothing yet."""
        there = dict(zip(schema.names, self.columns, strict=True)) if self.columns else {}
        return {name for name in nested(schema) if name not in there or self.takes_text(there[name])}

    def _folded(self, name: str) -> str:
        return name.lower() if self.names_in_any_case else name

    def _ledger_of(self, session: SqlConnector) -> WriteLedger:
        return WriteLedger(session, self.job.target, self.ledger_name, self.ledger_row)

    def _make_ledger(self) -> None:
        self.ledger.make(self.ledger_columns, lambda: bool(self.target_columns(self.ledger.table)))

    def _staged_and_applied(self, spool: Spool) -> WriteResult:
        try:
            self.stage(spool)
            if spool.rows:
                self._compare(spool)
            if self.job.mode is WriteMode.MERGE:
                self.refuse_keys()
            return self._applied_once(spool)
        finally:
            self.clean_up()

    def stage(self, spool: Spool) -> None:
        """All rows into a staging table like the target."""
        if self.columns:
            self.session.execute(Statement(self.like_target(self.listed(spool.schema.names))))
        else:
            self.session.execute(Statement(self._created(self.staged, self.temporary, spool.schema)))
        if spool.rows:
            self.fill(spool)

    def _created(self, table: str, temporary: str, schema: pa.Schema) -> str:
        columns = ", ".join(f"{self.quote(name)} {type_}" for name, type_ in self._types_of(schema).items())
        return f"CREATE {temporary}TABLE {table} ({columns})"

    def _types_of(self, schema: pa.Schema) -> dict[str, str]:
        """The type, in SQL, of each column of a table that is made."""
        found = {field.name: self.types.of(field.type) for field in schema}
        for name, type_ in found.items():
            if type_ is None:
                held = schema.field(name).type
                raise WriteError(f"{self.job.target}.{name}: no column type holds every {held}; cast the data")
        return {name: str(type_) for name, type_ in found.items()}

    def _compare(self, spool: Spool) -> None:
        """Raise `WriteError` where what is staged is not what was sent."""
        staged = self.columns or [
            TargetColumn(name, self.session.parse_type(type_)) for name, type_ in self._types_of(spool.schema).items()
        ]
        reads = tuple(
            ColumnRead(name, name, self.read_back(column))
            for name, column in zip(spool.schema.names, staged, strict=True)
        )
        request = ReadRequest(table=self.staging, columns=reads)

        compared = [
            Compared(f"{self.job.target}.{name} is {column.type}", self._text_is(column))
            for name, column in zip(spool.schema.names, staged, strict=True)
        ]
        refuse_changes(compared, spool.buffer, lambda: self.session.read_buffer(request), str(self.job.target))

    def _text_is(self, column: TargetColumn) -> TextIs:
        kind = self.session.facts(column.type).kind
        if kind is TypeKind.UUID:
            return TextIs.ANY_CASE
        if kind in NUMBERS or kind in _TIMES:
            return TextIs.NUMBER_OR_TIME
        if kind is TypeKind.DOCUMENT:
            return TextIs.DOCUMENT
        return TextIs.PADDED if self.pads_blanks(column) else TextIs.TEXT

    def refuse_keys(self) -> None:
        """Raise `WriteError` for keys that are none."""
        refuse_keys(self.session.fetch, self.session.dialect, self.staging, self.job.target, self.job.key)

    def _applied_once(self, spool: Spool) -> WriteResult:
        try:
            done = _again(lambda: self._transaction(spool), self.session)
        except ElError:
            # The commit may have taken effect all the same: another session sees what is committed, and no more.
            with suppress(ElError), self.session.another_session() as other:
                if self._ledger_of(other).written(self.job.run_id):
                    return self.job.done_before()
            raise
        return self.job.done(spool.rows) if done else self.job.done_before()

    def _transaction(self, spool: Spool) -> bool:
        """The one transaction; False if another writer had applied this run first."""
        if not self.columns and not self.transactional_ddl:
            self._create(spool.schema)
        with self.session.transaction():
            self.ledger.lock()
            if self.ledger.written(self.job.run_id):
                return False
            if not self.columns and self.transactional_ddl:
                self._create(spool.schema)
            self.ledger.record(self.job.run_id, str(self.job.mode), spool.rows)
            self._apply(spool)
        return True

    def _create(self, schema: pa.Schema) -> None:
        if self.target_columns(self.job.target):
            raise TableAppeared
        try:
            self.session.execute(Statement(self._created(self.into, "", schema)))
        except ElError:
            with suppress(ElError):
                if self.target_columns(self.job.target):
                    raise TableAppeared from None
            raise

    def _apply(self, spool: Spool) -> None:
        touched = -1
        for sql in self.statements(spool.schema.names):
            touched = self.session.execute(Statement(sql))
        inserted = -1 if self.job.mode is WriteMode.MERGE else self.rows_inserted(touched)
        if inserted not in (-1, spool.rows):
            taken = f"{self.job.target} took {inserted} of {spool.rows:,} rows"
            raise WriteError(f"{taken}: a trigger, or a view, keeps some of them out")

    def statements(self, names: Sequence[str]) -> list[str]:
        """The statements that bring the staged rows into the target."""
        if self.job.mode is WriteMode.MERGE:
            return self.merged(names)
        listed = self.listed(names)
        insert = f"INSERT INTO {self.into} ({listed}) SELECT {listed} FROM {self.staged}"
        return [f"DELETE FROM {self.into}", insert] if self.job.mode is WriteMode.REPLACE else [insert]


@contextmanager
def _as_write_error() -> Iterator[None]:
    try:
        yield
    except WriteError:
        raise
    except ElError as error:
        raise WriteError(str(error), retryable=error.retryable) from None


def _again(step: Callable[[], T], session: SqlConnector) -> T:
    """`step`, again while another's transaction is in its way: nothing of it was left."""
    until, wait = time.monotonic() + WAIT_SECONDS, 0.02
    while True:
        try:
            return step()
        except ElError as error:
            if not error.retryable or not session.is_open or time.monotonic() > until:
                raise
        time.sleep(wait)
        wait = min(wait * 2, 1.0)
