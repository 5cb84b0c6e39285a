"""change_tracking: the net changes of every row, exactly once; what was forgotten begins a new snapshot."""

from __future__ import annotations

import re

import pytest

from el.connectors.sqlserver.change_tracking import TrackingState
from tests.standins.sqlserver.process import StandInProcess
from tests.tsql_shop import TsqlShop

TRACK_DATABASE = "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)"
TABLE = "CREATE TABLE dbo.t (a INT NOT NULL, b NVARCHAR(10) NOT NULL, v INT NULL, PRIMARY KEY (a, b))"
TRACK = "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING"
ROWS = "INSERT INTO dbo.t VALUES (1, 'x', 10), (2, 'x', 20), (3, 'y', 30)"
ENTRY = "  - {name: dbo.t}"


@pytest.fixture
def shop(standin_shop: TsqlShop) -> TsqlShop:
    snapshot = "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON"
    return standin_shop.create(ENTRY, snapshot, TRACK_DATABASE, TABLE, TRACK, ROWS)


def in_source(shop: TsqlShop) -> list[tuple[object, ...]]:
    return sorted(shop.rows("SELECT a, b, v FROM dbo.t"))


def in_raw(shop: TsqlShop) -> list[tuple[object, ...]]:
    return shop.state("t", "a, b", "a, b, v")


def test_auto_picks_change_tracking_and_a_delta_has_net_changes_with_their_versions(shop: TsqlShop) -> None:
    assert shop.el()["dbo.t"]["strategy"] == "change_tracking"
    shop.sql("UPDATE dbo.t SET v = 11 WHERE a = 1", "UPDATE dbo.t SET v = 12 WHERE a = 1")
    shop.sql("DELETE FROM dbo.t WHERE a = 2", "INSERT INTO dbo.t VALUES (4, 'z', NULL)")
    report = shop.el()["dbo.t"]
    assert (report["kind"], report["rows"]) == ("delta", 3)
    rows = shop.complete("t", "a, b, v, _el_op, _el_position")
    assert [row[:4] for row in rows if row[3] != "S"] == [
        (1, "x", 12, "U"),
        (2, "x", None, "D"),
        (4, "z", None, "U"),
    ]
    positions = [row[4] for row in rows if row[3] != "S"]
    assert positions == sorted(positions)
    assert None not in positions
    assert in_raw(shop) == in_source(shop)
    assert shop.el()["dbo.t"]["status"] == "nothing new"


def test_a_changed_key_is_the_old_row_deleted_and_the_new_one_inserted(shop: TsqlShop) -> None:
    shop.el()
    shop.sql("UPDATE dbo.t SET b = 'moved' WHERE a = 3")
    shop.el()
    changed = {row for row in shop.complete("t", "a, b, v, _el_op") if row[3] != "S"}
    assert changed == {(3, "moved", 30, "U"), (3, "y", None, "D")}
    assert in_raw(shop) == in_source(shop)


def test_a_row_deleted_and_inserted_again_is_there(shop: TsqlShop) -> None:
    shop.el()
    shop.sql("DELETE FROM dbo.t WHERE a = 1", "INSERT INTO dbo.t VALUES (1, 'x', 99)")
    shop.el()
    assert in_raw(shop) == in_source(shop)
    shop.sql("DELETE FROM dbo.t WHERE a = 1")
    shop.el()
    assert in_raw(shop) == in_source(shop)


def test_what_changes_while_the_snapshot_is_read_comes_with_the_first_delta(shop: TsqlShop) -> None:
    """The version is fixed in the plan; what is committed between plan and read is in both, with the same result."""
    done = shop.meanwhile("UPDATE dbo.t SET v = 77 WHERE a = 1", "DELETE FROM dbo.t WHERE a = 2")
    shop.el()
    assert done
    report = shop.el()["dbo.t"]
    assert (report["kind"], report["rows"]) == ("delta", 2)
    assert in_raw(shop) == in_source(shop)


def test_what_is_committed_between_plan_and_read_of_a_delta_comes_once(shop: TsqlShop) -> None:
    """The read sees a later version than the plan, and says so: the next delta begins there."""
    shop.el()
    shop.sql("UPDATE dbo.t SET v = 11 WHERE a = 1")
    done = shop.meanwhile("UPDATE dbo.t SET v = 12 WHERE a = 1", "UPDATE dbo.t SET v = 22 WHERE a = 2")
    assert shop.el()["dbo.t"]["rows"] == 2
    assert done
    assert shop.el()["dbo.t"]["status"] == "nothing new"
    assert in_raw(shop) == in_source(shop)


def test_a_table_where_nothing_happens_still_moves_on_so_that_its_position_does_not_grow_old(shop: TsqlShop) -> None:
    shop.sql("CREATE TABLE dbo.u (id INT NOT NULL PRIMARY KEY)", "ALTER TABLE dbo.u ENABLE CHANGE_TRACKING")
    shop.el()
    before = shop.ledger("upper_bound")[-1]
    shop.sql("INSERT INTO dbo.u VALUES (1)")
    assert shop.el()["dbo.t"]["status"] == "nothing new"
    after = shop.ledger("upper_bound, row_count, kind")[-1]
    assert after[1:] == (0, "delta")
    assert int(after[0]) > int(before[0])


