"""One type for a column over all files: the one that raw has, or that the first file gives it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from el.extraction.landing import LandedFile
from el.loading.file_ledger import FILE

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
    """The columns that raw has, and behind them those that are new, in the order in which the files bring them.

    A column that is written in other capitals later is the same one.
    """
    found = {name.casefold(): pa.field(name, type_of(text)) for name, text in held.items()}
    for schema in schemas:
        for column in schema:
            found.setdefault(column.name.casefold(), pa.field(column.name, column.type))
    return pa.schema(list(found.values()))


def spelt_as(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """These names in the capitals of the others, where they are among them."""
    spelling = {name.casefold(): name for name in others}
    return [spelling.get(name.casefold(), name) for name in names]


def misfits(file: LandedFile, landed: pa.Schema, schema: pa.Schema) -> dict[str, str]:
    """The files, by their ids, of which a value would not stay what it is in the types of `schema`, and why."""
    wanted = _wanted(landed, schema)
    if wanted == landed:
        return {}
    never = [
        f"column {column.name} is {column.type} there, and {other} in raw: give the file an entry of its own"
        for column, other in zip(landed, wanted.types, strict=True)
        if other != column.type and not _may_become(column.type, other)
    ]
    bad: dict[str, str] = {}
    with pq.ParquetFile(file.path) as source:
        for batch in source.iter_batches():
            ids = batch.column(FILE)
            for file_id in pc.unique(ids).to_pylist():
                of_it = batch.filter(pc.equal(ids, file_id))
                try:
                    of_it.rename_columns(wanted.names).cast(wanted, safe=True)
                except pa.ArrowInvalid as error:
                    bad.setdefault(file_id, f"a value does not fit the type that raw has: {error}")
                if never:
                    bad[file_id] = never[0]
    return bad


def recast(file: LandedFile, landed: pa.Schema, schema: pa.Schema, without: Collection[str]) -> LandedFile | None:
    """The landing file in the types of `schema`, without the rows of some files; None where none is left.

    It is written anew where it differs.
    """
    wanted = _wanted(landed, schema)
    if wanted == landed and not without:
        return file
    target = file.path.with_name(f"{file.path.stem}-recast.parquet")
    rows = 0
    with pq.ParquetFile(file.path) as source, pq.ParquetWriter(target, wanted, compression="snappy") as writer:
        for batch in source.iter_batches():
            if without:
                batch = batch.filter(pc.invert(pc.is_in(batch.column(FILE), pa.array(sorted(without)))))
            rows += batch.num_rows
            writer.write_batch(batch.rename_columns(wanted.names).cast(wanted, safe=True))
    file.path.unlink()
    if not rows:
        target.unlink()
        return None
    return LandedFile(target, rows, target.stat().st_size)


def _wanted(landed: pa.Schema, schema: pa.Schema) -> pa.Schema:
    names = spelt_as(landed.names, schema.names)
    types = [schema.field(n).type if n in schema.names else c.type for n, c in zip(names, landed, strict=True)]
    return pa.schema(list(zip(names, types, strict=True)))


def _may_become(type_: pa.DataType, other: pa.DataType) -> bool:
    """Whether values can stay what they are, each of which the cast then checks."""
    number = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_floating)
    if any(is_(type_) for is_ in number) and any(is_(other) for is_ in number):
        # Of a float nothing becomes without a loss that nobody sees, and the cast of a decimal to one is not checked.
        return not pa.types.is_floating(type_) and not (pa.types.is_decimal(type_) and pa.types.is_floating(other))
    return pa.types.is_date(type_) and pa.types.is_timestamp(other) and other.tz is None
