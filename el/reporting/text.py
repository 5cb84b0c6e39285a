"""How a size, and a page, look to a person."""

from __future__ import annotations

import sys

from rich.console import Console


def in_bytes(size: int) -> str:
    """A size for people: "1.2 GB"."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def console() -> Console:
    # Piped output is for other programs and logs: no line is cut to a terminal's width there.
    return Console() if sys.stdout.isatty() else Console(width=max(200, 80), soft_wrap=True)
