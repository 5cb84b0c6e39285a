"""How far a server's clock is from this machine's: bounds in the past and leases are compared by them."""

from __future__ import annotations

from datetime import timedelta

from el.connectors.check import Check, fine, warn
from el.connectors.rights import RightsSource
from el.types.present import utc_now

# Five minutes is the lag of a cursor by default; a minute is seen before that is in danger.
TOO_FAR = timedelta(minutes=1)


def clock(server: RightsSource) -> Check | None:
    """None where it is this machine's own. What the question itself took is no difference."""
    asked = utc_now()
    there = server.utc_now()
    answered = utc_now()
    if there is None:
        return None
    if asked <= there <= answered:
        return fine("clock", "as this machine's")
    ahead = there - (answered if there > answered else asked)
    seconds = abs(ahead.total_seconds())
    said = f"{seconds:.0f} s {'ahead of' if ahead > timedelta() else 'behind'} this machine's"
    if timedelta(seconds=seconds) < TOO_FAR:
        return fine("clock", said)
    return warn("clock", f"{said}: freshness is told wrongly", "let both take their time from a server (NTP)")
