"""Values of one type in many documents, as texts: by numpy and Arrow where that is exact, else one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.documents.text import quoted
from el.connectors.mongodb.extended import binary, decimal, double, is_canonical_decimal

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_SPECIAL = r'["\\\x00-\x1f]'
_PLAIN_NAN = 0x7FF8000000000000
_HEX = np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)
# Digits behind the point up to which a decimal has no exponent, whatever its value.
_PLAIN_DIGITS = 6


class Bytes:
    """Documents one after another, and what stands in them anywhere."""

    def __init__(self, whole: bytes) -> None:
        self.whole = whole
        # So that eight bytes can be read anywhere.
        self.padded = whole + bytes(8)
        self.bytes = np.frombuffer(self.padded, np.uint8)
        size = len(self.padded)
        self._ints = np.ndarray((size - 3,), "<i4", self.padded, strides=(1,))
        self._longs = np.ndarray((size - 7,), "<i8", self.padded, strides=(1,))

    def ints(self, at: Ints) -> Ints:
        return self._ints[at].astype(np.int64)

    def longs(self, at: Ints) -> Ints:
        return self._longs[at]

    def begin_with(self, at: Ints, wanted: bytes) -> Bools:
        """Where just these bytes stand."""
        same = np.ones(len(at), np.bool_)
        for begin in range(0, len(wanted), 8):
            part = wanted[begin : begin + 8]
            mask = np.int64((1 << (8 * len(part))) - 1) if len(part) < 8 else np.int64(-1)
            places = np.minimum(at + begin, len(self.padded) - 8)
            same &= (self._longs[places] & mask) == np.int64(
                int.from_bytes(part.ljust(8, b"\0"), "little", signed=True)
            )
        return same

    def texts(self, begin: Ints, end: Ints) -> pa.BinaryArray:
        return self.stretches(pa.py_buffer(self.padded), begin, end).cast(pa.binary())

    @staticmethod
    def stretches(buffer: pa.Buffer, begin: Ints, end: Ints) -> pa.StringArray:
        """Parts of a buffer that stand one behind another; an empty one may begin anywhere."""
        ascending = np.maximum.accumulate(np.stack([begin, end], 1).reshape(-1)).astype(np.int32)
        every = pa.Array.from_buffers(pa.string(), 2 * len(begin) - 1, [None, pa.py_buffer(ascending), buffer])
        return every.take(pa.array(np.arange(0, 2 * len(begin) - 1, 2)))


@dataclass(slots=True)
class Values:
    """before, after: what stands in front of each text and behind it. left: which cannot be told here."""

    sizes: Ints | int
    before: str
    texts: pa.StringArray | None = None
    after: str = ""
    doubt: Bools | None = None
    left: Bools | None = None


def _constant(text: str) -> Callable[[Bytes, Ints], Values]:
    return lambda data, at: Values(0, text)


def _ints(data: Bytes, at: Ints) -> Values:
    return Values(4, '{"$numberInt":"', pa.array(data.ints(at)).cast(pa.string()), '"}')


def _longs(data: Bytes, at: Ints) -> Values:
    return Values(8, '{"$numberLong":"', pa.array(data.longs(at)).cast(pa.string()), '"}')


def _dates(data: Bytes, at: Ints) -> Values:
    return Values(8, '{"$date":{"$numberLong":"', pa.array(data.longs(at)).cast(pa.string()), '"}}')


def _doubles(data: Bytes, at: Ints) -> Values:
    bits = data.longs(at)
    values = bits.view(np.float64)
    doubt = np.isnan(values) & (bits != _PLAIN_NAN)
    sizes = np.abs(values)
    whole = (values == np.floor(values)) & (sizes < 1e15) & ((values != 0) | (bits == 0))
    # Arrow writes these as Python does; larger ones it gives an exponent.
    plain = ~whole & (sizes >= 1e-4) & (sizes < 1e10)
    texts = pa.array(np.where(plain, values, 0.5)).cast(pa.string())
    if whole.any():
        numbers = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
        texts = pc.if_else(pa.array(whole), pc.binary_join_element_wise(numbers, ".0", ""), texts)
    rest = ~(whole | plain)
    if rest.any():
        texts = pc.replace_with_mask(texts, pa.array(rest), pa.array([double(v) for v in values[rest].tolist()]))
    return Values(8, '{"$numberDouble":"', texts, '"}', doubt)


def _texts(data: Bytes, at: Ints) -> Values:
    sizes = data.ints(at)
    end = at + 4 + sizes
    left = (sizes < 1) | (end > len(data.whole))
    end = np.where(left, at + 5, end)
    left |= data.bytes[np.minimum(end - 1, len(data.whole))] != 0
    found = data.texts(at + 4, end - 1)
    try:
        texts = found.cast(pa.string())
    except pa.ArrowInvalid:
        bad = np.array([not _is_text(value) for value in found.to_pylist()])
        left |= bad
        texts = pc.if_else(pa.array(bad), b"", found).cast(pa.string())
    special = pc.match_substring_regex(texts, _SPECIAL)
    if pc.any(special).as_py():
        written = [quoted(value)[1:-1] for value in texts.filter(special).to_pylist()]
        texts = pc.replace_with_mask(texts, special, pa.array(written, pa.string()))
    return Values(4 + sizes, '"', texts, '"', None, left)


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _object_ids(data: Bytes, at: Ints) -> Values:
    hexes = _HEX[data.bytes[at[:, None] + np.arange(12)]]
    offsets = np.arange(0, 24 * len(at) + 1, 24, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(hexes))]
    return Values(12, '{"$oid":"', pa.Array.from_buffers(pa.string(), len(at), buffers), '"}')


def _booleans(data: Bytes, at: Ints) -> Values:
    found = data.bytes[at]
    return Values(1, "", pc.if_else(pa.array(found == 1), "true", "false"), "", None, found > 1)


def _timestamps(data: Bytes, at: Ints) -> Values:
    number, seconds = data.ints(at) & 0xFFFFFFFF, data.ints(at + 4) & 0xFFFFFFFF
    parts = [pa.array(each).cast(pa.string()) for each in (seconds, number)]
    texts = pc.binary_join_element_wise(*parts, ',"i":')
    return Values(8, '{"$timestamp":{"t":', texts, "}}")


def _binaries(data: Bytes, at: Ints) -> Values:
    sizes, texts = data.ints(at), []
    kinds = data.bytes[at + 4]
    # The old kind has its length twice.
    left = (kinds == 2) | (sizes < 0)
    for begin, size, kind in zip(at.tolist(), sizes.tolist(), kinds.tolist(), strict=True):
        texts.append(binary(kind, data.whole[begin + 5 : begin + 5 + size]))
    return Values(5 + sizes, "", pa.array(texts, pa.string()), "", None, left)


def _decimals(data: Bytes, at: Ints) -> Values:
    low, high = data.longs(at), data.longs(at + 8)
    scales = 6176 - ((high >> 49) & 0x3FFF)
    # With digits that fit 63 bits, and few of them behind the point.
    plain = (low >= 0) & ((high & ((1 << 49) - 1)) == 0) & (scales >= 0) & (scales <= _PLAIN_DIGITS)
    texts = np.empty(len(at), object)
    doubt = np.zeros(len(at), np.bool_)
    signs = np.where(high < 0, "-", "")
    for scale in np.unique(scales[plain]).tolist():
        which = plain & (scales == scale)
        whole, rest = np.divmod(low[which], 10**scale)
        numbers = pc.binary_join_element_wise(pa.array(signs[which].astype(str)), pa.array(whole).cast(pa.string()), "")
        if scale:
            behind = pc.utf8_lpad(pa.array(rest).cast(pa.string()), scale, "0")
            numbers = pc.binary_join_element_wise(numbers, behind, ".")
        texts[which] = numbers.to_numpy(zero_copy_only=False)
    for place in np.flatnonzero(~plain).tolist():
        value = data.whole[int(at[place]) : int(at[place]) + 16]
        texts[place] = decimal(value)
        doubt[place] = not is_canonical_decimal(value, texts[place])
    return Values(16, '{"$numberDecimal":"', pa.array(texts, pa.string()), '"}', doubt)


VALUES: dict[int, Callable[[Bytes, Ints], Values]] = {
    0x01: _doubles,
    0x02: _texts,
    0x05: _binaries,
    0x07: _object_ids,
    0x08: _booleans,
    0x09: _dates,
    0x0A: _constant("null"),
    0x10: _ints,
    0x11: _timestamps,
    0x12: _longs,
    0x13: _decimals,
    0x7F: _constant('{"$maxKey":1}'),
    0xFF: _constant('{"$minKey":1}'),
}
