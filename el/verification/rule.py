"""The rule of each strategy: which rows cannot have changed since the last load, so that raw has to hold them as is.

A column that grows with each write (cursor, rowversion) tells it of a row itself, in the very statement that reads it;
a row that such a read shows as changed, or that shows so after it, is left out on both sides. A log tells the keys that
changed behind the position raw is at, read after the source's rows were, so that all that moved meanwhile is among
them. Of a whole snapshot nothing is known since: there raw is compared with what was noted of it when it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from el.config.tables import StrategyName
from el.connectors.catalog import Catalog, SourceType
from el.connectors.request import Condition, Op, Value
from el.errors import PlanError
from el.planning.plan import TablePlan
from el.planning.strategies.window import Kind


class LateBy(StrEnum):
    """What tells which rows changed since the bound."""

    COLUMN = "a column"
    LOG = "a log"
    NOTHING = "nothing"


_OPPOSITE = {Op.LT: Op.GE, Op.LE: Op.GT}


@dataclass(frozen=True, slots=True)
class Rule:
    """How late rows are told. settled: what a row meets that has not changed, where a column tells."""

    by: LateBy
    settled: Condition | None = None

    @property
    def late(self) -> Condition:
        """What a row meets that may have changed; without an end, for the next load's bound may not reach it yet."""
        assert self.settled is not None
        return Condition(self.settled.column, _OPPOSITE[self.settled.op], self.settled.value, or_null=True)


def rule_of(table: TablePlan, catalog: Catalog) -> Rule:
    """The rule for a table as it is planned now. Raises `PlanError` where raw is none to compare with."""
    last, window = table.last, table.window
    if last is None:
        why = next((note for note in table.notes if "new snapshot begins" in note), "it was not loaded yet")
        raise PlanError(f"raw is none to compare with: {why}; run first")
    if last.upper is None:
        return Rule(LateBy.NOTHING)
    if window is not None and window.kind is Kind.SNAPSHOT:
        raise PlanError(f"raw is none to compare with: {window.because or 'a new snapshot begins'}; run first")
    if table.strategy not in (StrategyName.CURSOR, StrategyName.ROWVERSION):
        if not table.key:
            raise PlanError("there is no key, so what the log tells of a row cannot be told from other rows")
        return Rule(LateBy.LOG)
    if window is not None and window.column is not None:
        if not isinstance(window.lower, Value):
            raise PlanError("every row is read again by the next load: there is none that cannot have changed")
        op = Op.LT if window.lower_inclusive else Op.LE
        return Rule(LateBy.COLUMN, Condition(window.column, op, window.lower))
    # Nothing is new; a row at the bound counts as late, for it may be one that came since.
    name = last.bound_column or ""
    return Rule(LateBy.COLUMN, Condition(name, Op.LT, Value(last.upper, _type(table, catalog, name))))


def _type(table: TablePlan, catalog: Catalog, name: str) -> SourceType:
    for column in table.columns:
        if column.source.name == name:
            return column.source.type
    found = catalog.table(table.name)
    columns = () if found is None else (*found.columns, *([found.version] if found.version else []))
    type_ = next((column.type for column in columns if column.name == name), None)
    if type_ is None:
        raise PlanError(f"there is no column {name} any more: run first")
    return type_
