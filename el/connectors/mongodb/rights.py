"""What a login of each role needs of MongoDB: the role that gives it, and whether this login holds it.

MongoDB, "Built-In Roles", "Privilege Actions", "Resource Document". A database that is taken whole needs the built-in
role `read` on it; some of its collections a role of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from el.connectors.access import Access
from el.connectors.check import Check, fine, warn, wrong
from el.connectors.mongodb.config import MongoDbConfig
from el.connectors.rights import SourceNeeds, WarehouseNeeds, collected

ROLES = {Access.OWNER: "el_owner", Access.ENGINEER: "el_engineer"}
READ = ("find", "collStats", "listIndexes", "changeStream")
# What reads cannot do without.
NEEDED = ("find",)
_WRITES = frozenset({"insert", "update", "remove", "dropCollection", "createCollection", "dropDatabase", "createUser"})
# Built-in roles that may more than read, on one database or on all.
_MIGHTY = ("readWrite", "dbAdmin", "dbOwner", "userAdmin", "cluster", "root", "__system", "restore")
_HERE = ("localhost", "127.0.0.1", "::1")


def script(config: MongoDbConfig, needs: SourceNeeds | WarehouseNeeds) -> str:
    """The role, for mongosh. Run twice it changes nothing."""
    lines = [f"// MongoDB: what {needs.access} needs; for mongosh, by a user with the role userAdmin."]
    if isinstance(needs, WarehouseNeeds) or needs.access is Access.STAGING:
        return "\n".join([*lines, "// MongoDB holds no staging data: nothing is granted."]) + "\n"
    role, name = role_of(config, needs), ROLES[needs.access]
    user = needs.user or config.user or "el"
    lines += [
        f"const el = db.getSiblingDB({json.dumps(config.database)});",
        f"const role = {json.dumps(role)};",
        f'if (el.getRole("{name}")) el.updateRole("{name}", role);',
        f'else el.createRole({{role: "{name}", ...role}});',
        f"// The user signs in at this database: `auth_source: {config.database}` in the profile.",
        f"const user = {json.dumps(user)};",
        "if (!el.getUser(user)) el.createUser({user: user, pwd: passwordPrompt(), roles: []});",
        f'el.grantRolesToUser(user, ["{name}"]);',
    ]
    return "\n".join(lines) + "\n"


def role_of(config: MongoDbConfig, needs: SourceNeeds) -> dict[str, Any]:
    """Privileges and roles, as `createRole` takes them."""
    database = config.database
    roles = [{"role": "read", "db": each} for each in needs.schemas]
    roles += [{"role": "readWrite", "db": each} for each in needs.writes]
    named = sorted({need.name for need in needs.tables if need.name.schema not in needs.schemas})
    privileges: list[dict[str, Any]] = [
        {"resource": {"db": name.schema, "collection": name.name}, "actions": list(READ)} for name in named
    ]
    if named or not roles:
        privileges.append({"resource": {"db": database, "collection": ""}, "actions": ["listCollections"]})
    return {"privileges": privileges, "roles": roles}


def checks(
    client: MongoClient[dict[str, Any]], config: MongoDbConfig, needs: SourceNeeds | WarehouseNeeds
) -> Sequence[Check]:
    return collected(_checks(client, config, needs))


def _checks(
    client: MongoClient[dict[str, Any]], config: MongoDbConfig, needs: SourceNeeds | WarehouseNeeds
) -> Iterator[Check]:
    user = config.user or "nobody"
    tables = needs.tables if isinstance(needs, SourceNeeds) else ()
    lacking = [need.name for need in tables if not _may_find(client, need.name.schema, need.name.name)]
    if lacking:
        first = lacking[0]
        missing = {"resource": {"db": first.schema, "collection": first.name}, "actions": list(READ)}
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        yield wrong(
            "rights", f"user {user} may not read {first}{more}", f"grantPrivilegesToRole(..., [{json.dumps(missing)}])"
        )
    else:
        yield fine("rights", f"user {user} may read {len(tables)} collections")
    if config.user is None and config.auth_mechanism is None:
        yield warn("rights", "the server asks nobody who it is: whoever reaches it may do all", "start it with --auth")
    elif needs.access is not Access.ENGINEER and (much := _too_much(client, config.database)):
        yield warn(
            "rights",
            f"user {user} may more than el needs to read: {', '.join(much)}",
            "give it a user of its own: `grants`",
        )
    if not config.encrypt and config.host.split(":")[0] not in _HERE:
        yield warn("line", "the line is not encrypted: all values can be read on it", "encrypt: true")
    elif config.encrypt and config.trust_cert:
        yield warn("line", "the server's certificate is not checked: another one could be the server", "ssl_ca")


def _may_find(client: MongoClient[dict[str, Any]], database: str, collection: str) -> bool:
    try:
        client[database][collection].find_one({}, {"_id": 1})
    except OperationFailure as error:
        if error.code == 13:
            return False
        raise
    return True


def _too_much(client: MongoClient[dict[str, Any]], database: str) -> list[str]:
    """Roles and actions of the login that write here, as far as it is told."""
    told: Mapping[str, Any] = client[database].command("connectionStatus", showPrivileges=True).get("authInfo", {})
    found = {str(each["role"]) for each in told.get("authenticatedUserRoles", ())}
    much = {role for role in found if role.startswith(_MIGHTY)}
    for each in told.get("authenticatedUserPrivileges", ()):
        resource = each.get("resource", {})
        if resource.get("db") in (database, "") or resource.get("anyResource"):
            much |= _WRITES & set(each.get("actions", ()))
    return sorted(much)
