"""The plan: for every table its strategy and why, its keys, its columns' types, its window. Nothing moves before it.

Guarantees: what cannot be done (a table or column that is not there, a type that cannot be carried, names that
collide) stops its own table, by name, before the first row is read, and leaves the others to be taken. A plan is a
value: it can be printed, compared, and handed to any executor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from el.config.filter_value import filter_value
from el.config.settings import Config, TableSettings
from el.connectors.base import Connector, CursorSource
from el.connectors.catalog import Catalog, Table, TableName
from el.connectors.request import POSITION_READ, ColumnRead, Condition, Op, ReadRequest
from el.errors import DatabaseError, ElError, NotPermitted, PlanError, PositionLost, ReadError
from el.loading.ledger import LedgerEntry
from el.planning.columns import ColumnPlan, key_of, plan_columns
from el.planning.definition import definition, keys_changed, no_bound_of, place_of, what_changed
from el.planning.drift import Drift, HeldTable, find_drift
from el.planning.isolation import isolation_notes, isolation_of
from el.planning.keys import KeyRule, key_rule
from el.planning.refusals import refuse
from el.planning.selection import Chosen, Places, named, query_text
from el.planning.strategies import Subject, choose
from el.planning.strategies.key_set import KeyRead, key_read
from el.planning.strategies.partition import WHOLE_NUMBERS, divide
from el.planning.strategies.window import Kind, Window
from el.types.mapping import carry


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table on its way. `window` is None when there is nothing new for certain; `reads` are its slices.

    drift: what changed at the source since raw was loaded; where that stops the table, nothing of it is read.
    position: the buffer's column that orders the rows, None for a strategy without order; where the column itself
    is not taken, it is read besides under a name of el's own. keys: the read of the key set, where one is due. error:
    why this table cannot go on while others can. definition, source: see `el.planning.definition`. equal: how the key
    compares, where that is not by bytes. again: rows are read again that raw may hold already.
    """

    name: TableName
    raw_schema: str
    raw_table: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]
    strategy: str
    why: str
    guarantee: str
    window: Window | None
    reads: tuple[ReadRequest, ...]
    position: str | None = None
    rows: int | None = None
    bytes: int | None = None
    last: LedgerEntry | None = None
    skip_unchanged: bool = True
    notes: tuple[str, ...] = ()
    drift: Drift = field(default_factory=lambda: Drift(()))
    table_id: int | None = None
    keys: KeyRead | None = None
    error: ElError | None = None
    definition: str | None = None
    source: str | None = None
    equal: KeyRule | None = None
    again: bool = False

    @property
    def stopped(self) -> str | None:
        """Why nothing of this table is read, in words; None if it is."""
        if self.drift.stopped is not None:
            return f"{self.name}: {self.drift.stopped}"
        return None if self.error is None else str(self.error)

    def key_schema(self) -> pa.Schema:
        """The key's columns as they stand in raw, in key order."""
        landed = self.landed_schema()
        return pa.schema([landed.field(name) for name in self.key])

    def landed_schema(self) -> pa.Schema:
        """The source columns as they stand in raw, in order, without the landing columns."""
        return pa.schema([pa.field(column.name, column.carried.arrow) for column in self.columns])


