"""dlt's Snowflake destination with sessions that are kept: a login costs a second, and dlt opens one for each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, ClassVar

from dlt.common.data_writers.escape import escape_snowflake_literal
from dlt.common.destination.client import LoadJob
from dlt.destinations import snowflake
from dlt.destinations.impl.snowflake.snowflake import SnowflakeClient
from dlt.destinations.impl.snowflake.sql_client import SnowflakeCursorImpl, SnowflakeSqlClient
from dlt.destinations.sql_client import raise_database_error
from snowflake.connector.errors import Error

from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.driver import open_session, statement_settings
from el.connectors.snowflake.errors import SESSION_GONE, number_of
from el.loading.snowflake_copy import CopyJob
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
        # One job of a table at a time: see `snowflake_copy.py`.
        super().__init__(loader_parallelism_strategy="table-sequential", **settings)
        self._client = type("KeptClient", (KeptClient,), {"sessions": sessions, "run_id": run_id})

    @property
    def client_class(self) -> type[SnowflakeClient]:
        return self._client
