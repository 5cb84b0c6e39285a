"""changes: whichever feed the source keeps for a table; in the ledger a feed has its own name."""

from __future__ import annotations

import pytest

from tests.planning.strategies.test_cdc import CAPTURE, ROWS, TABLE
from tests.planning.strategies.test_change_tracking import TRACK_DATABASE
from tests.tsql_shop import TsqlShop

ENTRY = "  - {name: dbo.*, strategy: changes}"


@pytest.fixture
def shop(standin_shop: TsqlShop) -> TsqlShop:
    return standin_shop.create(
        ENTRY,
        "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
        TRACK_DATABASE,
        "EXEC sys.sp_cdc_enable_db",
        TABLE.replace("v INT NULL", "v INT NULL, twice AS v * 2"),
        CAPTURE,
        ROWS.replace("dbo.t", "dbo.t (a, b, v)"),
        "CREATE TABLE dbo.u (a INT NOT NULL PRIMARY KEY)",
        "ALTER TABLE dbo.u ENABLE CHANGE_TRACKING",
    )


def test_changes_follow_whichever_feed_a_table_has_and_its_name_goes_on_with_it(shop: TsqlShop) -> None:
    reports = shop.el()
    assert {name: report["strategy"] for name, report in reports.items()} == {
        "dbo.t": "cdc",
        "dbo.u": "change_tracking",
    }
    assert any("twice: computed, and left out" in note for note in reports["dbo.t"]["notes"])
    shop.sql(
        "UPDATE dbo.t SET b = 'moved' WHERE a = 3", "DELETE FROM dbo.t WHERE a = 1", "INSERT INTO dbo.u VALUES (7)"
    )
    # What was loaded under one name goes on under the other.
    shop.tables("  - {name: dbo.t, strategy: cdc}\n  - {name: dbo.u, strategy: change_tracking}")
    assert {report["kind"] for report in shop.el().values()} == {"delta"}
    shop.sql("INSERT INTO dbo.t (a, b, v) VALUES (9, 'n', 1)", "DELETE FROM dbo.u WHERE a = 7")
    shop.tables(ENTRY)
    assert {report["kind"] for report in shop.el().values()} == {"delta"}
    assert shop.state("t", "a, b", "a, b, v") == sorted(shop.rows("SELECT a, b, v FROM dbo.t"))
    assert shop.state("u", "a", "a") == []


def test_a_table_without_a_feed_is_refused_and_each_feed_says_why(shop: TsqlShop) -> None:
    shop.sql("CREATE TABLE dbo.w (a INT NOT NULL PRIMARY KEY)")
    error = shop.el(code=1)["dbo.w"]["error"]
    assert "dbo.w: strategy changes: change_tracking: change tracking is not on" in error
    assert "; cdc: change data capture is not on" in error
