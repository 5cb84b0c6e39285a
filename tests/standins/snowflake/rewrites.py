"""Statements rewritten between parsing and fakesnow, each rule a small function, so that what fakesnow lacks works.

A rule takes a parsed statement and returns it, changed or not, or what to run in its place. Rules run in the order of RULES.
What no rule and not fakesnow knows fails with its text.

LIMITS: timestamps and times have microseconds (Snowflake: nanoseconds); TIMESTAMP_TZ keeps the instant and gives it in UTC;
rights are accepted, never checked; BINARY_AS_TEXT, USE_LOGICAL_TYPE and the scanner are accepted and behave as TRUE / FALSE
of the recommended settings; stage names hold no dots; GET, PATTERN, streams, tasks, pipes, scripting and SHOW GRANTS are refused.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlglot
from duckdb import DuckDBPyConnection
from fakesnow.transforms import SUCCESS_NOP, stage
from sqlglot import Expr, exp

from .catalog import TEMPORARY_PREFIX
from .errors import compilation_error

if TYPE_CHECKING:
    from .engine import Session

Rule = Callable[[Expr, "Session", DuckDBPyConnection], Expr]

_ACCEPTED = re.compile(
    r"(GRANT|REVOKE)\b"
    r"|(CREATE(\s+OR\s+REPLACE)?|ALTER|DROP)\s+((DATABASE\s+)?ROLE|WAREHOUSE|USER|RESOURCE\s+MONITOR|NETWORK\s+(POLICY|RULE))\b",
    re.IGNORECASE,
)


def rewrite(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """`statement` after every rule."""
    for rule in RULES:
        statement = rule(statement, session, duck)
    return statement


def accepted_without_effect(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """Roles, warehouses, users and grants succeed and change nothing."""
    kind = str(statement.args.get("kind") or "").upper()
    if isinstance(statement, (exp.Grant, exp.Revoke)) or (
        isinstance(statement, (exp.Create, exp.Drop, exp.Alter)) and kind in {"ROLE", "WAREHOUSE", "USER"}
    ):
        return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Command) and _ACCEPTED.match(f"{statement.this} {statement.expression}"):
        return SUCCESS_NOP.copy()
    return statement


def session_parameters(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """ALTER SESSION SET / UNSET (AUTOCOMMIT is fakesnow's), SHOW PARAMETERS, USE ROLE, USE WAREHOUSE, USE SECONDARY ROLES."""
    if isinstance(statement, exp.Alter) and statement.args.get("kind") == "SESSION":
        change = statement.find(exp.AlterSession)
        assert change is not None
        for item in change.expressions:
            if change.args.get("unset"):
                session.parameters.pop(item.this.name.upper(), None)
                continue
            name, value = item.this.this.name.upper(), item.this.expression
            if name == "AUTOCOMMIT":
                return statement
            session.parameters[name] = value.name if isinstance(value, exp.Literal) else value.sql("snowflake")
        return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Use) and str(statement.args.get("kind") or "").upper() not in {"SCHEMA", "DATABASE", ""}:
        kind = str(statement.args["kind"]).upper()
        if kind in {"ROLE", "WAREHOUSE"}:
            setattr(session, kind.lower(), _name(statement.this.this))
        return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Command) and str(statement.this).upper() == "SHOW":
        found = re.match(r"\s*PARAMETERS(?:\s+LIKE\s+'([^']*)')?(?:\s+(?:IN|FOR)\s+SESSION)?\s*$", str(statement.expression), re.I)
        if found:
            known = {"QUERY_TAG": "", "TIMEZONE": "Etc/UTC", "AUTOCOMMIT": "true", **session.parameters}
            rows = ", ".join(f"({_text(k)}, {_text(v)}, '', 'SESSION', '', 'STRING')" for k, v in known.items())
            names = '"key", "value", "default", "level", "description", "type"'
            return _duckdb(f'SELECT * FROM (VALUES {rows}) AS p({names}) WHERE "key" ILIKE {_text(found[1] or "%")}')
    return statement


