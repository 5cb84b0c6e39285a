"""CHECK constraints as conditions that both warehouses understand and that mean there what they mean at the source.

Guarantees: only what is known to mean the same is translated; the rest is named, with the reason. Where the source
compares text without case, or without blanks at the end, so does the translation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from el.connectors.sql.dialect import Dialect

from .table_design import ColumnDesign

_SAME = (
    *(exp.Paren, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In),
    *(exp.Is, exp.Null, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Neg, exp.Add, exp.Sub, exp.Mul),
    *(exp.Length, exp.Upper, exp.Lower, exp.Trim, exp.Abs, exp.Coalesce, exp.Case, exp.If, exp.Like, exp.Tuple),
)
_NUMBERS = re.compile(r"(small|big|)int(eger)?|decimal.*|double")
_TIMES = re.compile(r"date|timestamp")
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_COMPARISONS = (*_COMPARED, exp.In, exp.Between, exp.Like)
_ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_MOMENT = re.compile(r"\d{8}|\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Translated:
    """A condition in the names of the schema tables, or the reason why there is none. columns: those that it names."""

    expression: str | None
    why: str | None = None
    columns: tuple[ColumnDesign, ...] = ()


class _Refused(Exception):
    """Why a condition is not translated."""


def translate(expression: str, dialect: Dialect, columns: Mapping[str, ColumnDesign]) -> Translated:
    """`expression` in the SQL of `dialect`. columns: by source name in lower case."""
    try:
        tree = sqlglot.parse_one(expression, read=dialect.name)
    except SqlglotError:
        return Translated(None, "it cannot be parsed")
    named: dict[str, ColumnDesign] = {}
    try:
        tree = tree.transform(_plain_text)
        for node in tree.find_all(exp.Column):
            column = columns.get(node.name.lower())
            if column is None:
                raise _Refused(f"column {node.name} is not taken")
            if column.masked or not column.exact:
                raise _Refused(f"column {node.name} does not arrive as it is")
            named[column.name] = column
        _known(tree)
        types = {column.source.name.lower(): column for column in named.values()}
        tree = _typed(tree, types, dialect)
        tree = tree.transform(_renamed, types)
    except _Refused as refused:
        return Translated(None, str(refused))
    while isinstance(tree, exp.Paren):
        tree = tree.this
    texts = {tree.sql(dialect=dialect, normalize_functions="lower") for dialect in ("duckdb", "snowflake")}
    if len(texts) != 1:
        return Translated(None, "the warehouses write it in different ways")
    return Translated(_lower_keywords(texts.pop()), columns=tuple(named.values()))


def _plain_text(node: exp.Expr) -> exp.Expr:
    """Without what only the source's SQL adds: N'text', brackets around a literal, LEN's own cast."""
    if isinstance(node, exp.National):
        return exp.Literal.string(node.name)
    if isinstance(node, exp.Paren) and isinstance(node.this, exp.Literal | exp.National | exp.Column):
        return exp.Literal.string(node.this.name) if isinstance(node.this, exp.National) else node.this
    # sqlglot reads LEN(x) as the length of x cast to text.
    if isinstance(node, exp.Length) and isinstance(node.this, exp.Cast) and isinstance(node.this.this, exp.Column):
        return exp.Length(this=node.this.this)
    return node


def _known(tree: exp.Expr) -> None:
    for node in tree.walk():
        if not isinstance(node, _SAME):
            raise _Refused(f"{_shown(node)} may mean something else there")
        if isinstance(node, exp.Like) and "[" in node.expression.name:
            raise _Refused("a LIKE with a set of characters means something else there")
        if isinstance(node, exp.In) and node.args.get("query"):
            raise _Refused("it asks another table")


def _shown(node: exp.Expr) -> str:
    name = node.name if isinstance(node, exp.Anonymous) else type(node).__name__
    return name.upper()


def _typed(tree: exp.Expr, columns: Mapping[str, ColumnDesign], dialect: Dialect) -> exp.Expr:
    """Comparisons with the literals that the columns' types need; text without case where the source has none."""
    _comparable(tree, columns)
    for node in list(tree.walk()):
        if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Neg | exp.Abs):
            for column in node.find_all(exp.Column):
                if not _NUMBERS.fullmatch(columns[column.name.lower()].type.duckdb):
                    raise _Refused("it calculates with what is no number")
        if isinstance(node, exp.Literal) and node.is_string:
            _fit(node, columns)
        if isinstance(node, exp.Literal) and not node.is_string and isinstance(node.parent, (*_COMPARED, exp.Paren)):
            _fit(node, columns)
        if isinstance(node, exp.Length) and dialect.length_without_blanks:
            node.set("this", exp.Anonymous(this="rtrim", expressions=[node.this.copy()]))
    for node in list(tree.find_all(exp.Column)):
        found, comparison = columns[node.name.lower()], node.find_ancestor(*_COMPARISONS)
        if not found.text or comparison is None or node.find_ancestor(exp.Length):
            continue
        put: exp.Expr = node.copy()
        # Where blanks at the end do not count in comparisons, in LIKE they may.
        if not isinstance(comparison, exp.Like) and found.ignores_blanks:
            put = exp.Anonymous(this="rtrim", expressions=[put])
        node.replace(exp.Lower(this=put) if found.ignores_case else put)
    return tree


