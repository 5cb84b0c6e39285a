"""How an end signs in, where that is a way that its vendor ends; `plan` says the same."""

from __future__ import annotations

from el.connectors.base import Connector
from el.connectors.check import Check, warn


def way_in(connector: Connector) -> Check | None:
    """None where there is nothing to be said of it."""
    note = connector.config.sign_in_note()
    return warn("sign-in", note) if note is not None else None
