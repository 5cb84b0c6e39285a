"""cdc: every change in the order of commits; instances drained in order; a lost position is an error, never a gap."""

from __future__ import annotations

import duckdb
import pytest

from tests.tsql_shop import TsqlShop

TABLE = "CREATE TABLE dbo.t (a INT NOT NULL, b NVARCHAR(10) NOT NULL, v INT NULL, PRIMARY KEY (a, b))"
ROWS = "INSERT INTO dbo.t VALUES (1, 'x', 10), (2, 'x', 20), (3, 'y', 30)"
CAPTURE = "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N't', @role_name = NULL"
ENTRY = "  - {name: dbo.t, strategy: cdc}"
CHANGES = "a, b, v, _el_op"


@pytest.fixture
def shop(standin_shop: TsqlShop) -> TsqlShop:
    return standin_shop.create(ENTRY, "EXEC sys.sp_cdc_enable_db", TABLE, CAPTURE, ROWS)


def in_source(shop: TsqlShop) -> list[tuple[object, ...]]:
    return sorted(shop.rows("SELECT a, b, v FROM dbo.t"))


def in_raw(shop: TsqlShop) -> list[tuple[object, ...]]:
    return shop.state("t", "a, b", "a, b, v")


def changes(shop: TsqlShop, columns: str = CHANGES) -> list[tuple[object, ...]]:
    return [row for row in shop.complete("t", columns) if row[-1] != "S"]


def test_every_change_comes_in_the_order_of_commits(shop: TsqlShop) -> None:
    assert shop.el()["dbo.t"]["kind"] == "snapshot"
    shop.sql("UPDATE dbo.t SET v = 11 WHERE a = 1", "UPDATE dbo.t SET v = 12 WHERE a = 1")
    shop.sql(
        "DELETE FROM dbo.t WHERE a = 2", "INSERT INTO dbo.t VALUES (4, 'z', NULL)", "DELETE FROM dbo.t WHERE a = 4"
    )
    report = shop.el()["dbo.t"]
    assert (report["strategy"], report["kind"], report["rows"]) == ("cdc", "delta", 5)
    assert changes(shop) == [
        (1, "x", 11, "U"),
        (1, "x", 12, "U"),
        (2, "x", 20, "D"),
        (4, "z", None, "U"),
        (4, "z", None, "D"),
    ]
    assert in_raw(shop) == in_source(shop)
    assert shop.el()["dbo.t"]["status"] == "nothing new"


def test_within_a_transaction_changes_keep_the_order_in_which_they_were_made(shop: TsqlShop) -> None:
    shop.el()
    shop.sql(
        "BEGIN TRANSACTION; UPDATE dbo.t SET v = 1 WHERE a = 3; DELETE FROM dbo.t WHERE a = 3; "
        "INSERT INTO dbo.t VALUES (3, 'y', 2); UPDATE dbo.t SET v = 3 WHERE a = 3; COMMIT"
    )
    shop.el()
    assert changes(shop) == [(3, "y", 1, "U"), (3, "y", 1, "D"), (3, "y", 2, "U"), (3, "y", 3, "U")]
    positions = [row[0] for row in changes(shop, "_el_position, _el_op")]
    assert len({position[:20] for position in positions}) == 1, "one commit, one log position"
    assert len(set(positions)) == 4
    assert in_raw(shop) == in_source(shop)


def test_a_key_that_a_statement_frees_and_gives_to_another_row_is_there(shop: TsqlShop) -> None:
    """Within one command a change table can have the insert before the delete."""
    shop.el()
    shop.sql("INSERT INTO dbo.t VALUES (4, 'x', 40)", "UPDATE dbo.t SET a = a + 1 WHERE b = 'x'")
    shop.el()
    assert sorted(changes(shop)) == [
        (1, "x", 10, "D"),
        (2, "x", 10, "U"),
        (2, "x", 20, "D"),
        (3, "x", 20, "U"),
        (4, "x", 40, "D"),
        (4, "x", 40, "U"),
        (5, "x", 40, "U"),
    ]
    assert in_raw(shop) == in_source(shop)
    shop.sql("UPDATE dbo.t SET a = a - 1 WHERE b = 'x'")
    shop.el()
    assert in_raw(shop) == in_source(shop)


