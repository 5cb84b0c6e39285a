"""Methods of hierarchyid, geography and geometry, as `column.Method()` and `type::Method()`.

Microsoft Learn, "hierarchyid data type method reference", "Spatial types - geometry (Transact-SQL)".
"""

from __future__ import annotations

from .convert import Bound
from .errors import SqlError, not_supported
from .sqltypes import INT, MAX, NMAX, SMALLINT, SqlType


def method(value: Bound, name: str) -> Bound:
    kind = value.type.name if value.type else ""
    lower = name.lower()
    if kind == "hierarchyid":
        if lower == "tostring":
            return Bound(value.sql, SqlType("nvarchar", 4000))
        if lower == "getlevel":
            return Bound(f"CAST(length({value.sql}) - length(replace({value.sql}, '/', '')) - 1 AS SMALLINT)", SMALLINT)
    if kind in ("geography", "geometry"):
        if lower in ("tostring", "stastext", "astextzm"):
            return Bound(f"split_part({value.sql}, ';', 2)", NMAX)
        if lower == "stsrid":
            return Bound(f"CAST(split_part({value.sql}, ';', 1) AS INTEGER)", INT)
        if lower in ("stasbinary", "asbinaryzm"):
            return Bound(f"tds_wkb({value.sql})", SqlType("varbinary", MAX))
        if lower == "stgeometrytype":
            return Bound(f"regexp_extract(split_part({value.sql}, ';', 2), '^[A-Za-z]+')", SqlType("nvarchar", 4000))
    if kind == "xml" and lower in ("value", "query", "exist"):
        not_supported("methods of xml")
    raise SqlError(6506, f"Could not find method '{name}' for type '{kind}'.")


def static_method(kind: str, name: str, bound: list[Bound]) -> Bound:
    lower = name.lower()
    type_ = SqlType(kind)
    if kind == "hierarchyid":
        return Bound("'/'" if lower == "getroot" else bound[0].sql, type_)
    if lower == "point":
        a, b = (f"printf('%g', CAST({v.sql} AS DOUBLE))" for v in bound[:2])
        x, y = (b, a) if kind == "geography" else (a, b)
        return Bound(f"(CAST({bound[2].sql} AS VARCHAR) || ';POINT (' || {x} || ' ' || {y} || ')')", type_)
    if lower == "parse":
        return Bound(f"('{4326 if kind == 'geography' else 0};' || {bound[0].sql})", type_)
    if lower.startswith("st") and lower.endswith("fromtext"):
        return Bound(f"(CAST({bound[1].sql} AS VARCHAR) || ';' || {bound[0].sql})", type_)
    raise SqlError(6506, f"Could not find method '{name}' for type '{kind}'.")
