"""Snowflake reads files by COPY out of an external stage.

COPY goes into a temporary table, with the metadata of each row's file, and an INSERT from there into raw. So what was
read is compared with what was listed before raw has a row of it, rows get their file's id by a join, which COPY does
not know, and the transaction is of plain DML alone. A temporary table ends with its session (Snowflake documentation,
"Working with Temporary and Transient Tables"): a run that is killed leaves nothing.

Of Parquet, "COPY INTO <table>" says: a column of the file without one of the table is left out, and no conversion of a
type is checked; the caller compares footers with raw before. Every option that could lose a value is said. Of a text,
the sum of all that was read is told beside, for the caller to compare.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from os.path import commonprefix
from typing import Any, Protocol

import pyarrow as pa

from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.errors import DatabaseError, LoadError, NotPermitted
from el.loading import snowflake_text
from el.loading.express import Copied, Express, Staged, StagedGroup, Target, TextForm, portions
from el.loading.file_ledger import FILE, ROW

# Snowflake documentation, "COPY INTO <table>", FILES.
MOST_FILES = 1000
# By so many files the stage's own url is told.
_TRIED = 3
_PART = r'(?:"[^"]+"|[A-Za-z_][\w$]*)'
_STAGE = re.compile(rf"{_PART}(?:\.{_PART}){{0,2}}")
# What comes out of COPY as it comes out of the landing files of the client, which are of these types too.
_TYPES = {
    *("string", "large_string", "binary", "large_binary", "int8", "int16", "int32", "int64", "double", "bool"),
    *("date32[day]", "time64[us]", "timestamp[us]", "timestamp[us, tz=UTC]"),
}
_COMPRESSIONS = {"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI"}
_METADATA = {
    "_el_express_name": "METADATA$FILENAME",
    "_el_express_row": "METADATA$FILE_ROW_NUMBER",
    "_el_express_key": "METADATA$FILE_CONTENT_KEY",
    "_el_express_modified": "METADATA$FILE_LAST_MODIFIED",
}
_COPY_OPTIONS = "FORCE = TRUE ON_ERROR = ABORT_STATEMENT PURGE = FALSE RETURN_FAILED_ONLY = FALSE ENFORCE_LENGTH = TRUE"
_NAME, _ROW, _KEY, _MODIFIED = (f'"{name}"' for name in _METADATA)


class Raw(Protocol):
    """What is asked of the warehouse."""

    connector: SqlConnector

    def qualified(self, raw_schema: str, table: str) -> str:
        """Schema and table, quoted."""

    def column(self, name: str) -> str:
        """A column's name, quoted."""

    def literal(self, text: str) -> str:
        """A text as SQL."""


