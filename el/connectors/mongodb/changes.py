"""change_stream: every change of a collection, out of the server's oplog, in the order of commits.

Guarantees: whole transactions, up to the cluster time at which the run was planned; the place is noted before a
snapshot is read, and what comes twice has the same key. A place that the oplog no longer has, another cluster, a server
that was restored: each stops the table by name, and is never passed over. A collection that was dropped and made anew
begins a new snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from bson.timestamp import Timestamp
from pymongo.errors import PyMongoError

from el.connectors.abilities import ChangeFeed
from el.connectors.buffer import Buffer
from el.connectors.mongodb.errors import UNAUTHORIZED
from el.connectors.mongodb.reading import reads_of, schema_of
from el.connectors.mongodb.rows import SCHEMA, converted
from el.connectors.mongodb.stream import Stream, Window, probe, token_now
from el.connectors.mongodb.stream_images import Images
from el.connectors.mongodb.stream_place import FORM, Place
from el.connectors.mongodb.stream_rows import Row, rows_of
from el.connectors.mongodb.tables import ID
from el.connectors.request import OP_READ, POSITION_READ, FeedRead, Position, ReadRequest
from el.errors import ReadError

if TYPE_CHECKING:
    from el.connectors.mongodb import MongoDb

FEED = "change_stream"


@dataclass(frozen=True, slots=True)
class StreamChanges(FeedRead):
    """The changes behind one place up to another."""

    since: str
    until: str
    before: bool = False

    def __str__(self) -> str:
        return f"behind {Place.of(self.since).time} up to {Place.of(self.until).time}"


@dataclass(frozen=True, slots=True)
class NotBefore(FeedRead):
    """A snapshot whose reads see all that there was at this cluster time: also those of a secondary that lags."""

    seconds: int
    number: int

    @property
    def time(self) -> Timestamp:
        return Timestamp(self.seconds, self.number)

    def __str__(self) -> str:
        return f"not before {self.time}"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the server says of a collection."""

    uuid: str
    kind: str
    options: dict[str, Any]

    @classmethod
    def of(cls, database: Any, name: str) -> Kept | None:
        for found in database.list_collections(filter={"name": name}):
            uuid = found.get("info", {}).get("uuid")
            return cls(bytes(uuid).hex() if uuid is not None else "", found["type"], dict(found.get("options") or {}))
        return None

    @property
    def images(self) -> bool:
        """Whether the server keeps documents as they were before and after a change."""
        return bool((self.options.get("changeStreamPreAndPostImages") or {}).get("enabled"))


class ChangeStream(ChangeFeed):
    """Needs a replica set or a sharded cluster; nothing has to be turned on."""

    name = FEED
    counts = "cluster time"
    form = FORM
    guarantee = "every change in the order of commits, deletes included; a lost position is an error"
    reason = "a change stream has each change, deletes included"
    automatic = True
    source: MongoDb
    _kept: Kept | None = None
    _token: Any = None  # of when the feed was asked for an obstacle

    def obstacle(self) -> str | None:
        followed, table = self.followed, self.followed.table
        if table.unnests is not None:
            return "of an array's elements no change tells which are gone"
        if followed.filtered:
            return "of a document that leaves the `filters`, the stream does not tell"
        if self.source.standalone:
            return "a standalone server keeps no changes: as a replica set of one (rs.initiate()) it does"
        return self._of_collection()

    def _of_collection(self) -> str | None:
        kept = self._look()
        if kept is None or kept.kind != "collection":
            return f"a {'collection that is not there' if kept is None else kept.kind} has no changes of its own"
        if kept.options.get("capped"):
            return "of the documents that a capped collection drops when it is full, the stream does not tell"
        if self.followed.key != (ID,):
            return "of a deleted document the stream has its `_id` alone: take `_id`, and leave out `key`"
        if self.followed.before_images and not kept.images:
            name = self.followed.table.name.name
            return (
                "`images: both` needs the former documents: "
                f'db.runCommand({{collMod: "{name}", changeStreamPreAndPostImages: {{enabled: true}}}})'
            )
        return self._of_rights()

    def _of_rights(self) -> str | None:
        try:
            self._token = token_now(self._collection)
        except PyMongoError as error:
            if getattr(error, "code", None) != UNAUTHORIZED:
                raise self.source.translate(error) from None
            return (
                "this login may not read its changes: it needs `find` and `changeStream` on it (`grants` prints both)"
            )
        return None

    def _look(self) -> Kept | None:
        if self._kept is None:
            try:
                self._kept = Kept.of(self._collection.database, self._collection.name)
            except PyMongoError as error:
                raise self.source.translate(error) from None
        return self._kept

    @property
    def _collection(self) -> Any:
        name = self.followed.table.name
        return self.source.client[name.schema][name.name]

    @property
    def _log(self) -> str:
        kept = self._look()
        cluster = self.followed.catalog.identity or self.source.server.replica_set or "sharded"
        return f"{cluster}|{kept.uuid if kept is not None else ''}"

    def now(self, since: Position | None = None) -> Position:
        # The token is older than the time, so that no event between them is missed.
        token = self._token if since is None else None
        time = self._time()
        if since is not None and time <= Place.of(since.text).time:
            return since
        return Position(str(Place.at(time, token)), self._log)

    def snapshot(self) -> FeedRead | None:
        time = self._time()
        return NotBefore(time.time, time.inc)

    def _time(self) -> Timestamp:
        time = self.source.operation_time()
        assert time is not None
        return time

    def alive(self, since: Position) -> str | None:
        place, time = Place.of(since.text), self._time()
        (cluster, _, uuid), (was_in, _, former) = self._log.rpartition("|"), (since.log or "").rpartition("|")
        if was_in != cluster:
            return f"this is another cluster than the one in whose log raw's position lies ({was_in or 'unknown'})"
        if time < place.time:
            return f"the server is at {time}, before raw's {place.time}: it was restored"
        if former != uuid:
            self.begins_anew = True
            return "the collection was dropped and made anew"
        try:
            return probe(self._collection, place, splits=_splits(self.source))
        except PyMongoError as error:
            raise self.source.translate(error) from None

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        return (StreamChanges(since.text, until.text, self.followed.before_images),)

    def notes(self, *, waits: bool = False) -> tuple[str, ...]:
        kept = self._kept
        if kept is None or kept.images:
            return ()
        return (
            "of several updates of a document within one run, raw has the last state "
            "(changeStreamPreAndPostImages is off)",
        )


