"""Replication slots: what keeps the server's log until a warehouse has it, made, looked at, read and advanced.

Guarantees: a slot is read by peeking, so that the same changes can be had again until it is advanced; it is advanced on
its own, after the load. Places in the log are compared as the server does: a transaction lies before a place where
the record of its commit begins before it. A connection here has the settings under which values become text that reads
back as the same value (PostgreSQL Documentation, "Logical Decoding", "Streaming Replication Protocol").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from typing import Any

import psycopg

from el.connectors.access import access_of
from el.connectors.origin import in_words
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.errors import connect_error
from el.connectors.postgres.log.lsn import lsn_number, lsn_text
from el.connectors.sql.select import Statement
from el.errors import ElError, PositionLost, ReadError

Fetch = Callable[[Statement], list[tuple[object, ...]]]
PLUGIN = "pgoutput"
# Bytes of log from which on it is worth a word that a slot is behind.
FAR_BEHIND = 2**30
LOCK = 0x656C  # the first half of the advisory locks of slots
# How long another session may be at work with the slot: a slot is one session's at a time.
PATIENCE = 60.0
# How long the slot may wait for the transactions that were open when it was made.
TO_BEGIN = 600.0
_IN_USE, _NO_SLOT, _INVALID = "55006", "42704", "55000"
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "0",
}


@contextmanager
def control(config: PostgresConfig, translate: Callable[[Exception], ElError], *, walsender: bool = False) -> Any:
    """A connection beside the one that reads rows. walsender: one that takes commands of replication."""
    session = _connect(config, walsender=walsender)
    try:
        yield session
    except psycopg.Error as error:
        raise translate(error) from None
    finally:
        session.close()


def _connect(config: PostgresConfig, *, walsender: bool) -> psycopg.Connection[Any]:
    replication = " replication=database" if walsender else ""
    settings = {**_SETTINGS, "statement_timeout": str(config.query_timeout * 1000)}
    refused: ElError
    try:
        session = psycopg.connect(config.conninfo(in_words(access_of(config.access))) + replication, autocommit=True)
        for name, value in settings.items():
            session.execute(f"SET {name} = '{value}'")
        return session
    except psycopg.Error as error:
        refused = connect_error(error, config)
    # Raised out here, the driver's error and its frames, which hold the password, do not hang on it.
    raise refused


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as it is now."""

    name: str
    confirmed: int  # what lies before this is given up
    wrong: str | None  # why it cannot be read any longer, or not from here
    behind: int  # bytes of log that it has not given up
    kept: int  # bytes of log that the server keeps for it
    left: int | None  # bytes until the server gives it up; None: it keeps the log whatever that takes

    def __str__(self) -> str:
        told = f"replication slot {self.name} is {_megabytes(self.behind)} behind, and the server keeps "
        told += f"{_megabytes(self.kept)} of its log for it"
        if self.left is not None:
            told += f"; {_megabytes(self.left)} more, and the server gives it up (max_slot_wal_keep_size)"
        return told


_SLOT = """
SELECT COALESCE(s.plugin, s.slot_type), COALESCE(s.database, ''), s.confirmed_flush_lsn::text, s.wal_status,
       COALESCE(to_jsonb(s) ->> 'invalidation_reason', ''), current_database()::text,
       (pg_current_wal_lsn() - s.confirmed_flush_lsn)::text, (pg_current_wal_lsn() - s.restart_lsn)::text,
       s.safe_wal_size::text
FROM pg_catalog.pg_replication_slots AS s WHERE s.slot_name = ?
"""


def slot_of(fetch: Fetch, name: str) -> Slot | None:
    """The slot of this name; None where there is none."""
    rows = fetch(Statement(_SLOT, (name,)))
    if not rows:
        return None
    plugin, database, confirmed, status, reason, here, behind, kept, left = rows[0]
    wrong = None
    if plugin != PLUGIN or database != here:
        wrong = f"replication slot {name} is of {plugin} in database {database or '-'}, not of {PLUGIN} in {here}"
    elif status == "lost" or reason:
        wrong = (
            f"the server gave up replication slot {name} ({reason or 'its log was removed'}; see "
            f"max_slot_wal_keep_size): SELECT pg_drop_replication_slot('{name}')"
        )
    return Slot(
        name,
        lsn_number(str(confirmed)) if confirmed is not None else 0,
        wrong,
        _whole(behind),
        _whole(kept),
        None if left is None else _whole(left),
    )


def _megabytes(number: int) -> str:
    return f"{number / 2**20:,.0f} MB"


def _whole(number: object) -> int:
    return 0 if number is None else max(0, int(float(str(number))))


