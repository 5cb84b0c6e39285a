"""Which keys a scan has given already, in 16 bytes each: SCAN may give one twice, while its table grows or shrinks."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

_RECENT = 100_000
_Halves = npt.NDArray[np.uint64]


class Seen:
    """A set of digests of 128 bits, those that are older in sorted arrays."""

    def __init__(self) -> None:
        self._recent: set[bytes] = set()
        self._runs: list[tuple[_Halves, _Halves]] = []

    def new(self, values: Sequence[bytes]) -> list[bytes]:
        """Those that come for the first time, in their order."""
        digests = [blake2b(value, digest_size=16).digest() for value in values]
        known = self._in_runs(digests)
        found = []
        for value, digest, old in zip(values, digests, known, strict=True):
            if not old and digest not in self._recent:
                self._recent.add(digest)
                found.append(value)
        if len(self._recent) >= _RECENT:
            self._put_away()
        return found

    def _in_runs(self, digests: Sequence[bytes]) -> list[bool]:
        if not self._runs or not digests:
            return [False] * len(digests)
        high, low = _halves(digests)
        known = np.zeros(len(digests), bool)
        for highs, lows in self._runs:
            begin, end = np.searchsorted(highs, high, "left"), np.searchsorted(highs, high, "right")
            for place in np.flatnonzero(begin < end):
                known[place] |= bool((lows[begin[place] : end[place]] == low[place]).any())
        return [bool(each) for each in known]

    def _put_away(self) -> None:
        high, low = _halves(list(self._recent))
        self._recent.clear()
        # As long as the last one is no longer than what comes, they become one: few runs, each digest moved seldom.
        while self._runs and len(self._runs[-1][0]) <= len(high):
            highs, lows = self._runs.pop()
            high, low = np.concatenate((highs, high)), np.concatenate((lows, low))
        order = np.argsort(high, kind="stable")
        self._runs.append((high[order], low[order]))


def _halves(digests: Sequence[bytes]) -> tuple[_Halves, _Halves]:
    pairs = np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()
