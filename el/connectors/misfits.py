"""What did not fit: values of documents that stand where el.yml promises another type, counted, the first one shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Misfit:
    """Of one promoted field. No value stands in it: it may be nobody's business."""

    column: str
    count: int
    why: str  # of the first one
    key: str  # of the first one
    left_out: bool = False  # not a value: the whole row is not there

    def __str__(self) -> str:
        if self.left_out:
            keys = "1 key is" if self.count == 1 else f"{self.count:,} keys are"
            return f"{keys} left out, the first is {self.key}: {self.why}"
        values = "1 value does not fit and is" if self.count == 1 else f"{self.count:,} values do not fit and are"
        return f"{self.column}: {values} NULL there, the first in {self.key}: {self.why}"


@dataclass(slots=True)
class Misfits:
    """Grows while a buffer is drained."""

    found: dict[str, Misfit] = field(default_factory=dict)

    def add(self, column: str, count: int, why: str, key: str, *, left_out: bool = False) -> None:
        """So many more of a column; of its first ones why and where."""
        if not count:
            return
        before = self.found.get(column)
        first = Misfit(column, count, why, key, left_out)
        self.found[column] = first if before is None else replace(before, count=before.count + count)

    def __iter__(self) -> Iterator[Misfit]:
        return iter(self.found.values())

    def __bool__(self) -> bool:
        return bool(self.found)


def gathered(found: Iterable[Misfit]) -> tuple[Misfit, ...]:
    """One of each column, of what several reads found."""
    together = Misfits()
    for each in found:
        together.add(each.column, each.count, each.why, each.key, left_out=each.left_out)
    return tuple(together)
