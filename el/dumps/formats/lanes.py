"""Where fields are that say their own length, found for many rows at once.

A field begins where the one before it ends, so a plain reader goes value by value. Here a buffer is cut into lanes, and
all lanes go on together, a field at a time, as operations on columns. Where a lane's first row begins is guessed, from
what lengths are possible; the guess counts only if the lane before it ends exactly there, and else that stretch is
walked again value by value. So a wrong guess costs time, and never a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from el.dumps.formats.gather import Bytes, Flags, Places, numbers_at

_DTYPES = {1: "<u1", 2: "<u2", 4: "<i4", 8: "<i8"}
# Rounds that a lane has at least, and lanes at most: fewer are not worth a guess, more lanes no longer help. The first
# rounds are walked one by one, to know how long one is.
_ROUNDS_A_LANE, _LANES = 16, 2048
_FIRST_ROUNDS = 64
_GUESSING_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Frame:
    """How a field stands in a row: its length in `prefix` bytes, all of them 0xFF for NULL, and then its value.

    prefix 0: always `width` bytes, never NULL. fixed: a value that is not NULL has `width` bytes, else at most so many.
    unit: lengths are multiples of it.
    """

    prefix: int
    width: int
    fixed: bool = True
    unit: int = 1
    nullable: bool = True

    @property
    def null(self) -> int:
        """What a NULL's prefix reads as."""
        return -1 if self.prefix >= 4 else (1 << (8 * self.prefix)) - 1


def possible(frame: Frame, said: Places) -> Flags:
    """Whether a prefix that says so can be one of this field."""
    if frame.fixed:
        fits = said == frame.width
    else:
        fits = (said >= 0) & (said <= frame.width)
        if frame.unit > 1:
            fits &= said % frame.unit == 0
    known: Flags = fits | (said == frame.null) if frame.nullable else fits & (said != frame.null)
    return known


@dataclass(slots=True)
class _Piece:
    """Rounds that were walked together. lane: whose each is."""

    lane: Places
    at: list[Places]
    said: list[Places]

    def of(self, lanes: Flags) -> _Piece:
        """The rounds of these lanes."""
        mine = lanes[self.lane]
        if mine.all():
            return self
        return _Piece(self.lane[mine], [a[mine] for a in self.at], [s[mine] for s in self.said])


class Lanes:
    """Fields with prefixes, `behind[n]` bytes after the n-th before the next one.

    After `period` fields they look the same again. Such a round is what is walked: which round of its row it is, is
    known once all are found.
    """

    def __init__(self, frames: Sequence[Frame], behind: Sequence[int], period: int) -> None:
        self._frames = [_widest(frames[field::period]) for field in range(period)]
        self._behind = list(behind[:period])

    def walk(self, buffer: Bytes, size: int, begin: int) -> tuple[list[Places], list[Places]]:
        """From a first prefix at `begin` on: for each field of a round where its prefix is, and what it says.

        Ends before the first round that is not whole, and behind the first that cannot be.
        """
        return _Walk(self._frames, self._behind, buffer, size).walk(begin)


def _widest(frames: Sequence[Frame]) -> Frame:
    """What any of these allows."""
    return Frame(
        frames[0].prefix,
        max(frame.width for frame in frames),
        frames[0].fixed,
        min(frame.unit for frame in frames),
        any(frame.nullable for frame in frames),
    )


