"""What a plan goes on from: the last complete load of each raw table, as the ledger in raw has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The last complete load of one raw table."""

    load_id: str
    table_name: str
    source_table: str
    kind: str
    strategy: str
    # Bounds in canonical text; None where the strategy has none.
    bound_column: str | None
    upper: str | None
    rows: int
    fingerprint: str | None  # of the content of a full snapshot, to tell that nothing changed
    finished_at: datetime | None = None
    incarnation: str | None = None  # another one once the source's table is made anew or its database is restored
    keys_read_at: datetime | None = None  # when the source's whole key set was last compared with raw, in UTC
    definition: str | None = None  # what el.yml made of the table: see `el.planning.definition`
    source: str | None = None  # the database that it came from: see `el.planning.definition`
    gone: bool = False  # raw's table is not there any longer
