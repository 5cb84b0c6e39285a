"""CAST and CONVERT: every conversion between stored forms, as DuckDB SQL.

Styles and rules: Microsoft Learn, "CAST and CONVERT (Transact-SQL)". The macros are made once for a server.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import SqlError
from .sqltypes import (
    MAX,
    NATIONAL,
    SYSTEM_TYPES,
    TICKS_PER_DAY,
    SqlType,
    parse_type,
)

TRUNCATED = "#2628:String or binary data would be truncated."


@dataclass(frozen=True)
class Bound:
    """A translated expression: DuckDB SQL, and the T-SQL type whose stored form it gives (None: ask DuckDB).

    base: of a sql_variant, the value that it was made of, where that is known.
    """

    sql: str
    type: SqlType | None = None
    constant: str | int | None = None
    base: Bound | None = None


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def units(digits: int) -> int:
    return 10 ** (7 - digits)


def _clash(source: SqlType, target: SqlType) -> SqlError:
    return SqlError(529, f"Explicit conversion from data type {source.name} to {target.name} is not allowed.")


def convert(value: Bound, to: SqlType, style: int | None = None, assign: bool = False) -> Bound:
    """`value` as `to`; `assign` refuses text that does not fit instead of cutting it."""
    source = value.type
    if source is None:
        return Bound(f"CAST({value.sql} AS {to.stored})", to)
    if source == to and style is None:
        return Bound(value.sql, to, value.constant, value.base)
    if value.base is not None:
        # DuckDB need not look for the base type: a branch for each would cost it twenty times the rest of the query.
        return convert(value.base, to, style, assign)
    x = value.sql
    sql = _to_family(value, source, to, style, assign)
    if sql is None:
        raise _clash(source, to)
    if sql is x and source.stored != to.stored:
        sql = f"CAST({x} AS {to.stored})"
    return Bound(sql, to, base=value if to.family == "var" else None)


def _to_family(value: Bound, source: SqlType, to: SqlType, style: int | None, assign: bool) -> str | None:
    x, family, target = value.sql, source.family, to.family
    if target == "var":
        if family == "var":
            return x
        return f"CASE WHEN {x} IS NOT NULL THEN {{'b': {_base_text(source, x)}, 'v': {canonical(x, source)}}} END"
    if family == "var":
        return _from_variant(x, to, style)
    if target == "str":
        return _fit(_text(x, source, style, to), source, to, assign)
    if target == "bin":
        return _fit_bytes(_bytes(x, source, style), source, to, assign)
    if target in ("int", "dec", "flt"):
        return _number(x, source, to)
    if target in ("date", "time", "dt", "dto"):
        return _moment(value, source, to)
    if target == "guid":
        if family == "str":
            return f"tds_guid({x})"
        return f"tds_dash(tds_swap(hex({x})))" if family == "bin" else x if family == "guid" else None
    if target == "udt":
        if source.name == to.name:
            return x
        if family == "str":
            return x if to.name == "hierarchyid" else f"CASE WHEN {x} IS NOT NULL THEN '0;' || {x} END"
        if family == "bin":
            return f"tds_from_hierarchy({x})" if to.name == "hierarchyid" else f"tds_from_shape({x}, '{to.name}')"
    return None


def _base_text(source: SqlType, x: str) -> str:
    if source.length == MAX or source.name in ("text", "ntext", "image", "xml", "timestamp"):
        raise SqlError(206, f"Operand type clash: {source} is incompatible with sql_variant", 16, 2)
    return quote(str(source))


def canonical(x: str, source: SqlType) -> str:
    family = source.family
    if family == "bin":
        return f"lower(hex({x}))"
    if family == "dto":
        return f"CAST({x}.t AS VARCHAR) || ';' || CAST({x}.o AS VARCHAR)"
    if source.name == "bit":
        return f"CASE WHEN {x} THEN '1' ELSE '0' END"
    return f"CAST({x} AS VARCHAR)"


def _from_variant(x: str, to: SqlType, style: int | None) -> str:
    """One branch for each base type, as CASE over the value's own."""
    branches = []
    for name in SYSTEM_TYPES:
        if name in ("sql_variant", "xml", "text", "ntext", "image", "timestamp", "sysname") or name in (
            "hierarchyid",
            "geography",
            "geometry",
        ):
            continue
        whole = f"{x}.v"
        base = parse_type(f"{name}(38,18)" if name in ("decimal", "numeric") else name)
        if base.family == "str":
            base = SqlType(name, MAX)
            stored = whole
        elif base.family == "bin":
            base = SqlType(name, MAX)
            stored = f"unhex({whole})"
        elif base.family == "dto":
            stored = (
                f"{{'t': TRY_CAST(split_part({whole}, ';', 1) AS BIGINT), 'o': TRY_CAST(split_part({whole}, ';', 2) AS "
                "SMALLINT)}"
            )
        elif base.family == "dec" and to.family in ("str", "var") and name in ("decimal", "numeric"):
            base, stored = SqlType("varchar", MAX), whole
        elif base.family in ("time", "dt"):
            stored = f"TRY_CAST({whole} AS BIGINT)"
        else:
            stored = f"TRY_CAST({whole} AS {base.stored})"
        try:
            branch = convert(Bound(stored, base), to, style).sql
        except SqlError:
            continue
        if (
            base.family in ("time", "dt", "dto")
            and to.family == "str"
            and name in ("time", "datetime2", "datetimeoffset")
        ):
            # As many digits as the value's own type has.
            digits = f"TRY_CAST(regexp_extract({x}.b, '(\\d+).$', 1) AS BIGINT)"
            branch = _fit(moment_text(stored, base, style or 121, digits), base, to, False)
        if base.family in ("int", "dec", "flt", "str") and to.family in ("int", "dec", "flt"):
            # DuckDB may evaluate a branch that CASE does not take; what fails there is nobody's.
            branch = f"TRY({branch})"
        branches.append(f"WHEN '{name}' THEN {branch}")
    return f"CASE regexp_extract({x}.b, '^[a-z]+2?') {' '.join(branches)} END"


