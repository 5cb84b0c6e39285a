"""One session: its database, variables, transaction, and what names and niladic functions mean to it."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa
from sqlglot import exp

from . import cdc, change_tracking
from .binder import Binder, OutColumn, Query, Scope
from .catalog import ColumnDef, TableDef, from_json
from .convert import Bound, convert, quote
from .described import described
from .dialect import parse, parse_condition, parse_expression
from .engine import Database, Engine, now_ticks
from .errors import CONFLICT, SqlError, from_duckdb, invalid_object, not_supported
from .packets import SERVER_VERSION
from .scan import Scanner
from .sqltypes import (
    BIGINT,
    BIT,
    DATE,
    FLOAT,
    INT,
    MAX,
    NMAX,
    REAL,
    SMALLINT,
    SYSNAME,
    TINYINT,
    VARIANT,
    SqlType,
    parse_type,
)
from .tokens import database_changed, transaction_begun, transaction_ended
from .views import VIEWS
from .wire import Column

if TYPE_CHECKING:
    from .server import SqlServerStandIn

VERSION_TEXT = (
    "Microsoft SQL Server 2022 (stand-in for tests, over DuckDB) - {}.{}.{}.{} (X64)".format(*SERVER_VERSION)
)
LEVELS = {"READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4, "SNAPSHOT": 5}
RETRY_FOR = 10.0
BIN8, BIN10 = SqlType("binary", 8), SqlType("binary", 10)
_spids = itertools.count(51)


class Output(Protocol):
    """Where a session's answers go."""

    def rows(self, columns: list[Column], reader: pa.RecordBatchReader) -> int: ...
    def done(self, command: str, count: int | None) -> None: ...
    def info(self, problem: SqlError) -> None: ...
    def env(self, token: bytes) -> None: ...


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
        self.aborted = False
        self.touched: dict[int, TableDef] = {}
        self.output: list[OutColumn] | None = None

    def reset(self) -> None:
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
            self.wrote = True

    def take_rowversions(self, table: TableDef, count: int) -> int:
        return self.engine.take_rowversions(self.engine.database(table.database), self.transaction_id, count)

    def atomic(self, work: Callable[[], Any]) -> Any:
        """Runs `work` in the open transaction, or in one of its own.

        Where DuckDB sees a conflict with another transaction, SQL Server would have waited for its lock: as long as
        nothing of this transaction is lost, `work` is tried again until the other one has ended or LOCK_TIMEOUT has passed.
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
            time.sleep(0.005)

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
        return bound.type or _python_type(rows[0][0]), rows[0][0]

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

    def column_type(self, text: str) -> tuple[SqlType, int, bool]:
        """The type of a declaration, the id of the alias that it names or 0, and whether it allows NULL."""
        try:
            plain = text.strip().strip("[]").lower()
            return parse_type(text), 256 if plain == "sysname" else 0, plain != "sysname"
        except ValueError:
            name = Scanner(text).names()[-1]
            rows = self.execute(f"SELECT declared, user_type_id, is_nullable FROM {self.quoted_database}.cat.types WHERE lower(name) = "
                                "lower($n)", {"n": name})
            if not rows:
                raise SqlError(2715, f"Cannot find data type {text.strip()}.", 16, 6) from None
            return parse_type(rows[0][0]), rows[0][1], rows[0][2]

    def type_named(self, text: str) -> SqlType:
        return self.column_type(text)[0]

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
            # A relation is read as it is asked for; the result of `execute` would be held in memory first.
            reader = self.server.interruptible(self, lambda: self.con.sql(query.sql, params=parameters).to_arrow_reader(8192))
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

    # --- names

    @property
    def quoted_database(self) -> str:
        return self.database.quoted

    def now(self) -> int:
        return now_ticks()

    def split(self, parts: list[str]) -> tuple[Database, str, str]:
        """Database, schema and name of a dotted name."""
        database = self.engine.database(parts[-3]) if len(parts) >= 3 and parts[-3] else self.database
        schema = parts[-2] if len(parts) >= 2 and parts[-2] else "dbo"
        return database, schema, parts[-1]

    def find(self, parts: list[str]) -> TableDef | None:
        """The table or view of that name as this session's transaction sees it."""
        if parts[-1].startswith("#"):
            return self.temp_tables.get(parts[-1].lower())
        try:
            database, schema, name = self.split(parts)
        except SqlError:
            return None
        rows = self.execute(
            f"SELECT o.body FROM {database.quoted}.cat.objects o JOIN {database.quoted}.cat.schemas s ON s.schema_id = "
            "o.schema_id WHERE lower(o.name) = lower($n) AND lower(s.name) = lower($s) AND o.body IS NOT NULL",
            {"n": name, "s": schema},
        )
        return _table(rows[0][0]) if rows else None

    def by_object_id(self, object_id: int, database: Database | None = None) -> TableDef | None:
        db = (database or self.database).quoted
        rows = self.execute(f"SELECT body FROM {db}.cat.objects WHERE object_id = {object_id} AND body IS NOT NULL")
        return _table(rows[0][0]) if rows else None

    def table(self, parts: list[str]) -> TableDef:
        found = self.find(parts)
        if found is None:
            invalid_object(".".join(parts))
        return found

    def schema_id(self, database: Database, schema: str) -> int:
        rows = self.execute(
            f"SELECT schema_id FROM {database.quoted}.cat.schemas WHERE lower(name) = lower($s)", {"s": schema}
        )
        if not rows:
            raise SqlError(2760, f'The specified schema name "{schema}" either does not exist or you do not have permission to use it.')
        return int(rows[0][0])

    def object_id(self, text: str, kind: str = "") -> int | None:
        parts = Scanner(text).names() if text.strip() else [""]
        if parts[-1].startswith("#") or parts[0].lower() == "tempdb":
            found = self.temp_tables.get(parts[-1].lower())
            return found.object_id if found else None
        try:
            database, schema, name = self.split(parts)
        except SqlError:
            return None
        extra = f" AND o.type = {quote(kind)}" if kind else ""
        rows = self.execute(
            f"SELECT o.object_id FROM {database.quoted}.cat.objects o JOIN {database.quoted}.cat.schemas s ON s.schema_id = "
            f"o.schema_id WHERE lower(o.name) = lower($n) AND lower(s.name) = lower($s){extra}", {"n": name, "s": schema}
        )
        if not rows and f"{schema}.{name}".lower() in VIEWS:
            return -(abs(hash(name.lower())) % 10**6) - 1
        return int(rows[0][0]) if rows else None

    def relation(self, binder: Binder, parts: list[str]) -> tuple[str, list[tuple[str, OutColumn]], list[ColumnDef] | None]:
        """What a name in FROM is: SQL, and (physical name, column) of each column."""
        key = ".".join(parts[-2:]).lower() if len(parts) >= 2 else parts[-1].lower()
        if key in VIEWS:
            database = self.split(parts)[0]
            if key.startswith("cdc.") and not database.cdc:
                invalid_object(".".join(parts))
            view = VIEWS[key]
            return view.sql(database.quoted, self.dynamic(database, view.source)), [
                (f'"{n}"', OutColumn(n, t)) for n, t, _ in view.columns
            ], None
        table = self.find(parts)
        if table is None:
            invalid_object(".".join(p for p in parts if p))
        if table.kind == "V":
            inner = Binder(self)
            bound = inner.query(parse(table.body or ""))
            names = [c.name for c in table.columns] or [c.name for c in bound.columns]
            physical = [f"k{i}" for i in range(len(names))]
            columns = [OutColumn(n, c.type, c.nullable) for n, c in zip(names, bound.columns, strict=True)]
            outs = ", ".join(physical)
            return f"(SELECT * FROM ({bound.sql}) AS q({outs}))", list(zip(physical, columns, strict=True)), None
        self.check_snapshot(table)
        return table.sql, [
            (c.physical, OutColumn(c.name, c.type, c.nullable, c.identity is not None, c.computed is not None))
            for c in table.columns
        ], table.columns

    def check_snapshot(self, table: TableDef) -> None:
        if self.isolation == 5 and table.database not in ("tempdb", "master") and not self.engine.database(table.database).snapshot:
            raise SqlError(3952, f"Snapshot isolation transaction failed accessing database '{table.database}' because snapshot "
                           "isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation.")

    def dynamic(self, database: Database, source: str) -> dict[str, str]:
        """The parts of catalog views that are not in the catalog."""
        out = {"name": database.name.replace("'", "''")}
        if "{databases}" in source:
            rows = ", ".join(
                f"({quote(d.name)}, {d.database_id}, {d.created}, {int(d.snapshot)}, {d.read_committed_snapshot}, {d.cdc}, {(d.tracking or (0,))[0]}, {quote((d.tracking or (0, ''))[1])})"
                for d in self.engine.databases.values()
            )
            out["databases"] = f"(VALUES {rows}) v(name, id, created, si, rcsi, cdc, period, unit)"
        if "{rows}" in source:
            tables = self.execute(f"SELECT body FROM {database.quoted}.cat.objects WHERE type = 'U'")
            counts = " UNION ALL ".join(
                f"SELECT {t.object_id} AS object_id, count(*) AS n FROM {t.sql}" for t in (_table(b) for (b,) in tables)
            )
            out["rows"] = f"({counts or 'SELECT 0 AS object_id, 0 AS n WHERE false'})"
        if "{identities}" in source:
            rows = ", ".join(f"({o}, {v})" for o, v in self.engine.identities.items()) or "(0, 0)"
            out["identities"] = f"(VALUES {rows})"
        if "{sessions}" in source:
            rows = ", ".join(
                f"({s.spid}, {s.started}, {quote(s.host)}, {quote(s.application)}, {quote(s.login)}, {s.database.database_id}, "
                f"{s.isolation}, {s.depth}, {s.encrypted})" for s in self.server.sessions_and(self)
            )
            out["sessions"] = f"(VALUES {rows}) v(spid, started, host, app, login, database_id, level, depth, encrypted)"
        if "{logins}" in source:
            rows = ", ".join(f"({quote(n)}, {i})" for i, n in enumerate(self.server.users, 1))
            out["logins"] = f"(VALUES {rows}) v(name, id)"
        return out

    def table_function(self, binder: Binder, node: exp.Anonymous, scope: Scope) -> tuple[str, list[OutColumn]]:
        name = str(node.this).lower()
        args = node.expressions
        if name == "changetable":
            return change_tracking.change_table(self, binder, args, scope)
        if name.startswith("fn_cdc_get_all_changes_"):
            return cdc.all_changes(self, binder, name, args, scope)
        if name == "dm_exec_describe_first_result_set":
            return described(self, binder, args[0], scope)
        if name == "string_split":
            value, separator = binder.values(args[:2], scope)
            return f"(SELECT unnest(string_split({value.sql}, {separator.sql})))", [OutColumn("value", NMAX)]
        if name == "generate_series":
            low, high = binder.values(args[:2], scope)
            return f"(SELECT unnest(generate_series({low.sql}, {high.sql})))", [OutColumn("value", BIGINT)]
        invalid_object(name)

    # --- methods of user-defined types

    def method(self, binder: Binder, value: Bound, name: str, args: list[exp.Expression], scope: Scope) -> Bound:
        kind = value.type.name if value.type else ""
        lower = name.lower()
        if kind == "hierarchyid":
            if lower == "tostring":
                return Bound(value.sql, SqlType("nvarchar", 4000))
            if lower == "getlevel":
                return Bound(f"CAST(length({value.sql}) - length(replace({value.sql}, '/', '')) - 1 AS SMALLINT)", SMALLINT)
        if kind in ("geography", "geometry"):
            if lower in ("tostring", "stastext", "astextzm"):
                return Bound(f"split_part({value.sql}, ';', 2)", NMAX)
            if lower == "stsrid":
                return Bound(f"CAST(split_part({value.sql}, ';', 1) AS INTEGER)", INT)
            if lower in ("stasbinary", "asbinaryzm"):
                return Bound(f"tds_wkb({value.sql})", SqlType("varbinary", MAX))
            if lower == "stgeometrytype":
                return Bound(f"regexp_extract(split_part({value.sql}, ';', 2), '^[A-Za-z]+')", SqlType("nvarchar", 4000))
        if kind == "xml" and lower in ("value", "query", "exist"):
            not_supported("methods of xml")
        raise SqlError(6506, f"Could not find method '{name}' for type '{kind}'.")

    def static_method(self, binder: Binder, kind: str, name: str, args: list[exp.Expression], scope: Scope) -> Bound:
        bound = binder.values(args, scope)
        lower = name.lower()
        type_ = SqlType(kind)
        if kind == "hierarchyid":
            return Bound("'/'" if lower == "getroot" else bound[0].sql, type_)
        if lower == "point":
            a, b = (f"printf('%g', CAST({v.sql} AS DOUBLE))" for v in bound[:2])
            x, y = (b, a) if kind == "geography" else (a, b)
            return Bound(f"(CAST({bound[2].sql} AS VARCHAR) || ';POINT (' || {x} || ' ' || {y} || ')')", type_)
        if lower == "parse":
            return Bound(f"('{4326 if kind == 'geography' else 0};' || {bound[0].sql})", type_)
        if lower.startswith("st") and lower.endswith("fromtext"):
            return Bound(f"(CAST({bound[1].sql} AS VARCHAR) || ';' || {bound[0].sql})", type_)
        raise SqlError(6506, f"Could not find method '{name}' for type '{kind}'.")

    # --- variables and functions without arguments

    def variable_type(self, name: str) -> SqlType:
        if name not in self.variables:
            raise SqlError(137, f'Must declare the scalar variable "@{name}".', 15, 2)
        return self.variables[name][0]

    def global_variable(self, name: str) -> Bound:
        def number(value: int | None, kind: SqlType = INT) -> Bound:
            return Bound("CAST(NULL AS BIGINT)" if value is None else f"CAST({value} AS {kind.stored})", kind)

        name = name.lstrip("@")
        values: dict[str, Callable[[], Bound]] = {
            "version": lambda: Bound(quote(VERSION_TEXT), SqlType("nvarchar", 300)),
            "spid": lambda: number(self.spid, SMALLINT),
            "trancount": lambda: number(self.depth),
            "rowcount": lambda: number(self.rowcount),
            "error": lambda: number(self.error),
            "identity": lambda: number(self.identity, SqlType("numeric", None, 38, 0)),
            "servername": lambda: Bound("'standin'", SYSNAME),
            "servicename": lambda: Bound("'MSSQLSERVER'", SYSNAME),
            "microsoftversion": lambda: number(SERVER_VERSION[0] << 24 | SERVER_VERSION[2]),
            "language": lambda: Bound("'us_english'", SYSNAME),
            "lock_timeout": lambda: number(self.lock_timeout),
            "options": lambda: number(5432),
            "datefirst": lambda: number(7, TINYINT),
            "textsize": lambda: number(2147483647),
            "max_precision": lambda: number(38, TINYINT),
            "fetch_status": lambda: number(0),
            "nestlevel": lambda: number(0),
            "procid": lambda: number(0),
            "max_connections": lambda: number(32767),
            "dbts": lambda: Bound(f"unhex('{self.database.rowversion:016x}')", SqlType("varbinary", 8)),
        }
        if name not in values:
            raise SqlError(137, f'Must declare the scalar variable "@@{name}".', 15, 2)
        return values[name]()

    def niladic(self, name: str) -> Bound | None:
        upper = name.upper()
        if upper == "CURRENT_TIMESTAMP":
            return convert(Bound(str(now_ticks()), SqlType("datetime2", None, None, 7)), SqlType("datetime"))
        if upper in ("CURRENT_USER", "SESSION_USER", "USER"):
            return Bound("'dbo'", SYSNAME)
        return Bound(quote(self.login), SYSNAME) if upper == "SYSTEM_USER" else None

    def fn_db_name(self, value: Bound | None = None) -> Bound:
        if value is None:
            return Bound(quote(self.database.name), SYSNAME, self.database.name)
        cases = " ".join(f"WHEN {d.database_id} THEN {quote(d.name)}" for d in self.engine.databases.values())
        return Bound(f"CASE {value.sql} {cases} END", SYSNAME)

    def fn_db_id(self, value: Bound | None = None) -> Bound:
        if value is None:
            return Bound(f"CAST({self.database.database_id} AS SMALLINT)", SMALLINT)
        cases = " ".join(f"WHEN {quote(n)} THEN {d.database_id}" for n, d in self.engine.databases.items())
        return Bound(f"CAST(CASE lower({value.sql}) {cases} END AS SMALLINT)", SMALLINT)

    def _login(self, *_: Bound) -> Bound:
        return Bound(quote(self.login), SYSNAME, self.login)

    fn_suser_sname = fn_suser_name = fn_original_login = _login

    def fn_user_name(self, *_: Bound) -> Bound:
        return Bound("'dbo'", SYSNAME, "dbo")

    def fn_app_name(self) -> Bound:
        return Bound(quote(self.application), SYSNAME, self.application)

    def fn_host_name(self) -> Bound:
        return Bound(quote(self.host), SYSNAME, self.host)

    def _one(self, *_: Bound) -> Bound:
        return Bound("1", INT, 1)

    fn_is_member = fn_is_rolemember = fn_is_srvrolemember = fn_has_perms_by_name = fn_sessionproperty = _one
    fn_database_principal_id = fn_user_id = fn_suser_id = _one

    def fn_suser_sid(self, *_: Bound) -> Bound:
        return Bound("unhex('01')", SqlType("varbinary", 85))

    def fn_session_context(self, *_: Bound) -> Bound:
        return convert(Bound("CAST(NULL AS VARCHAR)", SYSNAME), VARIANT)

    fn_connectionproperty = fn_collationproperty = fn_databaseproperty = fn_session_context

    def fn_serverproperty(self, name: Bound) -> Bound:
        version = ".".join(map(str, SERVER_VERSION))
        known: dict[str, str | int] = {
            "productversion": version, "productlevel": "RTM", "edition": "Stand-in (64-bit)", "engineedition": 3,
            "productmajorversion": str(SERVER_VERSION[0]), "productminorversion": "0", "servername": "standin",
            "machinename": "standin", "collation": "Latin1_General_BIN2", "isclustered": 0, "ishadrenabled": 0,
            "isintegratedsecurityonly": 0, "lcid": 1033, "productbuild": str(SERVER_VERSION[2]),
        }  # fmt: skip
        value = known.get(str(name.constant).lower())
        if value is None:
            return self.fn_session_context()
        return convert(Bound(str(value), INT) if isinstance(value, int) else Bound(quote(value), SYSNAME), VARIANT)

    def fn_databasepropertyex(self, database: Bound, name: Bound) -> Bound:
        found = self.engine.databases.get(str(database.constant).lower())
        known = {"collation": "Latin1_General_BIN2", "status": "ONLINE", "updateability": "READ_WRITE", "recovery": "FULL"}
        value = known.get(str(name.constant).lower()) if found else None
        return convert(Bound(quote(value) if value else "CAST(NULL AS VARCHAR)", SYSNAME), VARIANT)

    def fn_scope_identity(self) -> Bound:
        return self.global_variable("@@identity")

    def fn_ident_current(self, name: Bound) -> Bound:
        table = self.table(Scanner(str(name.constant)).names())
        value = self.engine.identities.get(table.object_id)
        return Bound("CAST(NULL AS DECIMAL(38,0))" if value is None else f"CAST({value} AS DECIMAL(38,0))", SqlType("numeric", None, 38, 0))

    def fn_min_active_rowversion(self) -> Bound:
        return Bound(f"unhex('{self.engine.min_active_rowversion(self.database):016x}')", BIN8)

    def fn_change_tracking_current_version(self) -> Bound:
        if self.database.tracking is None:
            return Bound("CAST(NULL AS BIGINT)", BIGINT)
        return Bound(f"(SELECT coalesce(max(version), 0) FROM {self.quoted_database}.cat.versions)", BIGINT)

    def fn_change_tracking_min_valid_version(self, object_id: Bound) -> Bound:
        return Bound(f"(SELECT min_valid_version FROM {self.quoted_database}.cat.tracked WHERE object_id = {object_id.sql})", BIGINT)

    def fn_cdc_get_min_lsn(self, instance: Bound) -> Bound:
        db = self.quoted_database
        return Bound(f"coalesce((SELECT start_lsn FROM {db}.cat.captures WHERE lower(capture_instance) = lower({instance.sql})), "
                     "unhex('00000000000000000000'))", BIN10)

    def fn_cdc_get_max_lsn(self) -> Bound:
        return Bound(f"(SELECT max(start_lsn) FROM {self.quoted_database}.cat.lsn_time_mapping)", BIN10)

    def fn_cdc_increment_lsn(self, lsn: Bound) -> Bound:
        return Bound(f"unhex(left(hex({lsn.sql}), 4) || tds_hex8(tds_long({lsn.sql}) + 1))", BIN10)

    def fn_cdc_decrement_lsn(self, lsn: Bound) -> Bound:
        return Bound(f"unhex(left(hex({lsn.sql}), 4) || tds_hex8(tds_long({lsn.sql}) - 1))", BIN10)

    def fn_cdc_map_lsn_to_time(self, lsn: Bound) -> Bound:
        return Bound(f"(SELECT tran_end_time FROM {self.quoted_database}.cat.lsn_time_mapping WHERE start_lsn = {lsn.sql})", SqlType("datetime"))

    def fn_cdc_map_time_to_lsn(self, how: Bound, moment: Bound) -> Bound:
        ticks = convert(moment, SqlType("datetime")).sql
        op, function = {
            "largest less than": ("<", "max"), "largest less than or equal": ("<=", "max"), "smallest greater than": (">", "min"),
            "smallest greater than or equal": (">=", "min"),
        }[str(how.constant).lower()]  # fmt: skip
        return Bound(f"(SELECT {function}(start_lsn) FROM {self.quoted_database}.cat.lsn_time_mapping WHERE tran_end_time {op} {ticks})", BIN10)

    def fn_xact_state(self) -> Bound:
        return Bound(str(0 if self.depth == 0 else 1), SMALLINT)

    def _caught(self, value: Any, kind: SqlType) -> Bound:
        if self.caught is None:
            return Bound(f"CAST(NULL AS {kind.stored})", kind)
        return Bound(quote(value) if isinstance(value, str) else str(value), kind)

    def fn_error_number(self) -> Bound:
        return self._caught(self.caught and self.caught.number, INT)

    def fn_error_message(self) -> Bound:
        return self._caught(self.caught and self.caught.message, SqlType("nvarchar", 4000))

    def fn_error_severity(self) -> Bound:
        return self._caught(self.caught and self.caught.severity, INT)

    def fn_error_state(self) -> Bound:
        return self._caught(self.caught and self.caught.state, INT)

    def fn_error_line(self) -> Bound:
        return self._caught(1, INT)

    def fn_current_transaction_id(self) -> Bound:
        return Bound(str(self.transaction_id), BIGINT)

    def fn_parsename(self, name: Bound, part: Bound) -> Bound:
        return Bound(f"list_extract(list_reverse(string_split(replace(replace({name.sql}, '[', ''), ']', ''), '.')), {part.sql})", SYSNAME)

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
    return SqlError(3960, "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table "
                    f"directly or indirectly in database '{database}' to update, delete, or insert the row that has been modified or "
                    "deleted by another transaction. Retry the transaction or change the isolation level for the update/delete statement.",
                    16, 2)


def _python_type(value: Any) -> SqlType:
    if isinstance(value, bool):
        return BIT
    if isinstance(value, int):
        return INT if -(2**31) <= value < 2**31 else BIGINT
    if isinstance(value, float):
        return FLOAT
    return SqlType("varbinary", MAX) if isinstance(value, bytes) else NMAX


def arrow_to_sql(kind: pa.DataType) -> SqlType:
    """The T-SQL type of what only DuckDB could type."""
    if pa.types.is_decimal(kind):
        return SqlType("decimal", None, kind.precision, kind.scale)
    simple = {
        pa.bool_(): BIT, pa.uint8(): TINYINT, pa.int8(): SMALLINT, pa.int16(): SMALLINT, pa.int32(): INT, pa.int64(): BIGINT,
        pa.float32(): REAL, pa.float64(): FLOAT, pa.date32(): DATE, pa.null(): INT,
    }  # fmt: skip
    if kind in simple:
        return simple[kind]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return SqlType("varbinary", MAX)
    return NMAX if pa.types.is_string(kind) or pa.types.is_large_string(kind) else SqlType("nvarchar", 4000)


