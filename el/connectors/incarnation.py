"""Which table of which past of a database it is: a table made anew, or a database restored, is another one.

Bounds of another table, or of another past of the database, say nothing of this one. What a server does not tell is
left out of the comparison.
"""

from __future__ import annotations

from el.connectors.catalog import Catalog, Table


def incarnation_of(table: Table, catalog: Catalog) -> str | None:
    """ "table:database:partitions", each part empty where the server does not tell; None where it tells none."""
    parts = (table.object_id, catalog.incarnation, table.partitions)
    if parts == (None, None, None):
        return None
    return ":".join("" if part is None else str(part) for part in parts).removesuffix(":")


def why_another(now: str | None, former: str | None) -> str | None:
    """Why the table is another one than it was, in words; None if it is the same as far as is known."""
    if now is None or former is None:
        return None
    table, database, _ = parts_of(now)
    former_table, former_database, _ = parts_of(former)
    if database and former_database and database != former_database:
        return "the database was restored"
    if table and former_table and table != former_table:
        return "the table was made anew"
    return None


def parts_of(text: str) -> tuple[str, str, str]:
    """The table, the database and the partitions."""
    table, _, rest = text.partition(":")
    database, _, partitions = rest.partition(":")
    return table, database, partitions