@pytest.mark.parametrize(
    ("happened", "says"),
    [
        (("DISABLE", TRACK), "turned on anew, or the table was truncated"),
        (("TRUNCATE",), "turned on anew, or the table was truncated|are gone, and raw is at"),
        (("REBUILD", TABLE, TRACK, ROWS), "made anew"),
        (("OFF", TRACK_DATABASE, TRACK), "before .*: it was restored, or tracking reset|turned on anew"),
    ],
    ids=["tracking re-enabled", "table truncated", "table rebuilt", "tracking reset in the database"],
)
def test_what_tracking_cannot_tell_begins_a_new_snapshot_and_says_why(
    shop: TsqlShop, happened: tuple[str, ...], says: str
) -> None:
    shop.el()
    shop.sql("DELETE FROM dbo.t WHERE a = 2", "UPDATE dbo.t SET v = 5")
    shop.el()
    kinds = {
        "DISABLE": ["ALTER TABLE dbo.t DISABLE CHANGE_TRACKING", "DELETE FROM dbo.t WHERE a = 1"],
        "TRUNCATE": ["TRUNCATE TABLE dbo.t", "INSERT INTO dbo.t VALUES (9, 'n', 9)"],
        "REBUILD": ["DROP TABLE dbo.t"],
        "OFF": ["ALTER TABLE dbo.t DISABLE CHANGE_TRACKING", "ALTER DATABASE CURRENT SET CHANGE_TRACKING = OFF"],
    }
    shop.sql(*kinds[happened[0]], *happened[1:])
    report = shop.el()["dbo.t"]
    assert report["kind"] == "snapshot"
    assert any(re.search(f"a new snapshot begins: .*({says})", note) for note in report["notes"]), report["notes"]
    assert in_raw(shop) == in_source(shop)


def test_a_restored_database_begins_a_new_snapshot_though_its_version_has_passed_the_bound(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gives a database another recovery fork with every restore; here its answers are the test's."""
    said: list[tuple[str, list[str]]] = []
    for number, fork in enumerate((None, "ONE", "ONE", "TWO", "TWO"), 5):
        monkeypatch.setattr("el.connectors.sqlserver.server.recovery", lambda _, fork=fork: (None, fork))
        report = shop.el()["dbo.t"]
        said.append((report["kind"], report["notes"]))
        assert in_raw(shop) == in_source(shop)
        shop.sql(f"INSERT INTO dbo.t VALUES ({number}, 'v', 5)")
    assert [kind for kind, _ in said] == ["snapshot", "delta", "delta", "snapshot", "delta"], "unknown goes on"
    assert "a new snapshot begins: the database was restored" in said[3][1]


def test_changes_that_retention_has_removed_begin_a_new_snapshot(shop: TsqlShop) -> None:
    shop.el()
    shop.sql("DELETE FROM dbo.t WHERE a = 2", "UPDATE dbo.t SET v = 5 WHERE a = 1")
    shop.sql("EXEC sys.sp_flush_CT_internal_table_on_demand 't'")
    report = shop.el()["dbo.t"]
    assert report["kind"] == "snapshot"
    assert any("changes before" in note and "raise CHANGE_RETENTION" in note for note in report["notes"])
    assert in_raw(shop) == in_source(shop)


OLD_BUILD = "13.0.4451.0"


def test_a_row_that_is_there_is_not_deleted_though_an_old_build_tells_so(
    shop: TsqlShop, sqlserver_standin: StandInProcess
) -> None:
    shop.sql("ALTER TABLE dbo.t ADD CONSTRAINT one_v UNIQUE (v)")
    shop.el()
    sqlserver_standin.faults.tell("ProductVersion", OLD_BUILD)
    shop.sql("UPDATE dbo.t SET v = 5 WHERE a = 2")
    assert shop.el()["dbo.t"]["kind"] == "delta"
    assert in_raw(shop) == in_source(shop)


def test_changes_that_an_old_build_cleaned_up_before_it_says_so_are_missed(
    shop: TsqlShop, sqlserver_standin: StandInProcess
) -> None:
    shop.el()
    sqlserver_standin.faults.tell("ProductVersion", OLD_BUILD)
    shop.sql("DELETE FROM dbo.t WHERE a = 2", "EXEC sys.sp_flush_CT_internal_table_on_demand 't'")
    assert shop.el()["dbo.t"]["kind"] == "snapshot"
    assert in_raw(shop) == in_source(shop)


def test_versions_that_contradict_each_other_are_an_error_and_no_new_snapshot_each_run(
    shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readable secondaries do that; here the answers are the test's."""
    shop.el()
    monkeypatch.setattr("el.connectors.sqlserver.change_tracking.tracking_state", lambda *_: TrackingState(3, 9, "1:0"))
    assert "read the primary" in shop.el(code=1)["dbo.t"]["error"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{name: dbo.t, columns: {b: {exclude: true}}}", "a column of the primary key is excluded"),
        ("{name: dbo.t, key: [a]}", "`key` is not the primary key"),
        ("{name: dbo.t, filters: [{column: v, op: '>', value: 1}]}", "leaves the `filters`"),
    ],
)
def test_what_tracking_could_not_tell_of_is_refused_when_asked_for_and_not_picked_by_auto(
    shop: TsqlShop, entry: str, says: str
) -> None:
    shop.tables(f"  - {entry}\n  - {{name: dbo.t, strategy: change_tracking}}")
    assert says in shop.el(code=1)["dbo.t"]["error"]
    shop.tables(f"  - {entry}")
    assert shop.el()["dbo.t"]["strategy"] == "full"
