"""The keys of rows that stand twice in a load: what is made of raw takes two for one, and so does a join by key."""

from __future__ import annotations

from collections.abc import Sequence

from el.connectors.sql.select import Statement
from el.loading.warehouse import Warehouse
from el.planning.plan import TablePlan
from el.verification.compare import SHOWN
from el.verification.report import Sample


def doubled(warehouse: Warehouse, table: TablePlan, loads: Sequence[str]) -> tuple[Sample, ...]:
    """Of these loads, the first keys of which one change stands there more than once; () for a table without a key."""
    if not table.key or not loads:
        return ()
    keys = ", ".join(warehouse.column(name) for name in table.key)
    load, place, op = (warehouse.column(name) for name in ("_dlt_load_id", "_el_position", "_el_op"))
    text = ", ".join(f"CAST({warehouse.column(name)} AS VARCHAR)" for name in table.key)
    raw, listed = warehouse.qualified(table.raw_schema, table.raw_table), ", ".join("?" for _ in loads)
    statement = Statement(
        f"SELECT {text} FROM {raw} WHERE {load} IN ({listed}) GROUP BY {keys}, {load}, {place}, {op} "
        f"HAVING COUNT(*) > 1 ORDER BY {keys}, {load}, {place} LIMIT {SHOWN}",
        tuple(loads),
    )
    with warehouse.connector as connector:
        rows = connector.fetch(statement)
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    return tuple(Sample("doubled", dict(zip(table.key, row, strict=True))) for row in texts)
