"""Where the values of an event's rows stand: columns of places, so that values are taken out a column at a time.

MySQL Source Code Documentation, `Rows_log_event`. What is looked at row by row is which values are NULL and how long
each value of no fixed length is; of the others no Python object is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymysql.constants import FIELD_TYPE

from el.connectors.mysql.log_table import (
    BLOB_COMPRESSED,
    DATETIME2,
    TIME2,
    TIMESTAMP2,
    VARCHAR_COMPRESSED,
    VECTOR,
    WHOLE,
    LogColumn,
)

Numbers = np.ndarray[Any, np.dtype[np.int64]]
_FIXED = {**WHOLE, FIELD_TYPE.YEAR: 1, FIELD_TYPE.FLOAT: 4, FIELD_TYPE.DOUBLE: 8, FIELD_TYPE.DATE: 3}
_FIXED |= {FIELD_TYPE.NEWDATE: 3}
_OLD_TIMES = frozenset({FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME, FIELD_TYPE.TIME})
_BEFORE_FRACTION = {TIMESTAMP2: 4, DATETIME2: 5, TIME2: 3}
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
_SIZED = frozenset({FIELD_TYPE.BLOB, FIELD_TYPE.GEOMETRY, FIELD_TYPE.JSON, BLOB_COMPRESSED, VECTOR})


class UnknownType(Exception):
    """A column whose values nobody knows the length of."""


def decimal_bytes(precision: int, scale: int) -> int:
    whole = precision - scale
    return whole // 9 * 4 + _DIGIT_BYTES[whole % 9] + scale // 9 * 4 + _DIGIT_BYTES[scale % 9]


def width(column: LogColumn) -> tuple[int, int]:
    """(bytes, 0) of a type whose values are all as long; (0, bytes of the length in front) of the others."""
    type_, meta = column.type, column.meta
    if type_ in _FIXED:
        return _FIXED[type_], 0
    if type_ in _OLD_TIMES:
        # How long they are, the log does not tell.
        raise UnknownType(
            f"{column.name} is a time in the format of before MySQL 5.6; ALTER TABLE ... FORCE writes it anew"
        )
    if type_ in _BEFORE_FRACTION:
        return _BEFORE_FRACTION[type_] + (meta[0] + 1) // 2, 0
    if type_ == FIELD_TYPE.NEWDECIMAL:
        return decimal_bytes(meta[0], meta[1]), 0
    if type_ == FIELD_TYPE.BIT:
        return meta[1] + (meta[0] > 0), 0
    if type_ in (FIELD_TYPE.ENUM, FIELD_TYPE.SET):
        return meta[1], 0
    if type_ in _SIZED:
        return 0, meta[0]
    if type_ in (FIELD_TYPE.VARCHAR, VARCHAR_COMPRESSED):
        return 0, 2 if int.from_bytes(meta, "little") > 255 else 1
    if type_ in (FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING):
        return 0, 2 if char_bytes(column) > 255 else 1
    raise UnknownType(f"{column.name} is of type {type_}, which el does not know there")


def char_bytes(column: LogColumn) -> int:
    """The most bytes of a CHAR or BINARY; two bits of it stand with the type."""
    return ((column.meta[0] & 0x30) ^ 0x30) << 4 | column.meta[1]


class _Layout:
    """Where values stand in rows in which the same ones are NULL."""

    def __init__(self, widths: Sequence[tuple[int, int]], nulls: bytes) -> None:
        self.steps: list[tuple[int, int]] = []  # of each value without fixed length: how far behind the last, its head
        self.places: list[tuple[int, int, int] | None] = []  # of each column: behind which of them, how far, how long
        self.rows: list[int] = []
        self.marks: list[int] = []  # of each row where its values begin, and where each one without fixed length ends
        at = 0
        for number, (size, head) in enumerate(widths):
            if nulls[number >> 3] >> (number & 7) & 1:
                self.places.append(None)
                continue
            self.places.append((len(self.steps), at + head, size))
            at += size
            if head:
                self.steps.append((at, head))
                at = 0
        self.rest = at
        self._arrays: tuple[Numbers, Numbers] | None = None

    def arrays(self) -> tuple[Numbers, Numbers]:
        """The rows, and of each its marks, after the last one was added."""
        if self._arrays is None:
            marks = np.array(self.marks, np.int64).reshape(len(self.rows), -1)
            self._arrays = np.array(self.rows, np.int64), marks
        return self._arrays

    def add(self, row: int, data: bytes, at: int, base: int) -> int:
        """Note a row whose values begin here; where it ends."""
        self.rows.append(row)
        marks = self.marks
        marks.append(base + at)
        for step, head in self.steps:
            at += step
            at += head + (data[at] if head == 1 else int.from_bytes(data[at : at + head], "little"))
            marks.append(base + at)
        return at + self.rest


@dataclass(slots=True)
class Rows:
    """Rows of one table, as it was when they were written."""

    columns: Sequence[LogColumn]
    data: bytearray = field(default_factory=bytearray)
    count: int = 0
    _widths: list[tuple[int, int]] = field(default_factory=list)
    _layouts: dict[bytes, _Layout] = field(default_factory=dict)

    def add(self, data: bytes, at: int) -> int:
        """All rows that stand in an event from here on; how many."""
        if not self._widths:
            self._widths = [width(column) for column in self.columns]
        nulls, layouts, begun, base = (len(self._widths) + 7) // 8, self._layouts, self.count, len(self.data) - at
        start, end = at, len(data)
        while at < end:
            key = data[at : at + nulls]
            layout = layouts.get(key)
            if layout is None:
                layout = layouts[key] = _Layout(self._widths, key)
            at = layout.add(self.count, data, at + nulls, base)
            self.count += 1
        if at != end:
            raise UnknownType("rows that end elsewhere than their columns say")
        self.data += memoryview(data)[start:]
        return self.count - begun

    def places(self, number: int) -> tuple[Numbers, Numbers, np.ndarray[Any, np.dtype[np.bool_]]]:
        """Of each row where the value of this column begins and ends, and whether there is one."""
        starts, ends = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        there = np.zeros(self.count, np.bool_)
        for layout in self._layouts.values():
            place = layout.places[number]
            if place is None:
                continue
            after, far, size = place
            rows, marks = layout.arrays()
            starts[rows] = marks[:, after] + far
            ends[rows] = marks[:, after + 1] if self._widths[number][1] else starts[rows] + size
            there[rows] = True
        return starts, ends, there
