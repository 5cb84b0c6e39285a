"""ALTER TABLE: every change of columns rebuilds the table, every new constraint is held against the rows there are.

Microsoft Learn, "ALTER TABLE (Transact-SQL)".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cdc, change_tracking, constraints, ddl_table, lookup, partitions, storage
from .binder import Binder
from .catalog import KeyDef, TableDef
from .convert import convert
from .dialect import parse_expression
from .errors import SqlError
from .scan import Scanner
from .scope import Scope

if TYPE_CHECKING:
    from .session import Session


def alter(session: Session, s: Scanner) -> None:
    names = s.names()
    if s.accept("REBUILD") or s.accept("SET"):
        return
    if s.accept("SWITCH"):
        rest = s.tokens[s.at :]
        session.atomic(lambda: partitions.switch(session, lookup.table(session, names).copy(), Scanner(s.sql, rest)))
        return
    if s.sees("ENABLE") or s.sees("DISABLE"):
        change_tracking.alter_table(session, names, s)
        return
    session.atomic(lambda: _alter(session, names, Scanner(s.sql, s.tokens[s.at :])))


def _alter(session: Session, names: list[str], s: Scanner) -> None:
    table = lookup.table(session, names).copy()
    unchecked = s.accept("WITH", "NOCHECK")
    s.accept("WITH", "CHECK")
    if s.accept("ADD"):
        s.accept("COLUMN")
        _add(session, table, s, unchecked)
    elif s.accept("ALTER", "COLUMN"):
        _alter_column(session, table, s)
    elif s.accept("DROP", "COLUMN"):
        exists = s.accept("IF", "EXISTS")
        _drop_columns(session, table, [Scanner(c).name() for c in s.list_of()], exists)
    elif s.accept("DROP"):
        s.accept("CONSTRAINT")
        exists = s.accept("IF", "EXISTS")
        for text in s.list_of():
            _drop_constraint(session, table, Scanner(text).name(), exists)
    elif s.sees("CHECK") or s.sees("NOCHECK"):
        _enable(table, s.next().text == "NOCHECK", unchecked, s)
    else:
        raise SqlError(40517, f"the stand-in does not support: ALTER TABLE {table.name} {s.rest()[:80]}")
    storage.replace(session, table, getattr(s, "values", None))


def _add(session: Session, table: TableDef, s: Scanner, unchecked: bool) -> None:
    before = {c.column_id for c in table.columns}
    rules = len(table.keys) + len(table.checks) + len(table.foreign_keys)
    ddl_table.elements(session, table, s, unchecked)
    ddl_table.compute_types(session, table)
    values = {}
    for column in table.columns:
        if column.column_id in before:
            continue
        value = f"CAST(NULL AS {column.type.stored})"
        if column.identity:
            value = (
                f"CAST({column.identity[0]} + {column.identity[1]} * (row_number() OVER () - 1) AS "
                f"{column.type.stored})"
            )
        elif column.computed is not None:
            value = convert(
                Binder(session).value(parse_expression(column.computed), ddl_table.scope_of(table)), column.type
            ).sql
        elif column.is_rowversion:
            count = session.run_sql(f"SELECT count(*) FROM {table.sql}")[0][0]
            value = f"unhex(tds_hex8({session.take_rowversions(table, count)} + row_number() OVER () - 1))"
        elif column.default is not None and not column.nullable:
            value = convert(
                Binder(session).value(parse_expression(column.default), Scope()), column.type, assign=True
            ).sql
        elif not column.nullable and session.run_sql(f"SELECT 1 FROM {table.sql} LIMIT 1"):
            raise SqlError(
                4901,
                "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition "
                f"specified. Column '{column.name}' cannot be added to non-empty table '{table.name}'.",
            )
        values[column.column_id] = value
    s.values = values  # type: ignore[attr-defined]
    if not values and not unchecked and len(table.keys) + len(table.checks) + len(table.foreign_keys) > rules:
        storage.check_existing(session, table)
    for column in table.columns:
        if column.identity and column.column_id in values:
            count = session.run_sql(f"SELECT count(*) FROM {table.sql}")[0][0]
            session.engine.take_identity(table, column, count)


def _alter_column(session: Session, table: TableDef, s: Scanner) -> None:
    column = storage.column_of(table, s.name())
    if any(column.column_id in (c for c, _ in k.columns) for k in table.keys if k.kind == "PK"):
        raise SqlError(5074, f"The object '{table.primary_key.name}' is dependent on column '{column.name}'.")  # type: ignore[union-attr]
    old = table.copy().by_id(column.column_id)
    column.type, column.alias_id, _ = lookup.column_type(session, ddl_table.type_text(s))
    column.collation = s.name() if s.accept("COLLATE") else None
    column.nullable = not s.accept("NOT", "NULL")
    if not column.nullable and session.run_sql(f"SELECT 1 FROM {table.sql} WHERE {column.physical} IS NULL LIMIT 1"):
        raise SqlError(
            515,
            f"Cannot insert the value NULL into column '{column.name}', table '{table.database}.{table.schema}."
            f"{table.name}'; column does not allow nulls. UPDATE fails.",
            16,
            2,
        )
    cdc.altered(session, table, column)
    s.values = {column.column_id: storage.converted(column, old)}  # type: ignore[attr-defined]


def _drop_columns(session: Session, table: TableDef, names: list[str], exists: bool) -> None:
    for name in names:
        column = table.column(name)
        if column is None:
            if exists:
                continue
            raise SqlError(
                4924, f"ALTER TABLE DROP COLUMN failed because column '{name}' does not exist in table '{table.name}'."
            )
        users = [k.name for k in table.keys if column.column_id in (*(c for c, _ in k.columns), *k.included)]
        users += [f.name for f in table.foreign_keys if column.column_id in f.columns]
        users += [c.name for c in table.checks if f"[{column.name}]".lower() in c.definition.lower()]
        users += [c.name for c in table.columns if f"[{column.name}]".lower() in (c.computed or "").lower()]
        if column.default_name:
            users.append(column.default_name)
        if users:
            raise SqlError(5074, f"The object '{users[0]}' is dependent on column '{name}'.")
        table.columns.remove(column)


def _drop_constraint(session: Session, table: TableDef, name: str, exists: bool) -> None:
    lower = name.lower()
    found = [x for x in (*table.keys, *table.foreign_keys, *table.checks) if x.name.lower() == lower]
    for column in table.columns:
        if (column.default_name or "").lower() == lower:
            column.default = column.default_name = None
            column.default_id = 0
            return
    if not found:
        if exists:
            return
        raise SqlError(3728, f"'{name}' is not a constraint.")
    if isinstance(found[0], KeyDef) and any(
        {c for c, _ in found[0].columns} == set(f.referenced_columns)
        for child, k in constraints.referring(session, table)
        for f in child.foreign_keys
        if f.object_id == k
    ):
        raise SqlError(3725, f"The constraint '{name}' is being referenced by table, foreign key constraint.")
    for held in (table.keys, table.foreign_keys, table.checks):
        held[:] = [x for x in held if x.name.lower() != lower]  # type: ignore[attr-defined]


def _enable(table: TableDef, disabled: bool, unchecked: bool, s: Scanner) -> None:
    s.expect("CONSTRAINT")
    names = None if s.accept("ALL") else {Scanner(t).name().lower() for t in s.list_of()}
    for rule in (*table.foreign_keys, *table.checks):
        if names is None or rule.name.lower() in names:
            rule.disabled = disabled
            rule.not_trusted = disabled or unchecked or rule.not_trusted
