"""A table divided by ranges of one column, so that several connections can read it.

Guarantee: whatever the cuts are, as long as they ascend as the server compares them, the ranges have every row exactly
once: the first has no lower end and takes NULL, the last has no upper end. They are reads of their own: unless they see
one moment, a row that moves from one to another between them comes twice or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from el.connectors.catalog import SourceType
from el.connectors.request import Condition, Op, Split, Value
from el.connectors.sql.scale import Scale
from el.types.rule import TypeFacts, TypeKind

# Of these the server alone knows the order: cuts are its own values, in the order in which it sorts them.
_SORTED = frozenset({TypeKind.TEXT, TypeKind.BYTES, TypeKind.UUID, TypeKind.TIME})


@dataclass(frozen=True, slots=True)
class Range(Split):
    """The rows that meet these conditions."""

    where: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(str(each) for each in self.where)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a histogram: about how many rows lie between the value before and this one, and how many have it."""

    value: str  # in canonical text
    below: float
    equal: float = 0


def can_divide(facts: TypeFacts) -> bool:
    """Whether a column's values have an order in which each is on one side of a cut."""
    if Scale.of(facts) is not None:
        return True
    return facts.kind in _SORTED and (facts.kind is not TypeKind.TEXT or facts.no_cursor is None)


def ranges(column: str, type_: SourceType, cuts: Sequence[str]) -> tuple[Range, ...]:
    """The ranges between these values, which ascend; none without a value."""
    found = []
    for number in range(len(cuts) + 1 if cuts else 0):
        conditions = []
        if number > 0:
            conditions.append(Condition(column, Op.GE, Value(cuts[number - 1], type_)))
        if number < len(cuts):
            conditions.append(Condition(column, Op.LT, Value(cuts[number], type_), or_null=number == 0))
        found.append(Range(tuple(conditions)))
    return tuple(found)


def equal_cuts(scale: Scale, least: str, greatest: str, parts: int) -> list[str]:
    """The values that cut what lies between two into at most `parts` ranges of equal width; none if it has no width."""
    try:
        first, last = scale.place(least), scale.place(greatest)
    except ValueError:
        return []
    width = last - first + 1
    parts = min(parts, width)
    return [scale.text(first + width * number // parts) for number in range(1, parts)]


def ascending(scale: Scale, cuts: Iterable[str]) -> list[str]:
    """These values in their order, each once; without those that have no place in it."""
    places = set()
    for cut in cuts:
        with suppress(ValueError):
            places.add(scale.place(cut))
    return [scale.text(place) for place in sorted(places)]


def balanced_cuts(steps: Sequence[Step], parts: int, scale: Scale | None) -> list[str]:
    """The values that cut a histogram into at most `parts` ranges of about as many rows each.

    scale: places within a step can be worked out by it; without one, cuts are the values of steps.
    """
    total = sum(step.below + step.equal for step in steps)
    shares = [total * number / parts for number in range(1, parts)] if total else []
    if scale is not None:
        return [cut for share in shares if (cut := _within(_curve(steps, scale), share, scale)) is not None]
    behind, found = 0.0, []
    for step in steps:
        behind += step.below
        found.append((behind, step.value))
        behind += step.equal
    nearest = [min(found, key=lambda each: abs(each[0] - share)) for share in shares]
    # What has no rows before it cuts nothing off.
    return list(dict.fromkeys(value for rows, value in nearest if rows))


def _curve(steps: Sequence[Step], scale: Scale) -> list[tuple[int, float]]:
    """Places, and how many rows lie before each."""
    placed = []
    for step in steps:
        with suppress(ValueError):
            placed.append((scale.place(step.value), step))
    curve, behind = [], 0.0
    for place, step in sorted(placed, key=lambda each: each[0]):
        behind += step.below
        curve.append((place, behind))
        behind += step.equal
        curve.append((place + 1, behind))
    return curve


def _within(curve: Sequence[tuple[int, float]], share: float, scale: Scale) -> str | None:
    for (low, before), (high, behind) in pairwise(curve):
        if before < share <= behind:
            part = Fraction(share - before) / Fraction(behind - before)
            # Behind the last value there may be none of the type, and before the first one there is no row.
            place = min(low + round((high - low) * part), curve[-1][0] - 1)
            return scale.text(place) if place > curve[0][0] else None
    return None
