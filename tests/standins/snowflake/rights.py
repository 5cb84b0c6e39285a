"""Roles, grants and owners of one account: CREATE ROLE and USER, GRANT, REVOKE, schemas of managed access.

Snowflake documentation, "Overview of Access Control", "Access control privileges", "GRANT <privileges> ... TO ROLE",
"GRANT OWNERSHIP", "CREATE DATABASE ROLE" and "CREATE SCHEMA": what a role makes it owns, or whoever a future grant
names; a future grant is given when an object is made, and one on the schema sets those on the database aside; a
database role may use its database; in a schema of managed access the schema's owner alone grants. A role that no CREATE
ROLE made is not checked: it may do all that ACCOUNTADMIN may.

LIMITS: kept as long as the process; no grant option, no secondary roles; tables and views share one kind once they are
there, as they share their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import sqlglot
from duckdb import DuckDBPyConnection
from fakesnow.transforms import SUCCESS_NOP
from sqlglot import Expr, exp

from .errors import insufficient
from .keys import name_of
from .stages import duckdb_statement, literal

if TYPE_CHECKING:
    from .engine import Session
    from .masking import Policy

Name = tuple[str, ...]
_PATH = r'((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+)){0,2})'
_ROLE_TO = re.compile(
    rf"(GRANT|REVOKE)\s+((?:DATABASE\s+)?ROLE)\s+{_PATH}\s+(?:TO|FROM)\s+((?:DATABASE\s+)?ROLE|USER)\s+{_PATH}\s*$",
    re.I | re.S,
)
_KIND = r"(DATABASE|SCHEMAS?|TABLES?|VIEWS?|STAGES?|WAREHOUSE|MASKING\s+POLICY|TAG)"
_PRIVILEGES = re.compile(
    rf"(GRANT|REVOKE)\s+(.+?)\s+ON\s+(?:(ALL|FUTURE)\s+)?(?:{_KIND}\s+)?(?:IN\s+(SCHEMA|DATABASE)\s+)?"
    rf"{_PATH}\s+(?:TO|FROM)\s+((?:DATABASE\s+)?ROLE\s+)?{_PATH}(?:\s+(?:COPY|REVOKE)\s+CURRENT\s+GRANTS)?\s*$",
    re.I | re.S,
)
_MADE = re.compile(
    rf"CREATE\s+(?:OR\s+REPLACE\s+)?((?:DATABASE\s+)?ROLE|USER)\s+(?:IF\s+NOT\s+EXISTS\s+)?{_PATH}", re.I
)
_GONE = re.compile(rf"DROP\s+(ROLE|USER)\s+(?:IF\s+EXISTS\s+)?{_PATH}", re.I)
_MANAGED = re.compile(
    rf"(CREATE\s+(?:TRANSIENT\s+)?SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?{_PATH})\s+WITH\s+MANAGED\s+ACCESS\s*$", re.I | re.S
)
_MANAGE = re.compile(rf"ALTER\s+SCHEMA\s+{_PATH}\s+(ENABLE|DISABLE)\s+MANAGED\s+ACCESS\s*$", re.I | re.S)
_SHOW_GRANTS = re.compile(rf"SHOW\s+GRANTS\s+ON\s+(?:(?:TABLE|VIEW)\s+)?{_PATH}\s*$", re.I)


class Grant(NamedTuple):
    """One privilege of a role. name: of the object; of a future grant, of the database or schema it holds in."""

    role: str
    privilege: str
    kind: str
    name: Name


class Rights:
    """Who may do what. Kinds are DATABASE, SCHEMA, TABLE (views too), STAGE and WAREHOUSE."""

    def __init__(self) -> None:
        self.roles: dict[str, set[str]] = {}
        self.users: dict[str, set[str]] = {}
        self.grants: set[Grant] = set()
        self.future: set[Grant] = set()
        self.owners: dict[tuple[str, Name], str] = {}
        self.managed: set[Name] = set()  # schemas
        self.policies: dict[Name, set[tuple[str, str]]] = {}  # of a table: kind, column
        self.tags: set[Name] = set()
        self.masking: dict[Name, Policy] = {}
        self.masks: dict[Name, dict[str, Name]] = {}  # of a view: column, policy

    def checks(self, role: str) -> bool:
        return role in self.roles

    def may_take(self, user: str, role: str) -> bool:
        """Whether the user may take the role, by itself or through one of its own."""
        return user not in self.users or not self.checks(role) or any(role in self._all(r) for r in self.users[user])

    def forget(self, name: str, kind: str) -> None:
        """A role or user is no more; what the role owned is the account's."""
        (self.roles if kind == "ROLE" else self.users).pop(name, None)
        if kind == "ROLE":
            self.grants = {g for g in self.grants if g.role != name}
            self.future = {g for g in self.future if g.role != name}
            for held in (*self.roles.values(), *self.users.values()):
                held.discard(name)

    def roles_of(self, role: str) -> set[str]:
        """The role and all that it has."""
        return self._all(role)

    def _all(self, role: str) -> set[str]:
        """The role and all that were granted to it."""
        found, new = {role}, {role}
        while new := {granted for name in new for granted in self.roles.get(name, ())} - found:
            found |= new
        return found

    def privileges(self, role: str, kind: str, name: Name) -> set[str]:
        """What the role has of the object; OWNERSHIP is everything."""
        roles = self._all(role)
        found = {g.privilege for g in self.grants if g.role in roles and (g.kind, g.name) == (kind, name)}
        return found | ({"OWNERSHIP"} if self.owners.get((kind, name)) in roles else set())

    def has(self, role: str, privilege: str, kind: str, name: Name) -> bool:
        return not self.checks(role) or bool({privilege, "ALL", "OWNERSHIP"} & self.privileges(role, kind, name))

    def visible(self, role: str, kind: str) -> set[Name]:
        """The objects of this kind of which the role has any privilege."""
        roles = self._all(role)
        held = {g.name for g in self.grants if g.role in roles and g.kind == kind}
        return held | {name for (of, name), owner in self.owners.items() if of == kind and owner in roles}

    def made(self, role: str, kind: str, name: Name, *, keep_grants: bool = False) -> None:
        """An object was made, or made anew. kind: VIEW for a view."""
        stored = "TABLE" if kind == "VIEW" else kind
        if not keep_grants:
            self.dropped(stored, name)
        self.owners[stored, name] = role
        wanted = [g for g in self.future if g.kind == kind and g.name == name[: len(g.name)]]
        deepest = max((len(g.name) for g in wanted), default=0)
        for grant in wanted:
            if len(grant.name) == deepest and grant.privilege == "OWNERSHIP":
                self.owners[stored, name] = grant.role
            elif len(grant.name) == deepest:
                self.grants.add(grant._replace(kind=stored, name=name))

    def dropped(self, kind: str, name: Name) -> None:
        """The object, and what was in it, is gone, and its grants with it."""

        def goes(of: str, other: Name) -> bool:
            inside = kind in {"DATABASE", "SCHEMA"} and of != "WAREHOUSE" and other[: len(name)] == name
            return (of, other) == (kind, name) or inside

        self.grants = {g for g in self.grants if not goes(g.kind, g.name)}
        self.owners = {key: role for key, role in self.owners.items() if not goes(*key)}
        self.managed = {schema for schema in self.managed if not goes("SCHEMA", schema)}
        self.policies = {name: held for name, held in self.policies.items() if not goes("TABLE", name)}

    def renamed(self, old: Name, new: Name) -> None:
        self.grants = {g._replace(name=new) if (g.kind, g.name) == ("TABLE", old) else g for g in self.grants}
        if ("TABLE", old) in self.owners:
            self.owners["TABLE", new] = self.owners.pop(("TABLE", old))

    def swapped(self, one: Name, other: Name) -> None:
        for old, new in ((one, ("",)), (other, one), (("",), other)):
            self.renamed(old, new)