def test_a_change_table_of_an_older_build_is_read_in_the_order_that_it_has_and_plan_says_so(shop: TsqlShop) -> None:
    shop.sql("ALTER TABLE cdc.dbo_t_CT DROP COLUMN [__$command_id]")
    shop.el()
    shop.sql(
        "BEGIN TRANSACTION; DELETE FROM dbo.t WHERE a = 3; INSERT INTO dbo.t VALUES (3, 'y', 2); "
        "UPDATE dbo.t SET b = 'moved' WHERE a = 3; COMMIT"
    )
    report = shop.el()["dbo.t"]
    assert any("the change table has no __$command_id" in note for note in report["notes"])
    assert changes(shop) == [(3, "y", 30, "D"), (3, "y", 2, "U"), (3, "y", 2, "D"), (3, "moved", 2, "U")]
    assert in_raw(shop) == in_source(shop)


def test_positions_of_an_earlier_form_stand_before_those_of_later_loads(shop: TsqlShop) -> None:
    shop.el()
    shop.sql("UPDATE dbo.t SET v = 11 WHERE a = 1")
    shop.el()
    with duckdb.connect(str(shop.path / "warehouse.duckdb")) as warehouse:
        warehouse.execute("UPDATE shop_dbo.t SET _el_position = repeat('F', 42) WHERE _el_op = 'U'")
    shop.sql("UPDATE dbo.t SET v = 12 WHERE a = 1")
    shop.el()
    assert in_raw(shop) == in_source(shop)


def test_a_changed_key_is_the_old_row_deleted_and_the_new_one_inserted(shop: TsqlShop) -> None:
    shop.el()
    shop.sql("UPDATE dbo.t SET b = 'moved' WHERE a = 3")
    shop.el()
    assert changes(shop) == [(3, "y", 30, "D"), (3, "moved", 30, "U")]
    assert in_raw(shop) == in_source(shop)


@pytest.mark.parametrize("images", ["after", "both"])
@pytest.mark.parametrize("key", ["an index", "el.yml"])
def test_a_changed_key_that_was_captured_as_an_update_is_the_same(shop: TsqlShop, key: str, images: str) -> None:
    """A singleton update of a unique key under trace flag 8207; any update of a key that only el.yml names."""
    shop.tables(f"  - {{name: 'dbo.*', strategy: cdc, images: {images}}}\n  - {{name: dbo.u, key: [a, b]}}")
    shop.sql(
        "CREATE TABLE dbo.u (a INT NOT NULL, b NVARCHAR(10) NOT NULL, v INT NULL)",
        CAPTURE.replace("N't'", "N'u'"),
        ROWS.replace("dbo.t", "dbo.u"),
        "DBCC TRACEON (8207, -1)",
    )
    name = "t" if key == "an index" else "u"
    shop.el()
    shop.sql(f"UPDATE dbo.{name} SET b = 'MOVED' WHERE a = 3", f"UPDATE dbo.{name} SET b = 'moved' WHERE a = 3")
    shop.el()
    found = [row for row in shop.complete(name, CHANGES) if row[-1] != "S"]
    assert found == [(3, "y", 30, "D"), (3, "MOVED", 30, "U"), (3, "MOVED", 30, "D"), (3, "moved", 30, "U")]
    assert shop.state(name, "a, b", "a, b, v") == sorted(shop.rows(f"SELECT a, b, v FROM dbo.{name}"))


def test_both_images_of_an_update_come_where_asked_for_and_the_later_one_counts(shop: TsqlShop) -> None:
    shop.tables("  - {name: dbo.t, strategy: cdc, images: both}")
    shop.el()
    shop.sql("UPDATE dbo.t SET v = v + 1 WHERE a <= 2")
    shop.el()
    assert sorted(changes(shop)) == [(1, "x", 10, "B"), (1, "x", 11, "U"), (2, "x", 20, "B"), (2, "x", 21, "U")]
    assert in_raw(shop) == in_source(shop)