# --- text ---------------------------------------------------------------------------------------------------------

# Style: strftime of the date, and of the time before its fraction ("" for none), whether a fraction follows.
STYLES: dict[int, tuple[str, str, bool]] = {
    1: ("%m/%d/%y", "", False), 101: ("%m/%d/%Y", "", False), 2: ("%y.%m.%d", "", False), 102: ("%Y.%m.%d", "", False),
    3: ("%d/%m/%y", "", False), 103: ("%d/%m/%Y", "", False), 4: ("%d.%m.%y", "", False), 104: ("%d.%m.%Y", "", False),
    5: ("%d-%m-%y", "", False), 105: ("%d-%m-%Y", "", False), 10: ("%m-%d-%y", "", False), 110: ("%m-%d-%Y", "", False),
    11: ("%y/%m/%d", "", False), 111: ("%Y/%m/%d", "", False), 12: ("%y%m%d", "", False), 112: ("%Y%m%d", "", False),
    23: ("%Y-%m-%d", "", False), 8: ("", "%H:%M:%S", False), 108: ("", "%H:%M:%S", False), 24: ("", "%H:%M:%S", False),
    14: ("", "%H:%M:%S", True), 114: ("", "%H:%M:%S", True),
    20: ("%Y-%m-%d", " %H:%M:%S", False), 120: ("%Y-%m-%d", " %H:%M:%S", False),
    21: ("%Y-%m-%d", " %H:%M:%S", True), 25: ("%Y-%m-%d", " %H:%M:%S", True), 121: ("%Y-%m-%d", " %H:%M:%S", True),
    126: ("%Y-%m-%d", "T%H:%M:%S", True), 127: ("%Y-%m-%d", "T%H:%M:%S", True),
}  # fmt: skip


def moment_text(x: str, source: SqlType, style: int | None, digits: str) -> str:
    family = source.family
    if style in (None, 0, 100):
        if source.name in ("datetime", "smalldatetime"):
            return f"tds_am({x})"
        style = 121
    if style not in STYLES:
        raise SqlError(
            281, f"{style} is not a valid style number when converting from {source.name} to a character string."
        )
    date_format, time_format, fraction = STYLES[style]
    local = (
        f"({x}.t + {x}.o * 600000000::BIGINT)" if family == "dto" else f"tds_midnight({x})" if family == "date" else x
    )
    if family == "dto" and style == 127:
        local = f"{x}.t"
    ticks = f"tds_round({local}, 10000)" if source.name == "datetime" else local
    parts = []
    if date_format and family != "time":
        if date_format == "%Y-%m-%d":
            parts.append(f"CAST(tds_day({ticks}) AS VARCHAR)")
        else:
            parts.append(f"strftime(tds_ts({ticks}), '{date_format}')")
    if time_format and family != "date":
        clock = time_format.strip(" T")
        parts.append(f"strftime(tds_ts({ticks}), '{time_format if parts else clock}')")
        if fraction:
            text = f"tds_fraction({ticks}, {digits})"
            if style in (126, 127):
                text = f"CASE WHEN ({ticks}) % 10000000 = 0 THEN '' ELSE {text} END"
            parts.append(text)
    if family == "dto" and time_format:
        parts.append("'Z'" if style == 127 else f"'{' ' if style != 126 else ''}' || tds_offset({x}.o)")
    return "(" + " || ".join(parts or ["''"]) + ")"


