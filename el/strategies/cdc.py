"""cdc: every change that SQL Server's capture tables hold, in the order of commits.

Guarantees: all operations of a window of log positions (LSN), each with its place: commit, then change, then what a
change consists of. The position is fixed before a snapshot is read. Where a table's capture instance was replaced, the
older one is read up to where the newer one begins. Changes that the server no longer has are an error that says what
to do, and never a gap (Microsoft Learn, "About Change Data Capture").
"""

from __future__ import annotations

from collections.abc import Sequence

from el.config import StrategyName
from el.connectors.base import CaptureInstance, CaptureSource, Connector
from el.connectors.catalog import SourceType
from el.connectors.request import CapturedChanges, TrackedChanges, Value
from el.errors import PositionLost
from el.ledger import LedgerEntry
from el.strategies.base import Strategy, Subject
from el.strategies.incarnation import another, incarnation
from el.strategies.window import Kind, Window

LSN = SourceType("binary", length=10)
BOUND = "LSN"


class Cdc(Strategy):
    """Needs a capture instance that captures every column that is taken."""

    name = StrategyName.CDC
    guarantee = "every change in the order of commits, deletes included; a lost position is an error"
    shows_deletes = True
    only_if_named = True

    def obstacle(self, subject: Subject, source: Connector) -> str | None:
        if not isinstance(source, CaptureSource):
            return "this database has no change data capture"
        if not subject.table.cdc:
            return "change data capture is not on for this table (sys.sp_cdc_enable_table)"
        if subject.settings.filters:
            return "of a row that leaves the `filters`, a capture table does not tell"
        return None

    def reason(self, subject: Subject) -> str:
        return "asked for"

    def window(self, subject: Subject, source: Connector, last: LedgerEntry | None) -> Window | None:
        assert isinstance(source, CaptureSource)
        name = subject.table.name
        # A column that is new at the source is no reason to stop the other tables.
        newest = source.capture_instances(name)[-1]
        if missing := [column for column, _ in _missing(subject, newest)]:
            raise PositionLost(
                f"{name}: capture instance {newest.name} does not capture {', '.join(missing)}: exclude what is not "
                "captured, or enable a second instance (sys.sp_cdc_enable_table with @capture_instance)"
            )
        upper = source.captured_up_to()
        if upper is None:
            raise PositionLost(f"{name}: nothing was captured yet: is the capture job running (SQL Server Agent)?")
        mine = incarnation(subject)
        if last is None or last.upper is None or last.bound_column != BOUND:
            return Window(Kind.SNAPSHOT, upper=upper, bound=BOUND, incarnation=mine)
        anew = f"run --full-refresh --select {name} begins anew with a snapshot"
        # Its log is another one, even where it has passed raw's position.
        if because := another(subject, last):
            raise PositionLost(f"{name}: {because}, and raw's {last.upper} is of the former one; {anew}")
        if last.upper > upper.text:
            raise PositionLost(f"{name}: the log is at {upper}, before raw's {last.upper}: it was restored; {anew}")
        if last.upper == upper.text:
            return None
        lower = Value(last.upper, LSN)
        spans = _spans(source, source.capture_instances(name), source.neighbour(lower, 1), upper)
        if not spans:
            raise PositionLost(
                f"{name}: the changes since {lower} are gone from the capture tables: they were cleaned up, or the "
                f"capture instance was made anew; {anew}"
            )
        return Window(Kind.DELTA, None, lower, upper, bound=BOUND, incarnation=mine, forgets=True)

    def changes(
        self, subject: Subject, source: Connector, window: Window
    ) -> tuple[TrackedChanges | CapturedChanges, ...] | None:
        if window.kind is Kind.SNAPSHOT:
            return None
        assert isinstance(source, CaptureSource)
        assert window.lower is not None
        assert window.upper is not None
        instances = source.capture_instances(subject.table.name)
        both = subject.settings.images == "both"
        return tuple(
            CapturedChanges(instance.name, first, last, _missing(subject, instance), both)
            for instance, first, last in _spans(source, instances, source.neighbour(window.lower, 1), window.upper)
        )


def _spans(
    source: CaptureSource, instances: Sequence[CaptureInstance], first: Value, last: Value
) -> list[tuple[CaptureInstance, Value, Value]]:
    """Which instance is read from where to where, so that all from `first` to `last` is read; [] if that cannot be."""
    found: list[tuple[CaptureInstance, Value, Value]] = []
    for number, instance in enumerate(instances):
        following = instances[number + 1 :]
        end = last
        if following and following[0].start.text <= last.text:
            end = source.neighbour(following[0].start, -1)
        if end.text < first.text:
            continue
        if instance.least.text > first.text:
            return []
        found.append((instance, first, end))
        if end.text == last.text:
            return found
        first = source.neighbour(end, 1)
    return found


def _missing(subject: Subject, instance: CaptureInstance) -> tuple[tuple[str, SourceType], ...]:
    """The columns that are taken and that this instance does not capture."""
    captured = {name.lower() for name in instance.columns}
    excluded = {name.lower() for name, column in subject.settings.columns.items() if column.exclude}
    return tuple(
        (column.name, column.type) for column in subject.table.columns if column.name.lower() not in captured | excluded
    )
