"""Queries: T-SQL trees bound to the catalog, typed as SQL Server types them, as DuckDB SQL.

Every expression carries its T-SQL type, from which implicit conversions and the result's columns follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from .catalog import quote_name
from .convert import Bound, convert
from .derived import check_derived
from .errors import SqlError, not_supported
from .scope import OutColumn, Query, Scope, Source, only, out_column, table_parts, variable_name
from .sources import joined, resolve, tables
from .sqltypes import SqlType, higher

if TYPE_CHECKING:
    from .session import Session


PARTS_OF_SELECT = [
    "with_",
    "expressions",
    "hint",
    "distinct",
    "into",
    "from_",
    "joins",
    "laterals",
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "options",
]


class Binder:
    """Binds one statement for a session; `used` collects the variables that it needs."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.used: set[str] = set()
        self.over = ""
        self.names = 0
        self.owner = False

    # --- queries

    def query(self, node: exp.Expression, parent: Scope | None = None, top: bool = False) -> Query:
        scope = Scope(parent)
        head = self.head(node, scope)
        if isinstance(node, exp.Subquery):
            inner = self.query(node.this, scope, top)
            tail = self._tail(node, scope, inner.columns)
            return Query(f"{head}({inner.sql}){tail}" if head or tail else inner.sql, inner.columns, inner.into)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, scope, head)
        if isinstance(node, exp.Values):
            return self.rows(node, scope)
        if not isinstance(node, exp.Select):
            not_supported(node.sql("tsql")[:80])
        return self._select(node, scope, head, top)

    def head(self, node: exp.Expression, scope: Scope) -> str:
        clause = node.args.get("with_")
        if clause is None:
            return ""
        parts = []
        for cte in clause.expressions:
            name = cte.alias
            names = [c.name for c in cte.args["alias"].args.get("columns") or []]
            body = cte.this
            if isinstance(body, exp.Union) and any(
                t.name.lower() == name.lower() for t in body.expression.find_all(exp.Table)
            ):
                anchor = self.query(body.this, scope).columns
                scope.ctes[name.lower()] = [
                    OutColumn(n, c.type) for n, c in zip(names or [c.name for c in anchor], anchor, strict=True)
                ]
            bound = self.query(body, scope)
            check_derived(body, bound.columns, cte.args["alias"], name)
            names = names or [c.name for c in bound.columns]
            scope.ctes[name.lower()] = [
                OutColumn(n, c.type, c.nullable) for n, c in zip(names, bound.columns, strict=True)
            ]
            listed = ", ".join(map(quote_name, names))
            parts.append(f"{quote_name(name)}({listed}) AS ({bound.sql})")
        return f"WITH RECURSIVE {', '.join(parts)} "

    def _set_operation(self, node: exp.SetOperation, scope: Scope, head: str) -> Query:
        left, right = self.query(node.this, scope), self.query(node.expression, scope)
        if len(left.columns) != len(right.columns):
            raise SqlError(
                205,
                "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number "
                "of expressions in their target lists.",
            )
        types = [
            (higher(a.type, b.type) if a.type != b.type else a.type) if a.type and b.type else a.type or b.type
            for a, b in zip(left.columns, right.columns, strict=True)
        ]
        sides = [self._coerced(side, types) for side in (left, right)]
        word = {"union": "UNION", "except": "EXCEPT", "intersect": "INTERSECT"}[node.key]
        if not node.args.get("distinct"):
            word += " ALL"
        columns = [OutColumn(c.name, t) for c, t in zip(left.columns, types, strict=True)]
        tail = self._tail(node, scope, columns)
        return Query(f"{head}({sides[0]}) {word} ({sides[1]}){tail}", columns, left.into)

    def _coerced(self, side: Query, types: list[SqlType | None]) -> str:
        if all(c.type == t or t is None for c, t in zip(side.columns, types, strict=True)):
            return side.sql
        names = [f"k{i}" for i in range(len(types))]
        parts = [
            convert(Bound(n, c.type), t).sql if t and c.type != t else n
            for n, c, t in zip(names, side.columns, types, strict=True)
        ]
        outs = ", ".join(
            f"{p} AS {quote_name(c.name or n)}" for p, c, n in zip(parts, side.columns, names, strict=True)
        )
        return f"SELECT {outs} FROM ({side.sql}) AS q({', '.join(names)})"

    def rows(self, node: exp.Values, scope: Scope) -> Query:
        rows = [
            [self.value(v, scope) for v in (row.expressions if isinstance(row, exp.Tuple) else [row])]
            for row in node.expressions
        ]
        types: list[SqlType | None] = []
        for column in zip(*rows, strict=True):
            found = None
            for cell in column:
                if cell.type is not None:
                    found = cell.type if found is None or found == cell.type else higher(found, cell.type)
            types.append(found)
        texts = [
            "(" + ", ".join(convert(cell, t).sql if t else cell.sql for cell, t in zip(row, types, strict=True)) + ")"
            for row in rows
        ]
        names = [c.name for c in (node.args.get("alias").columns if node.args.get("alias") else [])]
        names = names or [f"column{i}" for i in range(len(types))]
        listed = ", ".join(map(quote_name, names))
        return Query(
            f"SELECT * FROM (VALUES {', '.join(texts)}) AS v({listed})",
            [OutColumn(n, t) for n, t in zip(names, types, strict=True)],
        )

    def _select(self, node: exp.Select, scope: Scope, head: str, top: bool) -> Query:
        only(node, *PARTS_OF_SELECT)
        source = self.sources(node, scope)
        outs: list[tuple[Bound, OutColumn]] = []
        assigns: list[tuple[str, SqlType | None]] | None = None
        for item in node.expressions:
            if isinstance(item, exp.EQ) and isinstance(item.this, exp.Parameter):
                bound = self.value(item.expression, scope)
                assigns = [*(assigns or []), (variable_name(item.this), bound.type)]
                outs.append((bound, OutColumn("", bound.type)))
                continue
            outs += self.item(item, scope)
        if group := node.args.get("group"):
            source += self._group(group, scope)
        if having := node.args.get("having"):
            source += f" HAVING {self.predicate(having.this, scope)}"
        distinct = "DISTINCT " if node.args.get("distinct") else ""
        columns = [column for _, column in outs]
        listed = ", ".join(
            f"{bound.sql} AS {quote_name(column.name or f'_c{i}')}" for i, (bound, column) in enumerate(outs)
        )
        if any(len(c.name) > 128 for c in columns):
            raise SqlError(103, "The identifier that starts with a long name is too long. Maximum length is 128.", 15)
        tail = self._tail(node, scope, columns, outs)
        into = None
        if node.args.get("into"):
            into = table_parts(node.args["into"].this)
        return Query(f"{head}SELECT {distinct}{listed}{source}{tail}", columns, into, assigns)

    def sources(self, node: exp.Select, scope: Scope) -> str:
        """FROM and WHERE; the names in FROM join the scope."""
        source = ""
        if node.args.get("from_"):
            source = " FROM " + tables(self, node.args["from_"].this, scope)
        for join in node.args.get("joins") or []:
            source += joined(self, join, scope)
        if where := node.args.get("where"):
            source += f" WHERE {self.predicate(where.this, scope)}"
        return source

    def _group(self, group: exp.Group, scope: Scope) -> str:
        keys = [self.value(g, scope).sql for g in group.expressions]
        for kind in ("rollup", "cube"):
            for part in group.args.get(kind) or []:
                keys.append(f"{kind.upper()} ({', '.join(self.value(g, scope).sql for g in part.expressions)})")
        return f" GROUP BY {', '.join(keys)}" if keys else ""

    def item(self, item: exp.Expression, scope: Scope) -> list[tuple[Bound, OutColumn]]:
        if isinstance(item, exp.Star):
            found = [self._star(s) for s in scope.sources]
            if not found:
                raise SqlError(263, "Must specify table to select from.")
            return [x for part in found for x in part]
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            alias = item.table.lower()
            source = next(
                (s for s in scope.sources if s.alias.lower() == alias or (s.parts and s.parts[-1].lower() == alias)),
                None,
            )
            if source is None:
                raise SqlError(
                    107,
                    f"The column prefix '{item.table}' does not match with a table name or alias name used in the "
                    "query.",
                )
            return self._star(source)
        name = item.alias if isinstance(item, exp.Alias) else ""
        inner = item.this if isinstance(item, exp.Alias) else item
        declared = None
        if isinstance(inner, exp.Column):
            bound, declared = resolve(self, inner, scope)
            name = name or inner.name
            if inner.name == "0x" and declared is None:
                name = item.alias if isinstance(item, exp.Alias) else ""
        else:
            bound = self.value(inner, scope)
        return [(bound, out_column(name, bound.type, declared))]

    @staticmethod
    def _star(source: Source) -> list[tuple[Bound, OutColumn]]:
        return [
            (Bound(sql, type_), out_column(name, type_, declared))
            for name, sql, type_, declared in source.columns
            if declared is None or not declared.hidden
        ]

    def _tail(
        self,
        node: exp.Expression,
        scope: Scope,
        columns: list[OutColumn],
        outs: list[tuple[Bound, OutColumn]] | None = None,
    ) -> str:
        tail = ""
        if order := node.args.get("order"):
            tail += " ORDER BY " + ", ".join(self.ordered(o, scope, columns, outs) for o in order.expressions)
        limit, offset = node.args.get("limit"), node.args.get("offset")
        if isinstance(limit, exp.Fetch):
            tail += f" LIMIT {self.value(limit.args['count'], scope).sql}"
        elif limit is not None:
            count = self.value(limit.expression, scope).sql
            options = limit.args.get("limit_options")
            if options and options.args.get("with_ties"):
                not_supported("WITH TIES")
            tail += f" LIMIT {count}%" if options and options.args.get("percent") else f" LIMIT {count}"
        if offset is not None:
            tail += f" OFFSET {self.value(offset.expression, scope).sql}"
        return tail

    def ordered(
        self, node: exp.Ordered, scope: Scope, columns: list[OutColumn], outs: list[tuple[Bound, OutColumn]] | None
    ) -> str:
        key, descending = node.this, " DESC" if node.args.get("desc") else " ASC"
        if isinstance(key, exp.Literal) and not key.is_string:
            position = int(key.name)
            if not 1 <= position <= len(columns):
                raise SqlError(
                    108,
                    f"The ORDER BY position number {position} is out of range of the number of items in the select "
                    "list.",
                )
            return f"{position}{descending}"
        bound = None
        if isinstance(key, exp.Column) and (not key.table or (outs is None and not scope.sources)):
            at = next((i for i, c in enumerate(columns) if c.name.lower() == key.name.lower()), None)
            if at is not None:
                bound = (
                    Bound(quote_name(columns[at].name or f"_c{at}"), columns[at].type) if outs is None else outs[at][0]
                )
        bound = bound or self.value(key, scope)
        sql = f"tds_guid_key({bound.sql})" if bound.type and bound.type.family == "guid" else bound.sql
        return f"{sql}{descending}"

    # --- expressions

    def predicate(self, node: exp.Expression, scope: Scope) -> str:
        return self.value(node, scope).sql

    def value(self, node: exp.Expression, scope: Scope) -> Bound:
        from .expressions import HANDLERS

        handler = HANDLERS.get(type(node))
        if handler is None:
            not_supported(f"{type(node).__name__}: {node.sql('tsql')[:80]}")
        return handler(self, node, scope)

    def values(self, nodes: list[exp.Expression], scope: Scope) -> list[Bound]:
        return [self.value(n, scope) for n in nodes]
