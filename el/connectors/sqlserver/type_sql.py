"""What SQL Server is asked for where a type's column untouched would lose something: SQL with "{column}".

Sources: Microsoft Learn, "CAST and CONVERT (Transact-SQL)", "DATEPART", "SQL_VARIANT_PROPERTY".
"""

from __future__ import annotations

UTF16 = "CAST(CAST({column} AS NVARCHAR(MAX)) AS VARBINARY(MAX))"
# The driver gives microseconds, cut off; DATEPART gives all digits that there are (Microsoft Learn, "DATEPART").
SEVENTH_DIGIT = "CAST(DATEPART(NANOSECOND, {column}) / 100 % 10 AS TINYINT)"

# What each base type is converted to before it becomes text, and the style of that: 3 of float gives 17 digits, "use
# for lossless conversion"; 121 all digits of a time; 1 of binary 0x and hex. Money's own text would have two digits.
_VARIANT_CONVERSIONS = {
    "float": ("FLOAT", ", 3"),
    "real": ("REAL", ", 3"),
    "money": ("DECIMAL(19,4)", ""),
    "smallmoney": ("DECIMAL(10,4)", ""),
    "date": ("DATE", ", 121"),
    "time": ("TIME(7)", ", 121"),
    "smalldatetime": ("SMALLDATETIME", ", 121"),
    "datetime": ("DATETIME", ", 121"),
    "datetime2": ("DATETIME2(7)", ", 121"),
    "datetimeoffset": ("DATETIMEOFFSET(7)", ", 121"),
    "binary": ("VARBINARY(8000)", ", 1"),
    "varbinary": ("VARBINARY(8000)", ", 1"),
}


def variant() -> str:
    """Base type, colon, value; NULL stays NULL, since + with NULL is NULL.

    The value is first converted to its own base type: what a style does to sql_variant itself is not documented.
    """
    base = "CAST(SQL_VARIANT_PROPERTY({column}, 'BaseType') AS NVARCHAR(128))"
    cases = " ".join(
        f"WHEN '{name}' THEN CONVERT(NVARCHAR(MAX), CONVERT({type_}, {{column}}){style})"
        for name, (type_, style) in _VARIANT_CONVERSIONS.items()
    )
    return f"{base} + N':' + CASE {base} {cases} ELSE CONVERT(NVARCHAR(MAX), {{column}}) END"


WELL_KNOWN_TEXT = "N'SRID=' + CAST({column}.STSrid AS NVARCHAR(10)) + N';' + {column}.ToString()"
