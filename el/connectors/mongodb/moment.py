"""One moment that several connections read: snapshots of a replica set or a sharded cluster.

MongoDB, "Read Concern snapshot", "Read Concern and atClusterTime": of `find` and `aggregate` from version 5 on, for
so long as the server keeps the past (`minSnapshotHistoryWindowInSeconds`); not of capped collections.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from el.connectors.catalog import Consistency
from el.connectors.mongodb.client import Server
from el.errors import ReadError

SINCE = (5,)
WINDOW = 300  # seconds, where nobody set another one
# Documents that are read in a second, at the least: of more than fit into the window a snapshot is not begun unasked.
_A_SECOND = 10_000
_PLAIN = Consistency(
    unstable="a document that changes meanwhile comes as it was before or after",
    complete=True,
)


def consistency_of(server: Server, kind: str, capped: bool, rows: int | None, window: int) -> Consistency:
    """What reads of a collection see. kind: as `listCollections` says it."""
    if server.standalone:
        return replace(
            _PLAIN,
            no_snapshot="a server by itself keeps no past: snapshots are of a replica set or a sharded cluster",
            better="make the server a replica set, of one member at the least (rs.initiate())",
        )
    if server.version < SINCE:
        return replace(_PLAIN, no_snapshot="snapshots outside of transactions are of MongoDB 5 and later")
    if capped or kind != "collection":
        return replace(_PLAIN, no_snapshot=f"the server has no snapshot of a {'capped collection' if capped else kind}")
    doubt = None
    if rows is None or rows > window * _A_SECOND:
        doubt = (
            f"the server keeps a moment for {window} s (minSnapshotHistoryWindowInSeconds), and this collection may "
            "take longer: set more there"
        )
    return replace(_PLAIN, snapshot=True, doubt=doubt)


def window_of(client: MongoClient[dict[str, Any]]) -> int:
    """How long the server keeps the past, in seconds; what is usual, where the login may not see it."""
    try:
        found = client.admin.command("getParameter", minSnapshotHistoryWindowInSeconds=1)
    except PyMongoError:
        return WINDOW
    return int(found.get("minSnapshotHistoryWindowInSeconds", WINDOW))


@contextmanager
def sessions_at_one_moment(clients: Sequence[MongoClient[dict[str, Any]]]) -> Iterator[list[ClientSession]]:
    """A session on each, all of which read the state of now."""
    # The primary's: a secondary waits until it has that.
    now = clients[0].admin.command("ping").get("operationTime")
    if not isinstance(now, Timestamp):
        raise ReadError("this server tells no time of its log: it has no snapshots")
    with ExitStack() as opened:
        found = []
        for client in clients:
            session = opened.enter_context(client.start_session(snapshot=True))
            # What the driver itself sets, once a first read has told the time.
            session._snapshot_time = now  # type: ignore[assignment]
            found.append(session)
        yield found
