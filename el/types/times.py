"""Times with more digits than a driver hands over, put together by columns and without loss.

A driver's Arrow reader gives microseconds without an offset. The source gives the seventh digit and the offset beside,
as small numbers: that is far less work for it, and for the network, than a text of every time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_PAIRS = np.array([[ord(c) for c in f"{n:02d}"] for n in range(100)], np.uint8)
_DAY = 86_400_000_000
_MINUTE = 60_000_000
_FIRST, _LAST = -719_528 * _DAY, 2_932_897 * _DAY - 1  # of the years 0 to 9999
Letters = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class TimeParts:
    """What a column's time consists of. SQL is the source's, with "{column}"."""

    seventh: str  # SQL: the seventh digit of the second, which the driver cuts off
    sort_as: str  # SQL: text that compares as the source orders the column
    offset: str | None = None  # SQL: minutes east of UTC; None: the time has no offset, and is local
    day: bool = True  # there is a date before the time
    digits: int = 7  # of the second, as declared; the seventh is read where there are seven

    def over(self, expression: str) -> TimeParts:
        """The same of an expression in the column's place."""

        def put(sql: str) -> str:
            return sql.replace("{column}", expression)

        offset = put(self.offset) if self.offset else None
        return replace(self, seventh=put(self.seventh), sort_as=put(self.sort_as), offset=offset)


def time_text(
    parts: TimeParts,
    value: pa.Array,
    seventh: pa.Array | None = None,
    offset: pa.Array | None = None,
    *,
    utc: bool = False,
) -> pa.Array:
    """Text such as "2024-02-29 12:00:00.1234567 +05:30"; NULL where `value` is.

    value: timestamp or time, cut off to microseconds. utc: write the moment at UTC, without its offset and with the
    declared digits, so that the texts compare as the moments do.
    """
    micros = _micros(value)
    minutes = None if offset is None else _plain(offset)
    if utc and minutes is not None:
        micros = np.clip(micros - minutes * _MINUTE, _FIRST, _LAST)
    letters: list[Letters] = []
    days = micros // _DAY
    if parts.day:
        letters += [_date(days), _all(len(micros), " ")]
    letters.append(_time(micros - days * _DAY, None if seventh is None else _plain(seventh), parts.digits))
    if minutes is not None and not utc:
        letters.append(_offset(minutes))
    return _text(np.concatenate(letters, axis=1), value)


def _micros(value: pa.Array) -> Numbers:
    plain = _plain(value)
    units = {"s": 1_000_000, "ms": 1000, "us": 1}
    # floor: also before 1970 the digits that follow are added, never taken away.
    return plain // 1000 if value.type.unit == "ns" else plain * units[value.type.unit]


def _plain(value: pa.Array) -> Numbers:
    """The numbers of a column; 0 where it is NULL."""
    numbers = value.view(pa.int64()) if pa.types.is_temporal(value.type) and value.type.bit_width == 64 else value
    plain: Numbers = pc.fill_null(numbers.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return plain


def _date(days: Numbers) -> Letters:
    whole = days.astype("datetime64[D]")
    months = whole.astype("datetime64[M]")
    month = months.astype(np.int64)
    year = month // 12 + 1970
    of_month = (whole - months).astype(np.int64) + 1
    out = _all(len(days), "0000-00-00")
    out[:, 0:2], out[:, 2:4] = _PAIRS[year // 100], _PAIRS[year % 100]
    out[:, 5:7], out[:, 8:10] = _PAIRS[month % 12 + 1], _PAIRS[of_month]
    return out


def _time(
    micros: Numbers,
    seventh: Numbers | None,
    digits: int,
) -> Letters:
    out = _all(len(micros), "00:00:00.0000000")
    seconds, fraction = micros // 1_000_000, micros % 1_000_000
    minutes = seconds // 60
    out[:, 0:2], out[:, 3:5], out[:, 6:8] = _PAIRS[minutes // 60], _PAIRS[minutes % 60], _PAIRS[seconds % 60]
    out[:, 9:11], out[:, 11:13] = _PAIRS[fraction // 10_000], _PAIRS[fraction // 100 % 100]
    out[:, 13:15] = _PAIRS[fraction % 100]
    if seventh is not None:
        out[:, 15] = ord("0") + seventh
    return out[:, : 9 + digits] if digits else out[:, :8]


def _offset(minutes: Numbers) -> Letters:
    out = _all(len(minutes), " +00:00")
    out[minutes < 0, 1] = ord("-")
    out[:, 2:4], out[:, 5:7] = _PAIRS[abs(minutes) // 60], _PAIRS[abs(minutes) % 60]
    return out


def _all(rows: int, text: str) -> Letters:
    return np.tile(np.frombuffer(text.encode(), np.uint8), (rows, 1))


def _text(letters: Letters, value: pa.Array) -> pa.Array:
    rows, width = letters.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    data = np.ascontiguousarray(letters)
    text = pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return pc.if_else(value.is_valid(), text, None) if value.null_count else text
