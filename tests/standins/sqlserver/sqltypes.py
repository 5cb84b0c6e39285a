"""SQL Server's data types: their names, sizes and precedence, and what DuckDB stores for each without loss.

DuckDB has microseconds and no offset, so every point in time is a count of 100 ns ticks since 0001-01-01 and
datetimeoffset is a pair of UTC ticks and minutes. Sizes, ids and precedence: Microsoft Learn, "Data types
(Transact-SQL)", "Data type precedence", "sys.types".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX = -1
TICKS_PER_DAY = 864_000_000_000

# name: (system_type_id, user_type_id, max_length, precision, scale)
SYSTEM_TYPES: dict[str, tuple[int, int, int, int, int]] = {
    "image": (34, 34, 16, 0, 0),
    "text": (35, 35, 16, 0, 0),
    "uniqueidentifier": (36, 36, 16, 0, 0),
    "date": (40, 40, 3, 10, 0),
    "time": (41, 41, 5, 16, 7),
    "datetime2": (42, 42, 8, 27, 7),
    "datetimeoffset": (43, 43, 10, 34, 7),
    "tinyint": (48, 48, 1, 3, 0),
    "smallint": (52, 52, 2, 5, 0),
    "int": (56, 56, 4, 10, 0),
    "smalldatetime": (58, 58, 4, 16, 0),
    "real": (59, 59, 4, 24, 0),
    "money": (60, 60, 8, 19, 4),
    "datetime": (61, 61, 8, 23, 3),
    "float": (62, 62, 8, 53, 0),
    "sql_variant": (98, 98, 8016, 0, 0),
    "ntext": (99, 99, 16, 0, 0),
    "bit": (104, 104, 1, 1, 0),
    "decimal": (106, 106, 17, 38, 38),
    "numeric": (108, 108, 17, 38, 38),
    "smallmoney": (122, 122, 4, 10, 4),
    "bigint": (127, 127, 8, 19, 0),
    "hierarchyid": (240, 128, 892, 0, 0),
    "geometry": (240, 129, -1, 0, 0),
    "geography": (240, 130, -1, 0, 0),
    "varbinary": (165, 165, 8000, 0, 0),
    "varchar": (167, 167, 8000, 0, 0),
    "binary": (173, 173, 8000, 0, 0),
    "char": (175, 175, 8000, 0, 0),
    "timestamp": (189, 189, 8, 0, 0),
    "nvarchar": (231, 231, 8000, 0, 0),
    "nchar": (239, 239, 8000, 0, 0),
    "xml": (241, 241, -1, 0, 0),
    "sysname": (231, 256, 256, 0, 0),
}

ALIASES = {
    "integer": "int",
    "dec": "decimal",
    "rowversion": "timestamp",
    "character": "char",
    "double": "float",
    "double precision": "float",
    "national character varying": "nvarchar",
}

# Highest first; a comparison converts the lower to the higher.
PRECEDENCE = [
    "hierarchyid",
    "geography",
    "geometry",
    "sql_variant",
    "xml",
    "datetimeoffset",
    "datetime2",
    "datetime",
    "smalldatetime",
    "date",
    "time",
    "float",
    "real",
    "decimal",
    "numeric",
    "money",
    "smallmoney",
    "bigint",
    "int",
    "smallint",
    "tinyint",
    "bit",
    "ntext",
    "text",
    "image",
    "timestamp",
    "uniqueidentifier",
    "nvarchar",
    "nchar",
    "varchar",
    "char",
    "varbinary",
    "binary",
]

STRINGS = frozenset({"char", "varchar", "text", "nchar", "nvarchar", "ntext"})
NATIONAL = frozenset({"nchar", "nvarchar", "ntext"})
BINARIES = frozenset({"binary", "varbinary", "image", "timestamp"})
INTEGERS = ("bit", "tinyint", "smallint", "int", "bigint")
DATETIMES = frozenset({"datetime", "smalldatetime", "datetime2"})
UDTS = frozenset({"hierarchyid", "geography", "geometry"})
SIZED = frozenset({"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"})

STORED_AS = {
    "bit": "BOOLEAN",
    "tinyint": "UTINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "money": "DECIMAL(19,4)",
    "smallmoney": "DECIMAL(10,4)",
    "float": "DOUBLE",
    "real": "FLOAT",
    "date": "DATE",
    "time": "BIGINT",
    "datetimeoffset": "STRUCT(t BIGINT, o SMALLINT)",
    "sql_variant": "STRUCT(b VARCHAR, v VARCHAR)",
}


@dataclass(frozen=True)
class SqlType:
    """A declared type. `length` counts characters or bytes, MAX for (max); `scale` also counts fractional digits."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    @property
    def family(self) -> str:
        name = self.name
        if name in STRINGS or name == "xml":
            return "str"
        if name in BINARIES:
            return "bin"
        if name in INTEGERS:
            return "int"
        if name in ("decimal", "numeric", "money", "smallmoney"):
            return "dec"
        if name in ("float", "real"):
            return "flt"
        if name in DATETIMES:
            return "dt"
        if name in UDTS:
            return "udt"
        return {"datetimeoffset": "dto", "uniqueidentifier": "guid", "sql_variant": "var"}.get(name, name)

    @property
    def stored(self) -> str:
        """The DuckDB type that holds it."""
        if self.name in ("decimal", "numeric"):
            return f"DECIMAL({self.precision},{self.scale})"
        if self.family == "dt":
            return "BIGINT"
        return STORED_AS.get(self.name) or ("BLOB" if self.family == "bin" else "VARCHAR")

    @property
    def digits(self) -> int:
        """Fractional digits of a second."""
        if self.name in ("time", "datetime2", "datetimeoffset"):
            return 7 if self.scale is None else self.scale
        return 3 if self.name == "datetime" else 0

    @property
    def long(self) -> bool:
        return self.length == MAX or self.name in ("xml", "text", "ntext", "image") or self.name in UDTS

    @property
    def max_length(self) -> int:
        """sys.columns.max_length: bytes on the row."""
        if self.name in SIZED and self.length is not None:
            return self.length * 2 if self.length > 0 and self.name in NATIONAL else self.length
        if self.name in ("decimal", "numeric"):
            return decimal_bytes(self.precision or 18)
        if self.name == "time":
            return time_bytes(self.digits)
        if self.name == "datetime2":
            return time_bytes(self.digits) + 3
        if self.name == "datetimeoffset":
            return time_bytes(self.digits) + 5
        return SYSTEM_TYPES[self.name][2]

    @property
    def catalog_precision(self) -> int:
        if self.name in ("decimal", "numeric"):
            return self.precision or 18
        whole = {"time": 8, "datetime2": 19, "datetimeoffset": 26}.get(self.name)
        if whole:
            return whole + (self.digits + 1 if self.digits else 0)
        return SYSTEM_TYPES[self.name][3]

    @property
    def catalog_scale(self) -> int:
        if self.name in ("decimal", "numeric"):
            return self.scale or 0
        return (
            self.digits
            if self.digits
            else SYSTEM_TYPES[self.name][4]
            if self.name != "datetimeoffset" and self.name not in ("time", "datetime2")
            else 0
        )

    def __str__(self) -> str:
        if self.name in SIZED:
            return f"{self.name}({'max' if self.length == MAX else self.length})"
        if self.name in ("decimal", "numeric"):
            return f"{self.name}({self.precision},{self.scale})"
        if self.name in ("time", "datetime2", "datetimeoffset"):
            return f"{self.name}({self.digits})"
        return self.name


