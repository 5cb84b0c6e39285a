"""What is looked at of a Snowflake account before a run depends on it: rights, the warehouse, the stages.

SHOW alone is asked, which needs no running warehouse; a role may always ask what was granted to it (Snowflake
documentation, "SHOW GRANTS"). Names are compared as they are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from el.connectors.check import Check, fine, warn, wrong
from el.connectors.rights import ENGINEER, OWNER, STAGING, WarehouseNeeds
from el.connectors.snowflake.config import SnowflakeConfig
from el.connectors.snowflake.rights import ROLES, STAGE, Place, Right, grants, parts, quoted, rights_of, stored
from el.errors import DatabaseError, ElError

Show = Callable[[str], list[dict[str, Any]]]

# Roles of the system that hold more than any role of el's needs.
_SYSTEM = frozenset({"ACCOUNTADMIN", "ORGADMIN", "GLOBALORGADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN"})
_SINGULAR = {"TABLES": "TABLE", "VIEWS": "VIEW", "STAGES": "STAGE"}


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


class Held:
    """What a role holds: by itself, through roles that were granted to it, and of what is still to come.

    unknown: what could not be asked of these, in the server's words.
    """

    def __init__(self, show: Show, role: str) -> None:
        self.roles: set[str] = {role}
        self.privileges: set[tuple[str, str, Place]] = set()
        self.future: set[tuple[str, str, Place]] = set()
        self.unknown: list[str] = []
        waiting = [f"ROLE {quoted((role,))}"]
        while waiting:
            of = waiting.pop()
            for row in self._shown(show, f"SHOW GRANTS TO {of}"):
                kind, name = str(row["granted_on"]).upper(), parts(str(row["name"]))
                inner = ".".join(name)
                is_role = kind in ("ROLE", "DATABASE_ROLE") and str(row["privilege"]).upper() == "USAGE"
                if is_role and inner not in self.roles:
                    self.roles.add(inner)
                    waiting.append(f"{kind.replace('_', ' ')} {quoted(name)}")
                self.privileges.add((str(row["privilege"]).upper(), kind, name))
            for row in self._shown(show, f"SHOW FUTURE GRANTS TO {of}"):
                # Its name is that of the schema or the database, and "<TABLE>" behind it.
                place = parts(str(row["name"]).rpartition(".")[0])
                self.future.add((str(row["privilege"]).upper(), str(row["grant_on"]).upper(), place))

    def _shown(self, show: Show, sql: str) -> list[dict[str, Any]]:
        try:
            return show(sql)
        except DatabaseError as error:
            if error.retryable:
                raise
            self.unknown.append(f"{sql}: {error}")
            return []

    def has(self, privilege: str, kind: str, place: Place) -> bool:
        """Whether it holds the privilege, or owns the object."""
        return bool({(privilege, kind, place), ("OWNERSHIP", kind, place), ("ALL", kind, place)} & self.privileges)

    def will_have(self, privilege: str, kind: str, place: Place) -> bool:
        """Whether it gets the privilege on what comes into a schema; a grant on the schema sets that on the database
        aside."""
        of_schema = {(p, k) for p, k, where in self.future if where == place}
        of_database = {(p, k) for p, k, where in self.future if where == place[:1]}
        return (privilege, kind) in (of_schema or of_database)


class SnowflakeChecks:
    """The checks of one session's role for one role of el's."""

    def __init__(self, show: Show, config: SnowflakeConfig, role: str | None, needs: WarehouseNeeds) -> None:
        self.show = show
        self.config = config
        self.role = role or ""
        self.needs = needs
        self.database = stored(config.database)

    def all(self) -> Iterator[Check]:
        """One after the other."""
        if (self.config.protocol or "https") != "https":
            yield warn("certificate", "the line is not encrypted (`protocol`)", "take `protocol` out of the profile")
        else:
            yield fine("certificate", "the line is encrypted, and the certificate is trusted")
        if self.role in _SYSTEM:
            better = f"`role: {ROLES[self.needs.access]}` in the profile, and `python -m el grants` makes it"
            yield warn("rights", f"the session's role is {self.role}, which holds more than el needs", better)
        else:
            yield from self._rights()
        yield from self._warehouse()
        yield from self._stages() if self.needs.access != STAGING else ()

    def _rights(self) -> Iterator[Check]:
        self.held = Held(self.show, self.role)
        if self.held.unknown:
            # What is not known to be held is not said to be missing.
            yield warn("rights", f"what {self.role} holds cannot be asked: {'; '.join(self.held.unknown[:3])}")
            return
        for right in rights_of(self.config, self.needs):
            yield from self._of_what_comes(right) if right.future is not None else self._of(right)
        yield from self._too_much()

    def _of(self, right: Right) -> Iterator[Check]:
        kind, place = right.kind, right.place
        missing = [p for p in right.privileges if not self.held.has(p, kind.replace(" ", "_"), place)]
        name = f"{', '.join(right.privileges)} on {kind.lower()} {'.'.join(place)}"
        if kind == "DATABASE" and any(role.startswith(f"{place[0]}.") for role in self.held.roles):
            missing = []  # A database role brings it ("CREATE DATABASE ROLE").
        if not missing:
            yield fine("rights", f"{name}: held")
        elif kind == "SCHEMA" and self._makes(place):
            yield fine("rights", f"{name}: {self.role} makes the schema with the first run, and owns it")
        else:
            lacks = f"{', '.join(missing)} on {kind.lower()} {'.'.join(place)}"
            said = f"{lacks}: missing; it is needed for {right.needed_for}"
            yield wrong("rights", said, "; ".join(self._grants(right)))

    def _makes(self, schema: Place) -> bool:
        """Whether the schema is not there, and the role can make it."""
        if self.needs.access == STAGING or not self.held.has("CREATE SCHEMA", "DATABASE", schema[:1]):
            return False
        try:
            rows = self.show(f"SHOW SCHEMAS LIKE {_literal(schema[1])} IN DATABASE {quoted(schema[:1])}")
        except ElError:
            return False
        return not any(row["name"] == schema[1] for row in rows)

    def _grants(self, right: Right) -> list[str]:
        """To el's own role where this session has it, else to the role that it has."""
        through = right.through if f"{self.database}.{right.through}" in self.held.roles else None
        engineer = ROLES[ENGINEER] in self.held.roles and not right.of_owner and self.needs.access != STAGING
        return grants(replace(right, through=through), ROLES[ENGINEER] if engineer else self.role, self.database)

    def _of_what_comes(self, right: Right) -> Iterator[Check]:
        """Of all objects of a kind in a schema: those that are there, and those that come."""
        assert right.future is not None
        kind, schema = _SINGULAR[right.future], right.place
        name = f"{', '.join(right.privileges)} on {right.future.lower()} in {'.'.join(schema)}"
        if ("OWNERSHIP", "SCHEMA", schema) in self.held.privileges and not self.held.roles & set(ROLES.values()):
            # The schema is the role's own, and so is what it makes there.
            return
        if self._makes(schema):
            return
        without = self._without(right, kind)
        come = all(self.held.will_have(privilege, kind, schema) for privilege in right.privileges)
        if without or not come:
            some = f"{', '.join(without[:3])}{', ...' if len(without) > 3 else ''}"
            lacks = f"not on {some}" if without else "not on those that come later"
            said = f"{name}: missing, {lacks}; it is needed for {right.needed_for}"
            yield wrong("rights", said, "; ".join(self._grants(right)))
        else:
            yield fine("rights", f"{name}: held")

    def _without(self, right: Right, kind: str) -> list[str]:
        """The objects that are there, as far as they are seen, of which the privileges are not held."""
        try:
            rows = self.show(f"SHOW {right.future} IN SCHEMA {quoted(right.place)}")
        except DatabaseError:
            return []
        names = [str(row["name"]) for row in rows]
        return [n for n in names if not all(self.held.has(p, kind, (*right.place, n)) for p in right.privileges)]

    def _too_much(self) -> Iterator[Check]:
        needs, role = self.needs, self.role
        if system := sorted(self.held.roles & _SYSTEM):
            yield warn(
                "rights",
                f"{role} has {system[0]}, which holds more than el needs",
                f"REVOKE ROLE {system[0]} FROM ROLE {role}",
            )
        if needs.access == OWNER:
            return
        places = [
            (self.database, schema)
            for schema in (*needs.raw, *map(stored, (*needs.staging, *needs.clear, *needs.targets)))
        ]
        # A role that makes its schemas itself owns them, and needs it.
        if role in ROLES.values():
            for place in places:
                if ("OWNERSHIP", "SCHEMA", place) in self.held.privileges:
                    more = f"{role} owns schema {'.'.join(place)}, which is more than the role {needs.access} needs"
                    yield warn(
                        "rights",
                        more,
                        f"GRANT OWNERSHIP ON SCHEMA {quoted(place)} TO ROLE EL_OWNER COPY CURRENT GRANTS",
                    )
        if needs.access == STAGING:
            beyond = [(self.database, schema) for schema in (*needs.raw, *map(stored, (*needs.clear, *needs.targets)))]
            for place in beyond:
                if any(where[:2] == place for _, _, where in self.held.privileges):
                    more = f"{role} has rights in {'.'.join(place)}, which the role staging has no business in"
                    yield warn("rights", more, f"REVOKE ALL ON SCHEMA {quoted(place)} FROM ROLE {role}")

    def _stages(self) -> Iterator[Check]:
        """The stage of each raw schema, through which files are loaded, and those out of which Snowflake reads."""
        for schema in self.needs.raw:
            place = (self.database, schema)
            try:
                there = any(
                    str(row["name"]).lower() == STAGE for row in self.show(f"SHOW STAGES IN SCHEMA {quoted(place)}")
                )
            except DatabaseError:
                there = False
            found = "is there" if there else "is made by the first load"
            yield fine("stage", f"{'.'.join(place)}.{STAGE} {found}")
        for name in self.needs.stages:
            try:
                self.show(f"DESCRIBE STAGE {name}")
                yield fine("stage", f"{name} is there, and may be used")
            except DatabaseError as error:
                yield wrong("stage", f"{name}: {error}", f"GRANT USAGE ON STAGE {name} TO ROLE {self.role}")

    def _warehouse(self) -> Iterator[Check]:
        name = self.config.warehouse
        if name is None:
            yield warn("warehouse", "the profile names none: the user's own default is used", "set `warehouse`")
            return
        try:
            rows = self.show(f"SHOW WAREHOUSES LIKE {_literal(stored(name))}")
        except DatabaseError as error:
            yield wrong("warehouse", f"{name}: {error}")
            return
        row = next((row for row in rows if row["name"] == stored(name)), None)
        if row is None:
            yield wrong(
                "warehouse",
                f"{name} is not there, or {self.role} may not use it",
                f"GRANT USAGE ON WAREHOUSE {name} TO ROLE {self.role}",
            )
            return
        suspends = str(row.get("auto_suspend") or "0")
        said = f"{name}: {row.get('size', '?')}, {str(row.get('state', '?')).lower()}"
        if suspends == "0":
            yield warn(
                "warehouse",
                f"{said}; it never suspends, and is paid for all day",
                f"ALTER WAREHOUSE {name} SET AUTO_SUSPEND = 60",
            )
        elif str(row.get("auto_resume", "true")).lower() != "true":
            yield warn(
                "warehouse", f"{said}; it does not resume by itself", f"ALTER WAREHOUSE {name} SET AUTO_RESUME = TRUE"
            )
        else:
            yield fine("warehouse", f"{said}; it suspends after {suspends} seconds")
