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
from el.connectors.catalog import SourceType
from el.connectors.request import Condition, Op, ReadRequest, Value
from el.errors import PlanError

# Whose text is in UTC, with a Z.
ZONED = frozenset({"datetimeoffset", "timestamp with time zone"})
MOMENTS = ZONED | {
    *("date", "datetime", "smalldatetime", "datetime2"),
    *("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
}
# The first moment of those that begin later than the year 1.
_LEAST = {"datetime": "1753-01-01", "smalldatetime": "1900-01-01"}

LAG = timedelta(minutes=5)
AUTUMN = timedelta(hours=1)
LAG_ROWS = 10_000


def is_local(type_: SourceType) -> bool:
    """Whether values of this type are of a clock that nobody knows the zone of, and that may go back by an hour."""
    return type_.name in MOMENTS - ZONED - {"date"}


def default_lag(type_: SourceType, local_clock: bool) -> timedelta | None:
    """The lag of time where el.yml has none; None: the type is no time, and its lag is one of rows."""
    if type_.name not in MOMENTS:
        return None
    return LAG + AUTUMN if local_clock and is_local(type_) else LAG


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


def minus(value: Value, lag: int | timedelta) -> Value | None:
    """`value` less `lag`, in canonical text; the fractional seconds stay as they are, to the last digit.

    None where that is less than any value of the type.
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
        return None if text < _LEAST.get(value.type.name, "") else Value(text + zone + dot + fraction, value.type)
    try:
        # Every digit: rounded up, the lower bound would pass over rows. The text of a float alone has an exponent.
        with localcontext(prec=max(80, len(value.text) + len(str(lag)))):
            less = Decimal(value.text) - lag
        return Value(str(less) if "e" in value.text.lower() else format(less, "f"), value.type)
    except ArithmeticError:
        raise PlanError(f"a lag of {lag} needs a number as cursor, not {value.type}; give it as 5m or 1h") from None
