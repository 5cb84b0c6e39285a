"""The schema tables that dbt makes of a raw table, compared with what raw holds, inside the warehouse.

What a schema table has to hold is raw as it was after the loads that dbt's own notes (`el_loads_taken`) say its model
took. Loads that came since are late, not a difference. The comparison is one query, of which counts come back; only of
what differs some keys.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from el.codegen.design import staging_names
from el.config.tables import ModelKind
from el.connectors.request import ReadRequest, SqlText
from el.connectors.sql.select import Statement
from el.errors import ElError, PlanError
from el.loading.current_state import CurrentState
from el.loading.ledger import LEDGER_TABLE
from el.loading.warehouse import Warehouse
from el.planning.keys import KEY_COLUMN
from el.planning.plan import TablePlan
from el.verification.compare import SHOWN
from el.verification.manifest import Manifest, Model
from el.verification.model_sql import Compared, ModelSql, forms_of
from el.verification.report import Counts, Found, Method, Sample, Verdict, kind_of

_LANDING = ("_dlt_load_id", "_el_op", "_el_position", "_el_extracted_at")
_OWN = (*_LANDING, KEY_COLUMN, "_el_valid_from", "_el_valid_to", "_el_closed_at", "_el_deleted", "_el_deleted_load_id")


def check_models(
    warehouse: Warehouse, manifest: Manifest, table: TablePlan, *, values: bool, not_compared: Mapping[str, str]
) -> list[Found]:
    """What was found in each model of a table. not_compared: what of its source's columns raw has not, and why."""
    place = f"{table.raw_schema}.{table.raw_table}"
    nothing = Found(str(table.name), place, "", Verdict.REFUSED, method=Method.MODEL, not_compared=not_compared)
    models = manifest.models_of(table.raw_schema, table.raw_table)
    if not models:
        said = f"{manifest.path} has no model of it that codegen wrote: run `python -m el codegen`, then `dbt build`"
        return [replace(nothing, why=said)]
    found = []
    for model in models:
        began = time.monotonic()
        check = ModelCheck(warehouse, manifest.notes, table, model, values)
        start = replace(nothing, target=model.place, strategy=_kind(model))
        try:
            one = check.run(start)
        except ElError as error:
            one = replace(start, why=str(error), failed=kind_of(error))
        if model.edited:
            one = replace(
                one, notes=(*one.notes, "the model is not as codegen wrote it: a filter of it is a difference")
            )
        found.append(replace(one, seconds=round(time.monotonic() - began, 3)))
    return found


def _kind(model: Model) -> str:
    return f"{model.design.kind}, deleted rows are flagged" if model.design.flagged else str(model.design.kind)


