"""Under which isolation a table is read: SNAPSHOT where the database allows it and the table can be read so.

A memory-optimised table refuses a SNAPSHOT transaction (41332), and a statement of its own sees one moment of it anyway
(Microsoft Learn, "Transactions with Memory-Optimized Tables"). Another database may not allow SNAPSHOT (3952), and no
linked server is read under it ("Snapshot Isolation in SQL Server").
"""

from __future__ import annotations

from el.config.tables import TableSettings
from el.connectors.catalog import Catalog, Table
from el.connectors.note import MayLose
from el.connectors.request import Isolation
from el.errors import PlanError


def isolation_of(table: Table, settings: TableSettings, catalog: Catalog) -> Isolation:
    """Raises `PlanError` where el.yml asks for what cannot be."""
    if settings.isolation == "snapshot" and (table.memory_optimized or not catalog.snapshot_isolation):
        why = "a memory-optimised table is not read so"
        if not table.memory_optimized:
            why = catalog.allow_snapshot or catalog.no_snapshot
        raise PlanError(f"{table.name}: `isolation: snapshot`: {why}")
    if not catalog.snapshot_isolation or settings.isolation == "read_committed" or table.memory_optimized:
        return Isolation.DEFAULT
    return Isolation.DEFAULT if table.elsewhere and settings.isolation is None else Isolation.SNAPSHOT


def isolation_notes(table: Table, settings: TableSettings, catalog: Catalog) -> list[str]:
    """What the choice means for this table, where it is not the database's own."""
    if not catalog.snapshot_isolation or table.memory_optimized:
        return []
    if settings.isolation == "read_committed":
        return [MayLose("not read as of one moment, as `isolation: read_committed` says")]
    if table.elsewhere and settings.isolation is None:
        places = ", ".join(sorted(table.elsewhere))
        said = f"not read as of one moment: it reads {places}; or `isolation: snapshot`"
        return [MayLose(said)]
    return []
