"""full: the whole table as a snapshot, every time. Deletes are implied by the next snapshot."""

from __future__ import annotations

from el.config.tables import StrategyName
from el.connectors.base import Source
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Strategy, TableContext
from el.planning.strategies.window import Kind, Window


class Full(Strategy):
    """Needs nothing of the table."""

    name = StrategyName.FULL
    shows_deletes = True
    guarantee = "the table as it was at one moment, where the database allows it; deletes implied by the next snapshot"

    def obstacle(self, context: TableContext, source: Source) -> str | None:
        return None

    def reason(self, context: TableContext) -> str:
        return "nothing tells what changed, and no `cursor` is set"

    def window(self, context: TableContext, source: Source, last: LedgerEntry | None) -> Window:
        return Window(Kind.SNAPSHOT)
