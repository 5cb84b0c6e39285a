"""Queries: T-SQL trees bound to the catalog, typed as SQL Server types them, as DuckDB SQL.

Every name is resolved here (so 207, 208 and 209 are raised before DuckDB sees the query) and every expression carries
its T-SQL type, from which implicit conversions and the result's columns follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from .catalog import ColumnDef, TableDef, quote_name
from .convert import Bound, convert, quote
from .dialect import CAST
from .errors import SqlError, invalid_column, not_supported
from .sqltypes import (
    BIGINT,
    BIT,
    BMAX,
    FLOAT,
    INT,
    INTEGERS,
    MAX,
    PRECEDENCE,
    SqlType,
    digits_of,
    higher,
    parse_type,
)

if TYPE_CHECKING:
    from .session import Session


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


PREDICATE = SqlType("bit")


class Binder:
    """Binds one statement for a session; `used` collects the variables that it needs."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.used: set[str] = set()
        self.over = ""
        self._names = 0
        self.volatile = False

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
            return self._values(node, scope)
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
            if isinstance(body, exp.Union) and any(t.name.lower() == name.lower() for t in body.expression.find_all(exp.Table)):
                anchor = self.query(body.this, scope).columns
                scope.ctes[name.lower()] = [OutColumn(n, c.type) for n, c in zip(names or [c.name for c in anchor], anchor, strict=True)]
            bound = self.query(body, scope)
            names = names or [c.name for c in bound.columns]
            scope.ctes[name.lower()] = [OutColumn(n, c.type, c.nullable) for n, c in zip(names, bound.columns, strict=True)]
            listed = ", ".join(map(quote_name, names))
            parts.append(f"{quote_name(name)}({listed}) AS ({bound.sql})")
        return f"WITH RECURSIVE {', '.join(parts)} "

    def _set_operation(self, node: exp.SetOperation, scope: Scope, head: str) -> Query:
        left, right = self.query(node.this, scope), self.query(node.expression, scope)
        if len(left.columns) != len(right.columns):
            raise SqlError(205, "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number "
                           "of expressions in their target lists.")
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
        outs = ", ".join(f"{p} AS {quote_name(c.name or n)}" for p, c, n in zip(parts, side.columns, names, strict=True))
        return f"SELECT {outs} FROM ({side.sql}) AS q({', '.join(names)})"

    def _values(self, node: exp.Values, scope: Scope) -> Query:
        rows = [[self.value(v, scope) for v in (row.expressions if isinstance(row, exp.Tuple) else [row])] for row in node.expressions]
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
        return Query(f"SELECT * FROM (VALUES {', '.join(texts)}) AS v({listed})",
                     [OutColumn(n, t) for n, t in zip(names, types, strict=True)])

    def _select(self, node: exp.Select, scope: Scope, head: str, top: bool) -> Query:
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
            source = " FROM " + self._from(node.args["from_"].this, scope)
        for join in node.args.get("joins") or []:
            source += self._join(join, scope)
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
            source = next((s for s in scope.sources if s.alias.lower() == alias or (s.parts and s.parts[-1].lower() == alias)), None)
            if source is None:
                raise SqlError(107, f"The column prefix '{item.table}' does not match with a table name or alias name used in the query.")
            return self._star(source)
        name = item.alias if isinstance(item, exp.Alias) else ""
        inner = item.this if isinstance(item, exp.Alias) else item
        declared = None
        if isinstance(inner, exp.Column):
            bound, declared = self._column(inner, scope)
            name = name or inner.name
            if inner.name == "0x" and declared is None:
                name = item.alias if isinstance(item, exp.Alias) else ""
        else:
            bound = self.value(inner, scope)
        return [(bound, _out(name, bound.type, declared))]

    @staticmethod
    def _star(source: Source) -> list[tuple[Bound, OutColumn]]:
        return [(Bound(sql, type_), _out(name, type_, declared)) for name, sql, type_, declared in source.columns]

    def _tail(self, node: exp.Expression, scope: Scope, columns: list[OutColumn], outs: list[tuple[Bound, OutColumn]] | None = None) -> str:
        tail = ""
        if order := node.args.get("order"):
            tail += " ORDER BY " + ", ".join(self._ordered(o, scope, columns, outs) for o in order.expressions)
        limit, offset = node.args.get("limit"), node.args.get("offset")
        if isinstance(limit, exp.Fetch):
            tail += f" LIMIT {self.value(limit.args['count'], scope).sql}"
        elif limit is not None:
            count = self.value(limit.expression, scope).sql
            options = limit.args.get("limit_options")
            tail += f" LIMIT {count}%" if options and options.args.get("percent") else f" LIMIT {count}"
        if offset is not None:
            tail += f" OFFSET {self.value(offset.expression, scope).sql}"
        return tail

    def _ordered(self, node: exp.Ordered, scope: Scope, columns: list[OutColumn], outs: list[tuple[Bound, OutColumn]] | None) -> str:
        key, descending = node.this, " DESC" if node.args.get("desc") else " ASC"
        if isinstance(key, exp.Literal) and not key.is_string:
            position = int(key.name)
            if not 1 <= position <= len(columns):
                raise SqlError(108, f"The ORDER BY position number {position} is out of range of the number of items in the select list.")
            return f"{position}{descending}"
        bound = None
        if isinstance(key, exp.Column) and not key.table:
            at = next((i for i, c in enumerate(columns) if c.name.lower() == key.name.lower()), None)
            if at is not None:
                bound = Bound(quote_name(columns[at].name or f"_c{at}"), columns[at].type) if outs is None else outs[at][0]
        bound = bound or self.value(key, scope)
        sql = f"tds_guid_key({bound.sql})" if bound.type and bound.type.family == "guid" else bound.sql
        return f"{sql}{descending}"

    # --- FROM

    def _from(self, node: exp.Expression, scope: Scope) -> str:
        sql = self._relation(node, scope)
        for join in node.args.get("joins") or []:
            sql += self._join(join, scope)
        return sql

    def _join(self, join: exp.Join, scope: Scope) -> str:
        target = join.this
        if isinstance(target, exp.Lateral):
            inner = target.this
            if isinstance(inner, exp.Subquery):
                bound = self.query(inner.this, scope)
                text = self._derived(f"LATERAL ({bound.sql})", bound.columns, target.args["alias"], scope)
            elif isinstance(inner, exp.Anonymous):
                sql, columns = self.session.table_function(self, inner, scope)
                text = self._derived(f"LATERAL {sql}", columns, target.args.get("alias"), scope, str(inner.this))
            else:
                text = self._relation(inner, scope)
            return f" CROSS JOIN {text}" if target.args.get("cross_apply") else f" LEFT JOIN {text} ON true"
        side = (join.side or "").upper()
        kind = (join.kind or "").upper()
        sql = self._from(target, scope)
        if (on := join.args.get("on")) is not None:
            return f" {side} JOIN {sql} ON {self.predicate(on, scope)}"
        return f" {'CROSS JOIN' if kind == 'CROSS' or not side else side + ' JOIN'} {sql}"

    def _relation(self, node: exp.Expression, scope: Scope) -> str:
        alias = node.args.get("alias")
        if isinstance(node, exp.Subquery):
            inner = node.this
            if isinstance(inner, exp.Table):
                return f"({self._from(inner, scope)})"
            bound = self.query(inner, scope.parent if scope.parent else _ctes_of(scope))
            return self._derived(f"({bound.sql})", bound.columns, alias, scope)
        if isinstance(node, exp.Values):
            bound = self._values(node, scope)
            return self._derived(f"({bound.sql})", bound.columns, alias, scope)
        if not isinstance(node, exp.Table):
            not_supported(node.sql("tsql")[:80])
        if isinstance(node.this, exp.Anonymous):
            sql, columns = self.session.table_function(self, node.this, scope)
            return self._derived(sql, columns, alias, scope, str(node.this.this))
        if isinstance(node.this, exp.Parameter):
            raise SqlError(1087, f'Must declare the table variable "@{variable_name(node.this)}".')
        parts = table_parts(node)
        name = node.alias or parts[-1]
        if len(parts) == 1 and (columns := scope.cte(parts[0])) is not None:
            return self._derived(quote_name(parts[0]), columns, alias, scope, name)
        sql, columns_of, declared = self.session.relation(self, parts)
        renamed = [c.name for c in alias.args.get("columns") or []] if alias else []
        self._names += 1
        handle = f"s{self._names}"
        listed = [
            (renamed[i] if renamed else c.name, f"{handle}.{physical}", c.type, declared[i] if declared else None)
            for i, (physical, c) in enumerate(columns_of)
        ]
        scope.sources.append(Source(name, listed, tuple(parts), handle))
        return f"{sql} AS {handle}"

    def _derived(self, sql: str, columns: list[OutColumn], alias: exp.Expression | None, scope: Scope, default: str = "") -> str:
        names = [c.name for c in (alias.args.get("columns") or [])] if alias else []
        names = names or [c.name for c in columns]
        self._names += 1
        handle = f"s{self._names}"
        physical = [f"k{i}" for i in range(len(names))]
        name = (alias.name if alias else "") or default
        scope.sources.append(
            Source(name, [(n, f"{handle}.{p}", c.type, None) for n, p, c in zip(names, physical, columns, strict=False)])
        )
        return f"{sql} AS {handle}({', '.join(physical)})"

    def _column(self, node: exp.Column, scope: Scope) -> tuple[Bound, ColumnDef | None]:
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
                return Bound(sql, type_), declared
            found_scope = found_scope.parent
        if table:
            # `g.STSrid`: a property of a column, which parses as a column of a table.
            owner = exp.Column(this=node.args["table"].copy(), table=node.args["db"].copy() if node.args.get("db") else None)
            try:
                bound, _ = self._column(owner, scope)
            except SqlError:
                bound = None
            if bound is not None and bound.type is not None and bound.type.family == "udt":
                return self.session.method(self, bound, name, [], scope), None
            text = ".".join(p for p in (node.text("catalog"), node.text("db"), table, name) if p)
            if any(_qualifies(s, table, "") for s in scope.sources):
                invalid_column(name)
            raise SqlError(4104, f'The multi-part identifier "{text}" could not be bound.')
        word = self.session.niladic(name)
        if word is not None:
            return word, None
        invalid_column(name)

    # --- expressions

    def predicate(self, node: exp.Expression, scope: Scope) -> str:
        return self.value(node, scope).sql

    def value(self, node: exp.Expression, scope: Scope) -> Bound:
        handler = HANDLERS.get(type(node))
        if handler is None:
            not_supported(f"{type(node).__name__}: {node.sql('tsql')[:80]}")
        return handler(self, node, scope)

    def values(self, nodes: list[exp.Expression], scope: Scope) -> list[Bound]:
        return [self.value(n, scope) for n in nodes]

    def compare(self, op: str, a: Bound, b: Bound) -> Bound:
        x, y = self.comparable(a, b, ordered=op not in ("=", "<>", "IS NOT DISTINCT FROM"))
        return Bound(f"({x} {op} {y})", PREDICATE)

    def comparable(self, a: Bound, b: Bound, ordered: bool = False) -> tuple[str, str]:
        """Both sides in one stored form that compares as SQL Server compares them."""
        if a.type is None or b.type is None:
            return a.sql, b.sql
        fa, fb = a.type.family, b.type.family
        if fa == fb == "str":
            if "char" in (a.type.name[-4:], b.type.name[-4:]) and {a.type.name, b.type.name} & {"char", "nchar"}:
                return f"rtrim({a.sql}, ' ')", f"rtrim({b.sql}, ' ')"
            return a.sql, b.sql
        if fa == fb and fa in ("flt", "dec", "dt", "bin", "date", "time"):
            return a.sql, b.sql
        if {fa, fb} <= {"int", "dec", "flt"}:
            return tuple(f"CAST({v.sql} AS INTEGER)" if v.type == BIT else v.sql for v in (a, b)) if a.type != b.type else (a.sql, b.sql)  # type: ignore[return-value]
        if {fa, fb} == {"date", "dt"}:
            return tuple(f"tds_midnight({v.sql})" if v.type and v.type.family == "date" else v.sql for v in (a, b))  # type: ignore[return-value]
        target = higher(a.type, b.type)
        if target.family == "dt" and "str" in (fa, fb):
            # A literal beyond the column's own digits is rounded to them, as its type is the column's.
            target = a.type if fa == "dt" else b.type
        x, y = convert(a, target).sql, convert(b, target).sql
        if target.family == "dto":
            return f"({x}).t", f"({y}).t"
        if target.family == "guid" and ordered:
            return f"tds_guid_key({x})", f"tds_guid_key({y})"
        return x, y

    def arithmetic(self, op: str, a: Bound, b: Bound) -> Bound:
        ta, tb = a.type, b.type
        if op == "+" and (_is(ta, "str") and (_is(tb, "str") or tb is None) or (ta is None and _is(tb, "str"))):
            lengths = [t.length if t and t.length else MAX for t in (ta, tb)]
            wide = any(t and t.name.startswith("n") for t in (ta, tb))
            limit = 4000 if wide else 8000
            length = MAX if MAX in lengths else min(limit, sum(lengths))
            return Bound(f"({a.sql} || {b.sql})", SqlType("nvarchar" if wide else "varchar", length))
        if op == "+" and _is(ta, "bin") and _is(tb, "bin"):
            lengths = [t.length or MAX for t in (ta, tb)]  # type: ignore[union-attr]
            return Bound(f"({a.sql} || {b.sql})", SqlType("varbinary", MAX if MAX in lengths else min(8000, sum(lengths))))
        if ta and tb and ta.family == "dt" and tb.family in ("int", "dec", "flt"):
            return Bound(f"({a.sql} {op} CAST({b.sql} * 864000000000 AS BIGINT))", ta)
        numbers = ("int", "dec", "flt")
        if ta and ta.family not in numbers and tb and tb.family in numbers:
            a, ta = convert(a, tb), tb
        elif tb and tb.family not in numbers and ta and ta.family in numbers:
            b, tb = convert(b, ta), ta
        if ta and ta.name == "bit":
            a, ta = convert(a, INT), INT
        if tb and tb.name == "bit":
            b, tb = convert(b, INT), INT
        if ta is None or tb is None:
            known = ta or tb
            if known is not None and "NULL" in (a.sql, b.sql):
                return Bound(f"CAST(NULL AS {known.stored})", known)
            return Bound(f"({a.sql} {op} {b.sql})")
        if op in ("&", "|", "^"):
            word = f"xor({a.sql}, {b.sql})" if op == "^" else f"({a.sql} {op} {b.sql})"
            return Bound(f"CAST({word} AS {higher(ta, tb).stored})", higher(ta, tb))
        if ta.family == tb.family == "int":
            kind = ta if INTEGERS.index(ta.name) >= INTEGERS.index(tb.name) else tb
            word = "//" if op == "/" else op
            return Bound(f"CAST({a.sql} AS {kind.stored}) {word} CAST({b.sql} AS {kind.stored})".join("()"), kind)
        if "flt" in (ta.family, tb.family):
            return Bound(f"(CAST({a.sql} AS DOUBLE) {op} CAST({b.sql} AS DOUBLE))", FLOAT)
        kind = _decimal_result(op, ta, tb)
        if op == "/":
            zero = f"CASE WHEN {b.sql} = 0 THEN error('#8134:Divide by zero error encountered.') ELSE {b.sql} END"
            return Bound(f"CAST(CAST({a.sql} AS DOUBLE) / CAST({zero} AS DOUBLE) AS {kind.stored})", kind)
        return Bound(f"CAST(({a.sql} {op} {b.sql}) AS {kind.stored})", kind)

    def common(self, values: list[Bound]) -> tuple[list[str], SqlType | None]:
        """All as the type of highest precedence among them."""
        found: SqlType | None = None
        for value in values:
            if value.type is not None and value.sql != "NULL":
                found = value.type if found is None or found == value.type else higher(found, value.type)
        if found is None:
            return [v.sql for v in values], None
        return [convert(v, found).sql for v in values], found


