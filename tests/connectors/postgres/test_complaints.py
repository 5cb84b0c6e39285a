"""What users of other tools complain of in public: each once more here, with the answer that would have been right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from el.connectors.postgres.errors import statement_error
from el.connectors.request import ReadRequest, SqlText
from tests.connectors.postgres.conftest import PostgresShop


def test_infinity_is_no_day_of_another_millennium(shop: PostgresShop) -> None:
    """airbytehq/airbyte#19952: "+292269055-12-02 BC"; duckdb/duckdb-postgres#102: "290273-12-10 (BC)"."""
    shop.sql(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, valid_till timestamptz)",
        "INSERT INTO {schema}.t VALUES (1, 'infinity')",
    )
    (taken,) = shop.run("t", says=1)["tables"]
    assert "'valid_till' has infinity" in taken["error"]
    shop.run("t, columns: {valid_till: {cast: text}}")
    assert shop.raw("SELECT valid_till FROM {raw}.t") == [("infinity",)]


def test_nan_is_not_zero(shop: PostgresShop) -> None:
    """duckdb/duckdb#23971: NaN of a numeric(10,2) arrives as 0.00; artie-labs/reader#508: as NULL."""
    shop.sql("CREATE TABLE {schema}.t (id int PRIMARY KEY, val numeric(10,2))")
    shop.sql("INSERT INTO {schema}.t VALUES (1, 'NaN'), (2, 3.14)")
    (taken,) = shop.run("t", says=1)["tables"]
    assert "'val' has 'NaN'" in taken["error"]


def test_a_number_without_declared_digits_keeps_all_of_them(shop: PostgresShop) -> None:
    """Canner/WrenAI#2651: cut off behind the ninth; koordinates/kart#863: a key of 200000 becomes 2."""
    shop.sql("CREATE TABLE {schema}.t (k numeric PRIMARY KEY, v numeric)")
    shop.sql("INSERT INTO {schema}.t VALUES (200000, 103371.21102166314159265358979), (1e40, 1.50)")
    shop.run("t")
    assert shop.raw("SELECT k, v FROM {raw}.t ORDER BY k") == [
        ("1" + "0" * 40, "1.50"),
        ("200000", "103371.21102166314159265358979"),
    ]


def test_an_array_keeps_its_dimensions(shop: PostgresShop) -> None:
    """apache/arrow-adbc#2063, #3621: {{1,1},{2,3}} arrives as {1,1,2,3}."""
    shop.sql("CREATE TABLE {schema}.t (id int PRIMARY KEY, v int[])")
    shop.sql("INSERT INTO {schema}.t VALUES (1, '{{1,1},{2,3}}'), (2, '{1,1,2,3}')")
    shop.run("t")
    assert shop.raw("SELECT v FROM {raw}.t ORDER BY id") == [("{{1,1},{2,3}}",), ("{1,1,2,3}",)]


def test_the_rows_of_a_partitioned_table_come_once(shop: PostgresShop) -> None:
    """Altinity/clickhouse-sink-connector#458: each partition is a table; airbytehq/airbyte#13442: the root is empty."""
    shop.sql(
        "CREATE TABLE {schema}.messages (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
        "CREATE TABLE {schema}.m1 PARTITION OF {schema}.messages FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
        "CREATE TABLE {schema}.m2 PARTITION OF {schema}.messages DEFAULT",
        "INSERT INTO {schema}.messages SELECT n, date '2024-01-30' + n FROM generate_series(1, 5) AS n",
    )
    taken = shop.run("*")["tables"]
    assert [(each["table"].partition(".")[2], each["rows"]) for each in taken] == [("messages", 5)]


def test_a_read_that_a_replica_cancels_is_tried_again() -> None:
    """transferwise/pipelinewise-tap-postgres#113: "canceling statement due to conflict with recovery" ends the run."""

    class Cancelled(Exception):
        sqlstate = "40001"
        details = ((b"PG_DIAG_MESSAGE_PRIMARY", b"canceling statement due to conflict with recovery"),)

    assert statement_error(Cancelled("no"), writing=False).retryable


def test_a_read_that_is_tried_again_has_no_row_twice_and_misses_none(
    shop: PostgresShop, steps: Callable[..., None]
) -> None:
    """PostHog/posthog#95274: after a cancelled read, OFFSET went on among other rows."""
    shop.sql("CREATE TABLE {schema}.t AS SELECT n AS id, repeat('x', 1000) AS v FROM generate_series(1, 100000) AS n")
    killed: list[Any] = []

    def kill(_: Any) -> None:
        found = shop.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND application_name LIKE 'el run=%' AND state <> 'idle'"
        )
        killed.extend(found)

    steps("batch read", kill, once=True)
    shop.run("t", defaults=", retries: 2", retries=None)
    assert killed
    assert shop.raw("SELECT count(*), count(DISTINCT id) FROM {raw}.t") == [(100_000, 100_000)]