@dataclass(frozen=True, slots=True)
class Refused:
    """A table of el.yml that cannot be planned, or an entry that no table fits, and why. place: its raw table."""

    name: TableName
    place: tuple[str, str]
    error: ElError

    def __str__(self) -> str:
        """The reason, which begins with the table's name."""
        text = str(self.error)
        return text if str(self.name) in text else f"{self.name}: {text}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run will do. notes: of the run as a whole: how its tables agree, what the source is under.

    refused: the tables that stop alone, while the others are taken.
    """

    source: str
    catalog: Catalog
    tables: tuple[TablePlan, ...]
    notes: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def stopped(self) -> int:
        """How many tables cannot be taken as things are."""
        return len(self.refused) + sum(1 for table in self.tables if table.stopped is not None)

    def by_schema(self) -> dict[str, list[TablePlan]]:
        """The tables by raw schema: each becomes one load package."""
        found: dict[str, list[TablePlan]] = {}
        for table in self.tables:
            found.setdefault(table.raw_schema, []).append(table)
        return found


def make_plan(
    config: Config,
    source: Connector,
    catalog: Catalog,
    chosen: Sequence[Chosen],
    places: Places,
    ledger: Mapping[tuple[str, str], LedgerEntry],
    *,
    full_refresh: bool = False,
    tried: int | None = 1,
    held: Mapping[tuple[str, str], HeldTable] | None = None,
    confirm_deletes: Sequence[str] = (),
) -> Plan:
    """Decide everything for these tables. `ledger`: (raw schema, raw table) -> its last complete load.

    held: (raw schema, raw table) -> the columns that it was last loaded with. confirm_deletes: globs of tables of
    which many rows may be gone. tried: how often this was tried, this last time included; None where another try
    follows, for which what may pass by itself is raised.
    A table that cannot be taken is among `Plan.refused`; raises only what concerns all of them.
    """
    names = [item.table.name for item in chosen]
    confirmed = {name for text in confirm_deletes for name in named("--confirm-deletes", text, names)}
    tables: list[TablePlan] = []
    refused: list[Refused] = []
    for item in chosen:
        name = item.table.name
        place = places.names[name]
        last = ledger.get(place)
        problem = item.error or places.problems.get(name)
        # Of two names that became one, the table that raw holds already goes on.
        if name in places.clashes and last is not None and last.source_table == str(name):
            problem = None
        try:
            if problem is not None:
                raise problem
            held_table = (held or {}).get(place)
            since = None if full_refresh else last
            tables.append(_plan_table(config, source, catalog, item, *place, since, held_table, name in confirmed))
        except (PlanError, DatabaseError, NotPermitted) as error:
            if error.retryable and tried is None:
                raise
            if error.retryable and tried is not None and tried > 1:
                error.args = (f"{error} (tried {tried} times)",)
            refused.append(Refused(name, place, error))
    if refused and not tables and (broken := next((each.error for each in refused if each.error.retryable), None)):
        # No table could be asked about: it is the server, or the line to it.
        raise broken
    return Plan(config.source, catalog, tuple(tables), refused=tuple(refused))


def _plan_table(
    config: Config,
    source: Connector,
    catalog: Catalog,
    item: Chosen,
    raw_schema: str,
    raw_table: str,
    last: LedgerEntry | None,
    held: HeldTable | None,
    confirmed: bool,
) -> TablePlan:
    table, settings = item.table, item.settings
    frozen = (settings.contract or config.defaults.contract) == "freeze"
    drift = find_drift(held, table, plan_columns(config, source, table, settings), config.raw.naming, frozen=frozen)
    columns = drift.columns
    notes = [f"{column.source.name}: {column.carried.loses}" for column in columns if column.carried.loses]
    notes += refuse(table, settings, catalog)
    base = _request(config, catalog, table, settings)
    notes += isolation_notes(table, settings, catalog)
    subject = Subject(table, settings, base, catalog)
    if settings.cursor is not None:
        _check_cursor(table, settings, settings.cursor)
    strategy, why = choose(settings.strategy or config.defaults.strategy, subject, source)
    place = place_of(source, catalog)
    if last is not None and (other := no_bound_of(last, table.name, place)):
        notes.append(f"{other}: a new snapshot begins")
        last = None
    if last is not None and last.strategy != strategy.name:
        notes.append(f"the last load was {last.strategy}: a new snapshot begins")
        last = None
    key = key_of(table, settings, columns)
    if settings.filters and not key and not strategy.whole_filters:
        if "filtered_rows" not in settings.accept:
            raise PlanError(
                f"{table.name}: of a row that leaves the `filters`, a {strategy.name} read tells only by a key, "
                "and there is none: set `key`, or `strategy: full`, or `accept: [filtered_rows]` if such rows may stay"
            )
        notes.append("rows that leave the `filters` stay in raw: there is no key to delete them by")
    equal = key_rule(source, columns, key, by_bytes="keys_by_bytes" in settings.accept)
    notes += equal.notes() if equal else []
    defined = definition(table, settings, base, columns, key, equal)
    if last is not None and (changed := what_changed(last.definition, defined, table, columns, held)):
        notes.append(f"el.yml changed what {raw_table} holds ({changed}): a new snapshot begins")
        last = None
    if last is not None and keys_changed(last.definition, defined):
        notes.append(f"its keys compare otherwise than {raw_table} was loaded with: a new snapshot begins")
        last = None
    window, error = None, None
    try:
        window = None if drift.stopped else strategy.window(subject, source, last)
    except PositionLost as lost:
        error = lost
    except (ReadError, ValueError) as unread:
        if last is None or last.upper is None or getattr(unread, "retryable", False):
            raise
        error = PositionLost(
            f"{table.name}: cannot go on behind {last.bound_column} {last.upper!r}: {unread}; "
            f"`python -m el state reset {table.name}` begins anew"
        )
    if last is not None and not drift.stopped and error is None and (window is None or window.kind is Kind.DELTA):
        again = drift.again or _unfilled(source, base, drift)
        if again is not None:
            notes.append(f"a new snapshot begins: {again}")
            last = None
            window = strategy.window(subject, source, None)
    stopped = error is not None or drift.stopped is not None
    position_column = strategy.position_column(subject)
    changes = strategy.changes(subject, source, window, last) if window is not None else None
    if changes is not None:
        request = replace(base, columns=tuple(read for column in columns for read in column.reads()))
        reads = tuple(replace(request, changes=found) for found in changes)
        position: str | None = POSITION_READ
    else:
        by_key = bool(key) and not strategy.whole_filters
        reads, position = _reads(config, source, subject, columns, window, position_column, by_key)
    if not stopped:
        notes += strategy.notes(subject, source, last, window)
    if window is not None and window.because is not None:
        notes.append(f"a new snapshot begins: {window.because}")
    notes += window.notes if window is not None else ()
    rereads = strategy.reads_again(subject, window)
    if not key and rereads:
        notes.append("there is no key: a row that is read again and differs is taken for another row")
    if not catalog.snapshot_isolation and len(reads) > 1:
        notes.append(
            f"{len(reads)} partitions are read at slightly different moments: SNAPSHOT isolation is not allowed"
        )
    elif window is not None and not catalog.snapshot_isolation and not catalog.read_committed_snapshot:
        notes.append(
            "read under locking READ COMMITTED: a row whose place in the index changes meanwhile may be missed or come "
            "twice; ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION ON prevents it"
        )
    return TablePlan(
        name=table.name,
        raw_schema=raw_schema,
        raw_table=raw_table,
        columns=columns,
        key=key,
        strategy=strategy.name,
        why=why,
        guarantee=strategy.guarantee,
        window=window,
        reads=reads,
        position=position,
        rows=table.rows,
        bytes=table.bytes,
        last=last,
        skip_unchanged=settings.skip_unchanged,
        notes=(*notes, *drift.notes),
        drift=drift,
        table_id=table.object_id,
        keys=None if stopped else key_read(subject, strategy, columns, key, window, last, confirmed),
        error=error,
        definition=defined,
        source=place,
        equal=equal,
        again=rereads,
    )


def _check_cursor(table: Table, settings: TableSettings, name: str) -> None:
    column = table.column(name)
    if column is None:
        raise PlanError(f"{table.name} has no column {name!r} for the cursor")
    chosen = settings.columns.get(column.name)
    if chosen is not None and chosen.mask is not None:
        raise PlanError(
            f"{table.name}.{column.name}: it is masked, and as the cursor its values would stand in raw as positions "
            "and bounds: take another cursor, or `mask: none`"
        )


def _unfilled(source: Connector, request: ReadRequest, drift: Drift) -> str | None:
    """Why raw's older rows lack values that the source has: a column that is new is not always empty."""
    for column in drift.filled:
        name = column.source.name
        if column.source.nullable:
            condition = Condition(name, Op.NOT_NULL)
            found = replace(request, columns=column.reads(), where=(*request.where, condition), limit=1)
            with source.read_buffer(found) as buffer:
                if not any(batch.num_rows for batch in buffer):
                    continue
        return f"{name} has values in rows that raw holds without it"
    return None


