"""One read of a collection, as the driver is asked for it: documents come as their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pyarrow as pa
from pymongo.collection import Collection

from el.connectors.mongodb.rows import batches_of
from el.connectors.mongodb.tables import ARROW, ID
from el.connectors.request import ColumnRead, ReadRequest
from el.errors import ReadError


def reads_of(request: ReadRequest) -> tuple[ColumnRead, ...]:
    """The columns that are read. Raises `ReadError` for what a collection cannot be asked."""
    if request.order_by or request.kept:
        raise ReadError("MongoDB is read without an order, and without rows that are marked as deleted")
    reads = request.columns or tuple(ColumnRead(name, name) for name in ARROW)
    if wrong := [read.source for read in reads if read.source not in ARROW]:
        raise ReadError(f"{request.table} has no column {wrong[0]!r}; it has {', '.join(ARROW)}")
    return reads


def schema_of(reads: Sequence[ColumnRead]) -> pa.Schema:
    return pa.schema([pa.field(read.name, read.arrow or ARROW[read.source]) for read in reads])


def batches(
    collection: Collection[dict[str, Any]], request: ReadRequest, reads: Sequence[ColumnRead], **asked: Any
) -> Iterator[pa.RecordBatch]:
    """The documents that a read takes. asked: what else `find` is told."""
    schema = schema_of(reads)
    # What is not wanted is not sent, either.
    projection = {ID: 1} if all(read.source == ID for read in reads) else None
    cursor = collection.find_raw_batches(asked.pop("filter", {}), projection, limit=request.limit or 0, **asked)
    try:
        for batch in batches_of(cast(Iterator[bytes], cursor), request.batch_rows, request.batch_bytes):
            columns = [batch.column(read.source).cast(field.type) for read, field in zip(reads, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
    finally:
        cursor.close()