def test_columns_of_an_extensions_types_are_there(shop: PostgresShop) -> None:
    """trinodb/trino#23354: columns of citext are left out; confluentinc/kafka-connect-jdbc#1661: those of hstore."""
    shop.sql(
        "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public",
        "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public",
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, c citext, h hstore, a citext[])",
        "INSERT INTO {schema}.t VALUES (1, 'Ab', 'k=>v', '{Ab,NULL}')",
    )
    shop.run('t, filters: [{column: c, op: "=", value: aB}]')
    assert shop.raw("SELECT c, h, a FROM {raw}.t") == [("Ab", '"k"=>"v"', "{Ab,NULL}")]


def test_a_type_that_el_does_not_know_stops_its_table_and_is_not_left_out(shop: PostgresShop) -> None:
    """kafka-connect-jdbc and Trino leave such a column out, with a line in a log."""
    shop.sql("CREATE TABLE {schema}.t (id int PRIMARY KEY, v gtsvector)")
    (taken,) = shop.run("t", says=1)["tables"]
    assert "t.v: type gtsvector cannot be carried" in taken["error"]


def test_a_day_before_christ_is_not_one_after(shop: PostgresShop) -> None:
    """airbytehq/airbyte#14590: the era is lost; transferwise/pipelinewise#521: such a day becomes 9999-12-31."""
    shop.sql("CREATE TABLE {schema}.t (id int PRIMARY KEY, d date)")
    shop.sql("INSERT INTO {schema}.t VALUES (1, '0044-03-15 BC'), (2, '0044-03-15'), (3, '10000-01-01')")
    shop.run("t")
    assert shop.raw("SELECT CAST(d AS VARCHAR) FROM {raw}.t ORDER BY id") == [
        ("0044-03-15 (BC)",),
        ("0044-03-15",),
        ("10000-01-01",),
    ]


def test_a_point_in_time_is_the_same_whatever_zone_the_server_and_the_session_have(shop: PostgresShop) -> None:
    """airbytehq/airbyte#14628: times shift by the zone of a machine."""
    shop.sql("CREATE TABLE {schema}.t (id int PRIMARY KEY, v timestamptz, w timestamp)")
    shop.sql("INSERT INTO {schema}.t VALUES (1, '2024-03-31 02:30:00+05:30', '2024-03-31 02:30:00')")
    shop.run("t")
    assert shop.raw("SELECT v, w FROM {raw}.t") == [
        (datetime(2024, 3, 30, 21, tzinfo=UTC), datetime(2024, 3, 31, 2, 30))
    ]


def test_a_query_may_have_an_operator_that_looks_like_a_parameter(shop: PostgresShop) -> None:
    """An operator ? is taken for a parameter by drivers of most languages (jdbc writes ??)."""
    shop.sql(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, j jsonb)",
        "INSERT INTO {schema}.t VALUES (1, '{\"k\": 1}')",
    )
    query = f"SELECT id, j FROM {shop.schema}.t WHERE j ? ''k''"
    shop.run(f"own, query: '{query}', key: [id], cursor: id")
    shop.sql("INSERT INTO {schema}.t VALUES (2, '{\"k\": 2}')")
    shop.run(f"own, query: '{query}', key: [id], cursor: id")
    assert {row[0] for row in shop.raw("SELECT id FROM {raw}.own")} == {1, 2}


def test_a_query_may_end_in_a_comment(shop: PostgresShop) -> None:
    """A driver that puts a query into brackets loses the last one to it."""
    found = shop.server.read_buffer(ReadRequest(query=SqlText("SELECT 1 AS id -- the first"))).to_arrow()
    assert found.column("id").to_pylist() == [1]


def test_a_filter_by_a_type_that_has_no_equality_is_refused_in_the_plan(shop: PostgresShop) -> None:
    """Elsewhere the read fails: "operator does not exist: json = unknown"."""
    shop.sql(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, j json, m money)", "INSERT INTO {schema}.t VALUES (1, '1', 2)"
    )
    (taken,) = shop.run('t, filters: [{column: j, op: "=", value: "1"}]', says=1)["tables"]
    assert "postgres cannot filter json by =" in taken["error"]
    shop.run('t, filters: [{column: m, op: ">=", value: "2.00"}, {column: j, op: is not null}]')
    assert shop.raw("SELECT j, m FROM {raw}.t") == [("1", Decimal("2.00"))]
