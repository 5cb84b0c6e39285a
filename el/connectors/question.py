"""What `init` asks of a person who sets up a connection: each connector's config says it of its own settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """One setting. Whether it is a secret, and what it is by default, the config's own field says."""

    setting: str
    words: str  # what is asked, in few words
    optional: bool = False  # an empty answer leaves the setting out
    unless: tuple[str, ...] = ()  # settings that make it needless
    default: str | None = None  # of a warehouse, in the place of the field's own; a source then has none
