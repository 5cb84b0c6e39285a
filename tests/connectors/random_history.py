"""A random history of changes to a table of each strategy: what raw gives of each is the source's, value by value."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from el.connectors.sql.connector import SqlConnector
from el.extraction.slice import STEP
from tests.dbt.project import Project, copy_project
from tests.tsql_shop import state_from_raw

KEYS = "deletes: {by: keys, every: 0s, max_percent: 100}"
TABLES = {
    "whole": "whole, strategy: full, skip_unchanged: false",
    "parts": "parts, strategy: full, partition_by: a, partitions: 3",
    "logged": "logged, strategy: changes",
    "grown": f"grown, strategy: cursor, cursor: changed, {KEYS}",
    "fewer": f'fewer, strategy: cursor, cursor: changed, filters: [{{column: v, op: ">=", value: -1}}], {KEYS}',
}
# These are read whole each time.
SNAPSHOTS = {"whole", "parts"}
KEY, COLUMNS = "a, b", "a, b, v, w, changed"
Rows = list[tuple[Any, ...]]
Transaction = tuple[str, ...]


class Shop(Protocol):
    """A schema, whoever reads it, and a warehouse that takes its tables by `el run`."""

    schema: str
    folder: Path

    @property
    def server(self) -> SqlConnector: ...

    def sql(self, *statements: str) -> None: ...

    def fetch(self, query: str) -> Rows: ...

    def run(self, *tables: str) -> dict[str, Any]: ...

    def raw(self, query: str) -> Rows: ...


@dataclass(frozen=True)
class History:
    """Loads of these tables, which have the same changes.

    layout: the columns of a table, which are COLUMNS. change: a statement on a table {0}, which draws the value of
    `changed` that it is given; `changed` grows with each.
    """

    shop: Shop
    layout: str
    change: Callable[[random.Random, int], str]
    tables: Mapping[str, str] = field(default_factory=lambda: TABLES)

    def create(self, *setup: str) -> None:
        for name in self.tables:
            self.shop.sql(f"CREATE TABLE {{schema}}.{name} ({self.layout}, PRIMARY KEY ({KEY}))")
        self.shop.sql(*setup)

    def load(self, seed: int, loads: int) -> None:
        """So many loads, some with changes while they read; raw is compared after each of the others."""
        chance, clock = random.Random(seed), iter(range(1, 10**9))
        waits: list[tuple[str, list[Transaction]]] = []

        def between(event: str, arguments: tuple[object, ...]) -> None:
            if event == STEP and waits and arguments[0] == waits[-1][0]:
                self._apply(waits.pop()[1])

        sys.addaudithook(between)
        kinds = set()
        for number in range(1, loads + 1):
            self._apply(self._some_changes(chance, clock))
            busy = chance.random() < 0.4 and number < loads
            if busy:
                waits.append((chance.choice(("planned", "slice begun")), self._some_changes(chance, clock)))
            reports = self.shop.run(*self.tables.values())["tables"]
            kinds |= {(each["table"].partition(".")[2], each["kind"]) for each in reports}
            waits.clear()
            if not busy:
                assert self._found() == self._source(), f"load {number}, seed {seed}"
        assert {(name, "snapshot" if name in SNAPSHOTS else "delta") for name in self.tables} <= kinds
        assert all(self._source().values()), "there is something to compare"

    def models_give_the_source(self) -> None:
        """Build dbt's own models; each table of theirs is the source's."""
        project = Project(self.shop.folder)
        copy_project(self.shop.folder, generated=False)
        project.el("codegen")
        project.models()
        for name, wanted in self._source().items():
            model = f"SELECT {COLUMNS} FROM main_{self.shop.schema}.{name}"
            assert _by_text(self.shop.raw(model)) == wanted, name

    def _some_changes(self, chance: random.Random, clock: Iterator[int]) -> list[Transaction]:
        return [
            tuple(self.change(chance, next(clock)) for _ in range(chance.randint(1, 3)))
            for _ in range(chance.randint(0, 12))
        ]

    def _apply(self, changes: list[Transaction]) -> None:
        for name in self.tables:
            for statements in changes:
                with self.shop.server.transaction():
                    self.shop.sql(*(each.format(f"{self.shop.schema}.{name}") for each in statements))

    def _source(self) -> dict[str, Rows]:
        taken = {name: " WHERE v >= -1" if name == "fewer" else "" for name in self.tables}
        select = f"SELECT {COLUMNS} FROM {{schema}}."
        return {name: _by_text(self.shop.fetch(f"{select}{name}{taken[name]}")) for name in self.tables}

    def _found(self) -> dict[str, Rows]:
        raw = f"shop_{self.shop.schema}"
        return {name: _by_text(state_from_raw(self.shop.raw, raw, name, KEY, COLUMNS)) for name in self.tables}


def _by_text(rows: Rows) -> Rows:
    return sorted(rows, key=str)
