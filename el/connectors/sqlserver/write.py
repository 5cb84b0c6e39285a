"""Writing into SQL Server: bulk load into a staging table, and what identity columns and its own columns ask for.

A value that the target's column would change is refused before a row is sent: `fit` says better than a comparison why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pyarrow as pa

from el.connectors.catalog import TableName
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.incoming import Spool
from el.connectors.sql.select import Statement
from el.connectors.sql.write import SqlWrite
from el.connectors.sql.write_job import TargetColumn
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver.fit import SqlServerColumn, refuse_changes
from el.connectors.sqlserver.server import rows_if_supported
from el.connectors.sqlserver.source_type import source_type
from el.connectors.sqlserver.staging import fill, sweep
from el.errors import ElError, WriteError

TYPES = ColumnTypes(
    plain={
        "bool": "BIT",
        "uint8": "TINYINT",
        **dict.fromkeys(("int8", "int16"), "SMALLINT"),
        **dict.fromkeys(("uint16", "int32"), "INT"),
        **dict.fromkeys(("uint32", "int64"), "BIGINT"),
        "float": "REAL",
        "double": "FLOAT",
        "date32[day]": "DATE",
        **dict.fromkeys(("string", "large_string", "null"), "NVARCHAR(MAX)"),
        **dict.fromkeys(("binary", "large_binary"), "VARBINARY(MAX)"),
    },
    decimal="DECIMAL({precision},{scale})",
    time="TIME({digits})",
    moment="DATETIME2({digits})",
    instant="DATETIMEOFFSET({digits})",
    digits=7,
)


class SqlServerWrite(SqlWrite[SqlServer]):
    types = TYPES
    ledger_columns = (
        "run_id NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL, target NVARCHAR(300) NOT NULL, "
        "mode NVARCHAR(20) NOT NULL, row_count BIGINT NOT NULL, written_at DATETIME2 NOT NULL, "
        "PRIMARY KEY (target, run_id)"
    )
    ledger_row = "VALUES (?, ?, ?, ?, SYSUTCDATETIME())"
    temporary = ""
    # The server's collation decides on case, and its own refusal is clear.
    names_in_any_case = True

    def staging_table(self, name: str) -> TableName:
        return TableName(self.session.config.staging_schema or self.job.target.schema, name)

    def target_columns(self, table: TableName) -> list[TargetColumn]:
        rows = self.session.fetch(
            Statement(
                "SELECT c.name, t.name, b.name, c.max_length, c.precision, c.scale, c.is_identity, "
                "CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS INT) "
                "FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id "
                "JOIN sys.schemas AS s ON s.schema_id = o.schema_id "
                "JOIN sys.types AS t ON t.user_type_id = c.user_type_id "
                "LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id "
                "WHERE s.name = ? AND o.name = ? AND c.is_computed = 0 AND t.name NOT IN ('timestamp', 'rowversion') "
                "ORDER BY c.column_id",
                (table.schema, table.name),
            )
        )
        found: list[TargetColumn] = []
        made_by_server = self._generated(table) if rows else set()
        for name, type_, base, *sizes, identity, code_page in rows:
            if name in made_by_server:
                continue
            length, precision, scale = (int(str(size)) for size in sizes)
            made = source_type(str(type_), str(base) if base else None, length, precision, scale)
            page = None if code_page is None else int(str(code_page))
            found.append(SqlServerColumn(str(name), made, bool(identity), page))
        return found

    def _generated(self, table: TableName) -> set[object]:
        """Columns that the server alone writes: the period of a temporal table, the marks of a ledger table (13536)."""
        rows = rows_if_supported(
            self.session.fetch,
            Statement(
                "SELECT name FROM sys.columns WHERE object_id = OBJECT_ID(?) AND generated_always_type <> 0",
                (self.quote_table(table),),
            ),
        )
        # A server before 2016 has no such columns, and no `generated_always_type` either.
        return {row[0] for row in rows or []}

    def checked_early(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for column, data in zip(self.columns, batch.columns, strict=True):
                assert isinstance(column, SqlServerColumn)
                refuse_changes(self.job.target, column, data)
            yield batch

    def pads_blanks(self, column: TargetColumn) -> bool:
        return column.type.name in ("char", "nchar")

    def read_back(self, column: TargetColumn) -> str | None:
        # All digits and the offset, of which a driver gives a part.
        if column.type.name in ("time", "datetime2", "datetimeoffset"):
            return "CONVERT(VARCHAR(34), {column}, 121)"
        return super().read_back(column)

    def like_target(self, names: str) -> str:
        # UNION ALL takes the identity property away, so that the source's own values can be staged.
        empty = f"FROM {self.into}"
        return f"SELECT TOP 0 {names} INTO {self.staged} {empty} UNION ALL SELECT TOP 0 {names} {empty}"

    def stage(self, spool: Spool) -> None:
        sweep(self.session, self.staging.schema)
        super().stage(spool)

    def fill(self, spool: Spool) -> None:
        fill(self.session, self.staging, spool)

    @property
    def numbered(self) -> list[str]:
        """Identity columns that the data gives."""
        return [column.name for column in self.columns if isinstance(column, SqlServerColumn) and column.identity]

    def refuse_keys(self) -> None:
        """Besides: a row that is there with another number than the data gives it cannot get that."""
        super().refuse_keys()
        quote, key = self.quote, self.job.key
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        for name in sorted(set(self.numbered) - set(key)):
            differs = f"t.{quote(name)} <> s.{quote(name)}"
            other = f"SELECT COUNT(*) FROM {self.into} AS t JOIN {self.staged} AS s ON {same} WHERE {differs}"
            if found := self.session.fetch(Statement(other))[0][0]:
                raise WriteError(
                    f"{self.job.target}.{name} is an identity column, which SQL Server does not update, and {found} "
                    "rows of the data give rows that are there another number; leave the column out"
                )

    def statements(self, names: Sequence[str]) -> list[str]:
        found = super().statements(names)
        return [f"SET IDENTITY_INSERT {self.into} ON", *found] if self.numbered else found

    def merged(self, names: Sequence[str]) -> list[str]:
        quote, key = self.quote, self.job.key
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        # An identity column cannot be updated (8102): a row that is there keeps its number.
        changed = [name for name in names if name not in key and name not in self.numbered]
        # A key that is looked for and not found stays locked to the end: between the two statements nobody else, who
        # does not know of el's ledger, can insert it (Microsoft Learn, "Table hints", HOLDLOCK).
        locked = f"{self.into} AS t WITH (UPDLOCK, HOLDLOCK)"
        values = ", ".join(f"s.{quote(name)}" for name in names)
        insert = (
            f"INSERT INTO {self.into} ({self.listed(names)}) SELECT {values} FROM {self.staged} AS s "
            f"WHERE NOT EXISTS (SELECT 1 FROM {locked} WHERE {same})"
        )
        if not changed:
            return [insert]
        sets = ", ".join(f"{quote(name)} = s.{quote(name)}" for name in changed)
        return [f"UPDATE t SET {sets} FROM {locked} JOIN {self.staged} AS s ON {same}", insert]

    def rows_inserted(self, touched: int) -> int:
        # Counts are switched off in the session, for triggers' sake.
        return int(str(self.session.fetch(Statement("SELECT ROWCOUNT_BIG()"))[0][0]))

    def clean_up(self) -> None:
        if self.numbered:
            # The session keeps it through a rollback, and would refuse the next write that leaves the numbers to it.
            with suppress(ElError):
                self.session.execute(Statement(f"SET IDENTITY_INSERT {self.into} OFF"))
        super().clean_up()
