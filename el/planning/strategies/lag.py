"""How far behind its bound a cursor is read again, for what was committed later than its value says.

A value is drawn before its transaction commits: rows with a lower value than the bound come after it. So every cursor
has a lag unless el.yml says `lag: 0`. By default it is five minutes of time (a whole day of a date), and one hour more
where the clock is local and goes back in autumn; of what is no time, it is the rows that lie nearest to the bound,
and at least the value before it. What raw holds already of these rows is not loaded again (`el.loading.again`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext

from el.connectors.base import CursorSource
from el.connectors.request import Condition, Op, ReadRequest, Value
from el.errors import PlanError
from el.types.rule import MOMENTS, TypeKind

LAG = timedelta(minutes=5)
AUTUMN = timedelta(hours=1)
LAG_ROWS = 10_000


def default_lag(kind: TypeKind, local_clock: bool) -> timedelta | None:
    """The lag of time where el.yml has none; None: the type is no time, and its lag is one of rows.

    A time without zone is of a clock that may go back by an hour.
    """
    if kind not in MOMENTS:
        return None
    return LAG + AUTUMN if local_clock and kind is TypeKind.MOMENT else LAG


def in_words(lag: timedelta) -> str:
    """1h5m."""
    minutes, seconds = divmod(int(lag.total_seconds()), 60)
    parts = ((minutes // 60, "h"), (minutes % 60, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def rows_back(source: CursorSource, request: ReadRequest, column: str, bound: Value) -> Value | None:
    """The value that lies `LAG_ROWS` rows below `bound`, and at least the one before it; None if none is below."""
    found = source.value_back(request, column, bound.type, bound, LAG_ROWS)
    if found is not None and found.text != bound.text:
        return found
    below = Condition(column, Op.LT, bound)
    return source.max_value(replace(request, where=(*request.where, below)), column, bound.type)


def minus(value: Value, lag: int | timedelta, least: str | None = None) -> Value | None:
    """`value` less `lag`, in canonical text; the fractional seconds stay as they are, to the last digit.

    None where that is less than any value of the type. least: the first moment of the type, where it is a later one
    than the first of the year 1.
    """
    if isinstance(lag, timedelta):
        try:
            moment, dot, fraction = value.text.partition(".")
            if len(moment) == len("2024-01-31"):
                moved = date.fromisoformat(moment) - timedelta(days=-(-lag // timedelta(days=1)))
                return Value(moved.isoformat(), value.type)
            whole = datetime.fromisoformat(moment) - lag
        except OverflowError:
            return None
        except ValueError:
            raise PlanError(f"a lag of {lag} needs a date or time cursor, not {value.type}") from None
        text = whole.replace(tzinfo=None).isoformat(timespec="seconds")
        zone = "Z" if moment.endswith("Z") else ""
        return None if text < (least or "") else Value(text + zone + dot + fraction, value.type)
    try:
        # Every digit: rounded up, the lower bound would pass over rows. The text of a float alone has an exponent.
        with localcontext(prec=max(80, len(value.text) + len(str(lag)))):
            less = Decimal(value.text) - lag
        return Value(str(less) if "e" in value.text.lower() else format(less, "f"), value.type)
    except ArithmeticError:
        raise PlanError(f"a lag of {lag} needs a number as cursor, not {value.type}; give it as 5m or 1h") from None
