"""A Snowflake on loopback: fakesnow's server over DuckDB, with what it lacks put right.

Not a Snowflake. It answers the statements that `el`, dlt's Snowflake destination and dbt-snowflake send,
through the real connector, and refuses every other statement at once, with its text. `LIMITS` in
`rewrites.py` and `engine.py` say where it differs.

    with SnowflakeStandIn() as sf:
        snowflake.connector.connect(**sf.connection_parameters())

or by hand: `python -m tests.standins.snowflake --port 8085`.
"""

from .standin import Query, SnowflakeStandIn

__all__ = ["Query", "SnowflakeStandIn"]
