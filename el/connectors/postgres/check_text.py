"""A check without what PostgreSQL adds to it: `(amount >= (0)::numeric)` was written as `amount >= 0`.

The catalog gives back a parsed expression in which each constant has its type and each IN is an array. A cast is taken
away where it makes no other value: of a number or a text to a type of its kind without a length, of a column of text to
text. What is not understood stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

_TEXTS = ("TEXT", "VARCHAR")
_WHOLE, _FRACTION = re.compile(r"-?[0-9]+"), re.compile(r"-?[0-9]+(\.[0-9]+)?")
_NUMBERS = ("SMALLINT", "INT", "BIGINT", "DECIMAL", "DOUBLE")


def plain_check(written: str, texts: Collection[str]) -> str:
    """texts: the table's columns of text, which have no other order or length than text has."""
    try:
        tree = parse_one(written, read="postgres")
        return tree.transform(lambda node: _plain(node, texts)).sql(dialect="postgres")
    except SqlglotError:
        return written


def _plain(node: exp.Expr, texts: Collection[str]) -> exp.Expr:
    if isinstance(node, exp.Cast) and not node.to.expressions:
        return _without_cast(node, _plain(node.this.unnest(), texts), texts)
    if isinstance(node, exp.Cast) and node.to.is_type(*(f"{name}[]" for name in _TEXTS)):
        inner = node.this.unnest()
        return inner if isinstance(inner, exp.Array) else node
    return _as_in(node, texts)


def _without_cast(node: exp.Cast, inner: exp.Expr, texts: Collection[str]) -> exp.Expr:
    type_ = node.to
    if type_.is_type(*_TEXTS) and (inner.is_string or (isinstance(inner, exp.Column) and inner.name in texts)):
        return inner
    number = inner.this if isinstance(inner, exp.Neg) else inner
    # A fraction would be rounded to a whole number.
    form = _FRACTION if type_.is_type("DECIMAL", "DOUBLE") else _WHOLE
    if type_.is_type(*_NUMBERS) and isinstance(number, exp.Literal) and form.fullmatch(number.this):
        # A negative number is written as a text.
        return parse_one(number.this, read="postgres") if number.is_string else inner
    return node


def _as_in(node: exp.Expr, texts: Collection[str]) -> exp.Expr:
    """x = ANY (ARRAY[...]) as x IN (...), and x <> ALL as NOT IN."""
    of = node.expression if isinstance(node, exp.EQ | exp.NEQ) else None
    any_of = of.this if isinstance(node, exp.EQ) and isinstance(of, exp.Any) else None
    if isinstance(node, exp.NEQ) and isinstance(of, exp.Anonymous) and of.name.upper() == "ALL" and of.expressions:
        any_of = of.expressions[0]
    listed = _plain(any_of.unnest(), texts) if any_of is not None else None
    if not isinstance(listed, exp.Array):
        return node
    values = [_plain(each, texts) for each in listed.expressions]
    found = exp.In(this=_plain(node.this.unnest(), texts), expressions=values)
    return found if isinstance(node, exp.EQ) else exp.not_(found)
