"""Writing into MySQL: rows as text into a temporary staging table, by LOAD DATA LOCAL or, where that is off, by INSERT.

Either way the server makes a value that it cannot hold into another one, with a warning: what was staged is read back
and compared, as everywhere. Only tables whose engine has transactions are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from el.connectors.catalog import TableName
from el.connectors.mysql import MySql
from el.connectors.mysql.catalog import TRANSACTIONAL, TYPE, source_type
from el.connectors.mysql.text import file_of, is_bytes, rows_of
from el.connectors.sql.column_types import ColumnTypes
from el.connectors.sql.common_form import TextIs
from el.connectors.sql.incoming import Spool
from el.connectors.sql.select import Statement
from el.connectors.sql.write import SqlWrite
from el.connectors.sql.write_job import TargetColumn
from el.errors import ElError, WriteError
from el.types.rule import MOMENTS, TypeKind, decide

_TEXT = "LONGTEXT"
TYPES = ColumnTypes(
    plain={
        "bool": "BOOLEAN",
        "int8": "TINYINT",
        "uint8": "TINYINT UNSIGNED",
        "int16": "SMALLINT",
        "uint16": "SMALLINT UNSIGNED",
        "int32": "INT",
        "uint32": "INT UNSIGNED",
        "int64": "BIGINT",
        "float": "FLOAT",
        "double": "DOUBLE",
        "date32[day]": "DATE",
        **dict.fromkeys(("string", "large_string", "null"), _TEXT),
        **dict.fromkeys(("binary", "large_binary"), "LONGBLOB"),
    },
    decimal="DECIMAL({precision},{scale})",
    time="TIME({digits})",
    moment="DATETIME({digits})",
    instant="TIMESTAMP({digits})",
    digits=6,
    precision=65,
    scale=30,
    # With a collation that every other one gives way to: two that are no such do not compare.
    casts={_TEXT: "CAST(? AS CHAR) COLLATE utf8mb4_bin"},
)
_NAME = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
# To these a text is something else than its number: '0' is the year 2000, and '1' eight bits.
_NUMBERED = ("year", "bit")
# Characters of one statement; its bytes are at most twice as many as text has.
_STATEMENT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class MySqlColumn(TargetColumn):
    """nullable: NULL is a value of it. To others MySQL may give a value of its own in the place of NULL."""

    nullable: bool = True


class MySqlWrite(SqlWrite[MySql]):
    types = TYPES
    ledger_columns = (
        f"run_id VARCHAR(200) {_NAME}, target VARCHAR(300) {_NAME}, mode VARCHAR(20) NOT NULL, row_count BIGINT NOT "
        "NULL, written_at DATETIME(6) NOT NULL, PRIMARY KEY (target, run_id)"
    )
    ledger_row = "VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))"
    transactional_ddl = False
    names_in_any_case = True

    def target_columns(self, table: TableName) -> list[TargetColumn]:
        rows = self.session.fetch(
            Statement(
                f"SELECT t.engine, c.column_name, c.is_nullable, {', '.join(f'c.{name}' for name in TYPE.split(', '))} "
                "FROM information_schema.columns AS c JOIN information_schema.tables AS t "
                "ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
                "WHERE c.table_schema = ? AND c.table_name = ? AND COALESCE(c.generation_expression, '') = '' "
                "ORDER BY c.ordinal_position",
                (table.schema, table.name),
            )
        )
        found: list[TargetColumn] = []
        for engine, name, nullable, data, full, *sizes in rows:
            if engine is not None and str(engine).lower() not in TRANSACTIONAL:
                raise WriteError(f"{table} is {engine}, which has no transactions: half of a write could stay in it")
            made = source_type(str(data), str(full), sizes[0], sizes[1], sizes[2], sizes[3])
            found.append(MySqlColumn(str(name), made, nullable == "YES"))
        return found

    def pads_blanks(self, column: TargetColumn) -> bool:
        return column.type.name == "char"

    def read_back(self, column: TargetColumn) -> str | None:
        # What the server made of a date that it does not hold is no date: NULL differs from what was sent, too.
        rule = decide(self.session.rules, column.type)
        dated = rule is not None and rule.lossy is not None and rule.kind in MOMENTS
        return rule.lossy.read_as if rule and rule.lossy and dated else super().read_back(column)

    def _text_is(self, column: TargetColumn) -> TextIs:
        duration = self.session.facts(column.type).kind is TypeKind.DURATION
        return TextIs.NUMBER_OR_TIME if duration else super()._text_is(column)

    def like_target(self, names: str) -> str:
        # Of an outer join every column may be NULL, and none draws numbers of its own.
        none = "(SELECT 1 AS el_none) AS el_none"
        return (
            f"CREATE TEMPORARY TABLE {self.staged} AS SELECT {names} FROM {none} LEFT JOIN {self.into} ON FALSE LIMIT 0"
        )

    def _created(self, table: str, temporary: str, schema: pa.Schema) -> str:
        # A server of before gives a TIMESTAMP that does not say NULL the time of each write.
        listed = (
            f"{self.quote(name)} {type_}{' CHARACTER SET utf8mb4' if type_ == _TEXT else ''} NULL"
            for name, type_ in self._types_of(schema).items()
        )
        return f"CREATE {temporary}TABLE {table} ({', '.join(listed)})"

    def stage(self, spool: Spool) -> None:
        super().stage(spool)
        for column, name in zip(self.columns, spool.schema.names, strict=False):
            assert isinstance(column, MySqlColumn)
            if not column.nullable:
                missing = f"SELECT COUNT(*) FROM {self.staged} WHERE {self.quote(name)} IS NULL"
                if found := self.session.fetch(Statement(missing))[0][0]:
                    raise WriteError(
                        f"{self.job.target}.{name} is NOT NULL, and {found} rows of the data have no value"
                    )

    def fill(self, spool: Spool) -> None:
        session = self.session
        try:
            if session.fetch(Statement("SELECT @@local_infile"))[0][0] == 1:
                session.driver.load(self._load(spool.schema), (part for b in spool.batches() for part in file_of(b)))
                return
        except Exception as error:
            raise session.translate(error, writing=True) from None
        most = min(_STATEMENT, int(str(session.fetch(Statement("SELECT @@max_allowed_packet"))[0][0])) // 2)
        head = f"INSERT IGNORE INTO {self.staged} ({self.listed(spool.schema.names)}) VALUES "
        for batch in spool.batches():
            for values in rows_of(batch, most):
                session.execute(Statement(head + values))

    def _load(self, schema: pa.Schema) -> str:
        made: dict[str, str] = {}
        for number, field in enumerate(schema):
            if is_bytes(field.type):
                made[field.name] = f"UNHEX(@v{number})"
            elif self.columns and self.columns[number].type.name in _NUMBERED:
                made[field.name] = f"CAST(@v{number} AS UNSIGNED)"
        given = ", ".join(f"@v{n}" if name in made else self.quote(name) for n, name in enumerate(schema.names))
        sets = ", ".join(f"{self.quote(name)} = {expression}" for name, expression in made.items())
        return (
            f"LOAD DATA LOCAL INFILE 'el' INTO TABLE {self.staged} CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' "
            f"ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({given}){' SET ' if made else ''}{sets}"
        )

    def merged(self, names: Sequence[str]) -> list[str]:
        quote, key = self.quote, self.job.key
        same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
        changed = ", ".join(f"t.{quote(name)} = s.{quote(name)}" for name in names if name not in key)
        values = ", ".join(f"s.{quote(name)}" for name in names)
        insert = (
            f"INSERT INTO {self.into} ({self.listed(names)}) SELECT {values} FROM {self.staged} AS s "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self.into} AS t WHERE {same})"
        )
        return [
            *([f"UPDATE {self.into} AS t JOIN {self.staged} AS s ON {same} SET {changed}"] if changed else []),
            insert,
        ]

    def clean_up(self) -> None:
        with suppress(ElError):
            self.session.execute(Statement(f"DROP TEMPORARY TABLE IF EXISTS {self.staged}"))
