"""cdc: every change that SQL Server's capture tables hold, in the order of commits.

Guarantees: all operations between two log positions (LSN), each with its place: commit, then change, then what a
change consists of. The position is fixed before a snapshot is read; what was captured later, and is older than the
snapshot, begins no version of its own. Where a table's capture instance was replaced, the older one is read up to where
the newer one begins. Changes that the server no longer has are an error that says what to do, and never a gap
(Microsoft Learn, "About Change Data Capture").
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from el.connectors.abilities import ChangeFeed, Followed
from el.connectors.catalog import Column, SourceType
from el.connectors.incarnation import incarnation_of, why_another
from el.connectors.note import MayLose
from el.connectors.request import FeedRead, Position
from el.connectors.sqlserver.capture import (
    CaptureInstance,
    capture_instances,
    captured_at,
    has_changes,
    max_lsn,
    next_lsn,
    previous_lsn,
)
from el.connectors.sqlserver.capture_select import CapturedChanges
from el.connectors.sqlserver.facts import CAPTURE
from el.connectors.sqlserver.session import SqlServerSession
from el.errors import NotPermitted, PlanError, PositionLost
from el.types.present import utc_now

# `datetime`, in which the server notes the time of commits, counts in steps of 3.33 ms.
_ROUNDING = 10
# Types of whose values a change has no old one, and those of which it may hold none, for they are large
# ("cdc.<capture_instance>_CT", "Large Object Data Types").
_NEVER_OLD = frozenset({"text", "ntext", "image"})
_LARGE = _NEVER_OLD | {"xml", "json", "geometry", "geography"}


class Cdc(ChangeFeed):
    """Needs a capture instance that captures every column that is taken."""

    name = CAPTURE
    counts = "LSN"
    form = r"0x[0-9A-F]{20}"
    guarantee = "every change in the order of commits, deletes included; a lost position is an error"
    source: SqlServerSession

    def __init__(self, source: SqlServerSession, followed: Followed) -> None:
        super().__init__(source, followed)
        self._table = followed.table
        self._instances: tuple[CaptureInstance, ...] = ()
        self._upper: str | None = None
        # Of the last snapshot: the LSN up to which changes may be among its rows, and whether capture is past it.
        self._settled: tuple[str | None, bool] = (None, True)

    # -- whether

    def obstacle(self) -> str | None:
        table, followed = self._table, self.followed
        if (grant := table.lacks(self.name)) is not None:
            return f"the login may not read what is captured: {grant}"
        if not table.kept_by(self.name):
            return "change data capture is not on for this table (sys.sp_cdc_enable_table)"
        if followed.filtered:
            return "of a row that leaves the `filters`, a capture table does not tell"
        computed = {name for kept in table.feeds if kept.feed == self.name for name in kept.without}
        key = table.primary_key.columns if table.primary_key and not followed.own_key else ()
        if found := [column.name for column in table.columns if column.name in key and column.name in computed]:
            return (
                f"{found[0]} of the primary key is computed, and a capture table holds NULL for it: name another `key`"
            )
        if found := [column.name for column in followed.columns if column.name in computed]:
            return f"{', '.join(found)}: computed, and a capture table holds NULL for it: exclude it"
        never = [column.name for column in followed.columns if column.type.name in _NEVER_OLD]
        if followed.before_images and never:
            return (
                f"`images: both` cannot be had of {', '.join(never)}: a capture table has no old values of it; exclude "
                "it, or take `images: after`"
            )
        return None

    def notes(self, *, waits: bool = False) -> tuple[str, ...]:
        found: list[str] = []
        computed = [name for kept in self._table.feeds if kept.feed == self.name for name in kept.without]
        if computed:
            found.append(f"{', '.join(computed)}: computed, and left out: a capture table holds NULL for it")
        if not all(instance.in_order for instance in self._established()):
            found.append(
                MayLose(
                    "the change table has no __$command_id (KB3030352; sys.sp_vupgrade_replication adds it): changes "
                    "within one transaction are in the order of __$seqval, which the server does not promise"
                )
            )
        if large := [column.name for column in self.followed.columns if _large(column)]:
            missing = ", ".join(large)
            found.append(
                f"{missing}: where the change table lacks a value that an update left alone, that of the row as it is "
                "now is taken"
                if self.followed.key
                else MayLose(f"{missing}: an update that left it alone may bring NULL: no key tells its row")
            )
        if waits and not self._settled[1]:
            found.append(
                "the capture job has not come to the time of the last snapshot yet: the next run takes what changed "
                "(does this last, is SQL Server Agent running?)"
            )
        return tuple(found)

    # -- where

    def now(self, since: Position | None = None) -> Position:
        log = incarnation_of(self._table, self.followed.catalog)
        newest = self._established()[-1]
        if since is None:
            # An instance can begin behind what was captured: the snapshot, which is read later, has all before it.
            return Position(max(self._captured(), previous_lsn(_least(newest))), log)
        assert self._upper is not None
        # What is captured so far may be older than the rows of the snapshot.
        waits = self._upper < since.text or not self._settled[1]
        return Position(since.text if waits else self._upper, log)

    def alive(self, since: Position) -> str | None:
        instances = self._established()
        # Before the upper end is asked for, so that this is not behind.
        self._settled = self._after_snapshot(since)
        upper = self._upper = self._captured()
        # Its log is another one, even where it has passed raw's position.
        if because := why_another(incarnation_of(self._table, self.followed.catalog), since.log):
            return f"{because}, and raw's {since} is of the former one"
        if since.text > upper:
            begins = since.text < _least(instances[-1])
            return None if begins else f"the log is at {upper}, before raw's {since}: it was restored"
        if since.text == upper:
            return None
        first = next_lsn(since.text)
        if not _spans(instances, first, upper):
            return (
                f"the changes since {since} are gone from the capture tables: they were cleaned up, or the capture "
                "instance was made anew"
            )
        until, passed = self._settled
        if passed and until is not None and not self.followed.key and self._changed(first, until):
            return (
                "rows changed while the last snapshot was read, and without a key nobody can tell which of them it has "
                "already: set `key`, or do this at a quieter hour"
            )
        return None

    def _established(self) -> tuple[CaptureInstance, ...]:
        """The instances that are, the first one in front. Raises where the table cannot be taken by them."""
        if self._instances:
            return self._instances
        name = self._table.name
        try:
            found = capture_instances(self.source, name)
        except NotPermitted as refused:
            raise PlanError(str(refused)) from None
        established = tuple(instance for instance in found if instance.least is not None)
        if not established:
            raise PositionLost(
                f"{name}: its capture instance is not established yet: the capture job has to run once (SQL Server "
                "Agent)"
            )
        switch = any(instance.partition_switch for instance in established)
        if switch and "partition_switch" not in self.followed.accept:
            raise PlanError(
                f"{name}: rows that ALTER TABLE ... SWITCH moves are not captured, and its capture instance allows "
                "that: enable it with @allow_partition_switch = 0, or say `accept: [partition_switch]`"
            )
        newest = established[-1]
        # A column that is new at the source is no reason to stop the other tables.
        if missing := [column for column, _ in self._missing(newest)]:
            raise PositionLost(
                f"{name}: capture instance {newest.name} does not capture {', '.join(missing)}: exclude what is not "
                "captured, or enable a second instance (sys.sp_cdc_enable_table with @capture_instance)"
            )
        self._instances = established
        return established

    def _captured(self) -> str:
        upper = max_lsn(self.source)
        if upper is None:
            raise PositionLost(
                f"{self._table.name}: nothing was captured yet: is the capture job running (SQL Server Agent)?"
            )
        return upper

    def _after_snapshot(self, since: Position) -> tuple[str | None, bool]:
        """(None, True) where the last load was no snapshot.

        Its age is measured by this machine's clock at both ends, so that the server's may be another one.
        """
        if since.snapshot_ended is None:
            return None, True
        return self._at(since.snapshot_ended)

    def is_past(self, moment: datetime) -> bool:
        return self._at(moment)[1]

    def _at(self, moment: datetime) -> tuple[str | None, bool]:
        age = utc_now() - moment
        return captured_at(self.source, int(age.total_seconds() * 1000) - _ROUNDING)

    def _changed(self, first: str, last: str) -> bool:
        spans = _spans(self._instances, first, last) if first <= last else []
        return any(has_changes(self.source, instance.name, begin, end) for instance, begin, end in spans)

    # -- what

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        first, last = next_lsn(since.text), until.text
        settled = self._settled[0] if self.followed.key else None
        if settled is None or settled < first:
            return tuple(self._reads(first, last))
        settled = min(settled, last)
        reads = self._reads(first, settled, settled=True)
        if settled < last:
            reads += self._reads(next_lsn(settled), last)
        return tuple(reads)

    def _reads(self, first: str, last: str, *, settled: bool = False) -> list[CapturedChanges]:
        """One read of each instance; settled: of each key only the last change counts."""
        types = {column.name: column.type for column in self.followed.columns}
        return [
            CapturedChanges(
                instance.name,
                begin,
                end,
                missing=self._missing(instance),
                before_images=self.followed.before_images,
                key=tuple((name, types[name]) for name in self.followed.key if name in instance.columns),
                in_order=instance.in_order,
                large=tuple(
                    (column.name, instance.columns.index(column.name) + 1, column.type)
                    for column in self.followed.columns
                    if _large(column) and column.name in instance.columns
                ),
                only_last_counts=settled,
            )
            for instance, begin, end in _spans(self._established(), first, last)
        ]

    def _missing(self, instance: CaptureInstance) -> tuple[tuple[str, SourceType], ...]:
        """The columns that are taken and that this instance does not capture."""
        captured = {name.lower() for name in instance.columns}
        taken = self.followed.columns
        return tuple((column.name, column.type) for column in taken if column.name.lower() not in captured)


def _large(column: Column) -> bool:
    return column.type.length == -1 or column.type.name in _LARGE


def _least(instance: CaptureInstance) -> str:
    assert instance.least is not None
    return instance.least


def _spans(instances: Sequence[CaptureInstance], first: str, last: str) -> list[tuple[CaptureInstance, str, str]]:
    """Which instance is read from where to where, so that all from `first` to `last` is read; [] if that cannot be.

    Each has all changes from its least position on, wherever cleanup has moved that to.
    """
    found: list[tuple[CaptureInstance, str, str]] = []
    for number, instance in enumerate(instances):
        following = instances[number + 1 :]
        end = last
        if following and _least(following[0]) <= last:
            end = previous_lsn(_least(following[0]))
        if end < first:
            continue
        if _least(instance) > first:
            return []
        found.append((instance, first, end))
        if end == last:
            return found
        first = next_lsn(end)
    return found