def context_functions(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """CURRENT_ROLE() and its like say what the session was opened with or USEd since."""
    answers = {
        "CurrentRole": session.role,
        "CurrentWarehouse": session.warehouse,
        "CurrentUser": session.user,
        "CurrentAccount": "STANDIN",
        "CurrentAccountName": "STANDIN",
        "CurrentRegion": "LOOPBACK",
        "CurrentSession": str(int(session.id, 16)),
        "CurrentDatabase": session.database if session.database_set else None,
        "CurrentSchema": session.schema if session.schema_set else None,
    }
    for node in list(statement.find_all(exp.Func)):
        if type(node).__name__ not in answers:
            continue
        answer = answers[type(node).__name__]
        literal = exp.Literal.string(answer) if answer else exp.Null()
        if isinstance(node.parent, exp.Select):  # the column keeps its name
            literal = exp.alias_(literal, f"{node.sql_name()}()", quoted=True)
        node.replace(literal)
    return statement


def stage_references(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """PUT, COPY and LIST with their stage in quotes: '@"DB"."SCHEMA"."STAGE"/"path"'."""
    if isinstance(statement, (exp.Put, exp.ListStage)):
        key = "target" if isinstance(statement, exp.Put) else "this"
        reference = statement.args[key].name
        if reference.strip("'").startswith("@"):
            statement.set(key, exp.var(_plain_stage(reference)))
    if isinstance(statement, exp.Copy):
        for source in statement.args.get("files") or []:
            if isinstance(source, exp.Table) and source.this.name.startswith("@"):
                source.set("this", exp.var(_plain_stage(source.this.name)))
    return statement


def list_within_stage(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """LIST @stage/path: only what is under the path."""
    if not isinstance(statement, exp.ListStage) or "/" not in statement.this.name:
        return statement
    root, name, path = _stage_directory(statement.this.name, session)
    rows = [
        f"({_text(f'{name}/{file.relative_to(root)}')}, {file.stat().st_size}, '', '')"
        for file in _files(root, path)
    ]
    values = ", ".join(rows) or "(NULL::VARCHAR, NULL::BIGINT, NULL::VARCHAR, NULL::VARCHAR)"
    limit = "" if rows else " LIMIT 0"
    return _duckdb(f'SELECT * FROM (VALUES {values}) AS f("name", "size", "md5", "last_modified"){limit}')


def remove_files(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """REMOVE @stage[/path] [PATTERN = '...']: deletes files, which no rollback brings back."""
    if not (isinstance(statement, exp.Command) and str(statement.this).upper() in {"REMOVE", "RM"}):
        return statement
    text = statement.expression.name if isinstance(statement.expression, Expr) else str(statement.expression)
    found = re.fullmatch(r"\s*('@[^']*'|@\S+)(?:\s+PATTERN\s*=\s*'([^']*)')?\s*", text, re.IGNORECASE)
    if not found:
        raise NotImplementedError(f"REMOVE {text}")
    root, name, path = _stage_directory(_plain_stage(found[1]), session)
    removed = []
    for file in _files(root, path):
        if found[2] is None or re.fullmatch(found[2], f"{name}/{file.relative_to(root)}"):
            file.unlink()
            removed.append(f"({_text(f'{name}/{file.relative_to(root)}')}, 'removed')")
    values = ", ".join(removed) or "(NULL::VARCHAR, NULL::VARCHAR)"
    return _duckdb(f'SELECT * FROM (VALUES {values}) AS r("name", "result"){"" if removed else " LIMIT 0"}')


def stages(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """DROP STAGE, with its files; CREATE STAGE without the options that say nothing on one machine."""
    if isinstance(statement, exp.Drop) and str(statement.args.get("kind")).upper() == "STAGE":
        tables = statement.args.get("tables") or [statement.this]
        database, schema, name = _key(tables[0], session)
        shutil.rmtree(Path(stage.LOCAL_BUCKET_PATH) / database / schema / name, ignore_errors=True)
        return _duckdb(
            "DELETE FROM _fs_global._fs_information_schema._fs_stages WHERE database_name = "
            f"{_text(database)} AND schema_name = {_text(schema)} AND name = {_text(name)}"
        )
    return statement


def copy_options(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """COPY's options in every spelling: commas between them, quoted values, PURGE = FALSE, and the ones without effect here."""
    if not isinstance(statement, exp.Copy):
        return statement
    kept = []
    for option in statement.args.get("params") or []:
        name, value = option.this.name.upper(), option.expression
        if name in {"PURGE", "FORCE"} and isinstance(value, exp.Boolean) and not value.this:
            continue
        if name in {"ENFORCE_LENGTH", "TRUNCATECOLUMNS", "LOAD_UNCERTAIN_FILES", "RETURN_FAILED_ONLY"}:
            continue
        if name == "MATCH_BY_COLUMN_NAME" and isinstance(value, exp.Literal):
            option.set("expression", exp.var(value.name))
        if name == "FILE_FORMAT":
            ignored = {"BINARY_AS_TEXT", "USE_LOGICAL_TYPE", "USE_VECTORIZED_SCANNER", "BINARY_FORMAT", "SNAPPY_COMPRESSION"}
            ignored |= {"REPLACE_INVALID_CHARACTERS"}
            properties = [p for p in option.expressions if isinstance(p, exp.Property)]
            is_parquet = any(p.args["value"].name.upper() == "PARQUET" for p in properties if p.name.upper() == "TYPE")
            ignored |= {"COMPRESSION", "NULL_IF", "TRIM_SPACE"} if is_parquet else set()
            option.set("expressions", [p for p in properties if p.name.upper() not in ignored])
        kept.append(option)
    statement.set("params", kept)
    return statement


def create_like(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE TABLE ... LIKE: columns, types, NOT NULL and defaults, no rows."""
    like = statement.find(exp.LikeProperty) if isinstance(statement, exp.Create) else None
    if like is None:
        return statement
    database, schema, table = _stored(_key(like.this, session), session)
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
    one, other = _key(statement.this, session), _key(swap.this, session)
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


def transient_tables(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE TRANSIENT TABLE: a table whose IS_TRANSIENT says so. A table made anew forgets comment and transience."""
    if not (isinstance(statement, exp.Create) and str(statement.args.get("kind")).upper() == "TABLE"):
        return statement
    transient, table = statement.find(exp.TransientProperty), statement.find(exp.Table)
    assert table is not None
    key = list(_key(table, session))
    schema = "_fs_global._fs_information_schema"
    with duck.cursor() as other:  # its own transaction: DuckDB writes to one database in each
        if not statement.args.get("exists"):
            names = "(ext_table_catalog, ext_table_schema, ext_table_name)"
            other.execute(f"DELETE FROM {schema}._fs_tables_ext WHERE {names} = (?, ?, ?)", key)
            other.execute(f"DELETE FROM {schema}._transient_tables WHERE (database_name, schema_name, name) = (?, ?, ?)", key)
        if transient is not None:
            other.execute(f"INSERT OR IGNORE INTO {schema}._transient_tables VALUES (?, ?, ?)", key)
            transient.pop()
    return statement


def column_comments(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """Comments of columns, in CREATE, ALTER and COMMENT ON: kept by DuckDB, so that COLUMNS and DESCRIBE show them."""
    table: exp.Table | None = None
    comments: list[tuple[str, str]] = []
    if isinstance(statement, (exp.Create, exp.Alter)) and str(statement.args.get("kind")).upper() == "TABLE":
        table = statement.find(exp.Table)
        for column in statement.find_all(exp.ColumnDef):
            if note := column.find(exp.CommentColumnConstraint):
                comments.append((_name(column.this), note.this.name))
                assert note.parent is not None
                note.parent.pop()
        for change in statement.find_all(exp.AlterColumn):
            if note := change.args.get("comment"):
                comments.append((_name(change.this), note.name))
    elif isinstance(statement, exp.Comment) and str(statement.args.get("kind")).upper() == "COLUMN":
        column = statement.this
        parts = column.parts[:-1]
        table = exp.Table(**dict(zip(("this", "db", "catalog"), [p.copy() for p in reversed(parts)], strict=False)))
        comments.append((_name(column.this), statement.expression.name))
    if table is None or not comments:
        return statement
    database, schema, name = _stored(_key(table, session), session)
    session.afterwards += [
        f'COMMENT ON COLUMN "{database}"."{schema}"."{name}"."{column}" IS {_text(text)}' for column, text in comments
    ]
    only_comments = isinstance(statement, exp.Comment) or any(a.args.get("comment") for a in statement.args.get("actions") or [])
    return SUCCESS_NOP.copy() if only_comments else statement


def temporary_tables(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """Temporary tables and views belong to one session and hide a permanent one of the same name, in any database and schema.

    DuckDB's have no database or schema, so they are permanent ones here, stored under a name of the session's own.
    """
    is_create = isinstance(statement, exp.Create) and str(statement.args.get("kind")).upper() in {"TABLE", "VIEW"}
    temporary = statement.find(exp.TemporaryProperty) if is_create else None
    if temporary is not None:
        target = statement.find(exp.Table)
        assert target is not None
        temporary.pop()
        key = _key(target, session)
        session.temporary[key] = f"{TEMPORARY_PREFIX}{session.id}_{key[2]}"
    if not session.temporary:
        return statement
    with_names = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
    for table in list(statement.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.upper() in with_names):
            continue
        key = _key(table, session)
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


def merge_for_duckdb(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """MERGE goes to DuckDB's own: no table prefix in SET, and the action of each row back, to be counted."""
    if not isinstance(statement, exp.Merge):
        return statement
    for when in statement.args["whens"].expressions:
        then = when.args["then"]
        for assignment in then.expressions if isinstance(then, exp.Update) else []:
            assignment.set("this", exp.column(assignment.this.this.copy()))
        if isinstance(then, exp.Insert) and isinstance(then.this, exp.Tuple):
            then.this.set("expressions", [exp.column(c.this.copy()) for c in then.this.expressions])
    statement.set("returning", exp.Returning(expressions=[exp.column("merge_action", quoted=True)]))
    return statement


def hash_functions(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """HASH_AGG(...) and HASH(*): the same for the same rows in any order; other numbers than Snowflake's."""
    for node in list(statement.find_all(exp.HashAgg)):
        arguments = [node.this, *(node.expressions or [])]
        inner = "*COLUMNS(*)" if isinstance(node.this, exp.Star) else ", ".join(a.sql("duckdb") for a in arguments)
        node.replace(_duckdb(f"SELECT (coalesce(sum(hash({inner})::HUGEINT), 0) % 9223372036854775807)::BIGINT").selects[0])
    return statement


def _name(identifier: Any) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def _key(table: exp.Table, session: Session) -> tuple[str, str, str]:
    database = _name(table.args["catalog"]) if table.args.get("catalog") else session.database
    schema = _name(table.args["db"]) if table.args.get("db") else session.schema
    return database or "", schema or "", _name(table.this)


def _stored(key: tuple[str, str, str], session: Session) -> tuple[str, str, str]:
    return (*key[:2], session.temporary.get(key, key[2]))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _duckdb(sql: str) -> Expr:
    return sqlglot.parse_one(sql, read="duckdb")


def _plain_stage(reference: str) -> str:
    """'@"DB"."SCHEMA"."STAGE"/"path"' -> @"DB"."SCHEMA"."STAGE"/path"""
    reference = reference[1:-1] if reference.startswith("'") else reference
    name, slash, path = reference.partition("/")
    return name + slash + path.replace('"', "")


def _stage_directory(reference: str, session: Session) -> tuple[Path, str, str]:
    """The directory of the stage, its name as file lists show it, and the path within it."""
    name, _, path = reference[1:].partition("/")
    database, schema, stage_name = stage.parts_from_var(name, session.database, session.schema)
    lookup = stage.stage_lookup_sql(database, schema, stage_name, session.table_stages)
    found = session._duck_conn.execute(lookup).fetchone()
    if found is None:
        raise stage.not_found_error(f"{database}.{schema}.{stage_name}")
    return Path(stage.internal_dir(found[0])), stage_name.lower(), path


def _files(root: Path, prefix: str) -> Iterator[Path]:
    for directory, _, names in sorted(os.walk(root)):
        for name in sorted(names):
            if str((Path(directory) / name).relative_to(root)).startswith(prefix):
                yield Path(directory) / name


RULES: tuple[Rule, ...] = (
    accepted_without_effect,
    session_parameters,
    context_functions,
    stage_references,
    list_within_stage,
    remove_files,
    stages,
    copy_options,
    create_like,
    swap_tables,
    transient_tables,
    column_comments,
    temporary_tables,
    merge_for_duckdb,
    hash_functions,
)
