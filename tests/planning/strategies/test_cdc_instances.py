"""cdc: which capture instance is read, how far it is, and who may read it."""

from __future__ import annotations

import pytest

from tests.planning.strategies.test_cdc import CAPTURE, ENTRY, ROWS, TABLE, changes, in_raw, in_source
from tests.tsql_shop import TsqlShop

STOP = "EXEC sys.sp_cdc_stop_job @job_type = N'capture'"
START = "EXEC sys.sp_cdc_start_job @job_type = N'capture'"


@pytest.fixture
def shop(standin_shop: TsqlShop) -> TsqlShop:
    return standin_shop.create(ENTRY, "EXEC sys.sp_cdc_enable_db", TABLE, CAPTURE, ROWS)


SECOND = CAPTURE.replace("@role_name", "@capture_instance = N'dbo_t_2', @role_name")


def test_a_second_capture_instance_goes_on_where_the_first_one_ends(shop: TsqlShop) -> None:
    shop.el()
    shop.sql("UPDATE dbo.t SET v = 1 WHERE a = 1", SECOND, "UPDATE dbo.t SET v = 2 WHERE a = 1")
    assert shop.el()["dbo.t"]["rows"] == 2
    assert changes(shop) == [(1, "x", 1, "U"), (1, "x", 2, "U")]
    assert shop.ledger("partitions")[-1] == (2,), "one read of each instance"
    shop.sql("EXEC sys.sp_cdc_disable_table N'dbo', N't', N'dbo_t'", "UPDATE dbo.t SET v = 3 WHERE a = 1")
    assert shop.el()["dbo.t"]["rows"] == 1
    assert in_raw(shop) == in_source(shop)


def test_a_column_that_the_old_instance_lacks_is_taken_with_a_new_snapshot_when_it_has_values(shop: TsqlShop) -> None:
    shop.sql("CREATE TABLE dbo.other (id INT NOT NULL PRIMARY KEY)")
    shop.tables(ENTRY + "\n  - {name: dbo.other}")
    shop.el()
    shop.sql("ALTER TABLE dbo.t ADD w INT NULL", "INSERT INTO dbo.other VALUES (1)")
    reports = shop.el(code=1)
    assert "dbo.t: capture instance dbo_t does not capture w" in reports["dbo.t"]["error"]
    assert reports["dbo.other"]["status"] == "loaded", "the other tables go on"
    shop.sql("UPDATE dbo.t SET w = 7, v = 8 WHERE a = 2", SECOND, "UPDATE dbo.t SET w = 9 WHERE a = 3")
    report = shop.el()["dbo.t"]
    assert report["kind"] == "snapshot"
    assert shop.state("t", "a, b", "a, b, v, w") == sorted(
        shop.rows("SELECT a, b, v, w FROM dbo.t"), key=lambda r: r[0]
    )


@pytest.mark.parametrize("first", ["dbo_t", "dbo_t_2"])
def test_the_newest_instance_is_that_made_last_wherever_cleanup_has_moved_their_starts(
    shop: TsqlShop, first: str
) -> None:
    shop.el()
    shop.sql("ALTER TABLE dbo.t ADD w INT NULL", SECOND, "UPDATE dbo.t SET v = 5 WHERE a = 1")
    assert shop.el()["dbo.t"]["status"] == "loaded"
    for instance in (first, "dbo_t" if first == "dbo_t_2" else "dbo_t_2"):
        shop.sql(
            "DECLARE @low BINARY(10) = sys.fn_cdc_get_max_lsn(); EXEC sys.sp_cdc_cleanup_change_table "
            f"@capture_instance = N'{instance}', @low_water_mark = @low, @threshold = 1",
            "UPDATE dbo.t SET v = v + 1 WHERE a = 3",
        )
        shop.el()
    shop.sql("UPDATE dbo.t SET w = 7 WHERE a = 2")
    shop.el()
    assert shop.state("t", "a, b", "a, b, v, w") == sorted(
        shop.rows("SELECT a, b, v, w FROM dbo.t"), key=lambda r: r[0]
    )


def test_an_instance_that_begins_behind_what_was_captured_goes_on_after_its_snapshot(shop: TsqlShop) -> None:
    shop.sql("CREATE TABLE dbo.u (a INT NOT NULL PRIMARY KEY)", CAPTURE.replace("N't'", "N'u'"))
    shop.tables("  - {name: dbo.u, strategy: cdc}")
    assert shop.el()["dbo.u"]["kind"] == "snapshot"
    assert shop.el()["dbo.u"]["status"] == "nothing new"
    shop.sql("INSERT INTO dbo.u VALUES (1)")
    assert shop.el()["dbo.u"]["rows"] == 1


