"""The SQL of PostgreSQL, as `el.connectors.sql` asks a dialect for it."""

from __future__ import annotations

from el.connectors.request import Value
from el.connectors.sql.dialect import Dialect

# The zone in which applications write their own time, whatever zone the session is set to.
_ZONE = "(SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone')"
_NOW = "clock_timestamp() AT TIME ZONE"
LATEST = f"GREATEST({_NOW} 'UTC', {_NOW} {_ZONE})"
EARLIEST = f"LEAST({_NOW} 'UTC', {_NOW} {_ZONE})"
SERVER_ZONE = _ZONE


def _iso(suffix: str) -> str:
    """With all six digits. What has no such form (infinity, a year before 1) stays as the server writes it."""
    shown = f"to_char({{column}}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US{suffix}')"
    return (
        "CASE WHEN {column} >= '0001-01-01 00:00:00' AND {column} < 'infinity' "
        f"THEN {shown} ELSE CAST({{column}} AS text) END"
    )


def iso(expression: str) -> str:
    """A time without zone as ISO 8601."""
    return _iso("").replace("{column}", expression)


def _parameter(value: Value) -> object:
    return value.text.removesuffix("Z") if value.type.name == "timestamptz" else value.text


# The literal takes the type of what it is compared with.
_AS_IT_IS = ("enum", "array", "range", "multirange", "composite")

POSTGRES = Dialect(
    name="postgres",
    text_type="text",
    bind={
        # Without the digits that are declared: a cast to fewer would round.
        "numeric": "CAST(? AS numeric)",
        "xmin": "CAST(? AS bigint)",
        "varchar": "CAST(? AS text)",
        "char": "CAST(? AS bpchar)",
        "time": "CAST(? AS time)",
        "timetz": "CAST(? AS timetz)",
        "timestamp": "CAST(? AS timestamp)",
        "timestamptz": "CAST(? AS timestamptz)",
        "money": "CAST(CAST(? AS numeric) AS money)",
        "bytea": "decode(substr(?, 3), 'hex')",
        **dict.fromkeys(_AS_IT_IS, "?"),
    },
    text={
        "timestamp": _iso(""),
        "timestamptz": _iso('"Z"'),
        "bytea": "'0x' || upper(encode({column}, 'hex'))",
        "money": "CAST(CAST({column} AS numeric) AS text)",
    },
    masks={
        "sha256": "encode(sha256(convert_to(CAST({column} AS text), 'UTF8')), 'hex')",
        "null": "CAST(NULL AS text)",
    },
    clock=iso(f"({LATEST} + interval '5 minutes')"),
    parameter=_parameter,
)
