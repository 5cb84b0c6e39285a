"""A file as the data of a write: parquet with its own types; CSV, which has none, with those of the table.

Guarantees: a value of a CSV file that does not fit the table's column is an error with its row, never another value;
memory does not grow with the file. An empty field is NULL, and "" is an empty text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from el.connectors.base import Connector, Source, WriteMode
from el.connectors.buffer import Buffer
from el.connectors.catalog import TableName
from el.connectors.request import ReadRequest
from el.errors import ConfigError, ReadError, WriteError

_PARSE = pacsv.ParseOptions(newlines_in_values=True)


def run_id_of(path: Path, table: TableName, mode: WriteMode, key: Sequence[str]) -> str:
    """A run_id by what is written and how, so that the same command twice writes once. Raises `ConfigError`."""
    sum_ = hashlib.sha256(repr((str(table), str(mode), tuple(key))).encode())
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                sum_.update(block)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    return f"file-{sum_.hexdigest()[:24]}"


@contextmanager
def opened(path: Path, connector: Connector, table: TableName) -> Iterator[Buffer]:
    """The file's rows. connector: connected; asked for the types of `table`, where the file has none.

    Raises `ConfigError` for a file that is not there or of another kind. A file that cannot be read on the way, or a
    value that does not fit, is a `WriteError` while the buffer is read.
    """
    readers = {".parquet": _parquet, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise ConfigError(f"{path}: a file that is written is .parquet or .csv")
    try:
        with readers[path.suffix.lower()](path, connector, table) as buffer:
            yield buffer
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise WriteError(f"{path}: {str(error).splitlines()[0]}") from None


@contextmanager
def _parquet(path: Path, connector: Connector, table: TableName) -> Iterator[Buffer]:
    with pq.ParquetFile(path) as file:
        yield Buffer(file.schema_arrow, file.iter_batches())


@contextmanager
def _csv(path: Path, connector: Connector, table: TableName) -> Iterator[Buffer]:
    with pacsv.open_csv(path, parse_options=_PARSE) as head:
        names = head.schema.names
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: line 1 has a name twice")
    texts = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    types = _types_of(connector, table)
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    with pacsv.open_csv(path, parse_options=_PARSE, convert_options=texts) as reader:
        yield Buffer(schema, _cast(reader, schema, path))


def _types_of(connector: Connector, table: TableName) -> Mapping[str, pa.DataType]:
    """The types in which the table's values are read; none where it is not there, or cannot be read."""
    if not isinstance(connector, Source):
        return {}
    try:
        with connector.read_buffer(ReadRequest(table=table, limit=0)) as buffer:
            return {field.name: field.type for field in buffer.schema}
    except ReadError:
        return {}


def _cast(batches: Iterator[pa.RecordBatch], schema: pa.Schema, path: Path) -> Iterator[pa.RecordBatch]:
    before = 0
    for batch in batches:
        columns = []
        for field, column in zip(schema, batch.columns, strict=True):
            if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
                raise WriteError(f"{path}: column {field.name!r} is of bytes, which CSV has none of: give parquet")
            try:
                columns.append(column.cast(field.type))
            except pa.ArrowException:
                row = _first_that_fails(column, field.type)
                value = repr(column[row].as_py())
                where = f"{path}: row {before + row + 1:,}, column {field.name!r}"
                raise WriteError(f"{where}: {value[:80]} is no {field.type}") from None
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        before += batch.num_rows


def _first_that_fails(column: pa.Array, type_: pa.DataType) -> int:
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            column.slice(low, middle - low).cast(type_)
            low = middle
        except pa.ArrowException:
            high = middle
    return low