def _is(type_: SqlType | None, family: str) -> bool:
    return type_ is not None and type_.family == family


def _decimal_result(op: str, a: SqlType, b: SqlType) -> SqlType:
    """Precision and scale of arithmetic: Microsoft Learn, "Precision, scale, and length"."""
    if a.name in ("money", "smallmoney") and b.name in ("money", "smallmoney", *INTEGERS) or (
        b.name == "money" and a.family == "int"):
        return SqlType("money")
    (p1, s1), (p2, s2) = digits_of(a), digits_of(b)
    if op in ("+", "-"):
        scale = max(s1, s2)
        precision = scale + max(p1 - s1, p2 - s2) + 1
    elif op == "*":
        precision, scale = p1 + p2 + 1, s1 + s2
    elif op == "/":
        scale = max(6, s1 + p2 + 1)
        precision = p1 - s1 + s2 + scale
    else:
        scale = max(s1, s2)
        precision = min(p1 - s1, p2 - s2) + scale
    if precision > 38:
        whole = precision - scale
        scale = max(38 - whole, min(scale, 6)) if op in ("*", "/") else max(0, 38 - whole)
        precision = 38
    return SqlType("decimal", None, precision, scale)


def _ctes_of(scope: Scope) -> Scope:
    """A derived table sees the table expressions around it, but not its neighbours in FROM."""
    return Scope(None, [], {k: v for k, v in scope.ctes.items()})


