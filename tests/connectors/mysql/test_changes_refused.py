"""What keeps a change out of the binary log is refused in the plan, with the statement that mends it."""

from __future__ import annotations

import pytest

from el.connectors.catalog import TableName
from el.errors import PlanError
from tests.connectors.mysql.conftest import MySqlShop

SETTINGS = {
    "binlog_format": ("MIXED", r"binlog_format is MIXED: SET GLOBAL binlog_format = 'ROW'"),
    "binlog_row_image": ("MINIMAL", r"binlog_row_image is MINIMAL: SET GLOBAL binlog_row_image = 'FULL'"),
    "binlog_row_metadata": ("MINIMAL", r"binlog_row_metadata is MINIMAL: SET GLOBAL binlog_row_metadata = 'FULL'"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_under_which_the_log_says_less_is_refused(shop: MySqlShop, setting: str) -> None:
    value, said = SETTINGS[setting]
    before = shop.fetch(f"SELECT @@GLOBAL.{setting}")[0][0]
    shop.sql(f"SET GLOBAL {setting} = '{value}'")
    try:
        with shop.another() as session, pytest.raises(PlanError, match=said):
            session.binary_log.require(TableName(shop.schema, "orders"))
    finally:
        shop.sql(f"SET GLOBAL {setting} = '{before}'")


TABLES = {
    "rows that a foreign key changes are not logged": (
        "(id INT PRIMARY KEY, p INT, "
        "CONSTRAINT of_p FOREIGN KEY (p) REFERENCES {schema}.parents (id) ON DELETE CASCADE)",
        "rows that foreign key of_p deletes or changes in cascade",
    ),
    "an engine without transactions": ("(id INT PRIMARY KEY) ENGINE = MyISAM", "MyISAM has no transactions"),
    "no key": ("(id INT)", "set `key`"),
    "rows of the past": ("(id INT PRIMARY KEY) WITH SYSTEM VERSIONING", "SYSTEM VERSIONING"),
}


def test_a_table_of_which_the_log_has_not_every_change_is_refused_alone(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.parents (id INT PRIMARY KEY)")
    names = {f"t{number}": what for number, what in enumerate(TABLES)}
    for name, what in names.items():
        shop.sql(f"CREATE TABLE {{schema}}.{name} {TABLES[what][0]}")
    entries = [f"{name}, strategy: changes" for name in ("parents", *names)]
    report = shop.run(*entries, says=1)
    found = {table["table"].partition(".")[2]: table for table in report["tables"]}
    assert found["parents"]["status"] == "loaded"
    for name, what in names.items():
        assert TABLES[what][1] in found[name]["error"], found[name]
    taken = shop.run("t0, strategy: changes, accept: cascades")["tables"][0]
    assert any("in cascade are not seen" in note for note in taken["notes"])


def test_rights_that_lack_are_named_one_after_the_other_until_nothing_lacks(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.orders (id INT PRIMARY KEY)",
        "CREATE OR REPLACE USER 'follower'@'%' IDENTIFIED BY 'follower-1'",
        "GRANT SELECT ON {schema}.* TO 'follower'@'%'",
    )
    admin, shop.output = shop.output, {**shop.output, "user": "follower", "password": "follower-1"}
    said = "GRANT BINLOG MONITOR, REPLICATION SLAVE ON *.* TO 'follower'@'%'"
    for given in ("BINLOG MONITOR", "REPLICATION SLAVE"):
        assert said in shop.run("orders, strategy: changes", says=1)["tables"][0]["error"]
        shop.sql(f"GRANT {given} ON *.* TO 'follower'@'%'")
    assert shop.run("orders, strategy: changes")["tables"][0]["status"] == "loaded"
    shop.sql("INSERT INTO {schema}.orders VALUES (1)")
    assert shop.run("orders, strategy: changes")["tables"][0]["rows"] == 1
    # Of a table that it may only read, information_schema shows a login no foreign key.
    shop.sql(
        "CREATE TABLE {schema}.children (id INT PRIMARY KEY, o INT, FOREIGN KEY (o) REFERENCES {schema}.orders (id) "
        "ON DELETE SET NULL)"
    )
    assert "in cascade" in shop.run("children, strategy: changes", says=1)["tables"][0]["error"]
    shop.sql("CREATE TABLE {schema}.kin LIKE {schema}.orders", "REVOKE SELECT ON {schema}.* FROM 'follower'@'%'")
    shop.sql(*(f"GRANT SELECT ({c}) ON {{schema}}.{t} TO 'follower'@'%'" for t, c in (("kin", "id"), ("orders", "id"))))
    assert (
        "may not see its foreign keys: GRANT SELECT ON"
        in shop.run("kin, strategy: changes", says=1)["tables"][0]["error"]
    )
    shop.sql("GRANT SELECT ON {schema}.* TO 'follower'@'%'")
    shop.sql("REVOKE REPLICATION SLAVE ON *.* FROM 'follower'@'%'", "INSERT INTO {schema}.orders VALUES (2)")
    assert said in shop.run("orders, strategy: changes", says=1)["tables"][0]["error"]
    shop.output = admin
