"""The rights of a role at a PostgreSQL: one list, from which a script is printed and by which a login is checked.

A schema is granted as a whole only where el.yml takes all of it; else each table, and of one with columns that are left
out the others alone. A login gets its rights by being a member of a role; the attribute REPLICATION alone is its own.
Sources: PostgreSQL Documentation, "GRANT", "ALTER DEFAULT PRIVILEGES", "CREATE ROLE", "Access Privilege Inquiry
Functions".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.dialect import POSTGRES
from el.connectors.postgres.driver import literal
from el.connectors.rights import ENGINEER, OWNER, SourceNeeds, TableNeed, WarehouseNeeds, as_comment

ROLES = {OWNER: "el_owner", ENGINEER: "el_engineer"}
STATS = "pg_read_all_stats"
quote, quote_table = POSTGRES.quote, POSTGRES.quote_table
_RELATIONS = (
    "FROM pg_catalog.pg_class AS c WHERE c.relnamespace = to_regnamespace({schema}) "
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition"
)
_REPLICATES = (
    "(SELECT rolsuper OR rolreplication OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r "
    "WHERE r.rolname = 'rds_replication' AND pg_has_role(r.oid, 'USAGE')) FROM pg_catalog.pg_roles "
    "WHERE rolname = CURRENT_USER)"
)


@dataclass(frozen=True, slots=True)
class Right:
    """One right. grant: the statement, {to} standing for the role and {user} for the login; held: whether this login
    has it, in SQL."""

    grant: str
    held: str
    needed_for: str
    optional: bool = False

    def __str__(self) -> str:
        return self.grant.removeprefix("GRANT ").split(" TO {")[0].replace(" {user}", "")


def rights_of(needs: SourceNeeds, config: PostgresConfig) -> Iterator[Right]:
    """All rights that reads and writes need here."""
    name = quote(config.database)
    yield Right(
        f"GRANT CONNECT ON DATABASE {name} TO {{to}}",
        "has_database_privilege(current_database(), 'CONNECT')",
        "everything",
    )
    schemas = dict.fromkeys([*needs.schemas, *(table.name.schema for table in needs.tables)])
    for schema in schemas:
        yield _on_schema("USAGE", schema, "every read")
    for schema in needs.schemas:
        yield _on_tables(("SELECT",), schema, "every read")
    for table in needs.tables:
        if table.name.schema not in needs.schemas:
            yield _on_table(table)
    if any(map(follows_log, needs.tables)):
        # The attribute is nobody's to give at Aurora and RDS.
        attribute = "GRANT rds_replication TO {user}" if config.is_of_aws else "ALTER ROLE {user} REPLICATION"
        yield Right(attribute, _REPLICATES, "changes by logical replication")
    for schema in needs.writes:
        yield _on_schema("USAGE, CREATE", schema, "write_buffer, and its ledger")
        yield _on_tables(("SELECT", "INSERT", "UPDATE", "DELETE"), schema, "write_buffer")
    if needs.writes:
        yield Right(
            f"GRANT TEMPORARY ON DATABASE {name} TO {{to}}",
            "has_database_privilege(current_database(), 'TEMPORARY')",
            "write_buffer, which stages its rows",
        )
    yield Right(
        f"GRANT {STATS} TO {{to}}",
        f"pg_has_role('{STATS}', 'USAGE')",
        "a cursor's transactions that write for long, and who waits for a read",
        optional=True,
    )


def follows_log(table: TableNeed) -> bool:
    """Whether its changes are read out of the log."""
    return table.follow == "changes" or table.follow in table.feeds


def _on_schema(words: str, schema: str, needed_for: str) -> Right:
    held = " AND ".join(
        f"has_schema_privilege(to_regnamespace({_place(schema)}), '{word}')" for word in words.split(", ")
    )
    return Right(f"GRANT {words} ON SCHEMA {quote(schema)} TO {{to}}", held, needed_for)


def _on_tables(words: Sequence[str], schema: str, needed_for: str) -> Right:
    lacks = " OR ".join(f"NOT has_table_privilege(c.oid, '{word}')" for word in words)
    inside = _RELATIONS.replace("{schema}", _place(schema))
    return Right(
        f"GRANT {', '.join(words)} ON ALL TABLES IN SCHEMA {quote(schema)} TO {{to}}",
        f"NOT EXISTS (SELECT {inside} AND ({lacks}))",
        needed_for,
    )


def _on_table(table: TableNeed) -> Right:
    listed = f" ({', '.join(map(quote, table.columns))})" if table.columns else ""
    place = f"to_regclass({literal(quote_table(table.name))})"
    each = [f"has_column_privilege({place}, {literal(column)}, 'SELECT')" for column in table.columns]
    return Right(
        f"GRANT SELECT{listed} ON {quote_table(table.name)} TO {{to}}",
        " AND ".join(each) if each else f"has_table_privilege({place}, 'SELECT')",
        "every read",
    )


def _place(schema: str) -> str:
    return literal(quote(schema))


def script(config: PostgresConfig, needs: SourceNeeds | WarehouseNeeds, owners: Sequence[tuple[str, str]]) -> str:
    """For psql. owners: who makes the tables of a schema, as far as that is known: (schema, role) each."""
    role = ROLES.get(needs.access)
    if isinstance(needs, WarehouseNeeds) or role is None:
        return as_comment(f"PostgreSQL: the role {needs.access} has no right here, and needs no login.") + "\n"
    to, user = quote(role), quote(needs.user or config.user)
    lines = [
        as_comment(
            f"PostgreSQL: what the role {needs.access} of el needs here, and no more. Run it in the database",
            f"{config.database}, as the tables' owner or an administrator, and again whenever el.yml takes other",
            "tables. Run twice it changes nothing.",
            *needs.unknown,
        ),
        _made(role, "NOLOGIN"),
        _made(needs.user or config.user, "LOGIN"),
        f"GRANT rds_iam TO {user};"
        if config.auth == "iam"
        else as_comment("A login that this made has no password yet:", f"ALTER ROLE {user} PASSWORD '...';"),
    ]
    for right in rights_of(needs, config):
        grant = f"{right.grant.replace('{to}', to).replace('{user}', user)};"
        lines.append(as_comment(f"Optional, for {right.needed_for}:", grant) if right.optional else grant)
    for schema in needs.schemas:
        found = [owner for place, owner in owners if place == schema] or ["the_owner_of_its_tables"]
        given = f"IN SCHEMA {quote(schema)} GRANT SELECT ON TABLES TO {to};"
        later = [f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(owner)} {given}" for owner in found]
        known = any(place == schema for place, _ in owners)
        lines += later if known else [as_comment("Tables that come later, with whoever makes them:", *later)]
    if any(map(follows_log, needs.tables)):
        told = ", ".join(quote_table(table.name) for table in needs.tables if follows_log(table))
        made = f"CREATE PUBLICATION {quote(config.publication)} FOR TABLE {told};"
        lines.append(as_comment("As the tables' owner, where it is not there yet:", made))
    lines.append(f"GRANT {to} TO {user};")
    return "\n".join(lines) + "\n"


def _made(role: str, how: str) -> str:
    there = f"IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal(role)})"
    return f"DO $el$ BEGIN {there} THEN CREATE ROLE {quote(role)} {how}; END IF; END $el$;"
