"""What fakesnow does differently inside its functions, replaced in this process only. One function a difference."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.server as fake
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from fakesnow import arrow, copy_into, info_schema, rowtype, transforms
from fakesnow.transforms import show, stage
from fakesnow.variables import Variables
from sqlglot import Expr, exp

from . import catalog, keys
from .errors import compilation_error, remote_file_not_found


def install(stages: Path) -> None:
    """Puts every replacement in place. stages: the directory of staged files, emptied only if it is not there yet."""
    stages.mkdir(parents=True, exist_ok=True)
    stage.LOCAL_BUCKET_PATH = str(stages.resolve())
    fake.gcs_stage_info = _put_straight_into_the_stage
    fake.to_sf = _whole_numbers_as_integers
    fake.from_binding = _bound_value
    fake.describe_as_rowtype = _six_digits
    arrow.timestamp_to_sf_struct = _timestamps_with_nulls
    transforms.integer_precision = _number_keeps_38_digits
    transforms.upper_case_unquoted_identifiers = _upper_case
    transforms.numeric_agg_implicit_cast = _exact_sums
    Variables.inline_variables = _variables_outside_texts
    copy_into._source_urls = _files_of_a_stage
    copy_into._get_table_columns = _column_names_as_they_are
    copy_into._match_parquet_columns = _match_columns
    copy_into._params = _copy_parameters
    copy_into._get_parquet_column_names = _names_in_file
    rowtype.duckdb_to_sf_type.update(
        dict.fromkeys(("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", "UINTEGER", "UHUGEINT"), "fixed")
        | {"FLOAT": "real", "UUID": "text", "TIMESTAMP_S": "timestamp_ntz", "TIMESTAMP_MS": "timestamp_ntz"}
    )
    info_schema.insert_table_comment_sql = _table_comment_sql
    per_database = info_schema.per_db_creation_sql
    info_schema.per_db_creation_sql = lambda name: per_database(name) + catalog.per_database_sql(name)
    info_schema.SQL_CREATE_GLOBAL_INFORMATION_SCHEMA_COLUMNS_VIEW = catalog.whole_numbers_as_number(
        info_schema.SQL_CREATE_GLOBAL_INFORMATION_SCHEMA_COLUMNS_VIEW
    )
    for_all, show_all = info_schema.fs_global_creation_sql, show.fs_global_creation_sql
    info_schema.fs_global_creation_sql = lambda: for_all() + ";" + catalog.TABLES_SQL + keys.TABLE_SQL
    show.fs_global_creation_sql = lambda: show_all() + ";" + catalog.SHOW_SQL


_inline_variables = Variables.inline_variables
_TEXT = re.compile(r"('(?:[^'\\]|\\.|'')*')", re.DOTALL)


def _variables_outside_texts(self: Any, sql: str) -> str:
    """What a dollar stands in front of within quotes is text (Snowflake, "SQL variables"), as in '$numberInt'."""
    parts = _TEXT.split(sql)
    return "".join(part if number % 2 else _inline_variables(self, part) for number, part in enumerate(parts))


def _put_straight_into_the_stage(_request: Any, _expression: Expr, put: Any) -> Any:
    """PUT copies the file into the stage's directory: client and server share one file system."""
    return put["stageInfo"]