def _out(name: str, type_: SqlType | None, declared: ColumnDef | None) -> OutColumn:
    if declared is None:
        return OutColumn(name, type_)
    return OutColumn(name, type_, declared.nullable, declared.identity is not None, declared.computed is not None)


def _qualifies(source: Source, table: str, schema: str) -> bool:
    if source.alias.lower() == table.lower() and not schema:
        return True
    if not source.parts or source.parts[-1].lower() != table.lower():
        return False
    return not schema or (len(source.parts) > 1 and source.parts[-2].lower() == schema.lower()) or schema.lower() == "dbo"


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


# --- how each kind of expression is bound -------------------------------------------------------------------------


def _literal(binder: Binder, node: exp.Literal, scope: Scope) -> Bound:
    if node.is_string:
        return Bound(quote(node.name), SqlType("varchar", max(1, len(node.name)) if len(node.name) <= 8000 else MAX), node.name)
    text = node.name
    if "e" in text.lower():
        return Bound(f"CAST({text} AS DOUBLE)", FLOAT)
    if "." in text:
        whole, _, fraction = text.partition(".")
        scale = len(fraction)
        precision = max(len(whole.lstrip("0")) + scale, 1)
        kind = SqlType("numeric", None, max(precision, scale), scale)
        return Bound(f"CAST('{text}' AS {kind.stored})", kind)
    number = int(text)
    if number < 2**31:
        return Bound(text, INT, number)
    kind = SqlType("numeric", None, len(text), 0)
    return Bound(f"CAST('{text}' AS {kind.stored})", kind, number)


