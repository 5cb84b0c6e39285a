"""`_el_position`: a source position as text that compares as the source orders it.

Guarantee: for two values a < b of one column, text(a) < text(b), compared byte by byte. Computed by columns, with no
Python object per value.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_HEX = np.frombuffer(b"0123456789ABCDEF", dtype=np.uint8)


def sortable(values: pa.Array) -> pa.Array:
    """Text (pa.string) of the same length, NULL where the value is NULL.

    Binary of one width becomes upper-case hex; whole numbers and decimals a sign and zero-padded digits; dates and
    times ISO 8601, of one width within a column, years of more than four digits behind a "Y" and zeros; floats the hex
    of their order-preserving bits; text stays.
    """
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_large_string(kind):
        return values.cast(pa.string())
    if pa.types.is_fixed_size_binary(kind):
        return _binary(values, kind.byte_width)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        lengths = pc.unique(pc.binary_length(values.drop_null())).to_pylist()
        if len(lengths) > 1:
            raise ValueError("binary positions must all have one width")
        return _binary(values, lengths[0] if lengths else 8)
    if pa.types.is_integer(kind):
        return _number(values.cast(pa.decimal128(38, 0)))
    if pa.types.is_decimal(kind):
        return _number(values.cast(pa.decimal128(38, kind.scale)))
    if pa.types.is_floating(kind):
        return _float(values.cast(pa.float64()))
    if pa.types.is_temporal(kind):
        return _moment(values)
    raise ValueError(f"a column of type {kind} has no order that text can keep")


def _moment(values: pa.Array) -> pa.Array:
    text = values.cast(pa.string())
    far = pc.match_substring_regex(text, r"^\d{5,}-")
    if not pc.any(far).as_py():
        return text
    return pc.if_else(far, pc.binary_join_element_wise("Y", pc.utf8_lpad(text, 40, "0"), ""), text)


def _number(values: pa.Array) -> pa.Array:
    """Sign and padded digits; a negative number's digits are taken from nine, so that they grow with its value."""
    width = 40
    # One column has one scale: its unscaled whole numbers are in the same order, and print without an exponent.
    whole = pa.Array.from_buffers(pa.decimal128(38, 0), len(values), values.buffers(), offset=values.offset)
    filled = pc.fill_null(whole, pa.scalar(0).cast(whole.type))
    padded = pc.utf8_lpad(pc.abs(filled).cast(pa.string()), width, "0")
    letters = _letters(padded, width)
    negative = pc.less(filled, pa.scalar(0).cast(whole.type)).to_numpy(zero_copy_only=False)[:, None]
    letters = np.where(negative, ord("0") + ord("9") - letters, letters)
    letters[:, 0] = np.where(negative[:, 0], ord("-"), ord("0"))
    return _text(letters, values)


def _float(values: pa.Array) -> pa.Array:
    bits = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False).view(np.uint64)
    sign = np.uint64(1) << np.uint64(63)
    ordered = np.where(bits & sign, ~bits, bits | sign).astype(">u8")
    return _text(_hex(np.frombuffer(ordered.tobytes(), dtype=np.uint8).reshape(-1, 8)), values)


def _binary(values: pa.Array, width: int) -> pa.Array:
    filled = pc.fill_null(values, b"\x00" * width).cast(pa.binary(width))
    return _text(_hex(_letters(filled, width)), values)


def _letters(values: pa.Array, width: int) -> np.ndarray:
    """The bytes of a column whose values all have one width, as a matrix (rows, width)."""
    start = values.offset * width
    raw = np.frombuffer(values.buffers()[-1] or b"", dtype=np.uint8)
    return raw[start : start + len(values) * width].reshape(len(values), width).copy()


def _hex(raw: np.ndarray) -> np.ndarray:
    return _HEX[np.stack([raw >> 4, raw & 15], axis=2)].reshape(len(raw), -1)


def _text(letters: np.ndarray, values: pa.Array) -> pa.Array:
    """A matrix of ASCII letters (rows, width) as text, NULL where `values` is."""
    rows, width = letters.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    data = np.ascontiguousarray(letters, dtype=np.uint8)
    text = pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return pc.if_else(values.is_valid(), text, None) if values.null_count else text
