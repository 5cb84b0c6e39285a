"""What a source hands over in place of what it holds: refused by name, unless el.yml leaves it out or accepts it.

Guarantees: no masked value, no ciphertext and no part of a table lands as if it were all of it without a word.
"""

from __future__ import annotations

from el.config.tables import TableSettings
from el.connectors.catalog import Catalog, Column, Table
from el.connectors.note import MayLose
from el.errors import PlanError

# Of these the server does not tell from which columns and rows they come.
_DERIVED = ("view", "query")


def refuse(table: Table, settings: TableSettings, catalog: Catalog) -> list[str]:
    """What was accepted of it, as notes. Raises `PlanError` for what was not."""
    notes: list[str] = []
    used = _used(table, settings)
    for word, problem, way in (
        ("masked", _masked(table, used, catalog), f"GRANT UNMASK TO {catalog.user}"),
        ("encrypted", _encrypted(table, used), None),
        ("row_security", _filtered(table, catalog), "let the policy show this login all rows"),
    ):
        if problem is None:
            continue
        if word not in settings.accept:
            ways = [way] if way is not None else []
            if word != "row_security" and table.kind not in _DERIVED:
                ways.append("exclude them under `columns`")
            raise PlanError(f"{table.name}: {problem}: {', '.join([*ways, f'or `accept: [{word}]`'])}")
        notes.append(MayLose(f"{problem}, as accepted"))
    if table.aside is not None:
        notes.append(f"this is {table.aside}")
    return notes


def _used(table: Table, settings: TableSettings) -> list[Column]:
    """The columns whose values are read: taken, or what the rows are chosen, told apart or divided by."""
    chosen = {found.name: each for name, each in settings.columns.items() if (found := table.column(name))}
    named = [*(each.column for each in settings.filters), *(settings.key or ()), settings.cursor, settings.partition_by]
    deciding = {found.name for name in named if name is not None and (found := table.column(name))}

    def read(column: Column) -> bool:
        own = chosen.get(column.name)
        return column.name in deciding or own is None or not (own.exclude or own.mask == "null")

    return [column for column in table.columns if read(column)]


def _masked(table: Table, used: list[Column], catalog: Catalog) -> str | None:
    if table.kind in _DERIVED:
        told = "this login gets columns of the database masked, and of a {} the server does not tell which"
        return told.format(table.kind) if catalog.masked else None
    names = ", ".join(column.name for column in used if column.masked)
    return f"dynamic data masking gives this login the mask in place of {names}" if names else None


def _encrypted(table: Table, used: list[Column]) -> str | None:
    names = ", ".join(column.name for column in used if column.encrypted)
    return f"of {names}, which Always Encrypted keeps, only the ciphertext can be read" if names else None


def _filtered(table: Table, catalog: Catalog) -> str | None:
    if table.row_security:
        return f"security policy {', '.join(table.row_security)} may hide rows from this login"
    if table.kind in _DERIVED and catalog.row_security:
        policies = ", ".join(catalog.row_security)
        return f"security policy {policies} may hide rows from this login, and whether of this {table.kind} is not told"
    return None
