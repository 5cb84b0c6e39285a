"""Snowflake: the warehouse that this project loads, and a source for analysis.

Guarantees: a result's Arrow schema follows from its declared types, whatever widths the server packs single chunks
with; decimals stay decimals; a session whose database or warehouse is not there is refused at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import pyarrow as pa

from el.connectors.base import ArrowStream, Capability, Identity, WriteMode, WriteResult
from el.connectors.catalog import Catalog, TableName
from el.connectors.query import Dialect, Statement
from el.connectors.request import ReadRequest
from el.connectors.snowflake_catalog import read_catalog
from el.connectors.snowflake_config import SnowflakeConfig
from el.connectors.snowflake_errors import connect_error, statement_error
from el.connectors.sql import SqlConnector, Stream
from el.errors import DatabaseMissing, DriverMissing, ElError, NotPermitted, ReadError

SNOWFLAKE = Dialect(
    name="snowflake",
    masks={"sha256": "SHA2(CAST({column} AS VARCHAR), 256)", "null": "CAST(NULL AS VARCHAR)"},
    bind={"varchar": "?", "binary": "TO_BINARY(SUBSTR(?, 3), 'HEX')"},
    text={"binary": "'0x' || HEX_ENCODE({column})"},
)


class Snowflake(SqlConnector):
    """A database of a Snowflake account, through Snowflake's own connector."""

    scheme = "snowflake"
    capabilities = frozenset(
        {
            Capability.READ,
            Capability.APPEND,
            Capability.REPLACE,
            Capability.MERGE,
            Capability.SNAPSHOT_ISOLATION,
            Capability.SQL,
        }
    )
    config_type = SnowflakeConfig
    dialect: ClassVar[Dialect] = SNOWFLAKE
    config: SnowflakeConfig

    def __init__(self, config: SnowflakeConfig) -> None:
        super().__init__(config)
        self._connection: Any = None
        self._tag: str | None = None

    def connect(self) -> None:
        driver = _driver()
        config = self.config
        optional = {"role", "warehouse", "host", "port", "protocol", "user"}
        given = {name: value for name in optional if (value := getattr(config, name)) is not None}
        refused: ElError | None = None
        try:
            self._connection = driver.connect(
                account=config.account,
                database=config.database,
                schema=config.schema_,
                paramstyle="qmark",
                login_timeout=config.login_timeout,
                network_timeout=config.network_timeout,
                arrow_number_to_decimal=True,
                client_session_keep_alive=True,
                application="el",
                session_parameters={
                    "QUERY_TAG": config.query_tag or "el",
                    "CLIENT_TELEMETRY_ENABLED": False,
                    "TIMEZONE": "UTC",
                },
                **given,
                **config.sign_in(),
            )
        except Exception as error:
            refused = connect_error(error, config)
        if refused is not None:
            # Raised out here, the driver's error and its frames, which hold the password, do not hang on it.
            raise refused
        try:
            self._require_what_the_profile_names()
        except BaseException:
            self.close()
            raise

    def _require_what_the_profile_names(self) -> None:
        """Snowflake opens a session on a database that is not there, and complains at the first statement."""
        database, warehouse = self.fetch(Statement("SELECT CURRENT_DATABASE(), CURRENT_WAREHOUSE()"))[0]
        config, place = self.config, f"Snowflake account {self.config.account}"
        gone = f"does not exist, or {config.role or 'this role'} may not use it"
        if database is None:
            raise DatabaseMissing(f"{place}: database {config.database!r} {gone}")
        if warehouse is None and config.warehouse is not None:
            raise NotPermitted(f"{place}: warehouse {config.warehouse!r} {gone}")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

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

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        return read_catalog(self.fetch, self._show, schemas, brief=brief)

    def _show(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SHOW statement by their column names, in lower case."""
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(sql)
                names = [item[0].lower() for item in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except Exception as error:
            raise self.translate(error) from None

    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        cursor = self.connection.cursor()
        cursor.execute(statement.sql, statement.parameters)
        schema = pa.schema([_field(item) for item in cursor.description])
        # Nanoseconds in 64 bits end in 2262: only columns that declare more than six digits get them.
        microseconds = not any(pa.types.is_timestamp(field.type) and field.type.unit == "ns" for field in schema)

        def batches() -> Iterator[pa.RecordBatch]:
            for chunk in cursor.fetch_arrow_batches(force_microsecond_precision=microseconds):
                named = chunk.rename_columns(schema.names)
                yield from named.cast(schema).to_batches(max_chunksize=request.batch_rows)

        return schema, batches(), cursor.close

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement.sql, statement.parameters, _statement_params=self._statement_settings())
                return [tuple(row) for row in cursor.fetchall()]
        except Exception as error:
            raise self.translate(error) from None

    def execute(self, statement: Statement) -> int:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement.sql, statement.parameters, _statement_params=self._statement_settings())
                return -1 if cursor.rowcount is None else int(cursor.rowcount)
        except Exception as error:
            raise self.translate(error, writing=True) from None

    @contextmanager
    def tagged(self, tag: str) -> Iterator[None]:
        """Statements inside carry this QUERY_TAG instead of the session's."""
        before, self._tag = self._tag, tag
        try:
            yield
        finally:
            self._tag = before

    def _statement_settings(self) -> dict[str, str] | None:
        return {"QUERY_TAG": self._tag} if self._tag is not None else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute(Statement("BEGIN"))
        try:
            yield
        except BaseException:
            # A session that is gone is rolled back by the server; what went wrong first is what is told.
            with suppress(ElError):
                self.execute(Statement("ROLLBACK"))
            raise
        self.execute(Statement("COMMIT"))

    def write_buffer(
        self,
        target: TableName,
        data: ArrowStream,
        mode: WriteMode = WriteMode.APPEND,
        *,
        key: Sequence[str] = (),
        run_id: str,
    ) -> WriteResult:
        from el.connectors.snowflake_write import write
        from el.connectors.writing import released

        with released(data):
            return write(self, target, data, mode, tuple(key), run_id)

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)


def _driver() -> Any:
    try:
        with warnings.catch_warnings():
            # Of the HTTP library inside it about other libraries' versions; nobody who runs el can act on it.
            warnings.simplefilter("ignore")
            import snowflake.connector as driver
    except ImportError:
        raise DriverMissing("Snowflake's driver cannot be imported: pip install snowflake-connector-python") from None
    return driver


def _field(description: Any) -> pa.Field:
    """The Arrow field of a result's column. Type codes: Snowflake Connector for Python, "Type codes"."""
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    kind = FIELD_ID_TO_NAME[description.type_code]
    precision, scale = description.precision, description.scale
    if kind == "FIXED":
        # A whole number of 18 digits fits 64 bits whatever its value.
        whole = not scale and precision is not None and precision <= 18
        type_: pa.DataType = pa.int64() if whole else pa.decimal128(precision or 38, scale or 0)
    elif kind.startswith("TIMESTAMP"):
        unit = "us" if scale is not None and scale <= 6 else "ns"
        type_ = pa.timestamp(unit, tz=None if kind == "TIMESTAMP_NTZ" else "UTC")
    elif kind == "TIME":
        type_ = pa.time64("us" if scale is not None and scale <= 6 else "ns")
    else:
        plain = {"REAL": pa.float64(), "DATE": pa.date32(), "BOOLEAN": pa.bool_(), "BINARY": pa.binary()}
        type_ = plain.get(kind, pa.string())
    return pa.field(description.name, type_, nullable=description.is_nullable is not False)
