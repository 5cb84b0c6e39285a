"""The registry of T-SQL's functions, and the shape that most of them have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from .convert import Bound, convert
from .sqltypes import NATIONAL, NMAX, SqlType

if TYPE_CHECKING:
    from .binder import Binder
    from .scope import Scope

Handler = Callable[["Binder", list[exp.Expression], "Scope"], Bound]
FUNCTIONS: dict[str, Handler] = {}


def function(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        for name in names:
            FUNCTIONS[name] = handler
        return handler

    return register


def text(value: Bound) -> Bound:
    return value if value.type is not None and value.type.family == "str" else convert(value, NMAX)


def scalar(template: str, result: SqlType | None, *kinds: SqlType | None) -> Handler:
    """A function that is a DuckDB expression over its arguments, each as the type given, or as it comes."""

    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        bound = binder.values(args, scope)
        for i, kind in enumerate(kinds):
            if kind is not None and i < len(bound):
                bound[i] = text(bound[i]) if kind == NMAX else convert(bound[i], kind)
        kept = result
        if kept is None and bound:
            kept = bound[0].type
            if kept is not None and kept.name in ("char", "nchar"):
                kept = SqlType("nvarchar" if kept.name in NATIONAL else "varchar", kept.length)
        return Bound("(" + template.format(*(b.sql for b in bound)) + ")", kept)

    return handler