class SnowflakeExpress(Express):
    """By COPY of an external stage."""

    def __init__(self, warehouse: Any) -> None:
        self._raw: Raw = warehouse

    def unfit(self, stage: str) -> str | None:
        if not _STAGE.fullmatch(stage):
            return f"`stage: {stage}` in the profile is no name of a stage, such as database.schema.stage"
        return None

    def unfit_columns(self, schema: pa.Schema, compressions: Collection[str]) -> str | None:
        for column in schema:
            type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
            if str(type_) not in _TYPES and not pa.types.is_decimal128(type_):
                return f"COPY may read {type_}, which column {column.name} is, otherwise than the client does"
            if column.name in _METADATA:
                return f"it has a column {column.name}"
        names = [column.name.casefold() for column in schema]
        if len(set(names)) < len(names):
            return "names of its columns differ by case alone"
        if other := sorted(set(compressions) - _COMPRESSIONS):
            return f"it is not certain that COPY reads {other[0]}"
        return None

    def unfit_text(self, form: TextForm) -> str | None:
        return snowflake_text.unfit(form)

    def listed(self, stage: str, names: Sequence[str]) -> dict[str, Staged]:
        """The stage shows files by their whole urls, which begin with its own: the one with which most are found."""
        # LIST takes the beginning of a name, not of a folder.
        prefix = commonprefix(list(names))  # noqa: RUF071
        place = self._raw.literal(f"@{stage}/{prefix}")
        try:
            rows = {str(row["name"]): row for row in self._shown(f"LIST {place}")}
        except DatabaseError as error:
            raise NotPermitted(
                f"{error}; el's role needs USAGE on an external stage of this name, its schema and database"
            ) from None
        bases = {url.removesuffix(name) for name in names[:_TRIED] for url in rows if url.endswith(f"/{name}")}
        base = max(sorted(bases, key=len), key=lambda each: sum(each + name in rows for name in names), default="")
        return {
            name: Staged(int(row["size"]), str(row["md5"] or ""), _utc(row["last_modified"]))
            for name in names
            if (row := rows.get(f"{base}{name}")) is not None
        }

    def _shown(self, sql: str) -> list[dict[str, Any]]:
        shown: Any = self._raw.connector
        found: list[dict[str, Any]] = shown.show(sql)
        return found

    def copy(self, target: Target, stage: str, number: int, group: StagedGroup) -> dict[str, Copied]:
        place = self._make_table(target, number, group)
        names = [file.name for file in group.files]
        parsed = 0
        for some in portions([self._raw.literal(name) for name in names], MOST_FILES):
            answer = self._raw.connector.fetch(Statement(self._copy(place, stage, group, some)))
            # file, status, rows_parsed, rows_loaded, ..., errors_seen; one text where there was no file.
            counted = [row for row in answer if len(row) > 5]
            if len(counted) != len(some) or any(row[2] != row[3] for row in counted):
                raise LoadError(f"COPY told of {len(counted):,} files, or left out rows of them")
            parsed += sum(int(str(row[3])) for row in counted)
        found = self._read(place, names)
        if (held := sum(file.rows for file in found.values())) != parsed:
            raise LoadError(f"COPY told of {parsed:,} rows, and {held:,} came")
        return found if group.form is None else self._compared(place, group, group.form, found)

    def _make_table(self, target: Target, number: int, group: StagedGroup) -> str:
        """With the types of raw, under the names that the files have."""
        place = self._place(target, number)
        columns = [f"{self._raw.column(raw)} AS {self._quoted(name)}" for name, raw in group.columns]
        own = dict(zip(_METADATA, ("VARCHAR", "NUMBER(19,0)", "VARCHAR", "TIMESTAMP_NTZ"), strict=True))
        if group.form is not None:
            own = {snowflake_text.MORE: "VARCHAR", **own}
        columns += [f"NULL::{type_} AS {self._quoted(name)}" for name, type_ in own.items()]
        raw = self._raw.qualified(target.raw_schema, target.raw_table)
        self._run(f"CREATE OR REPLACE TEMPORARY TABLE {place} AS SELECT {', '.join(columns)} FROM {raw} WHERE FALSE")
        return place

    def _place(self, target: Target, number: int) -> str:
        return self._raw.qualified(target.raw_schema, f"_el_express_{number}")

    def _copy(self, place: str, stage: str, group: StagedGroup, files: Sequence[str]) -> str:
        some = f"FILES = ({', '.join(files)})"
        if group.form is not None:
            columns = [*(name for name, _ in group.columns), snowflake_text.MORE, *_METADATA]
            numbers = range(1, len(group.columns) + 1)
            chosen = [snowflake_text.field(group.form, number, self._raw.literal) for number in numbers]
            chosen += [f"t.${len(group.columns) + 1}", *_METADATA.values()]
            return (
                f"COPY INTO {place} ({', '.join(map(self._quoted, columns))}) "
                f"FROM (SELECT {', '.join(chosen)} FROM @{stage}/ t) {some} "
                f"FILE_FORMAT = {snowflake_text.file_format(group.form)} {_COPY_OPTIONS}"
            )
        metadata = ", ".join(f"{self._quoted(name)} = {what}" for name, what in _METADATA.items())
        return (
            f"COPY INTO {place} FROM @{stage}/ {some} "
            "FILE_FORMAT = (TYPE = PARQUET BINARY_AS_TEXT = FALSE USE_LOGICAL_TYPE = TRUE "
            "USE_VECTORIZED_SCANNER = TRUE TRIM_SPACE = FALSE NULL_IF = () REPLACE_INVALID_CHARACTERS = FALSE) "
            f"MATCH_BY_COLUMN_NAME = CASE_SENSITIVE INCLUDE_METADATA = ({metadata}) {_COPY_OPTIONS}"
        )

    def _read(self, place: str, names: Sequence[str]) -> dict[str, Copied]:
        """What each file gave; files without a row are told by none. Rows of a file are numbered without a gap."""
        rows = self._raw.connector.fetch(
            Statement(
                f"SELECT {_NAME}, COUNT(*), MIN({_ROW}), MAX({_ROW}), COUNT(DISTINCT {_ROW}), MIN({_KEY}), "
                f"MAX({_KEY}), MIN({_MODIFIED}), MAX({_MODIFIED}) FROM {place} GROUP BY {_NAME}"
            )
        )
        found = {name: Copied("", 0, 1, "", None, True) for name in names}
        for told, count, first, last, different, *versions in rows:
            name = _below(str(told), found)
            total, least, most = (int(str(value)) for value in (count, first, last))
            if name is None or found[name].rows or not total == most - least + 1 == int(str(different)):
                raise LoadError(f"COPY did not number the rows of {told} one by one")
            key, other_key, modified, other_modified = versions
            one = (key, modified) == (other_key, other_modified)
            found[name] = Copied(str(told), total, least, str(key or ""), _utc(modified), one)
        return found

    def _compared(
        self, place: str, group: StagedGroup, form: TextForm, found: Mapping[str, Copied]
    ) -> dict[str, Copied]:
        """What was read, with the sum of its content, and without the header of each file."""
        columns = [f"t.{self._quoted(name)}" for name in (*(name for name, _ in group.columns), snowflake_text.MORE)]
        number = f"t.{_ROW} - f.first_row" if form.header else f"t.{_ROW} - f.first_row + 1"
        rows = self._raw.connector.fetch(
            Statement(
                f"SELECT t.{_NAME}, SUM({snowflake_text.content_of(number, columns)}) FROM {place} AS t "
                f"JOIN (SELECT {_NAME} AS file_name, MIN({_ROW}) AS first_row FROM {place} GROUP BY {_NAME}) AS f "
                f"ON t.{_NAME} = f.file_name GROUP BY t.{_NAME}"
            )
        )
        sums = {str(told): int(str(content)) for told, content in rows}
        header = 1 if form.header else 0
        return {
            name: replace(read, rows=read.rows - header, first=read.first + header, content=sums.get(read.told, 0))
            if read.rows
            else replace(read, content=0)
            for name, read in found.items()
        }

    def insert(self, target: Target, number: int, group: StagedGroup, copied: Mapping[str, Copied]) -> int:
        load, moment = (self._raw.literal(text) for text in (target.load_id, target.extracted_at.isoformat(" ")))
        values = {raw: f"t.{self._quoted(name)}" for name, raw in group.columns}
        values |= {raw: f"f.c{place}" for place, raw in enumerate(group.captures)}
        values |= {FILE: "f.file_id", ROW: f"t.{_ROW} - f.skipped", "_dlt_load_id": load, "_el_op": "'S'"}
        values |= {"_el_position": "f.as_of::VARCHAR", "_el_extracted_at": f"{moment}::TIMESTAMP_NTZ"}
        raw = self._raw.qualified(target.raw_schema, target.raw_table)
        into = f"INSERT INTO {raw} ({', '.join(self._raw.column(name) for name in values)})"
        told = []
        for file in group.files:
            if (read := copied.get(file.name)) is not None and read.rows:
                texts = [self._text(value) for value in (read.told, file.file_id, file.as_of, *file.captures)]
                told.append(f"({read.first - 1}, {', '.join(texts)})")
        captures = (f"c{place}" for place in range(len(group.captures)))
        names = ", ".join(["skipped", "file_name", "file_id", "as_of", *captures])
        return sum(
            self._run(
                f"{into} SELECT {', '.join(values.values())} FROM {self._place(target, number)} AS t "
                f"JOIN (VALUES {', '.join(some)}) AS f({names}) ON t.{_NAME} = f.file_name "
                f"AND t.{_ROW} > f.skipped"
            )
            for some in portions(told, MOST_FILES)
        )

    def _text(self, value: str | None) -> str:
        return "NULL" if value is None else self._raw.literal(value)

    def forget(self, target: Target, groups: int) -> None:
        for number in range(groups):
            self._run(f"DROP TABLE IF EXISTS {self._place(target, number)}")

    def _quoted(self, name: str) -> str:
        """As it is: files tell their columns by case, too."""
        return self._raw.connector.dialect.quote(name)

    def _run(self, sql: str) -> int:
        return self._raw.connector.execute(Statement(sql))


def _below(told: str, names: Mapping[str, Copied]) -> str | None:
    """The file that is told with its path from the root of the bucket: the longest of the names with which it ends."""
    parts = told.split("/")
    ends = ("/".join(parts[first:]) for first in range(len(parts)))
    return next((name for name in ends if name in names), None)


def _utc(value: object) -> datetime:
    """Whole seconds, as LIST tells them."""
    found = value if isinstance(value, datetime) else parsedate_to_datetime(str(value))
    return found.replace(tzinfo=found.tzinfo or UTC, microsecond=0)
