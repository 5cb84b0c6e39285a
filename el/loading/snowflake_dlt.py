"""dlt's Snowflake destination with sessions that are kept: a login costs a second, and dlt opens one for each file.

A file is one PUT and one COPY. The COPY commits by itself, so no transaction of a run that was killed stays open and
holds its table; whether it was done is found out as ever, from the job's place in the package (`package.py`). FORCE:
which files a table has is known there, and not in Snowflake's own memory, which skips a file that was put again and
looks the same. COPY tells how many rows it loaded, and they must be those of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, ClassVar

import pyarrow.parquet as pq
from dlt.common.data_writers.escape import escape_snowflake_literal
from dlt.common.destination.client import HasFollowupJobs, LoadJob, RunnableLoadJob
from dlt.common.storages.file_storage import FileStorage
from dlt.destinations import snowflake
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.impl.snowflake.snowflake import SnowflakeClient
from dlt.destinations.impl.snowflake.sql_client import SnowflakeCursorImpl, SnowflakeSqlClient
from dlt.destinations.impl.snowflake.utils import gen_copy_sql
from dlt.destinations.sql_client import raise_database_error
from snowflake.connector.errors import Error

from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.driver import open_session, statement_settings
from el.connectors.snowflake.errors import SESSION_GONE, number_of
from el.loading.snowflake_queries import run_tag
from el.planning.columns import COMMENT_HINT


class Sessions:
    """The sessions of a run that dlt's jobs use, one job at a time each."""

    def __init__(self, config: SnowflakeConfig) -> None:
        self.config = config
        self._lock = Lock()
        self._free: list[Any] = []

    def take(self) -> Any:
        with self._lock:
            if self._free:
                return self._free.pop()
        return open_session(self.config, paramstyle="pyformat")

    def give(self, connection: Any) -> None:
        if not connection.is_closed():
            with self._lock:
                self._free.append(connection)

    def close(self) -> None:
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            connection.close()


class KeptSqlClient(SnowflakeSqlClient):
    """dlt's client over a session that is taken and given back. `run_id` tags its statements."""

    sessions: Sessions
    run_id: str
    _conn: Any

    def open_connection(self) -> Any:
        self._conn = self.sessions.take()
        return self._conn

    def close_connection(self) -> None:
        connection, self._conn = self._conn, None
        if connection is not None:
            self.sessions.give(connection)

    def set_query_tags(self, tags: Any) -> None:
        """They are sent with each statement, and not in one of their own."""
        self._query_tags = tags

    @contextmanager
    def begin_transaction(self) -> Iterator[Any]:
        """What dlt puts in one is DDL, which commits by itself (Snowflake documentation, "Transactions")."""
        yield self

    @contextmanager
    @raise_database_error
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        tags: Mapping[str, Any] = self._query_tags or {}
        settings = statement_settings(self.sessions.config, str(query), run_tag(self.run_id, tags.get("table") or ""))
        with self._conn.cursor() as cursor:
            try:
                cursor.execute(query, args or kwargs or None, num_statements=0, _statement_params=settings)
                yield SnowflakeCursorImpl(cursor)
            except Error as error:
                if number_of(error) in SESSION_GONE:
                    # The job fails, and is tried again over another one.
                    with suppress(Error):
                        self._conn.close()
                raise


class CopyJob(RunnableLoadJob, HasFollowupJobs):
    """One file, loaded by PUT and COPY. What is put is removed once the package is complete: see `package.py`."""

    def __init__(self, file_path: str, stage: str) -> None:
        super().__init__(file_path)
        self._stage = stage

    def run(self) -> None:
        client: Any = self._job_client.sql_client  # type: ignore[attr-defined]
        name = FileStorage.get_file_name_from_file_path(self._file_path)
        folder = f'@{self._stage}/"{self._load_id}"'
        source = escape_snowflake_literal("file://" + self._file_path.replace("\\", "/"))
        client.execute_sql(f"PUT {source} {escape_snowflake_literal(folder)} OVERWRITE = TRUE, AUTO_COMPRESS = FALSE")
        copy = gen_copy_sql(
            file_url=self._file_path,
            qualified_table_name=client.make_qualified_table_name(self.load_table_name),
            loader_file_format="parquet",
            is_case_sensitive=client.capabilities.generates_case_sensitive_identifiers(),
            stage_name=self._stage,
            local_stage_file_path=f"{folder}/{name}",
            use_vectorized_scanner=True,
        )
        answer = client.execute_sql(f"{copy.rstrip()}\n        FORCE = TRUE")
        # file, status, rows_parsed, rows_loaded, ...; one text where there was no file.
        loaded = sum(int(row[3]) for row in answer or () if len(row) > 3)
        rows = pq.read_metadata(self._file_path).num_rows
        if loaded != rows:
            raise DatabaseTransientException(
                ValueError(f"{self.load_table_name}: COPY loaded {loaded:,} of the {rows:,} rows of {name}")
            )


class KeptClient(SnowflakeClient):
    """dlt's job client, with these sessions and jobs."""

    sessions: ClassVar[Sessions]
    run_id: ClassVar[str]

    def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
        super().__init__(schema, config, capabilities)
        made = self.sql_client
        kept = KeptSqlClient(made.dataset_name, made.staging_dataset_name, made.credentials, capabilities)
        kept.sessions, kept.run_id = self.sessions, self.run_id
        self.sql_client = kept

    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> LoadJob:
        if file_path.endswith(".parquet"):
            assert self.config.stage_name is not None
            return CopyJob(file_path, self.config.stage_name)
        return super().create_load_job(table, file_path, load_id, restore)

    def _get_table_update_sql(self, table_name: str, new_columns: Any, generate_alter: bool) -> list[str]:
        found = super()._get_table_update_sql(table_name, new_columns, generate_alter)
        table: Mapping[str, Any] = self.schema.tables[table_name]
        if not generate_alter and (said := table.get(COMMENT_HINT)):
            found[0] += f"\nCOMMENT = {escape_snowflake_literal(said)}"
        return found


class KeptSnowflake(snowflake):
    """The destination; `sessions` and `run_id` are given to each client that dlt makes of it."""

    def __init__(self, sessions: Sessions, run_id: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._client = type("KeptClient", (KeptClient,), {"sessions": sessions, "run_id": run_id})

    @property
    def client_class(self) -> type[SnowflakeClient]:
        return self._client
