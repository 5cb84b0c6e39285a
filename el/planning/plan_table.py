"""Plan one table, step by step: columns, strategy, the bound to go on from, key, window, reads, and what to say of it.

Each step rests on those before it; a `PlanError` in any of them stops this table alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from el.config.merging import merged
from el.config.settings import Config
from el.config.tables import TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Catalog, Table
from el.connectors.note import MayLose
from el.connectors.request import POSITION_READ, Position, ReadRequest
from el.errors import ElError, PlanError, PositionLost, ReadError
from el.planning.columns import is_unproven, key_of, plan_columns
from el.planning.definition import database_of, definition, keys_changed, what_changed, why_no_bound
from el.planning.documents import proposals
from el.planning.drift import find_drift
from el.planning.held import HeldTable
from el.planning.isolation import isolation_notes
from el.planning.keys import key_rule, refuse_changed_keys
from el.planning.ledger import LedgerEntry
from el.planning.parts import Parts, find_parts
from el.planning.plan import TablePlan
from el.planning.reads import Reads, table_request, unfilled
from el.planning.refusals import refuse
from el.planning.resumed import digest_of_read, resumed, splits_of, splits_text, why_anew
from el.planning.selection import Chosen
from el.planning.strategies import TableContext, choose
from el.planning.strategies.earlier import EarlierRead
from el.planning.strategies.key_set import is_of_one_moment, key_read, keys_not_before, second_look
from el.planning.strategies.window import Kind, Window


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before the first table is planned. (raw schema, raw table) is the key of what raw says."""

    config: Config
    source: Source
    catalog: Catalog
    ledger: Mapping[tuple[str, str], LedgerEntry]  # the last complete load of each raw table
    held: Mapping[tuple[str, str], HeldTable] = field(default_factory=dict)  # the columns that it was loaded with
    full_refresh: bool = False  # every table begins with a new snapshot
    reader: str = ""  # as `Followed.reader`
    propose: bool = False  # what documents have is looked at, and said
    earlier: Mapping[tuple[str, str], EarlierRead] = field(default_factory=dict)  # what a run that was cut short left
    landing: str = ""  # what decides beside the plan how rows land, as text


