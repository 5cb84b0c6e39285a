"""Stages: references in every spelling, LIST, REMOVE, DROP STAGE, and COPY's options. Rules for `rewrites.py`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import sqlglot
from duckdb import DuckDBPyConnection
from fakesnow.transforms import SUCCESS_NOP, stage
from sqlglot import Expr, exp

from .errors import compilation_error
from .keys import schema_of, table_of

if TYPE_CHECKING:
    from .engine import Session

# Snowflake documentation, "COPY INTO <table>", FILES. Its number and words are not documented.
MOST_FILES = 1000


def stage_references(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """PUT, COPY and LIST with their stage in quotes: '@"DB"."SCHEMA"."STAGE"/"path"'."""
    if isinstance(statement, (exp.Put, exp.ListStage)):
        key = "target" if isinstance(statement, exp.Put) else "this"
        reference = statement.args[key].name
        if reference.strip("'").startswith("@"):
            statement.set(key, exp.var(plain_stage(reference)))
    if isinstance(statement, exp.Copy):
        for source in statement.args.get("files") or []:
            if isinstance(source, exp.Table) and source.this.name.startswith("@"):
                source.set("this", exp.var(plain_stage(source.this.name)))
    return statement


def list_within_stage(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """LIST @stage/path: only what is under the path."""
    if not isinstance(statement, exp.ListStage) or "/" not in statement.this.name:
        return statement
    root, name, path = _stage_directory(statement.this.name, session)
    rows = [
        f"({literal(f'{name}/{file.relative_to(root)}')}, {file.stat().st_size}, '', '')" for file in _files(root, path)
    ]
    values = ", ".join(rows) or "(NULL::VARCHAR, NULL::BIGINT, NULL::VARCHAR, NULL::VARCHAR)"
    limit = "" if rows else " LIMIT 0"
    return duckdb_statement(f'SELECT * FROM (VALUES {values}) AS f("name", "size", "md5", "last_modified"){limit}')


def remove_files(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """REMOVE @stage[/path] [PATTERN = '...']: deletes files, which no rollback brings back."""
    if not (isinstance(statement, exp.Command) and str(statement.this).upper() in {"REMOVE", "RM"}):
        return statement
    text = statement.expression.name if isinstance(statement.expression, Expr) else str(statement.expression)
    found = re.fullmatch(r"\s*('@[^']*'|@\S+)(?:\s+PATTERN\s*=\s*'([^']*)')?\s*", text, re.IGNORECASE)
    if not found:
        raise NotImplementedError(f"REMOVE {text}")
    root, name, path = _stage_directory(plain_stage(found[1]), session)
    removed = []
    for file in _files(root, path):
        if found[2] is None or re.fullmatch(found[2], f"{name}/{file.relative_to(root)}"):
            file.unlink()
            removed.append(f"({literal(f'{name}/{file.relative_to(root)}')}, 'removed')")
    values = ", ".join(removed) or "(NULL::VARCHAR, NULL::VARCHAR)"
    return duckdb_statement(f'SELECT * FROM (VALUES {values}) AS r("name", "result"){"" if removed else " LIMIT 0"}')


def drop_stage(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """DROP STAGE, with its files; DROP SCHEMA, with its stages."""
    kind = str(statement.args.get("kind")).upper() if isinstance(statement, exp.Drop) else ""
    if kind not in {"STAGE", "SCHEMA"}:
        return statement
    target = (statement.args.get("tables") or [statement.this])[0]
    database, schema, name = table_of(target, session) if kind == "STAGE" else (*schema_of(target, session), "")
    shutil.rmtree(Path(stage.LOCAL_BUCKET_PATH) / database / schema / name, ignore_errors=True)
    one = f" AND name = {literal(name)}" if name else ""
    session.afterwards.append(
        "DELETE FROM _fs_global._fs_information_schema._fs_stages WHERE database_name = "
        f"{literal(database)} AND schema_name = {literal(schema)}{one}"
    )
    return SUCCESS_NOP.copy() if kind == "STAGE" else statement


def copy_options(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """COPY's options in every spelling: commas between them, quoted values, PURGE = FALSE, and those without effect."""
    if not isinstance(statement, exp.Copy):
        return statement
    kept = []
    for option in statement.args.get("params") or []:
        name, value = option.this.name.upper(), option.expression
        if name == "FILES" and value is not None and len(value.expressions) > MOST_FILES:
            raise compilation_error(f"FILES names {len(value.expressions)} files, {MOST_FILES} at most", 1008, "22023")
        if name in {"PURGE", "FORCE"} and isinstance(value, exp.Boolean) and not value.this:
            continue
        if name in {"ENFORCE_LENGTH", "TRUNCATECOLUMNS", "LOAD_UNCERTAIN_FILES", "RETURN_FAILED_ONLY"}:
            continue
        if name == "MATCH_BY_COLUMN_NAME" and isinstance(value, exp.Literal):
            option.set("expression", exp.var(value.name))
        if name == "FILE_FORMAT":
            ignored = {
                "BINARY_AS_TEXT",
                "USE_LOGICAL_TYPE",
                "USE_VECTORIZED_SCANNER",
                "BINARY_FORMAT",
                "SNAPPY_COMPRESSION",
            }
            ignored |= {"REPLACE_INVALID_CHARACTERS"}
            properties = [p for p in option.expressions if isinstance(p, exp.Property)]
            is_parquet = any(p.args["value"].name.upper() == "PARQUET" for p in properties if p.name.upper() == "TYPE")
            ignored |= {"COMPRESSION", "NULL_IF", "TRIM_SPACE"} if is_parquet else set()
            option.set("expressions", [p for p in properties if p.name.upper() not in ignored])
        kept.append(option)
    statement.set("params", kept)
    return statement


def literal(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def duckdb_statement(sql: str) -> Expr:
    """A statement in DuckDB's own SQL."""
    return sqlglot.parse_one(sql, read="duckdb")


def plain_stage(reference: str) -> str:
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
