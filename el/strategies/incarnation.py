"""Whether a table at the source is still the one that raw was loaded from: not made anew, its database not restored.

Bounds of another table, or of another past of the database, say nothing of this one. What a server does not tell is
left out of the comparison.
"""

from __future__ import annotations

from el.ledger import LedgerEntry
from el.strategies.base import Subject


def incarnation(subject: Subject) -> str | None:
    """ "table:database", each part empty where the server does not tell; None where it tells neither."""
    parts = (subject.table.object_id, subject.catalog.incarnation)
    if parts == (None, None):
        return None
    return ":".join("" if part is None else str(part) for part in parts)


def another(subject: Subject, last: LedgerEntry) -> str | None:
    """Why the table is another one than that of the last load, in words; None if it is the same as far as is known."""
    now = incarnation(subject)
    if now is None or last.incarnation is None:
        return None
    table, _, database = now.partition(":")
    former_table, _, former_database = last.incarnation.partition(":")
    if database and former_database and database != former_database:
        return "the database was restored"
    if table and former_table and table != former_table:
        return "the table was made anew"
    return None
