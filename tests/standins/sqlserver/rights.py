"""Logins, users, roles and what was granted to them: who may read what, and who sees that it is there.

The logins that the server began with are sysadmin. Rights are kept in memory, outside of transactions. Of the many
permissions those are understood that a reader needs; the rest is kept and answers HAS_PERMS_BY_NAME. Microsoft Learn,
"Permissions (Database Engine)", "Metadata Visibility Configuration", "GRANT (Transact-SQL)".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import lookup
from .catalog import TableDef
from .errors import SqlError
from .scan import Scanner, unquote

if TYPE_CHECKING:
    from .engine import Database
    from .session import Session

ROLES = {
    "db_datareader": {"SELECT"},
    "db_datawriter": {"INSERT", "UPDATE", "DELETE"},
    "db_ddladmin": {"ALTER"},
    "db_owner": {"CONTROL"},
}
# A permission -> those that contain it ("Permissions", "covering permissions").
WIDER = {
    "CREATE TABLE": {"ALTER"},
    "VIEW DEFINITION": {"ALTER", "ALTER ANY SECURITY POLICY"},
    "VIEW DATABASE PERFORMANCE STATE": {"VIEW DATABASE STATE", "VIEW SERVER STATE"},
    "VIEW DATABASE STATE": {"VIEW SERVER STATE"},
    "VIEW SERVER PERFORMANCE STATE": {"VIEW SERVER STATE"},
}


@dataclass(frozen=True)
class Right:
    """A permission of a principal on the database, a schema, an object, or a column of one; all in lower case."""

    principal: str
    permission: str
    schema: str = ""
    name: str = ""
    column: str = ""
    denied: bool = False


def sysadmin(session: Session) -> bool:
    return session.login.lower() in session.server.sysadmins


def user(session: Session, database: Database) -> str | None:
    """The user of this session's login, in lower case; None where it has none."""
    if sysadmin(session):
        return "dbo"
    found = (name for name, login in database.users.items() if login == session.login.lower())
    return next(found, "guest" if database.name in ("master", "tempdb") else None)


def _principals(session: Session, database: Database) -> set[str]:
    return with_roles(database, {user(session, database) or "guest", "public"})


def is_principal(session: Session, name: str) -> bool:
    """Whether the database has a user or role of this name."""
    database = session.database
    return name.lower() in {*database.users, *database.roles, *ROLES, "dbo", "guest", "public"}


def with_roles(database: Database, found: set[str]) -> set[str]:
    """These principals, and all roles that they are members of, through other roles too."""
    while True:
        more = {role for role, members in database.roles.items() if members & found} - found
        if not more:
            return found
        found |= more


def member(session: Session, role: str) -> bool:
    return sysadmin(session) or role.lower() in _principals(session, session.database)


def has(
    session: Session, database: Database, permission: str, schema: str = "", name: str = "", column: str = ""
) -> bool:
    """Whether the session may do that to the database, a schema, an object or a column."""
    if sysadmin(session):
        return True
    mine = _principals(session, database)
    wanted = {permission, "CONTROL", *WIDER.get(permission, ())}
    place = (schema.lower(), name.lower(), column.lower())
    if wanted & session.engine.server_rights.get(session.login.lower(), set()):
        return True
    found = [
        right
        for right in database.rights
        if right.principal in mine
        and right.permission in wanted
        and all(
            mine_ in ("", theirs) for mine_, theirs in zip((right.schema, right.name, right.column), place, strict=True)
        )
    ]
    if any(right.denied for right in found):
        return False
    return bool(found) or any(wanted & ROLES.get(role, set()) for role in mine)


def sees(session: Session, database: Database, table: TableDef) -> bool:
    """Whether the object is among what catalog views show: any right on it, or on what contains it, is enough."""
    if sysadmin(session):
        return True
    mine = _principals(session, database)
    if any(ROLES.get(role) for role in mine):
        return True
    place = (table.schema.lower(), table.name.lower())
    return any(
        right.principal in mine
        and not right.denied
        and right.permission not in ("CONNECT", "UNMASK", "VIEW DATABASE STATE", "VIEW DATABASE PERFORMANCE STATE")
        and (not right.schema or right.schema == place[0])
        and (not right.name or right.name == place[1])
        for right in database.rights
    )


def require(session: Session, permission: str, table: TableDef) -> None:
    """Raises 229 where the session has no such right on the whole table or on any column of it."""
    if table.database == "tempdb":
        return
    database = session.engine.database(table.database)
    if has(session, database, permission, table.schema, table.name):
        return
    if any(has(session, database, permission, table.schema, table.name, c.name) for c in table.columns):
        return
    raise SqlError(
        229,
        f"The {permission} permission was denied on the object '{table.name}', database '{database.name}', schema "
        f"'{table.schema}'.",
        14,
        5,
    )


def require_to_create(session: Session, table: TableDef) -> None:
    """CREATE TABLE in the database, and ALTER on the schema ("CREATE TABLE", permissions)."""
    if table.database == "tempdb":
        return
    database = session.engine.database(table.database)
    if not has(session, database, "CREATE TABLE"):
        raise SqlError(262, f"CREATE TABLE permission denied in database '{database.name}'.", 14)
    if not has(session, database, "ALTER", table.schema):
        text = (
            f'The specified schema name "{table.schema}" either does not exist or you do not have permission to use it.'
        )
        raise SqlError(2760, text)


