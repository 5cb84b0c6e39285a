"""Writing into Snowflake: what is only true there. The rest is the conformance suite's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from el.connectors.base import WriteMode
from el.connectors.catalog import SourceType, TableName
from el.connectors.registry import open_connector
from el.connectors.snowflake import Snowflake
from el.connectors.snowflake import write as snowflake_write
from el.connectors.sql.select import Statement
from el.errors import WriteError
from tests.standins.snowflake import SnowflakeStandIn

TARGET = TableName("A", "T")


@pytest.fixture(scope="module")
def standin() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as running:
        yield running


@pytest.fixture
def session(standin: SnowflakeStandIn) -> Iterator[Snowflake]:
    with open_connector(standin.dbt_output()) as connector:
        assert isinstance(connector, Snowflake)
        connector.execute(Statement("CREATE SCHEMA IF NOT EXISTS A"))
        connector.execute(Statement("CREATE OR REPLACE TABLE A.T (ID NUMBER(18,0), NAME VARCHAR)"))
        connector.execute(Statement("DROP TABLE IF EXISTS A._EL_WRITES"))
        connector.execute(Statement("DROP TABLE IF EXISTS A._EL_AUDIT"))
        yield connector


def rows(number: int) -> pa.Table:
    return pa.table({"ID": pa.array(range(number), pa.int64()), "NAME": [f"name {n}" for n in range(number)]})


def counted(session: Snowflake) -> tuple[object, ...]:
    return session.fetch(Statement("SELECT COUNT(*), COUNT(DISTINCT ID), MAX(ID) FROM A.T"))[0]


def test_a_stream_of_several_files_arrives_whole(session: Snowflake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snowflake_write, "ROW_GROUP_BYTES", 5_000)
    monkeypatch.setattr(snowflake_write, "FILE_BYTES", 9_000)
    data = rows(3000)
    stream = pa.RecordBatchReader.from_batches(data.schema, data.to_batches(max_chunksize=100))
    assert session.write_buffer(TARGET, stream, run_id="files").rows == 3000
    assert counted(session) == (3000, 3000, 2999)


def test_statements_carry_the_run_and_the_table_as_query_tag_and_nothing_stays_staged(
    session: Snowflake, standin: SnowflakeStandIn
) -> None:
    before = len(standin.queries)
    session.write_buffer(TARGET, rows(3), run_id="tagged")
    new = standin.queries[before:]
    copies = [query for query in new if query.sql.startswith("COPY")]
    assert [json.loads(query.tag) for query in copies] == [
        {"app": "el", "run": "tagged", "table": "A.T", "role": "owner"}
    ]
    assert [query.sql.split(" ")[1] for query in new if query.sql.startswith("DROP")] == ["STAGE", "TABLE"]
    left = session.fetch(Statement("SELECT TABLE_NAME FROM information_schema.tables WHERE table_schema = 'A'"))
    assert {str(name) for (name,) in left} == {"T", "_EL_WRITES", "_EL_AUDIT"}


@pytest.mark.parametrize("step", ["COPY", 'INSERT INTO "A"."T"', 'INSERT INTO "A"."_EL_WRITES"', "PUT"])
def test_a_failure_at_any_statement_leaves_the_table_as_it_was(
    session: Snowflake, standin: SnowflakeStandIn, step: str
) -> None:
    session.write_buffer(TARGET, rows(5), run_id="before")
    standin.fail(step)
    with pytest.raises(WriteError, match="injected failure"):
        session.write_buffer(TARGET, rows(9), WriteMode.REPLACE, run_id="fails")
    assert counted(session) == (5, 5, 4)
    assert session.write_buffer(TARGET, rows(9), WriteMode.REPLACE, run_id="fails").rows == 9


def test_a_commit_whose_answer_is_lost_is_found_and_not_done_again(
    session: Snowflake, standin: SnowflakeStandIn
) -> None:
    standin.fail("^COMMIT", after=True)
    assert session.write_buffer(TARGET, rows(4), run_id="lost").already_done
    assert session.write_buffer(TARGET, rows(4), run_id="lost").already_done
    assert counted(session) == (4, 4, 3)


def test_a_type_that_would_be_rounded_is_refused_before_a_row_moves(
    session: Snowflake, standin: SnowflakeStandIn
) -> None:
    before = len(standin.queries)
    data = pa.table({"ID": pa.array([Decimal("1.5")], pa.decimal128(5, 1))})
    with pytest.raises(WriteError, match=r"A\.T\.ID is number\(18,0\), which cannot hold every decimal128\(5, 1\)"):
        session.write_buffer(TARGET, data, run_id="rounded")
    assert [query.sql for query in standin.queries[before:] if query.sql.startswith(("CREATE", "PUT"))] == []


@pytest.mark.parametrize(
    ("column", "data", "fits"),
    [
        (SourceType("number", precision=38, scale=2), pa.decimal128(10, 2), True),
        (SourceType("number", precision=38, scale=2), pa.decimal128(10, 3), False),
        (SourceType("number", precision=19, scale=0), pa.int64(), True),
        (SourceType("number", precision=19, scale=0), pa.float64(), False),
        (SourceType("float"), pa.int32(), True),
        (SourceType("float"), pa.int64(), False),
        (SourceType("timestamp_ntz", scale=6), pa.timestamp("us"), True),
        (SourceType("timestamp_ntz", scale=3), pa.timestamp("us"), False),
        (SourceType("timestamp_ntz", scale=9), pa.timestamp("us", "UTC"), False),
        (SourceType("timestamp_tz", scale=9), pa.timestamp("ns", "UTC"), True),
        (SourceType("time", scale=6), pa.time64("us"), True),
        (SourceType("varchar"), pa.dictionary(pa.int32(), pa.string()), True),
        (SourceType("varchar"), pa.binary(), False),
        (SourceType("binary"), pa.large_binary(), True),
        (SourceType("date"), pa.date32(), True),
        (SourceType("date"), pa.timestamp("us"), False),
        (SourceType("boolean"), pa.bool_(), True),
        (SourceType("boolean"), pa.null(), True),
    ],
)
def test_a_column_holds_what_it_keeps_unchanged(column: SourceType, data: pa.DataType, fits: bool) -> None:
    assert snowflake_write.holds(column, data) is fits
