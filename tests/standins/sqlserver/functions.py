"""T-SQL's functions of text, numbers and sets. Semantics: Microsoft Learn, "Transact-SQL functions", one page each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from .arithmetic import common
from .convert import Bound, convert
from .errors import SqlError
from .function_registry import FUNCTIONS, Handler, function, scalar, text
from .sqltypes import BIGINT, DATE, FLOAT, INT, MAX, MONEY, NATIONAL, NMAX, SqlType, digits_of

if TYPE_CHECKING:
    from .binder import Binder
    from .scope import Scope

DATETIME2 = SqlType("datetime2", None, None, 7)

for _name, _template, _result, *_kinds in [
    ("LEN", "CAST(tds_units(rtrim({0}, ' ')) AS INTEGER)", INT, NMAX),
    ("UPPER", "upper({0})", None, NMAX),
    ("LOWER", "lower({0})", None, NMAX),
    ("LTRIM", "ltrim({0}, ' ')", None, NMAX),
    ("RTRIM", "rtrim({0}, ' ')", None, NMAX),
    ("LEFT", "left({0}, {1})", None, NMAX, INT),
    ("RIGHT", "right({0}, {1})", None, NMAX, INT),
    ("REPLACE", "replace({0}, {1}, {2})", NMAX, NMAX, NMAX, NMAX),
    ("UNICODE", "unicode({0})", INT, NMAX),
    ("CHAR", "chr({0})", SqlType("char", 1), INT),
    ("NCHAR", "chr({0})", SqlType("nchar", 1), INT),
    ("QUOTENAME", "'[' || replace({0}, ']', ']]') || ']'", SqlType("nvarchar", 258), NMAX),
    ("ABS", "abs({0})", None),
    ("CEILING", "ceil({0})", None),
    ("FLOOR", "floor({0})", None),
    ("EOMONTH", "last_day({0})", DATE, DATE),
    ("YEAR", "CAST(year({0}) AS INTEGER)", INT, DATE),
    ("MONTH", "CAST(month({0}) AS INTEGER)", INT, DATE),
    ("DAY", "CAST(day({0}) AS INTEGER)", INT, DATE),
    ("NULLIF", "nullif({0}, {1})", None),
    ("HASHBYTES", "tds_hash({0}, {1})", SqlType("varbinary", 8000), SqlType("varchar", 20), None),
    ("SWITCHOFFSET", "{{'t': {0}.t, 'o': CAST(tds_zone({1}) AS SMALLINT)}}", None, None, NMAX),
]:
    FUNCTIONS[_name] = scalar(_template, _result, *_kinds)


def hash_bytes(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    algorithm, value = binder.values(args, scope)
    data = convert(value, SqlType("varbinary", MAX)) if value.type is None or value.type.family != "bin" else value
    return Bound(f"tds_hash({algorithm.sql}, {data.sql})", SqlType("varbinary", 8000))


FUNCTIONS["HASHBYTES"] = hash_bytes


@function("REPLICATE")
def replicate(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    """Of the type of its argument, and no longer than 8,000 bytes unless that is (max)."""
    value, count = binder.values(args, scope)
    value = text(value)
    national = value.type is None or value.type.name in NATIONAL
    name, longest = ("nvarchar", 4000) if national else ("varchar", 8000)
    repeated = f"repeat({value.sql}, {convert(count, INT).sql})"
    if value.type is not None and value.type.length == MAX:
        return Bound(repeated, SqlType(name, MAX))
    return Bound(f"left({repeated}, {longest})", SqlType(name, longest))


@function("POWER")
def power(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    base, exponent = binder.values(args, scope)
    kind = base.type or FLOAT
    return Bound(f"CAST(power({convert(base, FLOAT).sql}, {convert(exponent, FLOAT).sql}) AS {kind.stored})", kind)


@function("ISNULL")
def is_null(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    first, second = binder.values(args, scope)
    if first.type is None:
        return Bound(f"coalesce({first.sql}, {second.sql})", second.type)
    return Bound(f"coalesce({first.sql}, {convert(second, first.type).sql})", first.type)


@function("COALESCE")
def coalesce(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    texts, kind = common(binder.values(args, scope))
    return Bound(f"coalesce({', '.join(texts)})", kind)


@function("GREATEST", "LEAST")
def greatest(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    texts, kind = common(binder.values(args, scope))
    return Bound(f"greatest({', '.join(texts)})", kind)


@function("IIF")
def iif(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    texts, kind = common(binder.values(args[1:], scope))
    return Bound(f"CASE WHEN {binder.predicate(args[0], scope)} THEN {texts[0]} ELSE {texts[1]} END", kind)


@function("CONCAT")
def concat(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    bound = binder.values(args, scope)
    wide = any(b.type is not None and b.type.name in (*NATIONAL, "xml") for b in bound)
    kind = SqlType("nvarchar" if wide else "varchar", MAX)
    sized = [b.type.length if b.type is not None and b.type.length else 30 for b in bound]
    out = SqlType(kind.name, MAX if MAX in sized else min(4000 if wide else 8000, sum(sized)))
    return Bound("(" + " || ".join(f"coalesce({convert(b, kind).sql}, '')" for b in bound) + ")", out)


@function("SUBSTRING")
def substring(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value, start, count = binder.values(args, scope)
    if value.type is not None and value.type.family == "bin":
        return Bound(
            f"unhex(substr(hex({value.sql}), 2 * ({start.sql}) - 1, 2 * ({count.sql})))",
            SqlType("varbinary", value.type.length or 8),
        )
    value = text(value)
    name = "nvarchar" if value.type and value.type.name in NATIONAL else "varchar"
    length = (
        count.constant
        if isinstance(count.constant, int) and 0 < count.constant <= 4000
        else value.type.length
        if value.type
        else MAX
    )
    return Bound(f"substr({value.sql}, {start.sql}, {count.sql})", SqlType(name, length or MAX))


@function("CHARINDEX")
def char_index(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    needle, hay, *start = binder.values(args, scope)
    if not start:
        return Bound(f"CAST(strpos({text(hay).sql}, {text(needle).sql}) AS INTEGER)", INT)
    rest = f"strpos(substr({text(hay).sql}, {start[0].sql}), {text(needle).sql})"
    return Bound(f"CAST(CASE WHEN {rest} = 0 THEN 0 ELSE {rest} + {start[0].sql} - 1 END AS INTEGER)", INT)


@function("DATALENGTH")
def data_length(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value = binder.value(args[0], scope)
    kind = value.type
    if kind is None:
        return Bound(f"octet_length(CAST({value.sql} AS BLOB))", INT)
    out = BIGINT if kind.long else INT
    if kind.family == "bin":
        sql = f"octet_length({value.sql})"
    elif kind.family == "str":
        sql = (
            f"2 * tds_units({value.sql})"
            if kind.name in NATIONAL or kind.name == "xml"
            else f"octet_length(tds_narrow({value.sql}))"
        )
    elif kind.family == "udt":
        sql = f"octet_length({convert(value, SqlType('varbinary', MAX)).sql})"
    elif kind.family == "var":
        sql = f"length({value.sql}.v)"
    else:
        sql = f"CASE WHEN {value.sql} IS NOT NULL THEN {kind.max_length} END"
    return Bound(f"CAST({sql} AS {out.stored})", out)


@function("ROUND")
def round_(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value, digits, *cut = binder.values(args, scope)
    if cut and cut[0].constant:
        return Bound(f"(trunc({value.sql} * power(10, {digits.sql})) / power(10, {digits.sql}))", FLOAT)
    kind = value.type
    sql = f"round({value.sql}, CAST({digits.sql} AS INTEGER))"
    return Bound(f"CAST({sql} AS {kind.stored})" if kind else sql, kind)


# --- aggregates and windows


def _over(binder: Binder) -> str:
    over, binder.over = binder.over, ""
    return over


def _argument(binder: Binder, args: list[exp.Expression], scope: Scope) -> tuple[str, Bound]:
    node = args[0]
    if isinstance(node, exp.Distinct):
        return "DISTINCT ", binder.value(node.expressions[0], scope)
    return "", binder.value(node, scope)


@function("COUNT", "COUNT_BIG")
def count(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    over = _over(binder)
    if isinstance(args[0], exp.Star):
        return Bound(f"count(*){over}", BIGINT)
    distinct, value = _argument(binder, args, scope)
    return Bound(f"count({distinct}{value.sql}){over}", BIGINT)


def _count_int(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound(f"CAST({count(binder, args, scope).sql} AS INTEGER)", INT)


FUNCTIONS["COUNT"] = _count_int


@function("SUM")
def sum_(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    over = _over(binder)
    distinct, value = _argument(binder, args, scope)
    kind = value.type
    if kind is None:
        return Bound(f"sum({distinct}{value.sql}){over}")
    if kind.family == "int":
        out = BIGINT if kind.name == "bigint" else INT
    elif kind.family == "flt":
        out = FLOAT
    elif kind.name in ("money", "smallmoney"):
        out = MONEY
    elif kind.family == "dec":
        out = SqlType("decimal", None, 38, kind.scale)
    else:
        raise SqlError(8117, f"Operand data type {kind.name} is invalid for sum operator.")
    return Bound(f"CAST(sum({distinct}{value.sql}){over} AS {out.stored})", out)


@function("AVG")
def avg(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    over = _over(binder)
    distinct, value = _argument(binder, args, scope)
    kind = value.type
    if kind is not None and kind.family == "int":
        out = BIGINT if kind.name == "bigint" else INT
        return Bound(f"CAST(trunc(avg({distinct}{value.sql}){over}) AS {out.stored})", out)
    if kind is not None and kind.family == "dec":
        out = MONEY if "money" in kind.name else SqlType("decimal", None, 38, max(6, digits_of(kind)[1]))
        return Bound(f"CAST(avg({distinct}{value.sql}){over} AS {out.stored})", out)
    return Bound(f"avg({distinct}{value.sql}){over}", FLOAT)


def _same_type(word: str) -> Handler:
    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        over = _over(binder)
        _, value = _argument(binder, args, scope)
        if value.type is not None and value.type.family == "guid" and word in ("min", "max"):
            return Bound(f"arg_{word}({value.sql}, tds_guid_key({value.sql})){over}", value.type)
        rest = "".join(", " + b.sql for b in binder.values(args[1:], scope))
        return Bound(f"{word}({value.sql}{rest}){over}", value.type)

    return handler


for _name in ("MIN", "MAX", "LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"):
    FUNCTIONS[_name] = _same_type(_name.lower())


def _rank(word: str, result: SqlType) -> Handler:
    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        over = _over(binder)
        inner = ", ".join(b.sql for b in binder.values(args, scope))
        return Bound(f"{word}({inner}){over}", result)

    return handler


for _name in ("ROW_NUMBER", "RANK", "DENSE_RANK"):
    FUNCTIONS[_name] = _rank(_name.lower(), BIGINT)


@function("STRING_AGG")
def string_agg(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value, separator = binder.values(args, scope)
    return Bound(f"string_agg({convert(value, NMAX).sql}, {separator.sql})", NMAX)
