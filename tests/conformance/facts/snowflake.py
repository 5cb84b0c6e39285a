"""Snowflake, as the suite needs to know it: the real one that EL_TEST_SNOWFLAKE names, or the stand-in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from el.errors import AuthenticationFailed, DatabaseMissing, ServerUnreachable
from tests.conformance.facts.contract import Facts, Held
from tests.conformance.facts.values import BYTES, COMMON, FLOATS, INSTANTS, INT64, MOMENTS, NOT_NUMBERS, TEXTS, TIMES
from tests.engines import real_snowflake
from tests.standins.snowflake import SnowflakeStandIn


@contextmanager
def _snowflake() -> Any:
    real = real_snowflake()
    if real is not None:
        yield real
        return
    with SnowflakeStandIn() as standin:
        yield standin.dbt_output()


SNOWFLAKE = Facts(
    name="snowflake",
    scheme="snowflake",
    server=_snowflake,
    whole="NUMBER(18,0)",
    text="VARCHAR",
    held=(
        *COMMON,
        Held("BOOLEAN", pa.bool_(), (True, False)),
        Held("NUMBER(19,0)", pa.int64(), INT64),
        Held("FLOAT", pa.float64(), FLOATS + NOT_NUMBERS),
        Held("VARCHAR", pa.string(), TEXTS),
        Held("BINARY", pa.binary(), BYTES),
        Held("TIME(6)", pa.time64("us"), TIMES),
        Held("TIMESTAMP_NTZ(6)", pa.timestamp("us"), MOMENTS),
        Held("TIMESTAMP_TZ(6)", pa.timestamp("us", "UTC"), INSTANTS),
    ),
    ddl=(
        'CREATE TABLE "{schema}"."parent" ("b" NUMBER(18,0) NOT NULL, "a" VARCHAR NOT NULL, "u" NUMBER(9,0) NOT NULL '
        'UNIQUE, PRIMARY KEY ("b", "a"))',
        'CREATE TABLE "{schema}"."child" ("id" NUMBER(18,0) PRIMARY KEY, "pb" NUMBER(18,0), "pa" VARCHAR, '
        '"amount" NUMBER(12,2) NOT NULL DEFAULT 7, '
        'FOREIGN KEY ("pb", "pa") REFERENCES "{schema}"."parent" ("b", "a"))',
        "INSERT INTO \"{schema}\".\"parent\" VALUES (1, 'x', 1), (2, 'y', 2)",
        'COMMENT ON TABLE "{schema}"."child" IS \'of the child\'',
        'COMMENT ON COLUMN "{schema}"."child"."amount" IS \'in euros\'',
    ),
    refused=(
        ({"password": "Wr0ng-secret"}, AuthenticationFailed, "refused user"),
        ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers"),
        ({"database": "NOPE"}, DatabaseMissing, "'NOPE'"),
    ),
    gaps={}
    if real_snowflake()
    else {
        "test_a_name_is_written_read_filtered_merged_and_described[snowflake-single'quote]": (
            "the stand-in's server does not escape a single quote in a name"
        )
    },
    detached="a transaction whose session is gone holds its locks until Snowflake aborts it",
    never={
        "test_describe_finds_checks": "Snowflake has no check constraints",
        "test_describe_finds_computed_columns": "Snowflake's catalog does not tell a virtual column's expression",
    },
)
