"""What every `write_buffer` has in common: the ledger of writes, the data as a stream, and what is refused.

The ledger `_el_writes`, in the target's schema, has a row for each write: the same run_id for the same target twice
changes nothing. Its row is committed in the transaction that applies the data, so neither stands without the other.
The data passes in batches or by a local file, so that memory does not grow with it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.buffer import Buffer
from el.connectors.catalog import TableName
from el.connectors.sql.select import Dialect, Statement
from el.errors import WriteError

WRITES_TABLE = "_el_writes"
Fetch = Callable[[Statement], list[tuple[object, ...]]]


def as_mode(mode: WriteMode | str) -> WriteMode:
    """The mode, also where it is given as text. Raises `WriteError` for a text that is none."""
    try:
        return WriteMode(mode)
    except ValueError:
        raise WriteError(f"there is no write mode {mode!r}; there are: {', '.join(WriteMode)}") from None


def refuse_run_id(run_id: str) -> None:
    """Raise `WriteError` for a run_id that is no name: the ledger's empty one is each target's own row."""
    if not run_id or run_id != run_id.strip():
        # Databases differ in whether blanks at the end make another text.
        raise WriteError(f"run_id {run_id!r}: give it at least one character, and none that is blank at either end")


@dataclass(frozen=True, slots=True)
class WriteJob:
    """What one `write_buffer` is asked for. Raises `WriteError` for a mode or a run_id that is none."""

    target: TableName
    mode: WriteMode
    key: tuple[str, ...]
    run_id: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", as_mode(self.mode))
        refuse_run_id(self.run_id)

    def done(self, rows: int) -> WriteResult:
        """That these rows were applied."""
        return WriteResult(rows, self.mode, self.run_id)

    def done_before(self) -> WriteResult:
        """That this very run was applied already."""
        return WriteResult(0, self.mode, self.run_id, already_done=True)


@contextmanager
def released(data: ArrowStream) -> Iterator[None]:
    """At the end the data's source is free again, also where not every row was taken."""
    try:
        yield
    finally:
        if isinstance(data, Buffer):
            data.close()


def as_batches(data: ArrowStream) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema and the batches of `data`, which is read once. Raises `WriteError` for what is no Arrow stream."""
    if isinstance(data, Buffer):
        # Its own errors come through as they are; over the C interface they would be texts.
        return _plain(data.schema, iter(data))
    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except TypeError as error:
        raise WriteError(f"the data is no Arrow stream: {error}") from None
    except Exception as error:
        # A frame is made into Arrow here, and its library raises what it likes: a column name that is there twice is
        # a ValueError of pandas, and a whole number beyond 64 bits an OverflowError of pyarrow.
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise WriteError(f"the data cannot be read as an Arrow stream: {text[0]}") from None
    return _plain(reader.schema, _read(reader))


def _plain(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    made = pa.schema([field.with_type(plain_type(field.type)) for field in schema])
    if made.equals(schema):
        return schema, batches
    return made, (pa.RecordBatch.from_arrays([plain(column) for column in b.columns], schema=made) for b in batches)


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type with the same values that every kernel, driver and file format knows: no dictionary, view or half float,
    no scale below zero. Polars gives its text as views, and its categories as a dictionary of them."""
    if pa.types.is_dictionary(type_):
        return plain_type(type_.value_type)
    if pa.types.is_decimal(type_) and type_.scale < 0:
        digits = type_.precision - type_.scale
        return pa.decimal128(digits, 0) if digits <= 38 else pa.decimal256(min(digits, 76), 0)
    known = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary(), pa.float16(): pa.float32()}
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
                writer.write_batch(batch)
                rows += batch.num_rows
        yield Spool(schema, rows, path)


def refuse_columns(
    target: TableName, names: Sequence[str], columns: Sequence[str], mode: WriteMode, key: Sequence[str]
) -> None:
    """Raise `WriteError` where data with columns `names` cannot be applied; no row was read yet.

    columns: the target's. Every column of the data must be among them; MERGE needs a key that is in the data.
    """
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise WriteError(f"{target} has no column {unknown[0]!r} to write to; it has: {', '.join(columns)}")
    if len(set(names)) != len(names):
        raise WriteError(f"the data for {target} has a column name twice")
    if not names:
        raise WriteError(f"the data for {target} has no column")
    if mode is not WriteMode.MERGE:
        return
    if not key:
        raise WriteError(f"{target}: merge needs a key")
    absent = [name for name in key if name not in names]
    if absent:
        raise WriteError(f"{target}: key column {absent[0]!r} is not in the data")


def refuse_keys(fetch: Fetch, dialect: Dialect, staging: TableName, target: TableName, key: Sequence[str]) -> None:
    """Raise `WriteError` for a key with NULL or more than once among the staged rows, as the database compares them."""
    table = exp.Table(
        this=exp.to_identifier(staging.name, quoted=True), db=exp.to_identifier(staging.schema or None, quoted=True)
    )
    columns = [exp.column(exp.to_identifier(name, quoted=True)) for name in key]
    for name, column in zip(key, columns, strict=True):
        missing = exp.select(exp.Count(this=exp.Star())).from_(table).where(column.is_(exp.null()))
        if int(str(fetch(Statement(missing.sql(dialect.name)))[0][0])):
            raise WriteError(f"{target}: key column {name!r} has NULL in the data")
    twice = exp.select(*columns).from_(table).group_by(*columns)
    twice = twice.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))).limit(1)
    found = fetch(Statement(twice.sql(dialect.name)))
    if found:
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(key, found[0], strict=True))
        raise WriteError(f"{target}: the data has key {shown} more than once")