@dataclass
class Exported:
    """A state of the database that other sessions can join while `session` is open, and its place in the log."""

    session: psycopg.Connection[Any]
    place: int  # what lies before it is in the state, and nothing else
    name: str  # for SET TRANSACTION SNAPSHOT
    holds: psycopg.Connection[Any]  # the slot's lock: nobody advances it until the state is loaded

    def close(self) -> None:
        self.session.close()
        self.holds.close()


def export(config: PostgresConfig, translate: Callable[[Exception], ElError], slot: str, token: str | None) -> Exported:
    """Make the slot, and hold the state that it begins at. token: it is there already, and one besides, named so, tells
    a place behind it; that is gone with the session.

    The server waits for the transactions that are open: what they do may be half behind the place, half before it.
    """
    session = _connect(config, walsender=True)
    holds = _connect(config, walsender=False)
    stop = Timer(TO_BEGIN, session.cancel_safe)
    stop.daemon = True
    stop.start()
    wrong: ElError
    try:
        holds.execute("SELECT pg_advisory_lock_shared(%s, hashtext(%s))", (LOCK, slot))
        name, kind = (slot, "") if token is None else (f"{slot[:40]}_{token[:16]}", "TEMPORARY ")
        sql = f'CREATE_REPLICATION_SLOT "{name}" {kind}LOGICAL {PLUGIN} EXPORT_SNAPSHOT'
        made = session.execute(sql).fetchall()[0]
        return Exported(session, lsn_number(str(made[1])), str(made[2]), holds)
    except psycopg.errors.QueryCanceled:
        wrong = ReadError(
            f"replication slot {slot}: transactions that were open before it was made did not end for "
            f"{TO_BEGIN:.0f} seconds",
            retryable=True,
        )
    except psycopg.Error as error:
        wrong = translate(error)
    finally:
        stop.cancel()
    session.close()
    holds.close()
    raise wrong


_PEEK = """
SELECT m.data FROM pg_catalog.pg_logical_slot_peek_binary_changes(
    {slot}, {until}::pg_lsn, NULL, 'proto_version', '1', 'publication_names', {publication}
) AS m WHERE get_byte(m.data, 0) = ANY ('{kinds}')
"""


def peek_statement(slot: str, publication: str, until: int | None, kinds: str) -> str:
    """The SELECT of the messages of these kinds; until: as for `peek`."""
    # The name stands in a list of names, which are quoted as such.
    named = '"' + publication.replace('"', '""') + '"'
    filled = {
        "{slot}": _literal(slot),
        "{until}": "pg_current_wal_flush_lsn()" if until is None else _literal(lsn_text(until)),
        "{publication}": _literal(named),
        "{kinds}": "{" + ",".join(str(ord(kind)) for kind in kinds) + "}",
    }
    sql = _PEEK.strip()
    for mark, text in filled.items():
        sql = sql.replace(mark, text)
    return sql


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def peek(
    session: psycopg.Connection[Any], slot: str, publication: str, until: int | None, kinds: str
) -> Iterator[bytes]:
    """The messages that the slot has of transactions before `until`, and perhaps of one behind it; None: all there are.

    The server gathers them, on its disk where they are many, before the first comes; here one is in memory at a time.
    """
    sql = f"COPY ({peek_statement(slot, publication, until, kinds)}) TO STDOUT (FORMAT BINARY)"
    waited = time.monotonic() + PATIENCE
    while True:
        try:
            with session.cursor() as cursor, cursor.copy(sql) as copy:
                copy.set_types(["bytea"])
                for (data,) in copy.rows():
                    yield data
            return
        except psycopg.Error as error:
            if error.sqlstate in (_NO_SLOT, _INVALID):
                raise PositionLost(f"{slot}: {error}".splitlines()[0]) from None
            if error.sqlstate != _IN_USE:
                raise
            if time.monotonic() > waited:
                raise ReadError(f"replication slot {slot} is in use by another session", retryable=True) from None
        time.sleep(0.2)


def advance(session: psycopg.Connection[Any], slot: str, place: int) -> None:
    """Give up what lies before `place`; not while another run has a snapshot of a place that its ledger has not yet."""
    taken = session.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (LOCK, slot)).fetchall()
    if not taken[0][0]:
        return
    waited = time.monotonic() + PATIENCE
    while True:
        try:
            session.execute("SELECT pg_catalog.pg_replication_slot_advance(%s, %s::pg_lsn)", (slot, lsn_text(place)))
            return
        except psycopg.Error as error:
            if error.sqlstate != _IN_USE or time.monotonic() > waited:
                raise
        time.sleep(0.2)
