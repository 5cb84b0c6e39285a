"""What is DuckDB's own in the SQL that el reads with."""

from __future__ import annotations

from el.connectors.sql.dialect import Dialect

DUCKDB = Dialect(
    name="duckdb",
    clock=(
        "strftime(greatest(CAST(now() AS TIMESTAMP), now() AT TIME ZONE 'UTC') + INTERVAL 5 MINUTE, "
        "'%Y-%m-%dT%H:%M:%S.%f')"
    ),
    masks={"sha256": "sha256(CAST({column} AS VARCHAR))", "null": "CAST(NULL AS VARCHAR)"},
    bind={"varchar": "?", "blob": "unhex(substr(?, 3))"},
    text={
        "timestamp": "strftime({column}, '%Y-%m-%dT%H:%M:%S.%f')",
        # Over TIMESTAMP: strftime would count them in nanoseconds, which reach to the year 2262 alone.
        "timestamp_s": "strftime(CAST({column} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S')",
        "timestamp_ms": "strftime(CAST({column} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f')",
        "timestamp_ns": "strftime({column}, '%Y-%m-%dT%H:%M:%S.%n')",
        "timestamp with time zone": "strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')",
        "blob": "'0x' || hex({column})",
    },
)
