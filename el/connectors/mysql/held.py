"""What a login may do, out of SHOW GRANTS, which any login may ask of itself and which tells of roles that are on, too.

MySQL Reference Manual and MariaDB Documentation, "SHOW GRANTS".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from el.connectors.mysql.rights import LOG, account
from el.connectors.sql.select import Statement

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
_NAME = r"`((?:[^`]|``)*)`"
_LINE = re.compile(rf"GRANT (.+?) ON (?:\*|{_NAME})\.(?:\*|{_NAME}) TO {_NAME}(?:@{_NAME})?(.*)", re.DOTALL)
_PRIVILEGE = re.compile(r"([A-Z][A-Z_ ]*[A-Z])(?: \(([^)]*)\))?")
_ALSO = {"BINLOG MONITOR": LOG[1], "REPLICATION REPLICA": LOG[0], "ALL": "ALL PRIVILEGES"}


@dataclass(frozen=True, slots=True)
class Held:
    """A privilege that a login, or a role that is on, has. schema: a pattern; None: on all."""

    name: str
    by: str
    level: str
    schema: str | None
    table: str | None
    columns: frozenset[str] | None  # None: of all

    def covers(self, name: str, schema: str | None, table: str | None, columns: frozenset[str]) -> bool:
        """Whether it gives this privilege there."""
        if self.name not in (name, "ALL PRIVILEGES") or (self.columns is not None and not columns):
            return False
        if self.schema is not None:
            if schema is None or (self.table is not None and (self.schema, self.table) != (schema, table)):
                return False
            if self.table is None and not like(self.schema, schema):
                return False
        return self.columns is None or columns <= self.columns


def held_by(fetch: Fetch, of: str = "") -> Iterator[Held]:
    """Each line alone: one of them has the hash of a password, which is told to nobody. of: an account, without what
    its roles have."""
    for (line,) in fetch(Statement(f"SHOW GRANTS{f' FOR {of}' if of else ''}")):
        if (parts := _LINE.fullmatch(str(line))) is None:
            continue
        given, schema, table, user, host, rest = parts.groups()
        by = account(f"{_bare(user)}@{_bare(host)}") if host is not None else f"'{_bare(user)}'"
        level = str(line)[len("GRANT ") + len(given) + len(" ON ") :].split(" TO ")[0]
        for name, listed in _PRIVILEGE.findall(given):
            columns = frozenset(_bare(each).lower() for each in re.findall(_NAME, listed)) if listed else None
            yield Held(_ALSO.get(name, name), by, level, _bare(schema), _bare(table), columns)
        if "WITH GRANT OPTION" in rest:
            yield Held("GRANT OPTION", by, level, _bare(schema), _bare(table), None)


def _bare(name: Any) -> Any:
    return None if name is None else str(name).replace("``", "`")


def like(pattern: str, name: str) -> bool:
    letters = re.findall(r"\\.|.", pattern, re.DOTALL)
    made = ({"%": ".*", "_": "."}.get(each, re.escape(each[-1])) for each in letters)
    return re.fullmatch("".join(made), name, re.DOTALL | re.IGNORECASE) is not None
