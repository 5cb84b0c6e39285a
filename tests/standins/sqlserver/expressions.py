"""How each kind of expression is bound: sqlglot's node to DuckDB SQL and a type."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import functions, functions_catalog, functions_time, server_functions, udt_methods
from .arithmetic import PREDICATE, arithmetic, common, comparable, compare, is_family
from .convert import Bound, convert, quote
from .dialect import CAST
from .errors import SqlError, not_supported
from .function_registry import FUNCTIONS
from .scope import Scope, variable_name
from .sources import resolve
from .sqltypes import BIGINT, FLOAT, INT, MAX, SqlType, parse_type

if TYPE_CHECKING:
    from .binder import Binder

# They enter FUNCTIONS as they are imported.
REGISTERED = (functions, functions_catalog, functions_time, server_functions)


def _literal(binder: Binder, node: exp.Literal, scope: Scope) -> Bound:
    if node.is_string:
        return Bound(
            quote(node.name), SqlType("varchar", max(1, len(node.name)) if len(node.name) <= 8000 else MAX), node.name
        )
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
    units = len(text.encode("utf-16-le")) // 2
    return Bound(quote(text), SqlType("nvarchar", max(1, units) if units <= 4000 else MAX), text)


def _hex(binder: Binder, node: exp.HexString, scope: Scope) -> Bound:
    digits = node.name if len(node.name) % 2 == 0 else "0" + node.name
    length = max(1, len(digits) // 2)
    return Bound(f"unhex('{digits}')", SqlType("varbinary", length if length <= 8000 else MAX))


def _parameter(binder: Binder, node: exp.Parameter, scope: Scope) -> Bound:
    name = variable_name(node)
    if name.startswith("@"):
        return server_functions.global_variable(binder.session, name)
    type_ = server_functions.variable_type(binder.session, name)
    binder.used.add(name)
    return Bound(f"CAST($v_{name} AS {type_.stored})", type_)


def _binary(op: str) -> Callable[[Binder, Any, Scope], Bound]:
    return lambda b, n, s: arithmetic(op, b.value(n.this, s), b.value(n.expression, s))


def _comparison(op: str) -> Callable[[Binder, Any, Scope], Bound]:
    def bind(binder: Binder, node: Any, scope: Scope) -> Bound:
        if isinstance(node.expression, (exp.Any, exp.All)):
            inner = binder.query(
                node.expression.this.this if isinstance(node.expression.this, exp.Subquery) else node.expression.this,
                scope,
            )
            word = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
            return Bound(f"({binder.value(node.this, scope).sql} {op} {word} ({inner.sql}))", PREDICATE)
        return compare(op, binder.value(node.this, scope), binder.value(node.expression, scope))

    return bind


def _logic(word: str) -> Callable[[Binder, Any, Scope], Bound]:
    return lambda b, n, s: Bound(f"({b.predicate(n.this, s)} {word} {b.predicate(n.expression, s)})", PREDICATE)


def _in(binder: Binder, node: exp.In, scope: Scope) -> Bound:
    left = binder.value(node.this, scope)
    if node.args.get("query") is not None:
        query = node.args["query"]
        inner = binder.query(query.this if isinstance(query, exp.Subquery) else query, scope)
        column = inner.columns[0]
        x, y = comparable(left, Bound("q.k", column.type))
        return Bound(f"({x} IN (SELECT {y} FROM ({inner.sql}) AS q(k)))", PREDICATE)
    pairs = [comparable(left, binder.value(item, scope)) for item in node.expressions]
    by_left: dict[str, list[str]] = {}
    for x, y in pairs:
        by_left.setdefault(x, []).append(y)
    return Bound("(" + " OR ".join(f"{x} IN ({', '.join(ys)})" for x, ys in by_left.items()) + ")", PREDICATE)


def _like(binder: Binder, node: exp.Like, scope: Scope, escape: str = "") -> Bound:
    value, pattern = binder.value(node.this, scope), binder.value(node.expression, scope)
    text = (
        value.sql
        if is_family(value.type, "str") or value.type is None
        else convert(value, SqlType("nvarchar", MAX)).sql
    )
    if pattern.constant is not None and "[" in str(pattern.constant):
        return Bound(f"regexp_full_match({text}, {quote(_like_regex(str(pattern.constant), escape))}, 's')", PREDICATE)
    return Bound(f"({text} LIKE {pattern.sql}" + (f" ESCAPE {quote(escape)}" if escape else "") + ")", PREDICATE)


def _like_regex(pattern: str, escape: str) -> str:
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
            whens.append(compare("=", subject, binder.value(branch.this, scope)).sql)
        else:
            whens.append(binder.predicate(branch.this, scope))
        results.append(binder.value(branch.args["true"], scope))
    default = node.args.get("default")
    results.append(binder.value(default, scope) if default is not None else Bound("NULL"))
    texts, kind = common(results)
    body = " ".join(f"WHEN {w} THEN {t}" for w, t in zip(whens, texts, strict=False))
    return Bound(f"CASE {body} ELSE {texts[-1]} END", kind)


def _subquery(binder: Binder, node: exp.Subquery, scope: Scope) -> Bound:
    inner = binder.query(node, scope)
    return Bound(f"({inner.sql})", inner.columns[0].type)


def _anonymous(binder: Binder, node: exp.Anonymous, scope: Scope) -> Bound:
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
    given = binder.value(value, scope)
    if not isinstance(value, exp.Collate):
        given = in_code_page(given, kind)
    bound = convert(given, kind, number)
    return Bound(_trying(bound.sql), kind) if node.args.get("safe") else bound


def in_code_page(value: Bound, kind: SqlType) -> Bound:
    """Text on its way into char or varchar: what the database's code page, 1252, lacks becomes "?".

    Microsoft Learn, "Collation and Unicode support": the code page is that of the collation, the database's where none
    is given; with COLLATE the text is taken for one that it holds.
    """
    if (
        value.type is None
        or value.type.name not in ("nchar", "nvarchar", "ntext")
        or kind.name not in ("char", "varchar")
    ):
        return value
    held = "".join(bytes([n]).decode("cp1252", "ignore") for n in range(128, 256))
    return Bound(f"regexp_replace({value.sql}, '[^\\x{{00}}-\\x{{7F}}{held}]', '?', 'g')", value.type, value.constant)


def _trying(sql: str) -> str:
    """A conversion that gives NULL where it would fail: DuckDB's TRY takes no function that may raise."""
    return (
        re.sub(r"(?<!TRY_)CAST\(", "TRY_CAST(", sql)
        .replace("tds_parse(", "tds_try_parse(")
        .replace("tds_guid(", "tds_try_guid(")
    )


