"""How far the clocks are apart, of a server, of the other one, and of this machine: bounds in the past and leases are
compared by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from el.connectors.check import Check, fine, warn
from el.connectors.rights import RightsSource
from el.types.present import utc_now

# What a clock that is set by the network keeps to.
TOO_FAR = timedelta(seconds=5)
_SET = "let both take their time from a server (NTP)"


@dataclass(frozen=True, slots=True)
class Clock:
    """A server's clock, as it was asked. ahead: of this machine's, within half of what the question took."""

    ahead: timedelta
    took: timedelta

    def check(self) -> Check:
        """Beside this machine's. What the question itself took is no difference."""
        return _beside(self.ahead, self.took / 2, "this machine's")

    def beside(self, other: Clock, whose: str) -> Check:
        """Beside another server's."""
        return _beside(self.ahead - other.ahead, (self.took + other.took) / 2, whose)


def clock(server: RightsSource) -> Clock | None:
    """None where it is this machine's own."""
    asked = utc_now()
    there = server.utc_now()
    answered = utc_now()
    if there is None:
        return None
    return Clock(there - asked - (answered - asked) / 2, answered - asked)


def _beside(ahead: timedelta, unsure: timedelta, whose: str) -> Check:
    if abs(ahead) <= unsure:
        return fine("clock", f"as {whose}")
    seconds = (abs(ahead) - unsure).total_seconds()
    said = f"{seconds:.0f} s {'ahead of' if ahead > timedelta() else 'behind'} {whose}"
    if timedelta(seconds=seconds) <= TOO_FAR:
        return fine("clock", said)
    return warn("clock", f"{said}: a bound in time, and freshness, are told wrongly", _SET)
