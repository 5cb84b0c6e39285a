"""The digest of raw's rows made in the warehouse: of each range of keys how many rows, and the sum of their numbers.

So 1,024 rows cross the network where all were equal, and else those of the ranges that differ. A range is told by the
number of the key's text, which warehouse and DuckDB make alike: see `el.loading.canonical`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from el.connectors.sql.select import Statement
from el.loading.canonical import Canonical
from el.loading.current_state import CurrentState
from el.loading.warehouse import Warehouse
from el.planning.plan import TablePlan
from el.verification.compare import RANGES, Digests, Shape
from el.verification.rule import LateBy

# Late keys that a statement leaves out by their numbers: Snowflake takes 16,384 values in a list.
MOST_LATE = 10_000


@dataclass(frozen=True, slots=True)
class InWarehouse:
    """Raw's digests of one table. key: the numbers of its keys and rows, in the warehouse's SQL."""

    warehouse: Warehouse
    table: TablePlan
    shape: Shape

    def numbers(self) -> tuple[str, str] | None:
        """Of a key and of a row; None where a column's type has no text that both engines write alike."""
        shape, canonical = self.shape, self.warehouse.canonical
        row = self._number(canonical, shape.schema.names, shape.schema.types)
        key = self._number(canonical, shape.told_by, shape.key_types())
        return None if row is None or key is None else (key, row)

    def chosen(self, wanted: bool | None, by: LateBy) -> tuple[bool, str]:
        """Whether raw is summed up there, and why. wanted: what the command line says; None: nothing."""
        if wanted is False:
            return False, "as asked"
        least, last = self.warehouse.sums_from_rows, self.table.last
        rows = max(self.table.rows or 0, last.rows if last is not None else 0)
        if wanted is None and least is None:
            return False, "raw is read where it is, without a network"
        if wanted is None and least is not None and rows < least:
            return False, f"{rows:,} rows, and from {least:,} on the warehouse sums them up"
        if by is LateBy.NOTHING or not self.table.key:
            return False, "which rows are late is told by no key, so that raw's rows are read"
        if self.numbers() is None:
            return False, "a column's type, such as a float, has no text that both engines write alike"
        return True, "as asked" if wanted else f"{rows:,} rows"

    def _number(self, canonical: Canonical, names: Sequence[str], types: Sequence[pa.DataType]) -> str | None:
        return canonical.row([self.warehouse.column(name) for name in names], types)

    def ranges(self, late: Sequence[int]) -> Digests:
        """Of each range its digest, without the keys of these numbers."""
        found = self.numbers()
        assert found is not None
        key, row = found
        held = self._held()
        without = f"WHERE el_k NOT IN ({', '.join(map(str, late))})" if late else ""
        numbered = f"SELECT {key} AS el_k, {row} AS el_h FROM ({held.sql}) AS q WHERE _el_deleted = 0"
        part = f"MOD(el_k, {RANGES})"
        statement = Statement(
            f"SELECT CAST({part} AS VARCHAR), COUNT(*), CAST(SUM(el_h) AS VARCHAR) FROM ({numbered}) AS d {without} "
            f"GROUP BY {part}",
            held.parameters,
        )
        with self.warehouse.frugal(len(self.shape.names)) as connector:
            rows = connector.fetch(statement)
        return {int(str(part)): (int(str(count)), int(str(total))) for part, count, total in rows}

    def rows(self, ranges: Sequence[int]) -> Statement:
        """The rows of these ranges, as `CurrentState.rows` gives them."""
        found = self.numbers()
        assert found is not None
        held = self._held()
        names = ", ".join(self.warehouse.column(name) for name in self.shape.names)
        listed = ", ".join(map(str, ranges)) or "-1"
        sql = f"SELECT {names}, _el_deleted FROM ({held.sql}) AS q WHERE MOD({found[0]}, {RANGES}) IN ({listed})"
        return Statement(sql, held.parameters)

    def _held(self) -> Statement:
        state = CurrentState(self.warehouse, self.table.raw_schema, self.table.raw_table)
        return state.all_rows(self.shape.names, self.shape.told_by)
