"""Who takes part in the suite, a file each. `ALL` is all of them."""

from tests.conformance.facts.contract import Facts, Held, Output
from tests.conformance.facts.duckdb import DUCKDB
from tests.conformance.facts.mysql import MYSQL
from tests.conformance.facts.postgres import POSTGRES
from tests.conformance.facts.snowflake import SNOWFLAKE
from tests.conformance.facts.sqlserver import SQLSERVER, other_engine
from tests.conformance.facts.values import (
    BYTES,
    COMMON,
    DAYS,
    FLOATS,
    INSTANTS,
    INT64,
    MOMENTS,
    NINES,
    NOT_NUMBERS,
    SHORT,
    SINGLES,
    TEXTS,
    TIMES,
)

ALL = (DUCKDB, MYSQL, POSTGRES, SNOWFLAKE, *SQLSERVER)
__all__ = [
    "ALL",
    "BYTES",
    "COMMON",
    "DAYS",
    "DUCKDB",
    "FLOATS",
    "INSTANTS",
    "INT64",
    "MOMENTS",
    "MYSQL",
    "NINES",
    "NOT_NUMBERS",
    "POSTGRES",
    "SHORT",
    "SINGLES",
    "SNOWFLAKE",
    "SQLSERVER",
    "TEXTS",
    "TIMES",
    "Facts",
    "Held",
    "Output",
    "other_engine",
]
