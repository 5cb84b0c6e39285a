"""Writing into SQL Server: bulk load into a staging table, then one transaction that applies it.

Guarantees: all rows or none; the target is touched by that one transaction only, which also records the run_id, so
the same run_id twice changes nothing; the staging table is dropped whatever happens. A value that the target's column
would change is refused before a row is sent. The data waits in a local file until the bulk load takes it, so that
memory does not grow with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

import pyarrow as pa
import tenacity

from el.connectors.base import ArrowStream, WriteMode, WriteResult
from el.connectors.catalog import TableName
from el.connectors.sql.select import Statement
from el.connectors.sql.write import (
    WRITES_TABLE,
    WriteJob,
    as_batches,
    refuse_columns,
    refuse_keys,
    spooled,
)
from el.connectors.sqlserver.fit import Target, refuse_changes
from el.connectors.sqlserver.server import where_there
from el.connectors.sqlserver.session import SqlServerSession
from el.connectors.sqlserver.source_type import source_type
from el.connectors.sqlserver.staging import drop, fill, sweep
from el.errors import ElError, ReadError, WriteError


def write(server: SqlServerSession, job: WriteJob, data: ArrowStream) -> WriteResult:
    """See `Target.write_buffer`."""
    target, mode, key, run_id = job.target, job.mode, job.key, job.run_id
    try:
        writable = _columns(server, target)
    except ReadError as error:
        raise WriteError(str(error), retryable=error.retryable) from None
    schema, batches = as_batches(data)
    refuse_columns(target, schema.names, _as_named(schema.names, writable), mode, key)
    batches = _unchanged(target, batches, [writable[name.lower()] for name in schema.names])
    ledger = server.dialect.quote_table(TableName(target.schema, WRITES_TABLE))
    _make_ledger(server, target, ledger)
    if _written(server, ledger, target, run_id):
        return job.done_before()
    staging = TableName(server.config.staging_schema or target.schema, f"_el_staging_{uuid.uuid4().hex[:16]}")
    staged = server.dialect.quote_table(staging)
    numbered = {name for name in schema.names if writable[name.lower()].identity}
    sweep(server, staging.schema)
    try:
        rows = _stage(server, job, staging, schema, batches)
        if mode is WriteMode.MERGE:
            refuse_keys(server.fetch, server.dialect, staging, target, key)
            _refuse_other_numbers(server, target, staged, key, sorted(numbered - set(key)))
        steps = _apply(server, target, staged, schema.names, mode, key, numbered)
        # A deadlock's victim is told to run its transaction again, and nothing of it was left.
        done = _again()(_commit, server, ledger, target, run_id, str(mode), rows, steps)
    except ElError as error:
        with suppress(ElError):
            if _written(server, ledger, target, run_id):
                return job.done_before()
        if isinstance(error, WriteError):
            raise
        raise WriteError(str(error), retryable=error.retryable) from None
    finally:
        if numbered:
            # The session keeps it through a rollback, and would refuse the next write that leaves the numbers to it.
            with suppress(ElError):
                server.execute(Statement(f"SET IDENTITY_INSERT {server.dialect.quote_table(target)} OFF"))
        drop(server, staged)
    return job.done(rows) if done else job.done_before()


def _stage(
    server: SqlServerSession, job: WriteJob, staging: TableName, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> int:
    """All rows into a staging table like the target; how many."""
    quote, quote_table = server.dialect.quote, server.dialect.quote_table
    names = ", ".join(quote(name) for name in schema.names)
    into, target = quote_table(staging), quote_table(job.target)
    # UNION ALL takes the identity property away, so that the source's own values can be staged.
    empty = f"SELECT TOP 0 {names} INTO {into} FROM {target} UNION ALL SELECT TOP 0 {names} FROM {target}"
    server.execute(Statement(empty))
    with spooled(schema, batches) as spool:
        fill(server, staging, spool)
        return spool.rows


def _again() -> tenacity.Retrying:
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(10),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, ElError) and error.retryable),
        reraise=True,
    )


def _commit(
    server: SqlServerSession, ledger: str, target: TableName, run_id: str, mode: str, rows: int, steps: Sequence[str]
) -> bool:
    """The one transaction; False if another writer had applied this run first."""
    with server.transaction():
        # An UPDATE locks its row until the transaction ends: a second writer of this target waits here, and
        # then sees what the first one did.
        lock = f"UPDATE {ledger} SET row_count = row_count + 1 WHERE target = ? AND run_id = N''"
        server.execute(Statement(lock, (str(target),)))
        if _written(server, ledger, target, run_id):
            return False
        _record(server, ledger, target, run_id, mode, rows)
        for sql in steps:
            server.execute(Statement(sql))
        if mode != WriteMode.MERGE and (found := server.fetch(Statement("SELECT ROWCOUNT_BIG()"))[0][0]) != rows:
            raise WriteError(f"{target} took {found} of {rows:,} rows: a trigger, or a view, keeps some of them out")
    return True


def _columns(server: SqlServerSession, target: TableName) -> dict[str, Target]:
    """The target's columns that can be written, by their names in lower case."""
    rows = server.fetch(
        Statement(
            "SELECT c.name, t.name, b.name, c.max_length, c.precision, c.scale, c.is_identity, "
            "CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS INT) "
            "FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id "
            "JOIN sys.schemas AS s ON s.schema_id = o.schema_id "
            "JOIN sys.types AS t ON t.user_type_id = c.user_type_id "
            "LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id "
            "WHERE s.name = ? AND o.name = ? AND c.is_computed = 0 AND t.name NOT IN ('timestamp', 'rowversion') "
            "ORDER BY c.column_id",
            (target.schema, target.name),
        )
    )
    made_by_server = _generated(server, target)
    rows = [row for row in rows if row[0] not in made_by_server]
    if not rows:
        raise WriteError(f"there is no table {target}")
    found: dict[str, Target] = {}
    for name, type_, base, *sizes, identity, code_page in rows:
        length, precision, scale = (int(str(size)) for size in sizes)
        made = source_type(str(type_), str(base) if base else None, length, precision, scale)
        page = None if code_page is None else int(str(code_page))
        found[str(name).lower()] = Target(str(name), made, bool(identity), page)
    return found


