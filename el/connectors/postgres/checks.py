"""What is looked at of a PostgreSQL before a run depends on it: the line, rights, what reads see.

It asks what any login may ask of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from el.connectors.check import Check, fine, warn, wrong
from el.connectors.postgres.config import PostgresConfig
from el.connectors.postgres.driver import literal
from el.connectors.postgres.log.facts import ServerFacts
from el.connectors.postgres.log.slots import FAR_BEHIND, PLUGIN, slot_of
from el.connectors.postgres.rights import ROLES, follows_log, quote, quote_table, rights_of
from el.connectors.rights import SourceNeeds
from el.connectors.sql.select import Statement

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
_SELF = """SELECT rolname::text, rolsuper, rolcreaterole, rolcreatedb,
pg_has_role('pg_read_all_data', 'USAGE') FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER"""
_SLOTS = (
    "SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE database = current_database() AND plugin = ? "
    "AND NOT temporary ORDER BY 1"
)
_CHANGES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")


class PostgresChecks:
    """The checks of one login for one role."""

    def __init__(self, fetch: Fetch, config: PostgresConfig, needs: SourceNeeds) -> None:
        self.fetch = fetch
        self.config = config
        self.needs = needs

    def all(self) -> Iterator[Check]:
        """One after the other."""
        yield self._line()
        if self.needs.access not in ROLES:
            yield fine("rights", f"the role {self.needs.access} needs none here")
            return
        name = str(self._ask("SELECT CURRENT_USER::text"))
        member = f"SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal(ROLES[self.needs.access])} "
        inherited = self._ask(f"{member} AND pg_has_role(oid, 'USAGE'))")
        self.user, self.to = quote(name), quote(ROLES[self.needs.access] if inherited else name)
        yield from self._too_much()
        yield from self._rights()
        yield from self._left_out()
        yield from self._standby()
        if any(map(follows_log, self.needs.tables)):
            yield from self._log()
        else:
            yield self._log_to_be()

    def _ask(self, sql: str) -> object:
        return self.fetch(Statement(sql))[0][0]

    def _line(self) -> Check:
        mode = self.config.sslmode
        if self.config.host.startswith("/"):
            return fine("certificate", "the line does not leave this machine")
        if mode in ("disable", "allow", "prefer"):
            said = f"the line is not encrypted for certain (`sslmode: {mode}`)"
            return warn("certificate", said, "`sslmode: verify-full`")
        if mode == "require":
            said = "the line is encrypted, and nobody checks whose certificate it is (`sslmode: require`)"
            return warn(
                "certificate", said, "give the certificate's authority as `sslrootcert`, and `sslmode: verify-full`"
            )
        return fine("certificate", "the line is encrypted, and the certificate is trusted")

    def _too_much(self) -> Iterator[Check]:
        _, super_, roles, databases, reads_all = self.fetch(Statement(_SELF))[0]
        more = f"which is more than the role {self.needs.access} needs"
        for held, said, remedy in (
            (super_, "SUPERUSER", f"ALTER ROLE {self.user} NOSUPERUSER"),
            (roles and not super_, "CREATEROLE", f"ALTER ROLE {self.user} NOCREATEROLE"),
            (databases and not super_, "CREATEDB", f"ALTER ROLE {self.user} NOCREATEDB"),
            (reads_all and not super_, "pg_read_all_data", f"REVOKE pg_read_all_data FROM {self.user}"),
        ):
            if held:
                yield warn("rights", f"{said}, {more}", remedy)
        if super_:
            return
        for table in self.needs.tables:
            if table.name.schema in self.needs.writes:
                continue
            place = quote_table(table.name)
            asked = ", ".join(f"has_table_privilege(to_regclass({literal(place)}), '{word}')" for word in _CHANGES)
            found = zip(_CHANGES, self.fetch(Statement(f"SELECT {asked}"))[0], strict=True)
            if words := [word for word, held in found if held]:
                listed = ", ".join(words)
                yield warn("rights", f"{listed} on {table.name}, {more}", f"REVOKE {listed} ON {place} FROM {self.to}")

    def _rights(self) -> Iterator[Check]:
        for right in rights_of(self.needs, self.config):
            grant = right.grant.replace("{to}", self.to).replace("{user}", self.user)
            if self._ask(f"SELECT {right.held}"):
                yield fine("rights", f"{right}: held")
            elif right.optional:
                yield fine("rights", f"{right}: not held, and optional; it is for {right.needed_for}", grant)
            else:
                yield wrong("rights", f"{right}: missing; it is needed for {right.needed_for}", grant)

    def _left_out(self) -> Iterator[Check]:
        """Columns that el.yml leaves out and this login may read all the same."""
        for table in self.needs.tables:
            place = quote_table(table.name)
            seen = [
                column
                for column in table.left_out
                if self._ask(f"SELECT has_column_privilege(to_regclass({literal(place)}), {literal(column)}, 'SELECT')")
            ]
            if seen:
                listed = ", ".join(map(quote, table.columns))
                remedy = f"REVOKE SELECT ON {place} FROM {self.to}; GRANT SELECT ({listed}) ON {place} TO {self.to}"
                more = f"{table.name}: the login may read {', '.join(seen)}, which el.yml leaves out"
                yield warn("rights", more, remedy)

    def _log_to_be(self) -> Check:
        """What following the log would give, and what it needs."""
        level = self._ask("SELECT current_setting('wal_level')")
        gain = "with `strategy: changes` a run reads what changed alone, and sees what was deleted"
        if level != "logical":
            turned_on = "ALTER SYSTEM SET wal_level = 'logical', then restart the server"
            return fine("log", f"wal_level is {level}; once it is logical, {gain}", turned_on)
        told = ", ".join(quote_table(table.name) for table in self.needs.tables[:3])
        create = f"CREATE PUBLICATION {quote(self.config.publication)} FOR TABLE {told or '...'}"
        return fine("log", f"it can be followed: {gain}", create)

    def _log(self) -> Iterator[Check]:
        """What `strategy: changes` needs of the server, and what the slots here keep on its disk."""
        if (wrong_ := ServerFacts.of(self.fetch).wrong()) is not None:
            yield wrong("log", "changes by logical replication cannot be read", wrong_)
            return
        publication = self.config.publication
        asked = f"SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {literal(publication)})"
        if self._ask(asked):
            yield fine("log", f"publication {publication} is there")
        else:
            told = ", ".join(quote_table(table.name) for table in self.needs.tables if follows_log(table))
            create = f"CREATE PUBLICATION {quote(publication)} FOR TABLE {told}"
            yield wrong("log", f"there is no publication {publication}", create)
        for (name,) in self.fetch(Statement(_SLOTS, (PLUGIN,))):
            slot = slot_of(self.fetch, str(name))
            if slot is None:
                continue
            if slot.wrong is not None:
                yield warn("log", slot.wrong)
            elif slot.behind > FAR_BEHIND:
                drop = f"SELECT pg_drop_replication_slot({literal(slot.name)})"
                yield warn("log", str(slot), f"run el; or, where nobody reads it any longer: {drop}")
            else:
                yield fine("log", str(slot))

    def _standby(self) -> Iterator[Check]:
        if not self._ask("SELECT pg_is_in_recovery()"):
            yield fine("one moment", "several connections can read at one moment")
        elif self._ask("SELECT current_setting('hot_standby_feedback')") == "on":
            yield fine("standby", "it keeps the rows that a long read needs (`hot_standby_feedback`)")
        else:
            delay = self._ask("SELECT current_setting('max_standby_streaming_delay')")
            said = f"a read that takes longer than {delay} may be cancelled, and is tried again from its beginning"
            yield warn("standby", said, "hot_standby_feedback = on, or a longer max_standby_streaming_delay")
