"""Rows of fields that say their own length: where each field of each row is, found for many rows at once.

How the places are found is in `lanes`; here they are told apart into rows and fields, and every length is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from el.dumps.formats.gather import Bytes, Flags, Places
from el.dumps.formats.lanes import Frame, Lanes, possible


@dataclass(slots=True)
class Rows:
    """Where the whole rows of a buffer are. `end`: where the first row that is not whole begins."""

    starts: Places
    places: list[Places]  # of each field's value
    lengths: list[Places]  # of no meaning where NULL
    nulls: list[Flags | None]
    end: int


class BadFrame(Exception):
    """A row whose fields cannot be where they should be. row: from 0, in the buffer; offset: of the field."""

    def __init__(self, row: int, offset: int, field: int, length: int) -> None:
        super().__init__(row, offset, field, length)
        self.row, self.offset, self.field, self.length = row, offset, field, length


class Framing:
    """The fields of a row, in order."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = tuple(frames)
        self._told = [field for field, frame in enumerate(self.frames) if frame.prefix]
        # Bytes of fields without a prefix: before each field that has one, and behind the last.
        self._gaps, gap = [], 0
        for frame in self.frames:
            if frame.prefix:
                self._gaps.append(gap)
                gap = 0
            else:
                gap += frame.width
        self._tail = gap

    def rows(self, buffer: Bytes, size: int) -> Rows:
        """The rows of `buffer[:size]`, which begins with a row's begin and is padded. Raises `BadFrame`."""
        if not self._told:
            starts = np.arange(size // self._tail, dtype=np.int64) * self._tail
            return self._placed(starts, [], [], len(starts) * self._tail)
        told = [self.frames[field] for field in self._told]
        # Behind a field come the fixed ones before the next; behind the row's last also those that begin the next row.
        behind = [*self._gaps[1:], self._tail + self._gaps[0]]
        period = _period(told, behind)
        at, said = Lanes(told, behind, period).walk(buffer, size, self._gaps[0])
        again = len(told) // period
        at = [at[field % period][field // period :: again] for field in range(len(told))]
        said = [said[field % period][field // period :: again] for field in range(len(told))]
        self._check(at, said)
        rows = len(at[-1])
        at, said = [places[:rows] for places in at], [lengths[:rows] for lengths in said]
        ends = at[-1] + told[-1].prefix + np.where(said[-1] == told[-1].null, 0, said[-1]) + self._tail
        if rows and ends[-1] > size:
            at, said, ends = [places[:-1] for places in at], [lengths[:-1] for lengths in said], ends[:-1]
        return self._placed(at[0] - self._gaps[0], at, said, int(ends[-1]) if len(ends) else 0)

    def _check(self, at: list[Places], said: list[Places]) -> None:
        """That each length is one that its field can have; the first row where one is not."""
        worst: tuple[int, int] | None = None
        for number, field in enumerate(self._told):
            bad = np.flatnonzero(~possible(self.frames[field], said[number]))
            if len(bad) and (worst is None or bad[0] < worst[0]):
                worst = (int(bad[0]), number)
        if worst is not None:
            row, number = worst
            raise BadFrame(row, int(at[number][row]), self._told[number], int(said[number][row]))

    def _placed(self, starts: Places, at: list[Places], said: list[Places], end: int) -> Rows:
        rows = Rows(starts, [], [], [], end)
        place = starts
        told = iter(zip(at, said, strict=True))
        for frame, following in zip(self.frames, [*self.frames[1:], None], strict=True):
            null: Flags | None = None
            width: Places = np.broadcast_to(np.int64(frame.width), len(starts))
            taken = width
            if frame.prefix:
                prefix, given = next(told)
                null = given == frame.null
                place = prefix + frame.prefix
                # The next field with a prefix has its own place; only one without is counted from here.
                if not frame.fixed or (following is not None and not following.prefix):
                    taken = np.where(given == frame.null, 0, given)
            rows.places.append(place)
            rows.lengths.append(width if frame.fixed else taken)
            rows.nulls.append(null)
            if following is not None and not following.prefix:
                place = place + taken
        return rows


def _period(told: list[Frame], behind: list[int]) -> int:
    """After how many fields a row looks the same again: one of such fields cannot be told from another by its place."""
    shapes = [(f.prefix, f.width if f.fixed else -1, gap) for f, gap in zip(told, behind, strict=True)]
    lengths = (n for n in range(1, len(shapes) + 1) if len(shapes) % n == 0)
    return next(n for n in lengths if shapes[n:] + shapes[:n] == shapes)
