"""What all sessions share: DuckDB, the databases, the counters that outlive a transaction.

Each T-SQL database is an in-memory DuckDB attached under its name. Row versions come from a sequence of the database;
a session that is about to write says from which value on, so that MIN_ACTIVE_ROWVERSION() can be answered.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from .catalog import SCHEMA, ColumnDef, TableDef, quote_name
from .convert import quote
from .errors import SqlError
from .macros import install

if TYPE_CHECKING:
    from .policies import Policy
    from .rights import Right

SYSTEM_SCHEMAS = [(1, "dbo"), (2, "guest"), (3, "INFORMATION_SCHEMA"), (4, "sys")]


def now_ticks() -> int:
    """UTC now, in 100 ns since 0001-01-01."""
    delta = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.datetime(1, 1, 1)
    return (delta.days * 86_400 + delta.seconds) * 10_000_000 + delta.microseconds * 10


@dataclass
class Database:
    """A database's options and what its transactions have in common."""

    name: str
    database_id: int
    created: int
    snapshot: bool = False
    read_committed_snapshot: bool = False
    tracking: tuple[int, str] | None = None
    cdc: bool = False
    rowversion: int = 2000
    version: int = 0
    lsn: int = 0
    capture_stopped: bool = False
    uncaptured: list[tuple[int, int]] = field(default_factory=list)
    trace_flags: set[int] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    active: dict[int, int] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    roles: dict[str, set[str]] = field(default_factory=dict)
    rights: set[Right] = field(default_factory=set)
    policies: list[Policy] = field(default_factory=list)
    functions: dict[str, tuple[list[str], str]] = field(default_factory=dict)
    family: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    fork: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    partition_functions: dict[str, tuple[bool, list[str]]] = field(default_factory=dict)
    partition_schemes: dict[str, str] = field(default_factory=dict)

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
        self.identities: dict[int, int] = {}
        self.server_rights: dict[str, set[str]] = {}
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

    # --- row versions and identity values: given out once, whatever becomes of the transaction

    def take_rowversions(self, database: Database, transaction: int, count: int) -> int:
        """The first of `count` new row versions, remembered for MIN_ACTIVE_ROWVERSION until the transaction ends."""
        with database.lock:
            first = database.rowversion + 1
            database.active.setdefault(transaction, first)
            database.rowversion += count
            return first

    def leave(self, transaction: int) -> None:
        for database in list(self.databases.values()):
            with database.lock:
                database.active.pop(transaction, None)

    def min_active_rowversion(self, database: Database) -> int:
        """The least value that an open transaction may hold, or one more than the last."""
        with database.lock:
            return min([*database.active.values(), database.rowversion + 1])

    def take_identity(self, table: TableDef, column: ColumnDef, count: int) -> int:
        """The first of `count` new identity values."""
        seed, step = column.identity or (1, 1)
        with self.lock:
            first = self.identities[table.object_id] + step if table.object_id in self.identities else seed
            if count:
                self.identities[table.object_id] = first + step * (count - 1)
            return first

    def raise_identity(self, table: TableDef, column: ColumnDef, value: int | None) -> None:
        """An explicit value beyond the last becomes the last."""
        step = (column.identity or (1, 1))[1]
        with self.lock:
            last = self.identities.get(table.object_id)
            if value is not None and (last is None or (value - last) * step > 0):
                self.identities[table.object_id] = value
