"""Keys are equal as the source says: case, blanks, accents, NULL, offsets, in raw's state, the models and deletes."""

from __future__ import annotations

import pytest

from tests.dbt.project import Project, copy_project
from tests.tsql_shop import TsqlShop

STRATEGIES = ("full", "cursor", "rowversion", "change_tracking", "cdc")


def create(shop: TsqlShop, code: str, *settings: str) -> TsqlShop:
    """A table for each strategy, its key one column `code` of this declaration."""
    return shop.create(
        "\n".join(
            (
                '  - {name: "dbo.*", model: [current, history]}',
                "  - {name: dbo.cursor, cursor: changed, deletes: {by: keys, every: 0s, max_percent: 100}}",
                "  - {name: dbo.rowversion, deletes: {by: keys, every: 0s, max_percent: 100}}",
                "  - {name: dbo.cdc, strategy: cdc, images: both}",
                *settings,
            )
        ),
        "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
        "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)",
        "EXEC sys.sp_cdc_enable_db",
        *(
            f"CREATE TABLE dbo.[{name}] (code {code} NOT NULL PRIMARY KEY, v INT NULL, changed BIGINT NOT NULL"
            f"{', rv ROWVERSION' if name == 'rowversion' else ''})"
            for name in STRATEGIES
        ),
        "ALTER TABLE dbo.change_tracking ENABLE CHANGE_TRACKING",
        "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'cdc', @role_name = NULL",
    )


def each(statement: str) -> list[str]:
    return [statement.format(name) for name in STRATEGIES]


def project(shop: TsqlShop) -> Project:
    found = Project(shop.path)
    copy_project(shop.path, generated=False)
    found.el("codegen")
    return found


def model(name: str) -> str:
    return "main_dbo.full_" if name == "full" else f"main_dbo.{name}"


def test_a_key_in_other_letters_is_the_same_row_by_each_strategy(standin_shop: TsqlShop) -> None:
    shop = create(standin_shop, "VARCHAR(10) COLLATE Latin1_General_CI_AS")
    rows = "('abc', 1, 1), ('blank', 1, 2), ('é', 1, 3), ('e', 1, 4)"
    shop.sql(*each("INSERT INTO dbo.[{}] (code, v, changed) VALUES " + rows))
    shop.el()
    built = project(shop)
    built.models()
    shop.sql(
        *each("UPDATE dbo.[{}] SET code = 'ABC', v = 2, changed = 5 WHERE code = 'abc'"),
        *each("UPDATE dbo.[{}] SET code = 'blank  ', v = 2, changed = 6 WHERE code = 'blank'"),
        *each("DELETE FROM dbo.[{}] WHERE code = 'e'"),
    )
    reports = shop.el()
    # The key set has every key that raw has, but one.
    assert {reports[f"dbo.{name}"].get("deleted", 0) for name in ("cursor", "rowversion")} == {1}
    built.dbt("build")
    expected = [("ABC", 2), ("blank  ", 2), ("é", 1)]
    for name in STRATEGIES:
        assert shop.state(f'"{name}"', "_el_key", "code, v") == expected, name
        assert shop.raw(f"SELECT code, v FROM {model(name)} ORDER BY ALL") == expected, name
        versions = shop.raw(f"SELECT code, v, _el_valid_to IS NULL FROM {model(name)}_history ORDER BY ALL")
        assert versions == [
            *[("ABC", 2, True), ("abc", 1, False), ("blank", 1, False), ("blank  ", 2, True)],
            *[("e", 1, False), ("é", 1, True)],
        ], name
    built.models("--full-refresh")
    for name in STRATEGIES:
        assert shop.raw(f"SELECT code, v FROM {model(name)} ORDER BY ALL") == expected, name


def test_accents_play_no_part_in_a_key_whose_collation_ignores_them(standin_shop: TsqlShop) -> None:
    shop = create(standin_shop, "NVARCHAR(10) COLLATE Latin1_General_CI_AI")
    shop.sql(*each("INSERT INTO dbo.[{}] (code, v, changed) VALUES (N'école', 1, 1)"))
    shop.el()
    shop.sql(*each("UPDATE dbo.[{}] SET code = N'ECOLE', changed = 2 WHERE code = N'école'"))
    shop.el()
    for name in STRATEGIES:
        assert shop.state(f'"{name}"', "_el_key", "code, v") == [("ECOLE", 1)], name


