"""One session: its database, variables, transaction, and what names and niladic functions mean to it."""

from __future__ import annotations

import contextlib
import itertools
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa

from . import change_tracking
from .arrow_types import arrow_to_sql, python_type
from .binder import Binder
from .catalog import TableDef, from_json
from .convert import Bound, convert
from .dialect import parse, parse_condition, parse_expression
from .engine import Database, Engine, now_ticks
from .errors import CONFLICT, SqlError, from_duckdb
from .languages import ENGLISH, LANGUAGES
from .packets import SERVER_VERSION
from .scope import OutColumn, Query, Scope
from .sqltypes import (
    SqlType,
)
from .tokens import database_changed, transaction_begun, transaction_ended
from .wire import Column

if TYPE_CHECKING:
    from .server import SqlServerStandIn

VERSION_TEXT = "Microsoft SQL Server 2022 (stand-in for tests, over DuckDB) - {}.{}.{}.{} (X64)".format(*SERVER_VERSION)
LEVELS = {"READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4, "SNAPSHOT": 5}
RETRY_FOR = 10.0
BIN8, BIN10 = SqlType("binary", 8), SqlType("binary", 10)
_spids = itertools.count(51)
# What is copied is small: see `_read`.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)


class Output(Protocol):
    """Where a session's answers go."""

    def rows(self, columns: list[Column], reader: pa.RecordBatchReader) -> int: ...
    def done(self, command: str, count: int | None) -> None: ...
    def info(self, problem: SqlError) -> None: ...
    def env(self, token: bytes) -> None: ...
    def wait(self, seconds: float) -> None: ...


@lru_cache(maxsize=4096)
def _table(body: str) -> TableDef:
    return from_json(body)


class Session:
    """`run` executes a batch; names resolve against `database` and the schema dbo."""

    def __init__(self, server: SqlServerStandIn, out: Output, login: str = "sa", database: str = "master") -> None:
        self.server = server
        self.engine: Engine = server.engine
        self.out = out
        self.login = login
        self.spid = next(_spids)
        self.started = now_ticks()
        self.application = self.host = ""
        self.encrypted = False
        self.con = self.engine.cursor()
        self.database: Database = self.engine.database(database)
        self.temp_tables: dict[str, TableDef] = {}
        self.prepared: dict[int, tuple[str, list[tuple[str, SqlType]]]] = {}
        self.handles = itertools.count(1)
        self.reset()
        self.depth = 0
        self.transaction = 0
        self.wrote = False
        self.wrote_since = 0
        self.aborted = False
        self.touched: dict[int, TableDef] = {}
        self.output: list[OutColumn] | None = None
        self.staged = 0

    def reset(self) -> None:
        """What a connection that is taken out of a pool begins with."""
        for table in self.temp_tables.values():
            self.execute(f"DROP TABLE {table.sql}")
        self.temp_tables.clear()
        self.variables: dict[str, tuple[SqlType, Any]] = {}
        self.isolation = 2
        self.implicit = False
        self.nocount = False
        self.xact_abort = False
        self.format_only = False
        self.rowcount = 0
        self.error = 0
        self.caught: SqlError | None = None
        self.identity: int | None = None
        self.identity_insert: int | None = None
        self.lock_timeout = -1
        self.language = str(self.server.faults.told.get("language", ENGLISH))
        self.date_first = LANGUAGES[self.language][2]

    # --- transactions

    @property
    def transaction_id(self) -> int:
        if not self.transaction:
            self.transaction = next(self.engine.transaction_ids)
        return self.transaction

    def begin(self) -> None:
        if self.depth == 0:
            self.execute("BEGIN TRANSACTION")
            self.transaction = 0
            self.wrote = False
            self.out.env(transaction_begun(self.transaction_id))
        self.depth += 1

    def commit(self) -> None:
        if self.depth == 0:
            raise SqlError(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        if self.depth > 1:
            self.depth -= 1
            return
        transaction = self.transaction_id
        try:
            self._commit()
        except SqlError as error:
            self.rollback()
            if error.number == CONFLICT:
                raise SqlError(2627, error.message, 14) from error
            raise
        self.depth = 0
        self.out.env(transaction_ended(True, transaction))

    def _commit(self) -> None:
        try:
            change_tracking.commit(self)
        finally:
            self.engine.leave(self.transaction)
        self.touched.clear()
        self.transaction = 0

    def rollback(self, name: str = "") -> None:
        if self.depth == 0:
            raise SqlError(3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        self.depth = 0
        transaction = self.transaction_id
        self._abandon()
        self.out.env(transaction_ended(False, transaction))

    def savepoint(self, name: str) -> None:
        raise SqlError(40517, "the stand-in does not support: savepoints")

    def _abandon(self) -> None:
        with contextlib.suppress(duckdb.Error):
            self.con.execute("ROLLBACK")
        self.touched.clear()
        self.engine.leave(self.transaction)
        self.transaction = 0
        self.aborted = False

    def set_isolation(self, level: int) -> None:
        self.isolation = level

    def refresh(self) -> None:
        """Under READ COMMITTED each statement sees what is committed when it begins, until the transaction writes."""
        if self.depth and not self.wrote and self.isolation <= 2:
            self.execute("COMMIT")
            self.execute("BEGIN TRANSACTION")

    def after_error(self) -> bool:
        """DuckDB abandons a transaction in which a statement failed: so does the session, unless nothing is lost by it.

        Whether the transaction was rolled back.
        """
        if not self.aborted or not self.depth:
            self.aborted = False
        elif self.wrote:
            self.rollback()
            return True
        else:
            self._restart()
        return False

    def _restart(self) -> None:
        with contextlib.suppress(duckdb.Error):
            self.con.execute("ROLLBACK")
        self.aborted = False
        self.execute("BEGIN TRANSACTION")

    def wrote_into(self, table: TableDef) -> None:
        """To be called before a transaction's first change."""
        if table.database != "tempdb":
            self.wrote_since = self.wrote_since if self.wrote else now_ticks()
            self.wrote = True

    def take_rowversions(self, table: TableDef, count: int) -> int:
        return self.engine.take_rowversions(self.engine.database(table.database), self.transaction_id, count)

    def atomic(self, work: Callable[[], Any]) -> Any:
        """Runs `work` in the open transaction, or in one of its own.

        Where DuckDB sees a conflict with another transaction, SQL Server would have waited for its lock: as long as
        nothing of this transaction is lost, `work` is tried again until the other one has ended or LOCK_TIMEOUT has
        passed.
        """
        give_up = time.monotonic() + (RETRY_FOR if self.lock_timeout < 0 else self.lock_timeout / 1000)
        mine = self.depth > 0
        first = not mine or (not self.wrote and self.isolation <= 2)
        if mine:
            self.refresh()
        while True:
            try:
                if not mine:
                    self.execute("BEGIN TRANSACTION")
                result = work()
                if not mine:
                    self._commit()
                return result
            except BaseException as error:
                if not mine:
                    self._abandon()
                if not (isinstance(error, SqlError) and error.number in (1205, CONFLICT)):
                    raise
                if not first:
                    self.rollback()
                    if self.isolation == 5:
                        raise _update_conflict(self.database.name) from error
                    raise
                if mine:
                    self.wrote = False
                    self._restart()
                if time.monotonic() > give_up:
                    if self.lock_timeout >= 0:
                        raise SqlError(1222, "Lock request time out period exceeded.", 16, 51) from error
                    raise
            self.out.wait(0.005)

    def start_implicit(self) -> None:
        if self.implicit and self.depth == 0:
            self.begin()

    # --- DuckDB

    def execute(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Executes DuckDB SQL to its end; what it returned."""
        try:
            done = self.con.execute(sql, parameters) if parameters else self.con.execute(sql)
            return done.fetchall()
        except duckdb.Error as error:
            self.aborted = True
            raise from_duckdb(error) from error

    def run_sql(self, sql: str, used: set[str] = frozenset()) -> list[tuple[Any, ...]]:  # type: ignore[assignment]
        """Executes bound SQL with the variables that it uses, so that the client can cancel it."""
        return self.server.interruptible(self, lambda: self.execute(sql, self.parameters(sql, used)))

    def parameters(self, sql: str, names: Iterable[str]) -> dict[str, Any] | None:
        """The values of the variables that stand in bound SQL: DuckDB refuses one too many."""
        return {f"v_{n}": self.variables[n][1] for n in names if f"$v_{n} " in sql} or None

    def run(self, sql: str) -> None:
        """Executes a batch. Raises `SqlError` where it ends early."""
        from .statements import run

        run(self, sql)

    def run_nested(self, sql: str, variables: dict[str, tuple[SqlType, Any]]) -> dict[str, tuple[SqlType, Any]]:
        """Executes a batch with variables of its own; what they are in the end."""
        saved, self.variables = self.variables, variables
        try:
            self.run(sql)
            return self.variables
        finally:
            self.variables = saved

    def bind(self, sql: str) -> tuple[Query, Binder]:
        binder = Binder(self)
        return binder.query(parse(sql), top=True), binder

    def describe(self, query: Query) -> list[OutColumn]:
        """A query's columns, each with its type."""
        if any(c.type is None for c in query.columns):
            parameters = self.parameters(query.sql, self.variables)
            schema = self.con.sql(f"SELECT * FROM ({query.sql}) LIMIT 0", params=parameters).to_arrow_reader(1).schema
            return [replace(c, type=c.type or arrow_to_sql(f.type)) for c, f in zip(query.columns, schema, strict=True)]
        return query.columns

    def evaluate(self, expression: str, as_type: SqlType | None = None) -> tuple[SqlType, Any]:
        """The value of a T-SQL expression."""
        binder = Binder(self)
        bound = binder.value(parse_expression(expression), Scope())
        if as_type is not None:
            bound = convert(bound, as_type)
        rows = self.run_sql(f"SELECT {bound.sql}", binder.used)
        return bound.type or python_type(rows[0][0]), rows[0][0]

    def as_type(self, value: tuple[SqlType, Any] | None, kind: SqlType) -> Any:
        """A typed value in the stored form of another type."""
        if value is None or value[1] is None or value[0] == kind:
            return value[1] if value else None
        sql = convert(Bound(f"CAST($x AS {value[0].stored})", value[0]), kind).sql
        return self.execute(f"SELECT {sql}", {"x": value[1]})[0][0]

    def condition(self, text: str) -> bool:
        self.refresh()
        binder = Binder(self)
        sql = binder.predicate(parse_condition(text), Scope())
        return bool(self.run_sql(f"SELECT coalesce({sql}, false)", binder.used)[0][0])

    def constant(self, bound: Bound) -> int:
        if isinstance(bound.constant, int):
            return bound.constant
        if bound.constant is not None:
            return int(bound.constant)
        return int(self.run_sql(f"SELECT {bound.sql}", set(self.variables))[0][0])

    def bulk_insert(self, parts: list[str], columns: list[str], batch: pa.RecordBatch, options: set[str]) -> int:
        """One batch of INSERT BULK, in stored form. Call it inside `atomic`."""
        from .bulk_rows import insert

        return insert(self, parts, columns, batch, options)

    # --- answering a query

    def answer(self, query: Query, used: set[str]) -> int:
        """Sends a query's rows; batches of at most 8,192 go out as DuckDB makes them."""
        if self.format_only:
            query = Query(f"SELECT * FROM ({query.sql}) LIMIT 0", query.columns)
        parameters = self.parameters(query.sql, used)
        try:
            reader = self.server.interruptible(self, lambda: self._read(query.sql, parameters))
        except duckdb.Error as error:
            self.aborted = True
            raise from_duckdb(error) from error
        columns = [
            Column(c.name, c.type or arrow_to_sql(f.type), c.nullable, c.identity, c.computed)
            for c, f in zip(query.columns, reader.schema, strict=True)
        ]
        try:
            return self.out.rows(columns, reader)
        except duckdb.Error as error:
            self.aborted = True
            raise from_duckdb(error) from error
        except (pa.ArrowException, OSError) as error:
            self.aborted = True
            raise from_duckdb(error) from error

    def _read(self, sql: str, parameters: dict[str, Any] | None) -> pa.RecordBatchReader:
        """A relation is read as it is asked for, but planned twice; the result of `execute` is held in memory first.

        What reads the catalog alone, or nothing, has few rows and a plan that costs more than they do.
        """
        if ".main." in sql or (" FROM " in sql and ".cat." not in sql):
            return self.con.sql(sql, params=parameters).to_arrow_reader(8192)
        done = self.con.execute(sql, parameters) if parameters else self.con.execute(sql)
        return done.to_arrow_reader(8192)

    # --- names

    @property
    def quoted_database(self) -> str:
        return self.database.quoted

    def now(self) -> int:
        return now_ticks()

    # --- databases

    def use(self, name: str) -> None:
        found = self.engine.databases.get(name.lower())
        if found is None:
            raise SqlError(911, f"Database '{name}' does not exist. Make sure that the name is entered correctly.")
        before, self.database = self.database, found
        self.out.env(database_changed(found.name, before.name))
        self.out.info(SqlError(5701, f"Changed database context to '{found.name}'.", 0, 2))

    def close(self) -> None:
        if self.depth or self.transaction:
            self._abandon()
        with contextlib.suppress(duckdb.Error):
            self.con.close()


def _update_conflict(database: str) -> SqlError:
    return SqlError(
        3960,
        "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access "
        "table "
        f"directly or indirectly in database '{database}' to update, delete, or insert the row that has been "
        "modified or "
        "deleted by another transaction. Retry the transaction or change the isolation level for the update/delete "
        "statement.",
        16,
        2,
    )
