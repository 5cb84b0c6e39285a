"""What the plan says of a table besides what it takes."""

from __future__ import annotations


class MayLose(str):
    """A note that rows or values may be lost, doubled or hidden: `plan` shows it without being asked for reasons."""

    __slots__ = ()
