"""`python -m el state`: what raw holds of each table, what the source has since, and a bound put elsewhere by hand.

Guarantees: the ledger is the only state, so what is shown is what the next run begins from; a bound is changed for one
table at a time, under the lock that keeps runs away, and only in the table's last complete load: raw keeps its rows.
What a killed run left is loaded first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from el.config.files_profile import FILES
from el.config.job import Job
from el.connectors.access import Operation
from el.connectors.base import CursorSource
from el.connectors.catalog import Catalog
from el.connectors.registry import open_source
from el.connectors.request import Condition, Op, ReadRequest, SqlText, Value
from el.errors import ConfigError, ElError
from el.loading.audit import Audit, audited
from el.loading.lock import this_process
from el.loading.open import loader, warehouse_of
from el.planning.dump_tables import dump_tables, names_dumps_alone
from el.planning.isolation import isolation_of
from el.planning.ledger import LedgerEntry
from el.planning.places import raw_names, tables_of
from el.planning.plan import Plan, TablePlan
from el.planning.query_table import query_text
from el.planning.selection import Chosen, keep_selected
from el.planning.strategies import bound_form

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
    for refused in plan.refused:
        print(f"STOPPED {refused}")


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
    with audited(job, f"state {action}") as audit:
        return _changed(job, action, name, value, confirm, audit)


def _changed(job: Job, action: str, name: str, value: str | None, confirm: Confirm, audit: Audit) -> str:
    warehouse = warehouse_of(job)
    warehouse.connector.require(Operation.MOVE_BOUND)
    catalog, item, raw_schema, raw_table = _one_table(job, action, name)
    table = item.table.name
    audit.tables.append(str(table))
    with warehouse.locked([raw_schema], this_process(job.run_id), job.config.defaults.lock_lease):
        # What a killed run left would be loaded by the next one, with its own bound, over the one that is put here.
        loader(job, warehouse, raw_schema).finish_pending(print)
        with warehouse.connector:
            last = warehouse.ledger(raw_schema).get(raw_table)
        if last is None:
            raise ConfigError(f"{table} was never loaded: there is no state to {action}")
        if action == "set":
            assert value is not None
            value = _checked(job, catalog, item, last, value)
            what = f"{table}: the next run begins behind {last.bound_column} {value} instead of {last.upper}"
        else:
            what = f"{table}: the next run takes a new snapshot"
        if not confirm(what):
            audit.note("not confirmed")
            return "nothing was changed"
        with warehouse.connector:
            warehouse.move_bound(raw_schema, raw_table, last.load_id, value)
            audit.note("done")
            audit.deliver(warehouse, raw_schema)
    return what


def _one_table(job: Job, action: str, name: str) -> tuple[Catalog, Chosen, str, str]:
    """The table with its raw schema and raw table; found without a plan, which a bound that is wrong would prevent."""
    catalog, every = Catalog("", "", ()), dump_tables(job.config)
    if not names_dumps_alone(job.config, (name,)):
        with open_source(job.source.settings, str(job.source)) as source:
            catalog, tables = tables_of(job.config, source)
        every = [*tables, *every]
    chosen = keep_selected(job.config, every, (name,))
    if len(chosen) != 1:
        raise ConfigError(f"state {action} takes one table, and {name} names {len(chosen)}")
    if chosen[0].error is not None:
        raise chosen[0].error
    if chosen[0].table.kind == FILES:
        raise ConfigError(
            f"{chosen[0].table.name} is taken from files, each version of each once: there is no bound to {action}; "
            "`rename` in el.yml takes all files anew, into another raw table"
        )
    return catalog, chosen[0], *raw_names(job.config, chosen)[chosen[0].table.name]


def _checked(job: Job, catalog: Catalog, item: Chosen, last: LedgerEntry, value: str) -> str:
    """The value as the ledger has it: the database itself is asked, whose text of it is compared with raw's positions.

    Raises `ConfigError` unless the next run can begin behind it.
    """
    table, bound, settings = item.table, last.bound_column, item.settings
    if bound is None:
        raise ConfigError(f"{table.name} has no bound that could be set: {last.strategy} takes whole snapshots")
    form = bound_form(last.strategy, job.source.type)
    if form is not None:
        if not re.fullmatch(form, value):
            raise ConfigError(f"{table.name}: a {bound} has the form {form}, and {value!r} has not")
        return value
    column = table.column(bound)
    if column is None:
        raise ConfigError(f"{table.name} has no column {bound} any more: the next run takes a new snapshot")
    query = settings.query or (query_text(job.config, settings) if settings.query_file else None)
    request = ReadRequest(
        table=None if query else table.name,
        query=SqlText(query) if query else None,
        where=(Condition(column.name, Op.GE, Value(value, column.type)),),
        isolation=isolation_of(table, settings),
    )
    with open_source(job.source.settings, str(job.source)) as source:
        assert isinstance(source, CursorSource)
        try:
            source.max_value(request, column.name, column.type)
            return source.in_canonical_text(Value(value, column.type)).text
        except ElError as error:
            if error.retryable:
                raise
            raise ConfigError(f"{table.name}: {value!r} is no {column.type} as {column.name} has") from None


def ask(what: str) -> bool:
    """Ask on the terminal. Raises `ConfigError` where there is none."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigError(f"{what}: say --yes if that is right")
    try:
        return input(f"{what}. Do it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
