"""Short ways to ask the Snowflake stand-in, for its tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import snowflake.connector

from tests.standins.snowflake import SnowflakeStandIn

COPY = (
    "COPY INTO {table} FROM {stage} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE "
    "USE_VECTORIZED_SCANNER = TRUE) MATCH_BY_COLUMN_NAME = {match} ON_ERROR = ABORT_STATEMENT PURGE = {purge}"
)


def run(connection: Any, sql: str, *args: Any, **kwargs: Any) -> list[Any]:
    return list(connection.cursor().execute(sql, *args, **kwargs).fetchall())


def second(standin: SnowflakeStandIn, session: Any, **changes: Any) -> Any:
    return snowflake.connector.connect(**standin.connection_parameters(schema=session.schema, **changes))


def parquet(directory: Path, name: str, **columns: Any) -> str:
    pq.write_table(pa.table(columns), directory / name)
    return (directory / name).as_uri()
