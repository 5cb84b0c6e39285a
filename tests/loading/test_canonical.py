"""A row's number is the same in each warehouse, and another one where any value is another."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.loading.canonical import DUCKDB, SNOWFLAKE
from tests.standins.snowflake import SnowflakeStandIn

# Of each type a column in Snowflake's words, values as literals there, and the same from Arrow.
VALUES = {
    "NUMBER(19,0)": (["-9223372036854775808", "0", "7"], pa.array([-(2**63), 0, 7], pa.int64())),
    "NUMBER(38,4)": (
        ["-0.5", "0", "1234567890123456789012345678901234.5678"],
        pa.array(
            [Decimal("-0.5"), Decimal(0), Decimal("1234567890123456789012345678901234.5678")], pa.decimal128(38, 4)
        ),
    ),
    "BOOLEAN": (["TRUE", "FALSE", "TRUE"], pa.array([True, False, True])),
    "VARCHAR": (["''", "'Ω 😀 '", "'a|b'"], pa.array(["", "Ω 😀 ", "a|b"])),
    "BINARY": (["TO_BINARY('', 'HEX')", "TO_BINARY('00FF', 'HEX')"], pa.array([b"", b"\x00\xff"])),
    "DATE": (["'0001-01-01'", "'9999-12-31'"], pa.array([date(1, 1, 1), date(9999, 12, 31)])),
    "TIME(6)": (["'00:00:00'", "'23:59:59.999999'"], pa.array([time(0), time(23, 59, 59, 999999)])),
    "TIMESTAMP_NTZ(6)": (
        ["'0001-01-01 00:00:00'", "'2024-02-29 12:00:00.000001'"],
        pa.array([datetime(1, 1, 1), datetime(2024, 2, 29, 12, 0, 0, 1)], pa.timestamp("us")),
    ),
    "TIMESTAMP_TZ(6)": (
        ["'2024-02-29 12:00:00.5 +02:00'"],
        pa.array([datetime(2024, 2, 29, 10, 0, 0, 500000, UTC)], pa.timestamp("us", "UTC")),
    ),
}


def test_the_number_of_a_text_is_that_of_snowflakes_documentation() -> None:
    number = DUCKDB.number.replace("{text}", "'Snowflake'")
    assert duckdb.sql(f"SELECT {number}").fetchall() == [(9203306159527282910,)]


@pytest.fixture(scope="module")
def snowflake() -> SqlConnector:  # type: ignore[misc]
    with SnowflakeStandIn() as standin:
        connector = open_connector(standin.dbt_output())
        assert isinstance(connector, SqlConnector)
        with connector:
            yield connector


@pytest.mark.parametrize("type_", VALUES)
def test_snowflake_and_duckdb_give_a_value_the_same_number(snowflake: SqlConnector, type_: str) -> None:
    literals, values = VALUES[type_]
    number = SNOWFLAKE.row(["v", "n"], [values.type, pa.string()])
    found = [
        snowflake.fetch(
            Statement(f"SELECT TO_VARCHAR(SUM({number})) FROM (SELECT {text}::{type_} AS v, NULL::VARCHAR AS n) AS t")
        )[0][0]
        for text in literals
    ]
    landed = pa.table({"v": values, "n": pa.nulls(len(values), pa.string())})
    local = DUCKDB.row(["v", "n"], landed.schema.types)
    with duckdb.connect() as engine:
        engine.register("landed", landed)
        assert [int(str(n)) for n in found] == [n for (n,) in engine.execute(f"SELECT {local} FROM landed").fetchall()]
    assert len(set(found)) == len(set(literals))


def test_values_that_move_between_columns_null_and_empty_have_other_numbers() -> None:
    number = DUCKDB.row(["a", "b"], [pa.string(), pa.string()])
    pairs = "('ab', ''), ('a', 'b'), ('', 'ab'), (NULL, 'ab'), ('ab', NULL), ('-', '-'), (NULL, NULL), ('1:a', '')"
    found = duckdb.sql(f"SELECT {number} FROM (VALUES {pairs}) AS t (a, b)").fetchall()
    assert len(set(found)) == 8


def test_floats_have_no_text_that_both_write_alike() -> None:
    assert DUCKDB.row(["a"], [pa.float64()]) is None
