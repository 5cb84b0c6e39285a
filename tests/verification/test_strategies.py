"""`verify` of each strategy on a T-SQL server: what changes meanwhile is no difference, and a fault is one."""

from __future__ import annotations

import pytest

from el.verification import sides
from tests.tsql_shop import TsqlShop
from tests.verification.asked import verified

SETUP = {
    "rowversion": ("CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20), d DATETIME2(7), rv ROWVERSION)",),
    "change_tracking": (
        "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20), d DATETIME2(7))",
        "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)",
        "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
    ),
    "cdc": (
        "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20), d DATETIME2(7))",
        "EXEC sys.sp_cdc_enable_db",
        "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N't', @role_name = NULL, "
        "@supports_net_changes = 1",
    ),
}
ROWS = "INSERT INTO dbo.t (id, v, d) VALUES " + ", ".join(
    f"({number}, N'row {number}', '2024-01-01T00:00:00.{number:07d}')" for number in range(1, 101)
)


@pytest.mark.parametrize("strategy", SETUP)
def test_changes_at_the_source_are_late_and_faults_are_found(standin_shop: TsqlShop, strategy: str) -> None:
    shop = standin_shop.create(f"  - {{name: dbo.t, strategy: {strategy}}}", *SETUP[strategy], ROWS)
    shop.el()
    assert verified(shop.capsys)["counts"]["compared"] == 100
    shop.sql(
        "UPDATE dbo.t SET v = N'changed' WHERE id = 1",
        "INSERT INTO dbo.t (id, v, d) VALUES (200, N'new', NULL)",
        "DELETE FROM dbo.t WHERE id = 2",
        "UPDATE dbo.t SET id = 300 WHERE id = 3",
    )
    found = verified(shop.capsys)
    assert (found["verdict"], found["counts"]["compared"], found["counts"]["gone"]) == (
        ("EQUAL", 97, 2) if strategy == "rowversion" else ("EQUAL", 97, 0)
    )
    shop.raw("UPDATE shop_dbo.t SET d = left(d::VARCHAR, 26) || '9' WHERE id = 7")
    shop.raw("DELETE FROM shop_dbo.t WHERE id = 8")
    for way in ((), ("--in-warehouse",)):
        found = verified(shop.capsys, *way, code=4)
        assert [(each["kind"], each["key"]["id"], each["columns"]) for each in found["samples"]] == [
            ("different", "7", ["d"]),
            ("missing", "8", []),
        ]
    assert found["method"] == "digest in the warehouse"
    shop.el()
    found = verified(shop.capsys, code=4)
    assert [each["key"]["id"] for each in found["samples"]] == ["7", "8"]


@pytest.mark.parametrize("strategy", ["rowversion", "change_tracking", "cdc"])
def test_what_changes_while_it_is_read_is_no_difference(standin_shop: TsqlShop, strategy: str) -> None:
    shop = standin_shop.create(f"  - {{name: dbo.t, strategy: {strategy}}}", *SETUP[strategy], ROWS)
    shop.el()
    done = shop.meanwhile(
        "UPDATE dbo.t SET v = N'changed' WHERE id < 10",
        "DELETE FROM dbo.t WHERE id = 20",
        "INSERT INTO dbo.t (id, v, d) VALUES (200, N'new', NULL)",
        step="slice begun",
    )
    found = verified(shop.capsys)
    assert done == [True]
    assert found["verdict"] == "EQUAL"


def test_what_the_capture_job_has_not_captured_yet_is_no_difference_and_said(
    standin_shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides, "PATIENCE", 0)
    shop = standin_shop.create("  - {name: dbo.t, strategy: cdc}", *SETUP["cdc"], ROWS)
    shop.el()
    shop.sql("EXEC sys.sp_cdc_stop_job @job_type = N'capture'", "UPDATE dbo.t SET v = N'changed' WHERE id = 1")
    found = verified(shop.capsys, code=1)
    assert (found["verdict"], found["counts"]["different"]) == ("UNDECIDED", 1)
    shop.sql("EXEC sys.sp_cdc_start_job @job_type = N'capture'")
    assert verified(shop.capsys)["counts"]["late"] == 1
