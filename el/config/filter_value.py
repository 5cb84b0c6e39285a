"""The value of a filter as the column's type takes it: the text that was written, or a refusal.

Guarantee: nothing between el.yml and the comparison changes the value. What the database would cut, round, or read in
more ways than one (01/02/2024, 010) is a `PlanError` that names table and column, before anything is compared.
"""

from __future__ import annotations

import re

from el.connectors.catalog import Column, TableName
from el.connectors.request import Value
from el.errors import PlanError
from el.types.rule import TypeFacts, TypeKind

_WHOLE = r"-?(0|[1-9]\d*)"
_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
_BOTH = rf"{_DAY}([ T]{_CLOCK})?"

# What a value of a kind looks like, and how that is said.
_FORMS: dict[TypeKind, tuple[str, str]] = {
    TypeKind.WHOLE: (_WHOLE, "a whole number in plain digits"),
    TypeKind.DECIMAL: (rf"{_WHOLE}(\.\d+)?", "a number in plain digits"),
    TypeKind.FLOAT: (rf"{_WHOLE}(\.\d+)?([eE][+-]?\d+)?", "a number"),
    TypeKind.BOOL: (r"(?i:true|false)|[01]", "true, false, 1 or 0"),
    TypeKind.BITS: (r"[01]+", "digits 0 and 1"),
    TypeKind.DATE: (_DAY, "a day such as 2024-01-31"),
    TypeKind.TIME: (_CLOCK, "a time such as 12:30:00"),
    TypeKind.MOMENT: (_BOTH, "a time such as 2024-01-31 12:30:00"),
    TypeKind.INSTANT: (rf"{_BOTH}( ?(Z|[+-]\d{{2}}:\d{{2}}))?", "a time such as 2024-01-31 12:30:00+01:00"),
}


def filter_value(table: TableName, column: Column, facts: TypeFacts, text: str) -> Value:
    """`text` as a value of the column, of whose type `facts` are known.

    Raises `PlanError` where the database would make another one of it.
    """
    type_ = column.type
    where = f"{table}.{column.name}: the filter's value {text!r}"
    form = _FORMS.get(facts.kind)
    if form is not None and not re.fullmatch(form[0], text):
        raise PlanError(f"{where} is not what a {type_} is compared with: write {form[1]}")
    fraction = re.search(r"\.(\d*?)0*(?![\d.])", text) if form is not None else None
    most = facts.scale
    if fraction is not None and most is not None and len(fraction[1]) > most:
        raise PlanError(f"{where} has {len(fraction[1])} digits after the point, and a {type_} has {most}")
    if type_.length is not None and 0 <= type_.length < _length(facts, text):
        raise PlanError(f"{where} is longer than a {type_}: it would be cut before it is compared")
    return Value(text.replace(" ", "T", 1) if facts.kind is TypeKind.MOMENT else text, type_)


def _length(facts: TypeFacts, text: str) -> int:
    """How long a text is, as the type counts it; 0 for a type whose length is no limit of its values' text."""
    if facts.kind is TypeKind.BYTES:
        return len(text.removeprefix("0x")) // 2
    if facts.kind is not TypeKind.TEXT:
        return 0
    return len(text.encode("utf-16-le")) // 2 if facts.utf16 else len(text)