def test_null_is_a_value_of_a_key_that_el_yml_names(standin_shop: TsqlShop) -> None:
    names = ("stock", "flagged")
    deletes = "deletes: {by: keys, every: 0s, max_percent: 100}"
    shop = standin_shop.create(
        f"  - {{name: 'dbo.*', key: [region, sku], cursor: changed, {deletes}, model: [current, history]}}\n"
        "  - {name: dbo.flagged, model: {kind: current, deleted: flag}}",
        *(
            f"CREATE TABLE dbo.{name} (region INT NULL, sku INT NOT NULL, v INT, changed BIGINT NOT NULL)"
            for name in names
        ),
        *(f"INSERT INTO dbo.{name} VALUES (NULL, 1, 1, 1), (NULL, 2, 1, 2), (1, 1, 1, 3)" for name in names),
    )
    shop.el()
    built = project(shop)
    built.dbt("build")
    for name in names:
        shop.sql(
            f"UPDATE dbo.{name} SET v = 2, changed = 4 WHERE region IS NULL AND sku = 1",
            f"DELETE FROM dbo.{name} WHERE region IS NULL AND sku = 2",
        )
    assert {report["deleted"] for report in shop.el().values()} == {1}
    built.dbt("build")
    assert shop.raw("SELECT region, sku, v FROM main_dbo.stock ORDER BY ALL") == [(1, 1, 1), (None, 1, 2)]
    assert shop.raw("SELECT region, sku, v, _el_deleted FROM main_dbo.flagged ORDER BY ALL") == [
        *[(1, 1, 1, False), (None, 1, 2, False), (None, 2, 1, True)],
    ]
    history = shop.raw("SELECT region, sku, v, _el_valid_to IS NULL FROM main_dbo.stock_history ORDER BY ALL")
    assert history == [(1, 1, 1, True), (None, 1, 1, False), (None, 1, 2, True), (None, 2, 1, False)]


def test_two_rows_whose_keys_are_one_stop_their_table_by_name_unless_they_are_compared_by_bytes(
    standin_shop: TsqlShop,
) -> None:
    setup = "CREATE TABLE dbo.t (code VARCHAR(10) COLLATE Latin1_General_CI_AS NOT NULL, v INT)"
    shop = standin_shop.create(
        "  - {name: dbo.t, key: code}\n  - {name: dbo.other}",
        setup,
        "INSERT INTO dbo.t VALUES ('abc', 1), ('ABC', 2)",
        "CREATE TABLE dbo.other (id INT PRIMARY KEY)",
        "INSERT INTO dbo.other VALUES (1)",
    )
    reports = shop.el(code=1)
    assert reports["dbo.other"]["status"] == "loaded"
    assert reports["dbo.t"]["status"] == "failed"
    assert "dbo.t: the keys 'ABC' and 'abc' (code) are one key" in str(reports["dbo.t"]["error"])
    shop.tables("  - {name: dbo.t, key: code, accept: keys_by_bytes}")
    shop.el()
    assert shop.state("t", "_el_key", "code, v") == [("ABC", 2), ("abc", 1)]


def test_a_key_that_compares_in_another_way_from_now_on_begins_a_new_snapshot(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(
        "  - {name: dbo.t, key: code, cursor: changed}",
        "CREATE TABLE dbo.t (code VARCHAR(10) COLLATE Latin1_General_CS_AS NOT NULL, changed BIGINT NOT NULL)",
        "INSERT INTO dbo.t VALUES ('abc', 1)",
    )
    shop.el()
    shop.sql("ALTER TABLE dbo.t ALTER COLUMN code VARCHAR(10) COLLATE Latin1_General_CI_AS NOT NULL")
    report = shop.el()["dbo.t"]
    assert report["kind"] == "snapshot"
    assert "its keys compare otherwise than t was loaded with: a new snapshot begins" in report["notes"]
    shop.sql("UPDATE dbo.t SET code = 'ABC', changed = 2")
    assert shop.el()["dbo.t"]["kind"] == "delta"
    assert shop.state("t", "_el_key", "code") == [("ABC",)]


@pytest.mark.parametrize(
    ("declared", "before", "after"),
    [
        ("DATETIMEOFFSET(3)", "'2024-01-31T12:00:00.000+02:00'", "'2024-01-31T10:00:00.000+00:00'"),
        ("VARBINARY(4)", "0x01", "0x0100"),
        ("CHAR(4)", "'a'", "'A'"),
        ("NVARCHAR(8)", "N'straße'", "N'STRASSE'"),
    ],
)
def test_what_the_source_takes_for_equal_is_one_key_of_any_type(
    standin_shop: TsqlShop, declared: str, before: str, after: str
) -> None:
    collate = " COLLATE Latin1_General_CI_AS" if "CHAR" in declared else ""
    shop = standin_shop.create(
        "  - {name: dbo.t, cursor: changed}",
        f"CREATE TABLE dbo.t (k {declared}{collate} NOT NULL PRIMARY KEY, changed BIGINT NOT NULL)",
        f"INSERT INTO dbo.t VALUES ({before}, 1)",
    )
    shop.el()
    shop.sql(f"UPDATE dbo.t SET k = {after}, changed = 2")
    shop.el()
    assert shop.state("t", "_el_key", "changed") == [(2,)]


def test_a_key_of_whole_numbers_needs_no_column_of_its_own(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create("  - {name: dbo.t}", "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(9))")
    shop.sql("INSERT INTO dbo.t VALUES (1, N'a')")
    shop.el()
    assert "_el_key" not in [row[0] for row in shop.raw("SELECT column_name FROM (DESCRIBE shop_dbo.t)")]
