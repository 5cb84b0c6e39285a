"""Sessions and statements: fakesnow's connection and cursor with Snowflake's transactions, locks, MERGE and errors.

A statement is all or nothing. DDL commits the open transaction first (Snowflake documentation, "Transactions").
Writers that DuckDB refuses for a conflict are tried again for a while when no transaction is open, where
Snowflake would make them wait.

LIMITS: an error other than of names and syntax ends the whole open transaction (Snowflake rolls the statement
back only); isolation is DuckDB's snapshot, not READ COMMITTED; two names that differ only in case are one.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from fakesnow import info_schema, macros
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.transforms import show
from sqlglot import Expr, exp

from . import access, rewrites
from .errors import as_snowflake_error, is_conflict
from .keys import table_of
from .rights import Rights

_DDL = (exp.Create, exp.Alter, exp.Drop, exp.Comment)
_WAIT_FOR_LOCKS = 20.0  # seconds
Name = tuple[str, str, str]


class TableLocks:
    """UPDATE, DELETE and MERGE lock their table until their transaction ends.

    A second writer waits, and then sees the first one's rows.
    """

    def __init__(self) -> None:
        self._owners: dict[Name, str] = {}
        self._changed = threading.Condition()

    def take(self, table: Name, owner: str) -> None:
        with self._changed:
            free = self._changed.wait_for(lambda: self._owners.get(table, owner) == owner, _WAIT_FOR_LOCKS)
            if not free:
                raise duckdb.TransactionException(f"another transaction has locked {'.'.join(table)}")
            self._owners[table] = owner

    def release(self, owner: str) -> None:
        with self._changed:
            self._owners = {table: other for table, other in self._owners.items() if other != owner}
            self._changed.notify_all()


class Session(FakeSnowflakeConnection):
    """One Snowflake session: parameters, role, warehouse, temporary tables, and at most one open transaction."""

    same_checksums = False
    misreads: str | None = None

    def __init__(
        self, *args: Any, user: str, role: str, warehouse: str, locks: TableLocks, rights: Rights, **kwargs: Any
    ) -> None:
        self.id = uuid.uuid4().hex[:8]
        self.locks, self.rights = locks, rights
        self.user, self.role, self.warehouse = user, role, warehouse
        self.parameters: dict[str, str] = {}
        self.temporary: dict[Name, str] = {}
        self.afterwards: list[str] = []  # what rules want run when the statement has succeeded
        self.when_done: list[Callable[[], Any]] = []  # what the statement changes of rights, when it has succeeded
        self.command = ""  # the statement that runs, as it was sent
        self.began = False
        self.lock = threading.Lock()
        super().__init__(*args, **kwargs)

    @property
    def in_transaction(self) -> bool:
        return self.began or self._in_transaction

    def cursor(self, *args: Any, **kwargs: Any) -> Statement:
        return Statement(conn=self, duck_conn=self._duck_conn)

    def end_transaction(self, how: str) -> None:
        self.began = self._in_transaction = False
        with suppress(duckdb.TransactionException):
            self._duck_conn.execute(how)
        self.locks.release(self.id)

    def end(self) -> None:
        """Rolls back what is open and drops what was temporary. Safe to call twice."""
        with suppress(duckdb.Error):
            self.end_transaction("ROLLBACK")
            for (database, schema, _), stored in self.temporary.items():
                for kind in ("VIEW", "TABLE"):
                    with suppress(duckdb.Error):
                        self._duck_conn.execute(f'DROP {kind} IF EXISTS "{database}"."{schema}"."{stored}"')
        self.temporary.clear()
        self.close()


class Statement(FakeSnowflakeCursor):
    """One statement of a session."""

    _conn: Session
    _overwrite = False
    _shown: exp.Show | None = None

    def execute(self, command: str, *args: Any, **kwargs: Any) -> FakeSnowflakeCursor:
        self._conn.afterwards, self._conn.when_done, self._shown = [], [], None
        self._conn.command = command
        try:
            super().execute(command, *args, **kwargs)
            for change in self._conn.when_done:
                change()
            if self._shown is not None and self._arrow_table is not None:
                self._arrow_table = access.shown(self._shown, self._conn, self._arrow_table)
            if self._conn.afterwards:
                with self._duck_conn.cursor() as other:
                    for sql in self._conn.afterwards:
                        other.execute(sql)
            return self
        except Exception as error:
            raise as_snowflake_error(error, command) from error

    def check_db_and_schema(self, expression: Expr) -> None:
        with suppress(AssertionError):  # fakesnow asserts that it knows the kind of object
            super().check_db_and_schema(expression)

    def _transform_explode(self, expression: Expr) -> list[Expr]:
        if isinstance(expression, exp.Put):
            self._overwrite = any(
                p.name.upper() == "OVERWRITE" and p.args["value"].this is True
                for p in expression.args.get("properties") or []
            )
        self._shown = expression.copy() if isinstance(expression, exp.Show) else None
        expression = rewrites.rewrite(expression, self._conn, self._duck_conn)
        if isinstance(expression, exp.Merge):  # DuckDB has a MERGE of its own
            return [expression]
        return super()._transform_explode(expression)

    def _describe_last_sql(self) -> list[Any]:
        try:
            return super()._describe_last_sql()
        except Exception as error:
            raise as_snowflake_error(error, self._last_sql or "") from error

    def _execute(self, transformed: Expr, params: Any = None) -> None:
        session = self._conn
        is_ddl = isinstance(transformed, _DDL) or transformed.args.get("create_stage_name")
        if is_ddl and session.in_transaction:
            session.end_transaction("COMMIT")
        deadline = time.monotonic() + _WAIT_FOR_LOCKS
        while True:
            was_open = session.in_transaction
            try:
                if isinstance(transformed, (exp.Update, exp.Delete, exp.Merge)):
                    session.locks.take(table_of(transformed.this, session), session.id)
                self._execute_once(transformed, params)
                if not session.in_transaction:
                    session.locks.release(session.id)
                return
            except Exception as error:
                if not was_open:
                    session.end_transaction("ROLLBACK")
                if was_open or not is_conflict(error) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.005, 0.05))

    def _execute_once(self, transformed: Expr, params: Any) -> None:
        session = self._conn
        if isinstance(transformed, exp.Copy):
            self._forget_replaced_files()
            alone = session._autocommit and not session.in_transaction
            if alone:
                self._duck_conn.begin()
            super()._execute(transformed, params)
            if alone:
                self._duck_conn.commit()
        elif isinstance(transformed, (exp.Commit, exp.Rollback)):
            session.began = False
            try:
                super()._execute(transformed, params)
            except duckdb.Error:
                session.end_transaction("ROLLBACK")
                raise
        elif isinstance(transformed, exp.Merge):
            super()._execute(transformed, params)
            self._count_merged(transformed)
        else:
            super()._execute(transformed, params)
            if isinstance(transformed, exp.Transaction):
                session.began = True
            elif name := transformed.args.get("create_db_name"):
                self._duck_conn.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}".PUBLIC')
            elif data := transformed.args.get("put_stage_data"):
                data["overwrite"] = self._overwrite
                os.makedirs(data["stageInfo"]["location"], exist_ok=True)

    def _forget_replaced_files(self) -> None:
        """A file that was put again counts as new: PUT encrypts anew, so its checksum differs on Snowflake.

        Not in a stage that the server encrypts, where the same file has the same checksum ("COPY INTO", FORCE).
        """
        if self._conn.same_checksums:
            return
        history = "_fs_information_schema._fs_load_history"
        with suppress(duckdb.CatalogException, duckdb.BinderException):
            for file, loaded in self._duck_conn.execute(
                f"SELECT file_name, max(epoch(last_load_time)) FROM {history} GROUP BY ALL"
            ).fetchall():
                if not os.path.exists(file) or os.path.getmtime(file) > loaded:
                    self._duck_conn.execute(f"DELETE FROM {history} WHERE file_name = ?", [file])

    def _count_merged(self, merge: exp.Merge) -> None:
        """Replaces DuckDB's row per merged row by Snowflake's one row of counts."""
        assert self._arrow_table is not None
        actions = self._arrow_table.column(0).to_pylist()
        clauses = [when.args["then"] for when in merge.args["whens"].expressions]
        kinds = {
            "inserted": any(isinstance(then, exp.Insert) for then in clauses),
            "updated": any(isinstance(then, exp.Update) for then in clauses),
            "deleted": any(isinstance(then, exp.Var) for then in clauses),
        }
        words = {"inserted": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}
        counts = {f"number of rows {k}": actions.count(words[k]) for k, present in kinds.items() if present}
        self._arrow_table = pa.table({name: [count] for name, count in counts.items()})
        self._rowcount = len(actions)
        self._last_sql = "SELECT " + ", ".join(f'{count}::BIGINT AS "{name}"' for name, count in counts.items())
        self._last_params = None


class Account(FakeSnow):
    """All databases of one stand-in, in memory or as files in `db_path`."""

    def __init__(self, db_path: Path | None, database: str, schema: str) -> None:
        self.db_path = db_path
        self.nop_regexes = None
        self.locks, self.rights = TableLocks(), Rights()
        self.results_cache: dict[str, tuple[Any, ...]] = {}
        self.duck_conn = duckdb.connect(":memory:", config={"lambda_syntax": "ENABLE_SINGLE_ARROW"})
        self.duck_conn.create_function(
            "standin_row_count", self._row_count, ["VARCHAR"] * 3, "BIGINT", side_effects=True
        )
        shared = db_path / "_fs_global.db" if db_path else ":memory:"
        self.duck_conn.execute(f"ATTACH '{shared}' AS _fs_global")
        self.duck_conn.execute(info_schema.fs_global_creation_sql())
        self.duck_conn.execute(show.fs_global_creation_sql())
        self.duck_conn.execute("SET GLOBAL TimeZone = 'UTC'")
        names = {p.stem for p in db_path.glob("*.db")} - {"_fs_global"} if db_path else set()
        for name in sorted(names | {database}):
            file = db_path / f"{name}.db" if db_path else ":memory:"
            self.duck_conn.execute(f"ATTACH '{file}' AS \"{name}\"")
            self.duck_conn.execute(info_schema.per_db_creation_sql(name))
            self.duck_conn.execute(macros.creation_sql(name))
        self.duck_conn.execute(f'CREATE SCHEMA IF NOT EXISTS "{database}"."{schema}"')
        self.duck_conn.execute(f'CREATE SCHEMA IF NOT EXISTS "{database}".PUBLIC')

    def open(self, database: str | None, schema: str | None, **kwargs: Any) -> Session:
        """A new session. A database or schema that is not there, or not the role's to use, is left unset."""
        session = Session(
            self.duck_conn.cursor(),
            self.results_cache,
            database,
            schema,
            create_database=False,
            create_schema=False,
            db_path=self.db_path,
            locks=self.locks,
            rights=self.rights,
            **kwargs,
        )
        if database and not self.rights.has(session.role, "USAGE", "DATABASE", (database,)):
            session.database_set = session.schema_set = False
        if not self.rights.has(session.role, "USAGE", "WAREHOUSE", (session.warehouse,)):
            session.warehouse = ""
        return session

    def _row_count(self, database: str, schema: str, table: str) -> int:
        with self.duck_conn.cursor() as cursor:
            name = ".".join('"' + part.replace('"', '""') + '"' for part in (database, schema, table))
            (count,) = cursor.execute(f"SELECT count(*) FROM {name}").fetchall()[0]
            return int(count)
