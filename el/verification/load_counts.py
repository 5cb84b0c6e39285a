"""How many rows raw has of each load, beside how many the ledger says: a row that stands twice hides behind its key."""

from __future__ import annotations

from el.connectors.sql.select import Statement
from el.loading.ledger import LEDGER_TABLE
from el.loading.warehouse import Warehouse

REPAIR = "repair"
"""What the ledger calls the load of a repair."""


def wrong_counts(warehouse: Warehouse, schema: str, table: str) -> list[tuple[str, int, int]]:
    """The complete loads of a raw table that have not the rows that the ledger says: id, rows there, rows noted.

    Of those before the last repair it is known.
    """
    named = ("_dlt_load_id", "table_name", "row_count", "kind")
    load, name, rows, kind = (warehouse.column(each) for each in named)
    ledger, raw = warehouse.qualified(schema, LEDGER_TABLE), warehouse.qualified(schema, table)
    statement = Statement(
        f"SELECT l.{load}, COALESCE(r.el_rows, 0), l.{rows} FROM {ledger} AS l "
        f"LEFT JOIN (SELECT {load}, COUNT(*) AS el_rows FROM {raw} GROUP BY {load}) AS r "
        f"ON r.{load} = l.{load} WHERE l.{name} = ? AND l.{load} IN ({warehouse.complete_ids(schema)}) "
        f"AND COALESCE(r.el_rows, 0) <> l.{rows} AND l.{load} >= COALESCE((SELECT MAX({load}) FROM {ledger} "
        f"WHERE {name} = ? AND {kind} = '{REPAIR}' AND {load} IN ({warehouse.complete_ids(schema)})), '') "
        f"ORDER BY l.{load}",
        (table, table),
    )
    with warehouse.connector as connector:
        return [(str(a), int(str(b)), int(str(c))) for a, b, c in connector.fetch(statement)]
