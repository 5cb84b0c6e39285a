"""T-SQL's functions of date and time, over ticks. Microsoft Learn, "Date and time data types and functions"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from .convert import Bound, convert
from .errors import SqlError
from .function_registry import FUNCTIONS, Handler, function
from .sqltypes import BIGINT, DATETIME, INT, SqlType

if TYPE_CHECKING:
    from .binder import Binder
    from .scope import Scope

DATETIME2 = SqlType("datetime2", None, None, 7)

PARTS = {
    "year": "year",
    "yyyy": "year",
    "yy": "year",
    "quarter": "quarter",
    "qq": "quarter",
    "q": "quarter",
    "month": "month",
    "mm": "month",
    "m": "month",
    "dayofyear": "doy",
    "dy": "doy",
    "y": "doy",
    "day": "day",
    "dd": "day",
    "d": "day",
    "week": "week",
    "ww": "week",
    "wk": "week",
    "iso_week": "isoweek",
    "isowk": "isoweek",
    "isoww": "isoweek",
    "weekday": "dw",
    "dw": "dw",
    "hour": "hour",
    "hh": "hour",
    "minute": "minute",
    "mi": "minute",
    "n": "minute",
    "second": "second",
    "ss": "second",
    "s": "second",
    "millisecond": "ms",
    "ms": "ms",
    "microsecond": "mcs",
    "mcs": "mcs",
    "nanosecond": "ns",
    "ns": "ns",
    "tzoffset": "tz",
    "tz": "tz",
}
TICKS = {
    "day": 864_000_000_000,
    "week": 6_048_000_000_000,
    "hour": 36_000_000_000,
    "minute": 600_000_000,
    "second": 10_000_000,
    "ms": 10_000,
    "mcs": 10,
}


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
    ticks = (
        f"tds_midnight({value.sql})"
        if kind.family == "date"
        else f"({value.sql}).t"
        if kind.family == "dto"
        else value.sql
    )
    if part in ("year", "quarter", "month"):
        months = {"year": 12, "quarter": 3, "month": 1}[part]
        day = f"tds_day({ticks})"
        moved = (
            f"tds_midnight(CAST({day} + to_months(CAST({amount} * {months} AS INTEGER)) AS DATE)) + ({ticks}) % "
            "864000000000"
        )
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


def _now(kind: SqlType) -> Handler:
    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        return convert(Bound(str(binder.session.now()), DATETIME2), kind)

    return handler


for _name, _kind in (
    ("GETDATE", DATETIME),
    ("GETUTCDATE", DATETIME),
    ("CURRENT_TIMESTAMP", DATETIME),
    ("SYSDATETIME", DATETIME2),
    ("SYSUTCDATETIME", DATETIME2),
    ("SYSDATETIMEOFFSET", SqlType("datetimeoffset", None, None, 7)),
):
    FUNCTIONS[_name] = _now(_kind)
