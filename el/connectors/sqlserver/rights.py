"""The rights of a role at a SQL Server: one list, from which the script is printed and by which a login is checked.

Guarantees: a schema is granted as a whole only where el.yml takes all of it; else each table, and of a table with
columns that are left out the others alone. The script names no right that no read needs; what only makes a plan better
stands in it as a comment. Sources: Microsoft Learn, "GRANT (Transact-SQL)", "Manage Change Tracking",
"HAS_PERMS_BY_NAME", "sys.fn_cdc_get_min_lsn".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from el.connectors.catalog import TableName
from el.connectors.rights import ENGINEER, OWNER, SourceNeeds, TableNeed, as_comment
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.dialect import TSQL
from el.connectors.sqlserver.facts import CAPTURE, TRACKING

# Database roles; a login gets its rights by being a member of one.
ROLES = {OWNER: "el_owner", ENGINEER: "el_engineer"}
# Made with the first capture instance that `switches` makes; a capture instance that is there has its own.
GATE = "el_capture"

_DEFINITIONS = "codegen, and to tell what hides rows or values"

quote, quote_table = TSQL.quote, TSQL.quote_table


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture instance, as `cdc.change_tables` has it."""

    table: TableName
    instance: str
    gate: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the database says of itself, as far as whoever asks may see it; nothing where nobody could ask."""

    captures: tuple[Capture, ...] = ()
    masked: tuple[TableName, ...] = ()  # tables with columns under dynamic data masking
    azure: bool = False  # Azure SQL Database: users are the database's own, and it has no server's state
    admin: bool = False  # whoever asks is an administrator, who is nobody to be given rights


@dataclass(frozen=True, slots=True)
class Right:
    """One right."""

    name: str  # for people
    grant: str  # the statement, in which {to} stands for who gets it
    held: str  # a T-SQL expression that is 1 where this login has it
    needed_for: str
    optional: bool = False
    # Where it is on a schema: the tables of it that are taken. A login that has the right on each of them reads on.
    tables: tuple[TableName, ...] = ()

    def given(self, to: str, login: str) -> str:
        """The statement that grants it; of what a login has, and no user, where it is known. Both in brackets."""
        grant = self.grant.replace("{to}", to).replace("{login}", login)
        return f"USE {quote('master')}; {grant}" if "{login}" in self.grant else grant


def text(value: str) -> str:
    """A value as a literal of T-SQL."""
    return "N'" + value.replace("'", "''") + "'"


def perms(securable: str | None, kind: str | None, permission: str, column: str | None = None) -> str:
    """HAS_PERMS_BY_NAME of these."""
    given = [text(item) if item is not None else "NULL" for item in (securable, kind, permission)]
    return f"HAS_PERMS_BY_NAME({', '.join([*given, *([text(column), text('COLUMN')] if column else [])])})"


def rights_of(needs: SourceNeeds, captures: tuple[Capture, ...] = ()) -> list[Right]:
    """All rights that reads need here. captures: the database's capture instances, as far as they are known."""
    whole = {schema.lower() for schema in needs.schemas}
    found: list[Right] = []
    for schema in needs.schemas:
        inside = [table for table in needs.tables if table.name.schema.lower() == schema.lower()]
        found += _of_schema(schema, inside)
    for table in needs.tables:
        if table.name.schema.lower() not in whole:
            found += _of_table(table)
    followed = [table for table in needs.tables if is_captured(table)]
    found += _of_captures(needs, followed, captures) if followed else []
    found += _of_writes(needs.writes)
    found.append(
        Right(
            "VIEW DATABASE STATE",
            "GRANT VIEW DATABASE STATE TO {to}",
            f"CASE WHEN {perms(None, 'DATABASE', 'VIEW DATABASE STATE')} = 1 OR "
            f"{perms(None, 'DATABASE', 'VIEW DATABASE PERFORMANCE STATE')} = 1 THEN 1 ELSE 0 END",
            "the tables' sizes in the plan; from 2022 on VIEW DATABASE PERFORMANCE STATE is enough",
            optional=True,
        )
    )
    return found


