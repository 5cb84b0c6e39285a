"""`deletes: keys`: when a table's whole key set is due to be read, and how.

Guarantee: the read takes the key's columns alone, under the table's own filters, so that an index can serve it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from el.connectors.request import ReadRequest
from el.errors import PlanError
from el.planning.columns import ColumnPlan
from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Strategy, Subject
from el.planning.strategies.window import Kind, Window


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
    subject: Subject,
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
    wanted = subject.settings.deletes
    if wanted is None or strategy.shows_deletes:
        return None
    table = subject.table
    if not key:
        raise PlanError(f"{table.name}: `deletes: keys` needs a key: there is no primary key, so set `key`")
    if last is None or (window is not None and window.kind is Kind.SNAPSHOT):
        return None
    due = confirmed or keys_not_before(subject, strategy, last) is None
    if not due and not (window is not None and window.emptied):
        return None
    by_name = {column.name: column for column in columns}
    request = replace(subject.request, columns=tuple(read for name in key for read in by_name[name].reads()))
    catalog = subject.catalog
    of_one_moment = catalog.snapshot_isolation or catalog.read_committed_snapshot
    return KeyRead(request, wanted.max_percent, of_one_moment, confirmed)


def keys_not_before(subject: Subject, strategy: Strategy, last: LedgerEntry | None) -> datetime | None:
    """When the key set is due, in UTC, where el.yml asks for it and it is not due yet."""
    wanted = subject.settings.deletes
    if wanted is None or strategy.shows_deletes or last is None or last.keys_read_at is None:
        return None
    due = last.keys_read_at + wanted.every
    return due if datetime.now(UTC).replace(tzinfo=None) < due else None
