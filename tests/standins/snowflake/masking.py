"""Masking policies on the columns of views, and tags: made, applied in CREATE VIEW, evaluated for who reads.

Snowflake documentation, "CREATE MASKING POLICY", "CREATE VIEW", "Understanding Column-level Security", "Object
tagging": a policy decides by the role of the session that reads; a view that is replaced has the policies that its
statement names and no others; to name one takes APPLY on it, or OWNERSHIP.

LIMITS: of views alone; a policy's type is not compared with its column's; a view over a masked view is refused here.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from duckdb import DuckDBPyConnection
from fakesnow.transforms import SUCCESS_NOP
from sqlglot import Expr, exp, parse_one

from .errors import compilation_error
from .keys import name_of, table_of
from .rights import Name

if TYPE_CHECKING:
    from .engine import Session

_MADE = re.compile(
    r"CREATE\s+(OR\s+REPLACE\s+)?MASKING\s+POLICY\s+(IF\s+NOT\s+EXISTS\s+)?(\S+)\s+AS\s*"
    r"\(\s*(\w+)\s+[^)]+?\)*\s*\)?\s*RETURNS\s+[\w(),\s]+?\s*->\s*(.+)$",
    re.I | re.S,
)

_TAG = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?TAG\s+(?:IF\s+NOT\s+EXISTS\s+)?([^\s;]+)", re.I)


class Policy(NamedTuple):
    """What a masking policy makes of its argument."""

    argument: str
    body: str


def masking(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE TAG and MASKING POLICY, CREATE VIEW with policies, and reads of such a view."""
    rights = session.rights
    if isinstance(statement, exp.Create) and str(statement.kind).upper() == "TAG":
        # sqlglot keeps the last part of a tag's name alone.
        found = _TAG.match(session.command)
        rights.tags.add(_full(exp.to_table(found[1], dialect="snowflake"), session) if found else ())
        return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Command) and (found := _MADE.match(statement.sql("snowflake", comments=False))):
        name = _full(exp.to_table(found[3], dialect="snowflake"), session)
        if not (found[2] and name in rights.masking):
            rights.masking[name] = Policy(found[4], found[5])
        return SUCCESS_NOP.copy()
    if isinstance(statement, exp.Create | exp.Drop) and str(statement.args.get("kind")).upper() == "VIEW":
        return _view(statement, session)
    for table in list(statement.find_all(exp.Table)) if rights.masks else ():
        if table.this is not None and rights.masks.get(_full(table, session)) and table is not statement.this:
            table.replace(_as_seen(table, session, duck))
    return statement


def _view(statement: Expr, session: Session) -> Expr:
    masks: dict[str, Name] = {}
    if isinstance(statement, exp.Drop):
        for table in statement.find_all(exp.Table):
            session.when_done.append(partial(session.rights.masks.pop, _full(table, session), None))
        return statement
    made = statement.this
    if isinstance(made, exp.Schema):
        for column in list(made.find_all(exp.ColumnDef)):
            for kind in [constraint.args["kind"] for constraint in column.args.get("constraints") or []]:
                if isinstance(kind, exp.MaskingPolicyColumnConstraint):
                    masks[name_of(column.this)] = _named(kind.this, session, session.rights.masking, "MASKING POLICY")
                elif isinstance(kind, exp.Tags):
                    for tag in kind.expressions:
                        _named(tag.this, session, session.rights.tags, "TAG")
            column.replace(column.this.copy())
        made = made.this
    query = statement.args.get("expression")
    if query is not None and any(session.rights.masks.get(_full(t, session)) for t in query.find_all(exp.Table)):
        raise NotImplementedError("a view over a view with masking policies")
    name = _full(made, session)
    session.when_done.append(lambda: session.rights.masks.update({name: masks}))
    return statement


def _named(dotted: Expr, session: Session, known: object, kind: str) -> Name:
    """The full name of a policy or tag; error 002003 where it is not there, or the role may not apply it."""
    name = _full(exp.to_table(dotted.sql("snowflake"), dialect="snowflake"), session)
    if name not in known or not session.rights.has(session.role, "APPLY", kind, name):  # type: ignore[operator]
        raise compilation_error(f"{kind.title()} '{'.'.join(name)}' does not exist or not authorized.", 2003, "02000")
    return name


def _as_seen(table: exp.Table, session: Session, duck: DuckDBPyConnection) -> Expr:
    """The view as the session's role sees it."""
    name = _full(table, session)
    masks = session.rights.masks[name]
    columns = duck.execute(
        "SELECT column_name FROM duckdb_columns() WHERE (database_name, schema_name, table_name) = (?, ?, ?) "
        "ORDER BY column_index",
        list(name),
    ).fetchall()
    shown = ", ".join(_shown(column, masks.get(column), session) for (column,) in columns)
    plain = table.copy()
    plain.set("alias", None)
    inner = parse_one(f"SELECT {shown} FROM {plain.sql('snowflake')}", read="snowflake")
    return exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))


def _shown(column: str, policy: Name | None, session: Session) -> str:
    if policy is None:
        return f'"{column}"'
    argument, body = session.rights.masking[policy]
    parsed = parse_one(body, read="snowflake")
    for node in list(parsed.walk()):
        if (isinstance(node, exp.Func) and node.sql_name().upper() == "IS_ROLE_IN_SESSION") or (
            isinstance(node, exp.Anonymous) and node.name.upper() == "IS_ROLE_IN_SESSION"
        ):
            role = next(node.find_all(exp.Literal)).name.upper()
            node.replace(exp.Boolean(this=role in session.rights.roles_of(session.role)))
        elif isinstance(node, exp.Column) and node.name.upper() == argument.upper():
            node.replace(exp.column(column, quoted=True))
    return f'{parsed.sql("snowflake")} AS "{column}"'


def _full(table: Expr, session: Session) -> Name:
    found = table.find(exp.Table)
    return tuple(table_of(found, session)) if found is not None else ()
