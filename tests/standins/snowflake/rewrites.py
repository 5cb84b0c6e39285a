"""Statements rewritten between parsing and fakesnow, each rule a small function, so that what fakesnow lacks works.

A rule takes a parsed statement and returns it, changed or not, or what to run in its place. Rules run in the
order of RULES. What no rule and not fakesnow knows fails with its text.

LIMITS: timestamps and times have microseconds (Snowflake: nanoseconds); TIMESTAMP_TZ keeps the instant and gives
it in UTC; COPY of Parquet reads as if BINARY_AS_TEXT were FALSE and
USE_LOGICAL_TYPE TRUE, whatever is said; stage names hold no dots; GET, COPY's PATTERN, streams, tasks, pipes
and scripting are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection
from fakesnow.transforms import SUCCESS_NOP
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from .access import allowed
from .clones import clones_with_grants
from .errors import NOTHING_TO_SHOW
from .external import external_stages
from .keys import declared_keys, name_of, show_keys, table_of
from .masking import masking
from .offsets import offsets_in_text
from .policies import policies
from .rights import rights_statements
from .show_rights import show_rights
from .stages import (
    copy_options,
    drop_stage,
    duckdb_statement,
    list_within_stage,
    literal,
    remove_files,
    stage_references,
)
from .subqueries import unsupported_subqueries
from .tables import (
    column_comments,
    create_like,
    required_columns,
    stored,
    swap_tables,
    temporary_tables,
    transient_objects,
)
from .variants import variants

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
    """Warehouses, policies, what `rights_statements` left of roles and users, and retention times change nothing."""
    kind = str(statement.args.get("kind") or "").upper()
    if isinstance(statement, (exp.Grant, exp.Revoke)) or (
        isinstance(statement, (exp.Create, exp.Drop, exp.Alter)) and kind in {"ROLE", "WAREHOUSE", "USER"}
    ):
        return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Alter) and (change := statement.find(exp.AlterSet)):
        names = {p.name.upper() for p in change.find_all(exp.Property)}
        if names and names <= {"DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "CHANGE_TRACKING"}:
            return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Command) and _ACCEPTED.match(f"{statement.this} {statement.expression}"):
        return SUCCESS_NOP.copy()
    return statement


def session_parameters(statement: Expr, session: Session, _duck: DuckDBPyConnection) -> Expr:
    """ALTER SESSION SET and UNSET (AUTOCOMMIT is fakesnow's), SHOW PARAMETERS, USE ROLE, WAREHOUSE, SECONDARY ROLES."""
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
    if isinstance(statement, exp.Use) and str(statement.args.get("kind") or "").upper() not in {
        "SCHEMA",
        "DATABASE",
        "",
    }:
        kind = str(statement.args["kind"]).upper()
        if kind in {"ROLE", "WAREHOUSE"}:
            setattr(session, kind.lower(), name_of(statement.this.this))
        return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Command) and str(statement.this).upper() == "SHOW":
        found = re.match(
            r"\s*PARAMETERS(?:\s+LIKE\s+'([^']*)')?(?:\s+(?:IN|FOR)\s+SESSION)?\s*$",
            str(statement.expression),
            re.I,
        )
        if found:
            known = {"QUERY_TAG": "", "TIMEZONE": "Etc/UTC", "AUTOCOMMIT": "true", **session.parameters}
            rows = ", ".join(f"({literal(k)}, {literal(v)}, '', 'SESSION', '', 'STRING')" for k, v in known.items())
            names = '"key", "value", "default", "level", "description", "type"'
            return duckdb_statement(
                f'SELECT * FROM (VALUES {rows}) AS p({names}) WHERE "key" ILIKE {literal(found[1] or "%")}'
            )
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
        value: Expr = exp.Literal.string(answer) if answer else exp.Null()
        if isinstance(node.parent, exp.Select):  # the column keeps its name
            value = exp.alias_(value, f"{node.sql_name()}()", quoted=True)
        node.replace(value)
    return statement


