"""change_tracking: what SQL Server noted of a table's keys since a version, each joined to its row.

Guarantees: every net change, deletes and changed keys among them, exactly once: changes and rows are read in one
SNAPSHOT transaction, and the version that it sees is the next read's lower bound. Where SNAPSHOT is not allowed, a
change may come again with the next read. The version is fixed before a snapshot is read, so what changes meanwhile
comes with the first delta. What the server has forgotten, or never noted, begins a new snapshot (Microsoft Learn,
"Work with Change Tracking").
"""

from __future__ import annotations

from dataclasses import dataclass

from el.connectors.abilities import ChangeFeed
from el.connectors.catalog import TableName
from el.connectors.request import OP_READ, POSITION_READ, ColumnRead, FeedRead, Position, ReadRequest
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.facts import TRACKING
from el.connectors.sqlserver.session import SqlServerSession
from el.errors import PositionLost

_STATE = """
SELECT CHANGE_TRACKING_CURRENT_VERSION(), CHANGE_TRACKING_MIN_VALID_VERSION(t.object_id), t.begin_version, t.object_id,
       t.cleanup_version
FROM sys.change_tracking_tables AS t WHERE t.object_id = OBJECT_ID(?)
"""


@dataclass(frozen=True, slots=True)
class TrackingState:
    """Change tracking of one table. All None where it is off."""

    current: int | None  # the database's version
    least: int | None  # the version since which all changes are known
    begun: str | None  # differs when tracking was turned on anew, or the table was truncated or remade


def tracking_state(source: SqlServerSession, table: TableName) -> TrackingState:
    rows = source.fetch(Statement(_STATE, (source.dialect.quote_table(table),)))
    if not rows or any(value is None for value in rows[0][:4]):
        return TrackingState(None, None, None)
    current, least, begin, table_id = (int(str(value)) for value in rows[0][:4])
    # Up to here cleanup "might have removed" changes ("sys.change_tracking_tables"): it can be ahead of the least
    # version that the function gives.
    cleaned = rows[0][4]
    return TrackingState(current, max(least, int(str(cleaned or 0))), f"{table_id}:{begin}")


@dataclass(frozen=True, slots=True)
class TrackedChanges(FeedRead):
    """The net changes behind a version, each joined to the row as it is now."""

    since: int  # exclusive
    key: tuple[str, ...]  # the primary key's columns, which are all that there is of a deleted row


class ChangeTracking(ChangeFeed):
    """Needs change tracking on the table, and its primary key in raw."""

    name = TRACKING
    counts = "change tracking version"
    form = r"\d{1,19}"
    guarantee = "the net change of every row, deletes included, exactly once"
    reason = "change tracking is on for this table"
    automatic = True
    begins_anew = True
    source: SqlServerSession
    _state: TrackingState | None = None

    def obstacle(self) -> str | None:
        table, followed = self.followed.table, self.followed
        if not table.kept_by(self.name) or table.primary_key is None:
            return "change tracking is not on for this table (ALTER TABLE ... ENABLE CHANGE_TRACKING)"
        if (grant := table.lacks(self.name)) is not None:
            return f"the login may not see what is tracked: {grant}"
        if followed.catalog.read_only and "secondary" not in followed.accept:
            return (
                "this database takes no writes, and on a readable secondary change tracking cannot be relied on: read "
                "the primary (`application_intent: ReadWrite`), or `accept: [secondary]`"
            )
        key = table.primary_key.columns
        if not set(key) <= {column.name for column in followed.columns}:
            return "a column of the primary key is excluded, and of a deleted row change tracking has the key alone"
        if followed.own_key and sorted(followed.key) != sorted(key):
            return "`key` is not the primary key, and of a deleted row change tracking has the primary key alone"
        if followed.filtered:
            return "of a row that leaves the `filters`, change tracking does not tell"
        return None

    def now(self, since: Position | None = None) -> Position:
        state = self._known(anew=since is None)
        fork = self.followed.catalog.incarnation
        # Versions of another past of the database say nothing of this one, even where they were passed again.
        return Position(str(state.current), state.begun if fork is None else f"{state.begun}@{fork}")

    def alive(self, since: Position) -> str | None:
        state, version = self._known(anew=True), int(since.text)
        fork = self.followed.catalog.incarnation
        assert state.current is not None
        assert state.least is not None
        begun, _, former = (since.log or "").partition("@")
        if version > state.current:
            return f"the database is at version {state.current}, before {version}: it was restored, or tracking reset"
        if begun != state.begun:
            return "change tracking was turned on anew, or the table was truncated or made anew"
        if fork is not None and former and former != fork:
            return "the database was restored"
        if version < state.least:
            return f"changes before {state.least} are gone, and raw is at {version}: raise CHANGE_RETENTION"
        return None

    def _known(self, *, anew: bool) -> TrackingState:
        if self._state is not None and not anew:
            return self._state
        name, state = self.followed.table.name, tracking_state(self.source, self.followed.table.name)
        if state.current is None or state.least is None:
            raise PositionLost(
                f"{name}: the version of change tracking cannot be read: the login needs VIEW CHANGE TRACKING on the "
                "table"
            )
        if state.current < state.least:
            raise PositionLost(
                f"{name}: change tracking is at version {state.current} and has changes since {state.least} only, "
                "which cannot both be: this is said of readable secondaries; read the primary"
            )
        self._state = state
        return state

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        """The read itself says up to which version it saw, which is `until` or later."""
        key = self.followed.table.primary_key
        assert key is not None
        return (TrackedChanges(int(since.text), key.columns),)


def tracked(source: SqlServerSession, request: ReadRequest, changes: TrackedChanges) -> Statement:
    """Of a row that is gone the key is all that there is, and comes from the change; else all comes from the row.

    Whether the row is there says more than the operation: builds before KB4135113 tell 'D' of a row whose unique column
    was updated, and without SNAPSHOT rows are read later than changes.
    """
    assert request.table is not None
    quote = source.dialect.quote
    keys = {name.lower() for name in changes.key}

    def value(column: str) -> str:
        own = f"t.{quote(column)}"
        # A key that differs in case alone may be told by its former spelling.
        return f"COALESCE({own}, c.{quote(column)})" if column.lower() in keys else own

    columns = [_column(column, value(column.source), quote(column.name)) for column in request.columns]
    columns += [
        f"CASE WHEN t.{quote(changes.key[0])} IS NULL THEN 'D' ELSE 'U' END AS {quote(OP_READ)}",
        f"c.SYS_CHANGE_VERSION AS {quote(POSITION_READ)}",
    ]
    name = source.dialect.quote_table(request.table)
    same = " AND ".join(f"t.{quote(key)} = c.{quote(key)}" for key in changes.key)
    sql = f"SELECT {', '.join(columns)} FROM CHANGETABLE(CHANGES {name}, ?) AS c LEFT JOIN {name} AS t ON {same}"
    return Statement(sql, (changes.since,))


def _column(column: ColumnRead, value: str, name: str) -> str:
    return f"{(column.read_as or '{column}').replace('{column}', value)} AS {name}"


def require_tracked(source: SqlServerSession, table: TableName, changes: TrackedChanges) -> Position:
    """The version that the server is at. Raises `PositionLost` unless it has all changes since."""
    state = tracking_state(source, table)
    if state.current is None or state.least is None or changes.since < state.least:
        raise PositionLost(f"{table}: changes were cleaned up while they were read; the next run begins a new snapshot")
    return Position(str(state.current))
