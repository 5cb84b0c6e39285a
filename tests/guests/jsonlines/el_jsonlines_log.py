"""A log of changes beside a table of JSON lines, and the feed that follows it.

    sales/orders.log     {"first": 7}
                         {"op": "U", "row": {"id": 1, "amount": "13.00"}}
                         {"op": "D", "row": {"id": 2}}

The changes are numbered from `first` on. Whoever shortens the log takes lines away and counts `first` up. An update
that changes the key is a "D" of the former row, then a "U".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from el.connectors.abilities import ChangeFeed
from el.connectors.request import OP_READ, POSITION_READ, FeedRead, Position
from el.errors import PositionLost


@dataclass(frozen=True, slots=True)
class Logged(FeedRead):
    """The changes of these numbers, both inclusive."""

    first: int
    last: int


class Log(ChangeFeed):
    """Each change in the order of the log."""

    name = "log"
    counts = "log number"
    form = r"\d{19}"
    guarantee = "every change in the order of the log, deletes included; a log that was shortened too far is an error"
    reason = "there is a log beside the table"
    automatic = True

    def obstacle(self) -> str | None:
        if not self.followed.table.kept_by(self.name):
            return "there is no log beside the table"
        return "of a row that leaves the `filters`, a log does not tell" if self.followed.filtered else None

    def now(self, since: Position | None = None) -> Position:
        return self._log().end

    def alive(self, since: Position) -> str | None:
        log = self._log()
        if int(since.text) > log.last:
            return f"the log ends at {log.last}, before {int(since.text)}: it was begun anew"
        return f"the log begins at {log.first}, behind what raw has" if log.first > int(since.text) + 1 else None

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        return (Logged(int(since.text) + 1, int(until.text)),)

    def _log(self) -> LogFile:
        return LogFile.beside(self.source.path(self.followed.table.name))


@dataclass(frozen=True, slots=True)
class LogFile:
    path: Path
    first: int
    last: int

    @classmethod
    def beside(cls, table: Path) -> LogFile:
        path = table.with_suffix(".log")
        with path.open("rb") as file:
            first = int(json.loads(file.readline())["first"])
            return cls(path, first, first - 1 + sum(line.endswith(b"\n") for line in file))

    @property
    def end(self) -> Position:
        return _position(self.last)

    def rows(self, changes: Logged, at_once: int) -> Iterator[list[dict[str, Any]]]:
        """The changed rows, each with its operation and position. What is missing is never passed over."""
        if self.first > changes.first or self.last < changes.last:
            raise PositionLost(f"{self.path.name} has changes {self.first} to {self.last} alone, not {changes.first}")
        found: list[dict[str, Any]] = []
        with self.path.open("rb") as file:
            file.readline()
            for number, line in enumerate(file, self.first):
                if not changes.first <= number <= changes.last:
                    continue
                change = json.loads(line, parse_float=Decimal)
                found.append({**change["row"], OP_READ: change["op"], POSITION_READ: _position(number).text})
                if len(found) == at_once:
                    yield found
                    found = []
        yield found


def _position(number: int) -> Position:
    return Position(f"{number:019d}")
