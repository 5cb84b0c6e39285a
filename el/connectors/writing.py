"""What every `write_buffer` has in common: the ledger of writes, and what is refused before the target is touched.

The ledger `_el_writes`, in the target's schema, has a row for each write: the same run_id for the same target twice
changes nothing. Its row is committed in the transaction that applies the data, so neither stands without the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.base import ArrowStream, WriteMode
from el.connectors.catalog import TableName
from el.errors import WriteError

WRITES_TABLE = "_el_writes"


def as_table(data: ArrowStream) -> pa.Table:
    """`data` in memory, read once. Raises `WriteError` for what is no Arrow stream."""
    try:
        return pa.RecordBatchReader.from_stream(data).read_all()
    except (TypeError, pa.ArrowInvalid) as error:
        raise WriteError(f"the data is no Arrow stream: {error}") from None


def refuse_unfit(
    target: TableName, data: pa.Table, columns: Sequence[str], mode: WriteMode, key: Sequence[str]
) -> None:
    """Raise `WriteError` where the data cannot be applied; nothing was touched yet.

    columns: the target's. Every column of the data must be among them; MERGE needs a key without NULL and without
    duplicates.
    """
    unknown = [name for name in data.column_names if name not in columns]
    if unknown:
        raise WriteError(f"{target} has no column {unknown[0]!r}; it has: {', '.join(columns)}")
    if len(set(data.column_names)) != len(data.column_names):
        raise WriteError(f"the data for {target} has a column name twice")
    if mode is not WriteMode.MERGE:
        return
    if not key:
        raise WriteError(f"{target}: merge needs a key")
    absent = [name for name in key if name not in data.column_names]
    if absent:
        raise WriteError(f"{target}: key column {absent[0]!r} is not in the data")
    for name in key:
        if data.column(name).null_count:
            raise WriteError(f"{target}: key column {name!r} has NULL in the data")
    counts = data.select(list(key)).group_by(list(key)).aggregate([([], "count_all")])
    if counts.num_rows < data.num_rows:
        first = counts.filter(pc.greater(counts["count_all"], 1)).select(list(key)).slice(0, 1).to_pylist()[0]
        raise WriteError(f"{target}: the data has key {first} more than once")
