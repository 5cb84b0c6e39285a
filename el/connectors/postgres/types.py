"""PostgreSQL's types: how each is read so that nothing of it is lost, and where that cannot be had.

Ranges: PostgreSQL Documentation, "Data Types"; what the driver makes of each was looked at value by value. What it does
not hand over exactly is selected as text: a type's text holds all of its value, as pg_dump relies on. A type without a
row is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.connectors.postgres import xmin
from el.types.rule import (
    BOOLEAN,
    DAY,
    DECLARED_DECIMAL,
    FLOAT,
    POINT_IN_TIME,
    TIME_OF_DAY,
    WALL_CLOCK,
    TypeKind,
    TypeRule,
    Way,
    binary,
    decimal,
    integer,
    text,
)

_AS_TEXT = "CAST({column} AS text)"
_LONG = "Over 16 MB, a value exceeds Snowflake's default VARCHAR: its row is refused."
_INFINITY = "infinity, which becomes NULL"
_REFUSED = "Infinity stops its table; a cast to text carries it."
_FINITE = "CASE WHEN isfinite({column}) THEN {column} END"
# Types whose text is all there is of them, and that have no order here.
_ADDRESSES = ("inet", "cidr", "macaddr", "macaddr8")
_SHAPES = ("point", "line", "lseg", "box", "path", "polygon", "circle")
# The server has no = for these, or one that compares sizes.
WITHOUT_EQUALITY = frozenset({"json", "xml", "composite", "jsonpath", "aclitem", "refcursor", *_SHAPES})
_SEARCH = ("tsvector", "tsquery")
_SYSTEM = (
    *("xid", "xid8", "cid", "tid", "pg_lsn", "pg_snapshot", "txid_snapshot", "int2vector", "oidvector", "jsonpath"),
    *("regclass", "regproc", "regprocedure", "regoper", "regoperator", "regtype", "regrole", "regnamespace"),
    *("regconfig", "regdictionary", "regcollation", "aclitem", "refcursor"),
)
_EXTENSIONS = (
    *("hstore", "ltree", "lquery", "ltxtquery", "cube", "seg", "vector", "halfvec", "sparsevec"),
    *("geometry", "geography", "box2d", "box3d", "raster"),
    *("isbn", "isbn13", "issn", "issn13", "ismn", "ismn13", "ean13", "upc"),
)


def _digits(type_: SourceType) -> int:
    return 6 if type_.scale is None else type_.scale


def _long_decimal(type_: SourceType) -> bool:
    return type_.precision is None or type_.precision > 38 or type_.scale == 38


def _as_text(names: Sequence[str], why: str, **facts: object) -> TypeRule:
    return TypeRule(tuple(names), ", ".join(names), why, text(_AS_TEXT), **facts)  # type: ignore[arg-type]


def _finite(name: str, also: Sequence[str], why: str, way: Way, kind: TypeKind, *, scaled: bool = True) -> TypeRule:
    lossy = way.but(read_as=_FINITE, loses=_INFINITY)
    digits = _digits if scaled else None
    return TypeRule((name, *also), name, f"{why} {_REFUSED}", way, lossy, kind=kind, scale=digits)


RULES: tuple[TypeRule, ...] = (
    TypeRule(("boolean", "bool"), "boolean", "True or false.", BOOLEAN, kind=TypeKind.BOOL),
    TypeRule(
        ("smallint", "int2"), "smallint", "The same 16 bits.", integer(pa.int16(), "SMALLINT", 5), kind=TypeKind.WHOLE
    ),
    TypeRule(
        ("integer", "int", "int4"),
        "integer",
        "The same 32 bits.",
        integer(pa.int32(), "INTEGER", 10),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(("bigint", "int8"), "bigint", "The same 64 bits.", integer(pa.int64(), "BIGINT", 19), kind=TypeKind.WHOLE),
    TypeRule(
        (xmin.NAME,),
        "xmin",
        "The transaction that wrote a row, in 64 bits; not taken, for `strategy: rowversion`.",
        integer(pa.int64(), "BIGINT", 19).but(read_as=xmin.WHOLE),
        kind=TypeKind.VERSION,
    ),
    TypeRule(
        ("oid",),
        "oid",
        "32 bits without a sign.",
        integer(pa.int64(), "BIGINT", 10).but(read_as="CAST({column} AS bigint)"),
        kind=TypeKind.WHOLE,
    ),
    TypeRule(
        ("numeric", "decimal"),
        "numeric, numeric(39..1000,s), numeric(38,38)",
        "More digits than a target's number has, so all of them travel as text, with NaN and infinity.",
        text(_AS_TEXT),
        FLOAT.but(read_as="CAST({column} AS double precision)", loses="the digits behind the 15th"),
        applies=_long_decimal,
        kind=TypeKind.DECIMAL,
    ),
    TypeRule(
        ("numeric", "decimal"),
        "numeric(p,s)",
        "The declared digits, up to (38,37). NaN stops its table; a cast to text carries it.",
        DECLARED_DECIMAL.but(read_as=_AS_TEXT),
        DECLARED_DECIMAL.but(read_as="CAST(NULLIF({column}, 'NaN') AS text)", loses="NaN, which becomes NULL"),
        kind=TypeKind.DECIMAL,
    ),
    TypeRule(
        ("money",),
        "money",
        "As a number. Of a currency of three digits the table stops; a cast to numeric carries it.",
        decimal(19, 2, "CAST(CAST({column} AS numeric) AS text)"),
        kind=TypeKind.DECIMAL,
        precision=19,
        scale=2,
    ),
    TypeRule(
        ("real", "float4"),
        "real",
        "Every 32-bit float is a 64-bit float, so widening is exact. NaN and infinity too.",
        FLOAT,
        kind=TypeKind.FLOAT,
        single=True,
    ),
    TypeRule(
        ("double precision", "float8"),
        "double precision",
        "The same 64 bits, NaN and infinity too.",
        FLOAT,
        kind=TypeKind.FLOAT,
    ),
    _finite("date", (), "4713 BC to 5874897.", DAY, TypeKind.DATE, scaled=False),
    _finite("timestamp", (), "Six digits, 4713 BC to 294246.", WALL_CLOCK, TypeKind.MOMENT),
    _finite("timestamptz", (), "A point in time, read at UTC; no zone is kept.", POINT_IN_TIME, TypeKind.INSTANT),
    TypeRule(
        ("time",),
        "time",
        "Six digits. 24:00:00 stops its table; a cast to text carries it.",
        TIME_OF_DAY,
        TIME_OF_DAY.but(read_as="CASE WHEN {column} < '24:00' THEN {column} END", loses="24:00:00, which becomes NULL"),
        kind=TypeKind.TIME,
        scale=_digits,
    ),
    _as_text(("timetz",), "With its offset, which no target's time has.", kind=TypeKind.TIME, scale=_digits),
    _as_text(("interval",), "ISO 8601: months, days and seconds stay apart.", kind=TypeKind.DURATION),
    TypeRule(("text", "varchar", "name"), "text, varchar, name", _LONG, text(), kind=TypeKind.TEXT),
    _as_text(("citext",), f"Its letters as they are. {_LONG}", kind=TypeKind.TEXT),
    TypeRule(
        ("char", "bpchar", "character"),
        "char",
        "With the blanks that fill it up.",
        text(),
        trimmed=text(_AS_TEXT),
        kind=TypeKind.TEXT,
    ),
    _as_text(('"char"',), "One byte.", kind=TypeKind.TEXT, cursor="has no order here"),
    TypeRule(
        ("bytea",),
        "bytea",
        "The same bytes. Over 8 MB, a value exceeds Snowflake's default BINARY: its row is refused.",
        binary(),
        kind=TypeKind.BYTES,
    ),
    TypeRule(
        ("uuid",),
        "uuid",
        "Text of 36 characters, in small letters.",
        text(_AS_TEXT, target_duckdb="UUID"),
        kind=TypeKind.UUID,
    ),
    _as_text(("json",), "The text as it was stored.", kind=TypeKind.DOCUMENT),
    _as_text(("jsonb",), "All digits of its numbers; keys in PostgreSQL's own order.", kind=TypeKind.DOCUMENT),
    _as_text(("xml",), "The text as it was stored.", kind=TypeKind.DOCUMENT),
    _as_text(("bit", "varbit"), "Its bits as 0 and 1.", kind=TypeKind.BITS),
    _as_text(("enum",), "The label.", cursor="is one of a few labels, and does not grow"),
    TypeRule(
        ("array",),
        "arrays",
        "PostgreSQL's own text, {1,NULL,2}, with its dimensions and bounds.",
        text(_AS_TEXT),
        text("CAST(to_json({column}) AS text)", loses="bounds that do not begin at 1; it is JSON"),
    ),
    TypeRule(
        ("composite",),
        "composite types",
        "PostgreSQL's own text, (1,two).",
        text(_AS_TEXT),
        text("CAST(to_json({column}) AS text)", loses="nothing but its form: it is JSON"),
    ),
    _as_text(("range", "multirange"), "PostgreSQL's own text, [1,5)."),
    TypeRule(
        _ADDRESSES, ", ".join(_ADDRESSES), "As PostgreSQL writes it; inet with its netmask, /32 too.", text(_AS_TEXT)
    ),
    _as_text(_SHAPES, "With all digits."),
    _as_text(_SEARCH, "As PostgreSQL writes it."),
    _as_text(_SYSTEM, "As PostgreSQL writes it."),
    _as_text(_EXTENSIONS, "Types of extensions, as these write them; PostGIS its bytes in hex, SRID and all."),
)
