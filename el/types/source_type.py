"""A column's type as its database declares it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourceType:
    """A column's type as its database declares it.

    name: base type in lower case, without arguments ("decimal", "timestamp"); an alias type is
        resolved to its base, its own name kept in `alias`.
    length: characters or bytes as declared; -1 for (max); None where the type has none.
    precision, scale: digits; for time types `scale` is the number of fractional digits.
    collation: of text in a code page, which it decides; None where it plays no part. Two types are equal without it.
    """

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    alias: str | None = None
    collation: str | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        if self.length is not None:
            return f"{self.name}({'max' if self.length == -1 else self.length})"
        if self.precision is not None and self.scale is not None:
            return f"{self.name}({self.precision},{self.scale})"
        if self.scale is not None:
            return f"{self.name}({self.scale})"
        return self.name
