"""The data of a write: any Arrow stream, in plain types, which waits in a local file so that memory does not grow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from el.connectors.base import ArrowStream
from el.connectors.buffer import Buffer
from el.errors import WriteError

_ROWS = 65_536


@contextmanager
def released(data: ArrowStream) -> Iterator[None]:
    """At the end the data's source is free again, also where not every row was taken."""
    try:
        yield
    finally:
        if isinstance(data, Buffer):
            data.close()


def as_batches(data: ArrowStream, *, own_types: bool = False) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema and the batches of `data`, which is read once. Raises `WriteError` for what is no Arrow stream.

    own_types: with the types that the data has, not in plain ones.
    """
    schema, batches = _opened(data)
    return (schema, batches) if own_types else _plain(schema, batches)


def _opened(data: ArrowStream) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if isinstance(data, Buffer):
        # Its own errors come through as they are; over the C interface they would be texts.
        return data.schema, iter(data)
    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except TypeError as error:
        raise WriteError(f"the data is no Arrow stream: {error}") from None
    except Exception as error:
        # A frame is made into Arrow here, and its library raises what it likes: a column name that is there twice is
        # a ValueError of pandas, and a whole number beyond 64 bits an OverflowError of pyarrow.
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise WriteError(f"the data cannot be read as an Arrow stream: {text[0]}") from None
    return reader.schema, _read(reader)


def _plain(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    made = pa.schema([field.with_type(plain_type(field.type)) for field in schema])
    if made.equals(schema):
        return schema, batches
    return made, (pa.RecordBatch.from_arrays([plain(column) for column in b.columns], schema=made) for b in batches)


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type with the same values that every kernel, driver and file format knows: no dictionary, view or half float,
    no whole number beyond 63 bits, no scale below zero. Polars gives its text as views, and its categories as a
    dictionary of them."""
    if pa.types.is_dictionary(type_):
        return plain_type(type_.value_type)
    if pa.types.is_decimal(type_) and type_.scale < 0:
        digits = type_.precision - type_.scale
        return pa.decimal128(digits, 0) if digits <= 38 else pa.decimal256(min(digits, 76), 0)
    known = {
        pa.string_view(): pa.large_string(),
        pa.binary_view(): pa.large_binary(),
        pa.float16(): pa.float32(),
        pa.uint64(): pa.decimal128(20, 0),
    }
    return known.get(type_, type_)


def plain(data: pa.Array) -> pa.Array:
    """The same values as `plain_type` says."""
    if pa.types.is_dictionary(data.type):
        return plain(data.dictionary).take(data.indices)
    type_ = plain_type(data.type)
    return data if type_ == data.type else data.cast(type_)


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (pa.ArrowException, OSError) as error:
        raise WriteError(f"the data broke off: {str(error).splitlines()[0]}") from None


@dataclass(frozen=True, slots=True)
class Spool:
    """Data that waits in a local file: `rows` of it, to be read in batches as often as needed."""

    schema: pa.Schema
    rows: int
    path: Path

    def batches(self) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self.path)) as source, pa.ipc.open_stream(source) as reader:
            yield from reader

    def buffer(self) -> Buffer:
        return Buffer(self.schema, self.batches())

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())


@contextmanager
def spooled(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[Spool]:
    """All batches in a local file that is removed at the end; only one batch is in memory at a time."""
    with tempfile.TemporaryDirectory(prefix="el-write-") as folder:
        path, rows = Path(folder) / "data.arrow", 0
        # Compressed buffers are read into memory of their own, which is aligned as drivers want it.
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema, options=options) as writer:
            for batch in batches:
                # A whole frame may come as one batch; whoever reads it again takes a part at a time.
                for start in range(0, batch.num_rows, _ROWS):
                    writer.write_batch(batch.slice(start, _ROWS))
                rows += batch.num_rows
        yield Spool(schema, rows, path)
