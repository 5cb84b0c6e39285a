"""Lists, structs and maps in the data of a write: JSON text, where the target's column is text or JSON, or is made.

Most databases have no column for a list of numbers, which is what many models give. Guarantees: what the text says is
read back here and is the same value, or the write is refused: of NaN, of infinity and of negative zero JSON has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import duckdb
import numpy as np
import pyarrow as pa

from el.connectors.sql.engine import session
from el.errors import WriteError

_NESTED = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
    pa.types.is_struct,
    pa.types.is_map,
)


def nested(schema: pa.Schema) -> list[str]:
    """The columns whose values have parts."""
    return [field.name for field in schema if any(is_kind(field.type) for is_kind in _NESTED)]


def as_json(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], names: Collection[str], where: str
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The same rows with these columns as JSON text. Raises `WriteError`, while they are read, for a value that JSON
    cannot say."""
    if not names:
        return schema, batches
    for name in names:
        if _has_bytes(schema.field(name).type):
            raise WriteError(f"{where}.{name}: JSON has no bytes; cast the data")
    made = pa.schema([field.with_type(pa.large_string()) if field.name in names else field for field in schema])
    return made, (
        pa.RecordBatch.from_arrays(
            [
                _text(batch.column(field.name), f"{where}.{field.name}")
                if field.name in names
                else batch.column(field.name)
                for field in schema
            ],
            schema=made,
        )
        for batch in batches
    )


def _has_bytes(type_: pa.DataType) -> bool:
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return True
    inner = [type_.field(index).type for index in range(type_.num_fields)]
    return any(_has_bytes(each) for each in inner)


def _text(data: pa.Array, where: str) -> pa.Array:
    if any(_is_no_json(leaf) for leaf in _leaves(data)):
        raise WriteError(f"{where}: JSON has no NaN, no infinity and no negative zero; cast the data")
    try:
        with session() as engine:
            engine.register("sent", pa.table({"value": data}))
            said = engine.sql("SELECT value, CAST(to_json(value) AS VARCHAR) AS text FROM sent")
            type_ = said.types[0]
            changed = said.filter(f"value IS DISTINCT FROM CAST(CAST(text AS JSON) AS {type_})").count("*").fetchall()
            if changed[0][0]:
                raise WriteError(f"{where}: {changed[0][0]:,} values have parts that JSON cannot say; cast the data")
            found = said.project("text").to_arrow_table()
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
        raise WriteError(f"{where}: the values cannot be written as JSON ({why}); cast the data") from None
    return found.column("text").combine_chunks().cast(pa.large_string())


def _leaves(data: pa.Array) -> Iterator[pa.Array]:
    """The values that have no parts, of all levels."""
    if pa.types.is_map(data.type):
        parts = [data.keys, data.items]
    elif pa.types.is_struct(data.type):
        parts = data.flatten()
    elif any(is_kind(data.type) for is_kind in _NESTED):
        parts = [data.flatten()]
    else:
        yield data
        return
    for part in parts:
        yield from _leaves(part)


def _is_no_json(leaf: pa.Array) -> bool:
    if not pa.types.is_floating(leaf.type):
        return False
    values = leaf.drop_null().cast(pa.float64()).to_numpy(zero_copy_only=False)
    return bool(np.any(~np.isfinite(values) | ((values == 0) & np.signbit(values))))