def read(source: MongoDb, request: ReadRequest, changes: StreamChanges) -> Buffer:
    """The changes of a request. `Buffer.reached`: where to go on."""
    if request.table is None or request.where or request.kept or request.limit is not None or request.split:
        raise ReadError("a change stream gives all changes of a collection, in their order, without conditions")
    reads = reads_of(request)
    own = [pa.field(OP_READ, pa.string()), pa.field(POSITION_READ, pa.string())]
    schema = pa.schema([*schema_of(reads), *own])
    collection = source.client[request.table.schema][request.table.name]
    until = Place.of(changes.until).time
    stream = Stream(
        collection,
        Window(
            Place.of(changes.since),
            until,
            images=source.server.version >= (6,),
            before=changes.before,
            splits=_splits(source),
            sharded=source.server.sharded,
        ),
    )
    rows = rows_of(stream, Images(collection, until, request.batch_bytes), request.batch_bytes, before=changes.before)

    def batches() -> Iterator[pa.RecordBatch]:
        for page in _pages(rows, request.batch_rows, request.batch_bytes):
            columns = _columns(page)
            arrays = [columns.column(each.source) for each in reads]
            arrays += [pa.array([row.op for row in page]), pa.array([row.position for row in page])]
            cast = [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(cast, schema=schema)
        buffer.reached = Position(str(stream.reached))

    buffer = Buffer(schema, batches(), translate=source.translate)
    return buffer


def _splits(source: MongoDb) -> bool:
    """Whether the server can send an event in parts."""
    return source.server.version >= (6, 0, 9)


def _pages(rows: Iterator[Row], most_rows: int, most_bytes: int) -> Iterator[list[Row]]:
    """The text of a document is about three times its bytes."""
    page: list[Row] = []
    size = 0
    for row in rows:
        page.append(row)
        size += 3 * len((row.document or row.key).raw)
        if len(page) >= most_rows or size >= most_bytes:
            yield page
            page, size = [], 0
    if page:
        yield page


def _columns(page: list[Row]) -> pa.RecordBatch:
    """Of a deleted document the key alone."""
    found = converted([bytes((row.document or row.key).raw) for row in page])
    known = pa.array([row.document is not None for row in page])
    columns = {name: found.column(name) for name in SCHEMA.names}
    for name in SCHEMA.names:
        if name == ID:
            continue
        columns[name] = pc.if_else(known, columns[name], pa.scalar(None, columns[name].type))
    return pa.RecordBatch.from_arrays([columns[field.name] for field in SCHEMA], schema=SCHEMA)
