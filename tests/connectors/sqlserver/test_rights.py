"""Which rights a login needs is told in GRANTs; without one a table is read otherwise, or refused by name."""

from __future__ import annotations

import pytest

from el.cli.app import main
from tests.connectors.sqlserver.test_hidden_values import planned, reader
from tests.tsql_shop import TsqlShop

TRACKED = (
    "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON",
    "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v INT)",
    "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
    "INSERT INTO dbo.t VALUES (1, 1)",
)
CAPTURED = (
    "CREATE ROLE cdc_gate",
    "EXEC sys.sp_cdc_enable_db",
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v INT)",
    "EXEC sys.sp_cdc_enable_table @source_schema = 'dbo', @source_name = 't', @role_name = 'cdc_gate'",
    "INSERT INTO dbo.t VALUES (1, 1)",
)
ONE = "  - {name: dbo.t}"


def test_auto_passes_over_tracking_that_the_login_may_not_see_and_says_the_grant(standin_shop: TsqlShop) -> None:
    shop = reader(standin_shop, ONE, *TRACKED)
    assert shop.el()["dbo.t"]["strategy"] == "full"
    said = planned(shop, code=0)
    assert "not change_tracking: the login may not see what is tracked: GRANT VIEW CHANGE TRACKING ON [dbo].[t]" in said
    standin_shop.sql("GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO el_reader")
    assert shop.el()["dbo.t"]["strategy"] == "change_tracking"
    standin_shop.sql("INSERT INTO dbo.t VALUES (2, 2)")
    assert shop.el()["dbo.t"]["rows"] == 1


def test_tracking_that_is_asked_for_by_name_and_not_granted_is_refused_with_the_grant(standin_shop: TsqlShop) -> None:
    shop = reader(standin_shop, "  - {name: dbo.t, strategy: change_tracking}", *TRACKED)
    assert "GRANT VIEW CHANGE TRACKING ON [dbo].[t] TO [el_reader]" in shop.el(code=1)["dbo.t"]["error"]


def test_capture_needs_the_schema_and_the_gating_role_and_each_is_told(standin_shop: TsqlShop) -> None:
    shop = reader(standin_shop, "  - {name: dbo.t, strategy: cdc}", *CAPTURED)
    assert "GRANT SELECT ON SCHEMA::cdc TO [el_reader]" in shop.el(code=1)["dbo.t"]["error"]
    standin_shop.sql("GRANT SELECT ON SCHEMA::cdc TO el_reader")
    assert "ALTER ROLE [cdc_gate] ADD MEMBER [el_reader]" in shop.el(code=1)["dbo.t"]["error"]
    standin_shop.sql("ALTER ROLE cdc_gate ADD MEMBER el_reader")
    assert shop.el()["dbo.t"]["rows"] == 1
    standin_shop.sql("INSERT INTO dbo.t VALUES (2, 2)")
    assert shop.el()["dbo.t"]["rows"] == 1


def test_the_plan_names_the_rights_that_sizes_and_limits_need(standin_shop: TsqlShop) -> None:
    shop = reader(standin_shop, ONE, "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)")
    said = planned(shop, code=0)
    assert "needed for the tables' sizes: GRANT VIEW DATABASE STATE TO [el_reader]" in said
    assert "USE master; GRANT VIEW SERVER STATE TO [el_reader]" in said
    standin_shop.sql("GRANT VIEW DATABASE STATE TO el_reader", "GRANT VIEW SERVER STATE TO el_reader")
    assert "right " not in planned(shop, code=0)


# -- what a login no longer sees ---------------------------------------------------------------------------------


def test_a_table_that_the_login_no_longer_sees_is_a_failure_and_the_others_load(standin_shop: TsqlShop) -> None:
    tables = ("CREATE TABLE dbo.a (id INT NOT NULL PRIMARY KEY)", "CREATE TABLE dbo.b (id INT NOT NULL PRIMARY KEY)")
    shop = reader(standin_shop, '  - {name: "dbo.*"}', *tables, "INSERT INTO dbo.a VALUES (1)")
    shop.el()
    standin_shop.sql("DENY SELECT ON dbo.b TO el_reader", "REVOKE VIEW DEFINITION FROM el_reader")
    standin_shop.sql("REVOKE SELECT ON SCHEMA::dbo FROM el_reader", "GRANT SELECT ON dbo.a TO el_reader")
    standin_shop.sql("INSERT INTO dbo.a VALUES (2)")
    found = shop.el(code=1)
    assert found["dbo.a"]["rows"] == 2
    assert "no longer visible at the source" in found["dbo.b"]["error"]
    assert "GRANT SELECT ON [dbo].[b] TO [el_reader]" in found["dbo.b"]["error"]
    assert "STOPPED dbo.b: in raw as shop_dbo.b, and no longer visible" in planned(shop, code=2)


def test_a_table_that_was_dropped_is_a_failure_until_el_yml_says_that_it_is_gone(standin_shop: TsqlShop) -> None:
    tables = ("CREATE TABLE dbo.a (id INT NOT NULL)", "CREATE TABLE dbo.b (id INT NOT NULL)")
    shop = standin_shop.create('  - {name: "dbo.*"}', *tables, "INSERT INTO dbo.b VALUES (5)")
    shop.el()
    shop.sql("DROP TABLE dbo.b")
    assert "`{name: dbo.b, accept: [gone]}`" in shop.el(code=1)["dbo.b"]["error"]
    shop.tables('  - {name: "dbo.*"}\n  - {name: dbo.b, accept: [gone]}')
    assert list(shop.el()) == ["dbo.a"]
    assert shop.raw("SELECT id FROM shop_dbo.b") == [(5,)]
    shop.tables("  - {name: dbo.a}")
    assert list(shop.el()) == ["dbo.a"]


# -- a secondary -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sqlserver_standin")
def test_on_a_readable_secondary_tracking_is_not_used(standin_shop: TsqlShop, sqlserver_standin: object) -> None:
    shop = standin_shop.create(ONE, *TRACKED)
    sqlserver_standin.faults.tell("Updateability", "READ_ONLY")  # type: ignore[attr-defined]
    assert shop.el()["dbo.t"]["strategy"] == "full"
    assert main(["plan", "--why"]) == 0
    assert "not change_tracking: this database takes no writes" in shop.capsys.readouterr().out
    shop.tables("  - {name: dbo.t, strategy: change_tracking}")
    assert "`accept: [secondary]`" in shop.el(code=1)["dbo.t"]["error"]
    shop.tables("  - {name: dbo.t, strategy: change_tracking, accept: [secondary]}")
    assert shop.el()["dbo.t"]["strategy"] == "change_tracking"