def _request(config: Config, catalog: Catalog, table: Table, settings: TableSettings) -> ReadRequest:
    """What is read of this table, before its columns and its window are known."""
    conditions = []
    for wanted in settings.filters:
        column = table.column(wanted.column)
        if column is None:
            raise PlanError(f"{table.name} has no column {wanted.column!r} to filter by")
        value = None if wanted.value is None else filter_value(table.name, column, wanted.text)
        conditions.append(Condition(column.name, wanted.op, value))
    query = settings.query or (query_text(config, settings) if settings.query_file else None)
    return ReadRequest(
        table=None if query else table.name,
        query=query,
        where=tuple(conditions),
        isolation=isolation_of(table, settings, catalog),
        batch_rows=config.defaults.batch_rows,
        batch_bytes=config.defaults.batch_mb * 1024 * 1024,
    )


def _reads(
    config: Config,
    source: Connector,
    subject: Subject,
    columns: Sequence[ColumnPlan],
    window: Window | None,
    position_column: str | None,
    by_key: bool,
) -> tuple[tuple[ReadRequest, ...], str | None]:
    """The slices of the window, and the buffer's column that holds the position."""
    reads = [read for column in columns for read in column.reads()]
    position = None
    if position_column is not None:
        landed = next((column for column in columns if column.source.name == position_column), None)
        if landed is not None and landed.carried.exact:
            position = landed.name
        else:
            type_ = subject.column_type(position_column)
            assert type_ is not None
            carried = carry(source.scheme, type_)
            sort_as = carried.clock.sort_as if carried.clock else carried.read_as
            reads.append(ColumnRead(position_column, POSITION_READ, sort_as))
            position = POSITION_READ
    if window is None:
        return (), position
    filters = subject.request.where
    if by_key and window.kind is Kind.DELTA:
        # What left the filters is read too, and becomes a `D` row of its key alone.
        return (replace(subject.request, columns=tuple(reads), where=window.conditions(), kept=filters),), position
    request = replace(subject.request, columns=tuple(reads), where=filters + window.conditions())
    settings = subject.settings
    if settings.partition_by is None or window.kind is not Kind.SNAPSHOT:
        return (request,), position
    ranges = _ranges(config, source, subject)
    return tuple(replace(request, where=request.where + conditions) for conditions in ranges), position


def _ranges(config: Config, source: Connector, subject: Subject) -> tuple[tuple[Condition, ...], ...]:
    settings, table = subject.settings, subject.table
    column = table.column(settings.partition_by or "")
    if column is None or column.type.name not in WHOLE_NUMBERS or column.type.scale:
        raise PlanError(f"{table.name}: partition_by: {settings.partition_by!r} is not a whole-number column")
    if not isinstance(source, CursorSource):
        raise PlanError(f"{table.name}: partition_by is not possible with {source.scheme}")
    least = source.min_value(subject.request, column.name, column.type)
    greatest = source.max_value(subject.request, column.name, column.type)
    if least is None or greatest is None:
        return ((),)
    wanted = settings.partitions or -(-(table.rows or 0) // config.defaults.partition_rows)
    return divide(column.name, column.type, int(least.text), int(greatest.text), wanted)
