"""How gently a source is read: rows a second, and hours in which nothing is begun.

Guarantees: a read is never faster than its share of the limit, counted from its beginning; no read begins within the
pause, and no plan that reads tables; one that is at work when the pause begins goes on to its end, for what it has read
would be lost otherwise. While a read waits, it locks no row: where there are no row versions to read from, the
statement reads at full speed, and the wait comes after it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from datetime import time as day_time

from el.errors import Paused

_PAUSE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Pause:
    """From `begin` to `end` by this machine's clock; over midnight where the end is the earlier one."""

    begin: day_time
    end: day_time

    @classmethod
    def parse(cls, text: str) -> Pause:
        """ "08:00-18:00"; `ValueError` where it is not of that form."""
        found = _PAUSE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not of the form 08:00-18:00")
        hours = [int(part) for part in found.groups()]
        pause = cls(day_time(hours[0], hours[1]), day_time(hours[2], hours[3]))
        if pause.begin == pause.end:
            raise ValueError("a pause that begins when it ends never ends")
        return pause

    def holds(self, now: day_time) -> bool:
        """Whether `now` lies in the pause; its end does not."""
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end

    def refusal(self, table: str) -> Paused:
        """The error of a table that is not read now."""
        return Paused(f"{table}: nothing is read between {self}; a run after that takes it")

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Pace:
    """The share of one read. rows_per_second: None is no limit. after: the wait comes when the read has ended.

    units_per_second: the source itself keeps to it.
    """

    rows_per_second: float | None = None
    pause: Pause | None = None
    after: bool = False
    units_per_second: float | None = None

    def begin(self, table: str) -> None:
        """Raise `Paused` within the pause."""
        if self.pause is not None and self.pause.holds(datetime.now().time()):
            raise self.pause.refusal(table)

    def keep(self, rows: int, seconds: float, sleep: Callable[[float], object] = time.sleep) -> None:
        """Wait until `rows` are allowed to have been read, `seconds` after the beginning."""
        if self.rows_per_second is not None and rows / self.rows_per_second > seconds:
            sleep(rows / self.rows_per_second - seconds)

    def batch_rows(self, wanted: int) -> int:
        """A batch that takes about a second at most, so that no wait is long."""
        return (
            wanted
            if self.rows_per_second is None or self.after
            else max(1, min(wanted, int(self.rows_per_second) or 1))
        )
