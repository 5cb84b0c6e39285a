"""rowversion: [last upper, MIN_ACTIVE_ROWVERSION()), so that no committed row is missed.

A rowversion is drawn when a row is written, and seen when its transaction commits: of the values below
MIN_ACTIVE_ROWVERSION() none can still appear (Microsoft Learn, "MIN_ACTIVE_ROWVERSION"). MAX would pass over
the rows of transactions that are open during the read.
"""

from __future__ import annotations

from el.config import StrategyName
from el.connectors.base import Connector, RowversionSource
from el.connectors.catalog import SourceType
from el.connectors.request import Value
from el.ledger import LedgerEntry
from el.strategies.base import Strategy, Subject
from el.strategies.window import Kind, Window

ROWVERSION = SourceType("rowversion")


class Rowversion(Strategy):
    """Needs a rowversion column, and a database that has MIN_ACTIVE_ROWVERSION()."""

    name = StrategyName.ROWVERSION
    guarantee = "no committed row missed, none twice; deletes are not seen"

    def obstacle(self, subject: Subject, source: Connector) -> str | None:
        if subject.table.rowversion is None:
            return "there is no rowversion column"
        if not isinstance(source, RowversionSource) or not subject.catalog.min_active_rowversion:
            return "this database has no MIN_ACTIVE_ROWVERSION() to bound the read with"
        return None

    def reason(self, subject: Subject) -> str:
        return f"rowversion column {subject.table.rowversion}"

    def position_column(self, subject: Subject) -> str | None:
        return subject.table.rowversion

    def window(self, subject: Subject, source: Connector, last: LedgerEntry | None) -> Window | None:
        assert isinstance(source, RowversionSource)
        column = subject.table.rowversion
        assert column is not None
        upper = source.min_active_rowversion()
        if last is None or last.upper is None or last.bound_column != column:
            return Window(Kind.SNAPSHOT, column, upper=upper, upper_inclusive=False, nulls=True)
        lower = Value(last.upper, ROWVERSION)
        if upper.text == lower.text:
            return None
        if upper.text < lower.text:
            # The counter went back: the database was restored. Only a new snapshot says what it holds now.
            return Window(Kind.SNAPSHOT, column, upper=upper, upper_inclusive=False, nulls=True)
        return Window(Kind.DELTA, column, lower, upper, lower_inclusive=True, upper_inclusive=False)
