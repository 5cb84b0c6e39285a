"""What is looked at of a SQL Server before a run depends on it: rights, logs of changes, what reads see.

It asks what any login may ask of itself: HAS_PERMS_BY_NAME, IS_MEMBER, and catalog views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from el.connectors.catalog import TableName
from el.connectors.check import Check, fine, warn, wrong
from el.connectors.rights import SourceNeeds
from el.connectors.sql.select import Statement
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.facts import CAPTURE, TRACKING
from el.connectors.sqlserver.rights import (
    ROLES,
    SNAPSHOT_ON,
    TRACKING_ON,
    Capture,
    Right,
    Seen,
    enable_capture,
    enable_tracking,
    is_captured,
    is_tracked,
    perms,
    quote,
    quote_table,
    rights_of,
    server_state,
    text,
)
from el.connectors.sqlserver.server import AZURE_SQL_DATABASE, Fetch, ServerFacts, rows_if_supported

_CAPTURES = """
SELECT OBJECT_SCHEMA_NAME(source_object_id), OBJECT_NAME(source_object_id), capture_instance, role_name
FROM cdc.change_tables ORDER BY capture_instance
"""
_MASKED = """
SELECT DISTINCT OBJECT_SCHEMA_NAME(object_id), OBJECT_NAME(object_id) FROM sys.columns WHERE is_masked = 1
"""
# So many questions stand in one statement.
_AT_ONCE = 40
# Roles that hold more than any role of el's needs, and what takes each away.
_TOO_MUCH = {
    "sysadmin": "ALTER SERVER ROLE sysadmin DROP MEMBER {login}",
    "db_owner": "ALTER ROLE db_owner DROP MEMBER {user}",
    "db_ddladmin": "ALTER ROLE db_ddladmin DROP MEMBER {user}",
    "db_datawriter": "ALTER ROLE db_datawriter DROP MEMBER {user}",
    "db_datareader": "ALTER ROLE db_datareader DROP MEMBER {user}",
}


def captures_of(fetch: Fetch) -> tuple[Capture, ...]:
    """The capture instances that this login sees."""
    if not fetch(Statement("SELECT 1 FROM sys.schemas WHERE name = 'cdc'")):
        return ()
    rows = rows_if_supported(fetch, Statement(_CAPTURES)) or []
    return tuple(Capture(TableName(str(s), str(n)), str(i), None if g is None else str(g)) for s, n, i, g in rows)


def line_of(config: SqlServerConfig) -> Iterator[Check]:
    """Whether the line is encrypted, and the server's certificate was checked when it was opened."""
    if config.encrypt is False:
        yield warn("certificate", "the line is not encrypted (`encrypt: false`)", "`encrypt: true`")
    elif config.trust_cert and config.encrypt != "strict":
        said = "the line is encrypted, and nobody checks whose certificate it is (`trust_cert: true`)"
        yield warn("certificate", said, "install the CA of the server's certificate, and take the setting away")
    else:
        yield fine("certificate", "the line is encrypted, and the certificate is trusted")


def seen_of(fetch: Fetch, server: ServerFacts, needs: SourceNeeds) -> Seen:
    """What a script needs to know beside what el.yml says."""
    rows = rows_if_supported(fetch, Statement(_MASKED)) or []
    masked = {TableName(str(schema), str(name)) for schema, name in rows}
    azure = server.engine_edition == AZURE_SQL_DATABASE
    admin = fetch(Statement("SELECT IS_SRVROLEMEMBER('sysadmin'), IS_MEMBER('db_owner')"))[0]
    taken = tuple(sorted(masked & {table.name for table in needs.tables}))
    return Seen(captures_of(fetch), taken, azure, admin=1 in admin)


def server_time(fetch: Fetch) -> datetime:
    """Now, by the server, in UTC."""
    found = fetch(Statement("SELECT CONVERT(VARCHAR(23), SYSUTCDATETIME(), 126)"))[0][0]
    return datetime.fromisoformat(str(found))