def is_tracked(table: TableNeed) -> bool:
    """Whether change tracking may be read of it."""
    kept = not table.seen or TRACKING in table.feeds
    return table.follow == TRACKING or (table.follow in ("auto", "changes") and kept)


def is_captured(table: TableNeed) -> bool:
    """Whether change data capture may be read of it."""
    return table.follow == CAPTURE or (table.follow == "changes" and CAPTURE in table.feeds and not is_tracked(table))


def _of_schema(schema: str, tables: list[TableNeed]) -> Iterator[Right]:
    place, names = quote(schema), tuple(table.name for table in tables)
    words = [
        ("SELECT", "every read", names),
        ("VIEW DEFINITION", _DEFINITIONS, names),
    ]
    tracked = tuple(table.name for table in tables if is_tracked(table))
    if tracked:
        words.append(("VIEW CHANGE TRACKING", "deltas by change tracking", tracked))
    for permission, needed_for, of in words:
        yield Right(
            f"{permission} on schema {schema}",
            f"GRANT {permission} ON SCHEMA::{place} TO {{to}}",
            perms(place, "SCHEMA", permission),
            needed_for,
            tables=of,
        )


def _of_table(table: TableNeed) -> Iterator[Right]:
    place = quote_table(table.name)
    # The functions of capture ask for SELECT on every column that is captured ("sys.fn_cdc_get_min_lsn").
    columns = () if is_captured(table) else table.columns
    listed = f" ({', '.join(map(quote, columns))})" if columns else ""
    each = [f"{perms(place, 'OBJECT', 'SELECT', column)} = 1" for column in columns]
    held = f"CASE WHEN {' AND '.join(each)} THEN 1 ELSE 0 END" if each else perms(place, "OBJECT", "SELECT")
    yield Right(
        f"SELECT on {table.name}" + (f" ({', '.join(columns)})" if columns else ""),
        f"GRANT SELECT ON OBJECT::{place}{listed} TO {{to}}",
        held,
        "every read",
    )
    words = [("VIEW DEFINITION", _DEFINITIONS)]
    if is_tracked(table):
        words.append(("VIEW CHANGE TRACKING", "deltas by change tracking"))
    for permission, needed_for in words:
        yield Right(
            f"{permission} on {table.name}",
            f"GRANT {permission} ON OBJECT::{place} TO {{to}}",
            perms(place, "OBJECT", permission),
            needed_for,
        )


def _of_captures(needs: SourceNeeds, followed: list[TableNeed], captures: tuple[Capture, ...]) -> Iterator[Right]:
    """Of schema cdc all of it, where nothing else is captured; else the tables that a read asks."""
    wanted = {(table.name.schema.lower(), table.name.name.lower()) for table in followed}
    mine = [each for each in captures if (each.table.schema.lower(), each.table.name.lower()) in wanted]
    if len(mine) == len(captures):
        yield Right(
            "SELECT on schema cdc",
            f"GRANT SELECT ON SCHEMA::{quote('cdc')} TO {{to}}",
            perms(quote("cdc"), "SCHEMA", "SELECT"),
            "deltas by capture",
            tables=tuple(TableName("cdc", name) for name in _asked(mine)),
        )
    else:
        for name in _asked(mine):
            place = quote_table(TableName("cdc", name))
            grant, held = f"GRANT SELECT ON OBJECT::{place} TO {{to}}", perms(place, "OBJECT", "SELECT")
            yield Right(f"SELECT on cdc.{name}", grant, held, "deltas by capture")
    for gate in sorted({each.gate for each in mine if each.gate is not None}):
        yield Right(
            f"member of role {gate}, the gate of capture",
            f"ALTER ROLE {quote(gate)} ADD MEMBER {{to}}",
            f"IS_MEMBER({text(gate)})",
            "deltas by capture",
        )


