"""A place in the log (LSN), as a number and as text."""

from __future__ import annotations


def lsn_text(place: int) -> str:
    """A place in the log as text of one width, which the server reads too."""
    return f"{place >> 32:08X}/{place & 0xFFFFFFFF:08X}"


def lsn_number(text: str) -> int:
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)
