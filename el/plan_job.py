"""The plan of a job: its tables and dumps, where each lands, and what raw says of them. Nothing is moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from el.config.dumps import DumpSettings
from el.config.files_profile import FILES
from el.config.job import Job
from el.config.sign_in import sign_in_notes
from el.connectors.catalog import Catalog, TableName
from el.connectors.registry import open_source
from el.dumps.express import routed
from el.dumps.plan import DumpPlan, JobPlan, plan_dump
from el.errors import ConfigError, PlanError
from el.extraction.resume import KeptSlices, landing_of
from el.loading.file_ledger import STRATEGY, KnownFile, known_files
from el.loading.open import warehouse_of
from el.loading.raw_checks import without_clashes, without_files, without_masks
from el.loading.warehouse import Warehouse
from el.planning.definition import database_of
from el.planning.dump_tables import dump_name, dump_tables, names_dumps_alone, selected_dumps
from el.planning.gone import gone_tables, left_views
from el.planning.held import HeldTable
from el.planning.ledger import LedgerEntry
from el.planning.make_plan import make_plan
from el.planning.places import PlaceNames, Places, find_places, landing_places, tables_of
from el.planning.plan_table import Known
from el.planning.run_notes import catalog_notes, consistency, mask_notes, pressure_notes, read_here
from el.planning.selection import left_aside, left_aside_notes
from el.planning.strategies.earlier import EarlierRead

Before = Callable[[Warehouse, PlaceNames, PlaceNames | None], None]
"""Called with the places of a job and those of all tables of el.yml, before the ledger, or any table, is read.

