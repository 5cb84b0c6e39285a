"""SQL Server through Microsoft's mssql-python, which gives Arrow batches."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pyarrow as pa

from el.connectors.request import ReadRequest
from el.connectors.sql.connector import Stream
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.config import SqlServerConfig, connection_string
from el.connectors.sqlserver.driver import Driver, database_missing, login_failed, missing_library, rows_at_once
from el.errors import DatabaseMissing, WriteError

_NO_BULK_LOAD = ("insert bulk", "bulk load", "not supported", "syntax error")


class MssqlPython(Driver):
    """mssql-python: its wheel brings ODBC Driver 18 and a driver manager along."""

    def __init__(self, config: SqlServerConfig) -> None:
        try:
            import mssql_python
        except (ImportError, OSError) as error:
            raise missing_library(error, "mssql-python") or error from None
        keywords = config.keywords()

        def connect(keywords: dict[str, str]) -> Any:
            return mssql_python.connect(
                connection_string(keywords),
                autocommit=True,
                # SQL_ATTR_LOGIN_TIMEOUT (Microsoft Learn, "SQLSetConnectAttr Function").
                attrs_before={103: config.login_timeout},
            )

        # Sessions that nobody uses any more leave the server soon: a pool that Python's end does not close keeps them.
        mssql_python.pooling(idle_timeout=30)

        try:
            self.connection = connect(keywords)
        except (ImportError, OSError, RuntimeError) as error:
            raise missing_library(error, "mssql-python") or error from None
        except mssql_python.Error as error:
            if config.database is None or not login_failed(error):
                raise
            # Of a server's two messages (4060, 18456) this driver tells the last alone: which of them it was shows
            # in whether the same login comes in elsewhere.
            elsewhere = connect({name: value for name, value in keywords.items() if name != "Database"})
            elsewhere.close()
            raise DatabaseMissing(database_missing(config)) from None
        # The `timeout` of connect() is the login's.
        self.connection.timeout = config.query_timeout

    def autocommit(self, on: bool) -> None:
        self.connection.setautocommit(on)

    def bulk_load(self, table: str, data: pa.RecordBatchReader, rows: int) -> bool:
        cursor = self.connection.cursor()
        mappings = list(enumerate(data.schema.names))
        try:
            # No timeout: how long it takes is the caller's to bound.
            copied = cursor.bulkcopy_arrow(
                table, data, timeout=0, column_mappings=mappings, keep_nulls=True, keep_identity=True, table_lock=True
            )
        except Exception as error:
            if any(words in str(error).lower() for words in _NO_BULK_LOAD):
                return False
            raise
        except BaseException as error:
            # The driver's native part panics at answers that it does not expect, of engines that only speak T-SQL.
            if type(error).__name__ != "PanicException":
                raise
            return False
        finally:
            cursor.close()
        if copied["rows_copied"] != rows:
            raise WriteError(f"bulk load took {copied['rows_copied']:,} of {rows:,} rows")
        return True

    def stream(self, statement: Statement, request: ReadRequest) -> Stream:
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement.sql, *statement.parameters)
            reader = cursor.arrow_reader(rows_at_once(cursor.description, request))
        except BaseException:
            cursor.close()
            raise

        def close() -> None:
            with suppress(Exception):
                reader.close()
                cursor.close()

        return reader.schema, self._whole(reader), close
