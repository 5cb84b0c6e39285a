"""Data in memory, one bounded record batch at a time: what `read_buffer()` gives.

Guarantees: the schema is known before the first batch; the batches come once, in order; the source's cursor is
released when the buffer is exhausted, closed, or left by `with`, also halfway through and after an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from el.connectors.misfits import Misfits
from el.connectors.request import Position
from el.errors import ReadError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Buffer:
    """A single-pass stream of Arrow record batches with its schema.

    Takes part in the Arrow PyCapsule interface (`__arrow_c_stream__`), so that DuckDB, Polars and pandas read it
    directly. Reading it twice, or after it was closed, is a `ReadError`.
    """

    def __init__(
        self,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        *,
        close: Callable[[], None] | None = None,
        translate: Callable[[Exception], Exception] | None = None,
        reached: Position | None = None,
        misfits: Misfits | None = None,
    ) -> None:
        """`close` releases the source, called once; `translate` turns a driver's exception into an `ElError`.

        reached: the place in the feed's log that these rows go up to, where only the read itself can tell; of a
            snapshot, the one at whose state it was read.
        misfits: what did not fit its column and is NULL there; it grows while the buffer is drained.
        """
        self.schema = schema
        self.reached = reached
        self.misfits = misfits if misfits is not None else Misfits()
        self.rows = 0
        self.bytes = 0
        self._batches = batches
        self._close = close
        self._translate = translate
        self._started = False
        self._closed = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._started or self._closed:
            raise ReadError("this buffer was read or closed already; ask the connector for a new one")
        self._started = True
        return self._drain()

    def _drain(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                self.bytes += batch.nbytes
                yield batch
        except GeneratorExit:
            raise
        except Exception as error:
            translated = self._translate(error) if self._translate else error
            if translated is error:
                raise
            raise translated from None
        finally:
            self.close()

    def close(self) -> None:
        """Release the source; closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self.schema, iter(self))
        return reader.__arrow_c_stream__(requested_schema)

    def to_arrow(self) -> pa.Table:
        """All rows as one Arrow table."""
        return pa.Table.from_batches(list(self), schema=self.schema)

    def to_pandas(self, **options: Any) -> pd.DataFrame:
        """All rows as a pandas frame; `options` go to `pyarrow.Table.to_pandas`."""
        frame: pd.DataFrame = self.to_arrow().to_pandas(**options)
        return frame

    def to_polars(self) -> pl.DataFrame:
        """All rows as a Polars frame; needs the `polars` package."""
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame
