"""Whether a table at the source is still the one that raw was loaded from: not made anew, its database not restored.

Bounds of another table, or of another past of the database, say nothing of this one. What a server does not tell is
left out of the comparison.
"""

from __future__ import annotations

from el.planning.ledger import LedgerEntry
from el.planning.strategies.base import Subject


def incarnation(subject: Subject) -> str | None:
    """ "table:database:partitions", each part empty where the server does not tell; None where it tells none."""
    parts = (subject.table.object_id, subject.catalog.incarnation, subject.table.partitions)
    if parts == (None, None, None):
        return None
    return ":".join("" if part is None else str(part) for part in parts).removesuffix(":")


def another(subject: Subject, last: LedgerEntry) -> str | None:
    """Why the table is another one than that of the last load, in words; None if it is the same as far as is known."""
    now = incarnation(subject)
    if now is None or last.incarnation is None:
        return None
    table, database, _ = _parts(now)
    former_table, former_database, _ = _parts(last.incarnation)
    if database and former_database and database != former_database:
        return "the database was restored"
    if table and former_table and table != former_table:
        return "the table was made anew"
    return None


def switched(subject: Subject, last: LedgerEntry) -> str | None:
    """Why rows below a bound may be other ones than at the last load, in words: ALTER TABLE ... SWITCH moves them so.

    A table that was not partitioned, or whose partitions were not known, had none to compare with.
    """
    now = incarnation(subject)
    if now is None or last.incarnation is None or "partition_switch" in subject.settings.accept:
        return None
    partitions, former = _parts(now)[2], _parts(last.incarnation)[2]
    return "a partition was switched, split or merged" if partitions and former and partitions != former else None


def _parts(text: str) -> tuple[str, str, str]:
    table, _, rest = text.partition(":")
    database, _, partitions = rest.partition(":")
    return table, database, partitions
