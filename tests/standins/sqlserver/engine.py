"""What all sessions share: DuckDB, the databases, the counters that outlive a transaction.

Each T-SQL database is an in-memory DuckDB attached under its name. Row versions come from a sequence of the database;
a session that is about to write says from which value on, so that MIN_ACTIVE_ROWVERSION() can be answered.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from dataclasses import dataclass, field

import duckdb

from .catalog import SCHEMA, quote_name
from .convert import install, quote
from .errors import SqlError

SYSTEM_SCHEMAS = [(1, "dbo"), (2, "guest"), (3, "INFORMATION_SCHEMA"), (4, "sys"), (5, "cdc")]


def now_ticks() -> int:
    """UTC now, in 100 ns since 0001-01-01."""
    delta = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None) - dt.datetime(1, 1, 1)
    return (delta.days * 86_400 + delta.seconds) * 10_000_000 + delta.microseconds * 10


@dataclass
class Database:
    """A database's options and what its transactions have in common."""

    name: str
    database_id: int
    created: int
    snapshot: bool = False
    read_committed_snapshot: bool = False
    tracking_days: int = 0
    cdc: bool = False
    begin_tracking: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    active: dict[int, int] = field(default_factory=dict)
    generation: int = 0

    @property
    def quoted(self) -> str:
        return quote_name(self.name)


class Engine:
    """The DuckDB instance of one server."""

    def __init__(self) -> None:
        self.root = duckdb.connect(":memory:", config={"threads": 2})
        install(self.root)
        self.lock = threading.RLock()
        self.databases: dict[str, Database] = {}
        self.transaction_ids = itertools.count(1)
        for name in ("master", "tempdb"):
            self.create_database(name)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        con = self.root.cursor()
        con.execute("SET search_path='memory.main'")
        con.execute("SET default_null_order='nulls_first_on_asc_last_on_desc'")
        return con

    def create_database(self, name: str) -> Database:
        with self.lock:
            if name.lower() in self.databases:
                raise SqlError(1801, f"Database '{name}' already exists. Choose a different database name.", 16, 3)
            if name.lower() in ("memory", "system", "temp"):
                raise SqlError(40000, f"The stand-in keeps the name {name} for itself.")
            database = Database(name, len(self.databases) + (1 if len(self.databases) < 2 else 3), now_ticks())
            con = self.root.cursor()
            con.execute(f"ATTACH ':memory:' AS {database.quoted}")
            con.execute(SCHEMA.replace("{db}", database.quoted))
            listed = ", ".join(f"({i}, {quote(n)})" for i, n in SYSTEM_SCHEMAS)
            con.execute(f"INSERT INTO {database.quoted}.cat.schemas VALUES {listed}")
            con.execute(f"CREATE TABLE {database.quoted}.cat.versions (version BIGINT)")
            self.databases[name.lower()] = database
            return database

    def drop_database(self, name: str) -> None:
        with self.lock:
            database = self.database(name)
            self.root.cursor().execute(f"DETACH {database.quoted}")
            del self.databases[name.lower()]

    def database(self, name: str) -> Database:
        found = self.databases.get(name.lower())
        if found is None:
            raise SqlError(911, f"Database '{name}' does not exist. Make sure that the name is entered correctly.")
        return found

    def close(self) -> None:
        self.root.close()

    # --- row versions

    def last_rowversion(self, con: duckdb.DuckDBPyConnection, database: Database) -> int:
        """@@DBTS: the last value that was given out, committed or not."""
        row = con.execute(
            "SELECT last_value FROM duckdb_sequences() WHERE database_name = ? AND schema_name = 'cat' AND "
            "sequence_name = 'rowversion'", [database.name]
        ).fetchone()
        return int(row[0]) if row and row[0] is not None else 2000

    def enter_rowversion(self, database: Database, transaction: int, con: duckdb.DuckDBPyConnection) -> None:
        """Called before a transaction's first row version is made."""
        with database.lock:
            if transaction not in database.active:
                database.active[transaction] = self.last_rowversion(self.root.cursor(), database) + 1

    def leave_rowversion(self, transaction: int) -> None:
        for database in list(self.databases.values()):
            with database.lock:
                database.active.pop(transaction, None)

    def min_active_rowversion(self, database: Database) -> int:
        """The least value that an open transaction may hold, or one more than the last."""
        with database.lock:
            if database.active:
                return min(database.active.values())
            return self.last_rowversion(self.root.cursor(), database) + 1
