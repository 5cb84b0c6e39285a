"""A SQL Server whose columns change between runs, into DuckDB; and a source that changes, into Snowflake's stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from el.cli.app import main
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from tests.shop import from_duckdb_into
from tests.standins.snowflake import SnowflakeStandIn
from tests.tsql_shop import TsqlShop

TABLES = "  - {name: dbo.orders, cursor: at}"
START = (
    "CREATE TABLE dbo.orders (id INT NOT NULL PRIMARY KEY, amount DECIMAL(10,2), note VARCHAR(10), at DATETIME2(3))",
    "INSERT INTO dbo.orders VALUES (1, 1.25, 'one', '2024-01-01'), (2, 2.50, 'two', '2024-01-02')",
)


@pytest.fixture
def shop(
    sqlserver: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> TsqlShop:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return TsqlShop(tmp_path, sqlserver, capsys).create(TABLES, *START)


def run(shop: TsqlShop, code: int = 0) -> dict[str, Any]:
    assert main(["run", "--json"]) == code
    return dict(json.loads(shop.capsys.readouterr().out)["tables"][0])


def notes(report: dict[str, Any]) -> str:
    return "; ".join(report["notes"])


def raw(shop: TsqlShop, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(shop.path / "warehouse.duckdb")) as connection:
        return connection.execute(sql).fetchall()


def test_a_renamed_column_goes_on_in_its_raw_column_over_three_runs(shop: TsqlShop) -> None:
    run(shop)
    shop.sql(
        "EXEC sp_rename 'dbo.orders.note', 'remark', 'COLUMN'",
        "INSERT INTO dbo.orders VALUES (3, 3, 'three', '2024-02-01')",
    )
    second = run(shop)
    assert (second["status"], second["kind"]) == ("loaded", "delta")
    assert "note is now called remark: it goes on in raw's column note" in notes(second)
    shop.sql("INSERT INTO dbo.orders VALUES (4, 4, 'four', '2024-03-01')")
    third = run(shop)
    assert "remark" not in notes(third)
    assert raw(shop, "SELECT DISTINCT id, note FROM shop_dbo.orders ORDER BY id") == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
        (4, "four"),
    ]
    said = "SELECT comment FROM duckdb_columns() WHERE table_name = 'orders' AND column_name = 'note'"
    assert raw(shop, said) == [("remark varchar(10)",)]


def test_new_wider_and_dropped_columns_are_followed_over_three_runs(shop: TsqlShop) -> None:
    run(shop)
    shop.sql(
        "ALTER TABLE dbo.orders ALTER COLUMN amount DECIMAL(18,4)",
        "ALTER TABLE dbo.orders ALTER COLUMN note VARCHAR(50)",
        "ALTER TABLE dbo.orders ADD channel NVARCHAR(10) NULL",
        "INSERT INTO dbo.orders (id, amount, note, at, channel) "
        "VALUES (3, 12345678901234.5678, 'longer than ten letters', '2024-02-01', N'web')",
    )
    second = run(shop)
    said = notes(second)
    assert "amount changed from decimal(10,2) to decimal(18,4)" in said
    assert "note changed from varchar(10) to varchar(50)" in said
    assert "new column channel (nvarchar(10))" in said
    shop.sql(
        "ALTER TABLE dbo.orders DROP COLUMN note",
        "INSERT INTO dbo.orders (id, amount, at, channel) VALUES (4, 0.0001, '2024-03-01', N'shop')",
    )
    assert "note is no longer in the source: raw keeps the column note and gets NULL" in notes(run(shop))
    found = raw(shop, "SELECT DISTINCT id, CAST(amount AS VARCHAR), note, channel FROM shop_dbo.orders ORDER BY ALL")
    assert [row for row in found if row[0] > 2] == [
        (3, "12345678901234.5678", "longer than ten letters", "web"),
        (4, "0.0001", None, "shop"),
    ]
    assert (1, "1.2500", "one", None) in found


def test_a_narrowed_decimal_stops_and_its_cast_goes_on(shop: TsqlShop) -> None:
    run(shop)
    shop.sql(
        "ALTER TABLE dbo.orders ALTER COLUMN amount DECIMAL(10,1)",
        "INSERT INTO dbo.orders VALUES (3, 3.5, 'three', '2024-02-01')",
    )
    second = run(shop, 1)
    assert second["error"].startswith("dbo.orders: amount changed from decimal(10,2) to decimal(10,1): raw's column")
    shop.tables("  - {name: dbo.orders, cursor: at, columns: {amount: {cast: 'decimal(10,2)'}}}")
    assert run(shop)["status"] == "loaded"
    assert raw(shop, "SELECT DISTINCT CAST(amount AS VARCHAR) FROM shop_dbo.orders WHERE id = 3") == [("3.50",)]


def test_a_date_that_becomes_a_time_keeps_its_days(shop: TsqlShop) -> None:
    shop.sql("ALTER TABLE dbo.orders ADD due DATE", "UPDATE dbo.orders SET due = '0001-01-01'")
    run(shop)
    shop.sql(
        "ALTER TABLE dbo.orders ALTER COLUMN due DATETIME2",
        "INSERT INTO dbo.orders VALUES (3, 3, 'three', '2024-02-01', '2024-01-02 10:00:00.1234567')",
    )
    assert run(shop)["kind"] == "delta"
    assert raw(shop, "SELECT id, due FROM shop_dbo.orders ORDER BY id") == [
        (1, "0001-01-01 00:00:00.0000000"),
        (2, "0001-01-01 00:00:00.0000000"),
        (3, "2024-01-02 10:00:00.1234567"),
    ]


def test_a_column_is_widened_though_no_row_of_its_table_came(standin_shop: TsqlShop) -> None:
    tables = [
        statement
        for name in ("t", "other")
        for statement in (
            f"CREATE TABLE dbo.{name} (id INT PRIMARY KEY, v DECIMAL(10,2))",
            f"ALTER TABLE dbo.{name} ENABLE CHANGE_TRACKING",
        )
    ]
    on = "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)"
    shop = standin_shop.create("  - {name: 'dbo.*'}", on, *tables, "INSERT INTO dbo.t VALUES (1, 1.25)")
    shop.el()
    shop.sql("ALTER TABLE dbo.t ALTER COLUMN v DECIMAL(14,4)", "INSERT INTO dbo.other VALUES (1, 1)")
    assert shop.el()["dbo.t"]["status"] == "nothing new"
    shop.sql("INSERT INTO dbo.t VALUES (2, 1.2345)")
    shop.el()
    assert shop.complete("t", "id, CAST(v AS VARCHAR)") == [(1, "1.2500"), (2, "1.2345")]


# -- the same into Snowflake -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snowflake() -> Iterator[SnowflakeStandIn]:
    with SnowflakeStandIn() as standin:
        yield standin


@pytest.fixture
def into_snowflake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snowflake: SnowflakeStandIn) -> SqlConnector:
    """From a DuckDB file of the test's own into a raw schema that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    from_duckdb_into(snowflake.dbt_output(), "{name: main.t, cursor: changed_at}")
    connector = open_connector(snowflake.dbt_output())
    assert isinstance(connector, SqlConnector)
    asked(connector, "DROP SCHEMA IF EXISTS shop_main")
    return connector


