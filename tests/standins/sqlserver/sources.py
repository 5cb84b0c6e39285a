"""FROM: tables, views, derived tables and functions become sources, whose columns names resolve to.

An unknown or ambiguous name is refused here (207, 208, 209, 4104), before DuckDB sees the query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from . import lookup, server_functions, udt_methods
from .catalog import ColumnDef, quote_name
from .convert import Bound
from .derived import check_derived
from .errors import SqlError, invalid_column, not_supported
from .scope import OutColumn, Scope, Source, only, table_parts, variable_name
from .sqltypes import SqlType
from .table_kinds import INTERNAL

if TYPE_CHECKING:
    from .binder import Binder


def tables(binder: Binder, node: exp.Expression, scope: Scope) -> str:
    sql = _relation(binder, node, scope)
    for join in node.args.get("joins") or []:
        sql += joined(binder, join, scope)
    return sql


def joined(binder: Binder, join: exp.Join, scope: Scope) -> str:
    target = join.this
    if isinstance(target, exp.Lateral):
        # `sys.f(...)`
        inner = target.this.expression if isinstance(target.this, exp.Dot) else target.this
        if isinstance(inner, exp.Subquery):
            bound = binder.query(inner.this, scope)
            check_derived(inner.this, bound.columns, target.args["alias"], target.alias)
            text = _derived(binder, f"LATERAL ({bound.sql})", bound.columns, target.args["alias"], scope)
        elif isinstance(inner, exp.Anonymous):
            sql, columns = lookup.table_function(binder.session, binder, inner, scope)
            text = _derived(binder, f"LATERAL {sql}", columns, target.args.get("alias"), scope, str(inner.this))
        else:
            text = _relation(binder, inner, scope)
        return f" CROSS JOIN {text}" if target.args.get("cross_apply") else f" LEFT JOIN {text} ON true"
    side = (join.side or "").upper()
    kind = (join.kind or "").upper()
    sql = tables(binder, target, scope)
    if (on := join.args.get("on")) is not None:
        return f" {side} JOIN {sql} ON {binder.predicate(on, scope)}"
    return f" {'CROSS JOIN' if kind == 'CROSS' or not side else side + ' JOIN'} {sql}"


def _relation(binder: Binder, node: exp.Expression, scope: Scope) -> str:
    alias = node.args.get("alias")
    if isinstance(node, exp.Subquery):
        inner = node.this
        if isinstance(inner, exp.Table):
            return f"({tables(binder, inner, scope)})"
        bound = binder.query(inner, scope.parent if scope.parent else _ctes_of(scope))
        check_derived(inner, bound.columns, alias, node.alias)
        return _derived(binder, f"({bound.sql})", bound.columns, alias, scope)
    if isinstance(node, exp.Values):
        bound = binder.rows(node, scope)
        return _derived(binder, f"({bound.sql})", bound.columns, alias, scope)
    if not isinstance(node, exp.Table):
        not_supported(node.sql("tsql")[:80])
    only(node, "this", "db", "catalog", "alias", "hints", "joins")
    if isinstance(node.this, exp.Anonymous):
        sql, columns = lookup.table_function(binder.session, binder, node.this, scope)
        return _derived(binder, sql, columns, alias, scope, str(node.this.this))
    if isinstance(node.this, exp.Parameter):
        raise SqlError(1087, f'Must declare the table variable "@{variable_name(node.this)}".')
    parts = table_parts(node)
    name = node.alias or parts[-1]
    if len(parts) == 1 and (columns := scope.cte(parts[0])) is not None:
        return _derived(binder, quote_name(parts[0]), columns, alias, scope, name)
    sql, columns_of, declared = lookup.relation(binder.session, binder, parts, _hints(node))
    renamed = [c.name for c in alias.args.get("columns") or []] if alias else []
    binder.names += 1
    handle = f"s{binder.names}"
    listed = [
        (renamed[i] if renamed else c.name, f"{handle}.{physical}", c.type, declared[i] if declared else None)
        for i, (physical, c) in enumerate(columns_of)
    ]
    scope.sources.append(Source(name, listed, tuple(parts), handle))
    return f"{sql} AS {handle}"


def _hints(node: exp.Table) -> frozenset[str]:
    """WITH (SNAPSHOT, ...) of a table, in upper case."""
    return frozenset(
        each.name.upper() for hint in node.args.get("hints") or [] for each in getattr(hint, "expressions", [])
    )


def _derived(
    binder: Binder, sql: str, columns: list[OutColumn], alias: exp.Expression | None, scope: Scope, default: str = ""
) -> str:
    names = [c.name for c in (alias.args.get("columns") or [])] if alias else []
    names = names or [c.name for c in columns]
    binder.names += 1
    handle = f"s{binder.names}"
    physical = [f"k{i}" for i in range(len(names))]
    name = (alias.name if alias else "") or default
    scope.sources.append(
        Source(name, [(n, f"{handle}.{p}", c.type, None) for n, p, c in zip(names, physical, columns, strict=False)])
    )
    return f"{sql} AS {handle}({', '.join(physical)})"


def resolve(binder: Binder, node: exp.Column, scope: Scope) -> tuple[Bound, ColumnDef | None]:
    name, table = node.name, node.table
    if name.lower() == "0x" and not table:
        return Bound("''::BLOB", SqlType("varbinary", 1)), None
    if name.lower() == "$rowguid" or (name.startswith("$") and name.lower() in ("$identity",)):
        not_supported(name)
    found_scope: Scope | None = scope
    while found_scope is not None:
        hits = []
        for source in found_scope.sources:
            if table and not _qualifies(source, table, node.text("db")):
                continue
            hits += [(c, source) for c in source.columns if c[0].lower() == name.lower()]
        if len(hits) > 1:
            raise SqlError(209, f"Ambiguous column name '{name}'.")
        if hits:
            (_, sql, type_, declared), _ = hits[0]
            if declared is not None and declared.graph in INTERNAL:
                raise SqlError(13908, f"Cannot access internal graph column '{name}'.")
            return Bound(sql, type_), declared
        found_scope = found_scope.parent
    if table:
        # `g.STSrid`: a property of a column, which parses as a column of a table.
        owner = exp.Column(
            this=node.args["table"].copy(), table=node.args["db"].copy() if node.args.get("db") else None
        )
        try:
            bound, _ = resolve(binder, owner, scope)
        except SqlError:
            bound = None
        if bound is not None and bound.type is not None and bound.type.family == "udt":
            return udt_methods.method(bound, name), None
        text = ".".join(p for p in (node.text("catalog"), node.text("db"), table, name) if p)
        if any(_qualifies(s, table, "") for s in scope.sources):
            invalid_column(name)
        raise SqlError(4104, f'The multi-part identifier "{text}" could not be bound.')
    word = server_functions.niladic(binder.session, name)
    if word is not None:
        return word, None
    return invalid_column(name)


def _ctes_of(scope: Scope) -> Scope:
    """A derived table sees the table expressions around it, but not its neighbours in FROM."""
    return Scope(None, [], dict(scope.ctes))


def _qualifies(source: Source, table: str, schema: str) -> bool:
    # sqlglot leaves the # of a temporary table's name out of its columns' qualifiers.
    alias = source.alias.lower().lstrip("#")
    if alias == table.lower() and not schema:
        return True
    # A table with an alias has its own name no more.
    if not source.parts or not source.parts[-1].lower() == table.lower() == alias:
        return False
    return (
        not schema or (len(source.parts) > 1 and source.parts[-2].lower() == schema.lower()) or schema.lower() == "dbo"
    )