class SqlServerChecks:
    """The checks of one login for one role."""

    def __init__(self, fetch: Fetch, server: ServerFacts, needs: SourceNeeds) -> None:
        self.fetch = fetch
        self.server = server
        self.needs = needs

    def all(self) -> Iterator[Check]:
        """One after the other."""
        if self.needs.access not in ROLES:
            yield fine("rights", f"the role {self.needs.access} needs none here")
            return
        user, login, self.admin, owner = self.fetch(
            Statement(
                "SELECT QUOTENAME(USER_NAME()), QUOTENAME(SUSER_SNAME()), IS_SRVROLEMEMBER('sysadmin'), "
                "IS_MEMBER('db_owner')"
            )
        )[0]
        self.user, self.login = str(user), str(login)
        self.to = self._grantee()
        yield from self._too_much()
        yield from self._rights()
        yield from self._left_out() if owner != 1 and self.admin != 1 else ()
        yield from self._tracking()
        yield from self._capture()
        yield from self._isolation()

    def _grantee(self) -> str:
        """Who a missing right is to be granted to: the role, where this login is a member of it."""
        role = ROLES[self.needs.access]
        member = self.fetch(Statement(f"SELECT DATABASE_PRINCIPAL_ID({text(role)}), IS_MEMBER({text(role)})"))[0]
        return quote(role) if member[0] is not None and member[1] == 1 else self.user

    def _too_much(self) -> Iterator[Check]:
        for role, away in _TOO_MUCH.items():
            # A sysadmin is a member of each of the others.
            of_database = self.admin != 1 and self._asked([f"IS_MEMBER({text(role)})"])[0]
            if self.admin == 1 if role == "sysadmin" else of_database:
                more = f"the login is a member of {role}, which is more than the role {self.needs.access} needs"
                yield warn("rights", more, away.replace("{login}", self.login).replace("{user}", self.user))

    def _rights(self) -> Iterator[Check]:
        rights = rights_of(self.needs, captures_of(self.fetch))
        if self.server.engine_edition != AZURE_SQL_DATABASE:
            rights.append(server_state(self.needs))
        for right, held in zip(rights, self._asked([right.held for right in rights]), strict=True):
            grant = right.given(self.to, self.login)
            if held:
                yield fine("rights", f"{right.name}: held")
            elif right.optional:
                yield fine("rights", f"{right.name}: not held, and optional; it is for {right.needed_for}", grant)
            elif self._on_each_table(right):
                yield fine("rights", f"{right.name}: held on each of its tables, not on those that come later", grant)
            else:
                yield wrong("rights", f"{right.name}: missing; it is needed for {right.needed_for}", grant)

    def _on_each_table(self, right: Right) -> bool:
        permission = right.name.partition(" on schema")[0]
        each = [perms(quote_table(name), "OBJECT", permission) for name in right.tables]
        return bool(each) and all(self._asked(each))

    def _left_out(self) -> Iterator[Check]:
        """Columns that el.yml leaves out and this login may read all the same."""
        for table in self.needs.tables:
            place = quote_table(table.name)
            asked = [perms(place, "OBJECT", "SELECT", column) for column in table.left_out]
            seen = [c for c, held in zip(table.left_out, self._asked(asked), strict=True) if held]
            if seen and not is_captured(table):
                listed = ", ".join(map(quote, seen))
                more = f"{table.name}: the login may read {', '.join(seen)}, which el.yml leaves out"
                yield warn("rights", more, f"DENY SELECT ON OBJECT::{place} ({listed}) TO {self.to}")

    def _asked(self, expressions: Sequence[str]) -> list[bool]:
        found: list[bool] = []
        for start in range(0, len(expressions), _AT_ONCE):
            row = self.fetch(Statement(f"SELECT {', '.join(expressions[start : start + _AT_ONCE])}"))[0]
            found += [value == 1 for value in row]
        return found

    def _tracking(self) -> Iterator[Check]:
        subject = "change tracking"
        on = [table for table in self.needs.tables if TRACKING in table.feeds]
        off = [table for table in self.needs.tables if table.follow == TRACKING and table not in on and table.seen]
        database = bool(
            self.fetch(Statement("SELECT 1 FROM sys.change_tracking_databases WHERE database_id = DB_ID()"))
        )
        if off and not database:
            yield wrong(subject, "off in this database, and el.yml asks for it by name", TRACKING_ON)
        for table in off:
            yield wrong(subject, f"{table.name}: off, and el.yml asks for it by name", enable_tracking(table.name))
        could = [t for t in self.needs.tables if t.follow == "auto" and t.has_key and t.seen and not is_tracked(t)]
        gain = "on, a run reads what changed alone and sees what was deleted"
        if could and not database:
            text_ = f"off in this database: {len(could)} tables with a primary key are read without; {gain}"
            yield fine(subject, text_, f"{TRACKING_ON}; {enable_tracking(could[0].name)}")
        elif could:
            some = ", ".join(str(table.name) for table in could[:3])
            yield fine(subject, f"off for {len(could)} tables ({some}); {gain}", enable_tracking(could[0].name))
        if on:
            yield fine(subject, f"on for {len(on)} of {len(self.needs.tables)} tables")

    def _capture(self) -> Iterator[Check]:
        wanted = [table for table in self.needs.tables if table.follow == CAPTURE and table.seen]
        row = self.fetch(Statement("SELECT is_cdc_enabled FROM sys.databases WHERE name = DB_NAME()"))
        on = bool(row and row[0][0])
        if not wanted:
            gain = "`strategy: cdc` brings every change in the order of commits, and former images"
            if on:
                yield fine("cdc", f"on in this database, and no table of el.yml asks for it; {gain}")
            else:
                yield fine("cdc", f"off in this database; on, {gain}", "EXEC sys.sp_cdc_enable_db")
            return
        if not on:
            yield wrong("cdc", "off in this database, and el.yml asks for it by name", "EXEC sys.sp_cdc_enable_db")
        instances = captures_of(self.fetch)
        known = {each.table for each in instances}
        for table in wanted:
            # What a login may not see is told among its rights.
            if table.name not in known and on and (known or "cdc" not in table.feeds):
                yield wrong("cdc", f"{table.name}: not captured", enable_capture(table.name))
            elif table.name in known:
                yield fine("cdc", f"{table.name}: captured")

    def _isolation(self) -> Iterator[Check]:
        rows = self.fetch(
            Statement(
                "SELECT snapshot_isolation_state, is_read_committed_snapshot_on FROM sys.databases "
                "WHERE name = DB_NAME()"
            )
        )
        if rows and rows[0][0] == 1:
            yield fine("snapshot isolation", "allowed: a read sees one moment and waits for no writer")
            return
        committed = bool(rows and rows[0][1])
        sees = (
            "each read sees one moment, several do not see the same" if committed else "a row that moves may be missed"
        )
        yield warn("snapshot isolation", f"not allowed: {sees}; on, a table's reads see one moment", SNAPSHOT_ON)
