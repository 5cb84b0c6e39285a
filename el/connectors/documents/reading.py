"""Arrow's JSON reader over documents: which types it is told, and what it has read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as paj

from el.connectors.documents.forms import Form

Tree = dict[str, Any]  # a name -> another tree, or the type that a field has there
_WHOLE = pa.decimal128(38, 0)
# Milliseconds since 1970 of the years 1 to 9999.
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
_LONG = "$numberLong"
_EXPONENT = r'[:\[,]\s*"?[+-]?[0-9.]+[eE][+-]?[0-9]+"?\s*[,}\]]'
_OBJECT = r"^[ \t\r\n]*\{"
# Beside what was read, the documents themselves, under a name that no field has.
TEXT = "\x00"


def read_as(type_: pa.DataType, *, in_text: bool) -> pa.DataType:
    """What the reader makes of it. As a decimal it takes numbers and numbers in text; times are told by their form."""
    if pa.types.is_integer(type_):
        return _WHOLE
    if pa.types.is_decimal(type_) or pa.types.is_boolean(type_):
        return type_
    return type_ if pa.types.is_floating(type_) and not in_text else pa.string()


def schema_of(tree: Tree, form: Form) -> pa.Schema:
    """What the reader is told of documents in this form."""
    return pa.schema([pa.field(name, _type(below, form)) for name, below in tree.items()])


def _type(below: Tree | pa.DataType, form: Form) -> pa.DataType:
    if not isinstance(below, dict):
        return _leaf_type(below, form)
    inside = [pa.field(name, _type(each, form)) for name, each in below.items()]
    if form.fields is not None:
        return pa.struct([pa.field(form.fields, pa.struct(inside))])
    # So that a value is seen where an object should be.
    names = [name for name in form.scalars if name not in below]
    return pa.struct([*inside, *(pa.field(name, _beside(name, form)) for name in names)])


def _beside(name: str, form: Form) -> pa.DataType:
    if name == form.instant:
        return pa.struct([pa.field(_LONG, pa.string())])
    return pa.struct([pa.field("base64", pa.string())]) if name == form.binary else pa.string()


def _leaf_type(type_: pa.DataType, form: Form) -> pa.DataType:
    if _is_instant(type_, form):
        return pa.struct([pa.field(str(form.instant), pa.struct([pa.field(_LONG, _WHOLE)]))])
    wrappers = form.wrappers(type_)
    found = read_as(type_, in_text=bool(wrappers))
    return pa.struct([pa.field(name, found) for name in wrappers]) if wrappers else found


def _is_instant(type_: pa.DataType, form: Form) -> bool:
    return form.instant is not None and pa.types.is_timestamp(type_) and type_.tz is not None


def leaf_of(
    rows: pa.RecordBatch, steps: Sequence[str], type_: pa.DataType, form: Form
) -> tuple[pa.Array, pa.Array | None]:
    """What was read at a path; and of which rows something else may stand there, None: of none."""
    found, doubts = rows.column(steps[0]), []
    for step in steps[1:]:
        if form.fields is not None:
            inside = pc.struct_field(found, form.fields)
            doubts.append(pc.and_(found.is_valid(), inside.is_null()))
            found = inside
        else:
            named = [found.type.field(index).name for index in range(found.type.num_fields)]
            doubts += [pc.struct_field(found, name).is_valid() for name in form.scalars if name in named]
        found = pc.struct_field(found, step)
    if _is_instant(type_, form):
        leaf = pc.struct_field(pc.struct_field(found, str(form.instant)), _LONG)
        inside = pc.and_(pc.greater_equal(leaf, _FIRST), pc.less_equal(leaf, _LAST))
        leaf = pc.if_else(inside, leaf, pa.scalar(None, leaf.type)).cast(pa.int64()).cast(pa.timestamp("ms", "UTC"))
        doubts.append(pc.and_(found.is_valid(), leaf.is_null()))
    elif wrappers := form.wrappers(type_):
        leaf = pc.coalesce(*(pc.struct_field(found, name) for name in wrappers))
        doubts.append(pc.and_(found.is_valid(), leaf.is_null()))
    else:
        leaf = found
    if pa.types.is_decimal(leaf.type):
        doubts.append(_with_exponents(rows.column(TEXT)))
    return leaf, reduce(pc.or_, doubts) if doubts else None


def _with_exponents(documents: pa.Array) -> pa.Array:
    """In which documents a number stands that has an exponent: of it the reader does not count the digits, and makes 0
    of 1e-300 and too large a decimal of 1e16."""
    return pc.fill_null(pc.match_substring_regex(documents, _EXPONENT), False)


def read(documents: pa.Array, schema: pa.Schema) -> pa.RecordBatch | None:
    """A row for each document; None where the reader does not take one of them as it is."""
    if not len(documents) or documents.null_count:
        return None
    # A document that is no object is none of a struct's rows, and of one that is null the reader ends the process.
    if not pc.all(pc.match_substring_regex(documents, _OBJECT)).as_py():
        return None
    text = pc.binary_join(pa.ListArray.from_arrays([0, len(documents)], documents), "\n")[0].as_buffer()
    try:
        found = paj.read_json(
            pa.BufferReader(text),
            read_options=paj.ReadOptions(use_threads=False, block_size=max(64, text.size + 1)),
            parse_options=paj.ParseOptions(
                explicit_schema=schema, newlines_in_values=True, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    # Two values in one text, or none, are no document.
    if found.num_rows != len(documents):
        return None
    return found.combine_chunks().append_column(TEXT, documents).to_batches()[0]