class TablePlanner:
    """Plans one table. A step that finds that raw's last load is none to go on from forgets it (`last`)."""

    def __init__(self, known: Known, item: Chosen, place: tuple[str, str], *, confirmed: bool) -> None:
        self.known = known
        self.table: Table = item.table
        self.settings: TableSettings = item.settings
        self.item = item
        self.place = self.raw_schema, self.raw_table = place
        self.last = None if known.full_refresh else known.ledger.get(place)
        self.held = known.held.get(place)
        self.confirmed = confirmed  # many rows may be gone
        self.notes: list[str] = []
        self.anew = False
        self.parts = Parts()
        self.earlier: EarlierRead | None = None  # what is gone on with
        self.error: ElError | None = None

    def plan(self) -> TablePlan:
        """Raises `PlanError`, or the `DatabaseError` that the source answered with."""
        self._take_columns()
        self._choose_strategy()
        self._compare_place()
        self._find_key()
        self._compare_definition()
        self._fix_window()
        self._go_on_with_earlier()
        self._make_reads()
        self._say_what_is_sure()
        planned = self._may_be_gone_on_with(self._planned())
        if self.earlier is None or self.earlier.digest == planned.read_digest:
            return planned
        earlier = replace(self.earlier, lost="the table, or what el.yml makes of it, is not what it was")
        known = replace(self.known, earlier={self.place: earlier})
        return TablePlanner(known, self.item, self.place, confirmed=self.confirmed).plan()

    def _begin_anew(self, why: str) -> None:
        self.notes.append(why)
        self.last = None
        self.anew = True

    def _take_columns(self) -> None:
        """The columns as they travel, after what changed at the source; what is read of the table."""
        config, table, settings = self.known.config, self.table, self.settings
        frozen = (settings.contract or config.defaults.contract) == "freeze"
        wanted = plan_columns(config, self.known.source, table, settings)
        self.drift = find_drift(self.held, table, wanted, config.raw.naming, frozen=frozen)
        self.columns = self.drift.columns
        lossy = [each for each in self.columns if each.mapping.loses]
        self.notes += [MayLose(f"{each.source.name}: {each.mapping.loses}") for each in lossy]
        self.notes += refuse(table, settings, self.known.catalog)
        self.base: ReadRequest = table_request(config, self.known.source, table, settings)
        self.notes += isolation_notes(table, settings)
        if self.known.propose:
            self.notes += proposals(self.known.source, table)

    def _choose_strategy(self) -> None:
        known = self.known
        self.context = TableContext(
            self.table, self.settings, self.base, known.catalog, known.source.rules, known.reader
        )
        if self.settings.cursor is not None:
            _check_cursor(self.table, self.settings, self.settings.cursor)
        wanted = self.settings.strategy or self.known.config.defaults.strategy
        self.strategy, self.why = choose(wanted, self.context, self.known.source)

    def _compare_place(self) -> None:
        """The last load's bound is none for another table, another database, or another strategy."""
        self.database = database_of(self.known.source, self.known.catalog)
        if self.last is not None and (other := why_no_bound(self.last, self.table.name, self.database)):
            self._begin_anew(f"{other}: a new snapshot begins")
        if self.last is not None and self.last.strategy != self.strategy.name:
            self._begin_anew(f"the last load was {self.last.strategy}: a new snapshot begins")

    def _find_key(self) -> None:
        """The key, and how it compares. Rows that leave the filters cannot be told without one."""
        settings, strategy = self.settings, self.strategy
        self.key = key_of(self.table, settings, self.columns)
        if settings.filters and not self.key and not strategy.whole_filters:
            if "filtered_rows" not in settings.accept:
                raise PlanError(
                    f"{self.table.name}: of a row that leaves the `filters`, a {strategy.name} read tells only by a "
                    "key, and there is none: set `key`, or `strategy: full`, or `accept: [filtered_rows]` if such rows "
                    "may stay"
                )
            stay = "rows that leave the `filters` stay in raw: there is no key to delete them by"
            self.notes.append(MayLose(stay))
        try:
            refuse_changed_keys(self.known.source, self.columns, self.key, settings.accept)
        except PlanError as error:
            raise PlanError(f"{self.table.name}: {error}") from None
        by_bytes = "keys_by_bytes" in settings.accept
        self.equal = key_rule(self.known.source, self.columns, self.key, by_bytes=by_bytes)
        self.notes += self.equal.notes() if self.equal else []

    def _compare_definition(self) -> None:
        """A delta over what other settings loaded would leave raw half one and half the other."""
        self.defined = definition(self.table, self.settings, self.base, self.columns, self.key, self.equal)
        before = self.last.definition if self.last is not None else None
        changed = what_changed(before, self.defined, self.table, self.columns, self.held)
        if self.last is not None and changed:
            self._begin_anew(f"el.yml changed what {self.raw_table} holds ({changed}): a new snapshot begins")
        if self.last is not None and keys_changed(self.last.definition, self.defined):
            self._begin_anew(f"its keys compare otherwise than {self.raw_table} was loaded with: a new snapshot begins")

    def _fix_window(self) -> None:
        """The bounds, before the first row is read; a snapshot again where a delta would leave raw's rows short."""
        self.window: Window | None = None
        try:
            if not self.drift.stopped:
                self.window = self.strategy.window(self.context, self.known.source, self.last)
        except PositionLost as lost:
            self.error = lost
        except (ReadError, ValueError) as unread:
            if self.last is None or self.last.upper is None or getattr(unread, "retryable", False):
                raise
            self.error = PositionLost(
                f"{self.table.name}: cannot go on behind {self.last.bound_column} {self.last.upper!r}: {unread}; "
                f"`python -m el state reset {self.table.name}` begins anew"
            )
        if self.last is None or self._stopped or (self.window is not None and self.window.kind is Kind.SNAPSHOT):
            return
        again = self.drift.new_snapshot or unfilled(self.known.source, self.base, self.drift)
        if again is not None:
            self._begin_anew(f"a new snapshot begins: {again}")
            self.window = self.strategy.window(self.context, self.known.source, None)

    def _go_on_with_earlier(self) -> None:
        """Take the window of a snapshot that an earlier run began, where the source has what changed since."""
        earlier = self.known.earlier.get(self.place)
        if earlier is None or self.window is None or self.window.kind is not Kind.SNAPSHOT or self._stopped:
            return
        window = resumed(self.known.source, self.strategy, self.context, self.window, earlier)
        if isinstance(window, str):
            self.notes.append(earlier.again(window))
            return
        self.window, self.earlier = window, earlier
        self.notes.append(earlier.taken())

    @property
    def _stopped(self) -> bool:
        return self.error is not None or self.drift.stopped is not None

    def _make_reads(self) -> None:
        """The slices of the window, and which of the buffer's columns orders the rows."""
        source, window = self.known.source, self.window
        ordered_by = self.strategy.position_column(self.context)
        changes = self.strategy.changes(window) if window is not None else None
        self.corrected = self.strategy.goes_on and bool(self.key)
        self.reads: tuple[ReadRequest, ...]
        self.position_column: str | None
        self.whole = replace(self.base, columns=tuple(read for column in self.columns for read in column.reads()))
        if changes is not None:
            self.reads = tuple(replace(self.whole, changes=found) for found in changes)
            self.position_column = POSITION_READ
        else:
            by_key = bool(self.key) and not self.strategy.whole_filters
            if self.earlier is not None:
                self.parts = Parts(splits_of(source, self.earlier.splits) or ())
            elif window is not None and window.kind is Kind.SNAPSHOT:
                self.parts = find_parts(self.known.config, source, self.context, corrected=self.corrected)
            reads = Reads(self.known.config, source, self.context, self.columns, by_key, self.parts.splits)
            self.reads, self.position_column = reads.of(window, ordered_by)
            if window is not None and window.kind is Kind.SNAPSHOT and isinstance(window.upper, Position):
                met = self.strategy.snapshot()
                self.reads = tuple(replace(read, placed=True, changes=met) for read in self.reads)
        if not self._stopped:
            self.notes += self.strategy.notes(self.context, source, self.last, window)
        if window is not None and window.because is not None:
            self.notes.append(f"a new snapshot begins: {window.because}")
            self.anew = True
        self.notes += window.notes if window is not None else ()
        self.notes += self.parts.notes

    def _say_what_is_sure(self) -> None:
        """What a reader has to know of rows that are read again, and of reads that see more than one moment."""
        sees = self.table.consistency
        self.reads_again = self.strategy.reads_again(self.context, self.window)
        if not self.key and self.reads_again:
            told = "there is no key: a row that is read again and differs is taken for another row"
            self.notes.append(MayLose(told))
        self.look = None if self._stopped else second_look(self.context, self.columns, self.key, self.window)
        if sees.snapshot:
            return
        if len(self.reads) > 1:
            moments = f"{len(self.reads)} partitions are read at slightly different moments"
            later = f"{moments}: what changes meanwhile comes with the next load"
            self.notes.append(later if self.corrected else MayLose(f"{moments}: {sees.no_snapshot}"))
        elif self.window is not None and not is_of_one_moment(self.context):
            then = "; a key that raw has and the snapshot lacks is looked for again" if self.look else ""
            way = f"; {sees.better} prevents it" if sees.better else ""
            self.notes.append(MayLose(f"{sees.unstable}{then}{way}"))

    def _planned(self) -> TablePlan:
        keys = None
        if not self._stopped:
            keys = key_read(self.context, self.strategy, self.columns, self.key, self.window, self.last, self.confirmed)
        not_before = None
        if not self._stopped and keys is None:
            not_before = keys_not_before(self.context, self.strategy, self.last)
        return TablePlan(
            name=self.table.name,
            raw_schema=self.raw_schema,
            raw_table=self.raw_table,
            columns=self.columns,
            key=self.key,
            strategy=self.strategy.name,
            why=self.why,
            guarantee=self.strategy.guarantee,
            window=self.window,
            reads=self.reads,
            corrected=self.corrected,
            position_column=self.position_column,
            consistency=self.table.consistency,
            isolation=self.base.isolation,
            rows=self.table.rows,
            bytes=self.table.bytes,
            last=self.last,
            skip_unchanged=self.settings.skip_unchanged,
            notes=(*self.notes, *self.drift.notes),
            drift=self.drift,
            table_id=self.table.object_id,
            keys=keys,
            keys_not_before=not_before,
            look=self.look,
            unique=self.settings.key is None and bool(self.key),
            error=self.error,
            whole=self.whole,
            shows_deletes=self.strategy.shows_deletes,
            definition=self.defined,
            source=self.database,
            key_unproven=is_unproven(self.table, self.settings),
            equal=self.equal,
            reads_again=self.reads_again,
            anew=self.anew,
            misfits_stop=self.settings.misfits == "stop",
            verify=merged(self.known.config.defaults.verify, self.settings.verify),
            personal=frozenset(each.name for each in self.columns if self._is_personal(each.source.name)),
        )

    def _may_be_gone_on_with(self, planned: TablePlan) -> TablePlan:
        """With what a later run has to know, should this one be cut short in a snapshot of several parts."""
        known = self.known
        if self.window is None or self.window.kind is not Kind.SNAPSHOT or len(self.reads) < 2:
            return planned
        if (why := why_anew(known.config, known.source, self.strategy, self.context, self.reads)) is not None:
            return replace(planned, notes=(*planned.notes, f"a run that is cut short begins it anew: {why}"))
        last = known.ledger.get(self.place)
        around = f"{known.landing} {last.load_id if last is not None else None} {known.full_refresh}"
        splits = splits_text(known.source, self.reads)
        return replace(planned, read_digest=digest_of_read(planned, around), splits=splits, earlier=self.earlier)

    def _is_personal(self, column: str) -> bool:
        chosen = self.settings.columns.get(column)
        return chosen is not None and chosen.pii is not None


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
