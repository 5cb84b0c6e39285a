"""Snowflake as the warehouse.

Parquet through a named stage of the raw schema (a table's own stage needs OWNERSHIP of the table, which a role
that only loads has not), the vectorized scanner, logical types, staged files removed after the load, and a
QUERY_TAG with run and table. The raw schema is transient: raw can be loaded again, and fail-safe storage of it
is paid for nothing (Snowflake, "Working with Temporary and Transient Tables").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from dlt.destinations.impl.snowflake.configuration import SnowflakeCredentials
from dlt.destinations.impl.snowflake.factory import SnowflakeTypeMapper

from el.connectors.snowflake import Snowflake
from el.connectors.snowflake.errors import NOT_THERE
from el.connectors.snowflake.rights import STAGE as STAGE
from el.connectors.sql.select import Statement
from el.errors import DatabaseError, LoadError, NotPermitted
from el.extraction.file_sizes import MB, FileSizes
from el.loading.canonical import SNOWFLAKE
from el.loading.digest import Held, Summing, Wanted
from el.loading.express import Express, portions
from el.loading.lease import lease as leased
from el.loading.lock import Holder, StillOurs
from el.loading.snowflake_copy import puts
from el.loading.snowflake_dlt import KeptSnowflake, Sessions
from el.loading.snowflake_express import SnowflakeExpress
from el.loading.snowflake_queries import run_tag
from el.loading.warehouse import Warehouse
from el.planning.columns import TableComment
from el.planning.drift import Widened
from el.types.limits import Limits
from el.types.mapping import TypeMapping

# What SHOW gives at most (Snowflake documentation, "SHOW OBJECTS").
SHOWN = 10_000
# Tables whose rows one statement counts.
COUNTED = 200
# Snowflake documentation, "String & binary data types": the defaults of VARCHAR and BINARY.
TEXT_BYTES, BINARY_BYTES = 16 * 1024 * 1024, 8 * 1024 * 1024
_DEFAULT_LENGTHS = {"VARCHAR": TEXT_BYTES, "BINARY": BINARY_BYTES}
# Landing type -> the text in which SQL Server writes the same time with seven digits.
_AS_TEXT = {
    "date32[day]": "TO_VARCHAR({column}, 'YYYY-MM-DD') || ' 00:00:00.0000000'",
    "timestamp[us]": "TO_VARCHAR({column}, 'YYYY-MM-DD HH24:MI:SS.FF7')",
    "time64[us]": "TO_VARCHAR({column}, 'HH24:MI:SS.FF7')",
    "timestamp[us, tz=UTC]": "TO_VARCHAR(CONVERT_TIMEZONE('UTC', {column}), 'YYYY-MM-DD HH24:MI:SS.FF7 TZH:TZM')",
}

# In the digits that land: raw's column may have more.
_TEXTS = {**SNOWFLAKE.forms, "decimal": "TO_VARCHAR(CAST({column} AS NUMBER(38, {scale})))"}


def _padded(sums: Sequence[str], width: int) -> str:
    """As the columns of a UNION: all tables have as many, a text first, and of each float a number and two floats."""
    none = ["NULL::VARCHAR", *(["NULL::NUMBER", "NULL::FLOAT", "NULL::FLOAT"] * (width // 3))]
    return "".join(f", {part}" for part in [*sums, *none[len(sums) : width]])


def _holds(held: str, wanted: str) -> bool:
    """Whether a column of type `held` takes what `wanted` takes: the same type, or a NUMBER with more digits."""
    if held.startswith("NUMBER(") and wanted.startswith("NUMBER("):
        (p, s), (q, t) = (text[7:-1].split(",") for text in (held, wanted))
        return s == t and int(p) >= int(q)
    return held.replace("TEXT", "VARCHAR") == wanted.split("(")[0]


class SnowflakeWarehouse(Warehouse):
    """Loads by PUT and COPY, several files at once."""

    connector: Snowflake

    loader_workers = 8
    # Snowflake, "Preparing your data files": 100 to 250 MB compressed, and several where there is less.
    file_sizes = FileSizes(128 * MB, 5 * MB)
    canonical = SNOWFLAKE
    documents = ("TO_JSON(PARSE_JSON({column}, 'd'))", "TO_JSON({column})")
    # Some minutes of a network; below that, numbers of MD5 cost the warehouse more than the way saves.
    sums_from_rows = 10_000_000
    summing = Summing("md5", _TEXTS, SNOWFLAKE.number)
    own_limits = Limits(TEXT_BYTES, BINARY_BYTES, calendar=True)

    def fold(self, name: str) -> str:
        return name if self.naming == "preserve" else name.upper()

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._sessions = Sessions(self.connector.config)

    def types_of(self, mapping: TypeMapping) -> tuple[str, str]:
        return mapping.snowflake, mapping.target_snowflake

    def dlt_destination(self, raw_schema: str, run_id: str) -> Any:
        config = self.connector.config
        # The sessions sign in by themselves: dlt is only told that it needs no password.
        credentials = SnowflakeCredentials()
        credentials.database, credentials.host, credentials.username = config.database, config.account, config.user
        credentials.authenticator = "EL"
        return KeptSnowflake(
            self._sessions,
            run_id,
            credentials=credentials,
            stage_name=self.qualified(raw_schema, STAGE),
            use_timestamp_tz=True,
            naming_convention=self.naming_module,
            type_mapper=self._type_mapper(),
        )

    def _type_mapper(self) -> type[SnowflakeTypeMapper]:
        """dlt's own; where el.yml says that the account takes longer values, new columns are declared so long."""
        limits = self.limits
        lengths = {"VARCHAR": limits.text_bytes, "BINARY": limits.binary_bytes}
        longer = {made: n for made, n in lengths.items() if n is not None and n > _DEFAULT_LENGTHS[made]}

        class Mapper(SnowflakeTypeMapper):
            def to_destination_type(self, column: Any, table: Any = None) -> str:
                made: str = super().to_destination_type(column, table)
                return f"{made}({longer[made]})" if made in longer else made

        return Mapper

    @contextmanager
    def locked(self, raw_schemas: Sequence[str], holder: Holder, lease: timedelta) -> Iterator[StillOurs]:
        """One session is open all the while, and those of the loads until it ends."""
        with self.connector as connector, connector.tagged(run_tag(holder.run_id)):
            try:
                with leased(self, raw_schemas, holder, lease) as still_ours:
                    yield still_ours
            finally:
                self._sessions.close()

    def prepare(self, raw_schema: str) -> None:
        """CREATE ... IF NOT EXISTS needs its right even where there is nothing to create, so it is looked for first."""
        within = self.connector.dialect.quote(self.fold(raw_schema))
        try:
            held = self.connector.show(f"SHOW STAGES LIKE {self.literal(self.fold(STAGE))} IN SCHEMA {within}")
        except DatabaseError as error:
            if error.number not in NOT_THERE:
                raise
            self.create_schema(raw_schema)
            held = []
        if self.fold(STAGE) not in {row["name"] for row in held}:
            self.connector.execute(Statement(f"CREATE STAGE IF NOT EXISTS {self.qualified(raw_schema, STAGE)}"))

    def create_schema(self, raw_schema: str) -> None:
        """Make a raw schema that is not there."""
        schema = self.connector.dialect.quote(self.fold(raw_schema))
        self.connector.execute(Statement(f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {schema}"))

    def tables(self, raw_schema: str) -> set[str]:
        """SHOW needs no running warehouse; it gives 10,000 rows at most.

        Raises `NotPermitted` where the schema is there and the role may not look into it: what stands there would be
        overlooked, and loaded again.
        """
        name = self.fold(raw_schema)
        rows = self._shown(f"SHOW OBJECTS IN SCHEMA {self.connector.dialect.quote(name)}")
        if not rows:
            for schema in self.connector.show(f"SHOW SCHEMAS LIKE {self.literal(name)}"):
                self._require_usage(name, schema)
        return super().tables(raw_schema) if len(rows) >= SHOWN else {str(row["name"]) for row in rows}

    def _require_usage(self, name: str, schema: Mapping[str, Any]) -> None:
        if schema["name"] != name or schema.get("database_name") not in (None, self.connector.config.database.upper()):
            return
        try:
            self.connector.show(f"SHOW OBJECTS IN SCHEMA {self.connector.dialect.quote(name)}")
        except DatabaseError as error:
            if error.number not in NOT_THERE:
                raise
            role = self.connector.config.role or "el's role"
            raise NotPermitted(
                f"raw schema {name} is there and {role} may not use it, so that its ledger would be overlooked: "
                f"GRANT USAGE ON SCHEMA {name} TO ROLE {role}, and OWNERSHIP of its tables; or set `raw.schema`"
            ) from None

    def columns_of(self, raw_schema: str, table: str) -> set[str]:
        rows = self._shown(f"SHOW COLUMNS IN TABLE {self.qualified(raw_schema, table)}")
        return {str(row["column_name"]) for row in rows}

    def _shown(self, sql: str) -> list[dict[str, Any]]:
        """The rows of SHOW; none where what it looks into is not there."""
        try:
            return self.connector.show(sql)
        except DatabaseError as error:
            if error.number in NOT_THERE:
                return []
            raise

    def comment(self, raw_schema: str, comments: Mapping[str, TableComment]) -> None:
        """dlt's CREATE TABLE has them already; said again is what differs, in one statement a table."""
        quote = self.connector.dialect.quote
        schema = quote(self.fold(raw_schema))
        tables = {row["name"]: row["comment"] for row in self._shown(f"SHOW OBJECTS IN SCHEMA {schema}")}
        columns = self._shown(f"SHOW COLUMNS IN SCHEMA {schema}")
        many = len(columns) >= SHOWN
        held = {(row["table_name"], row["column_name"]): row["comment"] for row in columns}
        for table, said in comments.items():
            place, stored = self.qualified(raw_schema, table), self.fold(table)
            if many:
                rows = self._shown(f"SHOW COLUMNS IN TABLE {place}")
                held |= {(stored, row["column_name"]): row["comment"] for row in rows}
            if tables.get(stored) != said.text:
                self.connector.execute(Statement(f"COMMENT ON TABLE {place} IS {self.literal(said.text)}"))
            other = [
                f"{self.column(name)} COMMENT {self.literal(text)}"
                for name, text in said.columns.items()
                if held.get((stored, self.fold(name))) != text
            ]
            if other:
                self.connector.execute(Statement(f"ALTER TABLE {place} ALTER {', '.join(other)}"))

    def held(self, raw_schema: str, load_id: str, tables: Mapping[str, Wanted]) -> dict[str, Held]:
        """In one statement for many tables, each of which looks at the partitions of its last load alone."""
        found: dict[str, Held] = {}
        names, load = list(tables), self.literal(load_id)
        sums = [self._sums(tables[name]) for name in names]
        for some in portions([" ".join(each) for each in sums], COUNTED):
            start = len(found)
            width = max(len(each) for each in sums[start : start + len(some)])
            each = [
                f"SELECT {number} AS n, COUNT(*) AS c{_padded(sums[number], width)} "
                f"FROM {self.qualified(raw_schema, names[number])} WHERE {self.column('_dlt_load_id')} = {load}"
                for number in range(start, start + len(some))
            ]
            for place, rows, *further in self.connector.fetch(Statement(" UNION ALL ".join(each))):
                name = names[int(str(place))]
                found[name] = self.summing.held(rows, further, tables[name].schema)
        return found

    def express(self) -> Express:
        return SnowflakeExpress(self)

    def put_files(self, raw_schema: str, package: Path) -> None:
        try:
            for statement in puts(package, self.qualified(raw_schema, STAGE)):
                self.connector.fetch(Statement(statement))
        except DatabaseError as error:
            why = f"{raw_schema}: its files could not be put into the stage: {error}"
            raise LoadError(why, retryable=True) from None

    def forget_staged(self, raw_schema: str) -> None:
        """Remove what is staged: files of loads that are complete, or come to nothing. They hold plain data."""
        try:
            self.connector.execute(Statement(f"REMOVE @{self.qualified(raw_schema, STAGE)}"))
        except DatabaseError as error:
            if error.number not in NOT_THERE:
                raise

    def require_plain(self, raw_schema: str, table: str, columns: Sequence[str] | None = None) -> None:
        """By the masking and row access policies on the table, of which its owner is told all."""
        place = self.qualified(raw_schema, table)
        sql = (
            "SELECT policy_kind, ref_column_name FROM TABLE(information_schema.policy_references("
            f"ref_entity_name => {self.literal(place)}, ref_entity_domain => 'TABLE'))"
        )
        named = None if columns is None else {self.fold(column).upper() for column in columns}
        for kind, column in self.connector.fetch(Statement(sql)):
            masks = column is not None and (named is None or str(column).upper() in named)
            if kind == "ROW_ACCESS_POLICY" or masks:
                what = f"a masking policy on {column}" if masks else "a row access policy"
                raise NotPermitted(
                    f"{raw_schema}.{table} has {what}: what el is shown of raw may not be what raw holds. Take the "
                    "policy off for el's role, or off raw, and set it on the tables that dbt makes of it"
                )

    def widen(self, raw_schema: str, table: str, columns: Sequence[Widened]) -> None:
        """A NUMBER of the same scale grows in place; any other change of type is not to be had in place (Snowflake,
        "ALTER TABLE ... ALTER COLUMN"): a column of the new type is filled beside the old one and takes its name.

        The table itself stays, with its comments, tags, grants and cluster key. Wherever this ends, done again it goes
        on; a statement that outlives its client changes only what its own rows hold.
        """
        place = self.qualified(raw_schema, table)
        checked = False
        for column in columns:
            name, wanted = self.fold(column.plan.name), column.plan.mapping.snowflake
            wider, narrow = self.fold(f"_el_wider_{column.plan.name}"), self.fold(f"_el_narrow_{column.plan.name}")
            types = self._types(raw_schema, table)
            if name in types and not _holds(types[name], wanted):
                held = types[name]
                if held.startswith("NUMBER") and held.split(",")[-1] == wanted.split(",")[-1]:
                    self._alter(place, f"ALTER COLUMN {self._quoted(name)} SET DATA TYPE {wanted}")
                    continue
                if not checked:
                    self.require_plain(raw_schema, table)
                    checked = True
                if wider not in types:
                    self._alter(place, f"ADD COLUMN {self._quoted(wider)} {wanted}")
                made = _AS_TEXT[column.before] if wanted == "VARCHAR" else f"CAST({{column}} AS {wanted})"
                value = made.replace("{column}", self._quoted(name))
                self.connector.execute(Statement(f"UPDATE {place} SET {self._quoted(wider)} = {value}"))
                self._alter(place, f"RENAME COLUMN {self._quoted(name)} TO {self._quoted(narrow)}")
                types = self._types(raw_schema, table)
            if name not in types and wider in types:
                self._alter(place, f"RENAME COLUMN {self._quoted(wider)} TO {self._quoted(name)}")
            if narrow in types:
                self._alter(place, f"DROP COLUMN {self._quoted(narrow)}")

    def _quoted(self, stored: str) -> str:
        return self.connector.dialect.quote(stored)

    def _alter(self, place: str, change: str) -> None:
        self.connector.execute(Statement(f"ALTER TABLE {place} {change}"))

    def _types(self, raw_schema: str, table: str) -> dict[str, str]:
        """The table's columns in order, with their types; a text is TEXT."""
        rows = self.connector.fetch(
            Statement(
                "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "
                "WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
                (self.fold(raw_schema), self.fold(table)),
            )
        )
        return {
            str(name): f"NUMBER({precision},{scale})" if type_ == "NUMBER" else str(type_)
            for name, type_, precision, scale in rows
        }
