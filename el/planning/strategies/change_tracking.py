"""change_tracking: what SQL Server noted of a table's keys since a version, each joined to its row.

Guarantees: every net change, deletes and changed keys among them, exactly once: changes and rows are read in one
SNAPSHOT transaction, and the version that it sees is the next read's lower bound. Where SNAPSHOT is not allowed, a
change may come again with the next read. The version is fixed before a snapshot is read, so what changes meanwhile
comes with the first delta. What the server has forgotten, or never noted, begins a new snapshot (Microsoft Learn,
"Work with Change Tracking").
"""

from __future__ import annotations

from el.config.tables import StrategyName
from el.connectors.base import ChangeTrackingSource, Source
from el.connectors.request import CapturedChanges, TrackedChanges, Value
from el.errors import PositionLost
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Strategy, Subject
from el.planning.strategies.window import Kind, Window

BOUND = "change tracking version"


class ChangeTracking(Strategy):
    """Needs change tracking on the table, and its primary key in raw."""

    name = StrategyName.CHANGE_TRACKING
    guarantee = "the net change of every row, deletes included, exactly once"
    shows_deletes = True
    bound_form = r"\d{1,19}"

    def obstacle(self, subject: Subject, source: Source) -> str | None:
        table, settings = subject.table, subject.settings
        if not isinstance(source, ChangeTrackingSource):
            return "this database has no change tracking"
        if not table.change_tracking or table.primary_key is None:
            return "change tracking is not on for this table (ALTER TABLE ... ENABLE CHANGE_TRACKING)"
        if (grant := table.lacks(self.name)) is not None:
            return f"the login may not see what is tracked: {grant}"
        if subject.catalog.read_only and "secondary" not in settings.accept:
            return (
                "this database takes no writes, and on a readable secondary change tracking cannot be relied on: read "
                "the primary (`application_intent: ReadWrite`), or `accept: [secondary]`"
            )
        key = [name.lower() for name in table.primary_key.columns]
        excluded = {name.lower() for name, column in settings.columns.items() if column.exclude}
        if excluded & set(key):
            return "a column of the primary key is excluded, and of a deleted row change tracking has the key alone"
        if settings.key is not None and sorted(name.lower() for name in settings.key) != sorted(key):
            return "`key` is not the primary key, and of a deleted row change tracking has the primary key alone"
        if settings.filters:
            return "of a row that leaves the `filters`, change tracking does not tell"
        return None

    def at_hand(self, subject: Subject) -> bool:
        return subject.table.change_tracking

    def reason(self, subject: Subject) -> str:
        return "change tracking is on for this table"

    def window(self, subject: Subject, source: Source, last: LedgerEntry | None) -> Window | None:
        assert isinstance(source, ChangeTrackingSource)
        state = source.tracking_state(subject.table.name)
        if state.current is None or state.least is None:
            raise PositionLost(
                f"{subject.table.name}: the version of change tracking cannot be read: the login needs VIEW CHANGE "
                "TRACKING on the table"
            )
        if state.current < state.least:
            raise PositionLost(
                f"{subject.table.name}: change tracking is at version {state.current} and has changes since "
                f"{state.least} only, which cannot both be: this is said of readable secondaries; read the primary"
            )
        upper = Value(str(state.current), source.version_type)
        # Versions of another past of the database say nothing of this one, even where they were passed again.
        fork = subject.catalog.incarnation
        mine = state.begun if fork is None else f"{state.begun}@{fork}"
        again = Window(Kind.SNAPSHOT, upper=upper, bound=BOUND, incarnation=mine)
        if last is None or last.upper is None or last.bound_column != BOUND:
            return again
        lower = int(last.upper)
        begun, _, former = (last.incarnation or "").partition("@")
        because = None
        if lower > state.current:
            because = f"the database is at version {state.current}, before {lower}: it was restored, or tracking reset"
        elif begun != state.begun:
            because = "change tracking was turned on anew, or the table was truncated or made anew"
        elif fork is not None and former and former != fork:
            because = "the database was restored"
        elif lower < state.least:
            because = f"changes before {state.least} are gone, and raw is at {lower}: raise CHANGE_RETENTION"
        if because is not None:
            return Window(Kind.SNAPSHOT, upper=upper, bound=BOUND, incarnation=mine, because=because)
        if lower == state.current:
            return None
        return Window(
            Kind.DELTA, None, Value(last.upper, source.version_type), upper, bound=BOUND, incarnation=mine, forgets=True
        )

    def changes(
        self, subject: Subject, source: Source, window: Window, last: LedgerEntry | None = None
    ) -> tuple[TrackedChanges | CapturedChanges, ...] | None:
        if window.kind is Kind.SNAPSHOT:
            return None
        assert window.lower is not None
        assert subject.table.primary_key is not None
        return (TrackedChanges(window.lower, subject.table.primary_key.columns),)
