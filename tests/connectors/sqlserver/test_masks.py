"""A mask gives each value a pseudonym of its own: two that differ in their last digit have two."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import duckdb
import pytest

from tests.tsql_shop import TsqlShop


@pytest.fixture
def shop(tsql_shop: TsqlShop) -> TsqlShop:
    return tsql_shop


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("FLOAT", ("0.1234567890123", "0.1234567890124")),
        ("REAL", ("0.1234567", "0.1234568")),
        ("MONEY", ("1.0001", "1.0002")),
        ("SMALLMONEY", ("1.0001", "1.0002")),
        ("DATETIME", ("'2024-01-01T10:00:01.003'", "'2024-01-01T10:00:01.007'")),
        ("DATETIME2(7)", ("'2024-01-01T10:00:01.0000001'", "'2024-01-01T10:00:01.0000002'")),
        ("TIME(7)", ("'10:00:01.0000001'", "'10:00:01.0000002'")),
        ("DECIMAL(38,10)", ("1234567890.1234567891", "1234567890.1234567892")),
        ("VARBINARY(8)", ("0x00", "0x0000")),
        ("BINARY(3)", ("0x000001", "0x000002")),
        ("UNIQUEIDENTIFIER", ("'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'")),
        ("NVARCHAR(20)", ("N'é'", "N'e'")),
    ],
)
def test_values_that_differ_in_their_last_digit_have_two_pseudonyms(
    shop: TsqlShop, type_: str, values: tuple[str, str]
) -> None:
    shop.create(
        "  - {name: dbo.t, columns: {v: {mask: sha256}}}",
        f"CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v {type_} NULL)",
        f"INSERT INTO dbo.t VALUES (1, {values[0]}), (2, {values[1]}), (3, {values[1]}), (4, NULL)",
    )
    shop.el()
    one, two, three, none = (row[0] for row in shop.raw("SELECT v FROM shop_dbo.t ORDER BY id"))
    assert len(one) == len(two) == 64
    assert one != two == three
    assert none is None


def test_a_keyed_mask_is_made_of_the_servers_digest_and_the_key_never_goes_there(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "never at the server, long enough"
    monkeypatch.setenv("EL_MASK_KEY", key)
    shop.create(
        "  - {name: dbo.t, strategy: change_tracking, columns: {v: {mask: hmac}}}",
        "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20) NULL)",
        "INSERT INTO dbo.t VALUES (1, N'é'), (2, NULL)",
        "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON",
        "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
    )
    settings = Path("el.yml").read_text()
    Path("el.yml").write_text(settings.replace("tables:", "mask_key: env:EL_MASK_KEY\ntables:"))
    shop.el()
    shop.sql("INSERT INTO dbo.t VALUES (3, N'ann@example.com')")
    assert shop.el()["dbo.t"]["kind"] == "delta"

    def masked(value: str) -> str:
        return hmac.digest(key.encode(), hashlib.sha256(value.encode("utf-16-le")).digest(), "sha256").hex()

    assert shop.raw("SELECT id, v FROM shop_dbo.t ORDER BY id") == [
        (1, masked("é")),
        (2, None),
        (3, masked("ann@example.com")),
    ]


def test_a_type_without_an_exact_text_is_not_masked_by_its_values(shop: TsqlShop) -> None:
    shop.create(
        "  - {name: dbo.t, columns: {v: {mask: sha256}}}", "CREATE TABLE dbo.t (id INT PRIMARY KEY, v SQL_VARIANT)"
    )
    error = shop.el(code=1)["dbo.t"]["error"]
    assert "dbo.t.v: mask sha256 is not possible with sql_variant: two values could get one pseudonym" in error
    shop.tables("  - {name: dbo.t, columns: {v: {mask: 'null'}}}")
    assert shop.el()["dbo.t"]["status"] == "loaded"


def test_pseudonyms_of_fewer_digits_are_not_mixed_with_those_of_all(shop: TsqlShop) -> None:
    shop.create(
        "  - {name: dbo.t, cursor: id, columns: {v: {mask: sha256}}}",
        "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v FLOAT)",
        "INSERT INTO dbo.t VALUES (1, 0.5)",
    )
    shop.el()
    (was,) = shop.ledger("definition")[0]
    assert '"v": "mask sha256 of all digits"' in was
    # As a load of an earlier version noted it.
    with duckdb.connect("warehouse.duckdb") as warehouse:
        warehouse.execute("UPDATE shop_dbo._el_ledger SET definition = replace(definition, ' of all digits', '')")
    shop.sql("INSERT INTO dbo.t VALUES (2, 0.1234567890123)")
    report = shop.el()["dbo.t"]
    assert (report["kind"], report["rows"]) == ("snapshot", 2)
    assert any("v: mask sha256, now mask sha256 of all digits" in note for note in report["notes"])
