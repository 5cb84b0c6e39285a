"""`deletes: keys`: when a table's whole key set is due to be read, and how.

Guarantee: the read takes the key's columns alone, under the table's own filters, so that an index can serve it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from el.connectors.request import Isolation, ReadRequest
from el.errors import PlanError
from el.planning.columns import ColumnPlan
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Strategy, TableContext
from el.planning.strategies.window import Kind, Window
from el.types.present import utc_now


@dataclass(frozen=True, slots=True)
class KeyRead:
    """A read of the whole key set. of_one_moment: it sees the table as it was at one moment.

    max_percent: of raw's rows, how many may be gone unless it is `confirmed`.
    """

    request: ReadRequest
    max_percent: float
    of_one_moment: bool
    confirmed: bool = False


def key_read(
    context: TableContext,
    strategy: Strategy,
    columns: Sequence[ColumnPlan],
    key: Sequence[str],
    window: Window | None,
    last: LedgerEntry | None,
    confirmed: bool,
) -> KeyRead | None:
    """The read of the key set, if el.yml asks for it and it is due. Raises `PlanError` for a table without key.

    confirmed: many rows may be gone; the keys are read whether due or not, as of a table that seems to be emptied.
    """
    wanted = context.settings.deletes
    if wanted is None or strategy.shows_deletes:
        return None
    table = context.table
    if not key:
        raise PlanError(f"{table.name}: `deletes: keys` needs a key: there is no primary key, so set `key`")
    if last is None or (window is not None and window.kind is Kind.SNAPSHOT):
        return None
    due = confirmed or keys_not_before(context, strategy, last) is None
    if not due and not (window is not None and window.emptied):
        return None
    return KeyRead(_keys(context, columns, key), wanted.max_percent, is_of_one_moment(context), confirmed)


def second_look(
    context: TableContext, columns: Sequence[ColumnPlan], key: Sequence[str], window: Window | None
) -> KeyRead | None:
    """The read of the key set that tells what a snapshot missed; None where it cannot have missed or doubled a row.

    A locking scan passes over a row whose place in the index changes meanwhile, or meets it twice.
    """
    if not key or window is None or window.kind is not Kind.SNAPSHOT or is_of_one_moment(context):
        return None
    if context.table.consistency.complete or "read_committed" in context.settings.accept:
        return None
    return KeyRead(_keys(context, columns, key), 100, of_one_moment=False)


def is_of_one_moment(context: TableContext) -> bool:
    """Whether a statement that reads this table sees it as it was at one moment."""
    return context.request.isolation is Isolation.SNAPSHOT or context.table.consistency.statement


def _keys(context: TableContext, columns: Sequence[ColumnPlan], key: Sequence[str]) -> ReadRequest:
    by_name = {column.name: column for column in columns}
    return replace(context.request, columns=tuple(read for name in key for read in by_name[name].reads()))


def keys_not_before(context: TableContext, strategy: Strategy, last: LedgerEntry | None) -> datetime | None:
    """When the key set is due, in UTC, where el.yml asks for it and it is not due yet."""
    wanted = context.settings.deletes
    if wanted is None or strategy.shows_deletes or last is None or last.keys_read_at is None:
        return None
    due = last.keys_read_at + wanted.every
    return due if utc_now() < due else None
