"""Bad records: so many may be left out, each kept with its bytes; the next one ends the file."""

from __future__ import annotations

from dataclasses import dataclass

from el.dumps.formats.base import Reading, Reject
from el.errors import RecordRefused


@dataclass(slots=True)
class Rejecting:
    """Called with a bad record, it keeps it in `reading`, or raises `RecordRefused`."""

    reading: Reading
    allowed: int

    def __call__(self, row: int, offset: int | None, data: bytes, reason: str) -> None:
        if len(self.reading.rejects) >= self.allowed:
            raise RecordRefused(f"{where(row, offset)}: {reason}")
        self.reading.rejects.append(Reject(row, offset, data, reason))


def where(row: int, offset: int | None) -> str:
    """A record's place in words."""
    return f"record {row}" if offset is None else f"record {row}, byte {offset}"
