"""Which rights a role needs of a database: what is needed is said in values, what grants it is the database's own SQL.

A connector that keeps logins and rights takes `RightsSource`. The statements that it prints and what it looks for when
it is checked are made from one list, so that they cannot say two things.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from el.connectors.access import Access
from el.connectors.catalog import TableName
from el.connectors.check import Check, wrong
from el.errors import ElError

OWNER, ENGINEER, STAGING = Access.OWNER, Access.ENGINEER, Access.STAGING
# The schema of the policies and the tag for personal data.
PII_POLICIES = "el_pii"


@dataclass(frozen=True, slots=True)
class TableNeed:
    """What is read of one table."""

    name: TableName
    columns: tuple[str, ...] = ()  # these alone; () for all, also those that come later
    left_out: tuple[str, ...] = ()  # those that the role shall not see
    follow: str = "auto"  # how its changes are to be found, in el.yml's word
    feeds: tuple[str, ...] = ()  # the change feeds that the source keeps of it
    seen: bool = True  # the catalog shows it to whoever asked
    has_key: bool = True  # a primary key


@dataclass(frozen=True, slots=True)
class SourceNeeds:
    """What a role needs of the database that is read."""

    access: Access
    tables: tuple[TableNeed, ...] = ()
    schemas: tuple[str, ...] = ()  # schemas that are taken whole, with the tables that come later
    limits: bool = False  # el.yml limits the reads by what the server is under
    unknown: tuple[str, ...] = ()  # what could not be told, in words
    writes: tuple[str, ...] = ()  # schemas that `write_buffer` writes into
    user: str | None = None  # who gets it; None: the profile's own


@dataclass(frozen=True, slots=True)
class WarehouseNeeds:
    """What a role needs of the warehouse. Names are as the warehouse stores them."""

    access: Access
    raw: tuple[str, ...] = ()
    staging: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()  # external ones, out of which it reads files by itself
    unknown: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    user: str | None = None
    clear: tuple[str, ...] = ()  # staging schemas that show personal data: nothing for who reads staging alone
    masked: tuple[str, ...] = ()  # types of the columns that are to stand under a policy, in the warehouse's words


def policy_name(type_: str) -> str:
    """What the masking policy of a type is called in `PII_POLICIES`: el_pii_number_12_2. The project names it too."""
    return "el_pii_" + re.sub(r"\W+", "_", type_.lower()).strip("_")


class RightsSource(ABC):
    """Keeps logins and what they may do. None of it needs more rights than the role itself has."""

    @abstractmethod
    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        """The script that gives a role what it needs here and no more; run twice it changes nothing.

        Where the connection is open it may look; where it is not, the script is made of `needs` alone.
        """

    @abstractmethod
    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        """How this login stands to the rights of its role, and what else a run depends on. The connection is open."""

    @abstractmethod
    def utc_now(self) -> datetime | None:
        """The server's time, UTC and without a zone; None where it is this machine's own."""


def collected(found: Iterable[Check]) -> tuple[Check, ...]:
    """All that was found; an error that breaks it off is the last of them, and hides none before it."""
    done: list[Check] = []
    try:
        for each in found:
            done.append(each)
    except ElError as error:
        done.append(wrong("rights", f"what is behind this cannot be asked: {error}"))
    return tuple(done)


def as_comment(*lines: str) -> str:
    """Lines of SQL comment."""
    return "\n".join(f"-- {line}".rstrip() for line in lines)