def show_in_what_is_there(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """SHOW ... IN SCHEMA or IN TABLE of what is not there: error 2043, as for any object that SHOW looks into."""
    scope, kind = (
        (statement.args.get(name) for name in ("scope", "scope_kind"))
        if isinstance(statement, exp.Show)
        else (None, None)
    )
    if not isinstance(scope, exp.Table) or str(kind).upper() not in {"SCHEMA", "TABLE"}:
        return statement
    if str(kind).upper() == "SCHEMA":
        database = name_of(scope.args["db"]) if scope.args.get("db") else session.database
        found = duck.execute(
            "SELECT 1 FROM duckdb_schemas() WHERE (database_name, schema_name) = (?, ?)",
            [database, name_of(scope.this)],
        ).fetchone()
    else:
        found = duck.execute(
            "SELECT 1 FROM duckdb_columns() WHERE (database_name, schema_name, table_name) = (?, ?, ?) LIMIT 1",
            list(stored(table_of(scope, session), session)),
        ).fetchone()
    if found is None:
        raise ProgrammingError(msg=NOTHING_TO_SHOW, errno=2043, sqlstate="02000")
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
    """HASH_AGG and HASH: equal for equal rows, HASH_AGG in any order of them; other numbers than Snowflake's."""
    for node in list(statement.find_all(exp.Anonymous)):
        if node.name.upper() == "HASH" and not isinstance(node.parent, exp.Mod):
            remainder = duckdb_statement("SELECT (hash(0) % 9223372036854775807)::BIGINT").selects[0]
            remainder.find(exp.Mod).set("this", node.copy())
            node.replace(remainder)
    for node in list(statement.find_all(exp.HashAgg)):
        arguments = [node.this, *(node.expressions or [])]
        inner = "*COLUMNS(*)" if isinstance(node.this, exp.Star) else ", ".join(a.sql("duckdb") for a in arguments)
        node.replace(
            duckdb_statement(
                f"SELECT (coalesce(sum(hash({inner})::HUGEINT), 0) % 9223372036854775807)::BIGINT"
            ).selects[0]
        )
    return statement


def text_functions(statement: Expr, _session: Session, _duck: DuckDBPyConnection) -> Expr:
    """MD5_NUMBER_LOWER64 with the number of its page: the digest is big endian. TO_VARCHAR of a moment with all six
    digits of its fraction ("Date and time input and output formats")."""
    for node in list(statement.find_all(exp.MD5NumberLower64)):
        half = duckdb_statement("SELECT CAST('0x' || SUBSTR(MD5(x), 17, 16) AS UBIGINT)").selects[0]
        half.find(exp.MD5).set("this", node.this.copy())
        node.replace(half)
    for node in list(statement.find_all(exp.ToChar)):
        form = node.args.get("format")
        if form is not None and form.name.endswith("FF6"):
            # A time of the day has no date, and is written as one of some day.
            value = node.this.sql("duckdb")
            value = value if "YYYY" in form.name else f"DATE '2000-01-01' + {value}"
            text = form.name
            for theirs, ours in _MOMENT_PARTS.items():
                text = text.replace(theirs, ours)
            node.replace(duckdb_statement(f"SELECT strftime({value}, '{text}')").selects[0])
    return statement


_MOMENT_PARTS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "MI": "%M", "SS": "%S", "FF6": "%f"}


RULES: tuple[Rule, ...] = (
    clones_with_grants,
    show_rights,
    rights_statements,
    allowed,
    policies,
    masking,
    unsupported_subqueries,
    accepted_without_effect,
    session_parameters,
    context_functions,
    show_in_what_is_there,
    external_stages,
    stage_references,
    list_within_stage,
    remove_files,
    drop_stage,
    copy_options,
    create_like,
    declared_keys,
    show_keys,
    swap_tables,
    transient_objects,
    temporary_tables,
    column_comments,  # after the rule that stores temporary ones under another name
    required_columns,
    merge_for_duckdb,
    hash_functions,
    text_functions,
    variants,
    offsets_in_text,
)
