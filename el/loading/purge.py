"""`python -m el purge`: rows that nobody needs any more leave raw, which would grow for ever otherwise.

Guarantees: what is removed is shown before it is done. A load goes only if it is older than `raw: {keep: ...}`, a later
complete snapshot of its table supersedes it, and every schema table made of its table has taken it, by notes that this
login sees. With it goes its row in the ledger, in one transaction, and then dbt's notes of it: each build reads both.
Rows of loads that never completed go once a later
load has completed. The last complete snapshot and what came after it always stay. Files that a killed run left in the
stage, which hold rows too, go in any case: nothing reads them any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from el.config.job import Job
from el.connectors.access import Operation
from el.connectors.sql.select import Statement
from el.errors import ConfigError
from el.loading.audit import Audit, audited
from el.loading.ledger import LEDGER_TABLE
from el.loading.lock import this_process
from el.loading.notes import Notes
from el.loading.open import warehouse_of
from el.loading.warehouse import LOADS_TABLE, Warehouse
from el.planning.places import find_places, plan_places
from el.planning.target_names import target_schema

Targets = Mapping[tuple[str, str], str]
"""Raw schema and raw table -> the target schema of what codegen makes of it, for all tables of el.yml."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Rows of one table that can go. superseded: loads that were complete; else they never were."""

    raw_schema: str
    table: str
    loads: tuple[str, ...]
    rows: int
    superseded: bool

    def __str__(self) -> str:
        why = "superseded by a later snapshot" if self.superseded else "never completed"
        return f"{self.raw_schema}.{self.table}: {self.rows:,} rows of {len(self.loads)} loads, {why}"


def purge(job: Job, confirm: Callable[[str], bool], say: Callable[[str], None]) -> list[Removal]:
    """Show what can go, ask, and remove it. Raises `RunLocked` while a run is at work."""
    keep = job.config.raw.keep
    if keep is None:
        raise ConfigError(f"{job.config.path}: purge needs `raw: {{keep: 30d}}`: how long superseded loads stay")
    with audited(job, "purge") as audit:
        return _purged(job, keep, confirm, say, audit)


def _purged(
    job: Job, keep: timedelta, confirm: Callable[[str], bool], say: Callable[[str], None], audit: Audit
) -> list[Removal]:
    warehouse = warehouse_of(job)
    warehouse.connector.require(Operation.PURGE)
    places, every = plan_places(job)
    schemas: dict[str, list[str]] = defaultdict(list)
    for schema, table in sorted(places.values()):
        schemas[schema].append(table)
    models = {item.table.name: item.settings.model for item in every}
    everywhere = find_places(job.config, every).names.items()
    targets = {place: target_schema(job.config, name, models[name]) for name, place in everywhere}
    with warehouse.locked(list(schemas), this_process(job.run_id), job.config.defaults.lock_lease):
        with warehouse.connector:
            for schema in schemas:
                # Whoever has the lock is alone with the stage, and a package that waits puts its files again.
                warehouse.forget_staged(schema)
            notes = Notes(warehouse, job)
            found = [
                removal
                for schema, tables in schemas.items()
                for removal in find(warehouse, schema, tables, keep, targets, notes.taken)
            ]
        for removal in found:
            say(str(removal))
        rows = sum(removal.rows for removal in found)
        if not found or not confirm(f"{rows:,} rows leave raw"):
            audit.note("not confirmed" if found else "done")
            return []
        with warehouse.connector:
            for removal in found:
                warehouse.require_plain(removal.raw_schema, removal.table, ["_dlt_load_id", "_el_op"])
                _remove(warehouse, removal)
            gone = {load for removal in found if removal.superseded for load in removal.loads}
            for schema in schemas:
                gone -= _noted(warehouse, schema) if gone else set()
            notes.forget(gone, say)
            audit.tables += [f"{removal.raw_schema}.{removal.table}" for removal in found]
            audit.note("done")
            audit.deliver(warehouse, min(schemas))
    return found


def find(
    warehouse: Warehouse,
    raw_schema: str,
    tables: Sequence[str],
    keep: timedelta,
    targets: Targets,
    taken: Mapping[str, set[str]],
) -> list[Removal]:
    """What can go of these tables of one raw schema, over an open connection. taken: model -> the loads it took."""
    there = warehouse.tables(raw_schema)
    if not {warehouse.fold(LEDGER_TABLE), warehouse.fold(LOADS_TABLE)} <= there:
        return []
    complete = _complete(warehouse, raw_schema)
    oldest = str(Decimal(int(datetime.now(UTC).timestamp())) - int(keep.total_seconds()))
    found = []
    for table in tables:
        if warehouse.fold(table) not in there:
            continue
        kinds = _loads(warehouse, raw_schema, table)
        finished = {load: kind for load, kind in kinds.items() if load in complete}
        snapshots = [load for load, kind in finished.items() if kind == "snapshot"]
        last = max(snapshots, default="")
        old = tuple(
            load
            for load in sorted(finished)
            if load < last and load < oldest and _was_taken(load, (raw_schema, table), finished, taken, targets)
        )
        counted = _counts(warehouse, raw_schema, table)
        orphans = tuple(load for load in sorted(counted) if load not in complete and load < max(complete, default=""))
        for loads, superseded in ((old, True), (orphans, False)):
            rows = sum(counted.get(load, 0) for load in loads)
            if loads:
                found.append(Removal(raw_schema, table, loads, rows, superseded))
    return found


