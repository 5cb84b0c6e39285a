"""Which role a connection of a profile has."""

from __future__ import annotations

from el.config.profiles import Output
from el.connectors.access import Access, Operation, require
from el.connectors.access import access_of as _weaker

__all__ = ["Access", "Operation", "access_of", "require"]


def access_of(output: Output | None = None) -> Access:
    """The role that holds for an output; without one, what EL_ROLE says. Raises `ConfigError` for a word that is none.

    Nothing set: owner, so that whoever set nothing loses nothing.
    """
    return _weaker(output.setting("access") if output is not None else None)
