"""Rolling verification: of a table that passed before, what is new, the keys of all, and one share of the rest in turn.

Guarantees: after as many comparisons as there are shares each row was compared in full, whatever came or went
meanwhile: a share is a range of the key that begins where the last one ended, and takes its part of the keys that are
left. Where the source's order of the key cannot be trusted, all is compared, and the reason is said. Memory is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from el.connectors.request import Condition, Op, Value
from el.connectors.sql.select import Statement
from el.extraction.fingerprint import RowHash
from el.extraction.landing import LandedFile
from el.loading.current_state import CurrentState
from el.loading.spill import spilling
from el.planning.plan import TablePlan
from el.verification.compare import SHOWN, Difference, read_columns
from el.verification.in_warehouse import InWarehouse
from el.verification.passed import Passed
from el.verification.ranges import Divider, Range, borders, clusters
from el.verification.report import Sample
from el.verification.rule import LateBy, Rule
from el.verification.sides import Sides


@dataclass(frozen=True, slots=True)
class Part:
    """What is compared at once. raw: None where the warehouse sums it up (`inside`), or it is read when it is needed.

    told_by_source: rows that raw has alone say nothing here.
    """

    sides: Sides
    source: tuple[LandedFile, ...]
    raw: Sequence[LandedFile] | None = None
    hashed: RowHash | None = None
    inside: InWarehouse | None = None
    told_by_source: bool = False


def not_due(table: TablePlan, passed: Passed | None, now: datetime) -> str | None:
    """Why a table is not compared now, in words."""
    if table.verify is None or passed is None or not passed.unbroken or table.last is None:
        return None
    # What passed later than now did so by a clock that was wrong.
    if not passed.at <= now < passed.at + table.verify.every:
        return None
    then = passed.at + table.verify.every
    return f"not due until {then:%Y-%m-%d %H:%M} UTC: it passed at {passed.at:%H:%M}; `--whole` compares it now"


def whole_because(table: TablePlan, passed: Passed | None, rule: Rule, divider: Divider | None) -> str | None:
    """Why all of a table is compared though el.yml asks for a share, in words; None: a share can be."""
    if passed is None:
        return "nothing that raw holds has passed before"
    if rule.by is LateBy.NOTHING:
        return f"{table.strategy} does not tell what changed since"
    if not table.key:
        return "it has no key to divide it by"
    if divider is None:
        return (
            "no column of its key is a whole number, a decimal or a date that is read as it is and not personal: "
            "the source may order it otherwise than the warehouse"
        )
    if passed.through is None or (rule.settled is not None and rule.settled.column != passed.column):
        return "it passed by another column before"
    return None


@dataclass(frozen=True, slots=True)
class Rolling:
    """The comparison of a share of one table."""

    sides: Sides
    passed: Passed
    divider: Divider
    shares: int

    @property
    def number(self) -> int:
        """Which share it is, from 1 on; a round begins anew where it is over, or el.yml divides the table otherwise."""
        number, shares = self.passed.turn
        goes_on = shares == self.shares and number < shares and self._last is not None
        return number + 1 if goes_on else 1

    @property
    def _last(self) -> str | None:
        return self.passed.border(self._name)

    def border(self, share: Range) -> str | None:
        """Where the share ends, with the column that it is of: with another key, or mask, that is another one."""
        return None if share.upper is None else f"{self._name} {share.upper}"

    def keys(self) -> Part:
        """The keys of all rows, as the source has them."""
        table = self.sides.table
        columns = tuple(column for column in table.columns if column.name in table.key)
        assert table.whole is not None
        whole = replace(table.whole, columns=tuple(read for column in columns for read in column.reads()))
        sides = self._beside("keys", replace(table, columns=columns, whole=whole))
        return Part(sides, sides.source())

    def share(self, keys: Part) -> Range:
        """The next share: of the keys behind the last one's border so many as each share has that is still to come."""
        lower = self._last if self.number > 1 else None
        left = self.shares - self.number + 1
        if left == 1 or not keys.source:
            return Range(lower)
        name = self.divider.column.name
        value = self.divider.number("f0")
        beyond = "f0 IS NOT NULL" if lower is None else f"f0 > {self.divider.literal(lower)}"
        behind = f"SELECT {value} AS v FROM {read_columns(keys.source, [name], 'f')} WHERE {beyond}"
        with spilling(keys.sides.folder / "share.tmp") as engine:
            rows = engine.execute(f"SELECT count(*) FROM ({behind}) AS b").fetchall()[0][0]
            found = engine.execute(
                f"SELECT v FROM ({behind}) AS b ORDER BY v LIMIT 1 OFFSET {max(0, ceil(rows / left) - 1)}"
            ).fetchall()
        return Range(lower, borders([(found[0][0], found[0][0])])[0].upper if found else None)

    def rows(self, share: Range) -> list[Part]:
        """The rows of the share, and what came since the last time that it passed."""
        if self.sides.rule.by is LateBy.LOG:
            return [self._both("share", [share, *self._outside(self._loaded_since(), share)])]
        return [self._both("share", [share]), *self._written_since(share)]

    def _both(self, name: str, ranges: Sequence[Range]) -> Part:
        sides = self._beside(name)
        source = sides.source([self.divider.conditions(each) for each in ranges])
        return Part(sides, source, sides.raw(self._raw(sides, ranges))[0])

    def _written_since(self, share: Range) -> list[Part]:
        """What the source's column says that was written since, outside of the share, and raw's rows of these keys."""
        settled = self.sides.rule.settled
        assert settled is not None
        assert settled.value is not None
        assert self.passed.through is not None
        since = Condition(settled.column, Op.GE, Value(self.passed.through, settled.value.type))
        sides = self._beside("since")
        source = sides.source(
            [(*self.divider.conditions(each), since) for each in self.divider.without(Range(), share)]
        )
        if not source:
            return []
        values = f"SELECT {self.divider.number('f0')} AS el_v FROM {read_columns(source, [self._name], 'f')}"
        with spilling(sides.folder / "since.tmp") as engine:
            found = borders(engine.execute(clusters(values)).fetchall())
        # Of rows without a value there no range tells, unless the share has them.
        valueless = share.lower is not None
        raw = sides.raw(self._raw(sides, self._outside(found, share), valueless=valueless))[0]
        return [Part(sides, source, raw, told_by_source=True)]

    def _loaded_since(self) -> list[Range]:
        """Where in the key the rows are that raw's loads brought since."""
        warehouse, table = self.sides.warehouse, self.sides.table
        load, value = warehouse.column("_dlt_load_id"), self.divider.number(warehouse.column(self._name))
        raw = warehouse.qualified(table.raw_schema, table.raw_table)
        complete = warehouse.complete_ids(table.raw_schema)
        values = f"SELECT {value} AS el_v FROM {raw} WHERE {load} > ? AND {load} IN ({complete})"
        with warehouse.connector as connector:
            return borders(connector.fetch(Statement(clusters(values), (self.passed.load_id,))))

    def _outside(self, ranges: Sequence[Range], share: Range) -> list[Range]:
        return [left for each in ranges for left in self.divider.without(each, share)]

    def _raw(self, sides: Sides, ranges: Sequence[Range], *, valueless: bool = False) -> Statement:
        """Raw's rows of these ranges; and those without a value in the column that ranges are of."""
        shape, table, warehouse = sides.shape(), sides.table, sides.warehouse
        column = warehouse.column(self._name)
        wanted = [f"({self.divider.sql(each, column)})" for each in ranges]
        near = " OR ".join([*wanted, *([f"{column} IS NULL"] if valueless else [])]) or "1 = 0"
        return CurrentState(warehouse, table.raw_schema, table.raw_table).of_keys(shape.names, shape.told_by, near)

    @property
    def _name(self) -> str:
        return self.divider.column.name

    def _beside(self, name: str, table: TablePlan | None = None) -> Sides:
        folder = self.sides.folder / name
        folder.mkdir()
        return replace(self.sides, table=table or self.sides.table, folder=folder)


def taken_together(keys: Difference, rows: Sequence[Difference]) -> Difference:
    """One outcome of a comparison of all keys and of some rows: the keys say which rows are there."""
    found = [keys, *rows]
    columns: dict[str, int] = {}
    samples: dict[tuple[str, tuple[str | None, ...]], Sample] = {}
    for each in found:
        for name, number in each.columns.items():
            columns[name] = columns.get(name, 0) + number
        for sample in each.samples:
            samples.setdefault((sample.kind, tuple(sample.key.values())), sample)
    return replace(
        keys,
        missing=max(keys.missing, sum(each.missing for each in rows)),
        extra=max(keys.extra, sum(each.extra for each in rows)),
        different=max(keys.different, sum(each.different for each in rows)),
        columns=columns,
        # Rows that are gone are told last, for they may be no fault.
        samples=tuple(sorted(samples.values(), key=lambda each: each.kind == "extra")[:SHOWN]),
        in_full=sum(each.source for each in rows),
    )


def of_source_alone(found: Difference) -> Difference:
    """Without the rows that raw has alone: of them this part of the source says nothing."""
    return replace(found, extra=0, samples=tuple(each for each in found.samples if each.kind in _OF_SOURCE))


_OF_SOURCE = ("missing", "different")
