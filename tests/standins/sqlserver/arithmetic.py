"""Comparison and arithmetic over bound values, with the types that SQL Server gives their results.

Microsoft Learn, "Data type precedence" and "Precision, scale, and length".
"""

from __future__ import annotations

from .convert import Bound, convert
from .sqltypes import BIT, FLOAT, INT, INTEGERS, MAX, SqlType, digits_of, higher

PREDICATE = SqlType("bit")


def compare(op: str, a: Bound, b: Bound) -> Bound:
    x, y = comparable(a, b, ordered=op not in ("=", "<>", "IS NOT DISTINCT FROM"))
    return Bound(f"({x} {op} {y})", PREDICATE)


def comparable(a: Bound, b: Bound, ordered: bool = False) -> tuple[str, str]:
    """Both sides in one stored form that compares as SQL Server compares them."""
    if a.type is None or b.type is None:
        return a.sql, b.sql
    fa, fb = a.type.family, b.type.family
    if fa == fb == "str":
        # Blanks at the end never count (ANSI/ISO SQL-92; Microsoft Learn, "SET ANSI_PADDING", "LEN").
        return f"rtrim({a.sql}, ' ')", f"rtrim({b.sql}, ' ')"
    if fa == fb and fa in ("flt", "dec", "dt", "bin", "date", "time"):
        return a.sql, b.sql
    if {fa, fb} <= {"int", "dec", "flt"}:
        return (
            tuple(f"CAST({v.sql} AS INTEGER)" if v.type == BIT else v.sql for v in (a, b))
            if a.type != b.type
            else (a.sql, b.sql)
        )  # type: ignore[return-value]
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


def arithmetic(op: str, a: Bound, b: Bound) -> Bound:
    ta, tb = a.type, b.type
    if op == "+" and (
        (is_family(ta, "str") and (is_family(tb, "str") or tb is None)) or (ta is None and is_family(tb, "str"))
    ):
        lengths = [t.length if t and t.length else MAX for t in (ta, tb)]
        wide = any(t and t.name.startswith("n") for t in (ta, tb))
        limit = 4000 if wide else 8000
        length = MAX if MAX in lengths else min(limit, sum(lengths))
        return Bound(f"({a.sql} || {b.sql})", SqlType("nvarchar" if wide else "varchar", length))
    if op == "+" and is_family(ta, "bin") and is_family(tb, "bin"):
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


def common(values: list[Bound]) -> tuple[list[str], SqlType | None]:
    """All as the type of highest precedence among them."""
    found: SqlType | None = None
    for value in values:
        if value.type is not None and value.sql != "NULL":
            found = value.type if found is None or found == value.type else higher(found, value.type)
    if found is None:
        return [v.sql for v in values], None
    return [convert(v, found).sql for v in values], found


def is_family(type_: SqlType | None, family: str) -> bool:
    return type_ is not None and type_.family == family


def _decimal_result(op: str, a: SqlType, b: SqlType) -> SqlType:
    """Precision and scale of arithmetic: Microsoft Learn, "Precision, scale, and length"."""
    if (a.name in ("money", "smallmoney") and b.name in ("money", "smallmoney", *INTEGERS)) or (
        b.name == "money" and a.family == "int"
    ):
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
