"""How a size, and a page, look to a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from el.errors import ConfigError

FEW = 3
"""So many tables are named one by one."""


def in_bytes(size: int) -> str:
    """A size for people: "1.2 GB"."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


class Page(Console):
    """A console that leaves it to its caller what to do when nobody reads on: rich's own ends the process with 1."""

    def on_broken_pipe(self) -> None:
        """Raise what was met."""
        raise BrokenPipeError


def console() -> Console:
    # Piped output is for other programs and logs: no line is cut to a terminal's width there.
    return Page() if sys.stdout.isatty() else Page(width=max(200, 80), soft_wrap=True)


def gathered(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Lines for (table, note): what is the same for many tables is said once, with their number."""
    tables: dict[str, list[str]] = {}
    for table, note in notes:
        tables.setdefault(note, []).append(table)
    return [
        f"{', '.join(names)}: {note}"
        if len(names) <= FEW
        else f"{len(names)} tables: {note} ({', '.join(names[:FEW])}, ...)"
        for note, names in tables.items()
    ]


def writable(path: Path, option: str) -> Path:
    """The path, where a file can be written there; its folder is made. Raises `ConfigError`, before anything is done.

    option: what named it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{option} {path}: {error.strerror}") from None
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{option} {path}: no file can be written there")
    return path
