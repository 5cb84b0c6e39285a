"""A check: one thing that was looked at, and what to do where it is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check ended. An error is what a run would fail at, or what its promises do not hold without."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. No secret stands in it."""

    level: Level
    subject: str  # what was looked at, in few words
    text: str  # what was found
    remedy: str = ""  # what to do: a statement, a setting, a package to install


def fine(subject: str, text: str, remedy: str = "") -> Check:
    """It is as it should be. remedy: what would make it better still."""
    return Check(Level.OK, subject, text, remedy)


def warn(subject: str, text: str, remedy: str = "") -> Check:
    """A run works, and somebody should know."""
    return Check(Level.WARNING, subject, text, remedy)


def wrong(subject: str, text: str, remedy: str = "") -> Check:
    """A run fails at it."""
    return Check(Level.ERROR, subject, text, remedy)
