"""Writing into PostgreSQL: rows by binary COPY into a temporary table of their own types, and from there, cast to the
target's, into the staging table that is read back and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pyarrow as pa

from el.connectors.catalog import TableName
from el.connectors.postgres import Postgres
from el.connectors.postgres.catalog import Types
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.incoming import Spool
from el.connectors.sql.select import Statement
from el.connectors.sql.write import SqlWrite
from el.connectors.sql.write_job import TargetColumn
from el.errors import ElError, WriteError

TYPES = ColumnTypes(
    plain={
        "bool": "boolean",
        **dict.fromkeys(("int8", "uint8", "int16"), "smallint"),
        **dict.fromkeys(("uint16", "int32"), "integer"),
        **dict.fromkeys(("uint32", "int64"), "bigint"),
        "uint64": "numeric(20,0)",
        "float": "real",
        "double": "double precision",
        "date32[day]": "date",
        **dict.fromkeys(("string", "large_string", "null"), "text"),
        **dict.fromkeys(("binary", "large_binary"), "bytea"),
    },
    decimal="numeric({precision},{scale})",
    time="time({digits})",
    moment="timestamp({digits})",
    instant="timestamptz({digits})",
    digits=6,
    precision=76,
    scale=76,
)
# What COPY gets as it is; of all else the text is sent.
_SENT = {
    *(pa.bool_(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.binary()),
    *(pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")),
}
_WIDER = {pa.int8(): pa.int16(), pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64()}


@dataclass(frozen=True, slots=True)
class PostgresColumn(TargetColumn):
    """cast: its type in SQL, without the digits or the length that are declared: a cast to these cuts off."""

    cast: str = ""


class PostgresWrite(SqlWrite[Postgres]):
    types = TYPES
    ledger_columns = (
        "run_id text NOT NULL, target text NOT NULL, mode text NOT NULL, row_count bigint NOT NULL, "
        "written_at timestamp NOT NULL, PRIMARY KEY (target, run_id)"
    )
    ledger_row = "VALUES (?, ?, ?, ?, clock_timestamp() AT TIME ZONE 'UTC')"

    def staging_table(self, name: str) -> TableName:
        # What is temporary stands in a schema of the session's own.
        return TableName("pg_temp", name)

    def target_columns(self, table: TableName) -> list[TargetColumn]:
        rows = self.session.fetch(
            Statement(
                "SELECT a.attname::text, a.atttypid::bigint, a.atttypmod, format_type(a.atttypid, -1) "
                "FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid "
                "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ? "
                "AND c.relkind IN ('r', 'p', 'v', 'f') AND a.attnum > 0 AND NOT a.attisdropped "
                "AND a.attgenerated = '' ORDER BY a.attnum",
                (table.schema, table.name),
            )
        )
        types = Types(self.session.fetch, {int(str(row[1])) for row in rows})
        found = [
            PostgresColumn(str(name), types.of(int(str(oid)), int(str(modifier))), str(cast))
            for name, oid, modifier, cast in rows
        ]
        if any(column.cast == "jsonb" for column in found) and self._tells_double_keys():
            # As json a document stays the text that was sent; jsonb orders its keys.
            found = [replace(column, cast="json") if column.cast == "jsonb" else column for column in found]
        return list(found)

    def _tells_double_keys(self) -> bool:
        version = self.session.fetch(Statement("SELECT current_setting('server_version_num')"))[0][0]
        return int(str(version)) >= 160_000

    def like_target(self, names: str) -> str:
        made = [
            f"CAST({self.quote(column.name)} AS json) AS {self.quote(column.name)}"
            if _as_json(column)
            else self.quote(column.name)
            for column in self.columns
        ]
        return super().like_target(", ".join(made))

    def stage(self, spool: Spool) -> None:
        super().stage(spool)
        for column in filter(_as_json, self.columns):
            twice = f"SELECT count(*) FROM {self.staged} WHERE {self.quote(column.name)} IS NOT JSON WITH UNIQUE KEYS"
            if found := self.session.fetch(Statement(twice))[0][0]:
                kept = f"{found} documents have a key twice, of which jsonb keeps the last"
                raise WriteError(f"{self.job.target}.{column.name}: {kept}; cast the data")

    def pads_blanks(self, column: TargetColumn) -> bool:
        return column.type.name == "char"

    def fill(self, spool: Spool) -> None:
        session, name = self.session, f"{self.staging.name}_in"
        schema = pa.schema([pa.field(field.name, _sent(field.type)) for field in spool.schema])
        batches = (
            pa.RecordBatch.from_arrays(
                [_as_sent(column, type_) for column, type_ in zip(batch.columns, schema.types, strict=True)],
                schema=schema,
            )
            for batch in spool.batches()
        )
        incoming = session.dialect.quote_table(TableName(self.staging.schema, name))
        try:
            session.execute(Statement(f"DROP TABLE IF EXISTS {incoming}"))
            session.driver.ingest(name, pa.RecordBatchReader.from_batches(schema, batches))
        except Exception as error:
            raise session.translate(error, writing=True) from None
        made = ", ".join(self._cast(place, field, spool.schema) for place, field in enumerate(schema))
        names = self.listed(schema.names)
        session.execute(Statement(f"INSERT INTO {self.staged} ({names}) SELECT {made} FROM {incoming}"))
        session.execute(Statement(f"DROP TABLE {incoming}"))

    def _cast(self, place: int, field: pa.Field, sent: pa.Schema) -> str:
        name = self.quote(field.name)
        if not self.columns:
            return f"CAST({name} AS {list(self._types_of(sent).values())[place]})"
        column = self.columns[place]
        assert isinstance(column, PostgresColumn)
        if pa.types.is_floating(field.type) and column.type.name == "numeric":
            # A cast from a float has fifteen digits.
            name = f"CAST({name} AS text)"
        if pa.types.is_boolean(field.type) and column.type.name not in ("boolean", "text", "varchar", "char"):
            name = f"CAST({name} AS integer)"
        return f"CAST({name} AS {column.cast})"

    def merged(self, names: Sequence[str]) -> list[str]:
        quote, key = self.quote, self.job.key
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        changed = ", ".join(f"{quote(name)} = s.{quote(name)}" for name in names if name not in key)
        values = ", ".join(f"s.{quote(name)}" for name in names)
        insert = (
            f"INSERT INTO {self.into} ({self.listed(names)}) OVERRIDING SYSTEM VALUE SELECT {values} "
            f"FROM {self.staged} AS s WHERE NOT EXISTS (SELECT 1 FROM {self.into} AS t WHERE {same})"
        )
        update = f"UPDATE {self.into} AS t SET {changed} FROM {self.staged} AS s WHERE {same}"
        return [*([update] if changed else []), insert]

    def statements(self, names: Sequence[str]) -> list[str]:
        # What is sent stands in the table, in a column that draws its own numbers too.
        listed = f"({self.listed(names)}) SELECT"
        with_own = f"({self.listed(names)}) OVERRIDING SYSTEM VALUE SELECT"
        return [sql.replace(listed, with_own) for sql in super().statements(names)]

    def clean_up(self) -> None:
        for name in (f"{self.staging.name}_in", self.staging.name):
            with suppress(ElError):
                place = self.session.dialect.quote_table(TableName(self.staging.schema, name))
                self.session.execute(Statement(f"DROP TABLE IF EXISTS {place}"))


def _as_json(column: TargetColumn) -> bool:
    """Whether a column of jsonb is staged as json."""
    return isinstance(column, PostgresColumn) and column.type.name == "jsonb" and column.cast == "json"


def _sent(type_: pa.DataType) -> pa.DataType:
    type_ = _WIDER.get(type_, type_)
    if pa.types.is_timestamp(type_) and type_.tz is not None and type_.unit == "us":
        return pa.timestamp("us", "UTC")
    if pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_) or pa.types.is_binary_view(type_):
        return pa.binary()
    return type_ if type_ in _SENT else pa.string()


def _as_sent(column: pa.Array, type_: pa.DataType) -> pa.Array:
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise WriteError(f"{column.type} has no text that PostgreSQL reads: {error}; cast the data") from None
