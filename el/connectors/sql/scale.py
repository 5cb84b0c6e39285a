"""The values of a type as whole numbers in their order, so that places between two of them can be worked out.

What such a place is rounded to plays no part: a cut may be any value, as long as both sides compare with the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Context, Decimal

from el.types.rule import TypeFacts, TypeKind

_SPACED = frozenset({TypeKind.WHOLE, TypeKind.DECIMAL, TypeKind.DATE, TypeKind.MOMENT, TypeKind.INSTANT})
_BEGIN = datetime(1, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = Context(prec=200)
# Of a decimal that declares none.
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers, days and moments: of others a database alone knows the order."""

    kind: TypeKind
    digits: int = 0  # behind a decimal's point

    @classmethod
    def of(cls, facts: TypeFacts) -> Scale | None:
        """That of a type; None where there is no distance between its values."""
        if facts.kind not in _SPACED:
            return None
        whole = facts.kind is not TypeKind.DECIMAL
        return cls(facts.kind, 0 if whole else _DIGITS if facts.scale is None else facts.scale)

    def place(self, text: str) -> int:
        """The place of a value in canonical text. `ValueError` for one that has none: infinity, a year before 1."""
        if self.kind is TypeKind.WHOLE:
            return int(text)
        if self.kind is TypeKind.DECIMAL:
            number = Decimal(text)
            if not number.is_finite():
                raise ValueError(f"{text} has no place")
            return int(number.scaleb(self.digits, _EXACT).to_integral_value(context=_EXACT))
        if self.kind is TypeKind.DATE:
            return date.fromisoformat(text).toordinal()
        return (datetime.fromisoformat(text.removesuffix("Z")[:26]) - _BEGIN) // _MICROSECOND

    def text(self, place: int) -> str:
        """The value at a place in canonical text."""
        if self.kind is TypeKind.WHOLE:
            return str(place)
        if self.kind is TypeKind.DECIMAL:
            return f"{Decimal(place).scaleb(-self.digits, _EXACT):f}"
        if self.kind is TypeKind.DATE:
            return date.fromordinal(place).isoformat()
        shown = (_BEGIN + place * _MICROSECOND).isoformat(timespec="microseconds")
        return f"{shown}Z" if self.kind is TypeKind.INSTANT else shown
