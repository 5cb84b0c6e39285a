"""The window of one read: its bounds, fixed before the first row is read, and which ends belong to it.

Guarantee: the next window's lower end is this one's upper end, with the opposite inclusion, so that windows meet
without gap and without overlap (a lag widens the lower end on purpose).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from el.connectors.request import Condition, Op, Value


class Kind(StrEnum):
    """A snapshot holds the whole table and replaces what came before; a delta holds what changed since."""

    SNAPSHOT = "snapshot"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Window:
    """What one read takes of one table.

    column: the column that is bounded; None takes the whole table. lower is None in a snapshot. nulls: rows whose
    column is NULL are taken too (they have no place in the order, so only a snapshot can bring them).
    """

    kind: Kind
    column: str | None = None
    lower: Value | None = None
    upper: Value | None = None
    lower_inclusive: bool = False
    upper_inclusive: bool = True
    nulls: bool = False

    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that a row of this window meets."""
        found: list[Condition] = []
        if self.column is not None and self.lower is not None:
            op = Op.GE if self.lower_inclusive else Op.GT
            found.append(Condition(self.column, op, self.lower))
        if self.column is not None and self.upper is not None:
            op = Op.LE if self.upper_inclusive else Op.LT
            found.append(Condition(self.column, op, self.upper, or_null=self.nulls))
        return tuple(found)

    def __str__(self) -> str:
        if self.column is None:
            return "the whole table"
        lower = f"{self.lower} {'<=' if self.lower_inclusive else '<'} " if self.lower else ""
        upper = f" {'<=' if self.upper_inclusive else '<'} {self.upper}" if self.upper else ""
        nulls = " or null" if self.nulls else ""
        return f"{lower}{self.column}{upper}{nulls}" if lower or upper else f"every {self.column}"
