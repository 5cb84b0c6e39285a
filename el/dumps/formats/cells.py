"""The values of one field in many rows, as they stand in a buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from el.dumps.formats.gather import Bytes, Flags, Places, numbers_at, pieces


class BadValue(Exception):
    """A value that its type does not have. row: from 0, of these cells."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(row, reason)
        self.row, self.reason = row, reason


@dataclass(frozen=True, slots=True)
class Cells:
    """Where each value begins, how long it is, and whether it is NULL (its place and length are then of no meaning)."""

    buffer: Bytes
    places: Places
    lengths: Places
    nulls: Flags | None

    def numbers(self, dtype: str, offset: int = 0) -> npt.NDArray[Any]:
        """The number at `offset` of each value; 0 where NULL."""
        if self.nulls is None:
            return numbers_at(self.buffer, dtype)[self.places + offset]
        found = numbers_at(self.buffer, dtype)[np.where(self.nulls, 0, self.places + offset)]
        found[self.nulls] = 0
        return found

    def bytes(self) -> pa.Array:
        """Each value's bytes."""
        return pieces(self.buffer, self.places, self.lengths, self.nulls)

    def refuse(self, bad: Flags, reason: str) -> None:
        """Raises `BadValue` where one is bad."""
        if self.nulls is not None:
            bad = bad & ~self.nulls
        if bad.any():
            raise BadValue(int(np.argmax(bad)), reason)


Decoder: TypeAlias = Callable[[Cells], pa.Array]
