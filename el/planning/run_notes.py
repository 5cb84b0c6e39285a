"""What a plan says of its run as a whole: how the tables agree with each other, and what the source is under."""

from __future__ import annotations

from el.config.job import Job
from el.connectors.base import CapacitySource, OneMomentSource, PressureSource, Source
from el.connectors.catalog import Catalog
from el.connectors.registry import connector_class
from el.connectors.request import Isolation
from el.errors import NotPermitted, PlanError, SourceBusy
from el.planning.plan import Plan, TablePlan
from el.planning.strategies.window import Kind


def reads_together(job: Job, plan: Plan) -> list[TablePlan]:
    """The tables that are read from one point in time, where el.yml asks for it: the server keeps all that changes
    meanwhile until the last of them is read.
    """
    # Where there are no tables, the source may be a place with files, which no connector is for.
    if job.config.defaults.consistent != "run" or not plan.tables:
        return []
    if not issubclass(connector_class(job.source.type), OneMomentSource):
        return []
    return [table for table in plan.tables if table.keys is None and table.reads and _under_snapshot(table)]


def shares_moment(job: Job) -> bool:
    """Whether several connections to the source can see one moment."""
    connector = connector_class(job.source.type)
    return issubclass(connector, OneMomentSource) and connector.shares_moment


def parts_together(job: Job, table: TablePlan) -> bool:
    """Whether the table is divided into parts that are all read from one point in time."""
    return len(table.reads) > 1 and shares_moment(job) and _under_snapshot(table)


def read_here(job: Job, plan: Plan) -> list[str]:
    """Which tables are read in this process, though the others are not: connections of one process share a moment."""
    together = reads_together(job, plan)
    found = [str(table.name) for table in plan.tables if table in together or parts_together(job, table)]
    named = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return [f"executor: read by threads of this process, for one moment is shared: {named}"] if found else []


def _under_snapshot(table: TablePlan) -> bool:
    return all(request.changes is None and request.isolation is Isolation.SNAPSHOT for request in table.reads)


def reads_hold_locks(plan: Plan) -> bool:
    """Whether a statement that reads locks rows, and so keeps writers waiting while it is open."""
    return any(not (table.consistency.snapshot or table.consistency.statement) for table in plan.tables)


def consistency(job: Job, plan: Plan) -> str:
    """How the tables of a run agree with each other, in words."""
    tables = reads_together(job, plan)
    together = len(tables)
    reading = sum(1 for table in plan.tables if table.reads)
    unsure = [str(table.name) for table in plan.tables if table.reads and not table.of_one_moment]
    if not any(table.consistency.snapshot for table in plan.tables):
        stable = not unsure and (reading > 0 or plan.catalog.consistency.statement)
        own = "each statement" if stable else "no table"
        return f"consistency: {plan.catalog.consistency.no_snapshot} here; {own} sees one moment"
    # Each range is a read, and a transaction, of its own.
    divided = [
        table
        for table in plan.tables
        if len(table.reads) > 1
        and table.reads[0].changes is None
        and table not in tables
        and not parts_together(job, table)
    ]
    apart = f"; {', '.join(unsure)} of no one moment" if unsure else ""
    but = _of_parts([str(table.name) for table in divided if not table.corrected], "may come twice or not at all")
    but += _of_parts([str(table.name) for table in divided if table.corrected], "comes right with the next load")
    if together:
        rest = "" if together == reading else f", {reading - together} each at its own"
        return f"consistency: {together} tables are read from one point in time{rest}{but}{apart}"
    return f"consistency: each table is read from one point in time of its own{but}{apart}"


def _of_parts(tables: list[str], moved: str) -> str:
    return f", but each partition of {', '.join(tables)}: a row that moves between them {moved}" if tables else ""


def catalog_notes(catalog: Catalog) -> list[str]:
    """What this login, or this server, does not tell."""
    return [f"of the catalog: {'; '.join(catalog.notes)}"] if catalog.notes else []


def mask_notes(plan: Plan) -> list[str]:
    """That a hash without a key hides no value that can be guessed: e-mail addresses, numbers, names."""
    bare = [
        f"{table.name}.{column.source.name}"
        for table in plan.tables
        for column in table.columns
        if column.mask_key is None and (column.mapping.loses or "").startswith("masked: sha256")
    ]
    if not bare:
        return []
    shown = ", ".join(bare[:5]) + (f" and {len(bare) - 5} more" if len(bare) > 5 else "")
    return [
        f"mask sha256 has no key, so who guesses a value (an e-mail address, a number) finds its row: {shown}; "
        "`mask: hmac` with a `mask_key` prevents it"
    ]


def pressure_notes(job: Job, source: Source, plan: Plan) -> list[str]:
    """What is worth knowing before long reads under SNAPSHOT. Raises `SourceBusy` beyond the limit, for any read."""
    limit = job.config.source_limits.version_store_mb
    limited = limit is not None and any(table.reads or table.keys for table in plan.tables)
    long = any(
        table.window is not None and table.window.kind is Kind.SNAPSHOT and table.consistency.snapshot
        for table in plan.tables
    )
    notes = []
    if job.config.source_limits.rows_per_second is not None and reads_hold_locks(plan):
        notes.append(
            "rows_per_second: without row versions a statement that waits keeps others from writing, so that each "
            "reads at full speed and rests after it"
        )
    if limited and not (isinstance(source, PressureSource) and source.has_version_store):
        raise PlanError(f"source_limits.version_store_mb: {source.scheme} has no version store to look at")
    if job.config.source_limits.read_units is not None and not isinstance(source, CapacitySource):
        raise PlanError(f"source_limits.read_units: {source.scheme} does not count what a read costs")
    if not isinstance(source, PressureSource):
        return notes
    if not (limited or long):
        return notes
    found = source.pressure()
    if limit is not None and limited and found.version_store_mb is None:
        raise NotPermitted(
            f"source_limits.version_store_mb is {limit:,}, and this login may not see the version store: "
            f"{source.state_right}; nothing was read"
        )
    if limit is not None and found.version_store_mb is not None and found.version_store_mb > limit:
        raise SourceBusy(
            f"the version store of the source is {found.version_store_mb:,} MB, and source_limits.version_store_mb is "
            f"{limit:,}: a read could let it grow; nothing was read"
        )
    blocked = f"{found.blocked:,} sessions of the source wait for a lock of another one" if found.blocked else None
    return [*notes, blocked] if blocked else notes
