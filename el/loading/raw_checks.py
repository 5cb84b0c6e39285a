"""What raw itself holds against a plan: a table that meets it is stopped, and the others go on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from el.connectors.catalog import TableName
from el.errors import NotPermitted, PlanError
from el.extraction.landing import LANDING
from el.loading.warehouse import Warehouse
from el.planning.plan import Plan, TablePlan


def without_clashes(warehouse: Warehouse, plan: Plan) -> Plan:
    """The plan in which a table is stopped whose name, or a column's, raw holds in other letters' case."""
    if type(warehouse).clashes is Warehouse.clashes:
        # It tells all names apart, and is not asked: a session costs a second.
        return plan
    clashes: dict[tuple[str, str], str] = {}
    with warehouse.connector:
        for schema, tables in plan.by_schema().items():
            found = warehouse.clashes(schema, {table.raw_table: [c.name for c in table.columns] for table in tables})
            clashes |= {(schema, table): held for table, held in found.items()}

    def stopped(table: TablePlan) -> TablePlan:
        held = clashes.get((table.raw_schema, table.raw_table))
        if held is None:
            return table
        error = PlanError(
            f"{table.name}: raw holds {held}, which differs from what el.yml gives it only by case: write it so by "
            "`raw.schema`, `raw.naming` or `rename`, or rename it in raw"
        )
        return replace(table, window=None, reads=(), keys=None, error=error)

    return replace(plan, tables=tuple(stopped(table) for table in plan.tables)) if clashes else plan


def without_files(plan: Plan, files: Collection[tuple[str, str]]) -> Plan:
    """The plan in which a table is stopped whose raw table has rows of files. files: those raw tables."""

    def stopped(table: TablePlan) -> TablePlan:
        place = (table.raw_schema, table.raw_table)
        if place not in files:
            return table
        error = PlanError(
            f"{table.name}: raw table {'.'.join(place)} holds rows of files, which those of a table must not stand "
            "among: set `rename` for it"
        )
        return replace(table, window=None, reads=(), keys=None, error=error)

    return replace(plan, tables=tuple(stopped(table) for table in plan.tables))


def without_masks(warehouse: Warehouse, plan: Plan) -> Plan:
    """The plan in which a table is stopped of which el has to read from raw, and is not shown what raw holds."""
    stopped: dict[TableName, PlanError] = {}
    for table in plan.tables:
        columns = None if table.drift.widened else [*table.key, *(field.name for field in LANDING)]
        if columns is not None and ((table.keys is None and table.look is None) or table.last is None):
            continue
        try:
            with warehouse.connector:
                warehouse.require_plain(table.raw_schema, table.raw_table, columns)
        except NotPermitted as error:
            stopped[table.name] = PlanError(f"{table.name}: {error}")

    def held_back(table: TablePlan) -> TablePlan:
        error = stopped.get(table.name)
        return table if error is None else replace(table, window=None, reads=(), keys=None, error=error)

    return replace(plan, tables=tuple(held_back(table) for table in plan.tables)) if stopped else plan