def rights_statements(statement: Expr, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE and DROP ROLE or USER, GRANT, REVOKE, SHOW GRANTS ON: what they change takes effect at once."""
    if not isinstance(statement, (exp.Grant, exp.Revoke, exp.Command, exp.Drop)):
        return statement
    rights, sql = session.rights, statement.sql("snowflake", comments=False).strip()
    if found := _MADE.match(sql):
        _make(found[1], _parts(found[2]), rights)
    elif found := _MANAGED.match(sql):
        return _managed(found[1], _full(_parts(found[2]), session, 2), session, duck)
    elif found := _MANAGE.match(sql):
        _manage(_full(_parts(found[1]), session, 2), found[2].upper() == "ENABLE", session)
    elif found := _GONE.match(sql):
        rights.forget(_parts(found[2])[0], found[1].upper())
    elif found := _ROLE_TO.match(sql):
        role, to = _named(found[2], found[3]), _named(found[4], found[5])
        holders = rights.users if found[4].upper() == "USER" else rights.roles
        held = holders.get(to, set())  # a role of the system's own may do everything already
        held.add(role) if found[1].upper() == "GRANT" else held.discard(role)
    elif found := _PRIVILEGES.match(sql):
        _grant(found, session, duck)
    elif found := _SHOW_GRANTS.match(sql):
        return _show_grants(_full(_parts(found[1]), session, 3), rights)
    else:
        return statement
    return SUCCESS_NOP.copy()


def _make(what: str, name: Name, rights: Rights) -> None:
    if what.upper() == "USER":
        rights.users.setdefault(name[0], set())
        return
    role = ".".join(name)
    rights.roles.setdefault(role, set())
    if what.upper() != "ROLE":
        rights.grants.add(Grant(role, "USAGE", "DATABASE", name[:1]))


def _managed(sql: str, schema: Name, session: Session, duck: DuckDBPyConnection) -> Expr:
    """CREATE SCHEMA ... WITH MANAGED ACCESS: without these words it goes on."""
    if schema not in existing("SCHEMA", duck):
        session.when_done.append(lambda: session.rights.managed.add(schema))
    return sqlglot.parse_one(sql, read="snowflake")


def _manage(schema: Name, on: bool, session: Session) -> None:
    if not session.rights.has(session.role, "OWNERSHIP", "SCHEMA", schema):
        raise insufficient("SCHEMA", schema)
    (session.rights.managed.add if on else session.rights.managed.discard)(schema)


def _named(what: str, path: str) -> str:
    """A role as it is kept: a database role by the database's name and its own."""
    return ".".join(_parts(path)) if what.upper().startswith("DATABASE") else _parts(path)[0]


def _grant(found: re.Match[str], session: Session, duck: DuckDBPyConnection) -> None:
    action, privileges, extent, kind, within, path, of, role = found.groups()
    kind = " ".join((kind or "TABLE").upper().split())
    kind = kind.removesuffix("S") if extent else kind
    scope = (within or kind).upper()
    parts = _parts(path)
    name = _full(parts, session, {"DATABASE": 1, "WAREHOUSE": 1, "SCHEMA": 2}.get(scope, 3))
    rights, to = session.rights, _named(of or "ROLE", role)
    is_future, stored = (extent or "").upper() == "FUTURE", "TABLE" if kind == "VIEW" else kind
    decides = (stored, name) if is_future or name[:2] not in rights.managed else ("SCHEMA", name[:2])
    if rights.checks(session.role) and (is_future or not rights.has(session.role, "OWNERSHIP", *decides)):
        raise insufficient(kind, name)
    objects: Iterable[Name] = [name]
    if extent and not is_future:
        objects = [other for other in existing(stored, duck) if other[: len(name)] == name]
    for privilege in (" ".join(p.upper().split()).removesuffix(" PRIVILEGES") for p in privileges.split(",")):
        if privilege == "OWNERSHIP" and not is_future:
            rights.owners |= {(stored, other): to for other in objects}
            continue
        target = rights.future if is_future else rights.grants
        changed = {Grant(to, privilege, kind if is_future else stored, other) for other in objects}
        target |= changed if action.upper() == "GRANT" else set()
        target -= changed if action.upper() == "REVOKE" else set()


def _show_grants(name: Name, rights: Rights) -> Expr:
    rows = [g for g in sorted(rights.grants) if (g.kind, g.name) == ("TABLE", name)]
    rows += [Grant(role, "OWNERSHIP", *key) for key, role in rights.owners.items() if key == ("TABLE", name)]
    shown = [
        f"(to_timestamp(0)::timestamptz, {literal(g.privilege)}, 'TABLE', {literal('.'.join(g.name))}, 'ROLE',"
        f" {literal(g.role)}, 'false', '')"
        for g in rows
    ] or ["(NULL::timestamptz, '', '', '', '', '', '', '')"]
    columns = (
        "created_on",
        "privilege",
        "granted_on",
        "name",
        "granted_to",
        "grantee_name",
        "grant_option",
        "granted_by",
    )
    named = ", ".join(f'"{column}"' for column in columns)
    limit = "" if rows else " LIMIT 0"
    return duckdb_statement(f"SELECT * FROM (VALUES {', '.join(shown)}) AS g({named}){limit}")


def existing(kind: str, duck: DuckDBPyConnection) -> set[Name]:
    """All objects of a kind that are there."""
    schemas = "SELECT database_name, schema_name FROM duckdb_schemas() WHERE NOT internal"
    tables = (
        "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        " UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal"
    )
    stages = "SELECT database_name, schema_name, name FROM _fs_global._fs_information_schema._fs_stages"
    sql = {"SCHEMA": schemas, "TABLE": tables, "STAGE": stages}.get(kind)
    return set(duck.execute(sql).fetchall()) if sql else set()


def _parts(path: str) -> Name:
    return tuple(name_of(part) for part in exp.to_table(path, dialect="snowflake").parts)


def _full(parts: Name, session: Session, length: int) -> Name:
    context = (session.database or "", session.schema or "")
    return (*context[: length - len(parts)], *parts)
