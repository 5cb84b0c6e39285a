"""The column types of a table that a write makes: each holds every value of an Arrow type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import types as of

_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


@dataclass(frozen=True, slots=True)
class ColumnTypes:
    """A database's types. plain: by Arrow's name of the type. The others are texts with {precision}, {scale}, {digits}.

    digits: of a second, the most that there are. A time with more of them is compared as every other value is.
    """

    plain: Mapping[str, str]
    decimal: str
    time: str
    moment: str
    instant: str
    digits: int
    precision: int = 38
    scale: int = 38
    # Type -> how a parameter becomes one of it, where CAST does not take its name.
    casts: Mapping[str, str] = field(default_factory=dict)

    def cast(self, type_: str) -> str:
        """The SQL in which `?` stands for a value of a type of these."""
        return self.casts.get(type_, f"CAST(? AS {type_})")

    def of(self, type_: pa.DataType) -> str | None:
        """The type, in SQL, for an Arrow type; None where there is none."""
        if of.is_decimal(type_):
            fits = type_.precision <= self.precision and 0 <= type_.scale <= min(self.scale, type_.precision)
            return self.decimal.format(precision=type_.precision, scale=type_.scale) if fits else None
        if of.is_timestamp(type_) or of.is_time(type_):
            text = self.time if of.is_time(type_) else self.moment if type_.tz is None else self.instant
            return text.format(digits=min(_DIGITS[type_.unit], self.digits))
        if of.is_fixed_size_binary(type_):
            type_ = pa.binary()
        return self.plain.get(str(type_))