def decimal_bytes(precision: int) -> int:
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def time_bytes(digits: int) -> int:
    return 3 if digits <= 2 else 4 if digits <= 4 else 5


def parse_type(text: str, in_cast: bool = False) -> SqlType:
    """The type that a declaration such as `decimal(10, 2)` or `[nvarchar] (max)` means. CAST's char is char(30)."""
    found = re.fullmatch(r"\s*(?:\[?sys\]?\.)?[\[\"]?([A-Za-z_0-9 ]+?)[\]\"]?\s*(?:\(([^)]*)\))?\s*", text)
    if not found:
        raise ValueError(text)
    name = found[1].strip().lower()
    name = ALIASES.get(name, name)
    args = [a.strip().lower() for a in found[2].split(",")] if found[2] else []
    if name == "sysname":
        return SqlType("nvarchar", 128)
    if name not in SYSTEM_TYPES:
        raise ValueError(name)
    if name in SIZED:
        length = (30 if in_cast else 1) if not args else MAX if args[0] == "max" else int(args[0])
        return SqlType(name, length)
    if name in ("decimal", "numeric"):
        return SqlType(name, None, int(args[0]) if args else 18, int(args[1]) if len(args) > 1 else 0)
    if name in ("time", "datetime2", "datetimeoffset"):
        return SqlType(name, None, None, int(args[0]) if args else 7)
    if name == "float" and args and int(args[0]) <= 24:
        return SqlType("real")
    return SqlType(name)


BIT, TINYINT, SMALLINT, INT, BIGINT = (SqlType(n) for n in INTEGERS)
FLOAT, REAL, MONEY, DATE = SqlType("float"), SqlType("real"), SqlType("money"), SqlType("date")
DATETIME, GUID, VARIANT = SqlType("datetime"), SqlType("uniqueidentifier"), SqlType("sql_variant")
SYSNAME = SqlType("nvarchar", 128)
NMAX, VMAX, BMAX = SqlType("nvarchar", MAX), SqlType("varchar", MAX), SqlType("varbinary", MAX)


def higher(a: SqlType, b: SqlType) -> SqlType:
    """The type both operands of an operator are converted to, wide enough for either."""
    first, second = sorted((a, b), key=lambda t: PRECEDENCE.index(t.name))
    if first.family == second.family and first.family in ("str", "bin") and first.name != "timestamp":
        lengths = (first.length or MAX, second.length or MAX)
        name = ("n" if "nvarchar" in (first.name, second.name) or first.name in NATIONAL else "") + "varchar"
        if first.family == "bin":
            name = "varbinary"
        return SqlType(name, MAX if MAX in lengths else max(lengths))
    if {first.family, second.family} <= {"dec", "int"} and first.name in ("decimal", "numeric"):
        p2, s2 = digits_of(second)
        scale = max(first.scale or 0, s2)
        whole = max((first.precision or 18) - (first.scale or 0), p2 - s2)
        return SqlType(first.name, None, min(38, whole + scale), scale if whole + scale <= 38 else max(0, 38 - whole))
    if first.name in ("time", "datetime2", "datetimeoffset") and second.digits > first.digits:
        return SqlType(first.name, None, None, second.digits if second.name != "datetime" else 7)
    return first


def digits_of(type_: SqlType) -> tuple[int, int]:
    """Precision and scale of a number as decimal."""
    if type_.name in ("decimal", "numeric"):
        return type_.precision or 18, type_.scale or 0
    known = {"bit": (1, 0), "tinyint": (3, 0), "smallint": (5, 0), "int": (10, 0), "bigint": (19, 0), "money": (19, 4)}
    return known.get(type_.name, (10, 4))
