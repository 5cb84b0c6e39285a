"""The SQL that gives what a raw table holds now, of all that was ever appended to it.

Guarantee: the rule is that of the dbt project's macro `el_current_state`. What counts is what complete loads brought
since the last complete snapshot. Of the rows with one key the last one counts: of the latest load, there the greatest
position; of rows without a position a `D` row is the first. A row as it was before a change (`B`) is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from el.connectors.sql.select import Statement
from el.loading.ledger import LEDGER_TABLE
from el.loading.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class CurrentState:
    """What a raw table holds now. `told_by` are the columns that tell keys apart: the key's own, or `_el_key`.

    loads: the query that gives the ids of the complete loads that count; None: all of them do.
    """

    warehouse: Warehouse
    raw_schema: str
    raw_table: str
    loads: Statement | None = None

    def keys(self, key: Sequence[str], told_by: Sequence[str]) -> Statement:
        """The keys of which the last row is not deleted."""
        op, keys = self._column("_el_op"), self._columns(key)
        return Statement(
            f"SELECT {keys} FROM (SELECT {keys}, {op}, {self._numbered(told_by)} FROM {self._raw} "
            f"WHERE {self._counts()}) AS r WHERE _el_last = 1 AND {op} <> 'D'",
            self._names,
        )

    def of_keys(self, columns: Sequence[str], told_by: Sequence[str], keys: str) -> Statement:
        """As `rows`, of the keys that meet a condition in SQL: only these are sorted, and nothing else is read."""
        return Statement(self._last(columns, told_by, f"({keys})"), self._names)

    def rows(self, columns: Sequence[str], told_by: Sequence[str], position: str | None) -> Statement:
        """The rows at or beyond a position, and those without one; the last column says whether a row is deleted.

        With a key (`told_by`), only the last row of each counts, whatever position the rows before it had. Without a
        key, every row counts. position: None takes all rows.
        """
        load, place = self._column("_dlt_load_id"), self._column("_el_position")
        taken, deleted, counts = self._columns(columns), self._deleted(), self._counts()
        near, bound = ("1 = 1", ()) if position is None else (f"({place} >= ? OR {place} IS NULL)", (position,))
        if not told_by:
            sql = f"SELECT {taken}, {deleted} AS _el_deleted FROM {self._raw} WHERE {counts} AND {near}"
            return Statement(sql, (*self._names, *bound))
        among, given = near, (*self._names, *bound)
        if position is not None:
            # What took the place of such a row came with a later load.
            among = f"({near} OR {load} > (SELECT MIN({load}) FROM {self._raw} WHERE {counts} AND {near}))"
            given = (*given, *self._names, *bound)
        return Statement(
            f"SELECT {taken}, _el_deleted FROM (SELECT {taken}, {place}, {deleted} AS _el_deleted, "
            f"{self._numbered(told_by)} FROM {self._raw} WHERE {counts} AND {among}) AS r "
            f"WHERE _el_last = 1 AND {near}",
            (*given, *bound),
        )

    def all_rows(self, columns: Sequence[str], told_by: Sequence[str]) -> Statement:
        """As `rows` without a position.

        Where a window over all columns costs much, the keys of which there is more than one row are found first, and
        only the rows of these are sorted.
        """
        if not told_by or not self.warehouse.windows_are_dear:
            return self.rows(columns, told_by, None)
        taken, keys, counts = self._columns(columns), self._columns(told_by), self._counts()
        none = " OR ".join(f"{key} IS NULL" for key in map(self.warehouse.column, told_by))
        # As EXISTS it would be a join, whose larger side DuckDB may gather: here that is all of raw.
        often = f"({none} OR ({keys}) IN (SELECT {keys} FROM el_often))"
        return Statement(
            f"WITH el_often AS (SELECT {keys} FROM {self._raw} WHERE {counts} AND NOT ({none}) GROUP BY {keys} "
            f"HAVING COUNT(*) > 1) "
            f"SELECT {taken}, {self._deleted()} AS _el_deleted FROM {self._raw} WHERE {counts} AND NOT {often} "
            f"UNION ALL {self._last(columns, told_by, often)}",
            self._names * 3,
        )

    def _last(self, columns: Sequence[str], told_by: Sequence[str], among: str) -> str:
        """Of the rows that meet a condition the last one of each key; one use of `_counts`."""
        taken = self._columns(columns)
        return (
            f"SELECT {taken}, _el_deleted FROM (SELECT {taken}, {self._deleted()} AS _el_deleted, "
            f"{self._numbered(told_by)} FROM {self._raw} WHERE {self._counts()} AND {among}) AS r WHERE _el_last = 1"
        )

    @property
    def _names(self) -> tuple[object, ...]:
        """The parameters of `_counts`."""
        once = (self.raw_table, *(self.loads.parameters if self.loads else ()))
        return (*once, *once)

    @property
    def _raw(self) -> str:
        return self.warehouse.qualified(self.raw_schema, self.raw_table)

    def _column(self, name: str) -> str:
        return self.warehouse.column(name)

    def _columns(self, names: Sequence[str]) -> str:
        return ", ".join(self.warehouse.column(name) for name in names)

    def _deleted(self) -> str:
        return f"CASE WHEN {self._column('_el_op')} = 'D' THEN 1 ELSE 0 END"

    def _counts(self) -> str:
        """The condition of a row that a complete load brought since the last complete snapshot."""
        load, kind, name = (self._column(each) for each in ("_dlt_load_id", "kind", "table_name"))
        ledger = self.warehouse.qualified(self.raw_schema, LEDGER_TABLE)
        complete = self.loads.sql if self.loads else self.warehouse.complete_ids(self.raw_schema)
        loads = f"SELECT {load} FROM {ledger} WHERE {name} = ? AND {load} IN ({complete})"
        snapshot = f"SELECT MAX({load}) FROM ({loads} AND {kind} = 'snapshot') AS s"
        now = f"{self._column('_el_op')} <> 'B'"
        return f"{load} IN ({loads}) AND {load} >= COALESCE(({snapshot}), '') AND {now}"

    def _numbered(self, told_by: Sequence[str]) -> str:
        """The rows of each key, numbered from the last one on."""
        load, place = self._column("_dlt_load_id"), self._column("_el_position")
        return (
            f"row_number() OVER (PARTITION BY {self._columns(told_by)} "
            f"ORDER BY {load} DESC, {place} DESC NULLS LAST, {self._deleted()}) AS _el_last"
        )