def _text(x: str, source: SqlType, style: int | None, to: SqlType) -> str:
    family = source.family
    if family == "str":
        return x
    if source.name == "bit":
        return f"CASE WHEN {x} THEN '1' WHEN NOT {x} THEN '0' END"
    if source.name in ("money", "smallmoney"):
        if style == 2:
            return f"CAST({x} AS VARCHAR)"
        return (
            f"format('{{:,}}', CAST({x} AS DECIMAL(19,2)))"
            if style == 1
            else f"CAST(CAST({x} AS DECIMAL(19,2)) AS VARCHAR)"
        )
    if family in ("int", "dec"):
        return f"CAST({x} AS VARCHAR)"
    if family == "flt":
        real = source.name == "real"
        form = {1: "%.7e", 2: "%.15e", 3: "%.8e" if real else "%.16e"}.get(style or 0, "%.6g")
        return f"tds_exponent(printf('{form}', CAST({x} AS DOUBLE)))"
    if family in ("date", "time", "dt", "dto"):
        return moment_text(x, source, style, str(source.digits))
    if family == "guid":
        return x
    if source.name == "hierarchyid":
        return x
    if family == "udt":
        return f"split_part({x}, ';', 2)"
    if style == 1:
        return f"'0x' || hex({x})"
    if style == 2:
        return f"hex({x})"
    return f"tds_from_utf16({x})" if to.name in NATIONAL else f"tds_from_narrow({x})"


def _fit(text: str, source: SqlType, to: SqlType, assign: bool) -> str:
    size = to.length
    if to.name not in ("char", "varchar", "nchar", "nvarchar") or size in (None, MAX):
        return text
    known = (
        source.length if source.family == "str" and source.name in ("char", "varchar", "nchar", "nvarchar") else None
    )
    if known is None or known == MAX or known > size:
        if assign:
            text = (
                f"CASE WHEN length(rtrim({text}, ' ')) > {size} THEN error('{TRUNCATED}') ELSE left({text}, {size}) END"
            )
        elif source.family == "str" or to.length < 60:
            text = f"left({text}, {size})"
    if to.name == "nchar":
        # Filled up to so many UTF-16 units: a character beyond the first plane has two.
        beyond = f"length(regexp_replace({text}, '[^\\x{{10000}}-\\x{{10F7FF}}]', '', 'g'))"
        return f"rpad({text}, CAST({size} - {beyond} AS INTEGER), ' ')"
    return f"rpad({text}, {size}, ' ')" if to.name == "char" else text


# --- bytes --------------------------------------------------------------------------------------------------------


def _bytes(x: str, source: SqlType, style: int | None) -> str | None:
    family = source.family
    if family == "bin":
        return x
    if family == "str":
        if style in (1, 2):
            return f"unhex({f'substr({x}, 3)' if style == 1 else x})"
        return f"tds_utf16({x})" if source.name in NATIONAL or source.name == "xml" else f"tds_narrow({x})"
    if family == "int":
        width = {"bit": 2, "tinyint": 2, "smallint": 4, "int": 8, "bigint": 16}[source.name]
        return f"unhex(right(tds_hex8(CAST({x} AS BIGINT)), {width}))"
    if source.name in ("money", "smallmoney"):
        return f"unhex(right(tds_hex8(CAST({x} * 10000 AS BIGINT)), {16 if source.name == 'money' else 8}))"
    if family == "guid":
        return f"unhex(tds_swap(replace({x}, '-', '')))"
    if source.name == "hierarchyid":
        return f"tds_hierarchy({x})"
    if family == "udt":
        return f"tds_shape({x}, '{source.name}')"
    return None


