"""The rights of a role in a Snowflake account: the script and the check are made of one list.

Functional roles (EL_OWNER, EL_ENGINEER, EL_STAGING) are what users are given; database roles (RAW_W, STG_R, ...) hold
what may be done in the schemas of one kind. The schemas are of managed access: who makes a table there cannot give
rights on it. Whatever is made in them belongs to EL_ENGINEER, whoever made it, for a later run has to alter it
(OWNERSHIP). Sources: Snowflake documentation, "Access control best practices", "Access control privileges", "GRANT
<privileges>", "GRANT OWNERSHIP", "CREATE DATABASE ROLE", "CREATE SCHEMA", "CREATE USER", "Key-pair authentication".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from el.connectors.rights import ENGINEER, OWNER, STAGING, WarehouseNeeds, as_comment
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.policies import applied, policy_statements

ROLES = {OWNER: "EL_OWNER", ENGINEER: "EL_ENGINEER", STAGING: "EL_STAGING"}
# Through which files are loaded; made in each raw schema.
STAGE = "_el_stage"
# A warehouse bills each start with a minute, and while it runs: it ends a minute after its last statement, and ends
# statements that run for hours.
_WAREHOUSE = (
    "WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE "
    "STATEMENT_TIMEOUT_IN_SECONDS = 7200 STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 600"
)
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Right:
    """Privileges of one kind on one object. future: on all objects of this kind in a schema, there or still to come."""

    privileges: tuple[str, ...]
    kind: str
    place: Place
    through: str | None = None  # the database role that holds it; None: the functional role itself
    future: str | None = None
    needed_for: str = "every run"
    of_owner: bool = False  # given to the owner's role itself; what an engineer needs too is given to the engineer's


def quoted(place: Place) -> str:
    """The name of an object, each part in quotes."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in place)


def stored(name: str) -> str:
    """A name of profiles.yml as Snowflake stores it: as written in quotes, else in upper case."""
    return name[1:-1].replace('""', '"') if re.fullmatch(r'".+"', name) else name.upper()


def parts(path: str) -> Place:
    """A dotted name, each part as Snowflake stores it."""
    return tuple(stored(part) for part in re.findall(r'"(?:[^"]|"")+"|[^."]+', path))


def rights_of(config: SnowflakeConfig, needs: WarehouseNeeds) -> list[Right]:
    """What the functional role needs, by itself and through database roles; an owner's are an engineer's, and more."""
    database = stored(config.database)
    found: list[Right] = []
    if config.warehouse is not None:
        found.append(Right(("USAGE",), "WAREHOUSE", (stored(config.warehouse),), needed_for="every query"))
    if needs.access == STAGING:
        for schema in needs.staging:
            place = (database, stored(schema))
            found.append(Right(("USAGE",), "SCHEMA", place, "STG_R", needed_for="reads of staging"))
            found.append(Right(("SELECT",), "SCHEMA", place, "STG_R", "VIEWS", "reads of staging"))
        return found
    makes = [
        *(("RAW_W", (database, schema), ("TABLE", "STAGE"), "loads into raw") for schema in needs.raw),
        *(
            ("STG_W", (database, stored(s)), ("TABLE", "VIEW"), "dbt's staging views")
            for s in (*needs.staging, *needs.clear)
        ),
        *(("TGT_W", (database, stored(s)), ("TABLE", "VIEW"), "dbt's schema tables") for s in needs.targets),
    ]
    for role, place, kinds, needed_for in makes:
        made = tuple(f"CREATE {kind}" for kind in kinds)
        if needs.access == OWNER:
            # Who owns a schema may do all in it, and alone says who else may.
            found.append(Right(("OWNERSHIP",), "SCHEMA", place, needed_for=needed_for, of_owner=True))
        else:
            found.append(Right(("USAGE", *made), "SCHEMA", place, role, needed_for=needed_for))
        found += [Right(("OWNERSHIP",), "SCHEMA", place, None, f"{kind}S", needed_for) for kind in kinds]
    for privilege, kind, at in applied(database, needs.masked):
        found.append(Right((privilege,), kind, at, needed_for="masks of personal data"))
    for schema in needs.writes:
        own = ("USAGE", "CREATE TABLE", "CREATE STAGE")
        rows = ("SELECT", "INSERT", "UPDATE", "DELETE")
        target = (database, stored(schema))
        found.append(Right(own, "SCHEMA", target, "WRITE_W", needed_for="write_buffer"))
        found.append(Right(rows, "SCHEMA", target, "WRITE_W", "TABLES", "write_buffer"))
    if needs.access == OWNER:
        found.append(Right(("USAGE",), "DATABASE", (database,), of_owner=True))
    for stage in needs.stages:
        full, why = _full(parts(stage), config), "dumps that Snowflake reads by itself"
        for depth, kind in enumerate(("DATABASE", "SCHEMA", "STAGE"), start=1):
            found.append(Right(("USAGE",), kind, full[:depth], needed_for=why))
    return found


def _full(place: Place, config: SnowflakeConfig) -> Place:
    before = (stored(config.database), stored(config.schema_ or "PUBLIC"))
    return (*before[: 3 - len(place)], *place)