def _asked(captures: list[Capture]) -> list[str]:
    return ["change_tables", "captured_columns", "lsn_time_mapping", *(f"{each.instance}_CT" for each in captures)]


def _of_writes(schemas: tuple[str, ...]) -> Iterator[Right]:
    """Of `write_buffer`: its ledger and what it stages are tables that it makes in the target's schema."""
    for schema in schemas:
        for permission in ("SELECT", "INSERT", "UPDATE", "DELETE", "ALTER"):
            grant = f"GRANT {permission} ON SCHEMA::{quote(schema)} TO {{to}}"
            held = perms(quote(schema), "SCHEMA", permission)
            yield Right(f"{permission} on schema {schema}", grant, held, "write_buffer")
    if schemas:
        held = perms(None, "DATABASE", "CREATE TABLE")
        yield Right("CREATE TABLE", "GRANT CREATE TABLE TO {to}", held, "write_buffer")


def server_state(needs: SourceNeeds) -> Right:
    """What shows the version store, open transactions, and who waits."""
    return Right(
        "VIEW SERVER STATE",
        "GRANT VIEW SERVER STATE TO {login}",
        perms(None, None, "VIEW SERVER STATE"),
        "`source_limits.version_store_mb` and `blocked_seconds`, and a cursor's transactions that write for long",
        optional=not needs.limits,
    )


# --- the script


def script(config: SqlServerConfig, needs: SourceNeeds, seen: Seen = Seen()) -> str:
    """The statements, in batches that end with GO: for sqlcmd, SQL Server Management Studio, Visual Studio Code."""
    role = ROLES.get(needs.access)
    if role is None:
        return as_comment(f"SQL Server: the role {needs.access} has no right here, and needs no login.") + "\n"
    captures = seen.captures
    place, user = config.database, needs.user or (None if seen.admin else config.user) or "el_reader"
    batches = [
        as_comment(
            f"SQL Server: what the role {needs.access} of el needs here, and no more. Run it as an administrator, and",
            "again whenever el.yml takes other tables. Run twice it changes nothing.",
            *needs.unknown,
        ),
        *([f"USE {quote(place)};"] if place and not seen.azure else []),
        *_principals(config, user, role, contained=seen.azure),
    ]
    if needs.access == OWNER:
        batches += _switches(needs)
        captures = (*captures, *_captures_to_be(needs, captures))
    rights = [*rights_of(needs, captures), *([server_state(needs)] if not seen.azure else [])]
    for right in rights:
        grant = right.given(quote(role), quote(user))
        said = f"{grant};" if not right.optional else as_comment(f"Optional, for {right.needed_for}:", f"{grant};")
        batches.append(said)
    unknown = not captures and any(is_captured(table) for table in needs.tables)
    batches += _choices(needs, quote(role), masked=seen.masked, captures_unknown=unknown)
    return "\nGO\n".join(batches) + "\nGO\n"


def _principals(config: SqlServerConfig, user: str, role: str, *, contained: bool) -> Iterator[str]:
    """The login, its user in the database, the role, and that the one is a member of the other."""
    unless = f"IF DATABASE_PRINCIPAL_ID({text(user)}) IS NULL"
    hint = as_comment("sqlcmd takes $(el_password) from the environment, or from -v.")
    secret = f"WITH PASSWORD = {text('$(el_password)')}"
    if (config.authentication or "").lower().startswith("activedirectory"):
        yield f"{unless} CREATE USER {quote(user)} FROM EXTERNAL PROVIDER;"
    elif contained:
        yield f"{hint}\n{unless} CREATE USER {quote(user)} {secret};"
    else:
        made = f"IF SUSER_ID({text(user)}) IS NULL CREATE LOGIN {quote(user)}"
        yield f"{made} FROM WINDOWS;" if config.windows_login else f"{hint}\n{made} {secret};"
        yield f"{unless} CREATE USER {quote(user)} FOR LOGIN {quote(user)};"
    yield f"IF DATABASE_PRINCIPAL_ID({text(role)}) IS NULL CREATE ROLE {quote(role)};"
    yield (f"IF IS_ROLEMEMBER({text(role)}, {text(user)}) = 0 ALTER ROLE {quote(role)} ADD MEMBER {quote(user)};")