def _fit_bytes(data: str | None, source: SqlType, to: SqlType, assign: bool) -> str | None:
    size = 8 if to.name == "timestamp" else to.length
    if data is None or to.name == "image" or size in (None, MAX):
        return data
    if source.family in ("int", "dec"):
        # Numbers keep their low bytes and are filled on the left.
        return (
            f"unhex(right(lpad(hex({data}), {2 * max(size, 8)}, '0'), {2 * size}))" if to.name != "varbinary" else data
        )
    if source.family == "bin" and source.length not in (None, MAX) and source.length <= size and to.name == "varbinary":
        return data
    if source.name == "timestamp" and to.name in ("timestamp", "binary", "varbinary") and size == 8:
        return data
    cut = f"left(hex({data}), {2 * size})"
    if assign:
        cut = f"CASE WHEN octet_length({data}) > {size} THEN error('{TRUNCATED}') ELSE hex({data}) END"
    return f"unhex(rpad({cut}, {2 * size}, '0'))" if to.name in ("binary", "timestamp") else f"unhex({cut})"


# --- numbers and moments ------------------------------------------------------------------------------------------


def _number(x: str, source: SqlType, to: SqlType) -> str | None:
    family = source.family
    if to.name == "bit":
        if family == "str":
            return (
                f"CASE lower(trim({x})) WHEN 'true' THEN true WHEN 'false' THEN false ELSE CAST({x} AS INTEGER) "
                "<> 0 END"
            )
        if family == "bin":
            return f"tds_long({x}) <> 0"
        return x if source.name == "bit" else f"({x} <> 0)" if family in ("int", "dec", "flt") else None
    if family == "bin":
        return f"CAST(tds_long({x}) AS {to.stored})" if to.family == "int" else None
    if family in ("dec", "flt") and to.family == "int":
        return f"CAST(trunc({x}) AS {to.stored})"
    if family == "str" and to.family in ("int", "flt"):
        return f"CAST(CASE WHEN trim({x}) = '' THEN '0' ELSE trim({x}) END AS {to.stored})"
    if family == "str" and to.name in ("money", "smallmoney"):
        return f"CAST(replace(ltrim(trim({x}), '$'), ',', '') AS {to.stored})"
    if family in ("int", "dec", "flt", "str"):
        return f"CAST({x} AS {to.stored})"
    if family == "dt" and to.family in ("flt", "int", "dec"):
        return f"CAST(({x} - 599266080000000000) / {TICKS_PER_DAY} AS {to.stored})"
    return None


def _moment(value: Bound, source: SqlType, to: SqlType) -> str | None:
    x, family = value.sql, source.family
    offset = "0"
    if family == "str":
        ticks = f"tds_parse({x})"
        offset = f"tds_zone({x})"
    elif family == "date":
        ticks = f"tds_midnight({x})"
    elif family == "time":
        if to.family == "date":
            return None
        ticks = x if to.family == "time" else f"({x} + 599266080000000000)"
    elif family == "dt":
        ticks = x
    elif family == "dto":
        if to.family == "dto":
            return f"CASE WHEN {x} IS NOT NULL THEN {{'t': tds_round({x}.t, {units(to.digits)}), 'o': {x}.o}} END"
        ticks = f"({x}.t + {x}.o * 600000000::BIGINT)"
    elif family in ("int", "dec", "flt") and to.name in ("datetime", "smalldatetime"):
        days = f"CAST({x} AS INTEGER)" if source.name == "bit" else x
        ticks = f"(CAST({days} * {TICKS_PER_DAY} AS BIGINT) + 599266080000000000)"
    elif family == "bin" and to.name == "datetime":
        ticks = f"(tds_long({x}[1:4]) * {TICKS_PER_DAY} + tds_long({x}[5:8]) * 100000 // 3 + 599266080000000000)"
    else:
        return None
    if to.family == "date":
        return f"tds_day({ticks})"
    if to.family == "time":
        inner = f"(({ticks}) % {TICKS_PER_DAY})"
        return (
            inner
            if source.digits <= to.digits and family != "str"
            else f"tds_round({inner}, {units(to.digits)}) % {TICKS_PER_DAY}"
        )
    if to.family == "dto":
        rounded = f"tds_round({ticks}, {units(to.digits)})"
        return (
            f"CASE WHEN {x} IS NOT NULL THEN {{'t': {rounded} - {offset} * 600000000::BIGINT, 'o': CAST({offset} "
            "AS SMALLINT)} END"
        )
    if to.name == "datetime":
        return ticks if source.name in ("datetime", "smalldatetime", "date") else f"tds_datetime({ticks})"
    if to.name == "smalldatetime":
        return f"tds_round({ticks}, 600000000)"
    exact = family in ("date", "time", "dt", "dto") and source.name != "datetime" and source.digits <= to.digits
    return ticks if exact else f"tds_round({ticks}, {units(to.digits)})"
