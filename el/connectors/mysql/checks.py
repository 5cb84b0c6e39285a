"""What is looked at of a MySQL or MariaDB before a run depends on it: the line, rights, what reads see.

It asks what any login may ask of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from el.connectors.check import Check, fine, warn, wrong
from el.connectors.mysql import aurora
from el.connectors.mysql.config import MySqlConfig
from el.connectors.mysql.held import Fetch, held_by, like
from el.connectors.mysql.log_server import ServerLog
from el.connectors.mysql.moment import tells_of_each_commit
from el.connectors.mysql.rights import LOG, ROLES, WRITES, Right, account, follows_log, quote, rights_of
from el.connectors.rights import SourceNeeds
from el.connectors.sql.select import Statement

_HARMLESS = frozenset({"USAGE", "PROCESS", "SHOW DATABASES", "SLAVE MONITOR", "REPLICA MONITOR", *LOG})


def log_checks(log: ServerLog, needs: SourceNeeds) -> Iterator[Check]:
    """Whether the binary log can be followed, and what it would give where el.yml does not ask for it."""
    if needs.access not in ROLES:
        return
    subject, followed = "binary log", any(map(follows_log, needs.tables))
    why, gain = log.obstacle(), "a run reads what changed alone, and sees what was deleted"
    if why is None and followed:
        yield fine(subject, "it can be followed, and `strategy: changes` does")
    elif why is None:
        yield fine(subject, f"it can be followed: with `strategy: changes` {gain}", "`strategy: changes` in el.yml")
    elif followed:
        yield wrong(subject, "it cannot be followed, and el.yml asks for it", why)
    else:
        yield fine(subject, f"it cannot be followed; once it can, with `strategy: changes` {gain}", why)


class MySqlChecks:
    """The checks of one login for one role."""

    def __init__(self, fetch: Fetch, config: MySqlConfig, needs: SourceNeeds, *, is_mariadb: bool) -> None:
        self.fetch = fetch
        self.config = config
        self.needs = needs
        self.is_mariadb = is_mariadb

    def all(self) -> Iterator[Check]:
        """One after the other."""
        yield self._line()
        yield from aurora.checks(self.fetch, follows=any(map(follows_log, self.needs.tables)))
        if self.needs.access not in ROLES:
            yield fine("rights", f"the role {self.needs.access} needs none here")
            return
        self.held = tuple(held_by(self.fetch))
        role = f"'{ROLES[self.needs.access]}'"
        mine = account(str(self.fetch(Statement("SELECT CURRENT_USER()"))[0][0]))
        self.to = role if self._is_on(ROLES[self.needs.access]) else mine
        if self.to == role and not self.is_mariadb:
            # MySQL tells what a role has as if it were the login's own.
            own = {(each.name, each.level, each.columns) for each in held_by(self.fetch, mine)}
            self.held = tuple(
                each if (each.name, each.level, each.columns) in own else replace(each, by=role) for each in self.held
            )
        yield from self._too_much()
        yield from self._rights()
        yield from self._left_out()
        yield self._moment()

    def _is_on(self, role: str) -> bool:
        """MariaDB names it bare, MySQL all that are on as `role`@`%`."""
        return role in re.split(r"[`@,]+", str(self.fetch(Statement("SELECT CURRENT_ROLE()"))[0][0]))

    def _line(self) -> Check:
        if self.config.unix_socket:
            return fine("certificate", "the line does not leave this machine")
        if not self.config.encrypt:
            return warn("certificate", "the line is not encrypted (`encrypt: false`)", "`encrypt: true`")
        if self.config.trust_cert:
            said = "the line is encrypted, and nobody checks whose certificate it is (`trust_cert: true`)"
            return warn("certificate", said, "give the certificate's authority as `ssl_ca`, and take the setting away")
        return fine("certificate", "the line is encrypted, and the certificate is trusted")

    def _too_much(self) -> Iterator[Check]:
        more: dict[tuple[str, str], list[str]] = {}
        for each in self.held:
            written = each.schema is not None and any(like(each.schema, schema) for schema in self.needs.writes)
            needed = _HARMLESS if each.schema is None else {"USAGE", "SELECT", *(WRITES if written else ())}
            if each.name not in needed:
                more.setdefault((each.level, each.by), []).append(each.name)
        for (level, by), names in more.items():
            listed = ", ".join(names)
            said = f"{listed} on {level}, which is more than the role {self.needs.access} needs"
            yield warn("rights", said, f"REVOKE {listed} ON {level} FROM {by}")

    def _rights(self) -> Iterator[Check]:
        for right in rights_of(self.needs):
            grant = right.grant(self.to)
            if self._holds(right):
                yield fine("rights", f"{right}: held")
            elif right.optional:
                yield fine("rights", f"{right}: not held, and optional; it is for {right.needed_for}", grant)
            elif right.tables and all(self._has("SELECT", name.schema, name.name) for name in right.tables):
                yield fine("rights", f"{right}: held on each of its tables, not on those that come later", grant)
            else:
                yield wrong("rights", f"{right}: missing; it is needed for {right.needed_for}", grant)

    def _holds(self, right: Right) -> bool:
        columns = frozenset(column.lower() for column in right.columns)
        return all(self._has(name, right.schema, right.table, columns) for name in right.names)

    def _has(self, name: str, schema: str | None, table: str | None, columns: frozenset[str] = frozenset()) -> bool:
        return any(each.covers(name, schema, table, columns) for each in self.held)

    def _left_out(self) -> Iterator[Check]:
        """Columns that el.yml leaves out and this login may read all the same. No DENY keeps one of them back."""
        grants = {(right.schema, right.table): right.grant(self.to) for right in rights_of(self.needs)}
        for table in self.needs.tables:
            place, away = (table.name.schema, table.name.name), dict[str, None]()
            seen = []
            for column in table.left_out:
                found = [each for each in self.held if each.covers("SELECT", *place, frozenset({column.lower()}))]
                seen += [column] if found else []
                for each in found:
                    which = "" if each.columns is None else f" ({quote(column)})"
                    away[f"REVOKE {each.name}{which} ON {each.level} FROM {each.by}"] = None
            if seen and not follows_log(table):
                more = f"{table.name}: the login may read {', '.join(seen)}, which el.yml leaves out"
                yield warn("rights", more, "; ".join([*away, grants[place]]))

    def _moment(self) -> Check:
        if tells_of_each_commit(self.fetch, is_mariadb=self.is_mariadb):
            return fine("one moment", "several connections can read at one moment")
        way = "log_bin, and on a replica log_slave_updates" if self.is_mariadb else "gtid_mode = ON"
        return fine("one moment", "the parts of a table are read by one connection, one after the other", way)
