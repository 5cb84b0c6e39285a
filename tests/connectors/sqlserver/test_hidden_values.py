"""What SQL Server hands a login in place of what a table holds is refused by name, until el.yml says otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from el.cli.app import main
from tests.tsql_shop import TsqlShop

PEOPLE = (
    "CREATE TABLE dbo.people (id INT NOT NULL PRIMARY KEY, mail VARCHAR(50) MASKED WITH (FUNCTION = 'email()') NULL, "
    "changed INT MASKED WITH (FUNCTION = 'default()') NULL)",
    "INSERT INTO dbo.people VALUES (1, 'a@example.com', 5), (2, 'b@example.com', 6)",
    "CREATE TABLE dbo.plain (id INT NOT NULL PRIMARY KEY)",
    "INSERT INTO dbo.plain VALUES (1)",
)
ALL = '  - {name: "dbo.*"}'


def reader(shop: TsqlShop, tables: str, *setup: str, name: str = "el_reader") -> TsqlShop:
    """The workspace of a login that may read the schema dbo, and what the setup grants it."""
    shop.create(
        tables,
        *(f"CREATE LOGIN {name} WITH PASSWORD = 'Geheim_2026'", f"CREATE USER {name} FOR LOGIN {name}"),
        *(f"GRANT SELECT ON SCHEMA::dbo TO {name}", f"GRANT VIEW DEFINITION TO {name}"),
        *setup,
    )
    mine = replace(shop, output={**shop.output, "user": name, "password": "Geheim_2026"})
    return mine.create(tables)


def planned(shop: TsqlShop, *, code: int) -> str:
    assert main(["plan", "--why"]) == code
    return shop.capsys.readouterr().out


def test_a_masked_column_stops_its_table_by_name_and_says_the_right_that_unmasks_it(standin_shop: TsqlShop) -> None:
    shop = reader(standin_shop, ALL, *PEOPLE)
    found = shop.el(code=1)
    assert found["dbo.people"]["status"] == "failed"
    said = found["dbo.people"]["error"]
    assert "mail, changed" in said
    assert "GRANT UNMASK TO [el_reader]" in said
    assert "`accept: [masked]`" in said
    assert found["dbo.plain"]["rows"] == 1
    assert "STOPPED dbo.people: dynamic data masking" in planned(shop, code=2)


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT UNMASK TO el_reader",
        "GRANT UNMASK ON dbo.people TO el_reader",
        "GRANT UNMASK ON SCHEMA::dbo TO el_reader",
    ],
)
def test_with_the_right_to_unmask_the_values_land(standin_shop: TsqlShop, grant: str) -> None:
    shop = reader(standin_shop, ALL, *PEOPLE, grant)
    assert shop.el()["dbo.people"]["rows"] == 2
    assert shop.raw("SELECT mail, changed FROM shop_dbo.people ORDER BY id") == [
        ("a@example.com", 5),
        ("b@example.com", 6),
    ]


def test_a_right_on_one_masked_column_leaves_the_other_one_refused(standin_shop: TsqlShop) -> None:
    shop = reader(standin_shop, ALL, *PEOPLE, "GRANT UNMASK ON dbo.people(mail) TO el_reader")
    said = shop.el(code=1)["dbo.people"]["error"]
    assert "the mask in place of changed:" in said


def test_masked_columns_that_are_excluded_or_accepted_do_not_stop_their_table(standin_shop: TsqlShop) -> None:
    without = "{mail: {exclude: true}, changed: {exclude: true}}"
    shop = reader(standin_shop, f"  - {{name: dbo.people, columns: {without}}}", *PEOPLE)
    assert shop.el()["dbo.people"]["rows"] == 2
    shop.tables("  - {name: dbo.people, accept: [masked]}")
    assert any("as accepted" in note for note in shop.el()["dbo.people"]["notes"])
    assert shop.raw("SELECT DISTINCT mail FROM shop_dbo.people WHERE mail IS NOT NULL") == [("xxxx",)]


@pytest.mark.parametrize(
    "setting", ["cursor: changed", 'filters: [{column: changed, op: ">", value: 1}]', "partition_by: changed"]
)
def test_a_masked_column_that_decides_what_is_read_stops_its_table_though_it_is_not_taken(
    standin_shop: TsqlShop, setting: str
) -> None:
    without = "columns: {mail: {exclude: true}, changed: {exclude: true}}"
    shop = reader(standin_shop, f"  - {{name: dbo.people, {without}, {setting}}}", *PEOPLE)
    assert "the mask in place of changed:" in shop.el(code=1)["dbo.people"]["error"]


def test_views_and_queries_of_a_login_that_gets_masks_are_refused(standin_shop: TsqlShop) -> None:
    tables = '  - {name: dbo.v}\n  - {name: dbo.q, query: "SELECT id, mail FROM dbo.people", key: id}'
    shop = reader(standin_shop, tables, *PEOPLE, "CREATE VIEW dbo.v AS SELECT id, mail FROM dbo.people")
    found = shop.el(code=1)
    assert "of a view the server does not tell which" in found["dbo.v"]["error"]
    assert "of a query the server does not tell which" in found["dbo.q"]["error"]


POLICY = (
    "CREATE TABLE dbo.orders (id INT NOT NULL PRIMARY KEY, tenant INT NOT NULL)",
    "INSERT INTO dbo.orders VALUES (1, 1), (2, 2), (3, 1)",
    "CREATE VIEW dbo.v AS SELECT id FROM dbo.orders",
    "CREATE SCHEMA rules",
    "CREATE FUNCTION rules.mine (@tenant INT) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok "
    "WHERE @tenant = 1",
    "CREATE SECURITY POLICY rules.tenants ADD FILTER PREDICATE rules.mine(tenant) ON dbo.orders WITH (STATE = ON)",
)


def test_a_security_policy_that_may_hide_rows_stops_the_table_and_the_views(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create('  - {name: "dbo.*", views: true}', *POLICY)
    found = shop.el(code=1)
    assert "security policy rules.tenants may hide rows from this login" in found["dbo.orders"]["error"]
    assert "`accept: [row_security]`" in found["dbo.orders"]["error"]
    assert "whether of this view is not told" in found["dbo.v"]["error"]
    shop.sql("ALTER SECURITY POLICY rules.tenants WITH (STATE = OFF)")
    assert shop.el()["dbo.orders"]["rows"] == 3


def test_a_security_policy_that_is_accepted_gives_the_rows_that_the_login_sees(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create("  - {name: dbo.orders, accept: row_security}", *POLICY)
    assert shop.el()["dbo.orders"]["rows"] == 2


def test_that_policies_cannot_be_seen_is_said_with_the_grant(standin_shop: TsqlShop) -> None:
    shop = reader(standin_shop, "  - {name: dbo.orders}", *POLICY, "REVOKE VIEW DEFINITION FROM el_reader")
    said = planned(shop, code=0)
    assert "security policies (row-level security)" in said
    assert "GRANT VIEW DEFINITION TO [el_reader]" in said


def test_a_column_under_always_encrypted_stops_its_table_until_it_is_left_out(standin_shop: TsqlShop) -> None:
    encrypted = "ENCRYPTED WITH (COLUMN_ENCRYPTION_KEY = k, ENCRYPTION_TYPE = DETERMINISTIC, ALGORITHM = 'a')"
    shop = standin_shop.create(
        "  - {name: dbo.t}", f"CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, ssn CHAR(11) {encrypted})"
    )
    assert "of ssn, which Always Encrypted keeps" in shop.el(code=1)["dbo.t"]["error"]
    shop.tables("  - {name: dbo.t, columns: {ssn: {exclude: true}}}")
    assert shop.el()["dbo.t"]["status"] == "loaded"
