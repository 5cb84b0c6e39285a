"""MongoDB 5 and later, through pymongo: a collection is a table of keys and whole documents.

Guarantees: every document comes as all that its bytes say, of whatever types; what its text cannot say stands beside it
as bytes; and each document is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from bson.timestamp import Timestamp
from pymongo import MongoClient

from el.connectors.abilities import ChangeSource
from el.connectors.base import ArrowStream, Identity, Target, WriteMode, WriteResult
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, TableName
from el.connectors.documents import DocumentSource
from el.connectors.documents.forms import EXTENDED_JSON, Form
from el.connectors.mongodb import changes
from el.connectors.mongodb.changes import ChangeStream
from el.connectors.mongodb.client import Server, connected, operation_time, server_of
from el.connectors.mongodb.config import MongoDbConfig
from el.connectors.mongodb.errors import connect_error, statement_error
from el.connectors.mongodb.reading import batches, reads_of, schema_of
from el.connectors.mongodb.tables import ID, catalog_of
from el.connectors.mongodb.types import RULES
from el.connectors.origin import in_words
from el.connectors.request import ReadRequest
from el.connectors.sql.write_job import WriteJob
from el.errors import ElError, ReadError


class MongoDb(DocumentSource, Target, ChangeSource):
    """A server of MongoDB, a replica set, or a sharded cluster."""

    scheme = "mongodb"
    config_type = MongoDbConfig
    config: MongoDbConfig
    rules = RULES
    feeds = (ChangeStream,)
    form: ClassVar[Form] = EXTENDED_JSON

    def __init__(self, config: MongoDbConfig) -> None:
        super().__init__(config)
        self._client: MongoClient[dict[str, Any]] | None = None
        self.server = Server(())

    def packages(self) -> tuple[str, ...]:
        return ("pymongo",)

    def connect(self) -> None:
        refused: ElError | None = None
        try:
            self._client = connected(self.config, in_words(self.access))
            self.server = server_of(self._client)
        except Exception as error:
            refused = connect_error(error, self.config)
        if refused is not None:
            self.close()
            # Raised out here, the driver's error and its frames, which hold the password, do not hang on it.
            raise refused

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
        try:
            return operation_time(self.client)
        except Exception as error:
            raise self.translate(error) from None

    def ping(self) -> Identity:
        return Identity(self.config.place, self.server.shown, self.config.database, self.config.user or "nobody")

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        try:
            return catalog_of(self.client, self.config.database, self.server, schemas, brief=brief)
        except Exception as error:
            raise self.translate(error) from None

    def key_names(self, name: TableName) -> tuple[str, ...]:
        return (ID,)

    def read_documents(self, request: ReadRequest) -> Buffer:
        if request.table is None:
            raise ReadError("MongoDB is read collection by collection")
        if isinstance(request.changes, changes.StreamChanges):
            return changes.read(self, request, request.changes)
        reads = reads_of(request)
        collection = self.client[request.table.schema][request.table.name]
        if not isinstance(request.changes, changes.NotBefore):
            return Buffer(schema_of(reads), batches(collection, request, reads), translate=self.translate)
        session = self.client.start_session(causal_consistency=True)
        session.advance_operation_time(request.changes.time)
        found = batches(collection, request, reads, session=session)
        return Buffer(schema_of(reads), found, close=session.end_session, translate=self.translate)

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


__all__ = ["MongoDb"]
