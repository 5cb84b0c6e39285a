"""What a target cannot hold, found in the data as it passes, so that a row is refused and never cut or changed.

Works on whole Arrow arrays; a column without a misfit costs one look at its offsets, and one search where its text
may have been changed by the driver.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Snowflake documentation, "String & binary data types": the defaults of VARCHAR and BINARY.
SNOWFLAKE_TEXT_BYTES = 16 * 1024 * 1024
SNOWFLAKE_BINARY_BYTES = 8 * 1024 * 1024
REPLACEMENT_CHARACTER = "\ufffd"


def too_long(
    column: pa.Array, text_bytes: int = SNOWFLAKE_TEXT_BYTES, binary_bytes: int = SNOWFLAKE_BINARY_BYTES
) -> pa.Array | None:
    """Which rows of a text or binary `column` exceed the limit, as booleans (NULL stays NULL); None if no row does.

    text_bytes: as UTF-8. An account with larger limits gives its own.
    """
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        limit = text_bytes
    elif pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        limit = binary_bytes
    else:
        return None
    if column.nbytes <= limit:
        return None
    found = pc.greater(pc.binary_length(column), limit)
    return found if pc.any(found).as_py() else None


def maybe_replaced(column: pa.Array) -> bool:
    """Whether a text `column` holds U+FFFD: it stood in the source, or the driver put it for an unpaired surrogate.

    `unpaired_surrogates` of the same rows, read with `Carried.exact_bytes`, tells which.
    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
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
