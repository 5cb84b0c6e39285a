"""Parquet: values with the types that the file gives them; the footer says how many rows there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from el.dumps.formats.base import ROW, Format, Reading
from el.errors import RecordRefused

_ROWS = 65_536
# What Arrow says of a file that is damaged, or that it cannot read.
_BROKEN = (pa.ArrowException, OSError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class ParquetFormat(Format):
    """A file is read as it is, or refused."""

    typed = True

    def read(self, path: Path, rejects: int = 0) -> Reading:
        try:
            # Footer alone; pages are decoded with their checksums, where the file has some.
            file = pq.ParquetFile(path, page_checksum_verification=True)
        except _BROKEN as error:
            raise RecordRefused(f"it is no whole parquet file: {error}") from None
        schema = file.schema_arrow.remove_metadata()
        return Reading(schema, _batches(file, schema), records=file.metadata.num_rows)


def _batches(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    first = 1
    numbered = pa.schema([*schema, pa.field(ROW, pa.int64())])
    with file:
        try:
            for batch in file.iter_batches(batch_size=_ROWS):
                # Text that is no UTF-8 would fail the load, with all other files and tables in it.
                batch.validate(full=True)
                rows = pa.array(np.arange(first, first + batch.num_rows, dtype=np.int64))
                first += batch.num_rows
                yield pa.RecordBatch.from_arrays([*batch.columns, rows], schema=numbered)
        except _BROKEN as error:
            raise RecordRefused(f"behind record {first - 1:,}: {error}") from None
