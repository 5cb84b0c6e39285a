"""What ODBC drivers ask a server about types before they send parameters.

The columns are those that Microsoft Learn gives for "sp_datatype_info" and "sp_describe_undeclared_parameters".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from . import lookup
from .errors import SqlError
from .scan import Scanner
from .sqltypes import BIT, INT, SMALLINT, STRINGS, SYSNAME, SYSTEM_TYPES, TINYINT, SqlType, parse_type
from .wire import COLLATION, Column, arrow_type, type_info

if TYPE_CHECKING:
    from .session import Session

# name: (ODBC's type code, size, prefix, create parameters, searchable, least and greatest scale, subcode)
_TYPES: dict[str, tuple[int, int, str | None, str | None, int, int | None, int | None, int | None]] = {
    "datetimeoffset": (-155, 34, "'", "scale", 3, 0, 7, 0),
    "time": (-154, 16, "'", "scale", 3, 0, 7, 0),
    "xml": (-152, 0, "N'", None, 0, None, None, None),
    "sql_variant": (-150, 8000, None, None, 2, 0, 0, None),
    "uniqueidentifier": (-11, 36, "'", None, 2, None, None, None),
    "ntext": (-10, 1073741823, "N'", None, 1, None, None, None),
    "nvarchar": (-9, 4000, "N'", "max length", 3, None, None, None),
    "nchar": (-8, 4000, "N'", "length", 3, None, None, None),
    "bit": (-7, 1, None, None, 2, 0, 0, None),
    "tinyint": (-6, 3, None, None, 2, 0, 0, None),
    "bigint": (-5, 19, None, None, 2, 0, 0, None),
    "image": (-4, 2147483647, "0x", None, 0, None, None, None),
    "varbinary": (-3, 8000, "0x", "max length", 2, None, None, None),
    "binary": (-2, 8000, "0x", "length", 2, None, None, None),
    "timestamp": (-2, 8, "0x", None, 2, None, None, None),
    "text": (-1, 2147483647, "'", None, 1, None, None, None),
    "char": (1, 8000, "'", "length", 3, None, None, None),
    "numeric": (2, 38, None, "precision,scale", 2, 0, 38, None),
    "decimal": (3, 38, None, "precision,scale", 2, 0, 38, None),
    "money": (3, 19, "$", None, 2, 4, 4, None),
    "smallmoney": (3, 10, "$", None, 2, 4, 4, None),
    "int": (4, 10, None, None, 2, 0, 0, None),
    "smallint": (5, 5, None, None, 2, 0, 0, None),
    "float": (6, 53, None, None, 2, None, None, None),
    "real": (7, 24, None, None, 2, None, None, None),
    "varchar": (12, 8000, "'", "max length", 3, None, None, None),
    "date": (91, 10, "'", None, 3, None, 0, 1),
    "datetime2": (93, 27, "'", "scale", 3, 0, 7, 3),
    "datetime": (93, 23, "'", None, 3, 3, 3, 3),
    "smalldatetime": (93, 16, "'", None, 3, 0, 0, 3),
}
_INFO: list[tuple[str, SqlType]] = [
    ("TYPE_NAME", SYSNAME),
    ("DATA_TYPE", SMALLINT),
    ("PRECISION", INT),
    ("LITERAL_PREFIX", SqlType("varchar", 32)),
    ("LITERAL_SUFFIX", SqlType("varchar", 32)),
    ("CREATE_PARAMS", SqlType("varchar", 32)),
    ("NULLABLE", SMALLINT),
    ("CASE_SENSITIVE", SMALLINT),
    ("SEARCHABLE", SMALLINT),
    ("UNSIGNED_ATTRIBUTE", SMALLINT),
    ("MONEY", SMALLINT),
    ("AUTO_INCREMENT", SMALLINT),
    ("LOCAL_TYPE_NAME", SYSNAME),
    ("MINIMUM_SCALE", SMALLINT),
    ("MAXIMUM_SCALE", SMALLINT),
    ("SQL_DATA_TYPE", SMALLINT),
    ("SQL_DATETIME_SUB", SMALLINT),
    ("NUM_PREC_RADIX", INT),
    ("INTERVAL_PRECISION", SMALLINT),
    ("USERTYPE", SMALLINT),
]
_UNDECLARED: list[tuple[str, SqlType]] = [
    ("parameter_ordinal", INT),
    ("name", SYSNAME),
    ("suggested_system_type_id", INT),
    ("suggested_system_type_name", SqlType("nvarchar", 256)),
    ("suggested_max_length", SMALLINT),
    ("suggested_precision", TINYINT),
    ("suggested_scale", TINYINT),
    ("suggested_user_type_id", INT),
    ("suggested_user_type_database", SYSNAME),
    ("suggested_user_type_schema", SYSNAME),
    ("suggested_user_type_name", SYSNAME),
    ("suggested_assembly_qualified_type_name", SqlType("nvarchar", 4000)),
    ("suggested_xml_collection_id", INT),
    ("suggested_xml_collection_database", SYSNAME),
    ("suggested_xml_collection_schema", SYSNAME),
    ("suggested_xml_collection_name", SYSNAME),
    ("suggested_is_xml_document", BIT),
    ("suggested_is_case_sensitive", BIT),
    ("suggested_is_fixed_length_clr_type", BIT),
    ("suggested_is_input", BIT),
    ("suggested_is_output", BIT),
    ("formal_parameter_name", SYSNAME),
    ("suggested_tds_type_id", INT),
    ("suggested_tds_length", INT),
]
COLLATION_NAME = "Latin1_General_BIN2"
Procedure = Callable[["Session", list[Any], dict[str, Any]], None]


def _answer(session: Session, columns: list[tuple[str, SqlType]], rows: list[tuple[Any, ...]]) -> None:
    names = [name for name, _ in columns]
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(cells, arrow_type(kind)) for cells, (_, kind) in zip(values, columns, strict=True)]
    reader = pa.Table.from_arrays(arrays, names=names).to_reader()
    session.out.done("SELECT", session.out.rows([Column(name, kind) for name, kind in columns], reader))


def datatype_info(session: Session, args: list[Any], named: dict[str, Any]) -> None:
    """sp_datatype_info: the types that have this ODBC code, all of them for 0."""
    code = int(args[0] if args else named.get("data_type") or 0)
    rows = []
    for name, (number, size, prefix, create, searchable, low, high, subcode) in _TYPES.items():
        if code not in (0, number):
            continue
        is_text = "char" in name or "text" in name or name == "xml"
        suffix = "'" if prefix in ("'", "N'") else None
        verbose = 9 if number in (91, 93) else number
        whole = name in ("tinyint", "smallint", "int", "bigint", "numeric", "decimal", "money", "smallmoney")
        radix = 2 if name in ("float", "real") else 10 if whole else None
        unsigned = int(name == "tinyint") if whole else None
        head = (name, number, size, prefix, suffix, create, int(name != "timestamp"), int(is_text), searchable)
        tail = (low, high, verbose, subcode, radix, None, 80 if name == "timestamp" else 0)
        rows.append((*head, unsigned, int("money" in name), 0 if whole else None, name, *tail))
    _answer(session, _INFO, rows)


def describe_undeclared_parameters(session: Session, args: list[Any], named: dict[str, Any]) -> None:
    """sp_describe_undeclared_parameters for what can be told from the text: INSERT ... VALUES and CAST; else 11521."""
    sql = str(args[0] if args else named["tsql"])
    scanner = Scanner(sql)
    found = _of_insert(session, scanner) or _of_casts(sql)
    wanted = [t.text for t in Scanner(sql).tokens if t.kind == "variable" and not t.text.startswith("@@")]
    rows = []
    for ordinal, name in enumerate(dict.fromkeys(wanted), 1):
        kind = found.get(name)
        if kind is None:
            text = f"The parameter type cannot be deduced because no expression references the parameter '{name}'."
            raise SqlError(11521, text)
        precision, scale = kind.catalog_precision, kind.catalog_scale
        system = SYSTEM_TYPES[kind.name][0]
        rows.append(
            (ordinal, name, system, str(kind), kind.max_length, precision, scale)
            + (None,) * 9
            + (False, False, False, True, False, None, type_info(kind)[0], kind.max_length)
        )
    _answer(session, _UNDECLARED, rows)


def _of_insert(session: Session, scanner: Scanner) -> dict[str, SqlType]:
    if not scanner.accept("INSERT"):
        return {}
    scanner.accept("INTO")
    table = lookup.table(session, scanner.names())
    columns = {c.name.lower(): c.type for c in table.columns}
    names = [c.name for c in table.columns if c.computed is None and c.type.name != "timestamp"]
    if scanner.sees("("):
        inner = Scanner(scanner.parenthesised())
        names = [Scanner(text).name() for text in inner.list_of()]
    if not scanner.accept("VALUES"):
        return {}
    found: dict[str, SqlType] = {}
    while scanner.sees("("):
        for name, value in zip(names, Scanner(scanner.parenthesised()).list_of(), strict=False):
            if value.startswith("@") and name.lower() in columns:
                found[value] = columns[name.lower()]
        scanner.accept(",")
    return found


def _of_casts(sql: str) -> dict[str, SqlType]:
    scanner = Scanner(sql)
    found: dict[str, SqlType] = {}
    while not scanner.done:
        if scanner.accept("CAST", "(") and scanner.peek().kind == "variable":
            name = scanner.next().text
            if scanner.accept("AS"):
                found[name] = parse_type(scanner.until(")"), in_cast=True)
        else:
            scanner.next()
    return found


def table_collations(session: Session, args: list[Any], named: dict[str, Any]) -> None:
    """sp_tablecollations_100, which bulk loaders ask: a row for each column, with a collation where it is text."""
    table = lookup.table(session, Scanner(str(args[0] if args else named["object"])).names())
    rows = []
    for column in table.columns:
        is_text = column.type.name in STRINGS
        rows.append(
            (column.column_id, column.name, COLLATION if is_text else None, COLLATION_NAME if is_text else None)
        )
    columns = [("colid", INT), ("name", SYSNAME), ("tds_collation", SqlType("binary", 5)), ("collation", SYSNAME)]
    _answer(session, columns, rows)


PROCEDURES: dict[str, Procedure] = {
    "sp_tablecollations_100": table_collations,
    "sp_datatype_info": datatype_info,
    "sp_datatype_info_90": datatype_info,
    "sp_datatype_info_100": datatype_info,
    "sp_describe_undeclared_parameters": describe_undeclared_parameters,
}