def source(sql: str) -> None:
    with duckdb.connect("shop.duckdb") as connection:
        connection.execute(sql)


def asked(connector: SqlConnector, sql: str) -> list[tuple[object, ...]]:
    with connector:
        return connector.fetch(Statement(sql))


def test_raw_columns_are_widened_in_snowflake_and_keep_their_values_and_comments(
    into_snowflake: SqlConnector, capsys: pytest.CaptureFixture[str]
) -> None:
    source(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, whole INTEGER, same DECIMAL(10,2), finer DECIMAL(10,2), day DATE, "
        "moment TIMESTAMP, dawn DATE, changed_at TIMESTAMP);"
        "INSERT INTO t VALUES (1, 2147483647, 1.25, -99999999.99, '0001-01-01', '2024-02-29 12:00:00.000001', "
        "'2024-02-29', '2024-01-01')"
    )
    assert main(["run", "--json"]) == 0
    source(
        "ALTER TABLE t ALTER same TYPE DECIMAL(18,2); ALTER TABLE t ALTER finer TYPE DECIMAL(18,4);"
        "ALTER TABLE t ALTER whole TYPE BIGINT; ALTER TABLE t ALTER day TYPE TIMESTAMP;"
        "ALTER TABLE t ALTER moment TYPE TIMESTAMP_NS; ALTER TABLE t ALTER dawn TYPE TIMESTAMP_NS;"
        "INSERT INTO t VALUES (2, 9223372036854775807, 1234567890123456.78, 12345678901234.5678, "
        "'9999-12-31 23:59:59.999999', '2024-02-29 12:00:00.123456789', '2024-02-29 06:00:00', '2024-02-01')"
    )
    capsys.readouterr()
    assert main(["run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"][0]["kind"] == "delta"
    source("INSERT INTO t VALUES (3, 1, 1, 1, NULL, NULL, NULL, '2024-03-01')")
    assert main(["run", "--json"]) == 0
    assert " changed from " not in capsys.readouterr().out
    # A row whose times raw writes with other digits than the source comes once more, with equal values.
    rows = asked(
        into_snowflake,
        "SELECT DISTINCT id, whole, TO_VARCHAR(same), TO_VARCHAR(finer), day, RTRIM(moment, '0'), LEFT(dawn, 19) "
        "FROM shop_main.t ORDER BY id",
    )
    assert rows == [
        (
            1,
            2147483647,
            "1.25",
            "-99999999.9900",
            datetime(1, 1, 1),
            "2024-02-29 12:00:00.000001",
            "2024-02-29 00:00:00",
        ),
        (
            2,
            9223372036854775807,
            "1234567890123456.78",
            "12345678901234.5678",
            datetime(9999, 12, 31, 23, 59, 59, 999999),
            "2024-02-29 12:00:00.123456789",
            "2024-02-29 06:00:00",
        ),
        (3, 1, "1.00", "1.0000", None, None, None),
    ]
    types = asked(
        into_snowflake,
        "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "
        "WHERE table_schema = 'SHOP_MAIN' AND table_name = 'T' AND column_name IN ('SAME', 'FINER', 'DAY', 'MOMENT')",
    )
    assert sorted((str(row[0]), str(row[1]), row[2], row[3]) for row in types) == [
        ("DAY", "TIMESTAMP_NTZ", None, None),
        ("FINER", "NUMBER", 18, 4),
        ("MOMENT", "TEXT", None, None),
        ("SAME", "NUMBER", 18, 2),
    ]
    comments = asked(
        into_snowflake,
        "SELECT column_name, comment FROM information_schema.columns "
        "WHERE table_schema = 'SHOP_MAIN' AND table_name = 'T' AND column_name = 'FINER'",
    )
    assert comments == [("FINER", "finer decimal(18,4)")]
    kept = asked(into_snowflake, "SELECT COUNT(*) FROM shop_main._el_columns WHERE table_name = 't'")
    assert kept == [(16,)]


WIDENED = ("ADD COLUMN", "UPDATE ", "RENAME COLUMN .*TO ._EL_NARROW", "RENAME COLUMN ._EL_WIDER", "DROP COLUMN")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("statement", WIDENED)
def test_widening_in_snowflake_that_ends_at_any_statement_is_completed_by_the_next_run(
    into_snowflake: SqlConnector, snowflake: SnowflakeStandIn, statement: str, after: bool
) -> None:
    source("CREATE TABLE t (id INTEGER PRIMARY KEY, v DECIMAL(10,2), changed_at TIMESTAMP)")
    source("INSERT INTO t VALUES (1, -99999999.99, '2024-01-01')")
    assert main(["run"]) == 0
    source("ALTER TABLE t ALTER v TYPE DECIMAL(18,4); INSERT INTO t VALUES (2, 12345678901234.5678, '2024-02-01')")
    snowflake.fail(rf"{statement}.*" if statement != "UPDATE " else r"UPDATE .*\.\"T\" SET", after=after)
    assert main(["run"]) == 1
    source("INSERT INTO t VALUES (3, 1, '2024-03-01')")
    assert main(["run"]) == 0
    rows = asked(into_snowflake, "SELECT id, TO_VARCHAR(v) FROM shop_main.t ORDER BY id")
    assert rows == [(1, "-99999999.9900"), (2, "12345678901234.5678"), (3, "1.0000")]
    columns = asked(
        into_snowflake,
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'T' AND column_name LIKE '%V'",
    )
    assert columns == [("V",)]


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("MODIFY COLUMN v SET MASKING POLICY hidden", "a masking policy on V"),
        ("ADD ROW ACCESS POLICY some ON (id)", "a row access policy"),
    ],
)
def test_a_table_of_which_el_may_be_shown_less_than_raw_holds_is_not_widened(
    into_snowflake: SqlConnector, capsys: pytest.CaptureFixture[str], policy: str, says: str
) -> None:
    source("CREATE TABLE t (id INTEGER PRIMARY KEY, v DECIMAL(10,2), changed_at TIMESTAMP)")
    source("INSERT INTO t VALUES (1, 1.25, '2024-01-01')")
    assert main(["run"]) == 0
    asked(into_snowflake, f"ALTER TABLE shop_main.t {policy}")
    source("ALTER TABLE t ALTER v TYPE DECIMAL(18,4); INSERT INTO t VALUES (2, 1, '2024-02-01')")
    capsys.readouterr()
    assert main(["run"]) != 0
    said = capsys.readouterr()
    assert f"shop_main.t has {says}" in said.out + said.err
    assert asked(into_snowflake, "SELECT id, TO_VARCHAR(v) FROM shop_main.t") == [(1, "1.25")]


def test_keys_that_are_masked_in_raw_delete_nothing(
    into_snowflake: SqlConnector, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path("el.yml")
    config.write_text(config.read_text().replace("changed_at}", "changed_at, deletes: {every: 0s}}"))
    source("CREATE TABLE t (id INTEGER PRIMARY KEY, v DECIMAL(10,2), changed_at TIMESTAMP)")
    source("INSERT INTO t SELECT i, 1.25, '2024-01-01' FROM range(20) AS r (i)")
    assert main(["run"]) == 0
    asked(into_snowflake, "ALTER TABLE shop_main.t MODIFY COLUMN id SET MASKING POLICY hidden")
    source("DELETE FROM t WHERE id = 1")
    capsys.readouterr()
    assert main(["run"]) != 0
    said = capsys.readouterr()
    assert "shop_main.t has a masking policy on ID" in said.out + said.err
    asked(into_snowflake, "ALTER TABLE shop_main.t MODIFY COLUMN id UNSET MASKING POLICY")
    assert main(["run"]) == 0
    assert asked(into_snowflake, "SELECT id FROM shop_main.t WHERE _el_op = 'D'") == [(1,)]
