"""What a target cannot hold, found in the data as it passes, so that a row is refused and never cut or changed.

Guarantees: a value that is too long, outside the warehouse's calendar, or that the driver could not hand over as it
is, is a `RowRefused` that names table, column and key. Works on whole Arrow arrays; a column without a misfit costs
a look at its offsets, and text that may have been changed by the driver one pass over its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from el.errors import RowRefused

REPLACEMENT_CHARACTER = "\ufffd"
FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a warehouse holds at most of one value."""

    text_bytes: int | None = None  # as UTF-8; None: no limit
    binary_bytes: int | None = None  # None: no limit
    calendar: bool = False  # a day is one of 0001-01-01 to 9999-12-31; there is no infinity

    def but(self, text_mb: int | None, binary_mb: int | None) -> Limits:
        """These limits with those that are given, in units of 1,048,576 bytes, in their place."""
        return Limits(
            self.text_bytes if text_mb is None else text_mb * 1024 * 1024,
            self.binary_bytes if binary_mb is None else binary_mb * 1024 * 1024,
            self.calendar,
        )


def refuse_misfits(
    limits: Limits, table: str, name: str, column: pa.Array, keys: Sequence[tuple[str, pa.Array]]
) -> None:
    """Raise `RowRefused` for the first rows of `column` (`name` in raw) that `limits` do not allow.

    keys: the key's columns, of the same rows, each with its name as (name, array).
    """
    found = too_long(column, limits)
    if found is not None:
        text = _is_text(column.type)
        limit, setting = (limits.text_bytes, "text_mb") if text else (limits.binary_bytes, "binary_mb")
        longest = pc.max(pc.binary_length(column)).as_py()
        unit = "bytes as UTF-8" if text else "bytes"
        raise RowRefused(
            f"{table}.{name}: {which_rows(found, keys)} up to {longest:,} {unit}, and the warehouse takes {limit:,}; "
            f"exclude or cast the column, filter the row out, or raise limits.{setting} if your account takes more"
        )
    if limits.calendar and (found := outside_calendar(column)) is not None:
        raise RowRefused(
            f"{table}.{name}: {which_rows(found, keys)} a day outside 0001-01-01 to 9999-12-31, or infinity, which the "
            "warehouse has not; give the column a cast to text, or filter the row out"
        )


def refuse_surrogates(
    table: str, name: str, text: pa.Array, utf16: pa.Array, keys: Sequence[tuple[str, pa.Array]]
) -> None:
    """Raise `RowRefused` for rows whose `text` holds U+FFFD where its UTF-16LE bytes have half of a surrogate pair."""
    found = pc.and_(unpaired_surrogates(utf16), pc.fill_null(pc.match_substring(text, REPLACEMENT_CHARACTER), False))
    if pc.any(found).as_py():
        raise RowRefused(
            f"{table}.{name}: {which_rows(found, keys)} a surrogate without its other half, for which UTF-8 has no "
            "form; give the column a cast to bytes, or filter the row out"
        )


def which_rows(found: pa.Array, keys: Sequence[tuple[str, pa.Array]]) -> str:
    """The rows that `found` marks, for people, by their key: "the row with id = 7 has", at most three of them."""
    indices = pc.indices_nonzero(found.cast(pa.uint8())).to_pylist()
    if not keys:
        return f"{len(indices):,} rows of a table without key have" if len(indices) > 1 else "a row (no key) has"
    shown = [" and ".join(f"{name} = {_shown(array[i].as_py())}" for name, array in keys) for i in indices[:3]]
    more = f" and {len(indices) - 3:,} more of its batch" if len(indices) > 3 else ""
    one = len(indices) == 1
    return f"the {'row' if one else 'rows'} with {'; '.join(shown)}{more} {'has' if one else 'have'}"


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex().upper()}"
    return repr(value) if isinstance(value, str) else str(value)


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def too_long(column: pa.Array, limits: Limits) -> pa.Array | None:
    """Which rows of a text or binary `column` exceed the limit, as booleans (NULL stays NULL); None if no row does."""
    if _is_text(column.type):
        limit = limits.text_bytes
    elif pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        limit = limits.binary_bytes
    else:
        return None
    if limit is None or column.nbytes <= limit:
        return None
    found = pc.greater(pc.binary_length(column), limit)
    return found if pc.any(found).as_py() else None


def outside_calendar(column: pa.Array) -> pa.Array | None:
    """Which rows of a date or timestamp `column` are no day of 0001-01-01 to 9999-12-31; None if all are."""
    if pa.types.is_date32(column.type):
        days, per_day = column.view(pa.int32()), 1
    elif pa.types.is_timestamp(column.type) and column.type.unit == "us":
        days, per_day = column.view(pa.int64()), 86_400_000_000
    else:
        return None
    epoch = date(1970, 1, 1)
    least, beyond = (FIRST_DAY - epoch).days * per_day, ((LAST_DAY - epoch).days + 1) * per_day
    ends = pc.min_max(days)
    if not ends["min"].is_valid or (ends["min"].as_py() >= least and ends["max"].as_py() < beyond):
        return None
    return pc.or_(pc.less(days, least), pc.greater_equal(days, beyond))


def maybe_replaced(column: pa.Array) -> bool:
    """Whether a text `column` holds U+FFFD: it stood in the source, or the driver put it for an unpaired surrogate.

    `unpaired_surrogates` of the same rows, read with `TypeMapping.exact_bytes`, tells which.
    """
    if not _is_text(column.type) or not len(column):
        return False
    _, offsets, data = column.buffers()
    if data is None:
        return False
    ends = np.frombuffer(offsets, np.int32 if pa.types.is_string(column.type) else np.int64)[
        column.offset : column.offset + len(column) + 1
    ]
    octets = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    # U+FFFD is EF BF BD: most text is ASCII, or has no EF, which one pass tells 50 and 10 times as fast as a search.
    if not octets.size or octets.view(np.int8).min() >= 0 or not (octets == 0xEF).any():
        return False
    return bool(pc.any(pc.match_substring(column, REPLACEMENT_CHARACTER)).as_py())


def unpaired_surrogates(column: pa.Array) -> pa.Array:
    """Which rows of `column`, text as UTF-16LE bytes, hold a surrogate without its other half (NULL: false)."""
    plain = column.cast(pa.large_binary()).fill_null(b"")
    offsets = np.frombuffer(plain.buffers()[1], np.int64)[plain.offset : plain.offset + len(plain) + 1] // 2
    data = plain.buffers()[2]
    units = np.frombuffer(data, "<u2", count=int(offsets[-1])) if data is not None else np.empty(0, "<u2")
    high, low = (units & 0xFC00) == 0xD800, (units & 0xFC00) == 0xDC00
    begins = np.zeros(len(units) + 1, bool)
    begins[offsets[:-1]] = True
    # A pair is of one row: the second half must not begin the next.
    first_half, second_half = np.zeros_like(high), np.zeros_like(low)
    first_half[:-1] = high[:-1] & low[1:] & ~begins[1 : len(units)]
    second_half[1:] = first_half[:-1]
    broken = (high & ~first_half) | (low & ~second_half)
    before = np.concatenate(([0], np.cumsum(broken)))
    return pa.array(before[offsets[1:]] > before[offsets[:-1]])
