"""Writing into SQL Server: bulk load into a staging table, then one transaction that applies it.

Guarantees: all rows or none; the target is touched by that one transaction only, which also records the run_id, so
the same run_id twice changes nothing; the staging table is dropped whatever happens.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.catalog import TableName
from el.connectors.query import Statement
from el.connectors.writing import WRITES_TABLE, as_table, refuse_unfit
from el.errors import ElError, WriteError

if TYPE_CHECKING:
    from el.connectors.sqlserver import SqlServer

# A statement takes 2,100 parameters at most (Microsoft Learn, "Maximum capacity specifications for SQL Server").
_PARAMETERS = 2000


def write(
    server: SqlServer, target: TableName, data: ArrowStream, mode: WriteMode, key: tuple[str, ...], run_id: str
) -> WriteResult:
    """See `Connector.write_buffer`."""
    quote = server.dialect.quote
    writable = _columns(server, target)
    table = as_table(data)
    refuse_unfit(target, table, list(writable), mode, key)
    ledger = server.dialect.quote_table(TableName(target.schema, WRITES_TABLE))
    _make_ledger(server, target.schema, ledger)
    if _written(server, ledger, target, run_id):
        return WriteResult(0, mode, run_id, already_done=True)
    staging = TableName(target.schema, f"_el_staging_{uuid.uuid4().hex[:16]}")
    staged = server.dialect.quote_table(staging)
    names = ", ".join(quote(name) for name in table.column_names)
    # UNION ALL takes the identity property away, so that the source's own values can be staged.
    server.execute(
        Statement(
            f"SELECT TOP 0 {names} INTO {staged} FROM {server.dialect.quote_table(target)} "
            f"UNION ALL SELECT TOP 0 {names} FROM {server.dialect.quote_table(target)}"
        )
    )
    try:
        _fill(server, staging, table)
        identity = any(writable[name] for name in table.column_names)
        with server.transaction():
            # The row of the ledger first: a second writer of the same run waits here, and then finds it.
            server.execute(
                Statement(
                    f"INSERT INTO {ledger} (run_id, target, mode, row_count, written_at) "
                    "VALUES (?, ?, ?, ?, SYSUTCDATETIME())",
                    (run_id, str(target), str(mode), table.num_rows),
                )
            )
            for sql in _apply(server, target, staged, table.column_names, mode, key, identity):
                server.execute(Statement(sql))
    except ElError as error:
        if _written(server, ledger, target, run_id):
            return WriteResult(0, mode, run_id, already_done=True)
        raise error if isinstance(error, WriteError) else WriteError(str(error)) from None
    finally:
        _drop(server, staged)
    return WriteResult(table.num_rows, mode, run_id)


def _columns(server: SqlServer, target: TableName) -> dict[str, bool]:
    """The target's columns that can be written -> whether it is the identity column."""
    rows = server.fetch(
        Statement(
            "SELECT c.name, c.is_identity FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id "
            "JOIN sys.schemas AS s ON s.schema_id = o.schema_id JOIN sys.types AS t ON t.user_type_id = c.user_type_id "
            "WHERE s.name = ? AND o.name = ? AND c.is_computed = 0 AND t.name NOT IN ('timestamp', 'rowversion') "
            "ORDER BY c.column_id",
            (target.schema, target.name),
        )
    )
    if not rows:
        raise WriteError(f"there is no table {target}")
    return {str(name): bool(identity) for name, identity in rows}


def _make_ledger(server: SqlServer, schema: str, ledger: str) -> None:
    found = server.fetch(
        Statement(
            "SELECT 1 FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id "
            "WHERE s.name = ? AND o.name = ?",
            (schema, WRITES_TABLE),
        )
    )
    if not found:
        server.execute(
            Statement(
                f"CREATE TABLE {ledger} (run_id NVARCHAR(200) NOT NULL, target NVARCHAR(300) NOT NULL, "
                "mode NVARCHAR(20) NOT NULL, row_count BIGINT NOT NULL, written_at DATETIME2 NOT NULL, "
                "PRIMARY KEY (target, run_id))"
            )
        )


def _written(server: SqlServer, ledger: str, target: TableName, run_id: str) -> bool:
    sql = f"SELECT 1 FROM {ledger} WHERE target = ? AND run_id = ?"
    return bool(server.fetch(Statement(sql, (str(target), run_id))))


def _fill(server: SqlServer, staging: TableName, table: pa.Table) -> None:
    if not table.num_rows:
        return
    if server.driver.bulk_load(server.dialect.quote_table(staging), table):
        return
    # Servers without bulk load take parameter rows.
    quoted = server.dialect.quote_table(staging)
    names = ", ".join(server.dialect.quote(name) for name in table.column_names)
    marks = "(" + ", ".join("?" * table.num_columns) + ")"
    at_once = max(1, min(1000, _PARAMETERS // table.num_columns))
    for batch in table.to_batches(max_chunksize=at_once):
        values = [value for row in zip(*(column.to_pylist() for column in batch.columns), strict=True) for value in row]
        sql = f"INSERT INTO {quoted} ({names}) VALUES {', '.join([marks] * batch.num_rows)}"
        server.execute(Statement(sql, tuple(values)))


def _apply(
    server: SqlServer,
    target: TableName,
    staged: str,
    columns: Sequence[str],
    mode: WriteMode,
    key: Sequence[str],
    identity: bool,
) -> list[str]:
    quote, into = server.dialect.quote, server.dialect.quote_table(target)
    names = ", ".join(quote(name) for name in columns)
    insert = f"INSERT INTO {into} ({names}) SELECT {names} FROM {staged}"
    steps: list[str] = []
    if mode is WriteMode.REPLACE:
        steps.append(f"DELETE FROM {into}")
    if mode is WriteMode.MERGE:
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        changed = [name for name in columns if name not in key]
        if changed:
            sets = ", ".join(f"{quote(name)} = s.{quote(name)}" for name in changed)
            steps.append(f"UPDATE t SET {sets} FROM {into} AS t JOIN {staged} AS s ON {same}")
        inner = f"SELECT 1 FROM {into} AS t WHERE {same}"
        listed = ", ".join(f"s.{quote(name)}" for name in columns)
        insert = f"INSERT INTO {into} ({names}) SELECT {listed} FROM {staged} AS s WHERE NOT EXISTS ({inner})"
    steps.append(insert)
    if identity:
        return [f"SET IDENTITY_INSERT {into} ON", *steps, f"SET IDENTITY_INSERT {into} OFF"]
    return steps


def _drop(server: SqlServer, staged: str) -> None:
    try:
        server.execute(Statement(f"DROP TABLE {staged}"))
    except ElError:
        # The connection is gone, or the table never came to be: nothing of it is in the target.
        return
