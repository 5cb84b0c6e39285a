"""Ranges of a key by one of its columns, whose values the source, the warehouse and Python all order alike.

Only whole numbers, decimals and dates that are read as they are: no two databases order text alike, and of moments and
floats not every digit is the same everywhere. Borders are inclusive above. Keys without a value stand before all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pyarrow as pa

from el.connectors.base import Source
from el.connectors.request import Condition, Op, Value
from el.errors import PlanError
from el.planning.columns import ColumnPlan
from el.planning.plan import TablePlan

# Ranges that one comparison reads beside its share, at most.
MOST_RANGES = 32
# Two such decimals have a difference that each engine can hold.
_DIGITS = 36
# A border as text. DuckDB gives the calendar's last day for "infinity", and some text for days that Python has not.
_BORDER = re.compile(r"-?\d+(\.\d+)?|\d{4}-\d\d-\d\d")


class NoBorder(PlanError):
    """A value of the key is none that a range can end at."""


@dataclass(frozen=True, slots=True)
class Range:
    """From `lower` to `upper`; None: no end. `beyond`: what equals `lower` does not belong to it."""

    lower: str | None = None
    upper: str | None = None
    beyond: bool = True


@dataclass(frozen=True, slots=True)
class Divider:
    """The column of the key that ranges are of."""

    column: ColumnPlan

    def conditions(self, part: Range) -> tuple[Condition, ...]:
        """The range as the source is asked for it."""
        name, type_ = self.column.source.name, self.column.source.type
        found = []
        if part.lower is not None:
            found.append(Condition(name, Op.GT if part.beyond else Op.GE, Value(part.lower, type_)))
        if part.upper is not None:
            found.append(Condition(name, Op.LE, Value(part.upper, type_), or_null=part.lower is None))
        return tuple(found)

    def sql(self, part: Range, column: str) -> str:
        """The range as a condition on raw; `column` is its name, quoted."""
        found = []
        if part.lower is not None:
            found.append(f"{column} {'>' if part.beyond else '>='} {self.literal(part.lower)}")
        if part.upper is not None:
            no_value = f" OR {column} IS NULL" if part.lower is None else ""
            found.append(f"({column} <= {self.literal(part.upper)}{no_value})")
        return " AND ".join(found) or "1 = 1"

    def literal(self, text: str) -> str:
        """A border in SQL: of a number or a date in its canonical text, so that nothing else can stand in it."""
        return f"DATE '{date.fromisoformat(text)}'" if self._of_dates else f"{Decimal(text):f}"

    def number(self, column: str) -> str:
        """What borders and gaps are made of, in the SQL of each warehouse."""
        whole = pa.types.is_integer(self.column.mapping.arrow)
        return f"CAST({column} AS DECIMAL(38, 0))" if whole else column

    def without(self, part: Range, share: Range) -> list[Range]:
        """What of `part` lies outside of `share`."""
        found = []
        if share.lower is not None and (part.lower is None or self._value(part.lower) <= self._value(share.lower)):
            found.append(Range(part.lower, self._least(part.upper, share.lower), part.beyond))
        if share.upper is not None and (part.upper is None or self._value(part.upper) > self._value(share.upper)):
            inside = part.lower is None or self._value(part.lower) <= self._value(share.upper)
            found.append(Range(share.upper, part.upper) if inside else part)
        return found

    def _least(self, one: str | None, other: str) -> str:
        return other if one is None or self._value(other) < self._value(one) else one

    def _value(self, text: str) -> Decimal:
        """What orders it."""
        return Decimal(date.fromisoformat(text).toordinal()) if self._of_dates else Decimal(text)

    @property
    def _of_dates(self) -> bool:
        return bool(pa.types.is_date(self.column.mapping.arrow))


def divider_of(table: TablePlan, source: Source) -> Divider | None:
    """The first column of the key of which ranges can be made; None where there is none."""
    columns = {column.name: column for column in table.columns}
    return next((Divider(columns[name]) for name in table.key if _divides(columns[name], table, source)), None)


def _divides(column: ColumnPlan, table: TablePlan, source: Source) -> bool:
    # A border stands in `_el_verified`: it is nobody's number.
    if column.mask_key is not None or column.masked or column.name in table.personal or column.parts() is not None:
        return False
    type_, asked = column.mapping.arrow, (Op.GT, Op.GE, Op.LE)
    ordered = (
        pa.types.is_integer(type_)
        or pa.types.is_date32(type_)
        or (pa.types.is_decimal(type_) and type_.precision <= _DIGITS)
    )
    return ordered and column.mapping.read_as is None and all(source.supports(op, column.source) for op in asked)


def clusters(values: str, limit: int = MOST_RANGES) -> str:
    """SQL of either engine: the first and the last value of each of at most so many ranges that hold these values.

    values: a SELECT of one column `el_v`. It is cut at its greatest gaps, so that ranges hold few other values.
    """
    return (
        f"WITH el_values AS (SELECT DISTINCT el_v FROM ({values}) AS a WHERE el_v IS NOT NULL), "
        "el_gaps AS (SELECT el_v, el_v - lag(el_v) OVER (ORDER BY el_v) AS el_gap FROM el_values), "
        "el_cuts AS (SELECT el_v AS el_cut FROM el_gaps WHERE el_gap IS NOT NULL "
        f"ORDER BY el_gap DESC, el_v LIMIT {limit - 1}), "
        "el_parts AS (SELECT el_v, count(el_cut) OVER (ORDER BY el_v ROWS UNBOUNDED PRECEDING) AS el_part "
        "FROM el_gaps LEFT JOIN el_cuts ON el_cut = el_v) "
        "SELECT min(el_v), max(el_v) FROM el_parts GROUP BY el_part ORDER BY 1"
    )


def borders(rows: Sequence[tuple[object, ...]]) -> list[Range]:
    """The ranges of `clusters`. Raises `NoBorder` of a date that no border can be."""
    return [Range(_text(first), _text(last), beyond=False) for first, last in rows if first is not None]


def _text(value: object) -> str:
    beyond = not _BORDER.fullmatch(value) if isinstance(value, str) else value in (date.min, date.max)
    if beyond:
        raise NoBorder("a day in its key is beyond the calendar, or its first or last, and can be no border")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
