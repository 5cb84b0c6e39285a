"""MySQL's information_schema as a `Catalog`. A schema is a database here: there is nothing above it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from el.connectors.catalog import (
    ONE_MOMENT,
    Catalog,
    Check,
    Column,
    Consistency,
    ForeignKey,
    Key,
    SourceType,
    Table,
    TableName,
)
from el.connectors.mysql.dialect import WHOLE
from el.connectors.mysql.held import Held, held_by
from el.connectors.sql.cluster import READER_NOTE
from el.connectors.sql.select import Statement
from el.errors import ElError

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
_SYSTEM = "('information_schema', 'mysql', 'performance_schema', 'sys')"
TRANSACTIONAL = ("innodb", "rocksdb")
# The digits of a TIME and its kind stand in datetime_precision.
TYPE = "data_type, column_type, character_maximum_length, numeric_precision, numeric_scale, datetime_precision"

_TABLES = """SELECT table_schema, table_name, table_type, engine, table_rows, data_length + index_length,
table_comment FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
AND {where} ORDER BY 1, 2"""
_COLUMNS = f"""SELECT table_schema, table_name, column_name, ordinal_position, is_nullable, column_default,
collation_name, column_comment, extra, generation_expression, {TYPE}
FROM information_schema.columns WHERE {{where}} ORDER BY table_schema, table_name, ordinal_position"""
_KEYS = """SELECT table_schema, table_name, index_name, non_unique, column_name, sub_part
FROM information_schema.statistics WHERE {where} ORDER BY table_schema, table_name, index_name, seq_in_index"""
_FOREIGN = """SELECT table_schema, table_name, constraint_name, column_name, referenced_table_schema,
referenced_table_name, referenced_column_name FROM information_schema.key_column_usage
WHERE referenced_table_name IS NOT NULL AND {where}
ORDER BY table_schema, table_name, constraint_name, ordinal_position"""
_CHECKS = """SELECT constraint_schema AS table_schema, table_name, constraint_name, check_clause
FROM information_schema.check_constraints HAVING {where}"""
# Without the table's name among the checks, as MySQL has it.
_CHECKS_OF_MYSQL = """SELECT t.table_schema, t.table_name, c.constraint_name, c.check_clause
FROM information_schema.check_constraints AS c JOIN information_schema.table_constraints AS t
ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name HAVING {where}"""


def read_catalog(fetch: Fetch, schemas: Sequence[str] | None, *, brief: bool, is_mariadb: bool) -> Catalog:
    where = f"table_schema NOT IN {_SYSTEM}"
    if schemas is not None:
        where += f" AND table_schema IN ({', '.join('?' * len(schemas)) or 'NULL'})"

    def ask(sql: str) -> list[tuple[Any, ...]]:
        return fetch(Statement(sql.replace("{where}", where), tuple(schemas or ())))

    held: tuple[Held, ...] | None = None
    # A server without grants, or a proxy in front of one, has no answer.
    with suppress(ElError):
        held = tuple(held_by(fetch))
    asked = "SELECT VERSION(), @@lower_case_table_names, CURRENT_USER(), @@innodb_read_only"
    version, names, user, reader = fetch(Statement(asked))[0]
    columns, keys = _columns(ask(_COLUMNS)), _keys(ask(_KEYS))
    foreign = {} if brief else _foreign_keys(ask(_FOREIGN))
    checks = {} if brief else _checks(ask(_CHECKS if is_mariadb else _CHECKS_OF_MYSQL))
    tables = []
    for schema, table, kind, engine, rows, size, comment in ask(_TABLES):
        name, view = TableName(schema, table), kind == "VIEW"
        if not columns[name]:
            # A right that was taken back leaves the name alone to be seen.
            continue
        found = dict(keys[name])
        primary = found.pop("PRIMARY", (None, True))[0]
        tables.append(
            Table(
                name=name,
                columns=tuple(columns[name]),
                kind="view" if view else "table",
                primary_key=primary,
                uniques=tuple(key for key, unique in found.values() if unique),
                foreign_keys=tuple(foreign.get(name, ())),
                checks=tuple(checks.get(name, ())),
                rows=None if rows is None else int(rows),
                bytes=None if size is None else int(size),
                comment=None if view else comment or None,
                indexes=tuple(key for key, _ in found.values()),
                consistency=_consistency(engine),
                temporal="system_versioned" if kind == "SYSTEM VERSIONED" else None,
                partly_seen=held is not None
                and not any(each.covers("SELECT", schema, table, frozenset()) for each in held),
            )
        )
    return Catalog(
        "def",
        f"{'MariaDB' if is_mariadb else 'MySQL'} {version}",
        tuple(tables),
        consistency=_consistency(None),
        case_sensitive=not int(names),
        user=str(user),
        read_only=bool(int(reader)),
        notes=(READER_NOTE,) if int(reader) else (),
    )


def _consistency(engine: str | None) -> Consistency:
    """engine: None of a view, and of a query of one's own."""
    if engine is None:
        return Consistency(
            snapshot=True, statement=True, doubt="tables behind it that are not of InnoDB are of no one moment"
        )
    if engine.lower() in TRANSACTIONAL:
        return ONE_MOMENT
    why = f"the storage engine {engine} has no transactions"
    return Consistency(statement=True, no_snapshot=why, better="ALTER TABLE ... ENGINE = InnoDB")