def require_to_drop(session: Session, table: TableDef) -> None:
    """ALTER on the schema, or CONTROL on the table ("DROP TABLE", permissions)."""
    if table.database == "tempdb":
        return
    database = session.engine.database(table.database)
    if has(session, database, "ALTER", table.schema) or has(session, database, "CONTROL", table.schema, table.name):
        return
    text = f"Cannot drop the table '{table.name}', because it does not exist or you do not have permission."
    raise SqlError(3701, text, 14, 20)


def require_column(session: Session, table: TableDef, column: str) -> None:
    """Raises 230 where a column may not be selected."""
    database = session.engine.database(table.database)
    if table.database != "tempdb" and not has(session, database, "SELECT", table.schema, table.name, column):
        raise SqlError(
            230,
            f"The SELECT permission was denied on the column '{column}' of the object '{table.name}', database "
            f"'{database.name}', schema '{table.schema}'.",
            14,
        )


# What a view of the server's state asks for, and whether of the server or of the database.
STATES = {
    "sys.dm_db_partition_stats": "VIEW DATABASE STATE",
    "sys.dm_tran_version_store_space_usage": "VIEW SERVER STATE",
    "sys.dm_tran_database_transactions": "VIEW SERVER STATE",
}


def require_view(session: Session, database: Database, view: str) -> None:
    """Raises where a system view needs a right that the session lacks."""
    state = STATES.get(view)
    if state == "VIEW DATABASE STATE" and not has(session, database, state):
        raise SqlError(262, f"VIEW DATABASE STATE permission denied in database '{database.name}'.", 14)
    if state == "VIEW SERVER STATE" and not server(session, state):
        raise SqlError(300, "VIEW SERVER STATE permission was denied on object 'server', database 'master'.", 14)
    if view.startswith("cdc.") and not has(session, database, "SELECT", "cdc", view.partition(".")[2]):
        raise SqlError(
            229,
            f"The SELECT permission was denied on the object '{view.partition('.')[2]}', database '{database.name}', "
            "schema 'cdc'.",
            14,
            5,
        )


def server(session: Session, permission: str) -> bool:
    return sysadmin(session) or bool(
        {permission, "CONTROL SERVER"} & session.engine.server_rights.get(session.login.lower(), set())
    )


# --- statements


def principal(session: Session, s: Scanner) -> None:
    """CREATE LOGIN, USER, ROLE; ALTER ROLE ... ADD | DROP MEMBER."""
    word = s.next().text
    database = session.database
    name = s.name()
    if word == "LOGIN" and s.accept("WITH", "PASSWORD", "="):
        session.server.users[name] = unquote(s.source(s.next()))
    elif word == "USER":
        login = s.name() if s.accept("FOR", "LOGIN") or s.accept("FROM", "LOGIN") else name
        database.users[name.lower()] = login.lower()
    elif word == "ROLE":
        members = database.roles.setdefault(name.lower(), set())
        if s.accept("ADD", "MEMBER"):
            members.add(s.name().lower())
        elif s.accept("DROP", "MEMBER"):
            members.discard(s.name().lower())
    s.rest()


def change(session: Session, s: Scanner) -> None:
    """GRANT, DENY, REVOKE permission [(columns)] [ON securable [(columns)]] TO | FROM principal."""
    word = s.next().text
    s.accept("GRANT", "OPTION", "FOR")
    permissions = []
    for text in s.list_of(("ON", "TO", "FROM")):
        one = Scanner(text)
        permissions.append((one.until("(").upper(), _columns(one)))
    schema = name = ""
    columns: list[str] = []
    if s.accept("ON"):
        kind = s.next().text if s.peek(1).text == "::" else "OBJECT"
        s.accept("::")
        parts = s.names()
        columns = _columns(s)
        if kind == "SCHEMA":
            schema = parts[-1].lower()
        elif kind == "OBJECT":
            schema, name = (parts[-2] if len(parts) > 1 else "dbo").lower(), parts[-1].lower()
            if schema not in ("cdc", "sys") and lookup.find(session, parts) is None:
                raise SqlError(
                    15151, f"Cannot find the object '{name}', because it does not exist or you do not have permission."
                )
    s.next()
    for text in s.list_of(("WITH", "AS", "CASCADE")):
        who = Scanner(text).name().lower()
        for permission, of in permissions:
            if " SERVER " in f" {permission} " or permission.startswith("VIEW ANY"):
                held = session.engine.server_rights.setdefault(who, set())
                (held.add if word == "GRANT" else held.discard)(permission)
                continue
            for column in of or columns or [""]:
                right = Right(who, permission, schema, name, column.lower())
                denied = Right(who, permission, schema, name, column.lower(), True)
                session.database.rights -= {right, denied}
                if word != "REVOKE":
                    session.database.rights.add(denied if word == "DENY" else right)
    s.rest()


def _columns(s: Scanner) -> list[str]:
    return [Scanner(c).name() for c in Scanner(s.parenthesised()).list_of()] if s.sees("(") else []