def _was_taken(
    load: str, place: tuple[str, str], loads: Mapping[str, str], taken: Mapping[str, set[str]], targets: Targets
) -> bool:
    """Whether every schema table that is made of this raw table took the load; also where there are none at all.

    A model belongs to a table by its schema and its name; by its name alone where no table of el.yml has its schema,
    and it took loads of this table, or none has a model in its own schema. Where no name fits, one that took this load
    speaks for the table.
    """
    owners = {model: _owners(model, targets) for model in taken}
    told = [model for model in taken if owners[model] == ([place], True)]
    mine = [*told]
    for model, (places, by_schema) in owners.items():
        if place in places and not by_schema and (not told or taken[model] & set(loads)):
            mine.append(model)
    if mine:
        return all(load in taken[model] for model in mine)
    others = [model for model in taken if not owners[model][0] and taken[model] & set(loads)]
    return not others or any(load in taken[model] for model in others)


def _owners(model: str, targets: Targets) -> tuple[list[tuple[str, str]], bool]:
    """The raw tables of which a model "schema.name" can be made; whether its schema tells that it is this one.

    dbt may set a prefix of its own before the schema; a name may have more behind the table's.
    """
    schema, _, name = model.rpartition(".")
    fits = [place for place in targets if f"{name}_".startswith(f"{place[1].lower()}_")]
    told = [place for place in fits if f"_{schema}".endswith(f"_{targets[place].lower()}")]
    if told:
        return [max(told, key=lambda place: (len(targets[place]), len(place[1])))], True
    longest = max((len(place[1]) for place in fits), default=0)
    return [place for place in fits if len(place[1]) == longest], False


def _complete(warehouse: Warehouse, raw_schema: str) -> set[str]:
    table = warehouse.qualified(raw_schema, LOADS_TABLE)
    sql = f"SELECT {warehouse.column('load_id')} FROM {table} WHERE {warehouse.column('status')} = 0"
    return {str(row[0]) for row in warehouse.connector.fetch(Statement(sql))}


def _loads(warehouse: Warehouse, raw_schema: str, table: str) -> dict[str, str]:
    names = ", ".join(warehouse.column(name) for name in ("_dlt_load_id", "kind"))
    ledger = warehouse.qualified(raw_schema, LEDGER_TABLE)
    sql = f"SELECT {names} FROM {ledger} WHERE {warehouse.column('table_name')} = ?"
    return {str(row[0]): str(row[1]) for row in warehouse.connector.fetch(Statement(sql, (table,)))}


def _noted(warehouse: Warehouse, raw_schema: str) -> set[str]:
    """The loads that this ledger still has, of any table."""
    if warehouse.fold(LEDGER_TABLE) not in warehouse.tables(raw_schema):
        return set()
    ledger = warehouse.qualified(raw_schema, LEDGER_TABLE)
    sql = f"SELECT DISTINCT {warehouse.column('_dlt_load_id')} FROM {ledger}"
    return {str(row[0]) for row in warehouse.connector.fetch(Statement(sql))}


def _counts(warehouse: Warehouse, raw_schema: str, table: str) -> dict[str, int]:
    load = warehouse.column("_dlt_load_id")
    sql = f"SELECT {load}, count(*) FROM {warehouse.qualified(raw_schema, table)} GROUP BY {load}"
    return {str(row[0]): int(str(row[1])) for row in warehouse.connector.fetch(Statement(sql))}


def _remove(warehouse: Warehouse, removal: Removal) -> None:
    load = warehouse.column("_dlt_load_id")
    marks = ", ".join("?" for _ in removal.loads)
    table = warehouse.qualified(removal.raw_schema, removal.table)
    ledger = warehouse.qualified(removal.raw_schema, LEDGER_TABLE)
    with warehouse.connector.transaction():
        warehouse.connector.execute(Statement(f"DELETE FROM {table} WHERE {load} IN ({marks})", removal.loads))
        warehouse.connector.execute(
            Statement(
                f"DELETE FROM {ledger} WHERE {warehouse.column('table_name')} = ? AND {load} IN ({marks})",
                (removal.table, *removal.loads),
            )
        )
