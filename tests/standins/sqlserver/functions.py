"""T-SQL's functions over bound expressions. Semantics: Microsoft Learn, "Transact-SQL functions", one page each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from .convert import Bound, convert
from .errors import SqlError
from .sqltypes import (
    BIGINT,
    DATE,
    DATETIME,
    FLOAT,
    GUID,
    INT,
    MAX,
    MONEY,
    NATIONAL,
    NMAX,
    SYSNAME,
    SqlType,
    digits_of,
)

if TYPE_CHECKING:
    from .binder import Binder, Scope

Handler = Callable[["Binder", list[exp.Expression], "Scope"], Bound]
FUNCTIONS: dict[str, Handler] = {}
DATETIME2 = SqlType("datetime2", None, None, 7)


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


for _name, _template, _result, *_kinds in [
    ("LEN", "CAST(tds_units(rtrim({0}, ' ')) AS INTEGER)", INT, NMAX),
    ("UPPER", "upper({0})", None, NMAX),
    ("LOWER", "lower({0})", None, NMAX),
    ("LTRIM", "ltrim({0}, ' ')", None, NMAX),
    ("RTRIM", "rtrim({0}, ' ')", None, NMAX),
    ("TRIM", "trim({0}, ' ')", None, NMAX),
    ("REVERSE", "reverse({0})", None, NMAX),
    ("LEFT", "left({0}, {1})", None, NMAX, INT),
    ("RIGHT", "right({0}, {1})", None, NMAX, INT),
    ("REPLACE", "replace({0}, {1}, {2})", NMAX, NMAX, NMAX, NMAX),
    ("REPLICATE", "repeat({0}, {1})", NMAX, NMAX, INT),
    ("SPACE", "repeat(' ', {0})", SqlType("varchar", 8000), INT),
    ("ASCII", "ascii({0})", INT, NMAX),
    ("UNICODE", "unicode({0})", INT, NMAX),
    ("CHAR", "chr({0})", SqlType("char", 1), INT),
    ("NCHAR", "chr({0})", SqlType("nchar", 1), INT),
    ("QUOTENAME", "'[' || replace({0}, ']', ']]') || ']'", SqlType("nvarchar", 258), NMAX),
    ("STUFF", "left({0}, {1} - 1) || {3} || substr({0}, {1} + {2})", NMAX, NMAX, INT, INT, NMAX),
    ("ABS", "abs({0})", None),
    ("CEILING", "ceil({0})", None),
    ("FLOOR", "floor({0})", None),
    ("SIGN", "sign({0})", None),
    ("SQRT", "sqrt({0})", FLOAT, FLOAT),
    ("POWER", "power({0}, {1})", FLOAT, FLOAT, FLOAT),
    ("EXP", "exp({0})", FLOAT, FLOAT),
    ("LOG", "ln({0})", FLOAT, FLOAT),
    ("LOG10", "log10({0})", FLOAT, FLOAT),
    ("RAND", "random()", FLOAT),
    ("SQUARE", "power({0}, 2)", FLOAT, FLOAT),
    ("EOMONTH", "last_day({0})", DATE, DATE),
    ("DATEFROMPARTS", "make_date({0}, {1}, {2})", DATE, INT, INT, INT),
    ("DATETIME2FROMPARTS", "tds_midnight(make_date({0}, {1}, {2})) + {3} * 36000000000::BIGINT + {4} * 600000000::BIGINT + "
     "{5} * 10000000::BIGINT + {6} * power(10, 7 - {7})::BIGINT", DATETIME2, *[INT] * 8),
    ("YEAR", "CAST(year({0}) AS INTEGER)", INT, DATE),
    ("MONTH", "CAST(month({0}) AS INTEGER)", INT, DATE),
    ("DAY", "CAST(day({0}) AS INTEGER)", INT, DATE),
    ("NULLIF", "nullif({0}, {1})", None),
    ("HASHBYTES", "tds_hash({0}, {1})", SqlType("varbinary", 8000), SqlType("varchar", 20), None),
    ("ISDATE", "CASE WHEN TRY(tds_parse({0})) IS NULL THEN 0 ELSE 1 END", INT, NMAX),
    ("ISNUMERIC", "CASE WHEN TRY_CAST({0} AS DOUBLE) IS NULL THEN 0 ELSE 1 END", INT, NMAX),
    ("SWITCHOFFSET", "{{'t': {0}.t, 'o': CAST(tds_zone({1}) AS SMALLINT)}}", None, None, NMAX),
    ("TODATETIMEOFFSET", "{{'t': {0} - tds_zone({1}) * 600000000::BIGINT, 'o': CAST(tds_zone({1}) AS SMALLINT)}}",
     SqlType("datetimeoffset", None, None, 7), DATETIME2, NMAX),
]:
    FUNCTIONS[_name] = scalar(_template, _result, *_kinds)


def hash_bytes(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    algorithm, value = binder.values(args, scope)
    data = convert(value, SqlType("varbinary", MAX)) if value.type is None or value.type.family != "bin" else value
    return Bound(f"tds_hash({algorithm.sql}, {data.sql})", SqlType("varbinary", 8000))


FUNCTIONS["HASHBYTES"] = hash_bytes


@function("ISNULL")
def is_null(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    first, second = binder.values(args, scope)
    if first.type is None:
        return Bound(f"coalesce({first.sql}, {second.sql})", second.type)
    return Bound(f"coalesce({first.sql}, {convert(second, first.type).sql})", first.type)


@function("COALESCE")
def coalesce(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    texts, kind = binder.common(binder.values(args, scope))
    return Bound(f"coalesce({', '.join(texts)})", kind)


@function("GREATEST", "LEAST")
def greatest(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    texts, kind = binder.common(binder.values(args, scope))
    return Bound(f"greatest({', '.join(texts)})", kind)


@function("IIF")
def iif(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    texts, kind = binder.common(binder.values(args[1:], scope))
    return Bound(f"CASE WHEN {binder.predicate(args[0], scope)} THEN {texts[0]} ELSE {texts[1]} END", kind)


@function("CHOOSE")
def choose(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    index, *rest = binder.values(args, scope)
    texts, kind = binder.common(rest)
    return Bound(f"CASE {index.sql} {' '.join(f'WHEN {i} THEN {t}' for i, t in enumerate(texts, 1))} END", kind)


@function("CONCAT")
def concat(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    bound = binder.values(args, scope)
    wide = any(b.type is not None and b.type.name in (*NATIONAL, "xml") for b in bound)
    kind = SqlType("nvarchar" if wide else "varchar", MAX)
    sized = [b.type.length if b.type is not None and b.type.length else 30 for b in bound]
    out = SqlType(kind.name, MAX if MAX in sized else min(4000 if wide else 8000, sum(sized)))
    return Bound("(" + " || ".join(f"coalesce({convert(b, kind).sql}, '')" for b in bound) + ")", out)


@function("CONCAT_WS")
def concat_ws(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound(f"concat_ws({', '.join(convert(b, NMAX).sql for b in binder.values(args, scope))})", NMAX)


@function("SUBSTRING")
def substring(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value, start, count = binder.values(args, scope)
    if value.type is not None and value.type.family == "bin":
        return Bound(f"unhex(substr(hex({value.sql}), 2 * ({start.sql}) - 1, 2 * ({count.sql})))", SqlType("varbinary", value.type.length or 8))
    value = text(value)
    name = "nvarchar" if value.type and value.type.name in NATIONAL else "varchar"
    length = count.constant if isinstance(count.constant, int) and 0 < count.constant <= 4000 else value.type.length if value.type else MAX
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
        sql = f"2 * tds_units({value.sql})" if kind.name in NATIONAL or kind.name == "xml" else f"octet_length(tds_narrow({value.sql}))"
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


@function("COUNT", "COUNT_BIG", "APPROX_COUNT_DISTINCT")
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


for _name in ("ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE"):
    FUNCTIONS[_name] = _rank(_name.lower(), BIGINT)
for _name, _word in (("STDEV", "stddev_samp"), ("STDEVP", "stddev_pop"), ("VAR", "var_samp"), ("VARP", "var_pop"),
                     ("CUME_DIST", "cume_dist"), ("PERCENT_RANK", "percent_rank")):
    FUNCTIONS[_name] = _rank(_word, FLOAT)


@function("STRING_AGG")
def string_agg(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value, separator = binder.values(args, scope)
    return Bound(f"string_agg({convert(value, NMAX).sql}, {separator.sql})", NMAX)


@function("CHECKSUM_AGG", "CHECKSUM", "BINARY_CHECKSUM")
def checksum(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    raise SqlError(40000, "The stand-in has no CHECKSUM: its values would not be SQL Server's.")


# --- moments

PARTS = {
    "year": "year", "yyyy": "year", "yy": "year", "quarter": "quarter", "qq": "quarter", "q": "quarter", "month": "month",
    "mm": "month", "m": "month", "dayofyear": "doy", "dy": "doy", "y": "doy", "day": "day", "dd": "day", "d": "day",
    "week": "week", "ww": "week", "wk": "week", "iso_week": "isoweek", "isowk": "isoweek", "isoww": "isoweek", "weekday": "dw",
    "dw": "dw", "hour": "hour", "hh": "hour", "minute": "minute", "mi": "minute", "n": "minute", "second": "second",
    "ss": "second", "s": "second", "millisecond": "ms", "ms": "ms", "microsecond": "mcs", "mcs": "mcs", "nanosecond": "ns",
    "ns": "ns", "tzoffset": "tz", "tz": "tz",
}  # fmt: skip
TICKS = {"day": 864_000_000_000, "week": 6_048_000_000_000, "hour": 36_000_000_000, "minute": 600_000_000, "second": 10_000_000,
         "ms": 10_000, "mcs": 10}


def _part(node: exp.Expression) -> str:
    name = node.name.lower()
    if name not in PARTS:
        raise SqlError(155, f"'{node.name}' is not a recognized datepart option.", 15)
    return PARTS[name]


def _ticks(value: Bound) -> str:
    return convert(value, DATETIME2).sql if value.type is None or value.type.family != "dt" else value.sql


@function("DATEADD")
def date_add(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    part = _part(args[0])
    number, value = binder.value(args[1], scope), binder.value(args[2], scope)
    kind = value.type if value.type is not None and value.type.family != "str" else DATETIME
    value = convert(value, kind)
    amount = f"CAST(trunc({number.sql}) AS BIGINT)"
    if kind.family == "date" and part in ("day", "week", "doy"):
        return Bound(f"({value.sql} + CAST({amount} * {7 if part == 'week' else 1} AS INTEGER))", kind)
    ticks = f"tds_midnight({value.sql})" if kind.family == "date" else f"({value.sql}).t" if kind.family == "dto" else value.sql
    if part in ("year", "quarter", "month"):
        months = {"year": 12, "quarter": 3, "month": 1}[part]
        day = f"tds_day({ticks})"
        moved = f"tds_midnight(CAST({day} + to_months(CAST({amount} * {months} AS INTEGER)) AS DATE)) + ({ticks}) % 864000000000"
    elif part == "ns":
        moved = f"({ticks} + {amount} // 100)"
    else:
        moved = f"({ticks} + {amount} * {TICKS['day' if part == 'doy' else part]})"
    if kind.family == "date":
        return Bound(f"tds_day({moved})", kind)
    if kind.family == "dto":
        return Bound(f"{{'t': {moved}, 'o': ({value.sql}).o}}", kind)
    if kind.family == "time":
        return Bound(f"((({moved}) % 864000000000 + 864000000000) % 864000000000)", kind)
    return Bound(f"tds_datetime({moved})" if kind.name == "datetime" else moved, kind)


@function("DATEDIFF", "DATEDIFF_BIG")
def date_diff(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    part = _part(args[0])
    start, stop = (_ticks(binder.value(a, scope)) for a in args[1:3])
    if part in ("year", "quarter", "month"):
        sql = f"date_diff('{part}', tds_day({start}), tds_day({stop}))"
    elif part == "week":
        sql = f"(({stop}) // 864000000000 + 1) // 7 - (({start}) // 864000000000 + 1) // 7"
    elif part == "ns":
        sql = f"(({stop}) - ({start})) * 100"
    else:
        size = TICKS["day" if part == "doy" else part]
        sql = f"(({stop}) // {size} - ({start}) // {size})"
    return Bound(f"CAST({sql} AS INTEGER)", INT)


def _date_diff_big(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    sql = date_diff(binder, args, scope).sql
    return Bound("CAST(" + sql.removeprefix("CAST(").removesuffix(" AS INTEGER)") + " AS BIGINT)", BIGINT)


FUNCTIONS["DATEDIFF_BIG"] = _date_diff_big


@function("DATEPART")
def date_part(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    part, value = _part(args[0]), binder.value(args[1], scope)
    if part == "tz":
        return Bound(f"CAST(({value.sql}).o AS INTEGER)", INT)
    ticks = _ticks(value)
    if part in ("ms", "mcs", "ns"):
        scaled = {"ms": "// 10000", "mcs": "// 10", "ns": "* 100"}[part]
        return Bound(f"CAST((({ticks}) % 10000000) {scaled} AS INTEGER)", INT)
    word = {"doy": "dayofyear", "dw": "1 + dayofweek", "isoweek": "weekofyear", "week": "weekofyear"}.get(part, part)
    return Bound(f"CAST({word}(tds_ts({ticks})) AS INTEGER)", INT)


@function("DATENAME")
def date_name(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    part = _part(args[0])
    if part in ("month", "dw"):
        ticks = _ticks(binder.value(args[1], scope))
        return Bound(f"{'monthname' if part == 'month' else 'dayname'}(tds_ts({ticks}))", SqlType("nvarchar", 30))
    return Bound(f"CAST({date_part(binder, args, scope).sql} AS VARCHAR)", SqlType("nvarchar", 30))


def _now(kind: SqlType) -> Handler:
    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        binder.volatile = True
        return convert(Bound(str(binder.session.now()), DATETIME2), kind)

    return handler


for _name, _kind in (("GETDATE", DATETIME), ("GETUTCDATE", DATETIME), ("CURRENT_TIMESTAMP", DATETIME), ("SYSDATETIME", DATETIME2),
                     ("SYSUTCDATETIME", DATETIME2), ("SYSDATETIMEOFFSET", SqlType("datetimeoffset", None, None, 7))):
    FUNCTIONS[_name] = _now(_kind)


# --- the server and its catalog


@function("NEWID", "NEWSEQUENTIALID")
def new_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound("upper(CAST(uuid() AS VARCHAR))", GUID)


@function("SQL_VARIANT_PROPERTY")
def variant_property(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value, which = binder.value(args[0], scope), args[1].name.lower()
    if value.type is None or value.type.family != "var":
        value = convert(value, SqlType("sql_variant"))
    base = f"({value.sql}).b"
    number = f"TRY_CAST(regexp_extract({base}, '\\((\\d+)', 1) AS INTEGER)"
    if which == "basetype":
        return convert(Bound(f"regexp_extract({base}, '^[a-z]+2?')", SYSNAME), SqlType("sql_variant"))
    if which == "maxlength":
        return convert(Bound(f"CASE WHEN {base} LIKE 'n%' THEN 2 ELSE 1 END * {number}", INT), SqlType("sql_variant"))
    if which in ("precision", "scale"):
        second = f"TRY_CAST(regexp_extract({base}, ',(\\d+)', 1) AS INTEGER)"
        return convert(Bound(number if which == "precision" else second, INT), SqlType("sql_variant"))
    return Bound("CAST(NULL AS STRUCT(b VARCHAR, v VARCHAR))", SqlType("sql_variant"))


def _catalog(column: str, kind: SqlType, table: str, condition: str) -> Handler:
    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        bound = binder.values(args, scope)
        where = condition.format(*(convert(b, INT if b.type is None or b.type.family != "str" else NMAX).sql for b in bound))
        db = binder.session.quoted_database
        return Bound(f"(SELECT {column} FROM {db}.cat.{table} WHERE {where} LIMIT 1)", kind)

    return handler


_SCHEMA_OF = "(SELECT x.name FROM {db}.cat.objects o JOIN {db}.cat.schemas x ON x.schema_id = o.schema_id WHERE o.object_id = {id})"
FUNCTIONS["OBJECT_NAME"] = _catalog("name", SYSNAME, "objects", "object_id = {0}")
FUNCTIONS["COL_NAME"] = _catalog("name", SYSNAME, "columns", "object_id = {0} AND column_id = {1}")


@function("OBJECT_SCHEMA_NAME")
def object_schema_name(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound(_SCHEMA_OF.format(db=binder.session.quoted_database, id=binder.value(args[0], scope).sql), SYSNAME)


@function("SCHEMA_NAME")
def schema_name(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    if not args:
        return Bound("'dbo'", SYSNAME, "dbo")
    return _catalog("name", SYSNAME, "schemas", "schema_id = {0}")(binder, args, scope)


@function("SCHEMA_ID")
def schema_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    if not args:
        return Bound("1", INT, 1)
    return _catalog("schema_id", INT, "schemas", "lower(name) = lower({0})")(binder, args, scope)


@function("OBJECT_ID")
def object_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value = binder.value(args[0], scope)
    kind = str(binder.value(args[1], scope).constant or "").strip().upper() if len(args) > 1 else ""
    if value.constant is not None:
        found = binder.session.object_id(str(value.constant), kind)
        return Bound("CAST(NULL AS INTEGER)" if found is None else str(found), INT, found)
    db = binder.session.quoted_database
    name = f"lower(replace(replace(replace({text(value).sql}, '[', ''), ']', ''), '\"', ''))"
    return Bound(f"(SELECT o.object_id FROM {db}.cat.objects o JOIN {db}.cat.schemas x ON x.schema_id = o.schema_id WHERE "
                 f"lower(x.name || '.' || o.name) = {name} OR (x.name = 'dbo' AND lower(o.name) = {name}) LIMIT 1)", INT)


@function("TYPE_NAME")
def type_name(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    from .sqltypes import SYSTEM_TYPES

    whens = " ".join(f"WHEN {ids[1]} THEN '{name}'" for name, ids in SYSTEM_TYPES.items())
    return Bound(f"CASE {binder.value(args[0], scope).sql} {whens} END", SYSNAME)


@function("TYPE_ID")
def type_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    from .sqltypes import SYSTEM_TYPES

    whens = " ".join(f"WHEN '{name}' THEN {ids[1]}" for name, ids in SYSTEM_TYPES.items())
    return Bound(f"CASE lower({binder.value(args[0], scope).sql}) {whens} END", INT)


@function("COLUMNPROPERTY")
def column_property(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    which = str(binder.value(args[2], scope).constant).lower()
    column = {"isidentity": "CAST(is_identity AS INTEGER)", "iscomputed": "CAST(is_computed AS INTEGER)",
              "allowsnull": "CAST(is_nullable AS INTEGER)", "columnid": "column_id", "precision": "CAST(precision AS INTEGER)",
              "scale": "CAST(scale AS INTEGER)", "ordinal": "column_id", "charmaxlen": "CAST(max_length AS INTEGER)"}.get(which, "0")
    return _catalog(column, INT, "columns", "object_id = {0} AND lower(name) = lower({1})")(binder, args[:2], scope)


@function("OBJECTPROPERTY", "OBJECTPROPERTYEX")
def object_property(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    which = str(binder.value(args[1], scope).constant).lower()
    kinds = {"istable": "'U'", "isusertable": "'U'", "isview": "'V'", "isprimarykey": "'PK'", "isforeignkey": "'F'"}
    if which == "tablehasprimarykey":
        column = "CAST(EXISTS (SELECT 1 FROM {db}.cat.indexes i WHERE i.object_id = objects.object_id AND is_primary_key) AS INTEGER)"
    elif which == "tablehasidentity":
        column = "CAST(EXISTS (SELECT 1 FROM {db}.cat.columns i WHERE i.object_id = objects.object_id AND is_identity) AS INTEGER)"
    else:
        column = f"CAST(type IN ({kinds.get(which, '')}) AS INTEGER)" if which in kinds else "0"
    column = column.replace("{db}", binder.session.quoted_database)
    return _catalog(column, INT, "objects", "object_id = {0}")(binder, args[:1], scope)


@function("INDEXPROPERTY", "INDEXKEY_PROPERTY", "FULLTEXTSERVICEPROPERTY")
def zero(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound("0", INT, 0)


def _from_session(method: str) -> Handler:
    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        return getattr(binder.session, method)(*(binder.value(a, scope) for a in args))

    return handler


for _name in ("DB_NAME", "DB_ID", "SUSER_SNAME", "SUSER_NAME", "USER_NAME", "ORIGINAL_LOGIN", "SERVERPROPERTY", "DATABASEPROPERTYEX",
              "APP_NAME", "HOST_NAME", "IS_MEMBER", "IS_ROLEMEMBER", "IS_SRVROLEMEMBER", "HAS_PERMS_BY_NAME", "SCOPE_IDENTITY",
              "IDENT_CURRENT", "MIN_ACTIVE_ROWVERSION", "CHANGE_TRACKING_CURRENT_VERSION", "CHANGE_TRACKING_MIN_VALID_VERSION",
              "FN_CDC_GET_MIN_LSN", "FN_CDC_GET_MAX_LSN", "FN_CDC_INCREMENT_LSN", "FN_CDC_DECREMENT_LSN", "FN_CDC_MAP_TIME_TO_LSN",
              "FN_CDC_MAP_LSN_TO_TIME", "SESSIONPROPERTY", "XACT_STATE", "ERROR_NUMBER", "ERROR_MESSAGE", "ERROR_SEVERITY",
              "ERROR_STATE", "ERROR_LINE", "CONNECTIONPROPERTY", "DATABASE_PRINCIPAL_ID", "SESSION_CONTEXT", "SUSER_SID", "SUSER_ID",
              "USER_ID", "CURRENT_TRANSACTION_ID", "DATABASEPROPERTY", "COLLATIONPROPERTY", "PARSENAME", "FORMATMESSAGE"):
    FUNCTIONS[_name] = _from_session("fn_" + _name.lower().removeprefix("fn_"))