def _columns(rows: list[tuple[Any, ...]]) -> dict[TableName, list[Column]]:
    found: dict[TableName, list[Column]] = defaultdict(list)
    for schema, table, name, position, nullable, default, collation, comment, extra, expression, *declared in rows:
        said = str(extra).upper()
        found[TableName(schema, table)].append(
            Column(
                name=name,
                type=source_type(*declared),
                nullable=nullable == "YES",
                column_id=int(position),
                computed=expression or None,
                # MariaDB's text of a default that is NULL.
                default=None if default in (None, "NULL") else str(default),
                collation=collation,
                comment=comment or None,
                is_computed=bool(expression),
                hidden="INVISIBLE" in said,
                generated=bool(expression) and expression.upper() in ("ROW START", "ROW END"),
            )
        )
    return found


def _keys(rows: list[tuple[Any, ...]]) -> dict[TableName, dict[str, tuple[Key, bool]]]:
    """Of each index its key, and whether it is unique. One over an expression, or over a text's beginning, is none."""
    parts: dict[tuple[TableName, str], list[tuple[Any, ...]]] = defaultdict(list)
    for schema, table, index, *part in rows:
        parts[TableName(schema, table), index].append(tuple(part))
    found: dict[TableName, dict[str, tuple[Key, bool]]] = defaultdict(dict)
    for (table, index), members in parts.items():
        if all(column is not None and beginning is None for _, column, beginning in members):
            unique = not int(members[0][0])
            found[table][index] = (Key(index, tuple(column for _, column, _ in members)), unique)
    return found


def _foreign_keys(rows: list[tuple[Any, ...]]) -> dict[TableName, list[ForeignKey]]:
    parts: dict[tuple[TableName, str], list[tuple[Any, ...]]] = defaultdict(list)
    for schema, table, name, *part in rows:
        parts[TableName(schema, table), name].append(tuple(part))
    found: dict[TableName, list[ForeignKey]] = defaultdict(list)
    for (table, name), members in parts.items():
        columns, schemas, tables, referenced = zip(*members, strict=True)
        found[table].append(ForeignKey(name, columns, TableName(schemas[0], tables[0]), referenced))
    return found


def _checks(rows: list[tuple[Any, ...]]) -> dict[TableName, list[Check]]:
    found: dict[TableName, list[Check]] = defaultdict(list)
    for schema, table, name, expression in rows:
        found[TableName(schema, table)].append(Check(name, expression))
    return found


def source_type(data: str, full: str, length: Any, precision: Any, scale: Any, digits: Any) -> SourceType:
    """A column's type, out of what `TYPE` asks for."""
    name = data.lower()
    if name in WHOLE:
        return SourceType(f"{name} unsigned" if "unsigned" in full.lower() else name)
    if name == "decimal":
        return SourceType(name, precision=int(precision), scale=int(scale))
    if name in ("datetime", "timestamp", "time"):
        return SourceType(name, scale=int(digits or 0))
    if name == "bit":
        return SourceType(name, length=int(precision))
    sized = name in ("char", "varchar", "binary", "varbinary")
    return SourceType(name, length=int(length) if sized else None)
