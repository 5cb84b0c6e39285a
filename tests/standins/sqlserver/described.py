"""sys.dm_exec_describe_first_result_set: what a batch's first result would be, without running it.

Columns: Microsoft Learn, "sys.dm_exec_describe_first_result_set". A batch that cannot be described is
one row of its error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from .binder import Binder
from .catalog import COLLATION_NAME
from .convert import quote
from .errors import SqlError
from .scope import OutColumn, Scope
from .sqltypes import BIT, INT, SMALLINT, SYSNAME, SYSTEM_TYPES, TINYINT, SqlType

if TYPE_CHECKING:
    from .session import Session

COLUMNS = {
    "is_hidden": BIT,
    "column_ordinal": INT,
    "name": SYSNAME,
    "is_nullable": BIT,
    "system_type_id": INT,
    "system_type_name": SqlType("nvarchar", 256),
    "max_length": SMALLINT,
    "precision": TINYINT,
    "scale": TINYINT,
    "collation_name": SYSNAME,
    "user_type_id": INT,
    "user_type_database": SYSNAME,
    "user_type_schema": SYSNAME,
    "user_type_name": SYSNAME,
    "is_identity_column": BIT,
    "is_computed_column": BIT,
    "error_number": INT,
    "error_severity": INT,
    "error_state": INT,
    "error_message": SqlType("nvarchar", 4000),
    "error_type": INT,
    "error_type_desc": SqlType("nvarchar", 60),
}


def described(session: Session, binder: Binder, arg: exp.Expression, scope: Scope) -> tuple[str, list[OutColumn]]:
    bound = binder.value(arg, scope)
    text = session.run_sql(f"SELECT {bound.sql}", binder.used)[0][0]
    try:
        query, _ = session.bind(text.strip().rstrip(";"))
        rows = [_row(i, column) for i, column in enumerate(session.describe(query), 1)]
    except SqlError as error:
        rows = [
            {
                "is_hidden": False,
                "column_ordinal": 0,
                "is_nullable": False,
                "system_type_id": 0,
                "max_length": 0,
                "precision": 0,
                "scale": 0,
                "error_number": error.number,
                "error_severity": error.severity,
                "error_state": error.state,
                "error_message": error.message,
                "error_type": 2,
                "error_type_desc": "SYNTAX" if error.number == 102 else "MISC",
            }
        ]
    values = ", ".join("(" + ", ".join(_literal(row.get(n), t) for n, t in COLUMNS.items()) + ")" for row in rows)
    return f"(VALUES {values})", [OutColumn(n, t) for n, t in COLUMNS.items()]


def _row(ordinal: int, column: OutColumn) -> dict[str, object]:
    kind = column.type
    assert kind is not None
    return {
        "is_hidden": False,
        "column_ordinal": ordinal,
        "name": column.name or None,
        "is_nullable": column.nullable,
        "system_type_id": SYSTEM_TYPES[kind.name][0],
        "system_type_name": str(kind),
        "max_length": kind.max_length,
        "precision": kind.catalog_precision,
        "scale": kind.catalog_scale,
        "collation_name": COLLATION_NAME if kind.family == "str" and kind.name != "xml" else None,
        "is_identity_column": column.identity,
        "is_computed_column": column.computed,
    }


def _literal(value: object, kind: SqlType) -> str:
    text = "NULL" if value is None else quote(value) if isinstance(value, str) else str(value)
    return f"CAST({text} AS {kind.stored})"
