"""Redis 6 and later and Valkey, through redis-py: tables of keys by a pattern, and streams.

Guarantees: every key that is there from a read's beginning to its end comes once, though SCAN gives some twice; keys,
fields and values are their bytes; a stream is followed by its ids without a gap, or it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa

from el.connectors.abilities import ChangeSource
from el.connectors.base import ArrowStream, Identity, Target, WriteMode, WriteResult
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, TableName
from el.connectors.certificate import CertificateSource, shown_at
from el.connectors.check import Check
from el.connectors.documents import DocumentSource
from el.connectors.misfits import Misfits
from el.connectors.origin import in_words
from el.connectors.redis import rights
from el.connectors.redis.client import Client
from el.connectors.redis.config import KeyTable, RedisConfig
from el.connectors.redis.errors import connect_error, statement_error
from el.connectors.redis.keys import KeyReader
from el.connectors.redis.rows import Gathered, Row, rows_of
from el.connectors.redis.seen import Seen
from el.connectors.redis.streams import NONE, Entries, Stream, StreamState, entries
from el.connectors.redis.tables import arrow_of, catalog_of, names_of
from el.connectors.redis.types import RULES
from el.connectors.request import OP_READ, POSITION_READ, ColumnRead, ReadRequest
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds
from el.connectors.signing_in import SigningIn
from el.errors import ElError, ReadError


class Redis(SigningIn, DocumentSource, Target, ChangeSource, RightsSource, CertificateSource):
    """A server of Redis or Valkey, a master behind sentinels, or a cluster."""

    scheme = "redis"
    answers_to = ("valkey",)
    config_type = RedisConfig
    config: RedisConfig
    rules = RULES
    feeds = (Stream,)

    def __init__(self, config: RedisConfig) -> None:
        super().__init__(config)
        self._client: Client | None = None
        self._version: tuple[int, ...] = ()

    def packages(self) -> tuple[str, ...]:
        return ("redis", "hiredis")

    def _sign_in(self) -> None:
        self._client = Client(self.config, in_words(self.access))
        self._version = self._info_version()

    def _why_refused(self, error: Exception) -> ElError:
        return connect_error(error, self.config)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @property
    def client(self) -> Client:
        """The open connections; `ReadError` when there are none."""
        if self._client is None:
            raise ReadError("the connection to Redis is closed; use the connector inside `with`")
        return self._client

    def ping(self) -> Identity:
        user = self.config.user or "default"
        with suppress(Exception):
            user = bytes(self.client.do("ACL", "WHOAMI")).decode()
        version = ".".join(str(part) for part in self._version)
        return Identity(self.config.place, version, self.config.schema_name, user)

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        with self._translated():
            rows = sum(int(node.execute_command("DBSIZE")) for node in self.client.nodes)
        return catalog_of(self.config, self.ping().version, schemas, rows)

    def key_table(self, name: TableName) -> KeyTable:
        """What the profile says of a table; `ReadError` for one that it does not name."""
        found = self.config.tables.get(name.name) if name.schema == self.config.schema_name else None
        if found is None:
            raise ReadError(f"there is no table {name}: the profile's `tables` name {', '.join(self.config.tables)}")
        return found

    def key_names(self, name: TableName) -> tuple[str, ...]:
        return names_of(self.key_table(name))[0]

    def stream_state(self, name: TableName) -> StreamState:
        """Where a stream stands now."""
        key = str(self.key_table(name).stream).encode()
        with self._translated():
            return StreamState.of(self.client.at(key), key)

    def read_documents(self, request: ReadRequest) -> Buffer:
        if request.table is None or request.order_by or request.where or request.kept or request.split:
            raise ReadError("Redis is read table by table, whole and in its own order")
        table = self.key_table(request.table)
        key, more = names_of(table)
        reads = request.columns or tuple(ColumnRead(name, name) for name in (*key, *more))
        if wrong := [read.source for read in reads if read.source not in (*key, *more)]:
            raise ReadError(f"{request.table} has no column {wrong[0]!r}; it has {', '.join((*key, *more))}")
        fields = [pa.field(read.name, read.arrow or arrow_of(read.source)) for read in reads]
        own = (OP_READ, POSITION_READ) if request.changes else ()
        schema = pa.schema([*fields, *(pa.field(name, pa.string()) for name in own)])
        # Of a stream that is read whole, up to where: what is added meanwhile comes with the first delta.
        state = self.stream_state(request.table) if table.stream is not None and request.changes is None else None
        misfits = Misfits()
        rows = _rows(self.client, table, request, state, misfits, absolute=self._version >= (7,))
        names = [*(read.source for read in reads), *own]
        gathered = Gathered(names, schema, request.batch_rows, request.batch_bytes)
        batches = _batches(rows if request.limit is None else islice(rows, request.limit), gathered)
        reached = state.position(str(table.stream)) if state is not None and request.placed else None
        return Buffer(schema, batches, translate=self.translate, reached=reached, misfits=misfits)

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
        from el.connectors.redis.write import Write

        return Write(self.client, self.key_table(target), target, mode, run_id).of(data, key)

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        return rights.script(self.config, needs)

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        named = {need.name.name for need in needs.tables} if isinstance(needs, SourceNeeds) else set()
        tables = {name: table for name, table in self.config.tables.items() if not named or name in named}
        return rights.checks(self.client.do, self.config, needs, tables)

    def certificate(self) -> bytes | None:
        config = self.config
        if not config.encrypt or config.unix_socket or config.sentinels:
            return None
        return shown_at(config.host, config.port)

    def utc_now(self) -> datetime | None:
        with self._translated():
            return rights.clock(self.client.do)

    def _info_version(self) -> tuple[int, ...]:
        """By the version of Redis that the server speaks; Valkey says its own beside. Without the right, of Redis 6."""
        try:
            said = bytes(self.client.do("INFO", "server")).decode("utf-8", "replace")
        except Exception:
            return (6,)
        lines = dict(line.partition(":")[::2] for line in said.splitlines())
        return tuple(int(part) for part in lines.get("redis_version", "6").split(".") if part.isdigit())


def _rows(
    client: Client,
    table: KeyTable,
    request: ReadRequest,
    state: StreamState | None,
    misfits: Misfits,
    *,
    absolute: bool,
) -> Iterator[Row]:
    if table.stream is not None:
        stream = table.stream.encode()
        read = request.changes
        if read is None:
            assert state is not None
            read = Entries(NONE, state.last, state.length)
        assert isinstance(read, Entries)
        for held in entries(client.at(stream), stream, read, misfits if request.changes is None else None):
            for row in rows_of(table, held, misfits):
                place = f"{row['id']}.{row.get('index', 0):010d}"
                yield {**row, OP_READ: "U", POSITION_READ: place}
        return
    seen = Seen()
    for node in client.nodes:
        reader = KeyReader(node, table, misfits, request.batch_bytes, seen, client.config.cluster, absolute)
        for held in reader.held():
            yield from rows_of(table, held, misfits)


def _batches(rows: Iterator[Row], gathered: Gathered) -> Iterator[pa.RecordBatch]:
    for row in rows:
        batch: Any = gathered.add(row)
        if batch is not None:
            yield batch
    if (last := gathered.batch()) is not None:
        yield last


__all__ = ["Redis"]
