"""A table divided by ranges of one whole-number column, so that several connections can read it.

Guarantee: whatever the least and the greatest value were, the ranges cover every row exactly once: the first has no
lower end and takes NULL, the last has no upper end. They are reads of their own: a row that moves from one to another
between them comes twice or not at all, so the column had better not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from el.connectors.catalog import SourceType
from el.connectors.request import Condition, Op, Split, Value
from el.types.rule import TypeFacts, TypeKind


@dataclass(frozen=True, slots=True)
class Range(Split):
    """The rows that meet these conditions."""

    where: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(str(each) for each in self.where)


def can_divide(facts: TypeFacts) -> bool:
    """Whether a column is of whole numbers."""
    return facts.kind is TypeKind.WHOLE or (facts.kind is TypeKind.DECIMAL and facts.scale == 0)


def divide(column: str, type_: SourceType, least: int, greatest: int, parts: int) -> tuple[Range, ...]:
    """At most `parts` ranges of equal width between `least` and `greatest`; none if they cannot be cut."""
    width = greatest - least + 1
    parts = min(parts, width)
    return cut(column, type_, [least + width * number // parts for number in range(1, parts)])


def cut(column: str, type_: SourceType, cuts: Sequence[int]) -> tuple[Range, ...]:
    """The ranges between these values, which grow; none without a value."""
    ranges = []
    for number in range(len(cuts) + 1 if cuts else 0):
        conditions = []
        if number > 0:
            conditions.append(Condition(column, Op.GE, Value(str(cuts[number - 1]), type_)))
        if number < len(cuts):
            conditions.append(Condition(column, Op.LT, Value(str(cuts[number]), type_), or_null=number == 0))
        ranges.append(Range(tuple(conditions)))
    return tuple(ranges)