def _generated(server: SqlServerSession, target: TableName) -> set[object]:
    """Columns that the server alone writes: the period of a temporal table, the marks of a ledger table (13536)."""
    rows = where_there(
        server.fetch,
        Statement(
            "SELECT name FROM sys.columns WHERE object_id = OBJECT_ID(?) AND generated_always_type <> 0",
            (server.dialect.quote_table(target),),
        ),
    )
    # A server before 2016 has no such columns, and no `generated_always_type` either.
    return {row[0] for row in rows or []}


def _unchanged(
    target: TableName, batches: Iterator[pa.RecordBatch], columns: Sequence[Target]
) -> Iterator[pa.RecordBatch]:
    """The batches, each looked at: no row was sent yet when one is refused."""
    for batch in batches:
        for column, data in zip(columns, batch.columns, strict=True):
            refuse_changes(target, column, data)
        yield batch


def _as_named(names: Sequence[str], writable: Mapping[str, Target]) -> list[str]:
    """The columns as the data spells them: the server's collation decides on case, and its own refusal is clear."""
    spelt = {name.lower(): name for name in names}
    return [spelt.get(name, name) for name in writable]


def _make_ledger(server: SqlServerSession, target: TableName, ledger: str) -> None:
    """The ledger, and in it this target's own row without a run: the row that its writers wait for."""
    found = server.fetch(
        Statement(
            "SELECT 1 FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id "
            "WHERE s.name = ? AND o.name = ?",
            (target.schema, WRITES_TABLE),
        )
    )
    if not found:
        server.execute(
            Statement(
                f"CREATE TABLE {ledger} (run_id NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL, "
                "target NVARCHAR(300) NOT NULL, mode NVARCHAR(20) NOT NULL, row_count BIGINT NOT NULL, "
                "written_at DATETIME2 NOT NULL, PRIMARY KEY (target, run_id))"
            )
        )
    if not _written(server, ledger, target, ""):
        with suppress(ElError):
            # Refused as a duplicate where another writer was quicker, which is as good.
            _record(server, ledger, target, "", "lock", 0)


def _record(server: SqlServerSession, ledger: str, target: TableName, run_id: str, mode: str, rows: int) -> None:
    sql = f"INSERT INTO {ledger} (run_id, target, mode, row_count, written_at) VALUES (?, ?, ?, ?, SYSUTCDATETIME())"
    server.execute(Statement(sql, (run_id, str(target), mode, rows)))


def _written(server: SqlServerSession, ledger: str, target: TableName, run_id: str) -> bool:
    """Whether this very run_id is there. A target is told as the database tells names, often by any case."""
    sql = f"SELECT run_id FROM {ledger} WHERE target = ? AND run_id = ?"
    return (run_id,) in server.fetch(Statement(sql, (str(target), run_id)))


def _apply(
    server: SqlServerSession,
    target: TableName,
    staged: str,
    columns: Sequence[str],
    mode: WriteMode,
    key: Sequence[str],
    numbered: Collection[str],
) -> list[str]:
    """The statements that bring the staged rows into the target. numbered: identity columns that the data gives."""
    quote, into = server.dialect.quote, server.dialect.quote_table(target)
    names = ", ".join(quote(name) for name in columns)
    insert = f"INSERT INTO {into} ({names}) SELECT {names} FROM {staged}"
    steps: list[str] = []
    if mode is WriteMode.REPLACE:
        steps.append(f"DELETE FROM {into}")
    if mode is WriteMode.MERGE:
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        # An identity column cannot be updated (8102): a row that is there keeps its number.
        changed = [name for name in columns if name not in key and name not in numbered]
        # A key that is looked for and not found stays locked to the end: between the two statements nobody else, who
        # does not know of el's ledger, can insert it (Microsoft Learn, "Table hints", HOLDLOCK).
        locked = f"{into} AS t WITH (UPDLOCK, HOLDLOCK)"
        if changed:
            sets = ", ".join(f"{quote(name)} = s.{quote(name)}" for name in changed)
            steps.append(f"UPDATE t SET {sets} FROM {locked} JOIN {staged} AS s ON {same}")
        inner = f"SELECT 1 FROM {locked} WHERE {same}"
        listed = ", ".join(f"s.{quote(name)}" for name in columns)
        insert = f"INSERT INTO {into} ({names}) SELECT {listed} FROM {staged} AS s WHERE NOT EXISTS ({inner})"
    steps.append(insert)
    return [f"SET IDENTITY_INSERT {into} ON", *steps] if numbered else steps


def _refuse_other_numbers(
    server: SqlServerSession, target: TableName, staged: str, key: Sequence[str], numbered: Sequence[str]
) -> None:
    """Raise `WriteError` where a row that is there has another number than the data gives it: it cannot get it."""
    quote, into = server.dialect.quote, server.dialect.quote_table(target)
    same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
    for name in numbered:
        other = (
            f"SELECT COUNT(*) FROM {into} AS t JOIN {staged} AS s ON {same} WHERE t.{quote(name)} <> s.{quote(name)}"
        )
        if found := server.fetch(Statement(other))[0][0]:
            raise WriteError(
                f"{target}.{name} is an identity column, which SQL Server does not update, and {found} rows of the "
                "data give rows that are there another number; leave the column out"
            )
