"""cdc: every change that SQL Server's capture tables hold, in the order of commits.

Guarantees: all operations of a window of log positions (LSN), each with its place: commit, then change, then what a
change consists of. The position is fixed before a snapshot is read; what was captured later, and is older than the
snapshot, begins no version of its own. Where a table's capture instance was replaced, the older one is read up to where
the newer one begins. Changes that the server no longer has are an error that says what to do, and never a gap
(Microsoft Learn, "About Change Data Capture").
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from el.config.tables import ColumnSettings, StrategyName, TableSettings
from el.connectors.base import CaptureInstance, CaptureSource, Source
from el.connectors.catalog import Column, SourceType, Table
from el.connectors.request import CapturedChanges, TrackedChanges, Value
from el.errors import NotPermitted, PlanError, PositionLost
from el.planning.columns import source_key
from el.planning.ledger import LedgerEntry
from el.planning.note import MayLose
from el.planning.strategies.base import Strategy, Subject
from el.planning.strategies.incarnation import another, incarnation
from el.planning.strategies.window import Kind, Window

BOUND = "LSN"
# `datetime`, in which the server notes the time of commits, counts in steps of 3.33 ms.
_ROUNDING = 10


class Cdc(Strategy):
    """Needs a capture instance that captures every column that is taken."""

    name = StrategyName.CDC
    guarantee = "every change in the order of commits, deletes included; a lost position is an error"
    shows_deletes = True
    only_if_named = True
    bound_form = r"0x[0-9A-F]{20}"

    def obstacle(self, subject: Subject, source: Source) -> str | None:
        table, settings = subject.table, subject.settings
        if not isinstance(source, CaptureSource):
            return "this database has no change data capture"
        if (grant := table.lacks(self.name)) is not None:
            return f"the login may not read what is captured: {grant}"
        if not table.cdc:
            return "change data capture is not on for this table (sys.sp_cdc_enable_table)"
        if settings.filters:
            return "of a row that leaves the `filters`, a capture table does not tell"
        key = table.primary_key.columns if table.primary_key and settings.key is None else ()
        if found := [column.name for column in table.columns if column.name in key and _computed(column)]:
            return (
                f"{found[0]} of the primary key is computed, and a capture table holds NULL for it: name another `key`"
            )
        never = [column.name for column in _taken(subject) if column.type.name in source.never_old]
        if settings.images == "both" and never:
            return (
                f"`images: both` cannot be had of {', '.join(never)}: a capture table has no old values of it; exclude "
                "it, or take `images: after`"
            )
        return None

    def reason(self, subject: Subject) -> str:
        return "asked for"

    def notes(
        self, subject: Subject, source: Source, last: LedgerEntry | None, window: Window | None
    ) -> tuple[str, ...]:
        assert isinstance(source, CaptureSource)
        found: list[str] = []
        if computed := [column.name for column in subject.table.columns if _computed(column)]:
            found.append(f"{', '.join(computed)}: computed, and left out: a capture table holds NULL for it")
        if not all(instance.in_order for instance in _instances(subject, source)):
            found.append(
                MayLose(
                    "the change table has no __$command_id (KB3030352; sys.sp_vupgrade_replication adds it): changes "
                    "within one transaction are in the order of __$seqval, which the server does not promise"
                )
            )
        key = _key(subject)
        if large := [column.name for column in _taken(subject) if _large(source, column)]:
            missing = ", ".join(large)
            found.append(
                f"{missing}: where the change table lacks a value that an update left alone, that of the row as it is "
                "now is taken"
                if key
                else MayLose(f"{missing}: an update that left it alone may bring NULL: no key tells its row")
            )
        if window is None and last is not None and _after_snapshot(source, last)[1] is False:
            found.append(
                "the capture job has not come to the time of the last snapshot yet: the next run takes what changed "
                "(does this last, is SQL Server Agent running?)"
            )
        return tuple(found)

    def window(self, subject: Subject, source: Source, last: LedgerEntry | None) -> Window | None:
        assert isinstance(source, CaptureSource)
        name = subject.table.name
        instances = _instances(subject, source)
        _require_columns(subject, instances[-1])
        # Before the upper end is asked for, so that this is not behind.
        until, passed = (None, True) if last is None else _after_snapshot(source, last)
        upper = source.captured_up_to()
        if upper is None:
            raise PositionLost(f"{name}: nothing was captured yet: is the capture job running (SQL Server Agent)?")
        mine = incarnation(subject)
        if last is None or last.upper is None or last.bound_column != BOUND:
            # An instance can begin behind what was captured: the snapshot, which is read later, has all before it.
            begins = max(upper.text, source.neighbour(_least(instances[-1]), -1).text)
            return Window(Kind.SNAPSHOT, upper=Value(begins, upper.type), bound=BOUND, incarnation=mine)
        anew = f"run --full-refresh --select {name} begins anew with a snapshot"
        # Its log is another one, even where it has passed raw's position.
        if because := another(subject, last):
            raise PositionLost(f"{name}: {because}, and raw's {last.upper} is of the former one; {anew}")
        lower = Value(last.upper, upper.type)
        if lower.text > upper.text:
            if lower.text < _least(instances[-1]).text:
                return None
            raise PositionLost(f"{name}: the log is at {upper}, before raw's {lower}: it was restored; {anew}")
        if lower.text == upper.text:
            return None
        first = source.neighbour(lower, 1)
        if not _spans(source, instances, first, upper):
            raise PositionLost(
                f"{name}: the changes since {lower} are gone from the capture tables: they were cleaned up, or the "
                f"capture instance was made anew; {anew}"
            )
        if not passed:
            # What is captured so far may be older than the rows of the snapshot.
            return None
        if until is not None and not _key(subject) and _changed(source, instances, first, until):
            raise PositionLost(
                f"{name}: rows changed while the last snapshot was read, and without a key nobody can tell which of "
                f"them it has already: set `key`, or do this at a quieter hour: {anew}"
            )
        return Window(Kind.DELTA, None, lower, upper, bound=BOUND, incarnation=mine, forgets=True)

    def changes(
        self, subject: Subject, source: Source, window: Window, last: LedgerEntry | None = None
    ) -> tuple[TrackedChanges | CapturedChanges, ...] | None:
        if window.kind is Kind.SNAPSHOT:
            return None
        assert isinstance(source, CaptureSource)
        assert window.lower is not None
        assert window.upper is not None
        instances = _instances(subject, source)
        first = source.neighbour(window.lower, 1)
        until = _after_snapshot(source, last)[0] if last is not None and _key(subject) else None
        if until is None or until.text < first.text:
            return tuple(_reads(subject, source, instances, first, window.upper))
        until = min(until, window.upper, key=lambda lsn: lsn.text)
        reads = _reads(subject, source, instances, first, until, settled=True)
        if until.text < window.upper.text:
            reads += _reads(subject, source, instances, source.neighbour(until, 1), window.upper)
        return tuple(reads)


def without_computed(table: Table, settings: TableSettings) -> TableSettings:
    """The settings, with computed columns excluded: a capture table has NULL in their place, persisted or not."""
    computed = {column.name.lower(): column.name for column in table.columns if _computed(column)}
    if not computed:
        return settings
    columns = {name: chosen for name, chosen in settings.columns.items() if name.lower() not in computed}
    columns.update(dict.fromkeys(computed.values(), ColumnSettings(exclude=True)))
    return settings.model_copy(update={"columns": columns})


def _computed(column: Column) -> bool:
    return column.is_computed or column.computed is not None


def _large(source: CaptureSource, column: Column) -> bool:
    return column.type.length == -1 or column.type.name in source.large


def _taken(subject: Subject) -> list[Column]:
    excluded = {name.lower() for name, column in subject.settings.columns.items() if column.exclude}
    return [column for column in subject.table.columns if column.name.lower() not in excluded]


def _key(subject: Subject) -> tuple[tuple[str, SourceType], ...]:
    types = {column.name: column.type for column in _taken(subject)}
    return tuple((name, types[name]) for name in source_key(subject.table, subject.settings, types))


def _instances(subject: Subject, source: CaptureSource) -> tuple[CaptureInstance, ...]:
    """Those that are established, the first one in front. Raises `PlanError` where the table cannot be taken so."""
    name = subject.table.name
    try:
        found = source.capture_instances(name)
    except NotPermitted as refused:
        raise PlanError(str(refused)) from None
    established = tuple(instance for instance in found if instance.least is not None)
    if not established:
        raise PositionLost(
            f"{name}: its capture instance is not established yet: the capture job has to run once (SQL Server Agent)"
        )
    switch = any(instance.partition_switch for instance in established)
    if switch and "partition_switch" not in subject.settings.accept:
        raise PlanError(
            f"{name}: rows that ALTER TABLE ... SWITCH moves are not captured, and its capture instance allows that: "
            "enable it with @allow_partition_switch = 0, or say `accept: [partition_switch]`"
        )
    return established


def _least(instance: CaptureInstance) -> Value:
    assert instance.least is not None
    return instance.least


def _require_columns(subject: Subject, newest: CaptureInstance) -> None:
    # A column that is new at the source is no reason to stop the other tables.
    if missing := [column for column, _ in _missing(subject, newest)]:
        raise PositionLost(
            f"{subject.table.name}: capture instance {newest.name} does not capture {', '.join(missing)}: exclude what "
            "is not captured, or enable a second instance (sys.sp_cdc_enable_table with @capture_instance)"
        )


def _after_snapshot(source: CaptureSource, last: LedgerEntry) -> tuple[Value | None, bool]:
    """After a snapshot: the log position up to which changes may be among its rows, and whether capture is past it.

    (None, True) where the last load was none. Its age is measured by this machine's clock at both ends, so that the
    server's may be another one.
    """
    if last.kind != Kind.SNAPSHOT or last.finished_at is None:
        return None, True
    age = datetime.now(UTC).replace(tzinfo=None) - last.finished_at
    return source.captured_at(int(age.total_seconds() * 1000) - _ROUNDING)


def _changed(source: CaptureSource, instances: Sequence[CaptureInstance], first: Value, last: Value) -> bool:
    spans = _spans(source, instances, first, last) if first.text <= last.text else []
    return any(source.has_changes(instance, begin, end) for instance, begin, end in spans)


def _reads(
    subject: Subject,
    source: CaptureSource,
    instances: Sequence[CaptureInstance],
    first: Value,
    last: Value,
    *,
    settled: bool = False,
) -> list[CapturedChanges]:
    """One read of each instance; settled: of each key only the last change counts."""
    return [
        CapturedChanges(
            instance.name,
            begin,
            end,
            missing=_missing(subject, instance),
            before_images=subject.settings.images == "both",
            key=tuple((name, type_) for name, type_ in _key(subject) if name in instance.columns),
            in_order=instance.in_order,
            large=tuple(
                (column.name, instance.columns.index(column.name) + 1, column.type)
                for column in _taken(subject)
                if _large(source, column) and column.name in instance.columns
            ),
            only_last_counts=settled,
        )
        for instance, begin, end in _spans(source, instances, first, last)
    ]


def _spans(
    source: CaptureSource, instances: Sequence[CaptureInstance], first: Value, last: Value
) -> list[tuple[CaptureInstance, Value, Value]]:
    """Which instance is read from where to where, so that all from `first` to `last` is read; [] if that cannot be.

    Each has all changes from its least position on, wherever cleanup has moved that to.
    """
    found: list[tuple[CaptureInstance, Value, Value]] = []
    for number, instance in enumerate(instances):
        following = instances[number + 1 :]
        end = last
        if following and _least(following[0]).text <= last.text:
            end = source.neighbour(_least(following[0]), -1)
        if end.text < first.text:
            continue
        if _least(instance).text > first.text:
            return []
        found.append((instance, first, end))
        if end.text == last.text:
            return found
        first = source.neighbour(end, 1)
    return found


def _missing(subject: Subject, instance: CaptureInstance) -> tuple[tuple[str, SourceType], ...]:
    """The columns that are taken and that this instance does not capture."""
    captured = {name.lower() for name in instance.columns}
    return tuple((column.name, column.type) for column in _taken(subject) if column.name.lower() not in captured)