Of all tables: None where the database was not asked which there are.
"""


def plan_job(job: Job, warehouse: Future[Warehouse], before: Before | None = None, *, tried: int | None = 1) -> JobPlan:
    """The plan of a job. tried: as for `make_plan`."""
    if names_dumps_alone(job.config, job.select):
        # No database is asked for, and it may be away.
        return _plan_files(job, warehouse, before)
    if job.source.type == FILES:
        raise ConfigError(f"{job.source} is a place with files, which has no `tables`: name a database as `source`")
    with open_source(job.source.settings, str(job.source)) as source:
        catalog, every = tables_of(job.config, source)
        chosen, entries = selected_dumps(job, every)
        everywhere = find_places(job.config, [*every, *dump_tables(job.config)])
        places = landing_places(everywhere, [*chosen, *dump_tables(job.config, entries)])
        opened = warehouse.result()
        _refuse_taken(opened, places)
        if before is not None:
            before(opened, places, everywhere.names)
        with opened.kept_open():
            left = left_aside(job.config, catalog, every)
            of_left = {schema for schema, _ in find_places(job.config, left).names.values()}
            held = _in_raw(opened, {schema for schema, _ in places.values()} | of_left)
            known = Known(job.config, source, catalog, held.ledger, held.tables, job.full_refresh, job.reader)
            known = replace(known, propose=job.propose, earlier=_earlier(job, places))
            known = replace(known, landing=landing_of(opened.limits, opened.digest_way(job.config.defaults.digest)))
            plan = make_plan(known, chosen, everywhere, tried=tried, confirm_deletes=job.confirm_deletes)
            database = database_of(source, catalog)
            gone = gone_tables(job.config, catalog, database, held.ledger, everywhere.names, job.select)
            gone += left_views(job.config, database, held.ledger, left, job.select)
            plan = replace(plan, refused=(*plan.refused, *gone))
            plan = without_masks(opened, without_clashes(opened, without_files(plan, held.files)))
            beside = [*(left_aside_notes(left) if not job.select else []), *catalog_notes(catalog)]
            beside += [*mask_notes(plan), *sign_in_notes(job.outputs())]
            beside += [] if job.where.here else read_here(job, plan)
            notes = (consistency(job, plan), *beside, *pressure_notes(job, source, plan))
            live = {item.table.name: item.settings.key or ("?",) for item in every}
            live |= {table.name: table.key for table in plan.tables}
    dumps = _plan_dumps(job, opened, entries, everywhere, held, live)
    return JobPlan(plan.source, plan.catalog, plan.tables, notes, plan.refused, dumps)


def _plan_files(job: Job, warehouse: Future[Warehouse], before: Before | None) -> JobPlan:
    """The plan of a job that takes no tables, though el.yml may have some."""
    _, entries = selected_dumps(job, [])
    everywhere = find_places(job.config, dump_tables(job.config))
    places = landing_places(everywhere, dump_tables(job.config, entries))
    opened = warehouse.result()
    _refuse_taken(opened, places)
    if before is not None:
        before(opened, places, None if job.config.tables else everywhere.names)
    held = _in_raw(opened, {schema for schema, _ in places.values()})
    dumps = _plan_dumps(job, opened, entries, everywhere, held, None if job.config.tables else {})
    notes = tuple(sign_in_notes(job.outputs()))
    return JobPlan(job.config.source, Catalog("", "", ()), (), notes, dumps=dumps)


def _plan_dumps(
    job: Job,
    warehouse: Warehouse,
    entries: Sequence[DumpSettings],
    places: Places,
    held: _Held,
    live: Mapping[TableName, Sequence[str]] | None,
) -> tuple[DumpPlan, ...]:
    found = []
    for entry in entries:
        name = dump_name(entry)
        place = places.names[name]
        problem = places.problems.get(name)
        if problem is None and place in held.ledger:
            problem = PlanError(
                f"raw table {'.'.join(place)} holds the rows of {held.ledger[place].source_table}, a table, which rows "
                "of files must not stand among: set `rename` for this entry"
            )
        if problem is None:
            planned = plan_dump(job, entry, place, held.files.get(place, []), held.tables.get(place), live)
            found.append(routed(job, warehouse, planned))
        else:
            found.append(DumpPlan(name, *place, entry, error=problem))
    return tuple(found)


def _earlier(job: Job, places: PlaceNames) -> dict[tuple[str, str], EarlierRead]:
    """What a run that was cut short in a snapshot left of it, by where the table lands."""
    kept = KeptSlices(job.work)
    found = {place: kept.earlier(*place) for place in places.values()}
    return {place: earlier for place, earlier in found.items() if earlier is not None}


def _refuse_taken(warehouse: Warehouse, places: PlaceNames) -> None:
    for schema in sorted({schema for schema, _ in places.values()}):
        if schema.lower() in warehouse.taken_schemas():
            raise PlanError(f"raw schema {schema}: the warehouse has something else of this name; set `raw.schema`")


@dataclass(frozen=True, slots=True)
class _Held:
    """What raw says of its tables, by raw schema and raw table.

    ledger: the last complete load of each that comes from a table; tables: the columns that each was loaded with;
    files: those that were taken.
    """

    ledger: dict[tuple[str, str], LedgerEntry]
    tables: dict[tuple[str, str], HeldTable]
    files: dict[tuple[str, str], list[KnownFile]]


def _in_raw(warehouse: Warehouse, schemas: Set[str]) -> _Held:
    found = _Held({}, {}, {})
    with warehouse.connector:
        for schema in sorted(schemas):
            there = warehouse.tables(schema)
            ledger = warehouse.ledger(schema, there).items()
            found.ledger.update({(schema, table): entry for table, entry in ledger if entry.strategy != STRATEGY})
            held = warehouse.held_tables(schema, there).items()
            found.tables.update({(schema, table): columns for table, columns in held})
            files = known_files(warehouse, schema, there).items()
            found.files.update({(schema, table): known for table, known in files})
    return found


def show_plan(job: Job) -> JobPlan:
    """The plan alone: nothing is finished, extracted or loaded."""
    with ThreadPoolExecutor(1) as background:
        return plan_job(replace(job, propose=True), background.submit(warehouse_of, job))
