"""Amazon DynamoDB, through boto3's low-level client: a table is the attributes of its key and whole items.

Guarantees: every item that is there from a scan's beginning to its end comes once, with every type, digit and byte; a
scan costs no more read units a second than el.yml allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

import pyarrow as pa
from botocore.exceptions import ClientError

from el.connectors.abilities import CapacitySource, ChangeSource, SplitSource
from el.connectors.base import ArrowStream, Identity, Target, WriteMode, WriteResult
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, TableName
from el.connectors.certificate import CertificateSource, shown_at
from el.connectors.check import Check
from el.connectors.documents import DOCUMENT, DocumentSource
from el.connectors.documents.forms import DYNAMODB_JSON, Form
from el.connectors.dynamodb import export, filters, rights, streams
from el.connectors.dynamodb.client import LOGGERS, client_of, session_of
from el.connectors.dynamodb.config import DynamoDbConfig
from el.connectors.dynamodb.errors import DENIED, code_of, connect_error, statement_error
from el.connectors.dynamodb.scan import Rows, Segment, Units, pages
from el.connectors.dynamodb.streams import DynamoDbStream
from el.connectors.dynamodb.tables import KeyPart, catalog_of, described, key_of
from el.connectors.dynamodb.types import ARROW, OF_KEY, RULES
from el.connectors.origin import in_words
from el.connectors.request import ColumnRead, Op, ReadRequest, Split
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds
from el.connectors.signing_in import SigningIn
from el.connectors.sql.write_job import WriteJob
from el.errors import ElError, PlanError, ReadError
from el.secrets.unheard import unheard

# The service's greatest number of segments.
_SEGMENTS = 1_000_000


class DynamoDb(
    SigningIn, DocumentSource, Target, SplitSource, CapacitySource, ChangeSource, RightsSource, CertificateSource
):
    """The tables of a region of an account."""

    scheme = "dynamodb"
    config_type = DynamoDbConfig
    config: DynamoDbConfig
    rules = RULES
    feeds = (DynamoDbStream,)
    form: ClassVar[Form] = DYNAMODB_JSON
    split_by_column = False
    split_type = Segment

    def __init__(self, config: DynamoDbConfig) -> None:
        super().__init__(config)
        self._session: Any = None
        self._client: Any = None
        self._streams: Any = None
        self._run = uuid4()

    def packages(self) -> tuple[str, ...]:
        return ("boto3",)

    def _sign_in(self) -> None:
        self._run = uuid4()
        with unheard(*LOGGERS):
            self._session = session_of(self.config)
            self._client = self._service("dynamodb")
            self._now()

    def _why_refused(self, error: Exception) -> ElError:
        return connect_error(error, self.config)

    def close(self) -> None:
        clients = [each for each in (self._client, self._streams) if each is not None]
        self._session = self._client = self._streams = None
        for each in clients:
            each.close()

    @property
    def client(self) -> Any:
        """The open client; `ReadError` when there is none."""
        if self._client is None:
            raise ReadError("the session with DynamoDB is closed; use the connector inside `with`")
        return self._client

    @property
    def streams(self) -> Any:
        """The client of the streams, over the same session."""
        if self._streams is None:
            assert self.client is not None
            self._streams = self._service("dynamodbstreams")
        return self._streams

    def ping(self) -> Identity:
        user = self.config.access_key_id or self.config.aws_profile or "this machine's identity"
        if self.config.amazons:
            with self._translated():
                user = str(self._service("sts").get_caller_identity()["Arn"])
        return Identity(self.config.place, "DynamoDB", self.config.region, user)

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        with self._translated():
            return catalog_of(self.client, self.config, "DynamoDB", schemas)

    def key_names(self, name: TableName) -> tuple[str, ...]:
        return tuple(part.column for part in self.key(name))

    def key(self, name: TableName) -> tuple[KeyPart, ...]:
        """The key of a table; `ReadError` where it is not there."""
        with self._translated():
            said = described(self.client, name.name)
        if said is None:
            raise ReadError(f"there is no table {name} in {self.config.place}")
        return key_of(said)

    def read_documents(self, request: ReadRequest) -> Buffer:
        if isinstance(request.changes, streams.StreamChanges):
            return streams.read(self, request, request.changes)
        if request.table is None or request.order_by or request.kept or request.changes is not None:
            raise ReadError("DynamoDB is read table by table, whole and in its own order")
        if (to := self.config.export) is not None and request.limit is None:
            return export.read(self, request, self._store(), to)
        key = self.key(request.table)
        types = {**{part.column: ARROW[OF_KEY[part.type]] for part in key}, DOCUMENT: pa.string()}
        reads = request.columns or tuple(ColumnRead(name, name) for name in types)
        if wrong := [read.source for read in reads if read.source not in types]:
            raise ReadError(f"{request.table} has no column {wrong[0]!r}; it has {', '.join(types)}")
        schema = pa.schema([pa.field(read.name, read.arrow or types[read.source]) for read in reads])
        found = pages(
            self.client.scan, self._asked(request, key, reads), Units(request.units_per_second), request.limit
        )
        rows = Rows(reads, key, schema, request.batch_rows, request.batch_bytes)
        return Buffer(schema, rows.batches(found), translate=self.translate)

    def supports(self, op: Op, column: Column) -> bool:
        return self.config.export is None and filters.can_compare(op, column)

    @property
    def always_splits(self) -> bool:
        return self.config.export is not None

    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        if by is not None:
            raise PlanError("DynamoDB divides a table by itself: leave out `partition_by`, and set `partitions`")
        if self.config.export is not None and request.table is not None:
            with self._translated():
                return (export.planned(self.client, self._run, request.table.name),)
        parts = min(wanted, _SEGMENTS)
        return () if parts < 2 else tuple(Segment(number, parts) for number in range(parts))

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
        from el.connectors.dynamodb.write import Write

        with unheard(*LOGGERS):
            return Write(self.client, WriteJob(target, mode, tuple(key), run_id, create)).of(data)

    def write_each(
        self, target: TableName, data: ArrowStream, *, key: Sequence[str] = (), run_id: str, create: bool = False
    ) -> WriteResult:
        """Merge `data` of any size, part by part, each of what one transaction takes.

        Weaker than `write_buffer`: each part is whole, and all of them are not one step. A write that fails leaves some
        of them; the same run_id again, with the same data in the same order, writes the others and none twice.
        """
        from el.connectors.dynamodb.write import Write

        with unheard(*LOGGERS):
            return Write(self.client, WriteJob(target, WriteMode.MERGE, tuple(key), run_id, create)).each(data)

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        return rights.script(self.config, needs)

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        return rights.checks(self.client, self.config, needs)

    def certificate(self) -> bytes | None:
        found = urlsplit(self.client.meta.endpoint_url)
        return shown_at(found.hostname, found.port or 443) if found.scheme == "https" and found.hostname else None

    def utc_now(self) -> datetime | None:
        with self._translated():
            return self._now()

    def _now(self) -> datetime | None:
        """The service's time, which any answer has; also of whoever may not list tables, it answers so."""
        try:
            said = self.client.list_tables(Limit=1)
        except ClientError as error:
            if code_of(error) != DENIED:
                raise
            said = error.response
        date = said["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
        return parsedate_to_datetime(date).replace(tzinfo=None) if date else None

    def _service(self, name: str) -> Any:
        return client_of(self._session, self.config, name, in_words(self.access))

    def _store(self) -> Any:
        """The client of S3, by its own endpoint."""
        config = self.config.model_copy(update={"endpoint": None})
        return client_of(self._session, config, "s3", in_words(self.access))

    def _asked(self, request: ReadRequest, key: Sequence[KeyPart], reads: Sequence[ColumnRead]) -> dict[str, Any]:
        assert request.table is not None
        sources = {read.source for read in reads}
        wanted = () if DOCUMENT in sources else [part.attribute for part in key if part.column in sources]
        asked: dict[str, Any] = {
            "TableName": request.table.name,
            "ConsistentRead": self.config.consistent_read,
            "ReturnConsumedCapacity": "TOTAL",
            **filters.asked(key, wanted, request.where),
        }
        if isinstance(request.split, Segment):
            asked |= {"Segment": request.split.number, "TotalSegments": request.split.of}
        return asked

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with super()._translated(), unheard(*LOGGERS):
            yield


__all__ = ["DynamoDb"]
