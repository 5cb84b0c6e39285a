"""PostgreSQL, through ADBC's Arrow reader.

Guarantees: a value arrives as the server holds it, and a type says where that is less; a read is one statement, and so
of one moment, and the parts of a divided read are of the same one. A session only reads until it is asked to write; a
stream that is closed halfway is cancelled at the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING, ClassVar

from el.connectors.base import (
    Identity,
    OneMomentSource,
    Pressure,
    PressureSource,
    VersionSource,
    Writer,
)
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, SourceType, TableName
from el.connectors.certificate import CertificateSource, shown_at
from el.connectors.check import Check
from el.connectors.origin import in_words
from el.connectors.postgres import changes, xmin
from el.connectors.postgres.catalog import read_catalog, types_of
from el.connectors.postgres.catalog_queries import OWNERS
from el.connectors.postgres.certificate import asks_for_tls
from el.connectors.postgres.checks import PostgresChecks
from el.connectors.postgres.collation import text_rule
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.dialect import EARLIEST, POSTGRES, SERVER_ZONE, iso
from el.connectors.postgres.driver import READS_ONE_MOMENT, Driver, literal
from el.connectors.postgres.errors import connect_error, only_reads, statement_error
from el.connectors.postgres.histogram import histogram
from el.connectors.postgres.log import read as logged
from el.connectors.postgres.pressure import STATE_RIGHT, read_pressure, seconds_waited_for
from el.connectors.postgres.rights import script
from el.connectors.postgres.types import RULES, WITHOUT_EQUALITY
from el.connectors.request import Condition, Op, Position, ReadRequest, Split, Value
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds, collected
from el.connectors.sql.cluster import Cluster
from el.connectors.sql.connector import Stream
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.over_driver import OverDriver
from el.connectors.sql.scale import Scale
from el.connectors.sql.select import Statement
from el.connectors.sql.split import Range, Step, balanced_cuts
from el.errors import ElError, NotPermitted
from el.types.key_text import TextRule

if TYPE_CHECKING:
    from el.connectors.postgres.write import PostgresWrite

_IN_UTC = frozenset({"UTC", "ETC/UTC", "ZULU", "UCT", "GMT", "ETC/GMT", "GREENWICH", "UNIVERSAL"})
_BLOCKS = (
    "SELECT CASE WHEN relkind IN ('r', 'm') THEN pg_relation_size(oid) / current_setting('block_size')::bigint END "
    "FROM pg_catalog.pg_class WHERE oid = to_regclass(?)"
)
_OLDEST = f"""SELECT floor(EXTRACT(EPOCH FROM clock_timestamp() - min(since)))::bigint,
{iso(f"({EARLIEST} - (clock_timestamp() - min(since)) - interval '1 second')")}
FROM (SELECT xact_start AS since FROM pg_catalog.pg_stat_activity
WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()
UNION ALL SELECT prepared FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()) AS open"""


class Postgres(
    OverDriver[Driver], Cluster, VersionSource, OneMomentSource, PressureSource, RightsSource, CertificateSource
):
    """A database of PostgreSQL 13 or later."""

    scheme = "postgres"
    answers_to = ("postgresql", "aurora")
    product = "PostgreSQL"
    config_type = PostgresConfig
    config: PostgresConfig
    rules = RULES
    dialect: ClassVar[Dialect] = POSTGRES
    session_user = "CAST(CURRENT_USER AS text)"
    writer_right = "pg_read_all_stats"
    statistics = "ANALYZE"
    shares_moment = True
    state_right: ClassVar[str] = STATE_RIGHT
    stable_version_name = "pg_snapshot_xmin"
    version_form = xmin.FORM
    feeds = (changes.LogicalReplication,)
    # A table has blocks, by which it is divided where el.yml names no column.
    split_by_column = False
    reads_only = "SELECT pg_is_in_recovery()"

    def __init__(self, config: PostgresConfig) -> None:
        super().__init__(config)
        self.session: str | None = None  # the number of the server's process

    def packages(self) -> tuple[str, ...]:
        return ("adbc-driver-postgresql", "adbc-driver-manager")

    def _open(self) -> Driver:
        return Driver(self.config, in_words(self.access))

    def _why_refused(self, error: Exception) -> ElError:
        return connect_error(error, self.config)

    def connect(self) -> None:
        super().connect()
        self.session = self.driver.process

    def close(self) -> None:
        self._leave_writer()
        self.session = None
        super().close()

    def ping(self) -> Identity:
        asked = "SELECT COALESCE(host(inet_server_addr()), ''), version(), current_database()::text, CURRENT_USER::text"
        row = self.fetch(Statement(asked))[0]
        server, version, database, user = (str(each) for each in row)
        held = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE pg_has_role(CURRENT_USER, oid, 'MEMBER') ORDER BY 1"
        roles = tuple(str(name) for (name,) in self.fetch(Statement(held)))
        return Identity(server or self.config.place, version, database, user, roles)

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        return read_catalog(self.fetch, schemas, brief=brief)

    def supports(self, op: Op, column: Column) -> bool:
        return op in (Op.IS_NULL, Op.NOT_NULL) or column.type.name not in WITHOUT_EQUALITY

    def text_rule(self, column: Column) -> TextRule | None:
        return text_rule(column)

    def read_buffer(self, request: ReadRequest) -> Buffer:
        if (other := self._reader_of(request)) is not self:
            return other.read_buffer(request)
        if request.changes is not None:
            return logged.read(self, request, request.changes)
        return super().read_buffer(self._by_rules(request, "CAST({column} AS text)"))

    def statement(self, request: ReadRequest) -> Statement:
        if request.changes is not None:
            return logged.statement(self, request, request.changes)
        built = super().statement(xmin.named(request))
        return Statement(xmin.in_full(built.sql), built.parameters)

    def stable_version(self) -> Value:
        return Value(xmin.canonical(str(self.fetch(Statement(xmin.STABLE))[0][0])), xmin.XMIN.type)

    def version_past(self) -> str | None:
        found = self.fetch(Statement(xmin.PAST))[0][0]
        return None if found is None else str(found)

    def loaded(self, feed: str, held: Mapping[TableName, Position]) -> None:
        changes.loaded(self.beside_log(), held)

    def query_columns(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        try:
            schema = self.driver.describe(query)
        except Exception as error:
            raise self.translate(error) from None
        told = {number: (field.metadata or {}).get(b"POSTGRESQL:typmod") for number, field in enumerate(schema)}
        digits = {number: int(modifier) for number, modifier in told.items() if modifier is not None}
        return tuple(zip(schema.names, types_of(self.fetch, query, schema.names, digits), strict=True))

    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        return self.driver.stream(statement, {column.name: column.arrow for column in request.columns})

    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        """Ranges of a column, or of the table's blocks."""
        if by is not None:
            return super().splits(request, wanted, by)
        if wanted < 2 or request.table is None:
            return ()
        found = self.fetch(Statement(_BLOCKS, (self.dialect.quote_table(request.table),)))
        if not found or found[0][0] is None:
            return ()
        blocks = max(int(str(found[0][0])), wanted)
        cuts = [f"({blocks * number // wanted},0)" for number in range(1, wanted)]
        ends: list[str | None] = [None, *cuts, None]
        return tuple(Blocks(_between(low, high)) for low, high in pairwise(ends))

    def _cuts(self, request: ReadRequest, by: Column, wanted: int) -> Sequence[str]:
        """By the statistics of ANALYZE."""
        if request.table is None:
            return ()
        asked = histogram(by.type, self.dialect)
        found = self.fetch(Statement(asked, (self.dialect.quote_table(request.table), by.name)))
        steps = [Step(str(value), float(str(below)), float(str(equal))) for value, below, equal in found]
        return balanced_cuts(steps, wanted, Scale.of(self.facts(by.type)))

    def _is_useless(self, error: Exception) -> bool:
        return only_reads(error)

    def _begin(self) -> None:
        self._transact("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")

    def _commit(self) -> None:
        # Of a transaction that failed the server makes a rollback, and says no word of it.
        self.fetch(Statement("SELECT 1"))
        self._transact("COMMIT")

    def _rollback(self) -> None:
        self._transact("ROLLBACK")

    def _transact(self, how: str) -> None:
        try:
            self.driver.transact(how)
        except Exception as error:
            raise self.translate(error, writing=True) from None

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        with self.share_moment(()):
            yield

    @contextmanager
    def share_moment(self, others: Sequence[Postgres]) -> Iterator[Sequence[Postgres]]:
        """By a snapshot that one session exports, and the others take over."""
        asked: Sequence[Postgres] = (self, *others)
        seeing = [self]
        try:
            for each in asked:
                each._transact(f"BEGIN {READS_ONE_MOMENT}")
            snapshot = str(self.fetch(Statement("SELECT pg_export_snapshot()"))[0][0])
            for each in others:
                try:
                    each._transact(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
                    seeing.append(each)
                except ElError as error:
                    # Behind one name there may be several servers, and it is another one's.
                    if error.retryable:
                        raise
            yield tuple(seeing)
        finally:
            for each in asked:
                with suppress(ElError):
                    each._rollback()

    def local_clock(self) -> bool:
        return str(self.fetch(Statement(f"SELECT {SERVER_ZONE}"))[0][0]).upper() not in _IN_UTC

    def oldest_writer(self) -> Writer | None:
        asked = self._sees_writers()
        if asked.fetch(Statement("SELECT pg_has_role(CURRENT_USER, 'pg_read_all_stats', 'USAGE')"))[0][0] is not True:
            raise NotPermitted(f"GRANT {self.writer_right} lets this login see the transactions of others")
        age, since = asked.fetch(Statement(_OLDEST))[0]
        if age is None:
            return None
        return Writer(timedelta(seconds=max(0, int(str(age)))), str(since))

    def pressure(self) -> Pressure:
        return read_pressure(self.fetch)

    def waiting_for(self, session: str) -> int | None:
        return seconds_waited_for(self.fetch, session)

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        owners: list[tuple[str, str]] = []
        if self.is_open:
            owners = [(str(schema), str(owner)) for schema, owner in self.fetch(Statement(OWNERS))]
        return script(self.config, needs, owners)

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        assert isinstance(needs, SourceNeeds)
        return collected(chain(PostgresChecks(self.fetch, self.config, needs).all(), self._writer_checks()))

    def certificate(self) -> bytes | None:
        """libpq does not hand over that of its own line."""
        config = self.config
        if config.host.startswith("/") or config.sslmode == "disable":
            return None
        return shown_at(config.host, config.port, asks_for_tls)

    def utc_now(self) -> datetime | None:
        found = self.fetch(Statement("SELECT CAST(clock_timestamp() AT TIME ZONE 'UTC' AS text)"))[0][0]
        return datetime.fromisoformat(str(found))

    def writer(self) -> type[PostgresWrite]:
        from el.connectors.postgres.write import PostgresWrite

        return PostgresWrite

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)


@dataclass(frozen=True, slots=True)
class Blocks(Range):
    """Of the table's blocks. What writes it anew moves rows to others, and no log says so: no later run reads on."""


def _between(low: str | None, high: str | None) -> tuple[Condition, ...]:
    place = SourceType("tid")
    found = [Condition("ctid", Op.GE, Value(low, place))] if low is not None else []
    return (*found, *([Condition("ctid", Op.LT, Value(high, place))] if high is not None else []))