class _Walk:
    """One buffer, walked."""

    def __init__(self, frames: list[Frame], behind: list[int], buffer: Bytes, size: int) -> None:
        self._frames, self._behind, self._size = frames, behind, size
        self._plain = buffer.data
        self._views = [numbers_at(buffer, _DTYPES[frame.prefix]) for frame in frames]

    def walk(self, begin: int) -> tuple[list[Places], list[Places]]:
        first = begin
        piece, begin, over = self._one_by_one(begin, self._size, most=_FIRST_ROUNDS)
        pieces = [piece]
        walked: list[_Piece] = []
        if not over:
            mean = (begin - first) / len(piece.lane)
            lanes = min(_LANES, int((self._size - begin) / mean) // _ROUNDS_A_LANE)
            if lanes < 4:
                pieces.append(self._one_by_one(begin, self._size)[0])
            else:
                walked = self._in_lanes(pieces, self._guesses(begin, lanes, int(3 * mean) + 32))
        if not len(piece.lane):
            return [np.zeros(0, np.int64) for _ in self._frames], [np.zeros(0, np.int64) for _ in self._frames]
        return _in_order(pieces, walked)

    def _in_lanes(self, pieces: list[_Piece], starts: Places) -> list[_Piece]:
        walked, ends, whole = self._together(starts)
        kept = np.zeros(len(starts), bool)
        # Lanes of which one does not end where the next one begins.
        slips = np.flatnonzero((ends[:-1] != starts[1:]) | ~whole[:-1])
        lane = 0
        while lane < len(starts):
            slip = int(np.searchsorted(slips, lane))
            last = int(slips[slip]) if slip < len(slips) else len(starts) - 1
            kept[lane : last + 1] = True
            if not whole[last]:
                break
            lane = self._repair(pieces, starts, int(ends[last])) if last < len(starts) - 1 else len(starts)
        return [piece.of(kept) for piece in walked]

    def _repair(self, pieces: list[_Piece], starts: Places, begin: int) -> int:
        """One by one from `begin` on, up to a lane that begins where a round does: which one; behind all, if none."""
        while True:
            lane = int(np.searchsorted(starts, begin))
            if lane < len(starts) and starts[lane] == begin:
                return lane
            limit = int(starts[lane]) if lane < len(starts) else self._size
            piece, begin, over = self._one_by_one(begin, limit)
            pieces.append(piece)
            if over:
                return len(starts)

    def _one_by_one(self, begin: int, limit: int, most: int = 1 << 62) -> tuple[_Piece, int, bool]:
        """Rounds from `begin` until one begins at `limit` or later; and whether no whole, possible one follows."""
        at: list[list[int]] = [[] for _ in self._frames]
        said: list[list[int]] = [[] for _ in self._frames]
        steps = [
            (f.prefix, f.null, f.width, f.prefix >= 4, gap) for f, gap in zip(self._frames, self._behind, strict=True)
        ]
        over = begin >= self._size
        while not over and begin < limit and len(at[0]) < most:
            place, found, whole = begin, [], True
            for prefix, null, width, signed, gap in steps:
                value = place + prefix
                length = int.from_bytes(self._plain[place:value], "little", signed=signed)
                if value > self._size:
                    whole = False
                    break
                found.append((place, length))
                # A length that cannot be is kept, so that it is seen and named.
                over = length != null and not 0 <= length <= width
                end = value if length == null else value + length
                whole = over or end <= self._size
                place = end + gap
                if over or not whole:
                    break
            if not whole:
                over = True
                break
            found += [(place, self._frames[field].null) for field in range(len(found), len(steps))]
            for field, (where, length) in enumerate(found):
                at[field].append(where)
                said[field].append(length)
            begin = place
            over = over or begin >= self._size
        columns = [[np.array(values, np.int64) for values in fields] for fields in (at, said)]
        return _Piece(np.zeros(len(at[0]), np.int64), *columns), begin, over

    def _guesses(self, begin: int, lanes: int, window: int) -> Places:
        """Where a round may begin at about equal distances: `begin`, then a place for each lane that found one."""
        step = (self._size - begin) / lanes
        window = min(window, int(step))
        blocks = begin + (np.arange(1, lanes) * step).astype(np.int64)
        place = (blocks[:, None] + np.arange(window)).ravel()
        lane = np.repeat(np.arange(1, lanes), window)
        found = np.full(lanes, -1, np.int64)
        found[0] = begin
        for _ in range(_GUESSING_ROUNDS):
            place, kept = self._possible_rounds(place)
            # What began at two places and is at the same one now is one guess.
            both = np.unique(lane[kept] * (2 * self._size) + place)
            lane, place = np.divmod(both, 2 * self._size)
            alone = np.bincount(lane, minlength=lanes)[lane] == 1
            found[lane[alone]] = place[alone]
            lane, place = lane[~alone], place[~alone]
            if not len(lane):
                break
        unclear, first = np.unique(lane, return_index=True)
        found[unclear] = place[first]
        return np.unique(found[found >= 0])

    def _possible_rounds(self, place: Places) -> tuple[Places, Places]:
        """Where the rounds end that begin at `place`, of those whose lengths are possible; which ones these are."""
        kept = np.arange(len(place))
        for frame, behind, view in zip(self._frames, self._behind, self._views, strict=True):
            said = view[np.minimum(place, self._size)].astype(np.int64)
            fits = np.flatnonzero(possible(frame, said) & (place < self._size))
            kept, place, said = kept[fits], place[fits], said[fits]
            place = place + (frame.prefix + behind) + np.where(said == frame.null, 0, said)
        inside = np.flatnonzero(place - self._behind[-1] <= self._size)
        return place[inside], kept[inside]

    def _together(self, starts: Places) -> tuple[list[_Piece], Places, Flags]:
        """All lanes, each from its start to the next one: their rounds, where each ended, whether at a whole one."""
        limits = np.append(starts[1:], self._size)
        ends = starts.copy()
        whole = np.ones(len(starts), bool)
        lane = np.flatnonzero(starts < limits)
        pieces: list[_Piece] = []
        longest = [min(f.width, (1 << (8 * f.prefix)) - 2) for f in self._frames]
        steps = list(zip(self._frames, self._behind, self._views, longest, strict=True))
        while len(lane):
            place = ends[lane]
            at, told = [], []
            for frame, behind, view, most in steps:
                said = view[np.minimum(place, self._size)]
                at.append(place)
                told.append(said)
                # A length that cannot be is looked at later; here the lane goes on from somewhere.
                length = said * (said != frame.null)
                np.minimum(length, most, out=length)
                if frame.prefix >= 4:
                    np.maximum(length, 0, out=length)
                place = place + length
                place += frame.prefix + behind
            inside = place - self._behind[-1] <= self._size
            if not inside.all():
                whole[lane[~inside]] = False
                lane, place = lane[inside], place[inside]
                at, told = [a[inside] for a in at], [t[inside] for t in told]
            pieces.append(_Piece(lane, at, told))
            ends[lane] = place
            lane = lane[place < limits[lane]]
        return pieces, ends, whole


def _in_order(single: list[_Piece], together: list[_Piece]) -> tuple[list[Places], list[Places]]:
    """All rounds as they stand in the buffer: a lane's behind each other, and pieces between the lanes."""
    single = [piece for piece in single if len(piece.lane)]
    lengths = np.bincount(np.concatenate([piece.lane for piece in together])) if together else np.zeros(0, np.int64)
    begins = np.zeros(len(lengths), np.int64)
    if together:
        begins[together[0].lane] = together[0].at[0]
    begins = np.append(begins, [piece.at[0][0] for piece in single]).astype(np.int64)
    lengths = np.append(lengths, [len(piece.lane) for piece in single]).astype(np.int64)
    order = np.argsort(begins, kind="stable")
    base = np.empty(len(order), np.int64)
    base[order] = np.cumsum(lengths[order]) - lengths[order]
    lanes = len(lengths) - len(single)
    target = [base[piece.lane] + number for number, piece in enumerate(together)]
    target += [base[lanes + number] + np.arange(len(piece.lane)) for number, piece in enumerate(single)]
    places = np.concatenate(target)
    pieces = [*together, *single]

    def ordered(columns: list[Places]) -> Places:
        out = np.empty(len(places), np.int64)
        out[places] = np.concatenate(columns)
        return out

    fields = range(len(single[0].at))
    return [ordered([p.at[f] for p in pieces]) for f in fields], [ordered([p.said[f] for p in pieces]) for f in fields]
