"""Under which isolation a table is read: SNAPSHOT where the database allows it and the table can be read so."""

from __future__ import annotations

from el.config.tables import TableSettings
from el.connectors.catalog import Table
from el.connectors.note import MayLose
from el.connectors.request import Isolation
from el.errors import PlanError


def isolation_of(table: Table, settings: TableSettings) -> Isolation:
    """Raises `PlanError` where el.yml asks for what cannot be."""
    found = table.consistency
    if settings.isolation == "snapshot" and not found.snapshot:
        raise PlanError(f"{table.name}: `isolation: snapshot`: {found.better or found.no_snapshot}")
    if not found.snapshot or settings.isolation == "read_committed":
        return Isolation.DEFAULT
    return Isolation.DEFAULT if found.doubt and settings.isolation is None else Isolation.SNAPSHOT


def isolation_notes(table: Table, settings: TableSettings) -> list[str]:
    """What the choice means for this table, where it is not the database's own."""
    found = table.consistency
    if not found.snapshot:
        return []
    if settings.isolation == "read_committed":
        return [MayLose("not read as of one moment, as `isolation: read_committed` says")]
    if found.doubt and settings.isolation is None:
        return [MayLose(f"not read as of one moment: {found.doubt}; or `isolation: snapshot`")]
    return []
