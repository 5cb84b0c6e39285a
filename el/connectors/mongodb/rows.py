"""Documents as Arrow batches: key, text, and bytes where the text is not all of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.documents import DOCUMENT
from el.connectors.mongodb import together
from el.connectors.mongodb.extended import is_exact, text_of
from el.connectors.mongodb.tables import ARROW, ID, RAW

SCHEMA = pa.schema([pa.field(name, ARROW[name]) for name in (ID, DOCUMENT, RAW)])
_SIZE = struct.Struct("<i")
# Bytes that are made text at once: of more, what is made in between would not stay in the processor's memory.
_AT_ONCE = 4 * 1024 * 1024


def converted(documents: Sequence[bytes]) -> pa.RecordBatch:
    """The rows of documents, in the columns of `SCHEMA`. The key of one without `_id` is NULL."""
    if len(documents) < together.FEW:
        return _one_by_one(documents)
    ends = np.cumsum([len(each) for each in documents])
    starts = np.concatenate([[0], ends[:-1]])
    try:
        found = together.texts_of(b"".join(documents), starts)
    except (ValueError, IndexError, pa.ArrowInvalid):
        # What is no BSON: which of them says the one that looks at each.
        return _one_by_one(documents)
    raws: list[bytes | None] = [None] * len(documents)
    for place in np.flatnonzero(found.doubt & ~found.left).tolist():
        raws[place] = None if is_exact(documents[place], found.documents[place].as_py()) else documents[place]
    keys, texts = pc.if_else(pa.array(found.has_key), found.keys, pa.scalar(None, pa.string())), found.documents
    if found.left.any():
        places = np.flatnonzero(found.left).tolist()
        alone = _one_by_one([documents[place] for place in places])
        mask = pa.array(found.left)
        keys, texts = pc.replace_with_mask(keys, mask, alone[ID]), pc.replace_with_mask(texts, mask, alone[DOCUMENT])
        for place, raw in zip(places, alone[RAW].to_pylist(), strict=True):
            raws[place] = raw
    return pa.RecordBatch.from_arrays([keys, texts, pa.array(raws, pa.binary())], schema=SCHEMA)


def _one_by_one(documents: Sequence[bytes]) -> pa.RecordBatch:
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
    most = min(most_bytes // 3, _AT_ONCE)
    for answer in found:
        some: list[bytes] = []
        size = 0
        for data in documents_in(answer):
            if some and (len(some) >= most_rows or size + len(data) > most):
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