def grants(right: Right, role: str, database: str) -> list[str]:
    """The statements that give it to a functional role, or to its database role."""
    to = f"ROLE {role}" if right.through is None else f"DATABASE ROLE {quoted((database, right.through))}"
    privileges = ", ".join(right.privileges)
    copy = " COPY CURRENT GRANTS" if right.privileges == ("OWNERSHIP",) else ""
    if right.future is None:
        return [f"GRANT {privileges} ON {right.kind} {quoted(right.place)} TO {to}{copy}"]
    # What is there, and what will be: a future grant says nothing of the former.
    within = f"{right.future} IN SCHEMA {quoted(right.place)} TO {to}"
    return [f"GRANT {privileges} ON ALL {within}{copy}", f"GRANT {privileges} ON FUTURE {within}"]


# --- the script


def script(config: SnowflakeConfig, needs: WarehouseNeeds) -> str:
    """The statements, each ended by a semicolon: Snowsight, SnowSQL and the Snowflake CLI take them as a file."""
    role, database = ROLES[needs.access], stored(config.database)
    made = list(_places(config, needs, database))
    # An owner has what an engineer has, whose role the rights are given to.
    holder = ROLES[ENGINEER] if needs.access == OWNER else role
    rights = rights_of(config, needs)
    roles = list(dict.fromkeys(right.through for right in rights if right.through is not None))
    statements = [
        *made,
        *(f"CREATE ROLE IF NOT EXISTS {each}" for each in dict.fromkeys((holder, role))),
        *(f"CREATE DATABASE ROLE IF NOT EXISTS {quoted((database, each))}" for each in roles),
        *(f"GRANT DATABASE ROLE {quoted((database, each))} TO ROLE {holder}" for each in roles),
        *dict.fromkeys(sql for right in rights for sql in grants(right, role if right.of_owner else holder, database)),
    ]
    if needs.access == OWNER:
        statements.append(f"GRANT ROLE {holder} TO ROLE {role}")
    # The profile's user is of the profile's role: who loads is nobody who reads staging alone.
    own = config.role is None or stored(config.role) == role
    user = stored(needs.user or (config.user if own else None) or role)
    statements += _user(config, user, role)
    head = as_comment(
        f"Snowflake: what the role {needs.access} of el needs here, and no more. Run it as ACCOUNTADMIN, and again",
        "whenever el.yml takes tables of other schemas. Run twice it changes nothing.",
        *needs.unknown,
    )
    tail = as_comment(
        "The user signs in with a key pair; put the public key in, without its first and last line:",
        "  openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes-256-cbc -inform PEM -out rsa_key.p8",
        "  openssl rsa -in rsa_key.p8 -pubout -out rsa_key.pub",
        f"ALTER USER {quoted((user,))} SET RSA_PUBLIC_KEY = '<the public key>';",
    )
    return (
        "\n".join(
            [head, "USE ROLE ACCOUNTADMIN;", *(f"{sql};" for sql in statements), tail, *_readers(needs, database)]
        )
        + "\n"
    )


def _places(config: SnowflakeConfig, needs: WarehouseNeeds, database: str) -> Iterator[str]:
    """The warehouse, the database and the schemas. Raw can be loaded again, so it needs no fail-safe."""
    if config.warehouse is not None:
        yield f"CREATE WAREHOUSE IF NOT EXISTS {quoted((stored(config.warehouse),))} {_WAREHOUSE}"
    yield f"CREATE DATABASE IF NOT EXISTS {quoted((database,))}"
    every = [("TRANSIENT ", schema) for schema in needs.raw if needs.access != STAGING]
    every += [("TRANSIENT ", stored(schema)) for schema in needs.staging]
    every += [("TRANSIENT ", stored(schema)) for schema in needs.clear if needs.access != STAGING]
    every += [("", stored(schema)) for schema in needs.targets if needs.access != STAGING]
    for kind, schema in every:
        place = quoted((database, schema))
        yield f"CREATE {kind}SCHEMA IF NOT EXISTS {place} WITH MANAGED ACCESS"
        # One that was there before.
        yield f"ALTER SCHEMA {place} ENABLE MANAGED ACCESS"
    if needs.access != STAGING:
        yield from policy_statements(database, needs.masked)


def _user(config: SnowflakeConfig, user: str, role: str) -> Iterator[str]:
    """Without secondary roles a session has the rights of its own role alone."""
    default = f"DEFAULT_WAREHOUSE = {quoted((stored(config.warehouse),))} " if config.warehouse is not None else ""
    yield (
        f"CREATE USER IF NOT EXISTS {quoted((user,))} TYPE = SERVICE DEFAULT_ROLE = {role} {default}"
        "DEFAULT_SECONDARY_ROLES = ()"
    )
    yield f"GRANT ROLE {role} TO USER {quoted((user,))}"
    # Else nobody but the user could change what the role owns ("Access control best practices").
    yield f"GRANT ROLE {role} TO ROLE SYSADMIN"


def _readers(needs: WarehouseNeeds, database: str) -> Iterator[str]:
    """Of the schema tables: roles of the company's own, which el does not know."""
    if needs.access != OWNER or not needs.targets:
        return
    reads = quoted((database, "TGT_R"))
    lines = [f"CREATE DATABASE ROLE IF NOT EXISTS {reads};"]
    for schema in needs.targets:
        place = (database, stored(schema))
        lines.append(f"GRANT USAGE ON SCHEMA {quoted(place)} TO DATABASE ROLE {reads};")
        for kind in ("TABLES", "VIEWS"):
            lines += [f"{sql};" for sql in grants(Right(("SELECT",), "SCHEMA", place, "TGT_R", kind), "", database)]
    yield as_comment(
        "Who reads the schema tables, with roles of your own. EL_READER_ROLES stays unset: dbt may grant nothing here.",
        *lines,
        f"GRANT DATABASE ROLE {reads} TO ROLE REPORTER;",
    )
