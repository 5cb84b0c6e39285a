"""Where roles are enforced: in front of each public method of each connector, of whoever wrote it.

What nobody thought of is refused to staging data access: a method is allowed by name. A connector's own calls of its
methods, such as a read that looks up its columns, are not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any

from el.connectors.access import Access, Operation, refusal, require

if TYPE_CHECKING:
    from el.connectors.catalog import TableName
    from el.connectors.request import ReadRequest

# These ask no database for anything.
_HARMLESS = frozenset(
    {"close", "translate", "facts", "parse_type", "text_rule", "supports", "describe_read", "statement"}
    | {"packages", "writer", "require"}
)
# Beginnings of the names of tables that are el's own, in any case.
OWN_TABLES = ("_el_", "_dlt_")
_INSIDE = "_inside_guard"


def guard(connector: type) -> None:
    """Put the check in front of the public methods that this class defines."""
    defined: dict[str, Any] = dict(vars(connector))
    for name, method in defined.items():
        if isinstance(method, FunctionType) and not name.startswith("_") and name not in _HARMLESS:
            setattr(connector, name, _guarded(name, method))


def _guarded(name: str, method: Any) -> Callable[..., Any]:
    check: Callable[..., None] = _CHECKS.get(name, _other)

    @wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        access = self.access
        if access is Access.OWNER or self.__dict__.get(_INSIDE):
            return method(self, *arguments, **named)
        check(self, access, name, *arguments, **named)
        self.__dict__[_INSIDE] = True
        try:
            return method(self, *arguments, **named)
        finally:
            self.__dict__[_INSIDE] = False

    return call


def _anybody(self: Any, access: Access, name: str, *arguments: Any, **named: Any) -> None:
    """It tells the role who it is, and what it holds."""


def _connect(self: Any, access: Access, name: str) -> None:
    if access is Access.STAGING and not self.config.staging_data:
        raise refusal(
            access,
            "connect: no schema here is known to hold staging data; the profile's `staging_data: [staging]` names them",
            self.scheme,
        )


def _read(self: Any, access: Access, name: str, request: ReadRequest) -> None:
    if access is not Access.STAGING:
        return
    known = self.config.staging_data
    if request.table is None or any(column.read_as is not None for column in request.columns):
        raise refusal(access, "run SQL of its own: name a table, and columns of it", self.scheme)
    if request.changes is not None or request.table.schema not in known:
        raise refusal(access, f"read {request.table}; it reads tables of {', '.join(known)}", self.scheme)


def _write(self: Any, access: Access, name: str, target: TableName, *arguments: Any, **named: Any) -> None:
    require(Operation.WRITE, access, self.scheme)
    if target.name.lower().startswith(OWN_TABLES):
        require(Operation.CHANGE_RAW, access, self.scheme)


def _other(self: Any, access: Access, name: str, *arguments: Any, **named: Any) -> None:
    if access is Access.STAGING:
        raise refusal(access, f"ask the database by {name}; it reads staging tables by read_buffer", self.scheme)


_CHECKS: dict[str, Callable[..., None]] = {
    "ping": _anybody,
    "certificate": _anybody,
    "checks": _anybody,
    "utc_now": _anybody,
    "connect": _connect,
    "read_buffer": _read,
    "write_buffer": _write,
    "write_each": _write,
}
