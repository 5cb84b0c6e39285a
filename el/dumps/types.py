"""One type for a column over all files: the one that raw has, or that the first file gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from el.errors import FileRefused
from el.extraction.landing import LandedFile

_PLAIN = [
    *(pa.string(), pa.binary(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.time64("us")),
    *(pa.timestamp("us"), pa.timestamp("us", "UTC")),
]


def type_of(text: str) -> pa.DataType:
    """The type that is written so in `_el_columns`."""
    for each in _PLAIN:
        if str(each) == text:
            return each
    found = re.fullmatch(r"decimal128\((\d+), (\d+)\)", text)
    assert found is not None, text
    return pa.decimal128(int(found[1]), int(found[2]))


def common_schema(held: Mapping[str, str], schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The columns that raw has, and behind them those that are new, in the order in which the files bring them."""
    found = {name: type_of(text) for name, text in held.items()}
    for schema in schemas:
        for column in schema:
            found.setdefault(column.name, column.type)
    return pa.schema(list(found.items()))


def recast(file: LandedFile, landed: pa.Schema, schema: pa.Schema) -> LandedFile:
    """The landing file with the types of `schema`, written anew where they differ.

    Raises `FileRefused` where a value would not stay what it is.
    """
    wanted = pa.schema([pa.field(c.name, schema.field(c.name).type) if c.name in schema.names else c for c in landed])
    if wanted == landed:
        return file
    for column in landed:
        other = wanted.field(column.name).type
        if other != column.type and not _may_become(column.type, other):
            raise FileRefused(f"column {column.name} is {column.type} there, and {other} in raw: give it another entry")
    target = file.path.with_name(f"{file.path.stem}-recast.parquet")
    try:
        with pq.ParquetFile(file.path) as source, pq.ParquetWriter(target, wanted, compression="snappy") as writer:
            for batch in source.iter_batches():
                writer.write_batch(batch.cast(wanted, safe=True))
    except pa.ArrowInvalid as error:
        target.unlink(missing_ok=True)
        raise FileRefused(f"a value does not fit the type that raw has: {error}") from None
    file.path.unlink()
    return LandedFile(target, file.rows, target.stat().st_size)


def _may_become(type_: pa.DataType, other: pa.DataType) -> bool:
    """Whether values can stay what they are, each of which the cast then checks."""
    number = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_floating)
    if any(is_(type_) for is_ in number) and any(is_(other) for is_ in number):
        return not pa.types.is_floating(type_)
    return pa.types.is_date(type_) and pa.types.is_timestamp(other) and other.tz is None
