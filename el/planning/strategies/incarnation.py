"""Whether a table at the source is still the one that raw was loaded from: see `el.connectors.incarnation`."""

from __future__ import annotations

from el.connectors.incarnation import incarnation_of, parts_of, why_another
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import TableContext


def incarnation(context: TableContext) -> str | None:
    """As the ledger keeps it; None where the server tells nothing."""
    return incarnation_of(context.table, context.catalog)


def another(context: TableContext, last: LedgerEntry) -> str | None:
    """Why the table is another one than that of the last load, in words; None if it is the same as far as is known."""
    return why_another(incarnation(context), last.incarnation)


def switched(context: TableContext, last: LedgerEntry) -> str | None:
    """Why rows below a bound may be other ones than at the last load, in words: ALTER TABLE ... SWITCH moves them so.

    A table that was not partitioned, or whose partitions were not known, had none to compare with.
    """
    now = incarnation(context)
    if now is None or last.incarnation is None or "partition_switch" in context.settings.accept:
        return None
    partitions, former = parts_of(now)[2], parts_of(last.incarnation)[2]
    return "a partition was switched, split or merged" if partitions and former and partitions != former else None