def test_an_instance_that_is_not_established_yet_is_waited_for_and_does_not_stop_an_older_one(shop: TsqlShop) -> None:
    shop.sql("CREATE TABLE dbo.u (a INT NOT NULL PRIMARY KEY)", STOP, CAPTURE.replace("N't'", "N'u'"), SECOND)
    shop.tables("  - {name: 'dbo.*', strategy: cdc}")
    reports = shop.el(code=1)
    assert "dbo.u: its capture instance is not established yet" in reports["dbo.u"]["error"]
    assert reports["dbo.t"]["kind"] == "snapshot"
    shop.sql(START, "INSERT INTO dbo.u VALUES (1)", "UPDATE dbo.t SET v = 5 WHERE a = 1")
    reports = shop.el()
    assert (reports["dbo.u"]["kind"], reports["dbo.t"]["kind"]) == ("snapshot", "delta")
    assert in_raw(shop) == in_source(shop)


def test_what_is_captured_late_and_older_than_the_snapshot_begins_no_version_and_takes_nothing_back(
    shop: TsqlShop,
) -> None:
    shop.sql(
        STOP,
        "UPDATE dbo.t SET v = 11 WHERE a = 1",
        "UPDATE dbo.t SET v = 12 WHERE a = 1",
        "INSERT INTO dbo.t VALUES (4, 'z', 1)",
        "DELETE FROM dbo.t WHERE a = 4",
        "UPDATE dbo.t SET b = 'q' WHERE a = 3",
    )
    shop.el()
    shop.sql("EXEC sys.sp_cdc_scan")
    report = shop.el()["dbo.t"]
    assert report["status"] == "nothing new"
    assert any("has not come to the time of the last snapshot" in note for note in report["notes"])
    shop.sql("UPDATE dbo.t SET v = 13 WHERE a = 1", START)
    shop.el()
    assert changes(shop) == [
        (1, "x", 11, "B"),
        (1, "x", 12, "U"),
        (4, "z", 1, "B"),
        (4, "z", 1, "D"),
        (3, "y", 30, "D"),
        (3, "q", 30, "U"),
        (1, "x", 13, "U"),
    ]
    assert in_raw(shop) == in_source(shop)


def test_of_a_table_without_a_key_no_row_comes_again_after_its_snapshot(shop: TsqlShop) -> None:
    shop.sql("CREATE TABLE dbo.u (a INT NULL)", CAPTURE.replace("N't'", "N'u'"), STOP, "INSERT INTO dbo.u VALUES (1)")
    shop.tables("  - {name: dbo.u, strategy: cdc}")
    shop.el()
    shop.sql(START)
    error = shop.el(code=1)["dbo.u"]["error"]
    assert "without a key nobody can tell which of them it has already" in error
    assert shop.complete("u", "a, _el_op") == [(1, "S")]
    shop.el("--full-refresh")
    shop.sql("INSERT INTO dbo.u VALUES (2)")
    shop.el()
    assert shop.complete("u", "a, _el_op")[1:] == [(1, "S"), (2, "U")]


def test_who_is_not_in_the_gating_role_is_told_how_to_get_in(shop: TsqlShop) -> None:
    shop.sql(
        "CREATE LOGIN el_reader WITH PASSWORD = 'Reader-1'",
        "CREATE USER el_reader FOR LOGIN el_reader",
        "GRANT SELECT ON SCHEMA::dbo TO el_reader",
        "GRANT SELECT ON SCHEMA::cdc TO el_reader",
        "CREATE ROLE cdc_gate",
        "EXEC sys.sp_cdc_disable_table N'dbo', N't', N'dbo_t'",
        CAPTURE.replace("NULL", "N'cdc_gate'"),
    )
    output = {**shop.output, "user": "el_reader", "password": "Reader-1"}
    reader = TsqlShop(shop.path, output, shop.capsys).create(ENTRY)
    error = reader.el(code=1)["dbo.t"]["error"]
    assert "ALTER ROLE [cdc_gate] ADD MEMBER [el_reader]" in error
    assert "--full-refresh" not in error
    shop.sql("ALTER ROLE cdc_gate ADD MEMBER el_reader")
    assert reader.el()["dbo.t"]["kind"] == "snapshot"
    shop.sql("UPDATE dbo.t SET v = 5 WHERE a = 1")
    assert reader.el()["dbo.t"]["rows"] == 1
    assert in_raw(shop) == in_source(shop)


@pytest.mark.parametrize(
    ("allowed", "accept", "code"), [(1, "", 1), (1, ", accept: [partition_switch]", 0), (0, "", 0)]
)
def test_partitions_that_may_be_switched_are_refused_unless_accepted(
    shop: TsqlShop, allowed: int, accept: str, code: int
) -> None:
    shop.sql(
        "CREATE PARTITION FUNCTION by_a (INT) AS RANGE RIGHT FOR VALUES (10, 20)",
        "CREATE PARTITION SCHEME of_a AS PARTITION by_a ALL TO ([PRIMARY])",
        "CREATE TABLE dbo.p (a INT NOT NULL, v INT NULL) ON of_a(a)",
        CAPTURE.replace("N't'", "N'p'") + f", @allow_partition_switch = {allowed}",
    )
    shop.tables(f"  - {{name: dbo.p, strategy: cdc, key: [a]{accept}}}")
    report = shop.el(code=code)["dbo.p"]
    if code:
        assert "rows that ALTER TABLE ... SWITCH moves are not captured" in report["error"]
