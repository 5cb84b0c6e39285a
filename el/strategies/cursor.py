"""cursor: rows whose growing column went past the last bound: (last upper, greatest value at the start].

Guarantees: the upper bound is fixed before the first row is read, and never goes back; at least once within the lag;
rows without a cursor value come again with whatever else is new, and whenever one of them changed. Every comparison is
the database's own, in the column's own type: no digit is lost, and no other order used. A value far in the future does
not carry the bound along: rows past it are read again until their time has come. What the column does not show
(deletes, rows committed later than the lag below the bound) is not seen, and the plan says so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext

from el.config import StrategyName
from el.connectors.base import Connector, CursorSource
from el.connectors.catalog import SourceType
from el.connectors.request import Condition, Op, Value
from el.errors import PlanError
from el.ledger import LedgerEntry
from el.strategies.base import Strategy, Subject, has_null
from el.strategies.incarnation import another, incarnation
from el.strategies.window import Kind, Window

# Types of which many rows share a value that can still come: the rows at the bound are read again.
COARSE = frozenset({"date", "smalldatetime", "datetime2(0)", "datetimeoffset(0)", "timestamp_s"})
# Whose text is in UTC, with a Z.
ZONED = frozenset({"datetimeoffset", "timestamp with time zone"})
MOMENTS = ZONED | {
    *("date", "datetime", "smalldatetime", "datetime2"),
    *("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
}
# Of a number: past all values that can still come.
ENDLESS = frozenset({"nan", "inf"})
NUMBERS = frozenset({"float", "double"})
# Why a type does not grow, or has no order that its text keeps.
REFUSED = {
    **dict.fromkeys(("uniqueidentifier", "uuid"), "is drawn, and does not grow"),
    **dict.fromkeys(("bit", "boolean"), "has two values, and does not grow"),
    **dict.fromkeys(("rowversion",), "passes over rows of open transactions when read so; use strategy: rowversion"),
    **dict.fromkeys(("varbinary", "image", "blob", "text", "ntext", "xml", "json", "sql_variant"), "has no order here"),
    **dict.fromkeys(("geography", "geometry", "hierarchyid", "vector"), "has no order here"),
    "time": "begins anew every day",
}


class Cursor(Strategy):
    """Needs a column that grows with every insert and update."""

    name = StrategyName.CURSOR
    guarantee = "at least once within the lag; deletes are not seen; duplicates resolve by key"

    def obstacle(self, subject: Subject, source: Connector) -> str | None:
        if not isinstance(source, CursorSource):
            return "this database cannot say a column's greatest value"
        column = subject.settings.cursor
        if column is None:
            return "strategy cursor needs `cursor: <column>`"
        type_ = subject.column_type(column)
        if type_ is None:
            return f"there is no column {column!r} for the cursor"
        if type_.name in REFUSED:
            return f"cursor {column}: {type_} {REFUSED[type_.name]}"
        return None

    def reason(self, subject: Subject) -> str:
        return f"`cursor: {subject.settings.cursor}` is set, and there is no rowversion column"

    def position_column(self, subject: Subject) -> str | None:
        column = subject.table.column(subject.settings.cursor or "")
        return column.name if column else None

    def reads_again(self, subject: Subject, window: Window | None) -> bool:
        if window is None or window.kind is Kind.SNAPSHOT:
            return False
        return window.nulls or window.lower_inclusive or window.mark is not None or bool(subject.settings.lag)

    def window(self, subject: Subject, source: Connector, last: LedgerEntry | None) -> Window | None:
        column = self.position_column(subject)
        assert column is not None
        assert isinstance(source, CursorSource)
        type_ = subject.column_type(column)
        assert type_ is not None
        if isinstance(subject.settings.lag, timedelta) and type_.name not in MOMENTS:
            raise PlanError(f"{subject.table.name}: a lag of time needs a date or time as cursor, not {column} {type_}")
        mine = incarnation(subject)
        because = another(subject, last) if last is not None else None
        if last is None or last.upper is None or last.bound_column != column or because is not None:
            upper = source.max_value(subject.request, column, type_)
            if upper is None:
                # An empty table has no bound: what comes later is found by the first bound that there is.
                return Window(Kind.SNAPSHOT, because=because, incarnation=mine)
            seen = _before_now(subject, source, column, type_, upper)
            if seen is None:
                # No bound either: one at the present would pass over rows that come with a value up to it.
                because = because or f"every value of {column} lies in the future"
                return Window(Kind.SNAPSHOT, because=because, incarnation=mine)
            mark = seen if seen != upper else None
            return Window(Kind.SNAPSHOT, column, None, upper, nulls=True, because=because, incarnation=mine, mark=mark)
        bound = Value(last.upper, type_)
        nulls = has_null(source, subject, column)
        inclusive = _inclusive(subject, type_)
        # The greatest of what is greater, as the database orders it: the bound never goes back, whatever was deleted.
        upper = _greatest(subject, source, column, type_, Condition(column, Op.GT, bound))
        lag = subject.settings.lag
        if upper is None and not (lag or nulls or inclusive):
            return None
        lower = minus(bound, lag) if lag else bound
        seen = upper and (_before_now(subject, source, column, type_, upper, bound) or bound)
        return Window(
            Kind.DELTA,
            column,
            lower,
            upper or bound,
            lower_inclusive=inclusive,
            nulls=nulls,
            incarnation=mine,
            mark=seen if seen != upper else None,
        )


def _inclusive(subject: Subject, type_: SourceType) -> bool:
    wanted = subject.settings.inclusive
    return wanted if wanted is not None else type_.name in COARSE or str(type_) in COARSE


def _greatest(
    subject: Subject, source: CursorSource, column: str, type_: SourceType, *conditions: Condition
) -> Value | None:
    return source.max_value(replace(subject.request, where=(*subject.request.where, *conditions)), column, type_)


def _before_now(
    subject: Subject, source: CursorSource, column: str, type_: SourceType, upper: Value, bound: Value | None = None
) -> Value | None:
    """`upper`, or if it is in the future, the greatest value behind `bound` that is not; None if there is none.

    Of a number, infinity and NaN are its future.
    """
    now = _now(source, type_, upper) if type_.name in MOMENTS else None
    if now is not None:
        limit = Condition(column, Op.LE, now)
    elif upper.text in ENDLESS and type_.name in NUMBERS:
        limit = Condition(column, Op.LT, Value("inf", type_))
    else:
        return upper
    limits = [limit] if bound is None else [limit, Condition(column, Op.GT, bound)]
    return _greatest(subject, source, column, type_, *limits)


def _now(source: CursorSource, type_: SourceType, upper: Value) -> Value | None:
    """The present, in the digits of `upper`, which lies behind it; None if it does not."""
    clock = source.clock()
    if clock is None:
        return None
    if type_.name == "date":
        now = clock[: len("2024-01-31")]
    else:
        digits = len(upper.text.removesuffix("Z"))
        now = clock[: max(19, min(len(clock), digits))].rstrip(".") + ("Z" if type_.name in ZONED else "")
    # A year of five digits, and infinity, are later than their text is in the order of texts.
    far = len(upper.text.partition("-")[0]) > len("9999")
    return Value(now, type_) if far or upper.text > now else None


def minus(value: Value, lag: int | timedelta) -> Value:
    """`value` less `lag`, in canonical text; the fractional seconds stay as they are, to the last digit."""
    if isinstance(lag, timedelta):
        try:
            moment, dot, fraction = value.text.partition(".")
            if len(moment) == len("2024-01-31"):
                moved = date.fromisoformat(moment) - timedelta(days=-(-lag // timedelta(days=1)))
                return Value(moved.isoformat(), value.type)
            whole = datetime.fromisoformat(moment) - lag
            text = whole.replace(tzinfo=None).isoformat(timespec="seconds")
            zone = "Z" if moment.endswith("Z") else ""
            return Value(text + zone + dot + fraction, value.type)
        except (ValueError, OverflowError):
            raise PlanError(f"a lag of {lag} needs a date or time cursor, not {value.type}") from None
    try:
        # Every digit: rounded up, the lower bound would pass over rows. The text of a float alone has an exponent.
        with localcontext(prec=max(80, len(value.text) + len(str(lag)))):
            less = Decimal(value.text) - lag
        return Value(str(less) if "e" in value.text.lower() else format(less, "f"), value.type)
    except ArithmeticError:
        raise PlanError(f"a lag of {lag} needs a number as cursor, not {value.type}; give it as 5m or 1h") from None
