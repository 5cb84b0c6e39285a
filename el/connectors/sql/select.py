"""The one builder that turns a `ReadRequest` into SQL: names quoted, values bound, nothing glued.

Guarantees: every identifier is quoted by sqlglot for its dialect; every value is a `?` parameter, cast on the
server to its column's own type, so that the column stays bare and an index can serve. The only SQL texts that
pass through are the type table's read expressions and what the user wrote in el.yml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from el.connectors.catalog import SourceType
from el.connectors.request import OP_READ, ColumnRead, Condition, Op, ReadRequest, Value
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.own_query import derived_query, split_query
from el.connectors.sql.split import Range
from el.errors import PlanError


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with `?` markers, and its parameters in order."""

    sql: str
    parameters: tuple[object, ...] = ()

    def __str__(self) -> str:
        if not self.parameters:
            return self.sql
        shown = ", ".join(repr(parameter) for parameter in self.parameters)
        return f"{self.sql}\n-- parameters: {shown}"


def build_select(request: ReadRequest, dialect: Dialect) -> Statement:
    """The SELECT for `request`. Raises `PlanError` where the user's own query cannot be parsed."""
    parameters: list[object] = []
    columns = [_column(column, dialect) for column in request.columns] or [exp.Star()]
    if request.kept:
        held = exp.and_(*(_condition(condition, dialect, parameters) for condition in request.kept))
        op = exp.Case().when(held, exp.Literal.string("U")).else_(exp.Literal.string("D"))
        columns.append(exp.alias_(op, exp.to_identifier(OP_READ, quoted=True)))
    if request.query is not None and not (
        request.columns or request.where or request.split or request.order_by or request.limit is not None
    ):
        return Statement("\n".join(split_query(request.query, dialect)).lstrip())
    select = _from(exp.select(*columns), request)
    for condition in (*request.where, *_range(request)):
        select = select.where(_condition(condition, dialect, parameters), copy=False)
    for name in request.order_by:
        select = select.order_by(_identifier(name), copy=False)
    if request.limit is not None:
        select = select.limit(request.limit, copy=False)
    return Statement(_text(select, request, dialect), tuple(parameters))


def build_extreme(function: str, request: ReadRequest, column: str, type_: SourceType, dialect: Dialect) -> Statement:
    """SELECT MAX(column) or MIN(column), in canonical text, of what `request` reads, its conditions applied."""
    parameters: list[object] = []
    quoted = dialect.quote(column)
    inner = dialect.maximum.get(type_.name, "{column}").replace("{column}", quoted)
    select = _from(exp.select(exp.Var(this=dialect.as_text(f"{function}({inner})", type_))), request)
    for condition in request.where:
        select = select.where(_condition(condition, dialect, parameters), copy=False)
    return Statement(_text(select, request, dialect), tuple(parameters))


def build_extent(
    request: ReadRequest, column: str, type_: SourceType, bound: Value | None, nulls: bool, dialect: Dialect
) -> Statement:
    """SELECT of one row: MAX(column) in canonical text, how it compares with `bound`, whether there are rows without.

    The comparison is the server's, in the column's own type and order.
    """
    parameters: list[object] = []
    name = _identifier(column)
    greatest = exp.Max(this=name)
    found: list[exp.Expr] = [exp.Var(this=dialect.as_text(f"MAX({dialect.quote(column)})", type_))]
    if bound is None:
        found.append(exp.Literal.number(0))
    else:
        value = exp.Var(this=dialect.bound(bound))
        parameters += [dialect.parameter(bound)] * 2
        beyond, below = exp.GT(this=greatest, expression=value), exp.LT(this=greatest, expression=value)
        found.append(exp.Case().when(beyond, exp.Literal.number(1)).when(below, exp.Literal.number(-1)).else_("0"))
    if nulls:
        missing = exp.Case().when(name.is_(exp.null()), exp.Literal.number(1)).else_("0")
        found.append(exp.Max(this=missing))
    names = ("greatest", "against", "nulls")
    columns = [exp.alias_(each, name, quoted=True) for each, name in zip(found, names, strict=False)]
    select = _from(exp.select(*columns), request)
    for condition in request.where:
        select = select.where(_condition(condition, dialect, parameters), copy=False)
    return Statement(_text(select, request, dialect), tuple(parameters))


