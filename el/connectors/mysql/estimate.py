"""How many rows lie between two values of a key, as the server itself estimates it before it reads them.

MySQL Reference Manual, "EXPLAIN Output Format", "Range Optimization" (index dives): the server goes down the index to
both ends of a range, and reads no row of it. MySQL keeps no histogram of a column that a unique index covers, and
MariaDB shows its own to few logins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from el.connectors.catalog import Column
from el.connectors.mysql.dialect import MYSQL
from el.connectors.request import ColumnRead, Condition, Op, ReadRequest, Value
from el.connectors.sql.scale import Scale
from el.connectors.sql.select import Statement, build_select
from el.connectors.sql.split import Step

# For each part so many ranges are looked at: its size is then within about a quarter of what was asked for.
_RANGES = 4
# Questions in all, for each part.
_ASKED = 40

Estimate = Callable[[str, str], float | None]
"""About how many rows have a value from the first one on and below the second one; None where no index tells."""


def steps_between(scale: Scale, least: str, greatest: str, parts: int, estimate: Estimate) -> list[Step]:
    """A histogram, of ranges that are halved where more rows lie in them than in others."""
    try:
        first, last = scale.place(least), scale.place(greatest)
    except ValueError:
        return []
    whole = estimate(least, greatest)
    if not whole:
        return []
    open_, done = [(first, last, whole)], list[tuple[int, int, float]]()
    for _ in range(_ASKED * parts):
        open_.sort(key=lambda each: each[2])
        if not open_ or open_[-1][2] <= whole / (parts * _RANGES):
            break
        low, high, rows = open_.pop()
        middle = (low + high) // 2
        if middle == low:
            done.append((low, high, rows))
            continue
        bounds = [scale.text(place) for place in (low, middle, high)]
        open_ += [(low, middle, estimate(*bounds[:2]) or 0), (middle, high, estimate(*bounds[1:]) or 0)]
    found = sorted([*done, *open_])
    return [Step(least, 0), *(Step(scale.text(high), rows) for _, high, rows in found)] if found else []


def by_index(
    fetch: Callable[[Statement], list[tuple[Any, ...]]], request: ReadRequest, by: Column, *, is_mariadb: bool
) -> Estimate:
    """What the server says of a read of the column alone. MySQL's answer has one column more at its end."""
    kind, rows = (3, 8) if is_mariadb else (4, 9)

    def estimate(low: str, high: str) -> float | None:
        where = (Condition(by.name, Op.GE, Value(low, by.type)), Condition(by.name, Op.LT, Value(high, by.type)))
        read = build_select(replace(request, columns=(ColumnRead(by.name, by.name),), where=where), MYSQL)
        told = fetch(Statement(f"EXPLAIN {read.sql}", read.parameters))[0]
        if told[kind] is not None and str(told[kind]).upper() == "ALL":
            return None
        # Of a range that is known to be empty there is nothing to read.
        return float(str(told[rows] or 0))

    return estimate
