"""The moment that transactions see, and its place in the server's log.

MariaDB tells of each snapshot its place in the binary log (MariaDB Documentation, "Enhancements for START TRANSACTION
WITH CONSISTENT SNAPSHOT"): two with the same place see the same. MySQL tells which transactions are executed, and which
are on their way there (`gtid_executed`, `gtid_owned`): where none came while snapshots were taken, they see the same.
What is written without a place in the log (`sql_log_bin = 0`), neither can tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from el.connectors.sql.select import Statement

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
# So long is tried for one moment on a server that is written without a pause.
_SECONDS = 10.0
_BEGIN = Statement("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log: a set of transactions, or where in which file."""

    executed: str = ""
    file: str = ""
    offset: int = 0


def gtid_of(place: Place, fetch: Fetch) -> str:
    """The place as a set of transactions. MariaDB reads its log's file for it, from the beginning."""
    if not place.file:
        return place.executed
    return str(fetch(Statement("SELECT BINLOG_GTID_POS(?, ?)", (place.file, place.offset)))[0][0] or "")


def see_one_moment(sessions: Sequence[Fetch], *, is_mariadb: bool) -> list[Place | None]:
    """Begin a transaction in each; where in the log is what it sees, None where the server does not tell.

    Those with the same place see the same.
    """
    if not tells_of_each_commit(sessions[0], is_mariadb=is_mariadb):
        _begin(sessions)
        return [None] * len(sessions)
    look = _mariadb if is_mariadb else _mysql
    until = time.monotonic() + _SECONDS
    while True:
        places = look(sessions)
        if (None not in places and len(set(places)) == 1) or time.monotonic() > until:
            return places
        time.sleep(0.001)


def tells_of_each_commit(fetch: Fetch, *, is_mariadb: bool) -> bool:
    """Whether each commit has a place in this server's log."""
    if not is_mariadb:
        # A reader that shares the writer's storage (Aurora) gets rows of which its own log knows nothing.
        mode, shares_storage = fetch(Statement("SELECT @@GLOBAL.gtid_mode, @@innodb_read_only"))[0]
        return bool(mode == "ON") and not int(shares_storage or 0)
    # What a replica applies is in its own log where it is told so.
    log, replicated = fetch(Statement("SELECT @@log_bin, @@log_slave_updates"))[0]
    applies = fetch(Statement("SHOW GLOBAL STATUS LIKE 'Slaves_running'"))
    return bool(log) and (bool(replicated) or (bool(applies) and applies[0][1] == "0"))


def _mariadb(sessions: Sequence[Fetch]) -> list[Place | None]:
    _begin(sessions)
    found: list[Place | None] = []
    for fetch in sessions:
        told = {name.lower(): text for name, text in fetch(Statement("SHOW STATUS LIKE 'binlog_snapshot_%'"))}
        found.append(Place(file=str(told["binlog_snapshot_file"]), offset=int(told["binlog_snapshot_position"])))
    return found


def _mysql(sessions: Sequence[Fetch]) -> list[Place | None]:
    fetch = sessions[0]
    before = _variable(fetch, "gtid_executed")
    _begin(sessions)
    # First those on their way: one that arrives between the two looks is then seen by the second.
    moved = _variable(fetch, "gtid_owned") or _variable(fetch, "gtid_executed") != before
    return [None if moved else Place(before)] * len(sessions)


def _variable(fetch: Fetch, name: str) -> str:
    return "".join(str(fetch(Statement(f"SELECT @@GLOBAL.{name}"))[0][0]).split())


def _begin(sessions: Sequence[Fetch]) -> None:
    for fetch in sessions:
        fetch(_BEGIN)
