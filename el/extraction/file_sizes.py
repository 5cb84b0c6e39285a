"""How large the landing files of a table get: many enough to be loaded at once, few enough to be no burden.

Snowflake, "Preparing your data files": a warehouse loads as many files at once as it has threads, eight in the
smallest one; 100 to 250 MB compressed are best where there are many. A slice cannot know how much it will bring, so its
first files are small, and the next ones twice as large each time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

MB = 1024 * 1024
# Files that the smallest warehouse loads at once.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class FileSizes:
    """The sizes on disk, in bytes, at which the files of a slice are closed, one after the other."""

    most: int
    least: int | None = None  # of the first files; without it all close at `most`
    slices: int = 1  # of the table

    def of(self, number: int) -> int:
        """The size of the file of this number. The first is 0."""
        if self.least is None:
            return self.most
        # Slices are loaded together: each of them need not bring so many files.
        alike = max(2, -(-AT_ONCE // self.slices))
        first = self.least * max(1, self.slices // AT_ONCE)
        return int(min(self.most, first * 2 ** min(number // alike, 62)))

    def unless(self, wanted_mb: int | None) -> FileSizes:
        """These, unless all files are wanted of one size."""
        return self if wanted_mb is None else FileSizes(wanted_mb * MB, wanted_mb * MB)

    def among(self, slices: int) -> Self:
        """The sizes where the table has so many slices."""
        return replace(self, slices=max(1, slices))
