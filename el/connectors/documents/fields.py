"""The fields that el.yml promotes, out of a batch of documents, column by column.

Arrow's JSON reader does it, which makes decimals of the digits that stand there: DuckDB's JSON functions give a number
by way of a float. What it does not take (a field of two types, a name that stands twice) is looked at value by
value, in small pieces around the place.

Guarantee: a value arrives with all its digits, or it is NULL and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as paj

from el.connectors.documents.text import Misplaced, located
from el.connectors.documents.values import DAY, MOMENT, ZONE, value_of
from el.connectors.misfits import Misfits

# Documents that are read at once; where one of them is not taken so, of them so many; then one by one.
_PIECES = (65_536, 2_048, 64)
_WHOLE = pa.decimal128(38, 0)
_Tree = dict[str, Any]  # a name -> another tree, or the type that is read there


@dataclass(frozen=True, slots=True)
class Field:
    """A promoted field. part: it is taken as the JSON text that stands there."""

    column: str
    steps: tuple[str, ...]
    type: pa.DataType
    part: bool = False


@dataclass(frozen=True, slots=True)
class Promotion:
    """Takes fields out of documents. `key_of` names a document by its place in the batch."""

    fields: tuple[Field, ...]
    misfits: Misfits

    def of(self, documents: pa.Array, key_of: Callable[[int], str]) -> dict[str, pa.Array]:
        """A column for each field."""
        found = {field.column: self._one_by_one(documents, 0, field, key_of) for field in self.fields if field.part}
        for group, tree in _trees([field for field in self.fields if not field.part]):
            pieces = self._pieces(documents, 0, group, tree, key_of)
            for field, parts in zip(group, pieces, strict=True):
                found[field.column] = pa.chunked_array(parts, field.type).combine_chunks()
        return found

    def _pieces(
        self, documents: pa.Array, at: int, group: Sequence[Field], tree: _Tree, key_of: Callable[[int], str]
    ) -> list[list[pa.Array]]:
        """The columns of these documents, each in pieces; `at` is the place of the first one in the batch."""
        size = next((size for size in _PIECES if size < len(documents)), 0) if len(documents) > _PIECES[0] else 0
        rows = None if size else _read(documents, tree)
        if rows is not None:
            return [[self._finished(_leaf(rows, f.steps), documents, at, f, key_of)] for f in group]
        size = size or next((size for size in _PIECES if size < len(documents)), 0)
        if not size:
            return [[self._one_by_one(documents, at, field, key_of)] for field in group]
        found: list[list[pa.Array]] = [[] for _ in group]
        for begin in range(0, len(documents), size):
            part = self._pieces(documents.slice(begin, size), at + begin, group, tree, key_of)
            for pieces, more in zip(found, part, strict=True):
                pieces += more
        return found

    def _one_by_one(self, documents: pa.Array, at: int, field: Field, key_of: Callable[[int], str]) -> pa.Array:
        values: list[Any] = []
        for row, document in enumerate(documents):
            token, value = None, None
            try:
                token = located(document.as_py(), field.steps) if document.is_valid else None
                if token is not None:
                    value = token if field.part else value_of(token, field.type)
            except Misplaced as error:
                self.misfits.add(field.column, 1, str(error), key_of(at + row))
            values.append(value)
        return pa.array(values, field.type)

    def _finished(
        self, leaf: pa.Array, documents: pa.Array, at: int, field: Field, key_of: Callable[[int], str]
    ) -> pa.Array:
        """What was read as the declared type; where Arrow's own casts take more than that, value by value."""
        form = _form(field.type)
        if form is not None and not pc.all(pc.match_substring_regex(leaf, f"^({form})$"), min_count=0).as_py():
            return self._one_by_one(documents, at, field, key_of)
        try:
            return leaf.cast(field.type)
        except pa.ArrowInvalid:
            return self._one_by_one(documents, at, field, key_of)


def _trees(fields: Sequence[Field]) -> list[tuple[list[Field], _Tree]]:
    """The fields in as few readings as can be: none may lie inside another one, or be read as two types."""
    found: list[tuple[list[Field], _Tree]] = []
    for field in fields:
        if not any(_put(tree, field, group) for group, tree in found):
            tree: _Tree = {}
            group: list[Field] = []
            _put(tree, field, group)
            found.append((group, tree))
    return found


def _put(tree: _Tree, field: Field, group: list[Field]) -> bool:
    at: Any = tree
    for step in field.steps[:-1]:
        if not isinstance(at.get(step, {}), dict):
            return False
        at = at.get(step, {})
    wanted = _read_as(field.type)
    if at.get(field.steps[-1], wanted) != wanted:
        return False
    at = tree
    for step in field.steps[:-1]:
        at = at.setdefault(step, {})
    at[field.steps[-1]] = wanted
    group.append(field)
    return True


def _read_as(type_: pa.DataType) -> pa.DataType:
    """What the reader makes of it. As a decimal it takes numbers and numbers in text; times are told by their form."""
    if pa.types.is_integer(type_):
        return _WHOLE
    if pa.types.is_decimal(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_):
        return type_
    return pa.string()


def _form(type_: pa.DataType) -> str | None:
    if pa.types.is_date(type_):
        return DAY
    if pa.types.is_timestamp(type_):
        return MOMENT + ZONE if type_.tz is not None else MOMENT
    return None


def _struct(tree: _Tree) -> list[pa.Field]:
    return [
        pa.field(name, pa.struct(_struct(below)) if isinstance(below, dict) else below) for name, below in tree.items()
    ]


def _read(documents: pa.Array, tree: _Tree) -> pa.RecordBatch | None:
    """A row for each document; None where the reader does not take one of them as it is."""
    if not len(documents) or documents.null_count:
        return None
    text = pc.binary_join(pa.ListArray.from_arrays([0, len(documents)], documents), "\n")[0].as_buffer()
    try:
        found = paj.read_json(
            pa.BufferReader(text),
            read_options=paj.ReadOptions(use_threads=False, block_size=max(64, text.size + 1)),
            parse_options=paj.ParseOptions(
                explicit_schema=pa.schema(_struct(tree)), newlines_in_values=True, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    # Two values in one text, or none, are no document.
    return found.combine_chunks().to_batches()[0] if found.num_rows == len(documents) else None


def _leaf(rows: pa.RecordBatch, steps: Sequence[str]) -> pa.Array:
    found = rows.column(steps[0])
    for step in steps[1:]:
        found = pc.struct_field(found, step)
    return found