def test_what_changes_while_the_snapshot_is_read_comes_with_the_first_delta(shop: TsqlShop) -> None:
    done = shop.meanwhile("UPDATE dbo.t SET v = 77 WHERE a = 1", "DELETE FROM dbo.t WHERE a = 2")
    shop.el()
    assert done
    assert shop.el()["dbo.t"]["rows"] == 2
    assert in_raw(shop) == in_source(shop)


@pytest.mark.parametrize("how", ["cleaned up", "made anew"])
def test_a_lost_position_fails_with_what_to_do_and_a_full_refresh_begins_anew(shop: TsqlShop, how: str) -> None:
    shop.sql("CREATE TABLE dbo.other (id INT NOT NULL PRIMARY KEY)")
    shop.tables(ENTRY + "\n  - {name: dbo.other}")
    shop.el()
    shop.sql("DELETE FROM dbo.t WHERE a = 2", "INSERT INTO dbo.other VALUES (1)")
    if how == "cleaned up":
        shop.sql(
            "DECLARE @low BINARY(10) = sys.fn_cdc_increment_lsn(sys.fn_cdc_get_max_lsn()); "
            "EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_t', @low_water_mark = @low, @threshold = 1"
        )
        shop.sql("UPDATE dbo.t SET v = 5 WHERE a = 1", "UPDATE dbo.t SET v = 6 WHERE a = 1")
    else:
        shop.sql("EXEC sys.sp_cdc_disable_table N'dbo', N't', N'dbo_t'", CAPTURE)
    reports = shop.el(code=1)
    assert reports["dbo.t"]["status"] == "failed"
    assert "are gone from the capture tables" in reports["dbo.t"]["error"]
    assert "--full-refresh --select dbo.t begins anew" in reports["dbo.t"]["error"]
    assert reports["dbo.other"]["status"] == "loaded", "the other tables go on"
    shop.el("--full-refresh", "--select", "dbo.t")
    assert in_raw(shop) == in_source(shop)
    shop.sql("INSERT INTO dbo.t VALUES (6, 'n', 1)")
    assert shop.el()["dbo.t"]["rows"] == 1


def test_a_restored_database_fails_though_its_log_has_passed_the_position(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gives a database another recovery fork with every restore; here its answers are the test's."""
    for number, (fork, code) in enumerate(((None, 0), ("ONE", 0), ("ONE", 0), ("TWO", 1)), 5):
        monkeypatch.setattr("el.connectors.sqlserver.server.recovery", lambda _, fork=fork: (None, fork))
        report = shop.el(code=code)["dbo.t"]
        shop.sql(f"INSERT INTO dbo.t VALUES ({number}, 'v', 5)")
    assert "dbo.t: the database was restored" in report["error"]
    assert shop.el("--full-refresh")["dbo.t"]["kind"] == "snapshot"
    shop.sql("DELETE FROM dbo.t WHERE a = 5")
    assert shop.el()["dbo.t"]["kind"] == "delta"
    assert in_raw(shop) == in_source(shop)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{name: dbo.u, strategy: cdc}", "change data capture is not on for this table (sys.sp_cdc_enable_table)"),
        ("{name: dbo.t, strategy: cdc, filters: [{column: v, op: '>', value: 1}]}", "leaves the `filters`"),
    ],
)
def test_what_capture_could_not_tell_of_is_refused(shop: TsqlShop, entry: str, says: str) -> None:
    shop.sql("CREATE TABLE dbo.u (id INT NOT NULL PRIMARY KEY)")
    shop.tables(f"  - {entry}")
    assert says in " ".join(table["error"] for table in shop.el(code=1).values())


def test_auto_does_not_pick_cdc(shop: TsqlShop) -> None:
    shop.tables("  - {name: dbo.t}")
    assert shop.el()["dbo.t"]["strategy"] == "full"
