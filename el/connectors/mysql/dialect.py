"""The SQL of MySQL and MariaDB, as `el.connectors.sql` asks a dialect for it."""

from __future__ import annotations

from el.connectors.request import Value
from el.connectors.sql.dialect import Dialect

WHOLE = ("tinyint", "smallint", "mediumint", "int", "bigint")
TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_ISO = "REPLACE(CAST({column} AS CHAR), ' ', 'T')"
# Applications write their own time by the server's zone; a zone by name is NULL where its tables are missing.
LOCAL_TIME = "COALESCE(CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', @@GLOBAL.time_zone), UTC_TIMESTAMP(6))"


def _parameter(value: Value) -> object:
    return value.text.removesuffix("Z") if value.type.name == "timestamp" else value.text


MYSQL = Dialect(
    name="mysql",
    text_type="CHAR",
    bind={
        **dict.fromkeys(WHOLE, "CAST(? AS SIGNED)"),
        **dict.fromkeys((*(f"{name} unsigned" for name in WHOLE), "year", "bit"), "CAST(? AS UNSIGNED)"),
        **dict.fromkeys(("float", "double"), "CAST(? AS DOUBLE)"),
        # With all digits: CAST would round to those of the column.
        **dict.fromkeys(("datetime", "timestamp"), "CAST(? AS DATETIME(6))"),
        "time": "CAST(? AS TIME(6))",
        **dict.fromkeys((*TEXTS, "enum", "set", "json", "uuid", "inet4", "inet6"), "?"),
        **dict.fromkeys(BYTES, "UNHEX(SUBSTR(?, 3))"),
    },
    text={
        "datetime": _ISO,
        "timestamp": f"CONCAT({_ISO}, 'Z')",
        **dict.fromkeys(("year", "bit"), "CAST({column} + 0 AS CHAR)"),
        "float": "CAST(CAST({column} AS DOUBLE) AS CHAR)",
        **dict.fromkeys(BYTES, "CONCAT('0x', HEX({column}))"),
    },
    masks={"sha256": "SHA2(CAST({column} AS CHAR), 256)", "null": "CAST(NULL AS CHAR)"},
    mask_as={
        "float": "CAST({column} AS DOUBLE)",
        "bit": "({column} + 0)",
        **dict.fromkeys(BYTES, "HEX({column})"),
        "geometry": None,
    },
    clock=(f"REPLACE(CAST(GREATEST(UTC_TIMESTAMP(6), {LOCAL_TIME}) + INTERVAL 5 MINUTE AS CHAR), ' ', 'T')"),
    parameter=_parameter,
)
