"""Documents as Arrow batches: key, text, and bytes where the text is not all of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from el.connectors.documents import DOCUMENT
from el.connectors.mongodb.extended import is_exact, text_of
from el.connectors.mongodb.tables import ARROW, ID, RAW

SCHEMA = pa.schema([pa.field(name, ARROW[name]) for name in (ID, DOCUMENT, RAW)])
_SIZE = struct.Struct("<i")


def converted(documents: Sequence[bytes]) -> pa.RecordBatch:
    """The rows of documents, in the columns of `SCHEMA`. The key of one without `_id` is NULL."""
    texts = [text_of(each) for each in documents]
    raws = [
        data if text.doubt and not is_exact(data, text.document) else None
        for data, text in zip(documents, texts, strict=True)
    ]
    columns = ([text.key for text in texts], [text.document for text in texts], raws)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def batches_of(found: Iterable[bytes], most_rows: int, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Batches of answers in which document stands after document; each within the bounds, but for one document alone.

    most_bytes: of what comes out, which is about three times what the server sends.
    """
    for answer in found:
        some: list[bytes] = []
        size = 0
        for data in documents_in(answer):
            if some and (len(some) >= most_rows or 3 * (size + len(data)) > most_bytes):
                yield converted(some)
                some, size = [], 0
            some.append(data)
            size += len(data)
        if some:
            yield converted(some)


def documents_in(answer: bytes) -> Iterator[bytes]:
    """The documents that stand one after another."""
    at = 0
    while at < len(answer):
        size = _SIZE.unpack_from(answer, at)[0]
        yield answer[at : at + size]
        at += size