@dataclass(frozen=True, slots=True)
class _Loads:
    """Loads of the table: how many the model took, the last of them, and what it has not taken yet."""

    taken: int
    last: str | None
    late: int
    late_rows: int
    late_snapshots: int


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The comparison of one model. notes: how SQL calls the table of what was taken."""

    warehouse: Warehouse
    notes: str
    table: TablePlan
    model: Model
    values: bool

    def run(self, found: Found) -> Found:
        """What was found. Raises `ElError` where it cannot be compared."""
        loads = self._loads()
        if not loads.taken:
            raise PlanError("dbt has not noted that the model took a load: run `dbt build`, and verify again")
        there = self._columns()
        columns, missing, own = self._compared(there)
        aside = dict.fromkeys(missing, "not in the schema table")
        aside |= dict.fromkeys(own, "the schema table's own: raw has no such column")
        found = replace(found, load_id=loads.last, not_compared={**found.not_compared, **aside})
        if not columns:
            raise PlanError("the schema table has no column of raw's")
        key, once = self._key(there), self.model.design.kind is not ModelKind.SNAPSHOT
        sql = ModelSql(self.warehouse, self._raw(), self._built(), columns, key, once=once)
        found = self._found(found, sql, loads)
        kind = self.model.design.kind
        # A build that is at work, or was killed, may have taken more than it noted.
        may = {ModelKind.LOG: 0, ModelKind.SNAPSHOT: loads.late_snapshots}.get(kind, loads.late)
        if not found.counts.differ or not may:
            return found
        if loads.late_snapshots:
            said = (
                f"{found.counts.differ:,} rows differ, and {loads.late} loads are not noted, of which the model may "
                "have taken a part: run `dbt build`, and verify again"
            )
            return replace(found, verdict=Verdict.UNDECIDED, why=said)
        return self._found(found, replace(sql, without=self._late_keys()), loads)

    def _found(self, found: Found, sql: ModelSql, loads: _Loads) -> Found:
        with self.warehouse.connector as connector:
            raw, held, missing, extra, different, *each = (int(str(n)) for n in connector.fetch(sql.counts())[0])
            differ = missing + extra + different
            numbers = [n for n, column in enumerate(sql.columns) if column.raw in self.table.key] if sql.key else []
            wanted = sql.samples(numbers, SHOWN, values=self.values)
            rows = connector.fetch(wanted) if differ else []
        counts = Counts(
            source=raw,
            raw=held,
            compared=raw,
            equal=raw - missing - different,
            late=loads.late_rows,
            missing=missing,
            extra=extra,
            different=different,
        )
        return replace(
            found,
            verdict=Verdict.DIFFERENT if differ else Verdict.EQUAL,
            counts=counts,
            columns={column.model: n for column, n in zip(sql.columns, each, strict=True) if n},
            samples=tuple(_sample(sql, numbers, row) for row in rows),
        )

    def _compared(self, there: Mapping[str, str]) -> tuple[list[Compared], list[str], list[str]]:
        """The columns of both sides; those that raw has alone; those that the schema table has alone."""
        table, new = self.table, {column.name for column in self.table.drift.added}
        plans = {column.name: column for column in table.columns}
        named = staging_names(table.columns)
        found, missing = [], []
        for name, column in plans.items():
            if name in new:
                continue
            if named[name].lower() not in there:
                missing.append(name)
            else:
                forms = forms_of(self.warehouse, column.mapping)
                found.append(Compared(name, named[name], forms, nullable=column.source.nullable))
        known = {each.model.lower() for each in found} | set(_OWN)
        own = [name for name in there if name not in known]
        if self.model.design.kind is ModelKind.LOG:
            found += [Compared(name, name) for name in _LANDING[:3] if name in there]
        return found, missing, own

    def _key(self, there: Mapping[str, str]) -> list[Compared]:
        """What rows are joined by; nothing for a log. Raises `PlanError` where the schema table lacks it."""
        kind, table = self.model.design.kind, self.table
        if kind is ModelKind.LOG or not table.key:
            return []
        if table.equal and kind is not ModelKind.SNAPSHOT:
            if KEY_COLUMN not in there:
                raise PlanError(f"the schema table has no column {KEY_COLUMN}, by which rows are told apart")
            return [Compared(KEY_COLUMN, KEY_COLUMN)]
        columns = {column.raw: column for column in self._compared(there)[0]}
        if lacking := [name for name in table.key if name not in columns]:
            raise PlanError(f"the schema table has no column {lacking[0]}, which is of the key")
        return [columns[name] for name in table.key]

    def _raw(self) -> Statement:
        """What the model has to hold: raw after the loads that it took."""
        table, kind = self.table, self.model.design.kind
        names = [column.name for column in table.columns]
        names += [KEY_COLUMN] if table.equal and kind is not ModelKind.SNAPSHOT else []
        if kind is ModelKind.LOG:
            return self._landed(names)
        told_by, taken = (KEY_COLUMN,) if table.equal else table.key, self._taken()
        if kind is ModelKind.SNAPSHOT:
            told_by, taken = (), replace(taken, sql=f"{taken.sql} AND {self.warehouse.column('kind')} = 'snapshot'")
        state = CurrentState(self.warehouse, table.raw_schema, table.raw_table, taken)
        held = state.all_rows(names, told_by)
        return Statement(f"SELECT * FROM ({held.sql}) AS r WHERE _el_deleted = 0", held.parameters)

    def _landed(self, names: Sequence[str]) -> Statement:
        """Each row of the loads that the model took."""
        taken, table = self._taken(), self.table
        listed = ", ".join(self.warehouse.column(name) for name in (*names, *_LANDING[:3]))
        raw = self.warehouse.qualified(table.raw_schema, table.raw_table)
        sql = f"SELECT {listed} FROM {raw} WHERE {self._load} IN ({taken.sql})"
        return Statement(sql, taken.parameters)

    def _built(self) -> Statement:
        """The schema table's rows that say what is there now; of a log, those of loads that raw has still."""
        model, taken = self.model, self._taken()
        where, given = {
            ModelKind.HISTORY: (f"{self.warehouse.column('_el_valid_to')} IS NULL", ()),
            ModelKind.LOG: (f"{self._load} IN ({taken.sql})", taken.parameters),
        }.get(model.design.kind, ("1 = 1", ()))
        if model.design.flagged:
            where = f"NOT {self.warehouse.column('_el_deleted')}"
        return Statement(f"SELECT * FROM {model.relation} AS t WHERE {where}", given)

    def _late_keys(self) -> Statement:
        """The rows of loads that the model has not noted, with what tells keys apart."""
        every, taken, table = self._complete(), self._taken(), self.table
        raw = self.warehouse.qualified(table.raw_schema, table.raw_table)
        sql = f"SELECT * FROM {raw} WHERE {self._load} IN ({every.sql}) AND {self._load} NOT IN ({taken.sql})"
        return Statement(sql, (*every.parameters, *taken.parameters))

    @property
    def _load(self) -> str:
        return self.warehouse.column("_dlt_load_id")

    def _complete(self) -> Statement:
        """The ids of the table's complete loads."""
        ledger = self.warehouse.qualified(self.table.raw_schema, LEDGER_TABLE)
        complete = self.warehouse.complete_ids(self.table.raw_schema)
        name = self.warehouse.column("table_name")
        sql = f"SELECT {self._load} FROM {ledger} WHERE {name} = ? AND {self._load} IN ({complete})"
        return Statement(sql, (self.table.raw_table,))

    def _taken(self) -> Statement:
        """Of these, the ids of those that the model took."""
        complete = self._complete()
        model, load, state = (self.warehouse.column(name) for name in ("model", "load_id", "state"))
        noted = f"SELECT {load} FROM {self.notes} WHERE {model} = ? AND {state} = 'taken'"
        return Statement(f"{complete.sql} AND {self._load} IN ({noted})", (*complete.parameters, self.model.noted_as))

    def _loads(self) -> _Loads:
        taken, every = self._taken(), self._complete()
        rows, kind = self.warehouse.column("row_count"), self.warehouse.column("kind")
        ledger = self.warehouse.qualified(self.table.raw_schema, LEDGER_TABLE)
        sql = (
            f"SELECT COUNT(t.el_id), MAX(t.el_id), COUNT(CASE WHEN t.el_id IS NULL THEN 1 END), "
            f"COALESCE(SUM(CASE WHEN t.el_id IS NULL THEN l.{rows} END), 0), "
            f"COUNT(CASE WHEN t.el_id IS NULL AND l.{kind} = 'snapshot' THEN 1 END) FROM {ledger} AS l "
            f"LEFT JOIN (SELECT DISTINCT {self._load} AS el_id FROM ({taken.sql}) AS n) AS t "
            f"ON t.el_id = l.{self._load} WHERE l.{self.warehouse.column('table_name')} = ? "
            f"AND l.{self._load} IN ({every.sql})"
        )
        given = (*taken.parameters, self.table.raw_table, *every.parameters)
        with self.warehouse.connector as connector:
            count, last, late, late_rows, snapshots = connector.fetch(Statement(sql, given))[0]
        numbers = (int(str(each)) for each in (late, late_rows, snapshots))
        return _Loads(int(str(count)), None if last is None else str(last), *numbers)

    def _columns(self) -> dict[str, str]:
        """The schema table's columns: in lower case, and as the warehouse calls them."""
        request = ReadRequest(query=SqlText("SELECT 1"))
        nothing = Statement(f"SELECT * FROM {self.model.relation} AS t WHERE 1 = 0")
        with self.warehouse.connector as connector, connector.stream(nothing, request) as buffer:
            return {name.lower(): name for name in buffer.schema.names}


def _sample(sql: ModelSql, numbers: Sequence[int], row: Sequence[object]) -> Sample:
    kind, *rest = row
    names = [column.model for column in sql.columns]
    if not sql.key:
        return Sample(str(kind), {name: _text(value) for name, value in zip(names, rest, strict=False)})
    key = {names[number]: _text(value) for number, value in zip(numbers, rest, strict=False)}
    marks, pairs = rest[len(numbers) : len(numbers) + len(names)], rest[len(numbers) + len(names) :]
    if kind != "different":
        return Sample(str(kind), key)
    differ = [n for n, mark in enumerate(marks) if int(str(mark))]
    values = {names[n]: (_text(pairs[2 * n]), _text(pairs[2 * n + 1])) for n in differ} if pairs else None
    return Sample(str(kind), key, tuple(names[n] for n in differ), values)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
