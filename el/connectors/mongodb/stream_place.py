"""A place in a change stream, as text that sorts: a cluster time, and the resume token that goes on behind it.

MongoDB, "Change streams", "Resume tokens"; "startAtOperationTime". The events of one transaction have one cluster time,
so a window between two times cuts none of them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson.timestamp import Timestamp

# A token, which has the document's key in it, may be left out: its time says the same.
_LONGEST = 4_096
FORM = r"\d{10}\.\d{10}(\.[A-Za-z0-9_-]+)?"
_TIME_IN_KEYSTRING = "82"


@dataclass(frozen=True, slots=True)
class Place:
    """Behind all that has this cluster time. token: BSON of a resume token behind which nothing later is missed."""

    time: Timestamp
    token: bytes | None = None

    @classmethod
    def of(cls, text: str) -> Place:
        """The place that `str` wrote. `ValueError` for any other text."""
        seconds, number, *token = text.split(".")
        found = Timestamp(int(seconds), int(number))
        return cls(found, base64.urlsafe_b64decode(token[0] + "=" * (-len(token[0]) % 4)) if token else None)

    @classmethod
    def at(cls, time: Timestamp, token: Mapping[str, Any] | None) -> Place:
        """The place with a token as the driver has it."""
        packed = None if token is None else bson.encode(token)
        return cls(time, packed if packed is not None and len(packed) <= _LONGEST else None)

    def __str__(self) -> str:
        token = "" if self.token is None else "." + base64.urlsafe_b64encode(self.token).decode("ascii").rstrip("=")
        return f"{shown(self.time)}{token}"

    def start(self) -> dict[str, Any]:
        """What a stream is opened with that goes on here."""
        if self.token is not None:
            return {"resumeAfter": bson.decode(self.token)}
        return {"startAtOperationTime": Timestamp(self.time.time, self.time.inc + 1)}


def shown(time: Timestamp) -> str:
    """A cluster time as text that sorts."""
    return f"{time.time:010d}.{time.inc:010d}"


def time_of(token: Mapping[str, Any] | None) -> Timestamp | None:
    """The cluster time that a token of a MongoDB server begins with; None of another form.

    It is a key in the server's order of keys: its first part is a time, in 8 bytes behind the number of the type.
    """
    data = str((token or {}).get("_data", ""))
    if not data.startswith(_TIME_IN_KEYSTRING) or len(data) < 18:
        return None
    try:
        return Timestamp(int(data[2:10], 16), int(data[10:18], 16))
    except ValueError:
        return None
