"""The fields that el.yml promotes, out of a batch of documents, column by column.

Arrow's JSON reader does it, which makes decimals of the digits that stand there: DuckDB's JSON functions give a number
by way of a float. What it does not take (a field of two types, a name that stands twice) is looked at value by
value, in small pieces around the place.

Guarantee: a value arrives with all its digits, or it is NULL and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.documents.forms import PLAIN, Form
from el.connectors.documents.reading import Tree, leaf_of, read, schema_of
from el.connectors.documents.text import Misplaced
from el.connectors.documents.values import DAY, MOMENT, ZONE, value_of
from el.connectors.misfits import Misfits

# Documents that are read at once; where one of them is not taken so, of them so many; then one by one.
_PIECES = (65_536, 2_048, 64)
_EXACT = Context(prec=80)
KeyOf = Callable[[int], str]


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
    form: Form = PLAIN

    def of(self, documents: pa.Array, key_of: KeyOf) -> dict[str, pa.Array]:
        """A column for each field."""
        found = {field.column: self._one_by_one(documents, field, key_of) for field in self.fields if field.part}
        for group, tree in _trees([field for field in self.fields if not field.part]):
            pieces = self._pieces(documents, group, tree, key_of)
            for field, parts in zip(group, pieces, strict=True):
                found[field.column] = pa.chunked_array(parts, field.type).combine_chunks()
        return found

    def _pieces(self, documents: pa.Array, group: Sequence[Field], tree: Tree, key_of: KeyOf) -> list[list[pa.Array]]:
        """The columns of these documents, each in pieces."""
        size = next((size for size in _PIECES if size < len(documents)), 0)
        if size != _PIECES[0]:
            for form in self._forms(group):
                rows = read(documents, schema_of(tree, form))
                if rows is not None:
                    return [[self._finished(rows, documents, field, key_of, form)] for field in group]
            if len(group) > 1:
                # So that one of which the documents have two types does not make the others slow.
                alone = _trees(group, together=False)
                return [self._pieces(documents, some, below, key_of)[0] for some, below in alone]
        if not size:
            return [[self._one_by_one(documents, field, key_of)] for field in group]
        found: list[list[pa.Array]] = [[] for _ in group]
        for begin in range(0, len(documents), size):
            part = self._pieces(documents.slice(begin, size), group, tree, _behind(key_of, begin))
            for pieces, more in zip(found, part, strict=True):
                pieces += more
        return found

    def _forms(self, group: Sequence[Field]) -> list[Form]:
        """How the values of these fields may be written: where text is wanted, an id under its name is one too."""
        if self.form.text is not None or not self.form.ids or not pa.types.is_string(group[0].type) or len(group) > 1:
            return [self.form]
        return [self.form, replace(self.form, text=self.form.ids[0])]

    def _one_by_one(self, documents: pa.Array, field: Field, key_of: KeyOf) -> pa.Array:
        values: list[Any] = []
        for row, document in enumerate(documents):
            value = None
            try:
                token = self.form.located(document.as_py(), field.steps) if document.is_valid else None
                if token is not None and not field.part:
                    token = self.form.plain(token)
                if token is not None:
                    value = token if field.part else value_of(token, field.type)
            except Misplaced as error:
                self.misfits.add(field.column, 1, str(error), key_of(row))
            values.append(value)
        return pa.array(values, field.type)

    def _finished(self, rows: pa.RecordBatch, documents: pa.Array, field: Field, key_of: KeyOf, form: Form) -> pa.Array:
        """What was read as the declared type; what is in doubt, value by value."""
        leaf, doubt = leaf_of(rows, field.steps, field.type, form)
        wanted = _written(field.type)
        if wanted is not None and pa.types.is_string(leaf.type):
            differs = pc.invert(pc.fill_null(pc.match_substring_regex(leaf, f"^({wanted})$"), True))
            doubt = differs if doubt is None else pc.or_(doubt, differs)
        if doubt is not None and pc.any(doubt, min_count=0).as_py():
            leaf = pc.if_else(doubt, pa.scalar(None, leaf.type), leaf)
        else:
            doubt = None
        try:
            found = leaf.cast(field.type)
        except pa.ArrowInvalid:
            return self._one_by_one(documents, field, key_of)
        beyond = _beyond(found)
        if beyond is not None and pc.any(beyond, min_count=0).as_py():
            doubt = beyond if doubt is None else pc.or_(doubt, beyond)
            found = pc.if_else(beyond, pa.scalar(None, found.type), found)
        if doubt is None:
            return found
        places = pc.indices_nonzero(doubt).to_pylist()
        again = self._one_by_one(documents.take(places), field, lambda row: key_of(places[row]))
        return pc.replace_with_mask(found, doubt, again)


def _beyond(found: pa.Array) -> pa.Array | None:
    """Which values Arrow takes that do not fit: floats that became infinite, decimals with a digit too many in front of
    zeros, moments outside the years 1 to 9999."""
    if pa.types.is_floating(found.type):
        return pc.fill_null(pc.is_inf(found), False)
    if pa.types.is_decimal(found.type):
        largest = Decimal(10**found.type.precision - 1).scaleb(-found.type.scale, _EXACT)
        return pc.fill_null(pc.greater(pc.abs(found), pa.scalar(largest, found.type)), False)
    if not (pa.types.is_date(found.type) or pa.types.is_timestamp(found.type)):
        return None
    first, last = date.min, date.max
    if pa.types.is_timestamp(found.type):
        zone = UTC if found.type.tz is not None else None
        first, last = datetime.min.replace(tzinfo=zone), datetime.max.replace(tzinfo=zone)
    outside = pc.or_(pc.less(found, pa.scalar(first, found.type)), pc.greater(found, pa.scalar(last, found.type)))
    return pc.fill_null(outside, False)


def _behind(key_of: KeyOf, begin: int) -> KeyOf:
    return lambda row: key_of(begin + row)


def _trees(fields: Sequence[Field], *, together: bool = True) -> list[tuple[list[Field], Tree]]:
    """The fields in as few readings as can be: none may lie inside another one, or be read as two types. Not together:
    each in one of its own."""
    found: list[tuple[list[Field], Tree]] = []
    for field in fields:
        if not together or not any(_put(tree, field, group) for group, tree in found):
            tree: Tree = {}
            group: list[Field] = []
            _put(tree, field, group)
            found.append((group, tree))
    return found


def _put(tree: Tree, field: Field, group: list[Field]) -> bool:
    at: Any = tree
    for step in field.steps[:-1]:
        if not isinstance(at.get(step, {}), dict):
            return False
        at = at.get(step, {})
    wanted = field.type
    if at.get(field.steps[-1], wanted) != wanted:
        return False
    at = tree
    for step in field.steps[:-1]:
        at = at.setdefault(step, {})
    at[field.steps[-1]] = wanted
    group.append(field)
    return True


def _written(type_: pa.DataType) -> str | None:
    if pa.types.is_date(type_):
        return DAY
    if pa.types.is_timestamp(type_):
        return MOMENT + ZONE if type_.tz is not None else MOMENT
    return None
