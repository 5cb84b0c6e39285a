"""Numbers, days and times out of cells, as SQL Server stores them: whole columns at once, each value's range checked.

Layouts: [MS-TDS], "System Data Type Values"; numbers are least significant byte first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from el.dumps.formats.cells import Cells, Decoder
from el.dumps.formats.gather import plain
from el.types.rule import DATE, DOUBLE, TIME, TIMESTAMP
from el.types.times import TimeParts, time_text

_DAY_MICROS = 86_400_000_000
_YEAR_1, _YEAR_1900 = -719_162, -25_567  # days from 1970
_LAST_DAY = 3_652_058  # 9999-12-31, from 0001-01-01
Numbers = npt.NDArray[np.int64]


def whole(dtype: str, wanted: str, arrow: pa.DataType) -> Decoder:
    """An integer, as the wider one `wanted`."""
    return lambda cells: plain(cells.numbers(dtype).astype(wanted), arrow, cells.nulls)


def boolean(cells: Cells) -> pa.Array:
    """One byte, 0 or 1."""
    found = cells.numbers("<u1")
    cells.refuse(found > 1, "a bit that is neither 0 nor 1")
    bits = np.packbits(found.astype(bool), bitorder="little")
    validity = plain(found, pa.uint8(), cells.nulls).buffers()[0]
    return pa.Array.from_buffers(pa.bool_(), len(found), [validity, pa.py_buffer(bits)])


def floating(dtype: str) -> Decoder:
    """A floating-point number."""
    return lambda cells: plain(cells.numbers(dtype).astype(np.float64), DOUBLE, cells.nulls)


def money(cells: Cells) -> pa.Array:
    """The higher 32 bits, then the lower ones: ten-thousandths."""
    high, low = cells.numbers("<i4").astype(np.int64), cells.numbers("<u4", 4).astype(np.int64)
    return _decimals((high << 32) | low, high >> 63, pa.decimal128(19, 4), cells)


def small_money(cells: Cells) -> pa.Array:
    """32 bits: ten-thousandths."""
    found = cells.numbers("<i4").astype(np.int64)
    return _decimals(found, found >> 63, pa.decimal128(10, 4), cells)


def decimal(precision: int, scale: int) -> Decoder:
    """Precision, scale, sign (1 is plus), 16 bytes of digits. With 38 digits after the point it becomes text."""

    def decode(cells: Cells) -> pa.Array:
        cells.refuse(cells.numbers("<u1", 1) != scale, f"a decimal of another scale than {scale}")
        sign = cells.numbers("<u1", 2)
        cells.refuse(sign > 1, "a decimal whose sign is neither 0 nor 1")
        low, high = cells.numbers("<u8", 3), cells.numbers("<u8", 11)
        most = 10**precision
        cells.refuse(
            (high > most >> 64) | ((high == most >> 64) & (low >= np.uint64(most & (2**64 - 1)))),
            f"a decimal of more than {precision} digits",
        )
        if scale == 38:
            return _decimal_text(low, high, sign == 0, scale, cells)
        minus = sign == 0
        # Two's complement, in two halves: the higher one is carried into where the lower one is 0.
        high = np.where(minus, ~high + (low == 0), high)
        low = np.where(minus, ~low + np.uint64(1), low)
        return _decimals(low.view(np.int64), high.view(np.int64), pa.decimal128(precision, scale), cells)

    return decode


def _decimal_text(
    low: npt.NDArray[np.uint64], high: npt.NDArray[np.uint64], minus: npt.NDArray[np.bool_], scale: int, cells: Cells
) -> pa.Array:
    digits = _decimals(low.view(np.int64), high.view(np.int64), pa.decimal128(38, 0), cells).cast(pa.string())
    filled = pc.utf8_lpad(digits, scale + 1, "0")
    parts = [pc.utf8_slice_codeunits(filled, 0, -scale), pc.utf8_slice_codeunits(filled, -scale)]
    sign = pc.if_else(pa.array(minus & ((low != 0) | (high != 0))), "-", "")
    return pc.binary_join_element_wise(pc.binary_join_element_wise(sign, parts[0], ""), parts[1], ".")


def _decimals(low: Numbers, high: Numbers, arrow: pa.DataType, cells: Cells) -> pa.Array:
    halves = np.stack([low, high], axis=1)
    validity = plain(low, pa.int64(), cells.nulls).buffers()[0]
    return pa.Array.from_buffers(arrow, len(low), [validity, pa.py_buffer(halves)])


def day(cells: Cells) -> pa.Array:
    """Three bytes: days since 0001-01-01."""
    return plain((_days(cells, 0) + _YEAR_1).astype(np.int32), DATE, cells.nulls)


def _days(cells: Cells, offset: int) -> Numbers:
    days = cells.numbers("<u2", offset).astype(np.int64) | (cells.numbers("<u1", offset + 2).astype(np.int64) << 16)
    cells.refuse(days > _LAST_DAY, "a day behind the year 9999")
    return days


def date_time(cells: Cells) -> pa.Array:
    """Days since 1900, then ticks of 1/300 s, which are shown as .000, .003 and .007."""
    days, ticks = cells.numbers("<i4").astype(np.int64), cells.numbers("<u4", 4).astype(np.int64)
    cells.refuse((days < -53_690) | (days > 2_958_463), "a day before 1753 or behind the year 9999")
    cells.refuse(ticks >= 300 * 86_400, "a time of more than a day")
    micros = (ticks * 10 + 1) // 3 * 1000
    return plain((days + _YEAR_1900) * _DAY_MICROS + micros, TIMESTAMP, cells.nulls)


def small_date_time(cells: Cells) -> pa.Array:
    """Days since 1900, then minutes."""
    days, minutes = cells.numbers("<u2").astype(np.int64), cells.numbers("<u2", 2).astype(np.int64)
    cells.refuse(minutes >= 1440, "a time of more than a day")
    return plain((days + _YEAR_1900) * _DAY_MICROS + minutes * 60_000_000, TIMESTAMP, cells.nulls)


def time_bytes(scale: int) -> int:
    """How many bytes a time of day takes."""
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def _tenths(cells: Cells, scale: int) -> Numbers:
    """A time of day in 100 ns: it stands as a count of units of its last digit."""
    width = time_bytes(scale)
    low, high = ("<u2", "<u1") if width == 3 else ("<u4", "<u1")
    found = cells.numbers(low).astype(np.int64)
    if width != 4:
        found |= cells.numbers(high, width - 1).astype(np.int64) << (8 * (width - 1))
    cells.refuse(found >= 86_400 * 10**scale, "a time of more than a day")
    tenths: Numbers = found * 10 ** (7 - scale)
    return tenths


def time_of_day(scale: int) -> Decoder:
    """Units of the last digit since midnight; seven digits become text."""

    def decode(cells: Cells) -> pa.Array:
        tenths = _tenths(cells, scale)
        micros = plain(tenths // 10, TIME, cells.nulls)
        return _seven(micros, tenths, day=False) if scale == 7 else micros

    return decode


def date_time_2(scale: int) -> Decoder:
    """A time of day, then a day; seven digits become text."""

    def decode(cells: Cells) -> pa.Array:
        tenths = _tenths(cells, scale)
        days = _days(cells, time_bytes(scale)) + _YEAR_1
        micros = plain(days * _DAY_MICROS + tenths // 10, TIMESTAMP, cells.nulls)
        return _seven(micros, tenths) if scale == 7 else micros

    return decode


def date_time_offset(scale: int) -> Decoder:
    """A time of day and a day at UTC, then minutes east of it: text of the local time and its offset."""

    def decode(cells: Cells) -> pa.Array:
        tenths = _tenths(cells, scale)
        width = time_bytes(scale)
        days = _days(cells, width) + _YEAR_1
        offset = cells.numbers("<i2", width + 3).astype(np.int64)
        cells.refuse(abs(offset) > 14 * 60, "an offset of more than 14 hours")
        local = plain(days * _DAY_MICROS + tenths // 10 + offset * 60_000_000, TIMESTAMP, cells.nulls)
        parts = TimeParts("", "", offset="", digits=scale)
        return time_text(
            parts, local, plain(tenths % 10, pa.int64()) if scale == 7 else None, plain(offset, pa.int64())
        )

    return decode


def _seven(micros: pa.Array, tenths: Numbers, *, day: bool = True) -> pa.Array:
    # Its parts also say how a database is asked for its parts, which is not needed here.
    return time_text(TimeParts("", "", day=day), micros, plain(tenths % 10, pa.int64()))
