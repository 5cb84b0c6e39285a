"""A lock in Snowflake itself, for runs that may be on different machines: the name of a column of `_el_holder`.

The table is in each raw schema and has one column. It is called "free", or after the run that holds the lock, its
process and the time at which it took it; its comment says when it was last heard of. All of that is definitions, which
Snowflake changes and shows without a running warehouse (its documentation, "Overview of warehouses", "SHOW").

Guarantees: taking the lock, breaking it, keeping it and letting go of it each name the column that they found, so of
two that try at once one succeeds, and a run that lost its lock can neither prolong it nor give away another's. A run
that was silent for longer than its lease finds out before its next load (`still_ours`), and loads no more. The lock of
a run that is dead is broken only when none of its statements runs any more. Time is the warehouse's own, so that the
clocks of two machines need not agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from typing import Protocol

from el.connectors.snowflake import Snowflake
from el.connectors.snowflake.errors import ALREADY_THERE, NOT_THERE
from el.connectors.sql.select import Statement
from el.errors import DatabaseError, ElError, RunLocked
from el.loading.lock import Holder, StillOurs, taken
from el.loading.snowflake_queries import end_statements

LOCK_TABLE = "_el_holder"
FREE = "free"
# How often a lock is looked at that others take and let go of meanwhile.
_TRIES = 3


class Raw(Protocol):
    """What a lock needs of the warehouse."""

    connector: Snowflake

    def qualified(self, raw_schema: str, table: str) -> str:
        """Schema and table, quoted."""

    def create_schema(self, raw_schema: str) -> None:
        """Make a raw schema that is not there."""

    def literal(self, text: str) -> str:
        """A text as SQL."""


@contextmanager
def lease(warehouse: Raw, raw_schemas: Sequence[str], holder: Holder, length: timedelta) -> Iterator[StillOurs]:
    """Hold the lock of these raw schemas while inside, renewing it twice a `length`. Raises `RunLocked`."""
    locks = {schema: _Lock(warehouse, schema, holder, int(length.total_seconds())) for schema in sorted(raw_schemas)}
    held: list[_Lock] = []
    ended = Event()
    beat: Thread | None = None
    with warehouse.connector as connector:
        try:
            for lock in locks.values():
                lock.take(connector)
                held.append(lock)

            def still_ours(raw_schema: str) -> None:
                locks[raw_schema].renew(connector)

            arguments = (Snowflake(connector.config), held, ended, length.total_seconds())
            beat = Thread(target=_renew, args=arguments, name="el-lock", daemon=True)
            beat.start()
            yield still_ours
        finally:
            ended.set()
            if beat is not None:
                beat.join()
            for lock in held:
                # What was loaded is whole; a lock that stays is broken when its lease has run out.
                with suppress(ElError):
                    lock.release(connector)


def _renew(connector: Snowflake, locks: Sequence[_Lock], ended: Event, seconds: float) -> None:
    """Renew until the end, over a session of its own that is opened with the first beat: most runs end before it."""
    wait = seconds / 2
    try:
        while not ended.wait(wait):
            try:
                if not connector.is_open:
                    connector.connect()
                for lock in locks:
                    lock.renew(connector)
                wait = seconds / 2
            except ElError:
                # Tried again soon; whether the lock is still ours is asked before every load.
                connector.close()
                wait = seconds / 10
    finally:
        connector.close()


@dataclass(frozen=True, slots=True)
class _Found:
    """The column that was found: its name, who it names, and when that run was last heard of."""

    column: str
    holder: Holder | None
    beat: int


class _Lock:
    """The lock of one raw schema."""

    def __init__(self, warehouse: Raw, raw_schema: str, holder: Holder, seconds: int) -> None:
        self._warehouse = warehouse
        self._raw_schema = raw_schema
        self._holder = holder
        self._seconds = seconds
        self._table = warehouse.qualified(raw_schema, LOCK_TABLE)
        self._mine = ""

    def take(self, connector: Snowflake) -> None:
        """Take the lock, or break that of a run that is dead. Raises `RunLocked`."""
        column = FREE
        refused: DatabaseError | None = None
        for _ in range(_TRIES):
            now = _now(connector)
            mine = _column_of(self._holder, now)
            try:
                self._rename(connector, column, mine)
            except DatabaseError as error:
                column, refused = self._what_can_be_taken(connector, now, error), error
                continue
            self._mine = mine
            self.renew(connector)
            return
        found = self._read(connector)
        if refused is not None and found is not None and found.column == column:
            raise refused
        raise taken(f"raw schema {self._raw_schema}", found.holder if found else None)

    def _what_can_be_taken(self, connector: Snowflake, now: int, error: DatabaseError) -> str:
        """The column that stands for nobody, or for a dead run; made where there is none. Raises `RunLocked`."""
        found = self._read(connector)
        if found is None:
            if error.number not in NOT_THERE:
                raise error
            self._create(connector)
            return FREE
        if found.column == FREE:
            return FREE
        run_id = found.column.partition("|")[0]
        if run_id == self._holder.run_id:
            # A connection that broke after it had taken the lock.
            return found.column
        gone = found.holder is not None and found.holder.is_gone()
        if not gone and now - found.beat <= self._seconds:
            raise taken(f"raw schema {self._raw_schema}", found.holder)
        end_statements(connector, run_id)
        return found.column

    def _create(self, connector: Snowflake) -> None:
        table = f"CREATE TABLE IF NOT EXISTS {self._table} ({connector.dialect.quote(FREE)} BOOLEAN)"
        try:
            connector.execute(Statement(table))
        except DatabaseError as error:
            if error.number == ALREADY_THERE:
                # Another run came first, between our look and our statement.
                return
            if error.number not in NOT_THERE:
                raise
            self._warehouse.create_schema(self._raw_schema)
            self._create(connector)

    def renew(self, connector: Snowflake) -> None:
        """Say that this run is alive. Raises `RunLocked` unless the lock is ours."""
        said = json.dumps({"run_id": self._holder.run_id, "beat": _now(connector)})
        column = connector.dialect.quote(self._mine)
        sql = f"COMMENT ON COLUMN {self._table}.{column} IS {self._warehouse.literal(said)}"
        try:
            connector.execute(Statement(sql))
        except DatabaseError:
            found = self._read(connector)
            if found is not None and found.column == self._mine:
                raise
            raise taken(f"raw schema {self._raw_schema}", found.holder if found else None) from None

    def release(self, connector: Snowflake) -> None:
        self._rename(connector, self._mine, FREE)

    def _rename(self, connector: Snowflake, column: str, name: str) -> None:
        quote = connector.dialect.quote
        connector.execute(Statement(f"ALTER TABLE {self._table} RENAME COLUMN {quote(column)} TO {quote(name)}"))

    def _read(self, connector: Snowflake) -> _Found | None:
        try:
            rows = connector.show(f"SHOW COLUMNS IN TABLE {self._table}")
        except DatabaseError as error:
            if error.number in NOT_THERE:
                return None
            raise
        if len(rows) != 1:
            raise RunLocked(f"{self._table} must have one column and has {len(rows)}: drop it, and el makes it anew")
        column, comment = str(rows[0]["column_name"]), str(rows[0]["comment"] or "")
        holder, beat = _holder_in(column)
        try:
            said = json.loads(comment)
            # It is of the run before, where this one was killed before it said anything.
            if holder is not None and said["run_id"] == holder.run_id:
                beat = int(said["beat"])
        except (ValueError, TypeError, KeyError):
            pass
        return _Found(column, holder, beat)


def _column_of(holder: Holder, now: int) -> str:
    """Who took the lock, and when, in one step with taking it; Snowflake's names have 255 characters at most."""
    said = (holder.run_id, str(now), str(holder.pid), holder.process, holder.since, holder.host)
    return "|".join(said)[:255]


def _holder_in(column: str) -> tuple[Holder | None, int]:
    """The holder that a column is called after, and when it took the lock; the end of a long host's name is lost."""
    try:
        run_id, now, pid, process, since, host = column.split("|", 5)
        return Holder(run_id, host, int(pid), process, since), int(now)
    except ValueError:
        return None, 0


def _now(connector: Snowflake) -> int:
    """The warehouse's clock as seconds since 1970: a constant, for which no warehouse has to run."""
    row = connector.fetch(Statement("SELECT CAST(DATE_PART('epoch', CURRENT_TIMESTAMP) AS BIGINT)"))[0]
    return int(str(row[0]))
