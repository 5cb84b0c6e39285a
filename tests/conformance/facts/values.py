"""Edge values, and the types that every SQL database has."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa

from tests.conformance.facts.contract import Held

TEXTS = (
    "",
    " ",
    "trailing blanks  ",
    "'quotes' \"double\" `back`",
    "line\nbreak\r\nand\ttab",
    "back\\slash \\n \\0",
    "100% ? :name {brace} [x] -- ; /* */",
    "Zoë Straße",
    "日本語 العربية",
    "😀👩‍👩‍👧 𝄞",
    "x" * 5000,
)
SHORT = tuple(text for text in TEXTS if len(text) < 100)
INT64 = (-(2**63), -1, 0, 1, 2**63 - 1)
FLOATS = (0.0, -0.0, 1.7976931348623157e308, -1.7976931348623157e308, 2.2250738585072014e-308, 0.1, 1 / 3)
SINGLES = (0.0, -0.0, 3.4028234663852886e38, -3.4028234663852886e38, 1.1754943508222875e-38, 0.5)
NOT_NUMBERS = (float("nan"), float("inf"), float("-inf"))
DAYS = (date(1, 1, 1), date(1582, 10, 15), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31))
MOMENTS = (datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(9999, 12, 31, 23, 59, 59, 999999))
INSTANTS = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC))
TIMES = (time(0), time(12, 30, 15, 123456), time(23, 59, 59, 999999))
BYTES = (b"", b"\x00", b"\x00\xff\x00", bytes(range(256)))
NINES = "99999999999999999999999999999999999999"


def decimals(precision: int, scale: int) -> tuple[Decimal, ...]:
    # Made of text: arithmetic would round to 28 digits.
    most = Decimal(f"{NINES[:precision]}E-{scale}")
    return (most, most.copy_negate(), Decimal(0), Decimal(f"1E-{scale}"))


COMMON = (
    Held("DECIMAL(38,10)", pa.decimal128(38, 10), decimals(38, 10)),
    Held("DECIMAL(38,0)", pa.decimal128(38, 0), decimals(38, 0)),
    Held("DECIMAL(5,2)", pa.decimal128(5, 2), decimals(5, 2)),
    Held("DATE", pa.date32(), DAYS),
)
