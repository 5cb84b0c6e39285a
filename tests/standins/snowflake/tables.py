"""Tables: temporary and transient ones, LIKE, SWAP WITH, NOT NULL, comments of columns. Rules for `rewrites.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from duckdb import DuckDBPyConnection
from fakesnow.transforms import SUCCESS_NOP
from sqlglot import Expr, exp
from sqlglot.tokens import TokenType

from .catalog import TEMPORARY_PREFIX
from .errors import compilation_error
from .keys import name_of, schema_of, table_of
from .stages import literal

if TYPE_CHECKING:
    from .engine import Session


def stored(key: tuple[str, str, str], session: Session) -> tuple[str, str, str]:
    """Under what name DuckDB has the table: a temporary one is there under a name of its session's own."""
    return (*key[:2], session.temporary.get(key, key[2]))


def create_like(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE TABLE ... LIKE: columns, types, NOT NULL and defaults, no rows."""
    like = statement.find(exp.LikeProperty) if isinstance(statement, exp.Create) else None
    if like is None:
        return statement
    database, schema, table = stored(table_of(like.this, session), session)
    columns = duck.execute(
        "SELECT column_name, data_type, is_nullable, column_default FROM duckdb_columns() "
        "WHERE (database_name, schema_name, table_name) = (?, ?, ?) ORDER BY column_index",
        [database, schema, table],
    ).fetchall()
    if not columns:
        raise compilation_error(f"Object '{table}' does not exist or not authorized.", 2003, "42S02")
    quoted = [
        f'"{name}" {kind}' + ("" if nullable else " NOT NULL") + (f" DEFAULT {default}" if default else "")
        for name, kind, nullable, default in columns
    ]
    parsed = sqlglot.parse_one(f"CREATE TABLE t ({', '.join(quoted)})", read="duckdb")
    statement.set("this", exp.Schema(this=statement.this, expressions=parsed.this.expressions))
    like.pop()
    return statement


def swap_tables(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """ALTER TABLE a SWAP WITH b, within one schema: three renames in one transaction."""
    swap = statement.find(exp.SwapTable) if isinstance(statement, exp.Alter) else None
    if swap is None:
        return statement
    one, other = table_of(statement.this, session), table_of(swap.this, session)
    if one[:2] != other[:2]:
        raise NotImplementedError("SWAP WITH a table of another schema")
    session.end_transaction("COMMIT")
    duck.begin()
    try:
        for old, new in ((one[2], "_fs_swap"), (other[2], one[2]), ("_fs_swap", other[2])):
            duck.execute(f'ALTER TABLE "{one[0]}"."{one[1]}"."{old}" RENAME TO "{new}"')
        duck.commit()
    except Exception:
        duck.rollback()
        raise
    return SUCCESS_NOP.copy()


def transient_objects(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE TRANSIENT TABLE or SCHEMA: IS_TRANSIENT says so. What is made anew forgets its facts."""
    kind = str(statement.args.get("kind")).upper() if isinstance(statement, (exp.Create, exp.Drop)) else ""
    table = statement.find(exp.Table)
    if kind not in {"TABLE", "SCHEMA"} or table is None:
        return statement
    if kind == "SCHEMA":
        key, depth = [*schema_of(table, session), ""], 2
    else:
        key, depth = list(table_of(table, session)), 3
    facts = {
        "_fs_tables_ext": ("ext_table_catalog", "ext_table_schema", "ext_table_name"),
        "_transient_tables": ("database_name", "schema_name", "name"),
    }
    if kind == "SCHEMA":
        facts["_declared_keys"] = ("database_name", "schema_name", "table_name")
        if statement.args.get("replace"):  # DuckDB replaces an empty one only
            duck.execute(f'DROP SCHEMA IF EXISTS "{key[0]}"."{key[1]}" CASCADE')
            statement.set("replace", False)
    transient = statement.find(exp.TransientProperty)
    fresh = isinstance(statement, exp.Drop) or not statement.args.get("exists")
    with duck.cursor() as other:  # its own transaction: DuckDB writes to one database in each
        for facts_table, names in facts.items() if fresh else ():
            where = " AND ".join(f"{name} = ?" for name in names[:depth])
            other.execute(f"DELETE FROM _fs_global._fs_information_schema.{facts_table} WHERE {where}", key[:depth])
        if transient is not None:
            other.execute(
                "INSERT OR IGNORE INTO _fs_global._fs_information_schema._transient_tables VALUES (?, ?, ?)", key
            )
            transient.pop()
    return statement


def column_comments(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """Comments of columns, in CREATE, ALTER and COMMENT ON: kept by DuckDB, so that COLUMNS and DESCRIBE show them."""
    table: exp.Table | None = None
    comments: list[tuple[str, str]] = []
    if isinstance(statement, (exp.Create, exp.Alter)) and str(statement.args.get("kind")).upper() in {
        "TABLE",
        "VIEW",
    }:
        table = statement.find(exp.Table)
        for column in statement.find_all(exp.ColumnDef):
            if note := column.find(exp.CommentColumnConstraint):
                comments.append((name_of(column.this), note.this.name))
                assert note.parent is not None
                note.parent.pop()
        for change in statement.find_all(exp.AlterColumn):
            if note := change.args.get("comment"):
                comments.append((name_of(change.this), note.name))
    elif isinstance(statement, exp.Comment) and str(statement.args.get("kind")).upper() == "COLUMN":
        column = statement.this
        parts = column.parts[:-1]
        table = exp.Table(**dict(zip(("this", "db", "catalog"), [p.copy() for p in reversed(parts)], strict=False)))
        comments.append((name_of(column.this), statement.expression.name))
    elif isinstance(statement, exp.Command) and str(statement.this).upper() == "ALTER":
        table, comments = _comments_of_several_columns(str(statement.expression))
    if table is None or not comments:
        return statement
    database, schema, name = table_of(table, session)
    session.afterwards += [
        f'COMMENT ON COLUMN "{database}"."{schema}"."{name}"."{column}" IS {literal(comment)}'
        for column, comment in comments
    ]
    only_comments = isinstance(statement, (exp.Comment, exp.Command)) or any(
        a.args.get("comment") for a in statement.args.get("actions") or []
    )
    return SUCCESS_NOP.copy() if only_comments else statement


def _comments_of_several_columns(text: str) -> tuple[exp.Table | None, list[tuple[str, str]]]:
    """TABLE t ALTER a COMMENT '...', b COMMENT '...', which dbt sends and sqlglot leaves as text."""
    tokens = sqlglot.tokenize(text, read="snowflake")
    if not tokens or tokens[0].text.upper() not in {"TABLE", "VIEW"}:
        return None, []
    at = next((i for i, token in enumerate(tokens) if token.token_type is TokenType.ALTER), len(tokens))
    table = exp.to_table(text[tokens[0].end + 1 : tokens[at].start if at < len(tokens) else None], dialect="snowflake")
    comments = []
    rest = [token for token in tokens[at + 1 :] if token.token_type is not TokenType.COLUMN]
    while len(rest) >= 3 and rest[1].token_type is TokenType.COMMENT:
        quoted = rest[0].token_type is TokenType.IDENTIFIER
        comments.append((rest[0].text if quoted else rest[0].text.upper(), rest[2].text))
        rest = rest[4:]
    return table, comments


def temporary_tables(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """Temporary tables and views, in any schema: of one session only, and hiding a permanent one of the same name.

    DuckDB's have no database or schema, so they are permanent ones here, stored under a name of the session's own.
    """
    is_create = isinstance(statement, exp.Create) and str(statement.args.get("kind")).upper() in {
        "TABLE",
        "VIEW",
    }
    temporary = statement.find(exp.TemporaryProperty) if is_create else None
    if temporary is not None:
        target = statement.find(exp.Table)
        assert target is not None
        temporary.pop()
        key = table_of(target, session)
        session.temporary[key] = f"{TEMPORARY_PREFIX}{session.id}_{key[2]}"
    if not session.temporary:
        return statement
    with_names = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
    for table in list(statement.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.upper() in with_names):
            continue
        key = table_of(table, session)
        stored = session.temporary.get(key)
        if stored is None:
            continue
        if not table.alias and isinstance(table.parent, (exp.From, exp.Join, exp.Merge)):
            table.set("alias", exp.TableAlias(this=exp.to_identifier(key[2], quoted=True)))
        for part, value in zip(("catalog", "db", "this"), (*key[:2], stored), strict=True):
            table.set(part, exp.to_identifier(value, quoted=True))
        if isinstance(statement, exp.Drop):
            session.temporary.pop(key)
    return statement


def required_columns(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """CREATE TABLE (... NOT NULL) AS SELECT: enforced, in a temporary table too (Snowflake, "Constraints").

    LIMITS: the table is there when the statement fails, and the one that it replaced is not.
    """
    is_ctas = isinstance(statement, exp.Create) and isinstance(statement.this, exp.Schema) and statement.expression
    if not is_ctas or str(statement.args.get("kind")).upper() != "TABLE":
        return statement
    stored = ".".join(f'"{part}"' for part in table_of(statement.this.this, session))
    for column in statement.this.expressions:
        if isinstance(column, exp.ColumnDef) and column.find(exp.NotNullColumnConstraint):
            session.afterwards.append(f'ALTER TABLE {stored} ALTER COLUMN "{name_of(column.this)}" SET NOT NULL')
    return statement