def _national(binder: Binder, node: exp.National, scope: Scope) -> Bound:
    text = str(node.this)
    return Bound(quote(text), SqlType("nvarchar", max(1, len(text)) if len(text) <= 4000 else MAX), text)


def _hex(binder: Binder, node: exp.HexString, scope: Scope) -> Bound:
    digits = node.name if len(node.name) % 2 == 0 else "0" + node.name
    length = max(1, len(digits) // 2)
    return Bound(f"unhex('{digits}')", SqlType("varbinary", length if length <= 8000 else MAX))


def _parameter(binder: Binder, node: exp.Parameter, scope: Scope) -> Bound:
    name = variable_name(node)
    if name.startswith("@"):
        return binder.session.global_variable(name)
    type_ = binder.session.variable_type(name)
    binder.used.add(name)
    return Bound(f"CAST($v_{name} AS {type_.stored})", type_)


def _binary(op: str) -> Callable[[Binder, Any, Scope], Bound]:
    return lambda b, n, s: b.arithmetic(op, b.value(n.this, s), b.value(n.expression, s))


def _comparison(op: str) -> Callable[[Binder, Any, Scope], Bound]:
    def bind(binder: Binder, node: Any, scope: Scope) -> Bound:
        if isinstance(node.expression, (exp.Any, exp.All)):
            inner = binder.query(node.expression.this.this if isinstance(node.expression.this, exp.Subquery) else node.expression.this, scope)
            word = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
            return Bound(f"({binder.value(node.this, scope).sql} {op} {word} ({inner.sql}))", PREDICATE)
        return binder.compare(op, binder.value(node.this, scope), binder.value(node.expression, scope))

    return bind


def _logic(word: str) -> Callable[[Binder, Any, Scope], Bound]:
    return lambda b, n, s: Bound(f"({b.predicate(n.this, s)} {word} {b.predicate(n.expression, s)})", PREDICATE)


def _in(binder: Binder, node: exp.In, scope: Scope) -> Bound:
    left = binder.value(node.this, scope)
    if node.args.get("query") is not None:
        query = node.args["query"]
        inner = binder.query(query.this if isinstance(query, exp.Subquery) else query, scope)
        column = inner.columns[0]
        x, y = binder.comparable(left, Bound("q.k", column.type))
        return Bound(f"({x} IN (SELECT {y} FROM ({inner.sql}) AS q(k)))", PREDICATE)
    pairs = [binder.comparable(left, binder.value(item, scope)) for item in node.expressions]
    by_left: dict[str, list[str]] = {}
    for x, y in pairs:
        by_left.setdefault(x, []).append(y)
    return Bound("(" + " OR ".join(f"{x} IN ({', '.join(ys)})" for x, ys in by_left.items()) + ")", PREDICATE)


def _like(binder: Binder, node: exp.Like, scope: Scope, escape: str = "") -> Bound:
    value, pattern = binder.value(node.this, scope), binder.value(node.expression, scope)
    text = value.sql if _is(value.type, "str") or value.type is None else convert(value, SqlType("nvarchar", MAX)).sql
    if pattern.constant is not None and "[" in str(pattern.constant):
        return Bound(f"regexp_full_match({text}, {quote(_like_regex(str(pattern.constant), escape))}, 's')", PREDICATE)
    return Bound(f"({text} LIKE {pattern.sql}" + (f" ESCAPE {quote(escape)}" if escape else "") + ")", PREDICATE)


def _like_regex(pattern: str, escape: str) -> str:
    import re

    out, at = "", 0
    while at < len(pattern):
        c = pattern[at]
        close = pattern.find("]", at + 1)
        if escape and c == escape and at + 1 < len(pattern):
            at += 1
            out += re.escape(pattern[at])
        elif c == "[" and close > 0:
            out += "[" + pattern[at + 1 : close].replace("\\", "\\\\").replace("[", "\\[") + "]"
            at = close
        else:
            out += {"%": ".*", "_": "."}.get(c, re.escape(c))
        at += 1
    return out


def _case(binder: Binder, node: exp.Case, scope: Scope) -> Bound:
    subject = binder.value(node.this, scope) if node.this is not None else None
    whens, results = [], []
    for branch in node.args["ifs"]:
        if subject is not None:
            whens.append(binder.compare("=", subject, binder.value(branch.this, scope)).sql)
        else:
            whens.append(binder.predicate(branch.this, scope))
        results.append(binder.value(branch.args["true"], scope))
    default = node.args.get("default")
    results.append(binder.value(default, scope) if default is not None else Bound("NULL"))
    texts, kind = binder.common(results)
    body = " ".join(f"WHEN {w} THEN {t}" for w, t in zip(whens, texts, strict=False))
    return Bound(f"CASE {body} ELSE {texts[-1]} END", kind)


def _subquery(binder: Binder, node: exp.Subquery, scope: Scope) -> Bound:
    inner = binder.query(node, scope)
    return Bound(f"({inner.sql})", inner.columns[0].type)


def _anonymous(binder: Binder, node: exp.Anonymous, scope: Scope) -> Bound:
    from .functions import FUNCTIONS

    name = str(node.this)
    if name == CAST:
        return _cast(binder, node, scope)
    handler = FUNCTIONS.get(name.upper())
    if handler is None:
        raise SqlError(195, f"'{name}' is not a recognized built-in function name.", 15, 10)
    return handler(binder, node.expressions, scope)


def _cast(binder: Binder, node: exp.Anonymous, scope: Scope) -> Bound:
    text, value, *style = node.expressions
    try:
        kind = parse_type(text.name, in_cast=True)
    except ValueError:
        raise SqlError(243, f"Type {text.name} is not a defined system type.") from None
    number = None
    if style:
        bound_style = binder.value(style[0], scope)
        number = binder.session.constant(bound_style)
    bound = convert(binder.value(value, scope), kind, number)
    return Bound(f"TRY({bound.sql})", kind) if node.args.get("safe") else bound


def _window(binder: Binder, node: exp.Window, scope: Scope) -> Bound:
    parts = []
    if node.args.get("partition_by"):
        parts.append("PARTITION BY " + ", ".join(b.sql for b in binder.values(node.args["partition_by"], scope)))
    if order := node.args.get("order"):
        parts.append("ORDER BY " + ", ".join(binder._ordered(o, scope, [], None) for o in order.expressions))
    if spec := node.args.get("spec"):
        def edge(which: str) -> str:
            value, side = spec.args.get(which), spec.args.get(which + "_side") or ""
            return f"{value if isinstance(value, str) else value.sql()} {side}".strip()

        end = f" AND {edge('end')}" if spec.args.get("end") else ""
        parts.append(f"{spec.args['kind']} {'BETWEEN ' if end else ''}{edge('start')}{end}")
    before, binder.over = binder.over, f" OVER ({' '.join(parts)})"
    try:
        return binder.value(node.this, scope)
    finally:
        binder.over = before


def _dot(binder: Binder, node: exp.Dot, scope: Scope) -> Bound:
    """A method call on a column, or a function with its schema."""
    call = node.expression
    if not isinstance(call, exp.Anonymous):
        not_supported(node.sql("tsql"))
    owner = node.this
    names = []
    while isinstance(owner, exp.Dot):
        names.insert(0, owner.expression)
        owner = owner.this
    names.insert(0, owner)
    if isinstance(names[0], exp.Identifier):
        if names[0].name.lower() in ("sys", "dbo", "cdc", "master"):
            return _anonymous(binder, call, scope)
        parts = [n.copy() for n in names]
        column = exp.Column(this=parts[-1], table=parts[-2] if len(parts) > 1 else None, db=parts[-3] if len(parts) > 2 else None)
        bound = binder.value(column, scope)
    else:
        bound = binder.value(names[0], scope)
    return binder.session.method(binder, bound, str(call.this), call.expressions, scope)


def _scope_resolution(binder: Binder, node: Any, scope: Scope) -> Bound:
    return binder.session.static_method(binder, node.this.name.lower(), str(node.expression.this), node.expression.expressions, scope)


def _within_group(binder: Binder, node: exp.WithinGroup, scope: Scope) -> Bound:
    call = node.this
    order = ", ".join(binder._ordered(o, scope, [], None) for o in node.expression.expressions)
    if str(call.this).upper() == "STRING_AGG":
        value, separator = binder.values(call.expressions, scope)
        text = convert(value, SqlType("nvarchar", MAX))
        return Bound(f"string_agg({text.sql}, {separator.sql} ORDER BY {order})", text.type)
    not_supported(str(call.this))


def _neg(binder: Binder, node: exp.Neg, scope: Scope) -> Bound:
    value = binder.value(node.this, scope)
    if isinstance(value.constant, int) and value.type and value.type.family == "dec" and value.constant <= 2**31:
        return Bound(f"(-{value.constant})", INT if value.constant == 2**31 else BIGINT)
    return Bound(f"(-{value.sql})", value.type)


def _between(binder: Binder, node: exp.Between, scope: Scope) -> Bound:
    value = binder.value(node.this, scope)
    low = binder.compare(">=", value, binder.value(node.args["low"], scope))
    high = binder.compare("<=", value, binder.value(node.args["high"], scope))
    return Bound(f"({low.sql} AND {high.sql})", PREDICATE)


def _exists(binder: Binder, node: exp.Exists, scope: Scope) -> Bound:
    query = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    return Bound(f"EXISTS ({binder.query(query, scope).sql})", PREDICATE)


HANDLERS: dict[type, Callable[[Binder, Any, Scope], Bound]] = {
    exp.Column: lambda b, n, s: b._column(n, s)[0],
    exp.Literal: _literal,
    exp.National: _national,
    exp.HexString: _hex,
    exp.Null: lambda b, n, s: Bound("NULL"),
    exp.Parameter: _parameter,
    exp.Add: _binary("+"),
    exp.Sub: _binary("-"),
    exp.Mul: _binary("*"),
    exp.Div: _binary("/"),
    exp.Mod: _binary("%"),
    exp.BitwiseAnd: _binary("&"),
    exp.BitwiseOr: _binary("|"),
    exp.BitwiseXor: _binary("^"),
    exp.BitwiseNot: lambda b, n, s: Bound(f"(~{b.value(n.this, s).sql})", b.value(n.this, s).type),
    exp.EQ: _comparison("="),
    exp.NEQ: _comparison("<>"),
    exp.LT: _comparison("<"),
    exp.LTE: _comparison("<="),
    exp.GT: _comparison(">"),
    exp.GTE: _comparison(">="),
    exp.NullSafeEQ: _comparison("IS NOT DISTINCT FROM"),
    exp.And: _logic("AND"),
    exp.Or: _logic("OR"),
    exp.Not: lambda b, n, s: Bound(f"(NOT {b.predicate(n.this, s)})", PREDICATE),
    exp.Paren: lambda b, n, s: _paren(b.value(n.this, s)),
    exp.Is: lambda b, n, s: Bound(f"({b.value(n.this, s).sql} IS {b.value(n.expression, s).sql})", PREDICATE),
    exp.In: _in,
    exp.Like: _like,
    exp.Escape: lambda b, n, s: _like(b, n.this, s, n.expression.name),
    exp.Between: _between,
    exp.Exists: _exists,
    exp.Case: _case,
    exp.Subquery: _subquery,
    exp.Select: lambda b, n, s: Bound(f"({b.query(n, s).sql})"),
    exp.Anonymous: _anonymous,
    exp.Window: _window,
    exp.Dot: _dot,
    exp.ScopeResolution: _scope_resolution,
    exp.WithinGroup: _within_group,
    exp.Neg: _neg,
    exp.Collate: lambda b, n, s: b.value(n.this, s),
    exp.CurrentTimestamp: lambda b, n, s: b.session.niladic("CURRENT_TIMESTAMP"),
    exp.Cast: lambda b, n, s: not_supported(n.sql("tsql")),
}


def _paren(value: Bound) -> Bound:
    return Bound(f"({value.sql})", value.type, value.constant)


