"""The rights of a role at a MySQL or MariaDB: one list, from which a script is printed and by which a login is checked.

A schema is granted as a whole only where el.yml takes all of it; else each table, and of one with columns that are left
out the others alone. A login gets its rights by a role, which is its default one. Sources: MySQL Reference Manual,
"GRANT Statement", "Using Roles"; MariaDB Documentation, "GRANT", "Roles Overview".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from el.connectors.catalog import TableName
from el.connectors.mysql.dialect import MYSQL
from el.connectors.rights import ENGINEER, OWNER, SourceNeeds, TableNeed, WarehouseNeeds, as_comment

ROLES = {OWNER: "el_owner", ENGINEER: "el_engineer"}
WRITES = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "CREATE TEMPORARY TABLES")
LOG = ("REPLICATION SLAVE", "REPLICATION CLIENT")
quote = MYSQL.quote


@dataclass(frozen=True, slots=True)
class Right:
    """Privileges on all (no schema), on a schema (no table), on a table, or on some of its columns."""

    names: tuple[str, ...]
    needed_for: str
    schema: str | None = None
    table: str | None = None
    columns: tuple[str, ...] = ()
    optional: bool = False
    tables: tuple[TableName, ...] = ()  # of a schema: what is taken of it

    def grant(self, to: str) -> str:
        """The statement."""
        listed = f" ({', '.join(map(quote, self.columns))})" if self.columns else ""
        return f"GRANT {', '.join(f'{name}{listed}' for name in self.names)} ON {self.level} TO {to}"

    @property
    def level(self) -> str:
        """As GRANT has it. A schema is a pattern there, so what would mean more than itself is escaped."""
        if self.schema is None:
            return "*.*"
        if self.table is None:
            pattern = re.sub(r"([_%])", r"\\\1", self.schema)
            return f"{quote(pattern)}.*"
        return MYSQL.quote_table(TableName(self.schema, self.table))

    def __str__(self) -> str:
        return self.grant("").removeprefix("GRANT ").removesuffix(" TO ")


def rights_of(needs: SourceNeeds) -> Iterator[Right]:
    """All rights that reads and writes need here."""
    whole = {schema.lower() for schema in needs.schemas}
    for schema in needs.schemas:
        inside = tuple(table.name for table in needs.tables if table.name.schema.lower() == schema.lower())
        yield Right(("SELECT",), "every read", schema, tables=inside)
    for table in needs.tables:
        if table.name.schema.lower() not in whole:
            # Its foreign keys are shown to who may read all of it, and the log has all of it anyway.
            columns = () if follows_log(table) else table.columns
            yield Right(("SELECT",), "every read", table.name.schema, table.name.name, columns)
    if any(map(follows_log, needs.tables)):
        yield Right(LOG, "changes out of the binary log")
    for schema in needs.writes:
        yield Right(WRITES, "write_buffer", schema)
    state = "a cursor's transactions that write for long, and `source_limits.blocked_seconds`"
    yield Right(("PROCESS",), state, optional=True)


def follows_log(table: TableNeed) -> bool:
    """Whether its changes are read out of the binary log."""
    return table.follow == "changes" or table.follow in table.feeds


def account(name: str) -> str:
    """'name'@'host'; of a name alone, from anywhere."""
    user, at, host = name.rpartition("@")
    parts = (user, host) if at else (name, "%")
    return "@".join("'" + part.replace("\\", "\\\\").replace("'", "''") + "'" for part in parts)


def script(needs: SourceNeeds | WarehouseNeeds, signed_in: str | None, *, by_iam: bool = False) -> str:
    """For the client `mysql`. signed_in: the account that asks, where it is no administrator. by_iam: at RDS."""
    role = ROLES.get(needs.access)
    if isinstance(needs, WarehouseNeeds) or role is None:
        return as_comment(f"MySQL: the role {needs.access} has no right here, and needs no login.") + "\n"
    to, user = f"'{role}'", account(needs.user or signed_in or "el_reader")
    identified = "WITH AWSAuthenticationPlugin AS 'RDS'" if by_iam else "BY '...'"
    lines = [
        as_comment(
            f"MySQL: what the role {needs.access} of el needs here, and no more. Run it as an administrator, and again",
            "whenever el.yml takes other tables. Run twice it changes nothing.",
            *needs.unknown,
        ),
        f"CREATE USER IF NOT EXISTS {user} ACCOUNT LOCK;",
        as_comment("A login that this made is locked:", f"ALTER USER {user} IDENTIFIED {identified} ACCOUNT UNLOCK;"),
        f"CREATE ROLE IF NOT EXISTS {to};",
    ]
    for right in rights_of(needs):
        grant = f"{right.grant(to)};"
        lines.append(as_comment(f"Optional, for {right.needed_for}:", grant) if right.optional else grant)
    # Each of the two servers reads the comment that is its own.
    lines += [f"GRANT {to} TO {user};", f"SET DEFAULT ROLE {to} /*M! FOR */ /*!80000 TO */ {user};"]
    return "\n".join(lines) + "\n"
