"""What a role may do with a connection: the matrix of docs/roles.md, said once.

It is a courtesy to people and programs that mean well: the server's own grants are the wall.
"""

from __future__ import annotations

import os
from enum import Enum, StrEnum

from el.errors import AccessDenied, ConfigError

ROLE_VARIABLE = "EL_ROLE"


class Access(StrEnum):
    """What a connection is used for, the strongest first."""

    OWNER = "owner"  # the database's owner
    ENGINEER = "engineer"  # the platform's owner, a data engineer
    STAGING = "staging"  # reads staging data, and nothing else

    @classmethod
    def _missing_(cls, value: object) -> Access | None:
        return _OTHER_NAMES.get(str(value))

    def within(self, other: Access) -> bool:
        """Whether it is as strong as `other`, or stronger."""
        return _ORDER.index(self) <= _ORDER.index(other)


_ORDER = list(Access)
_OTHER_NAMES = {
    "is_admin": Access.OWNER,
    "is_data_engg": Access.ENGINEER,
    "is_staging_data_access": Access.STAGING,
}


class Operation(Enum):
    """What is done, in words that follow "may not", and the weakest role that may."""

    READ_SOURCE = ("read the source", Access.ENGINEER)
    USE_WAREHOUSE = ("work with raw", Access.ENGINEER)
    WRITE = ("write", Access.ENGINEER)
    CHANGE_RAW = ("replace or merge rows of raw, or write into el's own tables: a run appends", Access.OWNER)
    PURGE = ("purge", Access.OWNER)
    MOVE_BOUND = ("reset or set the state", Access.OWNER)
    GRANTS = ("make grants", Access.OWNER)
    SECRETS_SET = ("set secrets", Access.ENGINEER)
    SECRETS_GRANT = ("say who can read secrets", Access.OWNER)


def access_of(own: Access | str | None = None) -> Access:
    """The role that holds. own: the output's `access`. Of that and EL_ROLE the weaker one counts: the environment of a
    process can take rights away from a profile, and never give any. Raises `ConfigError` for a word that is no role.
    """
    found = [_read("access", own), _read(ROLE_VARIABLE, os.environ.get(ROLE_VARIABLE))]
    return max((each for each in found if each is not None), key=_ORDER.index, default=Access.OWNER)


def allows(operation: Operation, access: Access) -> bool:
    """Whether this role may."""
    return access.within(operation.value[1])


def require(operation: Operation, access: Access, where: str = "") -> None:
    """Raise `AccessDenied` unless this role may."""
    what, least = operation.value
    if not access.within(least):
        allowed = " or ".join(each for each in Access if each.within(least))
        raise refusal(access, f"{what}; {allowed} may", where)


def refusal(access: Access, what: str, where: str = "") -> AccessDenied:
    """The error that says it. what: follows "may not"."""
    place = f"{where}: " if where else ""
    return AccessDenied(f"{place}role {access} ({ROLE_VARIABLE}, or `access` of the profile) may not {what}")


def _read(name: str, value: object) -> Access | None:
    if value in (None, ""):
        return None
    try:
        return Access(str(value))
    except ValueError:
        raise ConfigError(f"{name}: {value!r} is no role; there are: {', '.join(Access)}") from None
