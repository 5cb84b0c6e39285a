"""A row as one text, and of it a number, alike in each warehouse: what Snowflake sums up is what DuckDB sums up here.

Of a value the text says its length in characters and itself, so that no two rows have one text; NULL is "-". The
number is the lower half of the text's MD5, big endian: Snowflake's MD5_NUMBER_LOWER64 ("MD5_NUMBER_LOWER64", Snowflake
documentation); DuckDB's function of that name is little endian, and another number. A column whose text the two do not
write alike, as of floats, has none here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import types as of


@dataclass(frozen=True, slots=True)
class Canonical:
    """How one engine writes it. forms: by kind of type, the text of {column}."""

    forms: Mapping[str, str]
    size: str  # of {text}, in characters
    number: str  # of {text}

    def value(self, column: str, type_: pa.DataType) -> str | None:
        """The text of a value with its length; None for a type without."""
        form = self.forms.get(_kind(type_))
        if form is None:
            return None
        text = form.replace("{column}", column)
        return f"COALESCE({self.size.replace('{text}', text)} || ':' || {text}, '-')"

    def row(self, columns: Sequence[str], types: Sequence[pa.DataType]) -> str | None:
        """The number of a row of these columns; None where a type has no text."""
        parts = [self.value(column, type_) for column, type_ in zip(columns, types, strict=True)]
        known = [part for part in parts if part is not None]
        return self.number.replace("{text}", " || ".join(known)) if known and len(known) == len(parts) else None


def _kind(type_: pa.DataType) -> str:
    if of.is_integer(type_):
        return "whole"
    if of.is_timestamp(type_):
        return "moment" if type_.tz is None else "instant"
    tests = (
        ("decimal", of.is_decimal),
        ("bool", of.is_boolean),
        ("date", of.is_date),
        ("time", of.is_time),
        ("text", of.is_string),
        ("text", of.is_large_string),
        ("bytes", of.is_binary),
        ("bytes", of.is_large_binary),
    )
    return next((kind for kind, test in tests if test(type_)), "")


DUCKDB = Canonical(
    {
        "whole": "CAST({column} AS VARCHAR)",
        "decimal": "CAST({column} AS VARCHAR)",
        "bool": "CAST({column} AS VARCHAR)",
        "text": "CAST({column} AS VARCHAR)",
        "bytes": "hex({column})",
        "date": "strftime({column}, '%Y-%m-%d')",
        "time": "strftime(DATE '2000-01-01' + {column}, '%H:%M:%S.%f')",
        "moment": "strftime({column}, '%Y-%m-%d %H:%M:%S.%f')",
        "instant": "strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')",
    },
    size="length({text})",
    number="CAST('0x' || substr(md5({text}), 17) AS UBIGINT)",
)
SNOWFLAKE = Canonical(
    {
        "whole": "TO_VARCHAR({column})",
        "decimal": "TO_VARCHAR({column})",
        "bool": "TO_VARCHAR({column})",
        "text": "{column}",
        "bytes": "HEX_ENCODE({column})",
        "date": "TO_VARCHAR({column}, 'YYYY-MM-DD')",
        "time": "TO_VARCHAR({column}, 'HH24:MI:SS.FF6')",
        "moment": "TO_VARCHAR({column}, 'YYYY-MM-DD HH24:MI:SS.FF6')",
        "instant": "TO_VARCHAR(CONVERT_TIMEZONE('UTC', {column}), 'YYYY-MM-DD HH24:MI:SS.FF6')",
    },
    size="LENGTH({text})",
    number="MD5_NUMBER_LOWER64({text})",
)
