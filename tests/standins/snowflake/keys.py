"""PRIMARY KEY, UNIQUE and FOREIGN KEY as on Snowflake: shown, never enforced; NOT NULL alone is enforced.

DuckDB would enforce them, so they are taken out of the statement and kept in a table of their own.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import sqlglot
from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

if TYPE_CHECKING:
    from .engine import Session

TABLE = "_fs_global._fs_information_schema._declared_keys"
TABLE_SQL = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    database_name VARCHAR, schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, key_sequence BIGINT,
    kind VARCHAR, constraint_name VARCHAR,
    pk_database_name VARCHAR, pk_schema_name VARCHAR, pk_table_name VARCHAR, pk_column_name VARCHAR
);
"""
Name = tuple[str, str, str]


def name_of(identifier: Expr) -> str:
    """The stored name of an identifier: as written in quotes, else in upper case."""
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def table_of(table: exp.Table, session: Session) -> Name:
    """Database, schema and name of a table reference, in this session."""
    database = name_of(table.args["catalog"]) if table.args.get("catalog") else session.database
    schema = name_of(table.args["db"]) if table.args.get("db") else session.schema
    return database or "", schema or "", name_of(table.this)


def schema_of(schema: exp.Table, session: Session) -> tuple[str, str]:
    """Database and name of a reference to a schema, which has no table's name."""
    database = schema.args.get("catalog")
    return name_of(database) if database else session.database or "", name_of(schema.args["db"])


