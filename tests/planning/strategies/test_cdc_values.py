"""cdc: columns of which a change table does not always hold the value; raw holds it, or not the column."""

from __future__ import annotations

import pytest

from tests.planning.strategies.test_cdc import CAPTURE
from tests.tsql_shop import TsqlShop

TABLE = """CREATE TABLE dbo.t (a INT NOT NULL PRIMARY KEY, v INT NULL, doc NVARCHAR(MAX) NULL, img VARBINARY(MAX) NULL,
twice AS v * 2, thrice AS v * 3 PERSISTED)"""
ROWS = "INSERT INTO dbo.t (a, v, doc, img) VALUES (1, 10, N'one', 0x01), (2, 20, NULL, NULL)"
VALUES = "a, v, doc, hex(img)"


@pytest.fixture
def shop(standin_shop: TsqlShop) -> TsqlShop:
    return standin_shop.create(
        "  - {name: dbo.t, strategy: cdc, images: both}", "EXEC sys.sp_cdc_enable_db", TABLE, CAPTURE, ROWS
    )


def changes(shop: TsqlShop) -> list[tuple[object, ...]]:
    return [row for row in shop.complete("t", f"{VALUES}, _el_op") if row[-1] != "S"]


def test_computed_columns_are_left_out_and_plan_says_so(shop: TsqlShop) -> None:
    report = shop.el()["dbo.t"]
    assert "twice, thrice: computed, and left out: a capture table holds NULL for it" in report["notes"]
    shop.sql("UPDATE dbo.t SET v = 11 WHERE a = 1")
    assert shop.el()["dbo.t"]["rows"] == 2
    names = shop.raw("SELECT column_name FROM information_schema.columns WHERE table_name = 't'")
    assert {"a", "v", "doc", "img"} == {name for (name,) in names if not name.startswith("_")}


def test_a_computed_column_in_the_key_is_refused(shop: TsqlShop) -> None:
    shop.sql(
        "CREATE TABLE dbo.k (a INT NOT NULL, b AS a + 1 PERSISTED NOT NULL PRIMARY KEY)",
        CAPTURE.replace("N't'", "N'k'"),
    )
    shop.tables("  - {name: dbo.k, strategy: cdc}")
    assert "b of the primary key is computed" in shop.el(code=1)["dbo.k"]["error"]
    shop.tables("  - {name: dbo.k, strategy: cdc, key: [a]}")
    assert shop.el()["dbo.k"]["status"] == "loaded"


def test_the_image_before_has_the_large_values_that_the_update_left_alone(shop: TsqlShop) -> None:
    shop.el()
    shop.sql("UPDATE dbo.t SET v = 11, doc = N'two' WHERE a = 1", "UPDATE dbo.t SET img = 0x02 WHERE a = 1")
    shop.sql("DELETE FROM dbo.t WHERE a = 1")
    shop.el()
    assert changes(shop) == [
        (1, 10, "one", "01", "B"),
        (1, 11, "two", "01", "U"),
        (1, 11, "two", "01", "B"),
        (1, 11, "two", "02", "U"),
        (1, 11, "two", "02", "D"),
    ]


def test_a_large_value_that_a_change_lacks_and_did_not_change_is_that_of_the_row(shop: TsqlShop) -> None:
    """Servers are said to leave it out of the image after an update as well."""
    shop.tables("  - {name: dbo.t, strategy: cdc}")
    shop.el()
    shop.sql("UPDATE dbo.t SET v = v + 1", "UPDATE dbo.t SET img = NULL WHERE a = 1")
    shop.sql("UPDATE cdc.dbo_t_CT SET doc = NULL WHERE [__$operation] = 4")
    shop.el()
    assert shop.state("t", "a", VALUES) == [(1, 11, "one", None), (2, 21, None, None)]


def test_old_values_that_no_change_table_holds_are_refused(shop: TsqlShop) -> None:
    shop.sql("CREATE TABLE dbo.x (a INT NOT NULL PRIMARY KEY, memo NTEXT NULL)", CAPTURE.replace("N't'", "N'x'"))
    shop.tables("  - {name: dbo.x, strategy: cdc, images: both}")
    assert "`images: both` cannot be had of memo" in shop.el(code=1)["dbo.x"]["error"]
    shop.tables("  - {name: dbo.x, strategy: cdc}")
    shop.sql("INSERT INTO dbo.x VALUES (1, N'kept')")
    shop.el()
    shop.sql("UPDATE dbo.x SET memo = N'new'", "DELETE FROM dbo.x")
    shop.el()
    assert shop.complete("x", "a, memo, _el_op")[1:] == [(1, "new", "U"), (1, None, "D")]
