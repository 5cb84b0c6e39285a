"""cursor: rows whose growing column went past the last bound, and again those nearest below it.

Guarantees: the upper bound is fixed before the first row is read, and never goes back without a new snapshot; rows at
the bound are read again unless its value can be that of one row alone, and so are those that a transaction may have
committed later than their value says (`lag`, beside this). Every comparison is the database's own, in the column's own
type: no digit is lost, and no other order used. A value far in the future does not carry the bound along: rows past it
are read again until their time has come; and the bound does not pass the beginning of a transaction that has been
writing for longer than the lag, where the database shows it. A greatest value below the bound begins a new snapshot:
the table was emptied, or its newest rows are gone. What the column does not show (deletes, updates that do not
move it) is not seen, and the plan says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from el.config.tables import StrategyName
from el.connectors.base import CursorSource, Extent, Source
from el.connectors.catalog import SourceType
from el.connectors.note import MayLose
from el.connectors.request import Condition, Op, ReadRequest, Value
from el.errors import NotPermitted, PlanError
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Strategy, TableContext, has_null, index_on, scan_note, unfiltered
from el.planning.strategies.incarnation import another, incarnation, switched
from el.planning.strategies.lag import LAG, LAG_ROWS, default_lag, in_words, minus, rows_back
from el.planning.strategies.window import Kind, Window
from el.types.rule import MOMENTS, TypeKind

# Of a number: past all values that can still come.
ENDLESS = frozenset({"nan", "inf"})
# A transaction may draw numbers for so long before it counts as one that was forgotten.
PATIENCE = timedelta(minutes=1)


# The conditions of a window.
BOUNDS = (Op.GT, Op.GE, Op.LT, Op.LE, Op.IS_NULL)


class Cursor(Strategy):
    """Needs a column that grows with every insert and update."""

    name = StrategyName.CURSOR
    guarantee = "at least once within the lag; deletes are not seen; duplicates resolve by key"
    whole_filters = False

    def obstacle(self, context: TableContext, source: Source) -> str | None:
        if not isinstance(source, CursorSource):
            return (
                "this database cannot say a column's greatest value: `strategy: full` reads all, and `changes` "
                "what a log keeps, where there is one"
            )
        column = context.settings.cursor
        if column is None:
            return "strategy cursor needs `cursor: <column>`"
        type_ = context.column_type(column)
        if type_ is None:
            return f"there is no column {column!r} for the cursor"
        facts = context.facts(type_)
        if facts.no_cursor is not None:
            return f"cursor {column}: {type_} {facts.no_cursor}"
        found = context.table.column(column)
        if found is not None and (cannot := next((op for op in BOUNDS if not source.supports(op, found)), None)):
            return f"cursor {column}: {source.scheme} cannot read {type_} by {cannot!s}"
        if facts.kind is TypeKind.TEXT and "text_cursor" not in context.settings.accept:
            return (
                f"cursor {column}: {type_} is ordered as text, '10' before '9': rows that come later with a lesser "
                "text would be lost; take another column, or set `accept: [text_cursor]` if it grows so"
            )
        return None

    def reason(self, context: TableContext) -> str:
        return f"`cursor: {context.settings.cursor}` is set"

    def position_column(self, context: TableContext) -> str | None:
        column = context.table.column(context.settings.cursor or "")
        return column.name if column and context.facts(column.type).sorts else None

    def reads_again(self, context: TableContext, window: Window | None) -> bool:
        return window is not None and window.kind is Kind.DELTA

    def window(self, context: TableContext, source: Source, last: LedgerEntry | None) -> Window | None:
        assert isinstance(source, CursorSource)
        found = context.table.column(context.settings.cursor or "")
        assert found is not None
        column, type_, lag = found.name, found.type, context.settings.lag
        if isinstance(lag, timedelta) and context.facts(type_).kind not in MOMENTS:
            raise PlanError(f"{context.table.name}: a lag of time needs a date or time as cursor, not {column} {type_}")
        # Asked first: what it does not hold back is committed before the bound is read, or younger than the lag.
        since, notes = _written_since(context, source, column, type_)
        notes += _notes(context, source, column, type_)
        read = _Read(context, source, column, type_, since, notes)
        because = (another(context, last) or switched(context, last)) if last is not None else None
        if last is None or last.upper is None or last.bound_column != column or because is not None:
            return read.snapshot(source.extent(unfiltered(context), column, type_), because)
        return read.delta(Value(last.upper, type_))


@dataclass(frozen=True, slots=True)
class _Read:
    """A read by a cursor's column, of which the source is asked how far it has grown."""

    context: TableContext
    source: CursorSource
    column: str
    type_: SourceType
    since: str | None  # since when the oldest transaction has been writing that the lag does not cover
    notes: tuple[str, ...]

    def snapshot(self, extent: Extent, because: str | None) -> Window:
        """The whole table, and the bound to go on from. because: why it begins anew, where that is news."""
        mine, upper = incarnation(self.context), extent.greatest
        if upper is None:
            # An empty table has no bound: what comes later is found by the first bound that there is.
            return Window(Kind.SNAPSHOT, because=because, incarnation=mine, notes=self.notes)
        seen = _before_now(self.context, self.source, self.column, upper.type, upper)
        if seen is None:
            # No bound either: one at the present would pass over rows that come with a value up to it.
            because = because or f"every value of {self.column} lies in the future"
            return Window(Kind.SNAPSHOT, because=because, incarnation=mine, notes=self.notes)
        window = Window(
            Kind.SNAPSHOT, self.column, None, upper, nulls=True, because=because, incarnation=mine, notes=self.notes
        )
        return _marked(self.context, window, seen, self.since, None)

    def delta(self, bound: Value) -> Window | None:
        """What comes behind the last load's bound; a snapshot where the column no longer reaches it."""
        context, source, column = self.context, self.source, self.column
        extent = _extent(context, source, column, self.type_, bound)
        if extent.greatest is None and context.settings.deletes is not None:
            # The keys tell it, and whether so many may be gone. No bound is noted: what comes next may begin below.
            said = f"no row has a value of {column} now: the keys are compared, and the next load is a snapshot"
            mine = incarnation(context)
            return Window(Kind.DELTA, column, nulls=True, incarnation=mine, notes=(*self.notes, said))
        if extent.greatest is None or extent.against < 0:
            return self.snapshot(extent, _emptied(column, extent, bound))
        upper = extent.greatest if extent.against > 0 else bound
        lower, inclusive, again = _lower(context, source, column, bound)
        if upper == bound and not (again or extent.nulls):
            return None
        seen = _before_now(context, source, column, self.type_, upper, bound) or bound if upper != bound else bound
        window = Window(
            Kind.DELTA,
            column,
            lower,
            upper,
            lower_inclusive=inclusive,
            nulls=extent.nulls,
            incarnation=incarnation(context),
            notes=(*self.notes, *_nulls_note(column, extent), *again),
        )
        return _marked(context, window, seen, self.since, bound)


