"""The value of a filter as the column's type takes it: the text that was written, or a refusal.

Guarantee: nothing between el.yml and the comparison changes the value. What the database would cut, round, or read in
more ways than one (01/02/2024, 010) is a `PlanError` that names table and column, before anything is compared.
"""

from __future__ import annotations

import re

from el.connectors.catalog import Column, TableName
from el.connectors.request import Value
from el.errors import PlanError

_WHOLE = r"-?(0|[1-9]\d*)"
_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
_BOTH = rf"{_DAY}([ T]{_CLOCK})?"

_WHOLE_NUMBERS = (
    *("tinyint", "smallint", "int", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint", "bignum"),
)
_DECIMALS = ("decimal", "numeric", "money", "smallmoney")
_CLOCKS = ("time", "time_ns")
_TIMES = ("datetime", "datetime2", "smalldatetime", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns")
_OFFSETS = ("datetimeoffset", "timestamp with time zone")

# type name -> what a value looks like, and how that is said.
_FORMS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(_WHOLE_NUMBERS, (_WHOLE, "a whole number in plain digits")),
    **dict.fromkeys(_DECIMALS, (rf"{_WHOLE}(\.\d+)?", "a number in plain digits")),
    **dict.fromkeys(("float", "real", "double"), (rf"{_WHOLE}(\.\d+)?([eE][+-]?\d+)?", "a number")),
    **dict.fromkeys(("bit", "boolean"), (r"(?i:true|false)|[01]+", "true, false, 1 or 0")),
    "date": (_DAY, "a day such as 2024-01-31"),
    **dict.fromkeys(_CLOCKS, (_CLOCK, "a time such as 12:30:00")),
    **dict.fromkeys(_TIMES, (_BOTH, "a time such as 2024-01-31 12:30:00")),
    **dict.fromkeys(_OFFSETS, (rf"{_BOTH}( ?(Z|[+-]\d{{2}}:\d{{2}}))?", "a time such as 2024-01-31 12:30:00+01:00")),
}
_TEXTS = ("char", "nchar", "varchar", "nvarchar", "binary", "varbinary")
_DIGITS = {"money": 4, "smallmoney": 4, "datetime": 3, "smalldatetime": 0, "timestamp_s": 0, "timestamp_ms": 3}


def filter_value(table: TableName, column: Column, text: str) -> Value:
    """`text` as a value of the column. Raises `PlanError` where the database would make another one of it."""
    type_ = column.type
    where = f"{table}.{column.name}: the filter's value {text!r}"
    form = _FORMS.get(type_.name)
    if form is not None and not re.fullmatch(form[0], text):
        raise PlanError(f"{where} is not what a {type_} is compared with: write {form[1]}")
    fraction = re.search(r"\.(\d*?)0*(?![\d.])", text) if form is not None else None
    most = _DIGITS.get(type_.name, type_.scale)
    if fraction is not None and most is not None and len(fraction[1]) > most:
        raise PlanError(f"{where} has {len(fraction[1])} digits after the point, and a {type_} has {most}")
    if type_.name in _TEXTS and type_.length is not None and 0 <= type_.length < _length(type_.name, text):
        raise PlanError(f"{where} is longer than a {type_}: it would be cut before it is compared")
    return Value(text.replace(" ", "T", 1) if type_.name in _TIMES else text, type_)


def _length(type_: str, text: str) -> int:
    if type_.endswith("binary"):
        return len(text.removeprefix("0x")) // 2
    return len(text.encode("utf-16-le")) // 2 if type_.startswith("n") else len(text)
