"""A column's type as its database declares it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourceType:
    """A column's type. Two types are equal whatever their collation."""

    name: str  # the base type in lower case, without arguments: "decimal", "timestamp"
    length: int | None = None  # characters or bytes as declared; -1: (max); None: the type has none
    precision: int | None = None  # digits in all
    scale: int | None = None  # digits behind the point; of a time, of its second
    alias: str | None = None  # the name that a user gave to the base type
    # Of text in a code page: it decides which one. None: it plays no part.
    collation: str | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        if self.length is not None:
            return f"{self.name}({'max' if self.length == -1 else self.length})"
        if self.precision is not None and self.scale is not None:
            return f"{self.name}({self.precision},{self.scale})"
        if self.scale is not None:
            return f"{self.name}({self.scale})"
        return self.name
