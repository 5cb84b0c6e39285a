"""Snowflake: the warehouse that this project loads, and a source for analysis.

Guarantees: a result's Arrow schema follows from its declared types, whatever widths the server packs single chunks
with; decimals stay decimals; a session whose database or warehouse is not there is refused at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import pyarrow as pa

from el.connectors.base import Identity
from el.connectors.catalog import Catalog
from el.connectors.certificate import CertificateSource, shown_at
from el.connectors.check import Check
from el.connectors.request import ReadRequest
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds, as_comment, collected
from el.connectors.snowflake.catalog import read_catalog
from el.connectors.snowflake.checks import SnowflakeChecks
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.driver import open_session, result_field, statement_settings
from el.connectors.snowflake.errors import SESSION_GONE, number_of, statement_error
from el.connectors.snowflake.rights import script
from el.connectors.sql.connector import Stream
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.select import Statement
from el.connectors.sql.target import SqlTarget
from el.errors import ElError, ReadError

if TYPE_CHECKING:
    from el.connectors.snowflake.write import SnowflakeWrite
    from el.connectors.sql.write_job import WriteJob

Found = TypeVar("Found")

SNOWFLAKE = Dialect(
    name="snowflake",
    masks={"sha256": "SHA2(CAST({column} AS VARCHAR), 256)", "null": "CAST(NULL AS VARCHAR)"},
    bind={"varchar": "?", "binary": "TO_BINARY(SUBSTR(?, 3), 'HEX')"},
    text={"binary": "'0x' || HEX_ENCODE({column})"},
)


class Snowflake(SqlTarget, RightsSource, CertificateSource):
    """A database of a Snowflake account, through Snowflake's own connector."""

    scheme = "snowflake"
    config_type = SnowflakeConfig
    dialect: ClassVar[Dialect] = SNOWFLAKE
    session_user = "CURRENT_USER()"
    config: SnowflakeConfig

    def __init__(self, config: SnowflakeConfig) -> None:
        super().__init__(config)
        self._connection: Any = None
        self._tag: str | None = None
        self._entered = 0
        self._in_transaction = False

    def __enter__(self) -> Self:
        """Entered again while it is open, it stays open until the outermost `with` ends: a login costs a second."""
        if self._connection is None:
            self.connect()
        self._entered += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered -= 1
        if not self._entered:
            self.close()

    def connect(self) -> None:
        self._connection = open_session(self.config, paramstyle="qmark")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._in_transaction = False
        if connection is not None:
            connection.close()

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    @property
    def connection(self) -> Any:
        """The open session; `ReadError` when there is none."""
        if self._connection is None:
            raise ReadError("the session with Snowflake is closed; use the connector inside `with`")
        return self._connection

    def ping(self) -> Identity:
        row = self.fetch(
            Statement("SELECT CURRENT_ACCOUNT(), CURRENT_VERSION(), CURRENT_DATABASE(), CURRENT_USER(), CURRENT_ROLE()")
        )[0]
        roles = (str(row[4]),) if row[4] is not None else ()
        return Identity(str(row[0]), str(row[1]), str(row[2]), str(row[3]), roles)

    def packages(self) -> tuple[str, ...]:
        return ("snowflake-connector-python",)

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        if isinstance(needs, SourceNeeds):
            return as_comment("Snowflake: el takes no tables out of it, and needs no right for that.") + "\n"
        return script(self.config, needs)

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        assert isinstance(needs, WarehouseNeeds)
        return collected(SnowflakeChecks(self.show, self.config, next(iter(self.ping().roles), None), needs).all())

    def certificate(self) -> bytes | None:
        """The driver has checked it, name and all, when the session was opened."""
        if (self.config.protocol or "https") != "https":
            return None
        return shown_at(str(self.connection.host), int(self.connection.port or 443))

    def utc_now(self) -> datetime | None:
        found = self.fetch(Statement("SELECT TO_VARCHAR(SYSDATE(), 'YYYY-MM-DD HH24:MI:SS.FF3')"))[0][0]
        return datetime.fromisoformat(str(found))

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        return read_catalog(self.fetch, self.show, schemas, brief=brief)

    def show(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SHOW statement by their column names, in lower case. It needs no running warehouse."""

        def named(cursor: Any) -> list[dict[str, Any]]:
            names = [item[0].lower() for item in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        return self._run(Statement(sql), named)

    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        cursor = self.connection.cursor()
        cursor.execute(statement.sql, statement.parameters)
        schema = pa.schema([result_field(item) for item in cursor.description])
        # Nanoseconds in 64 bits end in 2262: only columns that declare more than six digits get them.
        microseconds = not any(pa.types.is_timestamp(field.type) and field.type.unit == "ns" for field in schema)

        def batches() -> Iterator[pa.RecordBatch]:
            for chunk in cursor.fetch_arrow_batches(force_microsecond_precision=microseconds):
                named = chunk.rename_columns(schema.names)
                yield from named.cast(schema).to_batches(max_chunksize=request.batch_rows)

        return schema, batches(), cursor.close

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        return self._run(statement, lambda cursor: [tuple(row) for row in cursor.fetchall()])

    def execute(self, statement: Statement) -> int:
        def touched(cursor: Any) -> int:
            return -1 if cursor.rowcount is None else int(cursor.rowcount)

        return self._run(statement, touched, writing=True)

    def _run(self, statement: Statement, take: Callable[[Any], Found], *, writing: bool = False) -> Found:
        """Run it and take what came. Outside a transaction, a session that is gone is opened anew, once."""
        settings = statement_settings(self.config, statement.sql, self._tag)
        for again in (True, False):
            try:
                with self.connection.cursor() as cursor:
                    cursor.execute(statement.sql, statement.parameters, _statement_params=settings)
                    return take(cursor)
            except Exception as error:
                if again and number_of(error) in SESSION_GONE and self._entered and not self._in_transaction:
                    self.close()
                    self.connect()
                    continue
                raise self.translate(error, writing=writing) from None
        raise AssertionError("the second time returns or raises")

    @contextmanager
    def tagged(self, tag: str) -> Iterator[None]:
        """Statements inside carry this QUERY_TAG instead of the session's."""
        before, self._tag = self._tag, tag
        try:
            yield
        finally:
            self._tag = before

    def _begin(self) -> None:
        self.execute(Statement("BEGIN"))
        self._in_transaction = True

    def _commit(self) -> None:
        self.execute(Statement("COMMIT"))
        self._in_transaction = False

    def _rollback(self) -> None:
        self.execute(Statement("ROLLBACK"))
        self._in_transaction = False

    def _give_up(self) -> None:
        """A new session in its place: the `with` that it belongs to goes on."""
        super()._give_up()
        if self._entered:
            with suppress(ElError):
                self.connect()

    def writer(self) -> type[SnowflakeWrite]:
        from el.connectors.snowflake.write import SnowflakeWrite

        return SnowflakeWrite

    @contextmanager
    def write_session(self, job: WriteJob) -> Iterator[Self]:
        """Its statements carry the run and the table as QUERY_TAG."""
        with self.tagged(json.dumps({"app": "el", "run": job.run_id, "table": str(job.target)})):
            yield self

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)
