"""The ledger: one row for each table and load, in each raw schema, loaded in the same package as its rows.

It is el's state. A load counts only when `_dlt_loads` has it with status 0, so what the ledger says and what raw
holds cannot differ: neither a lost working folder nor an older copy of some state file can move a bound.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

LEDGER_TABLE = "_el_ledger"

LEDGER_SCHEMA = pa.schema(
    [
        pa.field("table_name", pa.string()),
        pa.field("source_table", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("strategy", pa.string()),
        pa.field("bound_column", pa.string()),
        pa.field("lower_bound", pa.string()),
        pa.field("upper_bound", pa.string()),
        pa.field("row_count", pa.int64()),
        pa.field("deleted_count", pa.int64()),
        pa.field("misfits", pa.string()),  # JSON: column -> how many values did not fit it and are NULL
        pa.field("byte_count", pa.int64()),
        pa.field("partitions", pa.int64()),
        pa.field("fingerprint", pa.string()),
        pa.field("digest", pa.string()),  # JSON: what raw has to give of the load's rows (`el.extraction.digest`)
        pa.field("incarnation", pa.string()),
        pa.field("definition", pa.string()),
        pa.field("source", pa.string()),
        pa.field("keys_read_at", pa.timestamp("us")),
        pa.field("run_id", pa.string()),
        pa.field("started_at", pa.timestamp("us")),
        pa.field("finished_at", pa.timestamp("us")),
        pa.field("el_version", pa.string()),
        pa.field("_dlt_load_id", pa.string()),
    ]
)


def ledger_row(**values: Any) -> dict[str, Any]:
    """A row of the ledger, with NULL for what is not given. Raises `TypeError` for what it has no column for."""
    if unknown := values.keys() - set(LEDGER_SCHEMA.names):
        raise TypeError(f"the ledger has no column {min(unknown)}")
    return {name: values.get(name) for name in LEDGER_SCHEMA.names}
