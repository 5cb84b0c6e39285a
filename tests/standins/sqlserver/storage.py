"""How a declared table lies in DuckDB: columns `c<id>`, unique indexes, a rebuild for every change of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import catalog, constraints, lookup
from .catalog import ColumnDef, TableDef, new_object_id
from .convert import Bound, convert
from .engine import now_ticks
from .errors import SqlError, invalid_column
from .scan import Scanner

if TYPE_CHECKING:
    from .session import Session


def new_table(session: Session, names: list[str], columns: list[ColumnDef]) -> TableDef:
    """A table's beginnings under a name that is free. Raises 2714 where it is not."""
    if lookup.find(session, names) is not None:
        raise SqlError(2714, f"There is already an object named '{names[-1]}' in the database.", 16, 6)
    if names[-1].startswith("#"):
        return TableDef(new_object_id(), "dbo", names[-1], columns=columns, database="tempdb", created=now_ticks())
    database, schema, name = lookup.split(session, names)
    lookup.schema_id(session, database, schema)
    return TableDef(new_object_id(), schema, name, columns=columns, database=database.name)


def temporary(table: TableDef) -> str:
    return "TEMP " if table.database == "tempdb" else ""


def create(session: Session, table: TableDef) -> None:
    session.wrote_into(table)
    listed = ", ".join(f"{c.physical} {c.type.stored}{c.collate}" for c in table.columns)
    session.run_sql(f"CREATE {temporary(table)}TABLE {table.sql} ({listed})")
    _index(session, table)
    save(session, table)


def save(session: Session, table: TableDef) -> None:
    if table.database == "tempdb":
        session.temp_tables[table.name.lower()] = table
        return
    database = session.engine.database(table.database)
    session.wrote_into(table)
    catalog.save(session.con, table, lookup.schema_id(session, database, table.schema), now_ticks())


def _index(session: Session, table: TableDef) -> None:
    """Unique indexes see what other open transactions commit, which the checks of constraints.py cannot."""
    for key in table.keys:
        if key.unique and not key.filter:
            parts = []
            for column_id, _ in key.columns:
                column = table.by_id(column_id)
                parts.append(f"({column.physical}.t)" if column.type.family == "dto" else column.physical)
            session.run_sql(f"CREATE UNIQUE INDEX u{table.physical}_{key.index_id} ON {table.sql} ({', '.join(parts)})")


def replace(session: Session, table: TableDef, values: dict[int, str] | None = None) -> None:
    """Puts the changed table in the place of what it was.

    values: column id -> DuckDB expression over the old columns, for columns that are new or changed their type.
    """
    session.wrote_into(table)
    if table.kind == "U":
        old = table.sql
        table.generation += 1
        listed = ", ".join(f"{(values or {}).get(c.column_id, c.physical)} AS {c.physical}" for c in table.columns)
        columns = ", ".join(f"{c.physical} {c.type.stored}{c.collate}" for c in table.columns)
        session.run_sql(f"CREATE {temporary(table)}TABLE {table.sql} ({columns})")
        session.run_sql(f"INSERT INTO {table.sql} SELECT {listed} FROM {old}")
        session.run_sql(f"DROP TABLE {old}")
        _index(session, table)
    save(session, table)


def drop(session: Session, table: TableDef) -> None:
    session.wrote_into(table)
    if table.kind == "U":
        session.run_sql(f"DROP TABLE {table.sql}")
    session.engine.identities.pop(table.object_id, None)
    if table.database == "tempdb":
        session.temp_tables.pop(table.name.lower(), None)
        return
    db = session.engine.database(table.database).quoted
    catalog.delete_rows(session.con, db, table.object_id)
    session.run_sql(f"DELETE FROM {db}.cat.extended_properties WHERE class = 1 AND major_id = {table.object_id}")


def check_existing(session: Session, table: TableDef) -> None:
    """Raises where the rows that are there break a constraint of `table`, which has not replaced the old one yet."""
    news = ", ".join(f"{c.physical} AS n{c.column_id}, {c.physical} AS o{c.column_id}" for c in table.columns)
    session.run_sql(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT rowid AS _rid, 'U' AS _op, {news} FROM {table.sql}")
    try:
        constraints.check(session, table, "ALTER TABLE", None)
    except SqlError as error:
        if error.number in (2627, 2601):
            name = error.message.split("'")[1]
            raise SqlError(
                1505,
                "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name "
                f"'{table.schema}.{table.name}' and the index name '{name}'. "
                f"{error.message[error.message.rindex('The') :]}",
            ) from error
        raise


def key_part(table: TableDef, text: str) -> tuple[int, bool]:
    """A column of a key, `name [ASC | DESC]`: its id, and whether it descends."""
    s = Scanner(text)
    name = s.name()
    column = table.column(name)
    if column is None:
        raise SqlError(1911, f"Column name '{name}' does not exist in the target table or view.")
    return column.column_id, s.accept("DESC")


def column_of(table: TableDef, name: str) -> ColumnDef:
    column = table.column(name)
    if column is None:
        invalid_column(name)
    return column


def converted(column: ColumnDef, old: ColumnDef) -> str:
    return convert(Bound(old.physical, old.type), column.type, assign=True).sql
