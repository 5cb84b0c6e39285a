"""One read of a collection, as the driver is asked for it: documents come as their bytes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pyarrow as pa
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from el.connectors.mongodb.query import filters_of
from el.connectors.mongodb.rows import batches_of
from el.connectors.mongodb.splits import Keys
from el.connectors.mongodb.tables import ARROW, ID
from el.connectors.request import OP_READ, ColumnRead, ReadRequest
from el.errors import ReadError


def reads_of(request: ReadRequest) -> tuple[ColumnRead, ...]:
    """The columns that are read. Raises `ReadError` for what a collection cannot be asked."""
    if request.order_by:
        raise ReadError("MongoDB is read in its own order")
    reads = request.columns or tuple(ColumnRead(name, name) for name in ARROW)
    if wrong := [read.source for read in reads if read.source not in ARROW]:
        raise ReadError(f"{request.table} has no column {wrong[0]!r}; it has {', '.join(ARROW)}")
    return reads


def schema_of(reads: Sequence[ColumnRead], *, marked: bool = False) -> pa.Schema:
    """Of what is read. marked: with whether each has left el.yml's filters."""
    fields = [pa.field(read.name, read.arrow or ARROW[read.source]) for read in reads]
    return pa.schema([*fields, pa.field(OP_READ, pa.string())] if marked else fields)


def batches(
    collection: Collection[dict[str, Any]],
    request: ReadRequest,
    reads: Sequence[ColumnRead],
    session: ClientSession | None,
) -> Iterator[pa.RecordBatch]:
    """The documents that a read takes. session: whose moment is read."""
    schema = schema_of(reads, marked=bool(request.kept))
    asked = request.split.asked() if isinstance(request.split, Keys) else {}
    # What is not wanted is not sent, either.
    projection = {ID: 1} if all(read.source == ID for read in reads) else None
    left = request.limit
    for wanted, is_left_out in filters_of(request):
        if left is not None and left <= 0:
            return
        cursor = collection.find_raw_batches(wanted, projection, limit=left or 0, session=session, **asked)
        answers = ahead(cast(Iterator[bytes], cursor))
        try:
            for batch in batches_of(answers, request.batch_rows, request.batch_bytes):
                columns = [batch.column(read.source) for read in reads]
                if request.kept:
                    columns.append(pa.repeat(pa.scalar("D" if is_left_out else "U"), batch.num_rows))
                arrays = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
                left = None if left is None else left - batch.num_rows
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        finally:
            # In this order: a cursor that is asked in another thread is not closed meanwhile.
            answers.close()
            cursor.close()


def ahead(answers: Iterator[bytes]) -> Generator[bytes, None, None]:
    """The same, each asked for while the one before is worked on: the server and el are at work at once."""
    with ThreadPoolExecutor(1, "el-mongodb") as pool:
        following = pool.submit(next, answers, None)
        while (found := following.result()) is not None:
            following = pool.submit(next, answers, None)
            yield found