def build_back(
    request: ReadRequest, column: str, type_: SourceType, bound: Value, rows: int, dialect: Dialect
) -> Statement:
    """SELECT the least of the `rows` greatest values that are not beyond `bound`, in canonical text."""
    parameters: list[object] = []
    inner = _from(exp.select(_identifier(column)), request)
    for condition in (*request.where, Condition(column, Op.LE, bound)):
        inner = inner.where(_condition(condition, dialect, parameters), copy=False)
    inner = inner.order_by(exp.Ordered(this=_identifier(column), desc=True, nulls_first=False), copy=False)
    inner = inner.limit(rows, copy=False)
    least = exp.Var(this=dialect.as_text(f"MIN({dialect.quote(column)})", type_))
    select = exp.select(exp.alias_(least, "least", quoted=True)).from_(inner.subquery("el_last"), copy=False)
    return Statement(_text(select, request, dialect), tuple(parameters))


def build_order(
    request: ReadRequest, column: str, type_: SourceType, values: Sequence[str], dialect: Dialect
) -> Statement:
    """SELECT the numbers of `values`, from 1 on, in the order in which they compare with `column`; of equal ones one.

    Beside the column, of which no row is read, they sort as it does: by its collation.
    """
    nothing = _from(exp.select("0 AS n", exp.alias_(_identifier(column), "v")), request).where("1 = 0", copy=False)
    bound = [Value(value, type_) for value in values]
    listed = [f"SELECT {number}, {dialect.bound(value)}" for number, value in enumerate(bound, 1)]
    inside = " UNION ALL ".join(["{nothing}", *listed])
    whole = f"SELECT MIN(n) AS n FROM ({inside}) AS el_cuts WHERE n > 0 GROUP BY v ORDER BY v"
    sql = _text(nothing, request, dialect, whole)
    return Statement(sql, tuple(dialect.parameter(value) for value in bound))


def _range(request: ReadRequest) -> tuple[Condition, ...]:
    if request.split is None:
        return ()
    if not isinstance(request.split, Range):
        raise PlanError(f"{request.split} is a part that another source made")
    return request.split.where


def _identifier(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _column(column: ColumnRead, dialect: Dialect) -> exp.Expr:
    if column.read_as is None and column.source == column.name:
        return _identifier(column.source)
    if column.read_as is None:
        expression: exp.Expr = _identifier(column.source)
    else:
        # Var passes the text through as it is: sqlglot would rewrite T-SQL's style codes and CLR methods.
        expression = exp.Var(this=column.read_as.replace("{column}", dialect.quote(column.source)))
    return exp.alias_(expression, exp.to_identifier(column.name, quoted=True))


def _condition(condition: Condition, dialect: Dialect, parameters: list[object]) -> exp.Expr:
    column = _identifier(condition.column)
    if condition.op is Op.IS_NULL:
        return column.is_(exp.null())
    if condition.op is Op.NOT_NULL:
        return exp.not_(column.is_(exp.null()))
    if condition.value is None:
        raise PlanError(f"column {condition.column}: {condition.op} needs a value")
    parameters.append(dialect.parameter(condition.value))
    comparison = _COMPARISONS[condition.op](this=column, expression=exp.Var(this=dialect.bound(condition.value)))
    if condition.or_null:
        return exp.paren(exp.or_(comparison, column.is_(exp.null())))
    return comparison


_COMPARISONS: dict[Op, type[exp.Expr]] = {
    Op.EQ: exp.EQ,
    Op.NE: exp.NEQ,
    Op.LT: exp.LT,
    Op.LE: exp.LTE,
    Op.GT: exp.GT,
    Op.GE: exp.GTE,
}


# Stands for the user's query while the statement is built: its text goes in as it was written.
_OWN_QUERY = "el_own_query_b41d5e0c"


def _from(select: exp.Select, request: ReadRequest) -> exp.Select:
    if request.table is None:
        return select.from_(exp.alias_(exp.to_table(_OWN_QUERY), "q", table=True), copy=False)
    table = exp.Table(
        this=exp.to_identifier(request.table.name, quoted=True),
        db=exp.to_identifier(request.table.schema, quoted=True),
    )
    return select.from_(table, copy=False)


def _text(select: exp.Select, request: ReadRequest, dialect: Dialect, within: str = "{nothing}") -> str:
    sql = within.replace("{nothing}", select.sql(dialect=dialect.name))
    if request.query is None:
        return sql
    own = derived_query(request.query, dialect)
    whole = f"{own.with_}\n{sql}\n{own.option}".strip()
    return whole.replace(_OWN_QUERY, f"(\n{own.select}\n)", 1)
