"""Staging tables of SQL Server: filled by bulk load, and gone whatever happens."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from el.connectors.catalog import TableName
from el.connectors.sql.incoming import Spool
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.session import SqlServerSession
from el.errors import ElError, WriteError

# A statement takes 2,100 parameters at most (Microsoft Learn, "Maximum capacity specifications for SQL Server").
_PARAMETERS = 2000
# A staging table this old belongs to no write that is still at work.
_LEFT_AFTER_HOURS = 24


def fill(server: SqlServerSession, staging: TableName, spool: Spool) -> None:
    """Every row into the staging table: by bulk load, or as parameters where there is none."""
    if not spool.rows:
        return
    try:
        loaded = server.driver.bulk_load(server.dialect.quote_table(staging), spool.reader(), spool.rows)
    except Exception as error:
        raise server.translate(error, writing=True) from None
    if loaded:
        return
    # Servers without bulk load take parameter rows. What a bulk load that broke off may have left goes first.
    server.execute(Statement(f"DELETE FROM {server.dialect.quote_table(staging)}"))
    quoted = server.dialect.quote_table(staging)
    names = ", ".join(server.dialect.quote(name) for name in spool.schema.names)
    marks = "(" + ", ".join(_mark(field.type) for field in spool.schema) + ")"
    at_once = max(1, min(1000, _PARAMETERS // len(spool.schema)))
    for batch in spool.batches():
        for part in pa.Table.from_batches([batch]).to_batches(max_chunksize=at_once):
            texts = [_as_bound(column) for column in part.columns]
            columns = [column.to_pylist() for column in texts]
            values = [value for row in zip(*columns, strict=True) for value in row]
            sql = f"INSERT INTO {quoted} ({names}) VALUES {', '.join([marks] * part.num_rows)}"
            server.execute(Statement(sql, tuple(values)))


def _mark(type_: pa.DataType) -> str:
    """The SQL for one parameter. datetime2 takes ISO 8601 in every language, datetime takes a datetime2; bytes whose
    length nobody declared are cut to that of another row's."""
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return "CAST(? AS VARBINARY(MAX))"
    if not pa.types.is_timestamp(type_):
        return "?"
    return "CAST(? AS DATETIME2(7))" if type_.tz is None else "CAST(? AS DATETIMEOFFSET(7))"


def _as_bound(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days and times as text, all digits of them: mssql-python binds no date before 1753; pyodbc no fraction in a time,
    as many digits in a timestamp as the server says that it has, and no zone."""
    type_ = column.type
    if pa.types.is_timestamp(type_):
        try:
            told = pc.strftime(column.cast(pa.timestamp("us", type_.tz and "UTC")), "%Y-%m-%dT%H:%M:%S")
        except pa.ArrowInvalid as error:
            raise WriteError(f"a timestamp has more digits than can be written: {error}") from None
        return told if type_.tz is None else pc.binary_join_element_wise(told, "+00:00", "")
    return column.cast(pa.string()) if pa.types.is_date(type_) or pa.types.is_time(type_) else column


def sweep(server: SqlServerSession, schema: str) -> None:
    """Drop staging tables that a write left behind a day ago or longer: its process was killed."""
    left = "SELECT o.name FROM sys.tables AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id "
    left += "WHERE s.name = ? AND o.name LIKE N'[_]el[_]staging[_]%' "
    left += f"AND o.create_date < DATEADD(HOUR, {-_LEFT_AFTER_HOURS}, GETDATE())"
    for (name,) in server.fetch(Statement(left, (schema,))):
        drop(server, server.dialect.quote_table(TableName(schema, str(name))))


def drop(server: SqlServerSession, staged: str) -> None:
    """Drop a staging table, where it is there."""
    try:
        server.execute(Statement(f"DROP TABLE {staged}"))
    except ElError:
        # The connection is gone, or the table never came to be: nothing of it is in the target.
        return
