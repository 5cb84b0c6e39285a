"""The SQL of SQL Server, as `el.connectors.sql` asks a dialect for it."""

from __future__ import annotations

from el.connectors.request import Value
from el.connectors.sql.dialect import Dialect

_BINARY = ("rowversion", "binary", "varbinary")
_TEMPORAL = ("date", "time", "datetime", "smalldatetime", "datetime2")


def _parameter(value: Value) -> object:
    return bytes.fromhex(value.text.removeprefix("0x")) if value.type.name in _BINARY else value.text


TSQL = Dialect(
    name="tsql",
    bare_statements=True,
    national_text=True,
    text_type="NVARCHAR(4000)",
    length_without_blanks=True,  # Microsoft Learn, "LEN"
    bind={
        "rowversion": "CAST(? AS BINARY(8))",
        # Text in a code page is that of its column: CAST alone takes the database's, and writes "?" for what it lacks.
        **dict.fromkeys(("char", "varchar"), "CAST(CAST(? AS NVARCHAR(MAX)){collate} AS {type})"),
        # The newer types take ISO 8601 whatever the login's language (Microsoft Learn, "datetime2").
        "datetime": "CAST(CAST(? AS DATETIME2(3)) AS DATETIME)",
        "smalldatetime": "CAST(CAST(? AS DATETIME2(0)) AS SMALLDATETIME)",
    },
    text={
        **dict.fromkeys(_TEMPORAL, "CONVERT(VARCHAR(40), {column}, 126)"),
        "datetimeoffset": "CONVERT(VARCHAR(40), {column}, 127)",
        "float": "CONVERT(VARCHAR(40), {column}, 3)",
        "real": "CONVERT(VARCHAR(40), {column}, 3)",
        "money": "CONVERT(VARCHAR(40), {column}, 2)",
        "smallmoney": "CONVERT(VARCHAR(40), {column}, 2)",
        # Binary comes and goes as bytes: `canonical` and `_parameter` turn them into text and back.
        **dict.fromkeys(_BINARY, "{column}"),
    },
    maximum={
        "rowversion": "CAST({column} AS BINARY(8))",
        "bit": "CAST({column} AS TINYINT)",
    },
    clock=(
        "CONVERT(VARCHAR(27), DATEADD(MINUTE, 5, CASE WHEN SYSDATETIME() > SYSUTCDATETIME() "
        "THEN SYSDATETIME() ELSE SYSUTCDATETIME() END), 126)"
    ),
    parameter=_parameter,
    masks={
        "sha256": "LOWER(CONVERT(VARCHAR(64), HASHBYTES('SHA2_256', CAST({column} AS NVARCHAR(MAX))), 2))",
        "null": "CAST(NULL AS VARCHAR(64))",
    },
    # CAST writes six digits of a float, two of money, minutes of a datetime (Microsoft Learn, "CAST and CONVERT").
    mask_as={
        "float": "CONVERT(VARCHAR(40), {column}, 3)",
        "real": "CONVERT(VARCHAR(40), {column}, 3)",
        "money": "CONVERT(VARCHAR(40), {column}, 2)",
        "smallmoney": "CONVERT(VARCHAR(40), {column}, 2)",
        "datetime": "CONVERT(VARCHAR(40), {column}, 126)",
        **dict.fromkeys(_BINARY, "CONVERT(VARCHAR(MAX), CAST({column} AS VARBINARY(MAX)), 2)"),
        **dict.fromkeys(("sql_variant", "image", "geography", "geometry", "vector"), None),
    },
)
