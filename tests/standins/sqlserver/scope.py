"""What a query is while it is bound: its result's columns, its sources, and the names in reach."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from .catalog import ColumnDef
from .errors import not_supported
from .sqltypes import SqlType


@dataclass
class OutColumn:
    """A column of a query's result; `type` None means that DuckDB's own type decides."""

    name: str
    type: SqlType | None
    nullable: bool = True
    identity: bool = False
    computed: bool = False


@dataclass
class Source:
    """Something in FROM: columns as (name, DuckDB expression, type, declared column)."""

    alias: str
    columns: list[tuple[str, str, SqlType | None, ColumnDef | None]]
    parts: tuple[str, ...] = ()
    handle: str = ""


@dataclass
class Query:
    """A bound query."""

    sql: str
    columns: list[OutColumn]
    into: list[str] | None = None
    assigns: list[tuple[str, SqlType | None]] | None = None


@dataclass
class Scope:
    """The names that an expression may use."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    ctes: dict[str, list[OutColumn]] = field(default_factory=dict)

    def cte(self, name: str) -> list[OutColumn] | None:
        scope: Scope | None = self
        while scope is not None:
            if name.lower() in scope.ctes:
                return scope.ctes[name.lower()]
            scope = scope.parent
        return None


def out_column(name: str, type_: SqlType | None, declared: ColumnDef | None) -> OutColumn:
    if declared is None:
        return OutColumn(name, type_)
    return OutColumn(name, type_, declared.nullable, declared.identity is not None, declared.computed is not None)


def only(node: exp.Expression, *known: str) -> None:
    """Refuses a part of `node` that would otherwise be left out without a word."""
    for name, value in node.args.items():
        if value and name not in known:
            text = value[0] if isinstance(value, list) else value
            not_supported(
                text.sql("tsql")[:200] if isinstance(text, exp.Expression) else f"{name} in {node.sql('tsql')[:200]}"
            )


def table_parts(node: exp.Expression) -> list[str]:
    """database, schema, name as far as given; an empty schema stays empty."""
    name = node.this.name
    if node.this.args.get("temporary"):
        name = "#" + name
    elif node.this.args.get("global_"):
        name = "##" + name
    parts = [name]
    db, catalog = node.args.get("db"), node.args.get("catalog")
    if db or catalog:
        parts.insert(0, db.name if db else "")
    if catalog:
        parts.insert(0, catalog.name)
    return parts


def variable_name(node: exp.Parameter) -> str:
    inner = node.this
    prefix = ""
    while isinstance(inner, exp.Parameter):
        prefix += "@"
        inner = inner.this
    return (prefix + inner.name).lower()
