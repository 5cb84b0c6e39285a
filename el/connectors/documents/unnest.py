"""The elements of an array in each document, one row each: the key of their document, their place, and what they are.

The elements are cut out of the document's text as they stand there: DuckDB's JSON functions would write their numbers
anew, by way of a float.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from el.connectors.documents.text import Misplaced, elements, located
from el.connectors.misfits import Misfits

INDEX = "index"


def unnested(
    batch: pa.RecordBatch, document: str, steps: tuple[str, ...], misfits: Misfits, key_of: Callable[[int], str]
) -> pa.RecordBatch:
    """The batch with a row for each element, which stands in the document's place, and `INDEX` behind.

    A document without the array has no row; one that has something else in its place is counted.
    """
    rows: list[int] = []
    places: list[int] = []
    texts: list[str] = []
    for row, text in enumerate(batch.column(document).to_pylist()):
        try:
            array = None if text is None else located(text, steps)
            found = [] if array is None else list(elements(array))
        except Misplaced as error:
            misfits.add(".".join(steps), 1, str(error), key_of(row))
            continue
        rows += [row] * len(found)
        places += range(len(found))
        texts += found
    parents = batch.drop_columns([document]).take(pa.array(rows, pa.int64()))
    columns = [*parents.columns, pa.array(texts, pa.string()), pa.array(np.array(places, np.int64))]
    return pa.RecordBatch.from_arrays(columns, [*parents.schema.names, document, INDEX])