def declared_keys(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE TABLE and ALTER TABLE ADD with keys: the keys are remembered, and leave the statement."""
    is_table = str(statement.args.get("kind")).upper() == "TABLE"
    if not is_table or not isinstance(statement, (exp.Create, exp.Alter, exp.Drop)):
        return statement
    target = statement.find(exp.Table)
    if target is None:
        return statement
    key = table_of(target, session)
    found = _take_out(statement, session)
    forget = isinstance(statement, exp.Drop) or (isinstance(statement, exp.Create) and not statement.args.get("exists"))
    with duck.cursor() as other:  # its own transaction: DuckDB writes to one database in each
        if forget:
            other.execute(f"DELETE FROM {TABLE} WHERE (database_name, schema_name, table_name) = (?, ?, ?)", list(key))
        for kind, name, columns, parent, parent_columns in found:
            name = name or f"SYS_CONSTRAINT_{uuid.uuid4()}"
            for position, column in enumerate(columns):
                to = (
                    [*parent, parent_columns[position] if position < len(parent_columns) else None]
                    if parent
                    else [None] * 4
                )
                other.execute(
                    f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [*key, column, position + 1, kind, name, *to],
                )
    if isinstance(statement, exp.Alter) and found and not statement.args.get("actions"):
        return sqlglot.parse_one("SELECT 'Statement executed successfully.' AS status", read="duckdb")
    return statement


Found = tuple[str, str | None, list[str], Name | None, list[str]]


def _take_out(statement: Expr, session: Session) -> list[Found]:
    found: list[Found] = []
    primary: set[str] = set()
    for node in list(statement.find_all(exp.PrimaryKey, exp.UniqueColumnConstraint, exp.ForeignKey, exp.Reference)):
        column = node.find_ancestor(exp.ColumnDef)
        if isinstance(node, exp.Reference) and isinstance(node.parent, exp.ForeignKey):
            continue
        named = node.find_ancestor(exp.Constraint)
        name = name_of(named.this) if named is not None else None
        reference = node if isinstance(node, exp.Reference) else node.args.get("reference")
        parent, parent_columns = None, []
        if reference is not None:
            schema = reference.this
            parent = table_of(schema.find(exp.Table), session)
            parent_columns = [name_of(c) for c in schema.expressions]
        if column is not None:
            columns = [name_of(column.this)]
        elif isinstance(node, exp.UniqueColumnConstraint):
            columns = [name_of(c) for c in node.this.expressions]
        else:
            columns = [name_of(c.find(exp.Identifier)) for c in node.expressions]
        kind = "FOREIGN" if reference is not None else "PRIMARY" if isinstance(node, exp.PrimaryKey) else "UNIQUE"
        primary |= set(columns) if kind == "PRIMARY" else set()
        found.append((kind, name, columns, parent, parent_columns))
        _remove(node)
    for node in list(statement.find_all(exp.PrimaryKeyColumnConstraint)):
        column = node.find_ancestor(exp.ColumnDef)
        assert column is not None
        found.append(("PRIMARY", None, [name_of(column.this)], None, []))
        primary.add(name_of(column.this))
        _remove(node)
    for column in statement.find_all(exp.ColumnDef):
        if name_of(column.this) in primary and not column.find(exp.NotNullColumnConstraint):
            column.append("constraints", exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
    return found


def _remove(node: Expr) -> None:
    """Takes the node out, with whatever held nothing but it."""
    while isinstance(node.parent, (exp.ColumnConstraint, exp.Constraint, exp.AddConstraint)):
        node = node.parent
    node.pop()


def show_keys(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """SHOW PRIMARY | UNIQUE | IMPORTED KEYS [IN TABLE | SCHEMA | DATABASE | ACCOUNT]."""
    if not (isinstance(statement, exp.Show) and statement.name.upper().endswith(" KEYS")):
        return statement
    which = statement.name.upper().split()[0]
    parts = ("database_name", "schema_name", "table_name")
    kind, scope = str(statement.args.get("scope_kind") or "").upper(), statement.args.get("scope")
    wanted: tuple[str | None, ...] = ()
    if kind == "ACCOUNT":
        pass
    elif kind == "TABLE" or (not kind and isinstance(scope, exp.Table)):
        wanted = table_of(scope, session)
    elif kind == "SCHEMA" and isinstance(scope, exp.Table):
        wanted = (
            name_of(scope.args["db"]) if scope.args.get("db") else session.database,
            name_of(scope.this),
        )
    elif kind == "DATABASE" and isinstance(scope, exp.Table):
        wanted = (name_of(scope.this),)
    else:
        wanted = (session.database, session.schema) if session.schema_set else (session.database,)
    where = (
        " AND ".join(
            f"{part} = {exp.Literal.string(str(value)).sql()}" for part, value in zip(parts, wanted, strict=False)
        )
        or "true"
    )
    stored = "FOREIGN" if which == "IMPORTED" else which
    if stored == "FOREIGN":
        columns = f"""to_timestamp(0)::timestamptz AS created_on, pk_database_name, pk_schema_name, pk_table_name,
            coalesce(pk_column_name, (SELECT p.column_name FROM {TABLE} AS p WHERE p.kind = 'PRIMARY'
                AND (p.database_name, p.schema_name, p.table_name, p.key_sequence)
                  = (k.pk_database_name, k.pk_schema_name, k.pk_table_name, k.key_sequence) LIMIT 1)) AS pk_column_name,
            database_name AS fk_database_name, schema_name AS fk_schema_name, table_name AS fk_table_name,
            column_name AS fk_column_name, key_sequence, 'NO ACTION' AS update_rule, 'NO ACTION' AS delete_rule,
            constraint_name AS fk_name, NULL::VARCHAR AS pk_name, 'NOT DEFERRABLE' AS deferrability"""
    else:
        columns = """to_timestamp(0)::timestamptz AS created_on, database_name, schema_name, table_name, column_name,
            key_sequence, constraint_name"""
    # names in lower case and quotes, for SHOW's columns are
    sql = f"""SELECT {columns}, 'false' AS rely, NULL::VARCHAR AS comment FROM {TABLE} AS k
        WHERE kind = '{stored}' AND {where}
        ORDER BY database_name, schema_name, table_name, constraint_name, key_sequence"""
    shown = sqlglot.parse_one(sql, read="duckdb")
    for projection in shown.selects:
        if isinstance(projection, exp.Column):
            projection.replace(exp.alias_(projection.copy(), projection.name, quoted=True))
        elif isinstance(projection, exp.Alias):
            projection.args["alias"].set("quoted", True)
    return shown
