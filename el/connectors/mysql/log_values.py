"""Values out of the bytes of the binary log, a column at a time: as the server's text of them would say.

MySQL Source Code Documentation and the formats of `decimal_bin_size`, `my_datetime_packed_from_binary` and
`my_time_packed_from_binary`; what MariaDB makes of each was looked at value by value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE

from el.connectors.mysql.log_rows import Numbers, char_bytes
from el.connectors.mysql.log_table import DATETIME2, TIME2, TIMESTAMP2, WHOLE, LogColumn

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
There = np.ndarray[Any, np.dtype[np.bool_]]
BINARY = 63
_SECOND, _DAY = 1_000_000, 86_400_000_000
_FRACTION = {0: 1, 1: 10_000, 2: 100, 3: 1}


class Values:
    """One column of some rows. data: with as many bytes behind it as the longest fixed value has."""

    def __init__(self, data: Bytes, starts: Numbers, ends: Numbers, there: There) -> None:
        self.data, self.starts, self.ends, self.there = data, starts, ends, there
        self._none = self._odd = np.zeros(len(starts), np.bool_)  # dates with a 0 in it; days that no month has

    def of(self, column: LogColumn) -> pa.Array:
        """In the type that holds them all; text and labels as the bytes that the log has."""
        type_, meta = column.type, column.meta
        if type_ in WHOLE:
            return self._whole(WHOLE[type_], signed=not column.unsigned)
        if type_ in (FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE):
            size = 4 if type_ == FIELD_TYPE.FLOAT else 8
            return self._array(self._fixed(size).view(f"<f{size}")[:, 0])
        if type_ == FIELD_TYPE.NEWDECIMAL:
            return self._decimal(meta[0], meta[1])
        if type_ == FIELD_TYPE.YEAR:
            year = self._fixed(1)[:, 0].astype(np.int16)
            return self._array(np.where(year == 0, 0, year + 1900).astype(np.int16))
        if type_ in (FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE):
            found = self._number(3, "little")
            return self._dates(found >> 9, found >> 5 & 15, found & 31).cast(pa.int32()).cast(pa.date32())
        if type_ in (DATETIME2, TIMESTAMP2):
            return self._datetime(meta[0]) if type_ == DATETIME2 else self._timestamp(meta[0])
        if type_ == TIME2:
            return self._time(meta[0])
        if type_ == FIELD_TYPE.BIT:
            return self._array(self._number(meta[1] + (meta[0] > 0), "big").view(np.uint64))
        if type_ == FIELD_TYPE.ENUM:
            found = np.where(self.there, self._number(meta[1], "little"), 0)
            labels = pa.array([b"", *column.labels], pa.binary())
            return labels.take(pa.array(found, mask=~self.there))
        if type_ == FIELD_TYPE.SET:
            return self._set(self._number(meta[1], "little").view(np.uint64), column.labels)
        if type_ in (FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING) and column.collation == BINARY:
            return self._padded(char_bytes(column))
        return self._bytes()

    def _array(self, values: Any) -> pa.Array:
        return pa.array(values, mask=~self.there)

    def _fixed(self, size: int) -> Bytes:
        """A row each; where there is no value, some bytes."""
        return np.ascontiguousarray(self.data[self.starts[:, None] + np.arange(size)])

    def _number(self, size: int, order: str) -> Numbers:
        """Without a sign; of eight bytes all bits."""
        found = self._fixed(size)
        shifts = 8 * np.arange(size, dtype=np.uint64)
        shifts = shifts if order == "little" else shifts[::-1]
        whole: Numbers = (found.astype(np.uint64) << shifts).sum(axis=1, dtype=np.uint64).view(np.int64)
        return whole

    def _whole(self, size: int, *, signed: bool) -> pa.Array:
        found = self._number(size, "little")
        if signed and size < 8:
            found = np.where(found >> (8 * size - 1) & 1, found - (1 << 8 * size), found)
        return self._array(found if signed or size < 8 else found.view(np.uint64))

    def _decimal(self, precision: int, scale: int) -> pa.Array:
        whole = precision - scale
        sizes = [*_groups(whole)[::-1], *_groups(scale)]
        found = self._fixed(sum((0, 1, 1, 2, 2, 3, 3, 4, 4, 4)[digits] for digits in sizes))
        negative = (found[:, 0] & 0x80) == 0
        found[:, 0] ^= 0x80
        found[negative] ^= 0xFF
        letters, at = [np.where(negative, ord("-"), ord("0")).astype(np.uint8)[:, None]], 0
        point = len(_groups(whole))
        letters += [np.full((len(found), 1), ord("0"), np.uint8)] if not whole else []
        for number, digits in enumerate(sizes):
            size = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)[digits]
            shifts = 8 * np.arange(size - 1, -1, -1, dtype=np.uint32)
            value = (found[:, at : at + size].astype(np.uint32) << shifts).sum(axis=1, dtype=np.uint32)
            letters += [np.full((len(found), 1), ord("."), np.uint8)] if number == point else []
            powers = 10 ** np.arange(digits - 1, -1, -1, dtype=np.uint32)
            letters.append((value[:, None] // powers % 10 + ord("0")).astype(np.uint8))
            at += size
        text = self._letters(np.concatenate(letters, axis=1))
        if precision <= 38 and scale < 38:
            return text.cast(pa.decimal128(precision, scale))
        return pc.replace_substring_regex(text, "^(-?)0+([0-9])", r"\1\2")

    def _letters(self, letters: Bytes) -> pa.Array:
        """Rows of letters as text."""
        rows, size = letters.shape
        offsets = pa.py_buffer(np.arange(0, (rows + 1) * size, size, dtype=np.int32))
        text = pa.Array.from_buffers(pa.string(), rows, [None, offsets, pa.py_buffer(np.ascontiguousarray(letters))])
        return self._given(text)

    def _dates(self, year: Any, month: Any, day: Any) -> pa.Array:
        """Days since 1970; NULL where there is no such date, of which `odd_text` tells."""
        there = self.there & (month > 0) & (month < 13) & (day > 0)
        months = np.where(there, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
        found = months.astype("datetime64[D]") + np.where(there, day - 1, 0).astype("timedelta64[D]")
        there &= found.astype("datetime64[M]") == months
        self._none = self.there & ((month == 0) | (day == 0))
        self._odd = self.there & ~there & ~self._none
        return pa.array(found.astype(np.int64), mask=~there)

    def _fraction(self, behind: int, digits: int) -> Any:
        size = (digits + 1) // 2
        beyond = Values(self.data, self.starts + behind, self.ends, self.there)
        return beyond._number(size, "big") * _FRACTION[size] if size else 0

    def _datetime(self, digits: int) -> pa.Array:
        found = self._number(5, "big") - 0x8000000000
        months = found >> 22
        days = self._dates(months // 13, months % 13, found >> 17 & 31)
        seconds = (found >> 12 & 31) * 3600 + (found >> 6 & 63) * 60 + (found & 63)
        known = days.is_valid().to_numpy(zero_copy_only=False)
        moments = days.fill_null(0).to_numpy() * _DAY + seconds * _SECOND + self._fraction(5, digits)
        return pa.array(moments, mask=~known).cast(pa.timestamp("us"))

    def _timestamp(self, digits: int) -> pa.Array:
        seconds = self._number(4, "big")
        found = seconds * _SECOND + self._fraction(4, digits)
        # The server keeps no moment of this second: it stands for 0000-00-00.
        self._none = self.there & (found == 0)
        return pa.array(found, mask=~self.there | self._none).cast(pa.timestamp("us", "UTC"))

    def odd_text(self, column: LogColumn, *, only_invalid: bool = False) -> str | None:
        """The first date that is none, after `of`. only_invalid: those with a 0 in it may be."""
        odd = np.flatnonzero(self._odd if only_invalid else self._odd | self._none)
        if not len(odd):
            return None
        first = odd[:1]
        return str(Values(self.data, self.starts[first], self.ends[first], self.there[first]).shown(column)[0])

    def shown(self, column: LogColumn) -> pa.Array:
        """A date or time as the server writes it, also one that is none."""
        if column.type in (FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE):
            found = self._number(3, "little")
            return self._given(_date_text(found >> 9, found >> 5 & 15, found & 31))
        digits = column.meta[0]
        if column.type == TIMESTAMP2:
            whole = self._timestamp(digits).cast(pa.timestamp("us"))
            text = pc.if_else(pa.array(self._none), "0000-00-00 00:00:00.000000", whole.cast(pa.string()))
            return self._given(pc.utf8_slice_codeunits(text, 0, 20 + digits if digits else 19))
        found = self._number(5, "big") - 0x8000000000
        months = found >> 22
        day = _date_text(months // 13, months % 13, found >> 17 & 31)
        clock = pc.binary_join_element_wise(_two(found >> 12 & 31), _two(found >> 6 & 63), _two(found & 63), ":")
        text = pc.binary_join_element_wise(day, clock, " ")
        return self._given(_with_fraction(text, self._fraction(5, digits), digits))

    def _given(self, text: pa.Array) -> pa.Array:
        return pc.if_else(pa.array(self.there), text, None)

    def _time(self, digits: int) -> pa.Array:
        size = (digits + 1) // 2
        found = self._number(3 + size, "big") - (0x800000 << 8 * size)
        negative, found = found < 0, np.abs(found)
        clock, fraction = found >> 8 * size, (found & ((1 << 8 * size) - 1)) * _FRACTION[size]
        parts = [_two(clock >> 12 & 1023), _two(clock >> 6 & 63), _two(clock & 63)]
        text = pc.binary_join_element_wise(*parts, ":")
        text = _with_fraction(text, fraction, digits)
        return self._given(pc.if_else(pa.array(negative), pc.binary_join_element_wise("-", text, ""), text))

    def _set(self, masks: Any, labels: tuple[bytes, ...]) -> pa.Array:
        found, places = np.unique(np.where(self.there, masks, 0).astype(np.uint64), return_inverse=True)
        said = [b",".join(label for bit, label in enumerate(labels) if int(mask) >> bit & 1) for mask in found]
        return pa.array(said, pa.binary()).take(pa.array(places.reshape(-1), mask=~self.there))

    def _bytes(self) -> pa.Array:
        # As if what lies between two values were one too: then the values are each second one of an Arrow array.
        both = np.empty(2 * len(self.starts), np.int64)
        both[0::2], both[1::2] = self.starts, self.ends
        offsets = np.maximum.accumulate(both).astype(np.int32)
        if not len(offsets):
            return pa.array([], pa.binary())
        found = pa.Array.from_buffers(
            pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        )
        return found.take(pa.array(np.arange(0, len(offsets), 2), mask=~self.there))

    def _padded(self, size: int) -> pa.Array:
        """BINARY, whose zeros at the end the log leaves out."""
        found = np.zeros((len(self.starts), size), np.uint8)
        places = self.starts[:, None] + np.arange(size)
        inside = places < self.ends[:, None]
        found[inside] = self.data[places[inside]]
        buffers = [None, pa.py_buffer(found)]
        fixed = pa.Array.from_buffers(pa.binary(size), len(found), buffers).cast(pa.binary())
        return self._given(fixed)


def _groups(digits: int) -> list[int]:
    """Digits of a decimal behind its point by what they are kept in: nines, and the rest."""
    return [*[9] * (digits // 9), *([digits % 9] if digits % 9 else [])]


def _two(values: Numbers, letters: int = 2) -> pa.Array:
    return pc.utf8_lpad(pa.array(values).cast(pa.string()), letters, "0")


def _date_text(year: Numbers, month: Numbers, day: Numbers) -> pa.Array:
    return pc.binary_join_element_wise(_two(year, 4), _two(month), _two(day), "-")


def _with_fraction(text: pa.Array, fraction: Numbers, digits: int) -> pa.Array:
    if not digits:
        return text
    return pc.binary_join_element_wise(text, _two(fraction // 10 ** (6 - digits), digits), ".")
