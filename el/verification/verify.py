"""Compare the source with raw, table by table, at the bound of each table's last load.

Guarantees: no other run changes raw meanwhile; a row that the source may have changed since the bound is left out on
both sides and counted; what cannot be decided is said, and is no difference. One table that cannot be compared leaves
the others to be. Nothing is written but `_el_verified`, and what a repair loads.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from el.config.job import Job
from el.connectors.catalog import Catalog
from el.connectors.origin import of_run
from el.errors import ElError, PlanError, of_table
from el.extraction.fingerprint import RowHash
from el.extraction.landing import LandedFile
from el.loading.lock import StillOurs, this_process
from el.loading.open import loader, warehouse_of
from el.loading.runs import recorded
from el.loading.spill import spilling
from el.loading.warehouse import Warehouse
from el.plan_job import plan_job
from el.planning.places import PlaceNames
from el.planning.plan import TablePlan
from el.reporting.record import VERIFY, Listener
from el.types.present import utc_now
from el.verification.again import ShowAgain, advice, dialect_of
from el.verification.compare import SHOWN, Comparison, Difference
from el.verification.doubled import doubled
from el.verification.in_warehouse import MOST_LATE
from el.verification.kept import note_in_runs
from el.verification.load_counts import wrong_counts
from el.verification.manifest import Manifest
from el.verification.models import check_models
from el.verification.parts import Choice, how_far
from el.verification.passed import Passed, last_passed
from el.verification.repair import Repair, refuse_doubled, refuse_repair
from el.verification.report import Counts, Found, Verdict, VerifyReport, kind_of
from el.verification.rolling import Part, not_due, of_source_alone, taken_together
from el.verification.rule import LateBy, Rule, rule_of
from el.verification.sides import Sides
from el.verification.verified import note_verified

_CHANGED, _GONE = "changed.parquet", "gone.parquet"


@dataclass(frozen=True, slots=True)
class Options:
    """values: say also the values that differ. in_warehouse: make raw's digest there, and read what differs alone;
    None: of large tables. repair: load what differs once more. models: the dbt project of which the schema tables are
    compared too. whole: compare all, due or not.
    """

    values: bool = False
    in_warehouse: bool | None = None
    repair: bool = False
    models: Path | None = None
    whole: bool = False


def verify(
    job: Job, say: Callable[[str], None], options: Options = Options(), listeners: Sequence[Listener] = ()
) -> VerifyReport:
    """Compare all tables of the job. Raises what concerns all of them. listeners: told of it as of a run."""
    started = datetime.now(UTC)
    manifest = None if options.models is None else Manifest.read(options.models, job.destination.type)
    # Where a run lands its files: what a killed comparison leaves there, the next run removes.
    folder = job.work / "spool" / job.run_id
    with ThreadPoolExecutor(1) as background, ExitStack() as stack:
        stack.enter_context(of_run(job.run_id))
        runs = stack.enter_context(recorded(job, VERIFY, listeners, say))
        locks: list[StillOurs] = []
        known: set[str] = set()  # raw schemas
        opening: Future[Warehouse] = background.submit(warehouse_of, job)

        def lock(warehouse: Warehouse, places: PlaceNames, everywhere: PlaceNames | None) -> None:
            schemas = sorted({schema for schema, _ in places.values()})
            known.update(schema for schema, _ in (everywhere or places).values())
            lease = job.config.defaults.lock_lease
            locks.append(stack.enter_context(warehouse.locked(schemas, this_process(job.run_id), lease)))
            for schema in schemas if options.repair else ():
                # What a killed run left comes first: it was read earlier.
                loader(job, warehouse, schema).finish_pending(say)

        try:
            plan = plan_job(job, opening, lock)
        except ElError as error:
            runs.could_not_begin(error, opening, answers=bool(locks or not known))
            raise
        runs.planned(plan)
        warehouse = opening.result()
        if plan.dumps:
            say(f"{len(plan.dumps)} tables from files are not compared: each file was counted as it landed")
        found = [
            Found(str(each.name), ".".join(each.place), "", Verdict.REFUSED, str(each), failed=kind_of(each.error))
            for each in plan.refused
        ]
        try:
            for table in plan.tables:
                check = Check(job, warehouse, table, plan.catalog, folder, options, locks)
                found.append(check.run())
                say(f"{found[-1].table}: {found[-1].verdict}")
                for each in () if manifest is None else check.models(manifest):
                    found.append(each)
                    say(f"{each.table}: {each.target or 'its schema table'}: {each.verdict}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        report = VerifyReport(job.run_id, started, tuple(sorted(found, key=lambda each: (each.table, each.target))))
        note_verified(warehouse, report, say)
        note_in_runs(runs, report)
        runs.deliver(warehouse, min(known, default=None))
    return report


@dataclass(frozen=True, slots=True)
class Check:
    """The comparison of one table."""

    job: Job
    warehouse: Warehouse
    table: TablePlan
    catalog: Catalog
    folder: Path
    options: Options
    locks: Sequence[StillOurs]

    def run(self) -> Found:
        """What was found; where it cannot be compared, why."""
        table, began = self.table, time.monotonic()
        last = table.last
        found = Found(
            str(table.name),
            f"{table.raw_schema}.{table.raw_table}",
            table.strategy,
            Verdict.REFUSED,
            bound_column=last.bound_column if last else None,
            bound=last.upper if last else None,
            loaded_at=last.finished_at if last else None,
            load_id=last.load_id if last else None,
            one_moment=table.of_one_moment,
            not_compared=self._not_compared(),
        )
        folder = self.folder / table.raw_schema / f"{abs(hash(table.raw_table)):x}"
        folder.mkdir(parents=True)
        try:
            if table.stopped is not None:
                return replace(found, why=table.stopped, failed=kind_of(table.error))
            passed = last_passed(self.warehouse, table) if self._rolls else None
            if (later := not_due(table, passed, datetime.now(UTC))) is not None:
                through = passed.through if passed is not None else None
                return replace(found, verdict=Verdict.NOT_DUE, why=later, verified_through=through)
            found = self._compared(found, folder, passed)
            if self.options.repair and found.verdict is Verdict.DIFFERENT:
                found = self._repaired(found, folder)
        except ElError as error:
            found = replace(found, why=of_table(str(table.name), str(error)), failed=kind_of(error))
        except (OSError, duckdb.Error) as error:
            # As where the working folder is full, or the memory too small.
            found = replace(found, why=f"{table.name}: in {folder}: {error}", failed=type(error).__name__)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if found.verdict is Verdict.DIFFERENT:
            shown = ShowAgain(self.warehouse, table, self.catalog, dialect_of(self.job)).of(found.samples)
            found = replace(found, again=shown, advice=found.advice or advice(table))
        return replace(found, seconds=round(time.monotonic() - began, 3))

    def models(self, manifest: Manifest) -> list[Found]:
        """What was found in the schema tables that are made of it."""
        values, aside = self.options.values, self._not_compared()
        return check_models(self.warehouse, manifest, self.table, values=values, not_compared=aside)

    @property
    def _rolls(self) -> bool:
        """Whether el.yml asks for less than all each time, and the command line for no more."""
        return self.table.verify is not None and not (self.options.whole or self.options.repair)

    def _compared(self, found: Found, folder: Path, passed: Passed | None) -> Found:
        rule = rule_of(self.table, self.catalog)
        sides = Sides(self.job, self.warehouse, self.table, self.catalog, rule, folder)
        choice = Choice(sides, passed, self._rolls, self.options.in_warehouse)
        parts, found = choice.parts(found)
        scanned = utc_now()
        differ, decided = self._differ(sides, parts), True
        if differ.any:
            decided = sides.log_is_past(scanned)
            if rule.by is LateBy.LOG:
                differ = self._differ(sides, parts)
        counts = Counts(
            source=sum(file.rows for file in parts[0].source),
            raw=differ.raw,
            compared=differ.source,
            equal=differ.source - differ.missing - differ.different,
            late=differ.late,
            missing=differ.missing,
            extra=differ.extra,
            different=differ.different,
            in_full=differ.in_full,
        )
        found = replace(found, counts=counts, columns=differ.columns, samples=differ.samples)
        return how_far(self._judged(found, rule, parts[0].hashed, decided), rule)

    def _judged(self, found: Found, rule: Rule, hashed: RowHash | None, decided: bool) -> Found:
        if rule.by is LateBy.NOTHING:
            return self._of_snapshot(found, hashed)
        if found.counts.differ and not decided:
            said = (
                f"{found.counts.differ:,} rows differ, and the log does not tell yet what was committed until "
                "they were read: whether they are late cannot be decided; verify again in some minutes"
            )
            return self._with_counts(replace(found, verdict=Verdict.UNDECIDED, why=said))
        return self._with_counts(self._of_bound(found))

    def _repaired(self, found: Found, folder: Path) -> Found:
        try:
            refuse_repair(self.table)
            refuse_doubled(self.table, self.warehouse)
            changed, gone = (_file(folder / name) for name in (_CHANGED, _GONE))
            # Where a column tells what changed, nothing tells what was deleted.
            gone = gone if found.counts.extra else None
            rows = Repair(self.job, self.warehouse, self.table, folder, self.locks).load(changed, gone)
        except PlanError as error:
            return replace(found, notes=(*found.notes, f"not repaired: {error}"))
        except ElError as error:
            why = "; ".join(filter(None, (found.why, f"not repaired: {error}")))
            return replace(found, notes=(*found.notes, "not repaired"), why=why, failed=kind_of(error))
        notes = (*found.notes, f"repaired: {rows:,} rows were loaded once more")
        return replace(found, notes=notes, advice="verify again: after the repair, all has to be equal")

    def _differ(self, sides: Sides, parts: Sequence[Part]) -> Difference:
        late = sides.late()
        keys, *rows = [self._part(part, late) for part in parts]
        return taken_together(keys, rows) if rows else keys

    def _part(self, part: Part, late: Sequence[LandedFile]) -> Difference:
        sides, source, raw, inside = part.sides, part.source, part.raw, part.inside
        shape = sides.shape()
        with spilling(sides.folder / "spill.tmp", len(shape.schema)) as engine:
            comparison = Comparison(engine, shape, values=self.options.values)
            comparison.take(source, late)
            numbers = comparison.late_numbers(MOST_LATE) if inside is not None else None
            if inside is None or numbers is None:
                found = comparison.against(sides.raw()[0] if raw is None else raw)
                self._keep(comparison, source, found, sides.folder)
                return of_source_alone(found) if part.told_by_source else found
            theirs, mine = inside.ranges(numbers), comparison.digests()
            differing = sorted(part for part in {*theirs, *mine} if theirs.get(part) != mine.get(part))
            held = sides.raw(inside.rows(differing))[0] if differing else ()
            found = comparison.against(held, differing)
            self._keep(comparison, source, found, sides.folder)
            return replace(found, raw=sum(count for count, _ in theirs.values()))

    def _keep(self, comparison: Comparison, source: Sequence[LandedFile], found: Difference, folder: Path) -> None:
        """What a repair would load, as files; nothing of an earlier look."""
        for name in (_CHANGED, _GONE):
            (folder / name).unlink(missing_ok=True)
        if self.options.repair and found.any and self.table.key:
            comparison.write_repair(source, folder / _CHANGED, folder / _GONE)

    def _of_bound(self, found: Found) -> Found:
        """The verdict where late rows are known."""
        counts, notes = found.counts, found.notes
        if not (self.table.shows_deletes and self.table.key) and counts.extra:
            kinds = ("missing", "different", *(["doubled"] if self.table.key else []))
            samples = tuple(each for each in found.samples if each.kind in kinds)
            if self.table.key:
                said = f"{counts.extra:,} rows of raw are gone from the source: {self.table.strategy} sees no deletes"
            else:
                said = (
                    f"{counts.extra:,} rows of raw are not at the source as they are: without a key, whether they were "
                    "changed or deleted there cannot be decided"
                )
            found = replace(found, samples=samples, notes=(*notes, said))
            counts = replace(counts, gone=counts.extra, extra=0)
        if not counts.differ and counts.source and not counts.compared:
            said = f"all {counts.source:,} rows are late, as the next load reads them again: none was compared"
            return replace(found, verdict=Verdict.UNDECIDED, counts=counts, why=said)
        verdict = Verdict.DIFFERENT if counts.differ else Verdict.EQUAL
        return replace(found, verdict=verdict, counts=counts)

    def _of_snapshot(self, found: Found, hashed: RowHash | None) -> Found:
        """The verdict where the source may have changed anything since: raw is what was read, or it is not."""
        last = self.table.last
        assert last is not None
        if not found.counts.differ:
            return self._with_counts(replace(found, verdict=Verdict.EQUAL))
        noted, now = last.fingerprint, hashed.text(self.table.landed_schema()) if hashed is not None else None
        since = f"{found.counts.differ:,} rows differ from the source as it is now"
        same_way = noted is not None and now is not None and noted.split(":")[:2] == now.split(":")[:2]
        if same_way and noted == now:
            said = f"raw holds what was read, to the last value; {since}: they changed there since"
            return self._with_counts(replace(found, verdict=Verdict.EQUAL, notes=(*found.notes, said)))
        # Where rows were read twice, raw has one of each, and the hash is that of all.
        if same_way and noted is not None and noted.split(":")[2] == str(last.rows):
            said = f"raw is not what was read of the source; {since}, some of them as it went on"
            return replace(found, verdict=Verdict.DIFFERENT, why=said)
        said = f"{since}: whether they changed there since the load cannot be told; run, and verify again"
        return self._with_counts(replace(found, verdict=Verdict.UNDECIDED, why=said))

    def _with_counts(self, found: Found) -> Found:
        """Of each load, as many rows as the ledger says: a row that stands twice hides behind its key."""
        wrong = wrong_counts(self.warehouse, self.table.raw_schema, self.table.raw_table)
        if not wrong:
            return found
        said = "; ".join(f"load {load}: raw has {there:,} rows, the ledger {noted:,}" for load, there, noted in wrong)
        more = [load for load, there, noted in wrong if there > noted]
        samples = (*found.samples, *doubled(self.warehouse, self.table, more))[:SHOWN]
        return replace(found, verdict=Verdict.DIFFERENT, why=said, samples=samples)

    def _not_compared(self) -> dict[str, str]:
        table = self.table
        taken = {column.source.name for column in table.columns}
        at_source = self.catalog.table(table.name)
        columns = () if at_source is None else at_source.columns
        found = {column.name: "excluded" for column in columns if column.name not in taken}
        for column in table.columns:
            if column.masked:
                found[column.source.name] = f"{column.mapping.loses}: what lands is compared, not its value"
        found |= {column.source.name: "new at the source, not in raw yet" for column in table.drift.added}
        return found


def _file(path: Path) -> LandedFile | None:
    return LandedFile(path, pq.read_metadata(path).num_rows, path.stat().st_size) if path.exists() else None
