"""logical_replication: every change of a table, out of the server's log, in the order of commits.

Guarantees: a snapshot is read in the very state at which its place in the log lies, so that nothing is lost or comes
twice between it and the first delta. A delta is the transactions whose commits lie between two places; it can be read
again until raw holds it and the slot is advanced. A slot that was lost or advanced by somebody else, a publication that
was altered, a server that was restored: each stops the table by name, and is never passed over. A table that was
truncated begins a new snapshot.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import psycopg

from el.connectors.abilities import ChangeFeed, Followed
from el.connectors.catalog import TableName
from el.connectors.note import MayLose
from el.connectors.postgres.log.facts import LoggedColumn, Published, ServerFacts, TableFacts, published_wrong, quoted
from el.connectors.postgres.log.lsn import lsn_number, lsn_text
from el.connectors.postgres.log.read import LoggedChanges, MetState
from el.connectors.postgres.log.slots import FAR_BEHIND, Slot, advance, control, slot_of
from el.connectors.postgres.log.spool import Meeting, let_go, truncated
from el.connectors.request import FeedRead, Position
from el.errors import PositionLost

if TYPE_CHECKING:
    from el.connectors.postgres import Postgres

LOGICAL = "logical_replication"


@dataclass
class _Plan:
    """What the feeds of one plan share: the server, the place up to which they read, the state of their snapshots."""

    server: ServerFacts
    system: str
    token: str


_plans: WeakKeyDictionary[Any, _Plan] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Log:
    """Which log a position is a place in, as the ledger keeps it: in this order, with a colon between."""

    table: str
    partitions: str
    files: str
    published: str
    system: str
    timeline: str
    slot: str

    @classmethod
    def of(cls, text: str | None) -> _Log | None:
        parts = (text or "").split(":")
        return cls(*parts) if len(parts) == 7 else None

    def __str__(self) -> str:
        parts = (self.table, self.partitions, self.files, self.published, self.system, self.timeline, self.slot)
        return ":".join(parts)


class LogicalReplication(ChangeFeed):
    """Needs a publication that the table's owner made, and a login that may use slots."""

    name = LOGICAL
    counts = "LSN"
    form = r"[0-9A-F]{8}/[0-9A-F]{8}"
    guarantee = "every change in the order of commits, deletes included; a lost slot is an error"
    source: Postgres
    _table: TableFacts
    _published: Published | None
    _slot: Slot | None = None

    def __init__(self, source: Postgres, followed: Followed) -> None:
        super().__init__(source, followed)
        self._name = followed.table.name

    # -- whether

    def obstacle(self) -> str | None:
        followed, table = self.followed, self.followed.table
        if table.kind != "table" or table.object_id is None:
            return f"a {table.kind if table.kind != 'table' else 'foreign table'} has no changes of its own in the log"
        if followed.filtered:
            return "of a row that leaves the `filters`, the log does not tell"
        if (wrong := self._plan.server.wrong()) is not None:
            return wrong
        self._table = TableFacts.of(self.source.fetch, table.object_id)
        if (wrong := self._of_table()) is not None:
            return wrong
        publication = self.source.config.publication
        self._published = Published.of(self.source.fetch, publication, table.object_id)
        lacking = [column.name for column in self._taken() if not self._is_published(column.name)]
        return published_wrong(self._published, publication, self._name, self._table.partitioned, lacking)

    def _of_table(self) -> str | None:
        facts, followed = self._table, self.followed
        if facts.unlogged:
            return "an unlogged table is not in the log: ALTER TABLE ... SET LOGGED"
        if facts.inherited:
            return "other tables inherit from it, and their changes are theirs in the log: follow each of them"
        if facts.foreign:
            return "a partition of it is elsewhere, and not in this server's log"
        if made := [column.name for column in self._taken() if column.generated]:
            return f"{', '.join(made)}: generated, and the log has no value of it: exclude it"
        if facts.whole:
            return None
        help_ = f"ALTER TABLE {quoted(self._name.schema)}.{quoted(self._name.name)} REPLICA IDENTITY FULL"
        if facts.partitioned:
            help_ += ", and each of its partitions"
        if facts.identity == "?":
            return f"its partitions do not all have one replica identity: {help_}"
        if not facts.identifies:
            return f"it has no replica identity, by which the log tells the rows that are updated or deleted: {help_}"
        if not followed.key:
            return f"no key tells which row was deleted, and the log has a key alone: set `key`, or {help_}"
        if not set(followed.key) <= set(facts.identifies):
            key = ", ".join(facts.identifies)
            return f"`key` is not of the replica identity ({key}), and the log has no more of a deleted row: {help_}"
        if followed.before_images:
            return f"`images: both` needs the former rows in the log: {help_}"
        if facts.apart and (large := [column.name for column in self._taken() if column.large]):
            return (
                f"an update that leaves a large value alone has no value of it in the log ({', '.join(large)}): {help_}"
            )
        return None

    def _taken(self) -> tuple[LoggedColumn, ...]:
        taken = {column.name for column in self.followed.columns}
        return tuple(column for column in self._table.columns if column.name in taken)

    @property
    def _plan(self) -> _Plan:
        found = _plans.get(self.source)
        if found is None:
            identity = self.followed.catalog.identity or self.source.config.place
            server = ServerFacts.of(self.source.fetch)
            found = _plans[self.source] = _Plan(server, identity.replace(":", "_"), uuid.uuid4().hex)
        return found

    # -- where

    def now(self, since: Position | None = None) -> Position:
        former = _Log.of(since.log) if since is not None else None
        slot = former.slot if former is not None else self._slot_name()
        plan, table = self._plan, self._table
        assert self._published is not None
        assert plan.server.flushed is not None
        parts = self.followed.table.partitions or ""
        mark, timeline = self._published.mark, plan.server.timeline
        log = _Log(str(table.oid), parts, table.files, mark, plan.system, timeline, slot)
        until = lsn_text(lsn_number(plan.server.flushed))
        if since is None:
            # Its reads say where they met the log. Should they not, this lies before all that they saw.
            self._slot = slot_of(self.source.fetch, slot)
            if self._slot is not None and self._slot.wrong is not None:
                raise PositionLost(f"{self._name}: {self._slot.wrong}")
            return Position(until if self._slot is None else lsn_text(self._slot.confirmed), str(log))
        return Position(max(until, since.text), str(log))

    def _slot_name(self) -> str:
        if self.source.config.slot is not None:
            return self.source.config.slot
        mark = hashlib.sha256(self.followed.reader.encode()).hexdigest()[:12]
        database = re.sub(r"[^a-z0-9_]", "_", self.followed.catalog.database.lower())[:24]
        return f"el_{database}_{mark}"

    def snapshot(self) -> FeedRead | None:
        plan = self._plan
        log = self.now().log
        assert log is not None
        slot = log.rpartition(":")[2]
        return MetState(Meeting(plan.system, slot, plan.token), log)

    def alive(self, since: Position) -> str | None:
        former, plan = _Log.of(since.log), self._plan
        if former is None:
            return f"raw's position {since} is of no log that is known"
        if former.system != plan.system:
            return f"this is another server, or another database, than the one whose log raw's {since} lies in"
        if former.table != str(self._table.oid):
            return "the table was made anew"
        if self._published is None or former.published != self._published.mark:
            return (
                f"publication {self.source.config.publication} was altered, or the table was taken out of it and added "
                "again: which changes it left out meanwhile is not known"
            )
        self._slot = slot = slot_of(self.source.fetch, former.slot)
        if slot is None:
            return f"replication slot {former.slot} is gone, and with it the changes since {since}"
        if slot.wrong is not None:
            return slot.wrong
        if slot.confirmed > lsn_number(since.text):
            return (
                f"replication slot {slot.name} was advanced to {lsn_text(slot.confirmed)}, behind raw's {since}: "
                "somebody else uses it (`slot` in the profile names another one)"
            )
        assert plan.server.flushed is not None
        if lsn_number(since.text) > lsn_number(plan.server.flushed):
            return f"the log is at {plan.server.flushed}, before raw's {since}: it was restored"
        if former.timeline != plan.server.timeline and (lost := self._on_another_timeline(former, since)) is not None:
            return lost
        parts = self.followed.table.partitions or ""
        if former.partitions != parts and "partition_switch" not in self.followed.accept:
            self.begins_anew = True
            return "a partition was attached, detached or dropped, and the log has no word of its rows"
        return self._was_truncated(former, since)

    def _on_another_timeline(self, former: _Log, since: Position) -> str | None:
        """After a failover the log is the same one up to where the server's own begins."""
        timeline = int(self._plan.server.timeline, 16)
        told = ""
        with control(self.source.config, self.source.translate, walsender=True) as session:
            try:
                content = session.execute(f"TIMELINE_HISTORY {timeline}").fetchall()[0][1]
                told = content.decode() if isinstance(content, bytes) else str(content)
            except psycopg.Error:
                told = ""
        for line in told.splitlines():
            parts = line.split("\t")
            if len(parts) >= 2 and parts[0].isdigit() and int(parts[0]) == int(former.timeline, 16):
                if lsn_number(since.text) <= lsn_number(parts[1]):
                    return None
                return f"the server took another course at {parts[1]} (timeline {timeline}), before raw's {since}"
        return f"the server is on timeline {timeline}, and raw's {since} on {int(former.timeline, 16)}: it was restored"

    def _was_truncated(self, former: _Log, since: Position) -> str | None:
        if former.files == self._table.files:
            return None
        # It has other files since: of a TRUNCATE, or because it was written anew as it is.
        config, translate = self.source.config, self.source.translate
        commits = truncated(config, translate, former.slot, config.publication, self._table.oid)
        if any(commit >= lsn_number(since.text) for commit in commits):
            self.begins_anew = True
            return "the table was truncated"
        return None

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        log = _Log.of(until.log)
        assert log is not None
        return (
            LoggedChanges(
                system=log.system,
                slot=log.slot,
                publication=self.source.config.publication,
                since=lsn_number(since.text),
                until=lsn_number(until.text),
                relation=self._table.oid,
                columns=self._table.columns,
                key=self.followed.key,
                before_images=self.followed.before_images,
            ),
        )

    def notes(self, *, waits: bool = False) -> tuple[str, ...]:
        slot, taken = self._slot, {column.name for column in self.followed.columns}
        found = [
            f"{column.name} is not taken, and is in the log all the same: it comes over the line, and does not land"
            for column in self._table.columns
            if column.name not in taken and not column.generated and self._is_published(column.name)
        ]
        if slot is None:
            said = f"replication slot {self._slot_name()} is made by the first load, and then keeps the server's log"
        else:
            said = str(slot)
            if slot.left is not None and slot.behind > FAR_BEHIND:
                said = MayLose(said)
        return (said, *found)

    def _is_published(self, column: str) -> bool:
        told = self._published.columns if self._published is not None else None
        return told is None or column in json.loads(told)


def loaded(source: Postgres, held: Mapping[TableName, Position]) -> None:
    """Advance each slot up to where raw holds the changes of all tables that follow it."""
    places: dict[tuple[str, str], int] = {}
    for position in held.values():
        if (log := _Log.of(position.log)) is not None:
            of, place = (log.system, log.slot), lsn_number(position.text)
            places[of] = min(places.get(of, place), place)
    for (system, slot), place in places.items():
        let_go(system, slot)
        found = slot_of(source.fetch, slot)
        if found is None or found.wrong is not None or found.confirmed >= place:
            continue
        with control(source.config, source.translate) as session:
            advance(session, slot, place)