TRACKING_ON = "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS, AUTO_CLEANUP = ON)"
SNAPSHOT_ON = "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON"


def _switches(needs: SourceNeeds) -> Iterator[str]:
    """What el.yml asks for by name is switched on; what would only be better stands there to be chosen."""
    tracked = [table.name for table in needs.tables if table.follow == TRACKING]
    captured = [table.name for table in needs.tables if table.follow == CAPTURE]
    if tracked:
        looked = "SELECT 1 FROM sys.change_tracking_databases WHERE database_id = DB_ID()"
        yield f"IF NOT EXISTS ({looked}) {TRACKING_ON};"
    for name in tracked:
        place = quote_table(name)
        looked = f"SELECT 1 FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID({text(place)})"
        yield f"IF NOT EXISTS ({looked}) {enable_tracking(name)};"
    if captured:
        looked = "SELECT 1 FROM sys.databases WHERE database_id = DB_ID() AND is_cdc_enabled = 1"
        yield f"IF NOT EXISTS ({looked}) EXEC sys.sp_cdc_enable_db;"
    for name in captured:
        looked = f"SELECT 1 FROM cdc.change_tables WHERE source_object_id = OBJECT_ID({text(quote_table(name))})"
        yield f"IF NOT EXISTS ({looked}) {enable_capture(name)};"
    better = [table.name for table in needs.tables if table.follow == "auto" and not table.feeds and table.has_key]
    lines = [f"{enable_tracking(name)};" for name in better if name.name != "*"]
    if lines:
        yield as_comment("If wanted: deletes, and deltas of every change, for these tables.", f"{TRACKING_ON};", *lines)
    yield as_comment(
        "If wanted, once: reads of one point in time that wait for no writer. It waits for open transactions.",
        f"{SNAPSHOT_ON};",
    )


def _captures_to_be(needs: SourceNeeds, captures: tuple[Capture, ...]) -> Iterator[Capture]:
    """Those that `_switches` makes, under the name that the server gives them ("sys.sp_cdc_enable_table")."""
    known = {each.table for each in captures}
    for table in needs.tables:
        if table.follow == CAPTURE and table.name not in known:
            yield Capture(table.name, f"{table.name.schema}_{table.name.name}", GATE)


def enable_tracking(name: TableName) -> str:
    """Change tracking on, of one table."""
    return f"ALTER TABLE {quote_table(name)} ENABLE CHANGE_TRACKING"


def enable_capture(name: TableName) -> str:
    """A capture instance of one table, behind el's own gating role."""
    return (
        f"EXEC sys.sp_cdc_enable_table @source_schema = {text(name.schema)}, @source_name = {text(name.name)}, "
        f"@role_name = {text(GATE)}"
    )


def _choices(needs: SourceNeeds, role: str, *, masked: Sequence[TableName], captures_unknown: bool) -> Iterator[str]:
    """What somebody has to decide."""
    if captures_unknown:
        yield as_comment(
            "cdc: and membership in the role that gates each capture instance (@role_name), unless it has none:",
            f"ALTER ROLE [the gating role] ADD MEMBER {role};",
        )
    if masked:
        grants = [
            f"GRANT UNMASK ON {quote_table(name)} TO {role}; -- before 2022: GRANT UNMASK TO {role}" for name in masked
        ]
        yield as_comment("Only if masked columns shall leave the database as they are:", *grants)
    yield as_comment(
        "Only where a schema that el does not read holds security policies: one that cannot be seen cannot be told.",
        f"GRANT VIEW DEFINITION TO {role};",
    )