def _whole_numbers_as_integers(table: pa.Table, types: list[Any]) -> pa.Table:
    """NUMBER(p, 0) goes as 64-bit integers where all values fit, as Snowflake sends it; else as decimal128."""
    for position, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                whole = pc.cast(table.column(position), pa.int64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(position, pa.field(field.name, pa.int64()), whole)
        elif pa.types.is_timestamp(field.type) and field.type.unit != "us":
            table = table.set_column(
                position, field.name, table.column(position).cast(pa.timestamp("us", field.type.tz))
            )
    # A timestamp goes as seconds and nanoseconds, whatever its column announces.
    packed = [{**kind, "scale": 9} if kind["type"].startswith("timestamp") else kind for kind in types]
    return arrow.to_sf(table, packed)


def _timestamps_with_nulls(column: pa.ChunkedArray) -> pa.StructArray:
    """Snowflake's struct for a timestamp in microseconds; fakesnow turns NULL into 1970-01-01."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    ticks = values.cast(pa.int64()).fill_null(0)
    # floor division by a power of ten that is exact below zero too
    seconds = pc.floor_temporal(values, unit="second").cast(pa.int64()).fill_null(0)
    epoch = pc.divide(seconds, 1_000_000)
    fraction = pc.multiply(pc.subtract(ticks, seconds), 1000).cast(pa.int32())
    parts = {"epoch": epoch, "fraction": fraction}
    if values.type.tz:
        parts["timezone"] = pa.array([1440] * len(values), type=pa.int32())
    fields = [pa.field(name, part.type, nullable=False) for name, part in parts.items()]
    return pa.StructArray.from_arrays(list(parts.values()), fields=fields, mask=values.is_null())


_NATIVE_ROWTYPE = rowtype.describe_as_rowtype


def _six_digits(described: list[Any]) -> list[Any]:
    """Timestamps are announced with the six digits that are kept of them, not with nine."""
    found = _NATIVE_ROWTYPE(described)
    for column in found:
        if column["type"].startswith("timestamp"):
            column["scale"] = 6
    return found


_NATIVE_FROM_BINDING = fake.from_binding


def _bound_value(binding: dict[str, Any]) -> Any:
    """NULL of any type, FIXED with decimals, and timestamps to the microsecond, TIMESTAMP_NTZ without a zone."""
    kind, value = binding["type"], binding["value"]
    if value is None:
        return None
    if kind == "FIXED" and not value.lstrip("+-").isdigit():
        return Decimal(value)
    if kind.startswith("TIMESTAMP_"):
        moment = datetime(1970, 1, 1) + timedelta(microseconds=int(value.split()[0]) // 1000)
        return moment if kind == "TIMESTAMP_NTZ" else moment.replace(tzinfo=UTC)
    return _NATIVE_FROM_BINDING(binding)


_NATIVE_TABLE_COMMENT_SQL = info_schema.insert_table_comment_sql


def _table_comment_sql(database: str, schema: str, table: str, comment: str | None) -> str:
    """Comments with quotes in them, and none at all where fakesnow writes 'None'."""
    if comment is None:
        return "SELECT 1"
    return _NATIVE_TABLE_COMMENT_SQL(database, schema, table, comment.replace("'", "''"))


_NATIVE_UPPER_CASE = transforms.upper_case_unquoted_identifiers


@lru_cache
def _words_reserved_in_duckdb() -> frozenset[str]:
    words = duckdb.sql("SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category != 'unreserved'")
    return frozenset(word for (word,) in words.fetchall()) - {"DEFAULT"}


def _upper_case(expression: Expr) -> Expr:
    """Unquoted names in upper case, and quoted where DuckDB reserves the word and Snowflake does not (AT)."""
    expression = _NATIVE_UPPER_CASE(expression)
    if isinstance(expression, exp.Identifier) and expression.this in _words_reserved_in_duckdb():
        expression.set("quoted", True)
    return expression


_NATIVE_INTEGER_PRECISION = transforms.integer_precision


def _number_keeps_38_digits(expression: Expr) -> Expr:
    """NUMBER(38, 0) of a column, or cast to in a select list, is 38 digits wide; fakesnow makes it BIGINT."""
    if isinstance(expression, exp.DataType):
        at = expression.parent
        if isinstance(at, exp.Cast):
            at = at.parent
            is_output = isinstance(at.parent if isinstance(at, exp.Alias) else at, exp.Select)
        else:
            is_output = isinstance(at, exp.ColumnDef)
        if is_output and isinstance(_NATIVE_INTEGER_PRECISION(expression.copy()), exp.DataType):
            changed = _NATIVE_INTEGER_PRECISION(expression)
            if changed is not expression and expression.this == exp.DataType.Type.DECIMAL:
                return exp.DataType.build("DECIMAL(38, 0)")
            return changed
    return _NATIVE_INTEGER_PRECISION(expression)


_NATIVE_AGGREGATE_CAST = transforms.numeric_agg_implicit_cast


def _exact_sums(expression: Expr) -> Expr:
    """SUM keeps its decimals; fakesnow casts its argument to a float."""
    if not isinstance(expression, exp.Sum):
        return _NATIVE_AGGREGATE_CAST(expression)
    if isinstance(expression.parent, exp.Select):
        name = f"SUM({expression.this.sql(dialect='snowflake').upper()})"
        return exp.alias_(expression, name, quoted=True)
    return expression


_NATIVE_SOURCE_URLS = copy_into._source_urls
# Snowflake, "COPY INTO <table>": the names that FILES takes.
MOST_FILES = 1000


def _files_of_a_stage(source: str, names: list[str]) -> list[str]:
    """FILES below the path of an internal stage; each of them has to be there, and no more may be named than fit."""
    if len(names) > MOST_FILES:
        text = f"Too many files in the FILES list: {len(names)}, at most {MOST_FILES}"
        raise compilation_error(text, 1003, "42000")
    if not stage.is_internal(source):
        return _NATIVE_SOURCE_URLS(source, names)
    found = [f"{source}{name}" for name in names]
    for path in found:
        if not Path(path).is_file():
            raise remote_file_not_found(path)
    return found


def _column_names_as_they_are(table: exp.Table, duck: Any, database: str | None, schema: str | None) -> list[str]:
    return [name for name, _ in copy_into._describe_table(table, duck, database, schema)]


def _match_columns(in_file: list[str], in_table: list[str], mode: copy_into.MatchByColumnName) -> dict[str, str]:
    """Table column -> file column, as MATCH_BY_COLUMN_NAME says."""
    if mode is copy_into.MatchByColumnName.CASE_SENSITIVE:
        return {name: name for name in in_table if name in in_file}
    by_upper = {name.upper(): name for name in in_file}
    return {name: by_upper[name.upper()] for name in in_table if name.upper() in by_upper}


_NATIVE_COPY_PARAMETERS = copy_into._params
_NATIVE_NAMES_IN_FILE = copy_into._get_parquet_column_names
_JSON_NAMES: dict[str, list[str]] = {}  # file -> the keys of its objects


class _JsonByName(copy_into.ReadParquet):
    """A file of JSON objects read like a table: every value as text, which the table's column types then read."""

    def read_expression(self, url: str) -> Expr:
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in _JSON_NAMES[url])
        call = f"read_json('{url}', format = 'newline_delimited', columns = {{{columns}}})"
        return sqlglot.parse_one(call, read="duckdb")


def _copy_parameters(*args: Any, **kwargs: Any) -> copy_into.CopyParams:
    parameters = _NATIVE_COPY_PARAMETERS(*args, **kwargs)
    by_name = parameters.match_by_column_name is not copy_into.MatchByColumnName.NONE
    if by_name and isinstance(parameters.file_format, copy_into.ReadJSON):
        parameters.file_format = _JsonByName()
    return parameters


def _names_in_file(url: str, duck: Any) -> list[str]:
    with open(url, "rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        return _NATIVE_NAMES_IN_FILE(url, duck)
    found = duck.execute("SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects(?)", [url]).fetchall()
    _JSON_NAMES[url] = [name for (name,) in found]
    return _JSON_NAMES[url]
