"""Whether an end answers, as what, and as whom."""

from __future__ import annotations

from el.connectors.base import Connector
from el.connectors.check import Check, fine, wrong
from el.errors import ElError

_SHOWN = 60


def connected(connector: Connector) -> Check:
    """Who this connection is. It is open."""
    try:
        who = connector.ping()
    except ElError as error:
        return refused(error)
    roles = f" ({', '.join(who.roles)})" if who.roles else ""
    version = who.version if len(who.version) <= _SHOWN else f"{who.version[:_SHOWN]}..."
    # A login of MySQL need not be in a database.
    place = f"in database {who.database} of {who.server}" if who.database else f"at {who.server}"
    return fine("connection", f"{who.user}{roles} {place}, {version}")


def refused(error: ElError) -> Check:
    """Why it is not open; the message says what to do."""
    return wrong("connection", str(error))