def _window(binder: Binder, node: exp.Window, scope: Scope) -> Bound:
    parts = []
    if node.args.get("partition_by"):
        parts.append("PARTITION BY " + ", ".join(b.sql for b in binder.values(node.args["partition_by"], scope)))
    if order := node.args.get("order"):
        parts.append("ORDER BY " + ", ".join(binder.ordered(o, scope, [], None) for o in order.expressions))
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
        column = exp.Column(
            this=parts[-1], table=parts[-2] if len(parts) > 1 else None, db=parts[-3] if len(parts) > 2 else None
        )
        bound = binder.value(column, scope)
    else:
        bound = binder.value(names[0], scope)
    return udt_methods.method(bound, str(call.this))


def _scope_resolution(binder: Binder, node: Any, scope: Scope) -> Bound:
    call = node.expression
    return udt_methods.static_method(node.this.name.lower(), str(call.this), binder.values(call.expressions, scope))


def _within_group(binder: Binder, node: exp.WithinGroup, scope: Scope) -> Bound:
    call = node.this
    order = ", ".join(binder.ordered(o, scope, [], None) for o in node.expression.expressions)
    if str(call.this).upper() == "STRING_AGG":
        value, separator = binder.values(call.expressions, scope)
        text = convert(value, SqlType("nvarchar", MAX))
        return Bound(f"string_agg({text.sql}, {separator.sql} ORDER BY {order})", text.type)
    return not_supported(str(call.this))


def _neg(binder: Binder, node: exp.Neg, scope: Scope) -> Bound:
    value = binder.value(node.this, scope)
    if isinstance(value.constant, int) and value.type and value.type.family == "dec" and value.constant <= 2**31:
        return Bound(f"(-{value.constant})", INT if value.constant == 2**31 else BIGINT)
    return Bound(f"(-{value.sql})", value.type)


def _between(binder: Binder, node: exp.Between, scope: Scope) -> Bound:
    value = binder.value(node.this, scope)
    low = compare(">=", value, binder.value(node.args["low"], scope))
    high = compare("<=", value, binder.value(node.args["high"], scope))
    return Bound(f"({low.sql} AND {high.sql})", PREDICATE)


def _exists(binder: Binder, node: exp.Exists, scope: Scope) -> Bound:
    query = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    return Bound(f"EXISTS ({binder.query(query, scope).sql})", PREDICATE)


HANDLERS: dict[type, Callable[[Binder, Any, Scope], Bound]] = {
    exp.Column: lambda b, n, s: resolve(b, n, s)[0],
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
    exp.CurrentTimestamp: lambda b, n, s: server_functions.niladic(b.session, "CURRENT_TIMESTAMP"),
    exp.Cast: lambda b, n, s: not_supported(n.sql("tsql")),
}


def _paren(value: Bound) -> Bound:
    return Bound(f"({value.sql})", value.type, value.constant)
