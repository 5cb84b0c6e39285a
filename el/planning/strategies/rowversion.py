"""rowversion: from the last upper bound to the source's stable version, so that no committed row is missed.

A row's version is drawn when the row is written, and seen when its transaction commits: of the versions below the
stable one none can still appear. MAX would pass over the rows of transactions that are open during the read.
"""

from __future__ import annotations

from dataclasses import replace

from el.config.tables import StrategyName
from el.connectors.base import Source, VersionSource
from el.connectors.note import MayLose
from el.connectors.request import Value
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Strategy, TableContext, has_null, scan_note
from el.planning.strategies.earlier import EarlierRead
from el.planning.strategies.incarnation import another, incarnation, switched
from el.planning.strategies.window import Kind, Window


class Rowversion(Strategy):
    """Needs a column of row versions, and a database that can tell its stable version."""

    name = StrategyName.ROWVERSION
    guarantee = "no committed row missed, none twice; deletes are not seen"
    goes_on = True
    whole_filters = False

    def obstacle(self, context: TableContext, source: Source) -> str | None:
        if context.version_column is None:
            return "there is no rowversion column"
        if not isinstance(source, VersionSource):
            return "this database does not tell below which version no row can still appear"
        bound = source.stable_version_name
        if not context.catalog.stable_version:
            return f"this database has no {bound} to bound the read with"
        if context.catalog.read_only and "secondary" not in context.settings.accept:
            return (
                f"this database takes no writes: of a readable secondary it is not certain that {bound} knows the open "
                "transactions of the primary; read the primary, or set `accept: [secondary]`"
            )
        return None

    def doubt(self, context: TableContext) -> str | None:
        if context.table.kind == "table":
            # Nobody made a column of it for this.
            return None if context.table.version is None else self._scans(context)
        return "a row of a view or query changes with each row that it is made of, and shows one rowversion"

    def _scans(self, context: TableContext) -> str:
        size = "" if context.table.bytes is None else f", {context.table.bytes / 2**20:,.0f} MB"
        return f"{context.version_column} has no index: each run scans all of the table{size}"

    def reason(self, context: TableContext) -> str:
        return f"rowversion column {context.version_column}"

    def position_column(self, context: TableContext) -> str | None:
        return context.version_column

    def window(self, context: TableContext, source: Source, last: LedgerEntry | None) -> Window | None:
        assert isinstance(source, VersionSource)
        column = context.version_column
        assert column is not None
        if context.table.version is not None:
            notes: tuple[str, ...] = (self._scans(context),)
        else:
            doubt = self.doubt(context)
            notes = (*scan_note(context, column), *((MayLose(doubt),) if doubt else ()))
        # Asked for in front: where the numbers begin anew in between, the next run sees it.
        if (past := source.version_past()) is not None:
            context = replace(context, catalog=replace(context.catalog, incarnation=past))
        upper = source.stable_version()
        mine = incarnation(context)
        window = Window(
            Kind.SNAPSHOT, column, None, upper, upper_inclusive=False, nulls=True, incarnation=mine, notes=notes
        )
        if last is None or last.upper is None or last.bound_column != column:
            return window
        lower = Value(last.upper, upper.type)
        because = another(context, last) or switched(context, last)
        if because is None and upper.text < lower.text:
            because = f"the database's counter is at {upper}, before {lower}: it was restored"
        if because is not None:
            # Only a new snapshot says what it holds now.
            return replace(window, because=because)
        nulls = has_null(source, context, column)
        if upper.text == lower.text and not nulls:
            return None
        if nulls:
            notes += (f"rows without {column} are read each time, and loaded when they are new or changed",)
        return replace(window, kind=Kind.DELTA, lower=lower, lower_inclusive=True, nulls=nulls, notes=notes)

    def reads_again(self, context: TableContext, window: Window | None) -> bool:
        return window is not None and window.kind is Kind.DELTA and window.nulls

    def only_whole(self, context: TableContext) -> str | None:
        return None

    def resumed(self, context: TableContext, source: Source, snapshot: Window, earlier: EarlierRead) -> Window | str:
        """Rows below the bound that were written since have a version behind it, and come with the next load."""
        assert isinstance(snapshot.upper, Value)
        noted = LedgerEntry(
            "", "", "", Kind.SNAPSHOT, self.name, earlier.bound, earlier.upper, 0, None, incarnation=earlier.incarnation
        )
        found = self.window(context, source, noted)
        if found is not None and found.kind is Kind.SNAPSHOT:
            return found.because or "its bound is none to go on behind"
        upper = Value(earlier.upper, snapshot.upper.type)
        return replace(snapshot, upper=upper, incarnation=earlier.incarnation)
