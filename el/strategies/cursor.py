"""cursor: rows whose growing column went past the last bound: (last upper, greatest value at the start].

Guarantees: the upper bound is fixed before the first row is read; at least once within the lag. What the column
does not show (deletes, rows committed later than the lag below the bound) is not seen, and the plan says so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from el.config import StrategyName
from el.connectors.base import Connector, CursorSource
from el.connectors.request import Condition, Op, Value
from el.errors import PlanError
from el.ledger import LedgerEntry
from el.strategies.base import Strategy, Subject
from el.strategies.window import Kind, Window


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
        if subject.column_type(column) is None:
            return f"there is no column {column!r} for the cursor"
        return None

    def reason(self, subject: Subject) -> str:
        return f"`cursor: {subject.settings.cursor}` is set, and there is no rowversion column"

    def position_column(self, subject: Subject) -> str | None:
        column = subject.table.column(subject.settings.cursor or "")
        return column.name if column else None

    def window(self, subject: Subject, source: Connector, last: LedgerEntry | None) -> Window | None:
        column = self.position_column(subject)
        assert column is not None
        assert isinstance(source, CursorSource)
        type_ = subject.column_type(column)
        assert type_ is not None
        if last is None or last.upper is None or last.bound_column != column:
            upper = source.max_value(subject.request, column, type_)
            # An empty table has no bound: what comes later is found by the first bound that there is.
            return Window(Kind.SNAPSHOT, column, upper=upper, nulls=True) if upper else Window(Kind.SNAPSHOT)
        lower = Value(last.upper, type_)
        # The greatest of what is greater, as the database orders it: the bound never goes back, whatever was deleted.
        beyond = replace(subject.request, where=(*subject.request.where, Condition(column, Op.GT, lower)))
        upper = source.max_value(beyond, column, type_)
        lag = subject.settings.lag
        if lag:
            return Window(Kind.DELTA, column, minus(lower, lag), upper or lower)
        return Window(Kind.DELTA, column, lower, upper) if upper else None


def minus(value: Value, lag: int | timedelta) -> Value:
    """`value` less `lag`, in canonical text; the fractional seconds stay as they are, to the last digit."""
    if isinstance(lag, timedelta):
        try:
            moment, dot, fraction = value.text.partition(".")
            if len(moment) == len("2024-01-31"):
                moved = date.fromisoformat(moment) - timedelta(days=-(-lag // timedelta(days=1)))
                return Value(moved.isoformat(), value.type)
            whole = datetime.fromisoformat(moment) - lag
            return Value(whole.isoformat(timespec="seconds") + dot + fraction, value.type)
        except (ValueError, OverflowError):
            raise PlanError(f"a lag of {lag} needs a date or time cursor, not {value.type}") from None
    try:
        return Value(str(Decimal(value.text) - lag), value.type)
    except ArithmeticError:
        raise PlanError(f"a lag of {lag} needs a number as cursor, not {value.type}; give it as 5m or 1h") from None
