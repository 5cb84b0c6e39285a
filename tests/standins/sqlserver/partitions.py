"""Partitioned tables: functions, schemes, what sys.partitions shows, and ALTER TABLE ... SWITCH.

A partition's id goes with its rows where it is switched. Boundaries are kept as T-SQL. Microsoft Learn, "CREATE
PARTITION FUNCTION", "CREATE PARTITION SCHEME", "ALTER TABLE", "SWITCH".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import lookup, storage
from .catalog import TableDef, from_json
from .convert import convert
from .dialect import parse_expression
from .errors import SqlError
from .scan import Scanner

if TYPE_CHECKING:
    from .engine import Database
    from .session import Session


def create(session: Session, s: Scanner) -> None:
    """CREATE PARTITION FUNCTION f (type) AS RANGE RIGHT FOR VALUES (...), or SCHEME s AS PARTITION f ALL TO (g)."""
    database = session.database
    if s.accept("FUNCTION"):
        name = s.name().lower()
        s.parenthesised()
        s.expect("AS", "RANGE")
        right = s.accept("RIGHT")
        s.accept("LEFT")
        s.expect("FOR", "VALUES")
        database.partition_functions[name] = (right, Scanner(s.parenthesised()).list_of())
        return
    s.expect("SCHEME")
    name = s.name().lower()
    s.expect("AS", "PARTITION")
    database.partition_schemes[name] = s.name().lower()
    s.rest()


def place(session: Session, table: TableDef, scheme: str, column: str) -> None:
    """CREATE TABLE ... ON scheme(column)."""
    database = session.database
    function = database.partition_schemes.get(scheme.lower())
    if function is None:
        raise SqlError(1921, f"Invalid partition scheme '{scheme}' specified.")
    table.partitioned_by = storage.column_of(table, column).name
    table.range_right, table.boundaries = database.partition_functions[function]


def _first_id(table: TableDef) -> int:
    return (table.object_id - 901_578_000) * 65_536 + 72_057_594_000_000_000


def ids(table: TableDef) -> list[int]:
    """The ids of a table's partitions, in their order."""
    return table.partition_ids or [_first_id(table) + 256 * i for i in range(len(table.boundaries) + 1)]


def _number(session: Session, table: TableDef) -> str:
    """The number of a row's partition, as DuckDB SQL. NULL is in the first one."""
    from .binder import Binder
    from .scope import Scope

    if table.partitioned_by is None:
        return "1"
    column = storage.column_of(table, table.partitioned_by)
    op = ">=" if table.range_right else ">"
    bounds = [
        convert(Binder(session).value(parse_expression(text), Scope()), column.type).sql for text in table.boundaries
    ]
    return " + ".join(["1", *(f"coalesce(CAST({column.physical} {op} {bound} AS INTEGER), 0)" for bound in bounds)])


def relation(session: Session, database: Database) -> str:
    """Every partition of every table: object_id, number, partition_id, n."""
    tables = [
        from_json(b) for (b,) in session.execute(f"SELECT body FROM {database.quoted}.cat.objects WHERE type = 'U'")
    ]
    listed = ", ".join(
        f"({table.object_id}, {number}, {id_})" for table in tables for number, id_ in enumerate(ids(table), 1)
    )
    counts = " UNION ALL ".join(
        f"SELECT {t.object_id} AS object_id, {_number(session, t)} AS number, count(*) AS n FROM {t.sql} GROUP BY ALL"
        for t in tables
    )
    if not listed:
        return "(SELECT 0 AS object_id, 0 AS number, 0::BIGINT AS partition_id, 0 AS n WHERE false)"
    return (
        f"(SELECT p.object_id, p.number, p.partition_id, c.n FROM (VALUES {listed}) p(object_id, number, partition_id) "
        f"LEFT JOIN ({counts}) c ON c.object_id = p.object_id AND c.number = p.number)"
    )


def switch(session: Session, source: TableDef, s: Scanner) -> None:
    """ALTER TABLE source SWITCH [PARTITION n] TO target [PARTITION m]: rows change their table, and nothing else."""
    out = int(s.next().text) if s.accept("PARTITION") else 1
    s.expect("TO")
    target = lookup.table(session, s.names()).copy()
    into = int(s.next().text) if s.accept("PARTITION") else 1
    for table in (source, target):
        if table.tracked:
            raise SqlError(
                4900,
                f"The ALTER TABLE SWITCH statement failed for table '{table.name}'. It is not possible to switch the "
                "partition of a table that has change tracking enabled.",
            )
    if session.run_sql(f"SELECT 1 FROM {target.sql} WHERE {_number(session, target)} = {into} LIMIT 1"):
        raise SqlError(
            4904,
            f"ALTER TABLE SWITCH statement failed. The specified partition {into} of target table "
            f"'{target.name}' must be empty.",
        )
    theirs = ", ".join(c.physical for c in target.columns)
    mine = ", ".join(c.physical for c in source.columns)
    which = f"{_number(session, source)} = {out}"
    if target.partitioned_by is not None and session.run_sql(
        f"SELECT 1 FROM (SELECT {mine} FROM {source.sql} WHERE {which}) AS q({theirs}) "
        f"WHERE {_number(session, target)} <> {into} LIMIT 1"
    ):
        raise SqlError(
            4972,
            "ALTER TABLE SWITCH statement failed. Check constraints or partition function of source table allows "
            "values that are not allowed by check constraints or partition function on target table.",
        )
    session.wrote_into(source)
    session.run_sql(f"INSERT INTO {target.sql} ({theirs}) SELECT {mine} FROM {source.sql} WHERE {which}")
    session.run_sql(f"DELETE FROM {source.sql} WHERE {which}")
    source.partition_ids, target.partition_ids = ids(source), ids(target)
    source.partition_ids[out - 1], target.partition_ids[into - 1] = (
        target.partition_ids[into - 1],
        source.partition_ids[out - 1],
    )
    storage.save(session, source)
    storage.save(session, target)
