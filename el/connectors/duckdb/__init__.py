"""DuckDB: the embedded default, as a source and as the local warehouse.

Guarantees: DuckDB's reads are of one snapshot each; batches stream, so memory does not grow with the table.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import duckdb
import pyarrow as pa

from el.connectors.base import Identity
from el.connectors.catalog import Catalog, Column, SourceType
from el.connectors.check import Check
from el.connectors.duckdb.catalog import read_catalog, source_type
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.duckdb.dialect import DUCKDB
from el.connectors.duckdb.quantiles import build_quantiles
from el.connectors.duckdb.rights import file_checks, script
from el.connectors.duckdb.types import RULES
from el.connectors.request import ReadRequest
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds, collected
from el.connectors.sql.connector import Stream
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from el.errors import ConnectError, DatabaseMissing, ElError, ReadError, RunLocked, WriteError

if TYPE_CHECKING:
    from el.connectors.duckdb.write import DuckDbWrite
    from el.connectors.sql.write_job import WriteJob

# A look at the file by someone else takes a moment; seconds.
PATIENCE = 5.0
_HELD = re.compile(r"Conflicting lock is held in (?P<name>.+?)\s*\(PID (?P<pid>\d+)\)")

# Another thread of this process just closes the file, and DuckDB has not let go of it yet.
_CLOSING = "Unique file handle conflict"


class DuckDb(SqlTarget, RightsSource):
    """A DuckDB file (or memory), over DuckDB's own Arrow interface."""

    scheme = "duckdb"
    config_type = DuckDbConfig
    rules = RULES
    dialect: ClassVar[Dialect] = DUCKDB

    def __init__(self, config: DuckDbConfig) -> None:
        super().__init__(config)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._own_cursor = False

    def connect(self) -> None:
        config, path = self.config, self.config.place
        if config.read_only and path != ":memory:" and not Path(config.path).exists():
            raise DatabaseMissing(f"DuckDB file {path} does not exist")
        patience = time.monotonic() + PATIENCE
        refused: ElError | None = None
        while refused is None:
            try:
                self._connection = duckdb.connect(config.path, read_only=config.read_only, config=dict(config.settings))
                return
            except duckdb.Error as error:
                held = _HELD.search(str(error))
                if _CLOSING in str(error) and time.monotonic() < patience:
                    time.sleep(0.02)
                elif held is None:
                    why = _first_line(error).replace(config.path, path)
                    refused = ConnectError(f"DuckDB file {path} cannot be opened: {why}")
                elif time.monotonic() > patience:
                    who = f"pid {held['pid']} ({Path(held['name']).name})"
                    refused = RunLocked(
                        f"DuckDB file {path} is open in another process, {who}, "
                        "and DuckDB lets only one process write: wait until it has ended, or end it"
                    )
                else:
                    time.sleep(0.1)
        # Raised out here, the driver's error, which names the path with its token, does not hang on it.
        raise refused

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The open connection; `ReadError` when there is none."""
        if self._connection is None:
            raise ReadError("the connection to DuckDB is closed; use the connector inside `with`")
        return self._connection

    def ping(self) -> Identity:
        row = self.fetch(Statement("SELECT current_database(), version()"))[0]
        return Identity("DuckDB", str(row[1]), str(row[0]), "embedded", ("owner",))

    def packages(self) -> tuple[str, ...]:
        return ("duckdb",)

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        return script(self.config, needs)

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        return collected(file_checks(self.config, needs))

    def utc_now(self) -> None:
        return None

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        try:
            return read_catalog(self.connection, schemas)
        except duckdb.Error as error:
            raise self.translate(error) from None

    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        # What is temporary in a connection no other one sees.
        cursor = self.connection if self._own_cursor else self.connection.cursor()
        relation = cursor.sql(statement.sql, params=list(statement.parameters))
        reader = relation.to_arrow_reader(request.batch_rows)

        def batches() -> Iterator[pa.RecordBatch]:
            yield from reader

        def close() -> None:
            reader.close()
            if not self._own_cursor:
                cursor.close()

        return reader.schema, batches(), close

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        try:
            return self._rows_of(statement)
        except duckdb.Error as error:
            raise self.translate(error) from None

    def _rows_of(self, statement: Statement) -> list[tuple[object, ...]]:
        try:
            return self.connection.execute(statement.sql, statement.parameters).fetchall()
        except RuntimeError as error:
            _raise_interrupt(error)
            raise

    def execute(self, statement: Statement) -> int:
        try:
            result = self._rows_of(statement)
        except duckdb.Error as error:
            raise self.translate(error, writing=True) from None
        return int(result[0][0]) if result and isinstance(result[0][0], int) else -1

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def _begin(self) -> None:
        self.connection.begin()

    def _commit(self) -> None:
        try:
            self.connection.commit()
        except duckdb.Error as error:
            raise self.translate(error, writing=True) from None

    def _rollback(self) -> None:
        # DuckDB refuses where nothing is open: a commit that failed has undone it.
        with suppress(duckdb.TransactionException):
            self.connection.rollback()

    def local_clock(self) -> bool:
        """By the session's zone, which is this machine's: DuckDB has no server with a clock of its own."""
        zone = str(self.fetch(Statement("SELECT current_setting('TimeZone')"))[0][0])
        return zone.removeprefix("Etc/").upper() not in ("UTC", "GMT", "UCT", "ZULU", "GREENWICH", "UNIVERSAL")

    def _cuts(self, request: ReadRequest, by: Column, wanted: int) -> Sequence[str]:
        """By some of the values: columns lie apart, and to pass over one costs little."""
        return [str(value) for (value,) in self.fetch(build_quantiles(request, by, wanted, self.dialect))]

    def query_columns(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        rows = self.fetch(Statement(f"DESCRIBE {query}"))
        return tuple((str(row[0]), source_type(str(row[1]))) for row in rows)

    def writer(self) -> type[DuckDbWrite]:
        from el.connectors.duckdb.write import DuckDbWrite

        return DuckDbWrite

    @contextmanager
    def another_session(self) -> Iterator[Self]:
        """A connection of its own to the same database, in memory too; what is temporary in it can be read."""
        found = type(self)(self.config)
        found._connection, found._own_cursor = self.connection.cursor(), True
        with closing(found):
            yield found

    def write_session(self, job: WriteJob) -> AbstractContextManager[Self]:
        """Nobody else knows of its transaction."""
        return self.another_session()

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        if isinstance(error, ElError):
            return error
        _raise_interrupt(error)
        message = f"DuckDB: {_first_line(error)}"
        # DuckDB has no locks to wait for: of two transactions that touch the same rows one is refused.
        retryable = isinstance(error, duckdb.TransactionException)
        return WriteError(message, retryable=retryable) if writing else ReadError(message, retryable=retryable)


def _raise_interrupt(error: Exception) -> None:
    """Python's own interrupt, for what DuckDB makes of a Ctrl-C."""
    if isinstance(error, RuntimeError) and str(error) == "Query interrupted":
        raise KeyboardInterrupt from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
