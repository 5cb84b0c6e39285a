"""`verify` with raw in Snowflake: by reading it, and by a digest that Snowflake makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from el.cli.app import main
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from tests.shop import from_duckdb_into
from tests.standins.snowflake import SnowflakeStandIn
from tests.verification.asked import verified

COLUMNS = "id INTEGER PRIMARY KEY, v VARCHAR, n DECIMAL(20, 4), b BLOB, d DATE, t TIME, ok BOOLEAN, seen TIMESTAMP"
ROWS = (
    "SELECT i, 'row ' || i, i / 7, 'x', DATE '2024-01-01' + i::INTEGER, TIME '00:00:00' + INTERVAL (i) SECOND, "
    "i % 2 = 0, TIMESTAMP '2024-01-01' + INTERVAL (i) MINUTE FROM range(200) AS g (i)"
)


@pytest.fixture(scope="module")
def snowflake() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as standin:
        yield standin


def source(sql: str) -> None:
    with duckdb.connect("shop.duckdb") as connection:
        connection.execute(sql)


def test_the_digest_that_snowflake_makes_tells_which_rows_to_read(
    folder: Path, snowflake: SnowflakeStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    from_duckdb_into(snowflake.dbt_output(), "{name: main.t, cursor: seen}")
    source(f"CREATE TABLE t ({COLUMNS}); INSERT INTO t {ROWS}")
    source("INSERT INTO t VALUES (1000, NULL, NULL, NULL, NULL, NULL, NULL, '2024-06-01')")
    assert main(["run", "--progress", "none"]) == 0
    source("UPDATE t SET v = 'later', seen = '2024-07-01' WHERE id = 3")
    for way in ((), ("--in-warehouse",)):
        found = verified(capsys, *way)
        counts = found["counts"]
        assert (found["verdict"], counts["equal"], counts["late"]) == ("EQUAL", 199, 2)
    assert found["method"] == "digest in the warehouse"
    raw = open_connector(snowflake.dbt_output())
    assert isinstance(raw, SqlConnector)
    with raw:
        for fault in ("SET v = '' WHERE id = 7", "SET n = n + 0.0001 WHERE id = 8", "SET b = NULL WHERE id = 9"):
            raw.execute(Statement(f"UPDATE shop_main.t {fault}"))
    for way in ((), ("--in-warehouse",)):
        found = verified(capsys, *way, code=4)
        assert [(each["key"]["id"], each["columns"]) for each in found["samples"]] == [
            ("7", ["v"]),
            ("8", ["n"]),
            ("9", ["b"]),
        ]
    with raw:
        noted = raw.fetch(Statement("SELECT verdict, method FROM shop_main._el_verified ORDER BY verified_at"))
    read, digest = "both sides read", "digest in the warehouse"
    assert noted == [("EQUAL", read), ("EQUAL", digest), ("DIFFERENT", read), ("DIFFERENT", digest)]
