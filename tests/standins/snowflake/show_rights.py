"""SHOW GRANTS TO, SHOW FUTURE GRANTS TO and SHOW WAREHOUSES: what a role may, as it may ask of itself.

Snowflake documentation, "SHOW GRANTS" and "SHOW WAREHOUSES". LIMITS: a role sees the warehouses that it may use.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection
from sqlglot import Expr, exp

from .keys import name_of
from .stages import duckdb_statement, literal

if TYPE_CHECKING:
    from .engine import Session

Row = tuple[str, ...]
_TO = re.compile(r"SHOW\s+(FUTURE\s+)?GRANTS\s+TO\s+(DATABASE\s+)?ROLE\s+(\S+)\s*$", re.I)
_GRANTED = ("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by")
_FUTURE = ("created_on", "privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option")
_WAREHOUSES = ("name", "state", "type", "size", "auto_suspend", "auto_resume")


def show_rights(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """What was granted to a role, what will be, and the warehouses that it may use."""
    if isinstance(statement, exp.Show) and statement.name.upper() == "WAREHOUSES":
        return _rows(_WAREHOUSES, _warehouses(statement, session))
    if not isinstance(statement, exp.Command):
        return statement
    found = _TO.match(statement.sql("snowflake", comments=False).strip())
    if found is None:
        return statement
    parts = exp.to_table(found[3], dialect="snowflake").parts
    role = ".".join(name_of(part) for part in parts)
    if found[1]:
        return _rows(_FUTURE, _future(role, session))
    return _rows(_GRANTED, _granted(role, session, duck))


def _granted(role: str, session: Session, duck: DuckDBPyConnection) -> list[Row]:
    rights = session.rights
    views = set(
        duck.execute("SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    )
    held = {(g.privilege, g.kind, g.name) for g in rights.grants if g.role == role}
    held |= {("OWNERSHIP", kind, name) for (kind, name), owner in rights.owners.items() if owner == role}
    rows = [
        (
            "",
            privilege,
            "VIEW" if kind == "TABLE" and name in views else kind.replace(" ", "_"),
            ".".join(name),
            "ROLE",
            role,
            "false",
            "",
        )
        for privilege, kind, name in sorted(held)
    ]
    for inner in sorted(rights.roles.get(role, ())):
        rows.append(("", "USAGE", "DATABASE_ROLE" if "." in inner else "ROLE", inner, "ROLE", role, "false", ""))
    return rows


def _future(role: str, session: Session) -> list[Row]:
    return [
        ("", g.privilege, g.kind, f"{'.'.join(g.name)}.<{g.kind}>", "ROLE", role, "false")
        for g in sorted(session.rights.future)
        if g.role == role
    ]


def _warehouses(statement: exp.Show, session: Session) -> list[Row]:
    like = statement.args.get("like")
    wanted = str(like.name if isinstance(like, Expr) else like or "%").strip("'").upper()
    rights = session.rights
    names = {name[0] for name in rights.visible(session.role, "WAREHOUSE")}
    if not rights.checks(session.role):
        names = {session.warehouse}
    return [(n, "STARTED", "STANDARD", "X-Small", "60", "true") for n in sorted(names) if n and wanted in ("%", n)]


def _rows(columns: tuple[str, ...], rows: list[Row]) -> Expr:
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows or [("",) * len(columns)])
    named = ", ".join(f'"{column}"' for column in columns)
    return duckdb_statement(f"SELECT * FROM (VALUES {values}) AS r({named}){'' if rows else ' LIMIT 0'}")
