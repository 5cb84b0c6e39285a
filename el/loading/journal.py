"""A file of the working folder with a line for each thing that was done, and a mark of how far it was delivered.

Guarantees: a line is added at once, and one that a kill cut off spoils no other; a mark that is lost costs nothing, for
who delivers adds nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def add_line(journal: Path, entry: Mapping[str, Any] | str) -> None:
    """Add this, JSON or what becomes it. A disk that takes none fails nothing."""
    line = entry if isinstance(entry, str) else json.dumps(entry)
    with suppress(OSError):
        journal.parent.mkdir(parents=True, exist_ok=True)
        with journal.open("a", encoding="utf-8") as file:
            # A line that a kill cut off must not spoil this one.
            file.write(f"\n{line}\n")


def lines_behind(journal: Path, mark: Path | None = None) -> tuple[list[dict[str, Any]], int]:
    """What stands behind the mark, and where it ends."""
    try:
        start = int(mark.read_text()) if mark is not None else 0
    except (OSError, ValueError):
        start = 0
    if not journal.exists():
        return [], 0
    with journal.open("rb") as file:
        file.seek(start if start <= journal.stat().st_size else 0)
        lines = file.read().split(b"\n")
        end = file.tell()
    found = []
    for line in lines:
        with suppress(ValueError):
            read = json.loads(line)
            if isinstance(read, dict):
                found.append(read)
    return found, end


def set_mark(mark: Path, end: int) -> None:
    """All up to `end` is delivered."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(str(end))
