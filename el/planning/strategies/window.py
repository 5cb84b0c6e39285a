"""The window of one read: its bounds, fixed before the first row is read, and which ends belong to it.

Guarantee: the next window's lower end is this one's upper end, with the opposite inclusion, so that windows meet
without gap and without overlap (a lag widens the lower end on purpose).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from el.connectors.request import Condition, Op, Position, Value


class Kind(StrEnum):
    """A snapshot holds the whole table and replaces what came before; a delta holds what changed since."""

    SNAPSHOT = "snapshot"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Window:
    """What one read takes of one table."""

    kind: Kind
    column: str | None = None  # the column that is bounded; None takes the whole table
    lower: Value | Position | None = None  # None in a snapshot
    upper: Value | Position | None = None
    lower_inclusive: bool = False
    upper_inclusive: bool = True
    nulls: bool = False  # rows whose column is NULL are taken too: they have no place in the order
    bound: str | None = None  # what the bounds count where they are no column's values: a version, a log position
    because: str | None = None  # why a snapshot is taken again, where that is news
    incarnation: str | None = None  # of the table at the source, to be compared with the next one
    forgets: bool = False  # the source forgets old changes, so the bound is noted though no row came
    high_water_mark: Value | None = None  # what is noted as upper bound where that is less than `upper`
    notes: tuple[str, ...] = ()  # what the plan says of it

    @property
    def noted(self) -> Value | Position | None:
        """The bound that the next window begins at."""
        return self.high_water_mark or self.upper

    @property
    def emptied(self) -> bool:
        """Whether raw has a bound, and the source no value any more that it could be compared with."""
        return self.kind is Kind.DELTA and self.column is not None and self.upper is None

    @property
    def bounded(self) -> str | None:
        """The name of what is bounded: a column, a version, a log position."""
        return self.column or self.bound

    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that a row of this window meets."""
        found: list[Condition] = []
        if self.column is not None and isinstance(self.lower, Value):
            op = Op.GE if self.lower_inclusive else Op.GT
            found.append(Condition(self.column, op, self.lower, or_null=self.nulls))
        if self.column is not None and isinstance(self.upper, Value):
            op = Op.LE if self.upper_inclusive else Op.LT
            found.append(Condition(self.column, op, self.upper, or_null=self.nulls))
        return tuple(found)

    def __str__(self) -> str:
        name = self.bounded
        if name is None:
            return "the whole table"
        if self.column is None and self.kind is Kind.SNAPSHOT:
            return f"the whole table, then what follows {name} {self.upper}"
        lower = f"{self.lower} {'<=' if self.lower_inclusive else '<'} " if self.lower else ""
        upper = f" {'<=' if self.upper_inclusive else '<'} {self.upper}" if self.upper else ""
        nulls = " or null" if self.nulls else ""
        return f"{lower}{name}{upper}{nulls}" if lower or upper else f"every {name}"
