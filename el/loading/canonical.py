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

from el.extraction.digest import TEXTS, filled, kind_of


@dataclass(frozen=True, slots=True)
class Canonical:
    """How one engine writes it. forms: by kind of type, the text of {column}."""

    forms: Mapping[str, str]
    size: str  # of {text}, in characters
    number: str  # of {text}

    def value(self, column: str, type_: pa.DataType) -> str | None:
        """The text of a value with its length; None for a type without."""
        form = self.forms.get(kind_of(type_))
        if form is None:
            return None
        text = filled(form, column, type_)
        return f"COALESCE({self.size.replace('{text}', text)} || ':' || {text}, '-')"

    def row(self, columns: Sequence[str], types: Sequence[pa.DataType]) -> str | None:
        """The number of a row of these columns; None where a type has no text."""
        parts = [self.value(column, type_) for column, type_ in zip(columns, types, strict=True)]
        known = [part for part in parts if part is not None]
        if not known or len(known) != len(parts):
            return None
        # As operators, DuckDB makes a text of each two of them.
        return self.number.replace("{text}", f"CONCAT({', '.join(known)})")


DUCKDB = Canonical(
    TEXTS,
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