def _nulls_note(column: str, extent: Extent) -> tuple[str, ...]:
    said = f"rows without {column} are read each time, and loaded when they are new or changed"
    return (said,) if extent.nulls else ()


def _emptied(column: str, extent: Extent, bound: Value) -> str:
    """Why the bound is no longer to be believed, in words."""
    if extent.greatest is None:
        return f"no row has a value of {column} now, and raw is at {bound}: the table was emptied"
    return (
        f"the greatest value of {column} is {extent.greatest}, below raw's {bound}: the table was emptied, or its "
        "newest rows were deleted"
    )


def _marked(context: TableContext, window: Window, seen: Value, since: str | None, bound: Value | None) -> Window:
    """The window with the bound that is noted: before the future, and before an old transaction's beginning."""
    upper, column, notes, mark = window.upper, window.column, window.notes, seen
    assert isinstance(upper, Value)
    if seen != upper:
        past = "without end" if str(upper) in ENDLESS else "in the future"
        notes += (
            f"{column} has values {past}, up to {upper}: the bound stays at {seen}, "
            "and what lies past it is read again each time",
        )
    if since is not None:
        begun = _begun(since, upper.type, context.facts(upper.type).kind)
        if begun is None:
            mark = bound or mark
        elif begun.text < mark.text:
            mark = bound if bound is not None and begun.text < bound.text else begun
        if mark != seen:
            notes += (f"a transaction has been writing since {since}: the bound stays at {mark}",)
    return replace(window, high_water_mark=mark if mark != upper else None, notes=notes)


def _begun(since: str, type_: SourceType, kind: TypeKind) -> Value | None:
    """The beginning of a transaction as a value of the cursor's type; None: no time can be compared with it."""
    if kind not in MOMENTS:
        return None
    if kind is TypeKind.DATE:
        return Value(since[: len("2024-01-31")], type_)
    return Value(since + ("Z" if kind is TypeKind.INSTANT else ""), type_)


def _written_since(
    context: TableContext, source: CursorSource, column: str, type_: SourceType
) -> tuple[str | None, tuple[str, ...]]:
    """Since when the oldest transaction has been writing that the lag does not cover; what is to be said of it."""
    lag, kind = context.settings.lag, context.facts(type_).kind
    if lag is not None and not lag:
        return None, ()
    try:
        writer = source.oldest_writer()
    except NotPermitted:
        covered = lag if lag is not None else default_lag(kind, False)
        far = in_words(covered) if isinstance(covered, timedelta) else "the lag"
        return None, (
            MayLose(
                f"{column}: this login does not see open transactions ({source.writer_right}): of one that commits "
                f"more than {far} late, rows may be passed over"
            ),
        )
    patience = lag if isinstance(lag, timedelta) else LAG if kind in MOMENTS else PATIENCE
    return (writer.since if writer is not None and writer.age >= patience else None), ()


