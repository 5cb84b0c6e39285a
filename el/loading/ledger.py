"""The ledger: one row for each table and load, in each raw schema, loaded in the same package as its rows.

It is el's state. A load counts only when `_dlt_loads` has it with status 0, so what the ledger says and what raw
holds cannot differ: neither a lost working folder nor an older copy of some state file can move a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
        pa.field("byte_count", pa.int64()),
        pa.field("partitions", pa.int64()),
        pa.field("fingerprint", pa.string()),
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


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The last complete load of one raw table. Bounds in canonical text; None where the strategy has none.

    fingerprint: of the content of a full snapshot, to tell that nothing changed; None otherwise. incarnation: what
    changes when the source's table is made anew or its database is restored. keys_read_at: when the source's whole
    key set was last compared with raw, by a key read or by a snapshot; UTC. definition: what el.yml made of the table,
    and source, the database that it came from: see `el.planning.definition`. gone: raw's table is not there any longer.
    """

    load_id: str
    table_name: str
    source_table: str
    kind: str
    strategy: str
    bound_column: str | None
    upper: str | None
    rows: int
    fingerprint: str | None
    finished_at: datetime | None = None
    incarnation: str | None = None
    keys_read_at: datetime | None = None
    definition: str | None = None
    source: str | None = None
    gone: bool = False
