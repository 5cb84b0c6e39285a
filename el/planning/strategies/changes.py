"""changes: what a change feed of the source has of a table behind the position that raw is at.

Guarantees: the position is fixed before a snapshot is read, so what changes meanwhile comes with the first delta. A
position whose changes are not all there any longer begins a new snapshot, or stops the table where the feed promises
every change; it is never passed over. `change_tracking` and `cdc` in el.yml, and in the ledger, are feeds by name.
"""

from __future__ import annotations

from dataclasses import replace

from el.connectors.base import ChangeFeed, ChangeSource, Followed, Source
from el.connectors.request import FeedRead, Position
from el.errors import PositionLost
from el.planning.columns import source_key
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Strategy, TableContext
from el.planning.strategies.earlier import EarlierRead
from el.planning.strategies.window import Kind, Window


class Changes(Strategy):
    """Follows one feed of one table; its name is the feed's."""

    goes_on = True

    def __init__(self, feed: ChangeFeed) -> None:
        self.feed = feed
        self.name = feed.name
        self.guarantee = feed.guarantee
        self.shows_deletes = feed.shows_deletes
        self.only_if_named = not feed.automatic

    def obstacle(self, context: TableContext, source: Source) -> str | None:
        assert isinstance(source, ChangeSource)
        self.feed.source = source.beside_log()
        return self.feed.obstacle()

    def at_hand(self, context: TableContext) -> bool:
        return context.table.kept_by(self.name)

    def reason(self, context: TableContext) -> str:
        return self.feed.reason

    def window(self, context: TableContext, source: Source, last: LedgerEntry | None) -> Window | None:
        name, since = context.table.name, self._since(last)
        if since is None:
            return self._snapshot(None)
        lost = self.feed.alive(since)
        if lost is not None and not self.feed.begins_anew:
            raise PositionLost(f"{name}: {lost}; run --full-refresh --select {name} begins anew with a snapshot")
        if lost is not None:
            return self._snapshot(lost)
        until = self.feed.now(since)
        if until.text == since.text:
            return None
        return Window(Kind.DELTA, lower=since, upper=until, bound=self.feed.counts, incarnation=until.log, forgets=True)

    def _snapshot(self, because: str | None) -> Window:
        now = self.feed.now()
        return Window(Kind.SNAPSHOT, upper=now, bound=self.feed.counts, incarnation=now.log, because=because)

    def only_whole(self, context: TableContext) -> str | None:
        # A row that is read, and then changes, is told from that change by its key alone.
        return None if self.feed.followed.key else "there is no key, by which what changes meanwhile finds its row"

    def resumed(self, context: TableContext, source: Source, snapshot: Window, earlier: EarlierRead) -> Window | str:
        lost = self.feed.alive(Position(earlier.since, earlier.incarnation))
        if lost is not None:
            return lost
        noted = Position(earlier.upper, earlier.incarnation)
        return replace(snapshot, upper=noted, incarnation=earlier.incarnation)

    def _since(self, last: LedgerEntry | None) -> Position | None:
        if last is None or last.upper is None or last.bound_column != self.feed.counts:
            return None
        # The rows of a repair are of its own time too, and not of the bound's.
        ended = last.finished_at if last.kind != Kind.DELTA else None
        return Position(last.upper, last.incarnation, ended)

    def changes(self, window: Window) -> tuple[FeedRead, ...] | None:
        if window.kind is Kind.SNAPSHOT:
            return None
        assert isinstance(window.lower, Position)
        assert isinstance(window.upper, Position)
        return self.feed.read(window.lower, window.upper)

    def snapshot(self) -> FeedRead | None:
        return self.feed.snapshot()

    def notes(
        self, context: TableContext, source: Source, last: LedgerEntry | None, window: Window | None
    ) -> tuple[str, ...]:
        return self.feed.notes(waits=window is None and last is not None)


def followed_by(context: TableContext, source: Source) -> tuple[Changes, ...]:
    """A strategy for each feed of the source, the strongest one in front."""
    if not isinstance(source, ChangeSource):
        return ()
    table, settings = context.table, context.settings
    excluded = {name.lower() for name, column in settings.columns.items() if column.exclude}
    taken = tuple(column for column in table.columns if column.name.lower() not in excluded)
    followed = Followed(
        table,
        context.catalog,
        taken,
        source_key(table, settings, {column.name for column in taken}),
        own_key=settings.key is not None,
        filtered=bool(settings.filters),
        before_images=settings.images == "both",
        accept=frozenset(settings.accept),
        reader=context.reader,
    )
    return tuple(Changes(feed(source, followed)) for feed in source.feeds)
