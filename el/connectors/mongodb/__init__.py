"""MongoDB 5 and later, through pymongo: a collection is a table of keys and whole documents.

Guarantees: every document comes as all that its bytes say, of whatever types; what its text cannot say stands beside it
as bytes; and each document is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from el.connectors.abilities import ChangeSource, CursorSource, Extent, OneMomentSource, SplitSource
from el.connectors.base import ArrowStream, Identity, Target, WriteMode, WriteResult
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, SourceType, TableName
from el.connectors.certificate import CertificateSource, shown_at
from el.connectors.check import Check
from el.connectors.documents import DocumentSource
from el.connectors.documents.forms import EXTENDED_JSON, Form
from el.connectors.mongodb import changes, rights
from el.connectors.mongodb.changes import ChangeStream
from el.connectors.mongodb.client import Server, connected, operation_time, server_of
from el.connectors.mongodb.config import MongoDbConfig
from el.connectors.mongodb.errors import connect_error, statement_error
from el.connectors.mongodb.growth import Growth
from el.connectors.mongodb.moment import sessions_at_one_moment
from el.connectors.mongodb.query import can_compare
from el.connectors.mongodb.reading import batches, reads_of, schema_of
from el.connectors.mongodb.splits import Keys, has_keys, keys_between
from el.connectors.mongodb.tables import ID, catalog_of
from el.connectors.mongodb.types import RULES
from el.connectors.origin import in_words
from el.connectors.request import Isolation, Op, ReadRequest, Split, Value
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds
from el.connectors.signing_in import SigningIn
from el.connectors.sql.write_job import WriteJob
from el.errors import ElError, PlanError, ReadError

# How far ahead a clock is told, so that no value of now lies in its future.
_AHEAD = timedelta(minutes=5)


class MongoDb(
    SigningIn,
    DocumentSource,
    Target,
    CursorSource,
    SplitSource,
    OneMomentSource,
    ChangeSource,
    RightsSource,
    CertificateSource,
):
    """A server of MongoDB, a replica set, or a sharded cluster."""

    scheme = "mongodb"
    config_type = MongoDbConfig
    config: MongoDbConfig
    rules = RULES
    feeds = (ChangeStream,)
    form: ClassVar[Form] = EXTENDED_JSON
    split_by_column = False
    split_type = Keys
    shares_moment = True

    def __init__(self, config: MongoDbConfig) -> None:
        super().__init__(config)
        self._client: MongoClient[dict[str, Any]] | None = None
        self._moment: ClientSession | None = None  # whose state all reads see
        self.server = Server(())

    def packages(self) -> tuple[str, ...]:
        return ("pymongo",)

    def _sign_in(self) -> None:
        self._client = connected(self.config, in_words(self.access))
        self.server = server_of(self._client)

    def _why_refused(self, error: Exception) -> ElError:
        return connect_error(error, self.config)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        """The open connection; `ReadError` when there is none."""
        if self._client is None:
            raise ReadError("the connection to MongoDB is closed; use the connector inside `with`")
        return self._client

    @property
    def standalone(self) -> bool:
        """Whether the server keeps no log and has no transactions."""
        return self.server.standalone

    def operation_time(self) -> Timestamp | None:
        """The cluster time of now; None of a server that keeps no log."""
        with self._translated():
            return operation_time(self.client)

    def ping(self) -> Identity:
        return Identity(self.config.place, self.server.shown, self.config.database, self.config.user or "nobody")

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        with self._translated():
            return catalog_of(self.client, self.config.database, self.server, schemas)

    def key_names(self, name: TableName) -> tuple[str, ...]:
        return (ID,)

    def read_documents(self, request: ReadRequest) -> Buffer:
        if request.table is None:
            raise ReadError("MongoDB is read collection by collection")
        if isinstance(request.changes, changes.StreamChanges):
            return changes.read(self, request, request.changes)
        reads = reads_of(request)
        with self._translated():
            session, ended = self._session(request)
        found = batches(self._collection(request), request, reads, session)
        return Buffer(schema_of(reads, marked=bool(request.kept)), found, translate=self.translate, close=ended)

    def supports(self, op: Op, column: Column) -> bool:
        return can_compare(column)

    def clock(self) -> str | None:
        now = self.utc_now()
        return None if now is None else (now + _AHEAD).isoformat(timespec="microseconds")

    def max_value(self, request: ReadRequest, column: str, type_: SourceType) -> Value | None:
        with self._growth(request, column, type_) as growth:
            return growth.greatest()

    def extent(
        self, request: ReadRequest, column: str, type_: SourceType, bound: Value | None = None, *, nulls: bool = False
    ) -> Extent:
        with self._growth(request, column, type_) as growth:
            return growth.extent(bound)

    def value_back(self, request: ReadRequest, column: str, type_: SourceType, bound: Value, rows: int) -> Value | None:
        with self._growth(request, column, type_) as growth:
            return growth.back(bound, rows)

    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        if by is not None:
            raise PlanError("MongoDB divides a collection by its keys: leave out `partition_by`, and set `partitions`")
        with self._translated():
            if not has_keys(self._collection(request)):
                raise PlanError("what has no index of `_id` cannot be divided: leave out `partitions`")
            return keys_between(self._collection(request), wanted)

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        with self.share_moment(()):
            yield

    @contextmanager
    def share_moment(self, others: Sequence[Self]) -> Iterator[Sequence[Self]]:
        together = (self, *others)
        with ExitStack() as opened:
            with self._translated():
                sessions = opened.enter_context(sessions_at_one_moment([each.client for each in together]))
            for source, session in zip(together, sessions, strict=True):
                source._moment = session
            try:
                yield together
            finally:
                for source in together:
                    source._moment = None

    def write_buffer(
        self,
        target: TableName,
        data: ArrowStream,
        mode: WriteMode = WriteMode.APPEND,
        *,
        key: Sequence[str] = (),
        run_id: str,
        create: bool = False,
    ) -> WriteResult:
        from el.connectors.mongodb.write import Write

        return Write(self, WriteJob(target, mode, tuple(key), run_id, create)).of(data)

    def write_each(
        self, target: TableName, data: ArrowStream, *, key: Sequence[str] = (ID,), run_id: str, create: bool = False
    ) -> WriteResult:
        """Merge `data` document by document, for a server without transactions.

        Weaker than `write_buffer`: each document is whole, and all of them are not one step. A write that fails leaves
        some of them; the same run_id again writes them all, over what others wrote meanwhile, and changes nothing once
        it has ended.
        """
        from el.connectors.mongodb.write import Write

        return Write(self, WriteJob(target, WriteMode.MERGE, tuple(key), run_id, create)).each(data)

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        return rights.script(self.config, needs)

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        return rights.checks(self.client, self.config, needs)

    def certificate(self) -> bytes | None:
        """That of the first server."""
        address = self.client.address if self.config.encrypt else None
        return shown_at(*address) if address is not None else None

    def utc_now(self) -> datetime | None:
        with self._translated():
            found = self.client.admin.command("hello").get("localTime")
        return found if isinstance(found, datetime) else None

    def _collection(self, request: ReadRequest) -> Collection[dict[str, Any]]:
        assert request.table is not None
        found = self.client[request.table.schema][request.table.name]
        # What one node alone has may be undone, and no change would tell of it.
        return found if self.standalone else found.with_options(read_concern=ReadConcern("majority"))

    def _session(self, request: ReadRequest) -> tuple[ClientSession | None, Callable[[], None] | None]:
        """In which session a read is, and what ends it."""
        if self._moment is not None:
            return self._moment, None
        if request.isolation is not Isolation.SNAPSHOT:
            if not isinstance(request.changes, changes.NotBefore):
                return None, None
            session = self.client.start_session(causal_consistency=True)
            session.advance_operation_time(request.changes.time)
            return session, session.end_session
        opened = ExitStack()
        (session,) = opened.enter_context(sessions_at_one_moment([self.client]))
        return session, opened.close

    @contextmanager
    def _growth(self, request: ReadRequest, column: str, type_: SourceType) -> Iterator[Growth]:
        with self._translated():
            yield Growth(self._collection(request), request, column, type_, self._moment)


__all__ = ["MongoDb"]
