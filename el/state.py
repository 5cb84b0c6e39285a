"""`python -m el state`: what raw holds of each table, what the source has since, and a bound put elsewhere by hand.

Guarantees: the ledger is the only state, so what is shown is what the next run begins from; a bound is changed for one
table at a time, under the lock that keeps runs away, and only in the table's last complete load: raw keeps its rows.
What a killed run left is loaded first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace

from el.connectors.base import CursorSource
from el.connectors.registry import open_connector
from el.connectors.request import Condition, Op, Value
from el.errors import ConfigError, ElError
from el.job import Job
from el.load import loader
from el.lock import this_process
from el.pipeline import show_plan, warehouse_of
from el.plan import Plan, TablePlan

# What a bound looks like, by the name of what it counts.
_FORMS = {"LSN": r"0x[0-9A-F]{20}", "change tracking version": r"\d{1,19}"}
_ROWVERSION = r"0x[0-9A-F]{16}"

Confirm = Callable[[str], bool]
"""Asked with what will be done; whether to do it."""


def print_state(plan: Plan) -> None:
    """For each table: position, time, rows and name of the last complete load; what the next run would take."""
    for table in plan.tables:
        print(f"{table.name}  ->  {table.raw_schema}.{table.raw_table}  ({table.strategy})")
        last = table.last
        if last is None:
            print("  raw       nothing that a next load could go on from")
        else:
            when = f"{last.finished_at:%Y-%m-%d %H:%M:%S} UTC" if last.finished_at else "unknown"
            print(
                f"  raw       up to {_bound(table)}; last load {last.load_id} ({last.kind}, {last.rows:,} rows, {when})"
            )
        print(f"  source    {_since(table)}")


def _bound(table: TablePlan) -> str:
    last = table.last
    assert last is not None
    return f"{last.bound_column} {last.upper}" if last.upper is not None else "its last snapshot"


def _since(table: TablePlan) -> str:
    if table.error is not None:
        return str(table.error)
    if table.window is None:
        return "has nothing since"
    again = f" ({table.window.because})" if table.window.because else ""
    return f"next: {table.window.kind}: {table.window}{again}"


def change_state(job: Job, action: str, name: str, value: str | None, confirm: Confirm) -> str:
    """`reset`: the next run takes a new snapshot. `set`: it begins behind `value`. What was done, in words.

    Raises `ConfigError` for a table that was never loaded, has no bound, or whose bound has another form.
    """
    plan = show_plan(replace(job, select=(name,)))
    if len(plan.tables) != 1:
        raise ConfigError(f"state {action} takes one table, and {name} names {len(plan.tables)}")
    table = plan.tables[0]
    warehouse = warehouse_of(job)
    with warehouse.locked([table.raw_schema], this_process(job.run_id), job.config.defaults.lock_lease):
        # What a killed run left would be loaded by the next one, with its own bound, over the one that is put here.
        loader(job, warehouse, table.raw_schema).finish_pending(print)
        with warehouse.connector:
            last = warehouse.ledger(table.raw_schema).get(table.raw_table)
        if last is None:
            raise ConfigError(f"{table.name} was never loaded: there is no state to {action}")
        if action == "set":
            assert value is not None
            _check(job, table, last.bound_column, value)
            what = f"{table.name}: the next run begins behind {last.bound_column} {value} instead of {last.upper}"
        else:
            what = f"{table.name}: the next run takes a new snapshot"
        if not confirm(what):
            return "nothing was changed"
        with warehouse.connector:
            warehouse.move_bound(table.raw_schema, table.raw_table, last.load_id, value)
    return what


def _check(job: Job, table: TablePlan, bound: str | None, value: str) -> None:
    if bound is None:
        raise ConfigError(f"{table.name} has no bound that could be set: {table.strategy} takes whole snapshots")
    column = next((c.source for c in table.columns if c.source.name == bound), None)
    form = _FORMS.get(bound) or (_ROWVERSION if table.strategy == "rowversion" else None)
    if form is not None and not re.fullmatch(form, value):
        raise ConfigError(f"{table.name}: a {bound} has the form {form}, and {value!r} has not")
    if form is not None or column is None:
        return
    with open_connector(job.source.settings, str(job.source)) as source:
        assert isinstance(source, CursorSource)
        request = replace(table.reads[0], columns=(), where=()) if table.reads else None
        if request is None:
            return
        where = (Condition(column.name, Op.GE, Value(value, column.type)),)
        try:
            source.max_value(replace(request, where=where), column.name, column.type)
        except ElError as error:
            if error.retryable:
                raise
            raise ConfigError(f"{table.name}: {value!r} is no {column.type} as {column.name} has") from None


def ask(what: str) -> bool:
    """Ask on the terminal. Raises `ConfigError` where there is none."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}: say --yes if that is right")
    return input(f"{what}. Do it? [y/N] ").strip().lower() in ("y", "yes")
