"""The elements of an array in each document, one row each: the key of their document, their place, and what they are.

The elements are cut out of the document's text as they stand there: DuckDB's JSON functions would write their numbers
anew, by way of a float.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from el.connectors.documents.forms import PLAIN, Form
from el.connectors.documents.text import Misplaced, elements
from el.connectors.misfits import Misfits

INDEX = "index"


@dataclass(frozen=True, slots=True)
class Array:
    """Where an array stands in documents of a form."""

    steps: tuple[str, ...]
    form: Form = PLAIN

    def of(self, document: str) -> list[str]:
        """Its elements as JSON; raises `Misplaced` where something else stands there."""
        token = self.form.located(document, self.steps)
        array = None if token is None else self.form.array(token)
        return [] if array is None else [self.form.element(each) for each in elements(array)]


def unnested(
    batch: pa.RecordBatch, document: str, array: Array, misfits: Misfits, key_of: Callable[[int], str]
) -> pa.RecordBatch:
    """The batch with a row for each element, which stands in the document's place, and `INDEX` behind.

    A document without the array has no row; one that has something else in its place is counted.
    """
    rows: list[int] = []
    places: list[int] = []
    texts: list[str] = []
    for row, text in enumerate(batch.column(document).to_pylist()):
        try:
            found = [] if text is None else array.of(text)
        except Misplaced as error:
            misfits.add(".".join(array.steps), 1, str(error), key_of(row))
            continue
        rows += [row] * len(found)
        places += range(len(found))
        texts += found
    parents = batch.drop_columns([document]).take(pa.array(rows, pa.int64()))
    columns = [*parents.columns, pa.array(texts, pa.string()), pa.array(np.array(places, np.int64))]
    return pa.RecordBatch.from_arrays(columns, [*parents.schema.names, document, INDEX])