def _notes(context: TableContext, source: CursorSource, column: str, type_: SourceType) -> tuple[str, ...]:
    """What the plan says of this column as a cursor."""
    found = context.table.column(column)
    notes, kind = scan_note(context, column), context.facts(type_).kind
    if kind is TypeKind.TEXT:
        order = found.collation if found is not None and found.collation else "the database's own order"
        notes += (f"{column} is text: what counts as later is what {order} puts behind the last value",)
    if kind is TypeKind.MOMENT and source.local_clock():
        notes += (
            MayLose(
                f"{column} has no offset, and the source's clock is not UTC: in autumn an hour of local time comes "
                "twice; a lag of less than that hour passes over rows of the second"
            ),
        )
    return notes


def _extent(context: TableContext, source: CursorSource, column: str, type_: SourceType, bound: Value) -> Extent:
    """One query; two where there are rows without a value to look for, and an index that finds both ends at once."""
    found, request = context.table.column(column), unfiltered(context)
    nullable = found is None or found.nullable
    if nullable and index_on(context.table, column) is not None:
        assert isinstance(source, Source)
        return replace(source.extent(request, column, type_, bound), nulls=has_null(source, context, column))
    return source.extent(request, column, type_, bound, nulls=nullable)


def _lower(
    context: TableContext, source: CursorSource, column: str, bound: Value
) -> tuple[Value | None, bool, tuple[str, ...]]:
    """Where a delta begins, whether that value belongs to it, and in words what is read again; no words: nothing is."""
    wanted, lag = context.settings.inclusive, context.settings.lag
    facts = context.facts(bound.type)
    inclusive = wanted if wanted is not None else not _unique(context, column)
    if lag is not None:
        if lag:
            said = in_words(lag) if isinstance(lag, timedelta) else str(lag)
            return minus(bound, lag, facts.least), True, (f"{column}: read again from {said} before the bound (`lag`)",)
        return bound, inclusive, (f"{column}: rows at the bound are read again",) if inclusive else ()
    span = default_lag(facts.kind, source.local_clock())
    lower: Value | None
    if span is None:
        lower, said = rows_back(source, unfiltered(context), column, bound) or bound, f"the last {LAG_ROWS:,} rows"
    else:
        said = in_words(span)
        try:
            lower = minus(bound, span, facts.least)
        except PlanError:
            # A moment that Python does not know, such as a year of five digits: all before it.
            lower = None
    words = f"{column}: {said} before the bound are read again, for what is committed late (`lag` says how far)"
    return lower, True, (words,)


def _unique(context: TableContext, column: str) -> bool:
    """Whether no two rows can have the same value, as far as the catalog says."""
    table = context.table
    return any(key is not None and key.columns == (column,) for key in (table.primary_key, *table.uniques))


def _before_now(
    context: TableContext,
    source: CursorSource,
    column: str,
    type_: SourceType,
    upper: Value,
    bound: Value | None = None,
) -> Value | None:
    """`upper`, or if it is in the future, the greatest value behind `bound` that is not; None if there is none.

    Of a number, infinity and NaN are its future.
    """
    kind = context.facts(type_).kind
    now = _now(source, type_, kind, upper) if kind in MOMENTS else None
    if now is not None:
        limit = Condition(column, Op.LE, now)
    elif upper.text in ENDLESS and kind is TypeKind.FLOAT:
        limit = Condition(column, Op.LT, Value("inf", type_))
    else:
        return upper
    limits = (limit,) if bound is None else (limit, Condition(column, Op.GT, bound))
    request: ReadRequest = replace(unfiltered(context), where=limits)
    return source.max_value(request, column, type_)


def _now(source: CursorSource, type_: SourceType, kind: TypeKind, upper: Value) -> Value | None:
    """The present, in the digits of `upper`, which lies behind it; None if it does not."""
    clock = source.clock()
    if clock is None:
        return None
    if kind is TypeKind.DATE:
        now = clock[: len("2024-01-31")]
    else:
        digits = len(upper.text.removesuffix("Z"))
        now = clock[: max(19, min(len(clock), digits))].rstrip(".") + ("Z" if kind is TypeKind.INSTANT else "")
    # A year of five digits, and infinity, are later than their text is in the order of texts.
    far = len(upper.text.partition("-")[0]) > len("9999")
    return Value(now, type_) if far or upper.text > now else None
