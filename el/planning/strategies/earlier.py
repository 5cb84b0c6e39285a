"""What an earlier run read of a snapshot that it did not bring to its end, as far as a plan has to know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EarlierRead:
    """Slices of a snapshot that landed and were not loaded."""

    slices: int
    landed: int  # how many of them
    digest: str  # of all that decides what they hold: see `el.planning.resumed`
    splits: str  # by which the slices were cut, as JSON
    bound: str | None  # what its bound counts
    upper: str  # the bound that was noted before it was read
    since: str  # behind which the next load takes what changed: the bound, or the first place that a slice told
    incarnation: str | None
    lost: str | None = None  # why nothing of it can be used, in words

    def again(self, why: str) -> str:
        """That all of it is read again, in words."""
        if not self.slices:
            return f"what an earlier run had read is read again: {why}"
        return f"{self.landed:,} of {self.slices:,} slices were read by an earlier run: all is read again: {why}"

    def taken(self) -> str:
        """That it is not read again, in words."""
        said = f"{self.landed:,} of {self.slices:,} slices were read by an earlier run"
        return f"{said}; what changed since comes with the next load"
