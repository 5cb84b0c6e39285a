"""Places in the binary log, as sets of transactions (GTIDs): MariaDB's last one of each domain, MySQL's intervals.

MariaDB Documentation, "Global Transaction ID"; MySQL Reference Manual, "GTID Format and Storage".
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

# How many transactions, so that texts compare in the order of the log; then which.
FORM = r"\d{20}:[0-9a-f:,-]*"
_DIGITS = 20


class Gtids(ABC):
    """Transactions: all up to a place in the log of one server. It grows while the log is read."""

    @abstractmethod
    def __str__(self) -> str:
        """As the server writes them, in one way only."""

    @property
    @abstractmethod
    def total(self) -> int:
        """A number that grows with each transaction."""

    @abstractmethod
    def copy(self) -> Self:
        """The same ones, to be let grow."""

    @abstractmethod
    def holds(self, other: Self) -> bool:
        """Whether all of the other ones are among these."""

    @property
    def text(self) -> str:
        return f"{self.total:0{_DIGITS}d}:{self}"


@dataclass
class DomainGtids(Gtids):
    """MariaDB's: of each domain the server and the number of the last transaction."""

    last: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> DomainGtids:
        found = [tuple(map(int, each.split("-"))) for each in text.split(",") if each]
        return cls({domain: (server, number) for domain, server, number in found})

    def __str__(self) -> str:
        return ",".join(f"{domain}-{server}-{number}" for domain, (server, number) in sorted(self.last.items()))

    @property
    def total(self) -> int:
        return sum(number for _, number in self.last.values())

    def copy(self) -> DomainGtids:
        return DomainGtids(dict(self.last))

    def holds(self, other: DomainGtids) -> bool:
        none = (0, -1)
        return all(self.last.get(domain, none)[1] >= number for domain, (_, number) in other.last.items())

    def add(self, domain: int, server: int, number: int) -> None:
        self.last[domain] = (server, number)


@dataclass
class UuidGtids(Gtids):
    """MySQL's: of each server, by its UUID, intervals of numbers, both ends among them."""

    intervals: dict[UUID, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> UuidGtids:
        """Raises `ValueError` for GTIDs with tags."""
        found: dict[UUID, list[tuple[int, int]]] = {}
        for each in filter(None, re.sub(r"\s", "", text).split(",")):
            server, *spans = each.split(":")
            ends = [span.split("-") for span in spans]
            found[UUID(server)] = sorted((int(end[0]), int(end[-1])) for end in ends)
        return cls(found)

    def __str__(self) -> str:
        said = []
        for server, spans in sorted(self.intervals.items()):
            shown = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
            said.append(":".join([str(server), *shown]))
        return ",".join(said)

    @property
    def total(self) -> int:
        return sum(last - first + 1 for spans in self.intervals.values() for first, last in spans)

    def copy(self) -> UuidGtids:
        return UuidGtids({server: list(spans) for server, spans in self.intervals.items()})

    def holds(self, other: UuidGtids) -> bool:
        return all(
            any(first <= begin and end <= last for first, last in self.intervals.get(server, ()))
            for server, spans in other.intervals.items()
            for begin, end in spans
        )

    def add(self, server: UUID, number: int) -> None:
        joined: list[tuple[int, int]] = []
        for first, last in sorted([*self.intervals.get(server, ()), (number, number)]):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
        self.intervals[server] = joined

    def encoded(self) -> bytes:
        """As COM_BINLOG_DUMP_GTID takes them; there an interval ends before its second number."""
        parts = [len(self.intervals).to_bytes(8, "little")]
        for server, spans in sorted(self.intervals.items()):
            parts += [server.bytes, len(spans).to_bytes(8, "little")]
            parts += [end.to_bytes(8, "little") for first, last in spans for end in (first, last + 1)]
        return b"".join(parts)


def parse_gtids(text: str, *, is_mariadb: bool) -> Gtids:
    """What the server says, or what stands behind the count in a position's text."""
    return DomainGtids.parse(text) if is_mariadb else UuidGtids.parse(text)


def of_position(text: str, *, is_mariadb: bool) -> Gtids:
    """Those of a `Position.text`. Raises `ValueError` for one of another kind of server."""
    return parse_gtids(text.partition(":")[2], is_mariadb=is_mariadb)
