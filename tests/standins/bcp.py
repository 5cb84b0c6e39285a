"""What SQL Server's bcp writes, by another hand than the reader's: one value after the other, in plain Python.

Layouts: Microsoft Learn, "Use character format", "Specify field and row terminators", "Keep nulls or default values".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def character_file(rows: Iterable[Sequence[str | None]], field: str, row: str, encoding: str) -> bytes:
    """A file of `bcp -c` or `-w`: '' is one character NUL, NULL is nothing."""
    lines = (field.join("" if v is None else v or "\0" for v in values) + row for values in rows)
    return "".join(lines).encode(encoding)