def _comparable(tree: exp.Expr, columns: Mapping[str, ColumnDesign]) -> None:
    """Refuse comparisons that another type, or another order of text, would decide otherwise."""
    for node in tree.find_all(exp.Column):
        comparison, column = node.find_ancestor(*_COMPARISONS), columns[node.name.lower()]
        if comparison is None or node.find_ancestor(exp.Length):
            continue
        if column.as_text:
            raise _Refused(f"{column.source.name} arrives as text, and is none")
        if column.text and isinstance(comparison, _ORDERED):
            raise _Refused("the order of text is another one there")
        if column.ignores_case and node.find_ancestor(exp.Upper, exp.Lower):
            raise _Refused("upper and lower are the same without case")
        if isinstance(comparison, exp.Like) and column.ignores_blanks and not comparison.expression.name.endswith("%"):
            raise _Refused("a LIKE that does not end in % may count trailing blanks")
        beside = [columns[other.name.lower()] for other in comparison.find_all(exp.Column)]
        if len({_class(other) for other in beside}) > 1 and not comparison.find(exp.Length):
            raise _Refused("it compares columns of several types")
        if column.facts.single:
            fraction = any(not found.is_int for found in comparison.find_all(exp.Literal))
            if fraction or node.find_ancestor(exp.Add, exp.Sub, exp.Mul) or not all(o.facts.single for o in beside):
                raise _Refused("a 32-bit fraction is another number there")


def _class(column: ColumnDesign) -> str:
    type_ = column.type.duckdb
    return "number" if _NUMBERS.fullmatch(type_) else "time" if _TIMES.fullmatch(type_) else type_


def _fit(literal: exp.Literal, columns: Mapping[str, ColumnDesign]) -> None:
    comparison = literal.find_ancestor(*_COMPARISONS)
    if comparison is None or literal.find_ancestor(exp.Length):
        return
    inside = [columns[column.name.lower()] for column in comparison.find_all(exp.Column)]
    if not inside:
        return
    kinds = {column.type.duckdb for column in inside}
    if kinds == {"boolean"}:
        if literal.name not in ("0", "1"):
            raise _Refused(f"{literal.name} is neither 0 nor 1")
        literal.replace(exp.true() if literal.name == "1" else exp.false())
    elif not literal.is_string:
        if any(not _NUMBERS.fullmatch(kind) for kind in kinds) and not comparison.find(exp.Length):
            raise _Refused("it compares what is no number with a number")
    elif all(_TIMES.fullmatch(kind) for kind in kinds):
        literal.replace(exp.cast(exp.Literal.string(_moment(literal.name)), "timestamp"))
    elif any(not column.text for column in inside):
        raise _Refused("it compares text with what is none")
    else:
        without_case = any(column.ignores_case for column in inside)
        text = literal.name.lower() if without_case else literal.name
        if not isinstance(comparison, exp.Like) and any(column.ignores_blanks for column in inside):
            text = text.rstrip(" ")
        literal.replace(exp.Literal.string(text))


def _moment(text: str) -> str:
    if not _MOMENT.fullmatch(text):
        raise _Refused(f"{text!r} is a date in a form of its own")
    try:
        if len(text) == 8:
            return datetime.strptime(text, "%Y%m%d").date().isoformat()
        return text if len(text) == 10 else datetime.fromisoformat(text).isoformat(sep=" ")
    except ValueError:
        raise _Refused(f"{text!r} is no date") from None


def _renamed(node: exp.Expr, columns: Mapping[str, ColumnDesign]) -> exp.Expr:
    if isinstance(node, exp.Column):
        return exp.column(exp.to_identifier(columns[node.name.lower()].name, quoted=False))
    return node


_TEXT_OR_WORD = re.compile(r"'(?:[^']|'')*'|[A-Z_]+")


def _lower_keywords(sql: str) -> str:
    return _TEXT_OR_WORD.sub(lambda found: found[0] if found[0].startswith("'") else found[0].lower(), sql)


__all__ = ["Translated", "translate"]
