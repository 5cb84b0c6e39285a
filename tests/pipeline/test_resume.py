"""A snapshot that is cut short: the next run reads what is missing, and what changed meanwhile comes with the delta."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from el.errors import ReadError
from tests.scenes import STRATEGIES, WAREHOUSES, Scenes
from tests.steps import once_at, run_in_process, steps_of_run
from tests.tsql_shop import TsqlShop
from tests.verification.asked import verified

TABLE = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(40){})"
TRACKED = (
    "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)",
    "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
)
SETUP = {
    "rowversion": (TABLE.format(", rv ROWVERSION"),),
    "change_tracking": (TABLE.format(""), *TRACKED),
    "cdc": (
        TABLE.format(""),
        "EXEC sys.sp_cdc_enable_db",
        "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N't', @role_name = NULL, "
        "@supports_net_changes = 1",
    ),
}
ROWS = "INSERT INTO dbo.t (id, v) VALUES " + ", ".join(f"({number}, N'row {number}')" for number in range(400))
# In slices that landed, in those that did not, and beyond them all.
WRITERS = (
    "UPDATE dbo.t SET v = N'changed' WHERE id % 7 = 0",
    "DELETE FROM dbo.t WHERE id % 50 = 3",
    "INSERT INTO dbo.t (id, v) VALUES (1000, N'new'), (-5, N'new'), (53, N'here again')",
    "UPDATE dbo.t SET id = 2000 WHERE id = 11",
)
SLICES = 20


def beside(*each: object) -> Any:
    """What the suite need not see each time."""
    return pytest.param(*each, marks=pytest.mark.soak)


def entry(strategy: str = "change_tracking", more: str = "") -> str:
    deletes = ", deletes: keys" if strategy == "rowversion" else ""
    return f"  - {{name: dbo.t, strategy: {strategy}, partition_by: id, partitions: {SLICES}{deletes}{more}}}"


def begun(shop: TsqlShop, strategy: str = "change_tracking") -> TsqlShop:
    return shop.create(entry(strategy), *SETUP[strategy], ROWS)


def cut_short(shop: TsqlShop, at: int = 18) -> None:
    """A run that is killed when so many slices have landed."""
    assert run_in_process(shop.path, (), ("slice noted", at)) == -9


def reads_of_next_run(shop: TsqlShop, *arguments: str) -> int:
    """How many slices the next run reads at the source."""
    code, steps = steps_of_run(shop.path, arguments)
    assert code == 0, said(shop)
    return sum(name == "slice begun" for name, _ in steps)


def said(shop: TsqlShop) -> str:
    return re.sub(r"\s+", " ", (shop.path / "output.log").read_text())


def is_exact(shop: TsqlShop) -> None:
    """After one more delta raw gives the source."""
    # Keys are looked at once a day, and a snapshot has seen them all when it began.
    shop.raw("UPDATE shop_dbo._el_ledger SET started_at = '2024-01-01'")
    shop.el()
    assert shop.state("t", "id", "id, v") == shop.rows("SELECT id, v FROM dbo.t ORDER BY id")
    ledger = {row[0]: row[1] for row in shop.ledger("_dlt_load_id, row_count")}
    held = "SELECT _dlt_load_id, count(*) FROM shop_dbo.t GROUP BY 1"
    assert dict(shop.raw(held)) == {load: rows for load, rows in ledger.items() if rows}
    assert not kept(shop)


def kept(shop: TsqlShop) -> list[Path]:
    """What lies in the working folder to be gone on with."""
    return sorted(path for path in shop.path.glob(".el/*/landed/*/*/*") if path.is_file())


@pytest.mark.parametrize("strategy", SETUP)
def test_a_snapshot_killed_at_90_percent_is_gone_on_with_and_the_next_delta_is_exact(
    standin_shop: TsqlShop, strategy: str
) -> None:
    shop = begun(standin_shop, strategy)
    cut_short(shop)
    shop.sql(*WRITERS)
    assert reads_of_next_run(shop) <= SLICES - 18 + 2
    assert "18 of 20 slices were read by an earlier run; what changed since comes with the next load" in said(shop)
    shop.sql("UPDATE dbo.t SET v = N'later' WHERE id BETWEEN 90 AND 110")
    assert shop.ledger("kind, partitions")[0] == ("snapshot", SLICES)
    is_exact(shop)


def test_a_run_that_is_cut_short_again_and_again_comes_to_its_end(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    for number in range(3):
        cut_short(shop, 14)
        shop.sql(f"UPDATE dbo.t SET v = N'changed {number}' WHERE id % 5 = {number}")
    # What was taken over is noted again, under its new load: all of it, and what is missing.
    assert reads_of_next_run(shop) <= 6
    is_exact(shop)


def test_a_table_that_fails_beside_others_that_are_loaded_keeps_what_landed(standin_shop: TsqlShop) -> None:
    """Their load has an id that the table's rows may no longer have."""
    shop = standin_shop.create(
        f"{entry()}\n  - {{name: dbo.other, strategy: full}}",
        *SETUP["change_tracking"],
        ROWS,
        "CREATE TABLE dbo.other (id INT NOT NULL PRIMARY KEY)",
        "INSERT INTO dbo.other VALUES (1)",
    )
    cut_short(shop)
    shop.el("--select", "dbo.other")
    assert len(kept(shop)) > 18
    assert reads_of_next_run(shop) <= 4
    loads = shop.raw("SELECT count(DISTINCT _dlt_load_id) FROM shop_dbo.t")
    assert loads == [(1,)]
    is_exact(shop)


def test_a_load_of_the_same_id_as_the_one_that_was_cut_short_takes_over_its_files(standin_shop: TsqlShop) -> None:
    """A clock that is behind the last load's counts on from there: each try to load has the same id."""
    shop = standin_shop.create(
        "  - {name: dbo.other, strategy: full}",
        *SETUP["change_tracking"],
        ROWS,
        "CREATE TABLE dbo.other (id INT NOT NULL PRIMARY KEY)",
    )
    shop.el()
    shop.raw("UPDATE shop_dbo._dlt_loads SET load_id = '4102444800.0'")
    shop.tables(entry())
    for _ in range(2):
        cut_short(shop)
    shop.sql(*WRITERS)
    assert reads_of_next_run(shop) <= 4
    is_exact(shop)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("ALTER TABLE dbo.t ADD w INT NULL", "the table, or what el.yml makes of it, is not what it was"),
        ("TRUNCATE TABLE dbo.t", "changes before"),
    ],
    ids=["a column", "truncated"],
)
def test_what_cannot_be_proven_is_read_anew_and_the_run_says_why(standin_shop: TsqlShop, change: str, why: str) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    shop.sql(change, *(() if "TRUNCATE" in change else WRITERS), "INSERT INTO dbo.t (id, v) VALUES (5000, N'x')")
    reads_of_next_run(shop)
    assert f"18 of 20 slices were read by an earlier run: all is read again: {why}" in said(shop)
    shop.sql("UPDATE dbo.t SET v = N'later' WHERE id > 300")
    is_exact(shop)


def test_other_settings_begin_anew(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    shop.tables(entry(more=", columns: {v: {mask: sha256}}"))
    assert reads_of_next_run(shop) == SLICES
    assert "all is read again: the table, or what el.yml makes of it, is not what it was" in said(shop)


def test_a_log_that_no_longer_reaches_back_begins_anew(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    shop.sql(
        *WRITERS,
        "ALTER TABLE dbo.t DISABLE CHANGE_TRACKING",
        "ALTER TABLE dbo.t ENABLE CHANGE_TRACKING",
    )
    assert reads_of_next_run(shop) == SLICES
    assert "all is read again: change tracking was turned on anew" in said(shop)
    is_exact(shop)


@pytest.mark.parametrize("damage", ["torn", beside("gone"), beside("longer"), "other rows"])
def test_a_file_that_is_not_as_it_was_noted_is_read_again(standin_shop: TsqlShop, damage: str) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    files = [path for path in kept(shop) if path.suffix == ".parquet"]
    if damage == "gone":
        files[3].unlink()
    elif damage == "other rows":
        shutil.copy(files[4], files[3])
    else:
        data = files[3].read_bytes()
        files[3].write_bytes(data[:-7] if damage == "torn" else data + b"x")
    shop.sql(*WRITERS)
    reads = reads_of_next_run(shop)
    assert reads <= 5
    if damage != "other rows":
        assert "slice 4 of an earlier run is not as it was noted, and was read again" in said(shop)
    is_exact(shop)


def test_a_journal_that_is_damaged_begins_anew_with_a_line(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    (journal,) = [path for path in kept(shop) if path.suffix == ".jsonl"]
    journal.write_bytes(b"{}\n" + journal.read_bytes()[10:])
    shop.sql(*WRITERS)
    assert reads_of_next_run(shop) == SLICES
    assert "what an earlier run had read is read again: what was noted of it is damaged" in said(shop)
    is_exact(shop)


def test_a_working_folder_that_is_lost_begins_anew(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    shutil.rmtree(shop.path / ".el")
    assert reads_of_next_run(shop) == SLICES
    is_exact(shop)


def test_a_full_refresh_takes_nothing_of_a_first_load(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    assert reads_of_next_run(shop, "--full-refresh") == SLICES
    is_exact(shop)


def test_a_full_refresh_goes_on_with_a_full_refresh(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    shop.el()
    assert run_in_process(shop.path, ("--full-refresh",), ("slice noted", 18)) == -9
    shop.sql(*WRITERS)
    assert reads_of_next_run(shop, "--full-refresh") <= 4
    is_exact(shop)


def test_what_was_loaded_by_another_machine_meanwhile_is_not_taken(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    (shop.path / ".el").rename(shop.path / "this machine's")
    shop.el()
    shutil.rmtree(shop.path / ".el")
    (shop.path / "this machine's").rename(shop.path / ".el")
    shop.sql(*WRITERS)
    assert reads_of_next_run(shop) == 1
    is_exact(shop)


def test_of_a_table_that_el_yml_no_longer_has_nothing_is_kept(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    shop.sql("CREATE TABLE dbo.other (id INT NOT NULL PRIMARY KEY)")
    shop.tables("  - {name: dbo.other}")
    shop.el()
    assert not kept(shop)


def test_what_nobody_went_on_with_for_a_week_is_removed(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    for path in kept(shop):
        os.utime(path, (0, 0))
    assert reads_of_next_run(shop) == SLICES
    is_exact(shop)


@pytest.mark.parametrize("strategy", ["full", beside("cursor")])
def test_a_strategy_that_does_not_tell_all_changes_begins_anew_and_the_plan_says_so(
    standin_shop: TsqlShop, strategy: str
) -> None:
    cursor = ", cursor: id" if strategy == "cursor" else ""
    shop = standin_shop.create(entry(strategy, cursor), *SETUP["change_tracking"], ROWS)
    told = f"a run that is cut short begins it anew: strategy {strategy} does not tell all that changes meanwhile"
    assert told in shop.el()["dbo.t"]["notes"]
    shop.path.joinpath("warehouse.duckdb").unlink()
    assert run_in_process(shop.path, (), ("slice finished", 18)) == -9
    assert reads_of_next_run(shop) == SLICES


def test_what_is_of_one_point_in_time_begins_anew(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(
        entry("rowversion"), *SETUP["rowversion"], ROWS, "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON"
    )
    shop.tables(entry("rowversion"), "{workers: 2, retries: 0, consistent: run}")
    notes = shop.el()["dbo.t"]["notes"]
    assert [note for note in notes if "no later run can see" in note]


def test_a_slice_that_fails_stops_the_table_and_once_it_is_mended_it_alone_is_read(standin_shop: TsqlShop) -> None:
    shop = standin_shop.create(entry(more=", columns: {v: {cast: date}}"), *SETUP["change_tracking"], ROWS)
    shop.sql("UPDATE dbo.t SET v = N'2024-01-01' WHERE id <> 399")
    shop.el(code=1)
    shop.sql("UPDATE dbo.t SET v = N'2024-01-02' WHERE id = 399")
    assert reads_of_next_run(shop) == 1
    assert len(shop.complete("t", "id")) == 400
    assert not kept(shop)


# Of a run that goes on with what another one read: its own steps, in the suite one of each kind.
OWN_STEPS = [
    ("slice taken over", 3),
    ("slice noted", 19),
    ("package extracted", 1),
]


def copied(shop: TsqlShop, name: str) -> TsqlShop:
    """The same workspace once more, warehouse and all, over the same source."""
    copy = TsqlShop(shop.path.parent / f"{shop.path.name}-{name}", shop.output, shop.capsys)
    shutil.copytree(shop.path, copy.path)
    copy.sign_in(shop.output)
    return copy


def visit(shop: TsqlShop, step: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill a run at this step of the resumed run; the next one makes raw whole."""
    copy = copied(shop, re.sub(r"\W", "-", f"{step[0]}-{step[1]}"))
    monkeypatch.chdir(copy.path)
    ended = run_in_process(copy.path, (), step)
    # Where threads meet otherwise, a step may come once less.
    assert ended in (-9, 0), said(copy)
    assert reads_of_next_run(copy) <= 4
    is_exact(copy)
    shutil.rmtree(copy.path)


@pytest.fixture
def interrupted(standin_shop: TsqlShop) -> TsqlShop:
    """A workspace whose run was killed at 90 %, and whose source has changed since."""
    shop = begun(standin_shop)
    cut_short(shop)
    shop.sql(*WRITERS)
    return shop


@pytest.mark.parametrize("step", OWN_STEPS, ids=lambda step: f"{step[0]}, {step[1]}")
def test_a_run_that_goes_on_may_be_killed_at_any_step_too(
    interrupted: TsqlShop, step: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(interrupted, step, monkeypatch)


@pytest.mark.soak
def test_a_run_that_goes_on_killed_at_each_of_its_steps_is_gone_on_with(
    interrupted: TsqlShop, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, steps = steps_of_run(copied(interrupted, "undisturbed").path, ())
    assert code == 0
    for step in steps:
        with subtests.test(f"{step[0]}, {step[1]}"):
            visit(interrupted, step, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("strategy", SETUP)
def test_a_first_load_killed_at_each_of_its_own_steps_is_exact(
    standin_shop: TsqlShop, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    shop = begun(standin_shop, strategy)
    code, steps = steps_of_run(copied(shop, "undisturbed").path, ())
    assert code == 0
    for number, step in enumerate(step for step in steps if step[0].startswith(("slice", "journal", "kept"))):
        with subtests.test(f"{step[0]}, {step[1]}"):
            copy = copied(shop, f"first-{number}")
            monkeypatch.chdir(copy.path)
            assert run_in_process(copy.path, (), step) in (-9, 0)
            shop.sql(f"UPDATE dbo.t SET v = N'at {number}' WHERE id % 17 = {number % 17}")
            reads_of_next_run(copy)
            is_exact(copy)
            shutil.rmtree(copy.path)


def test_slices_that_other_processes_read_are_kept_and_gone_on_with_too(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    where = ("--executor", "processes:2")
    assert run_in_process(shop.path, where, ("slice noted", 12)) == -9
    shop.sql(*WRITERS)
    code, steps = steps_of_run(shop.path, where)
    assert code == 0, said(shop)
    assert sum(name == "slice taken over" for name, _ in steps) == 12
    is_exact(shop)


def test_verify_finds_no_difference_after_a_snapshot_of_two_runs(standin_shop: TsqlShop) -> None:
    shop = begun(standin_shop)
    cut_short(shop)
    shop.sql(*WRITERS)
    reads_of_next_run(shop)
    shop.el()
    assert verified(shop.capsys)["verdict"] == "EQUAL"


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_into_each_warehouse_raw_is_as_if_nothing_had_been_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warehouse: str
) -> None:
    entry, statements = STRATEGIES["change_tracking"]
    monkeypatch.setitem(STRATEGIES, "change_tracking", (f"{entry}, partition_by: id, partitions: 10", statements))
    with Scenes(tmp_path) as scenes:
        scene = scenes.scene("change_tracking", warehouse, "first")
        assert [row[9] for row in scene.undisturbed[0]["_el_ledger"]] == ["10"]
        assert scene.killed(("slice noted", 8)) == 1
        assert scene.killed(("slice noted", 6), ("slice taken over", 4), ("package normalized", 1)) == 3


def test_what_was_loaded_otherwise_than_it_landed_is_read_anew(standin_shop: TsqlShop) -> None:
    """One of the two is damaged: taken again, the same might come of it for ever."""
    shop = begun(standin_shop)
    done = once_at("package loaded", lambda: shop.raw("UPDATE shop_dbo.t SET v = 'another' WHERE id = 7"))
    assert "other values than were read" in shop.el(code=1)["dbo.t"]["error"]
    assert done
    assert not kept(shop)
    assert reads_of_next_run(shop) == SLICES
    is_exact(shop)


def test_rows_that_cannot_be_loaded_are_not_kept(standin_shop: TsqlShop) -> None:
    """Taken again, they would be refused whatever the source has by then."""
    shop = standin_shop.create(
        f"  - {{name: dbo.t, strategy: rowversion, key: code, partition_by: id, partitions: {SLICES}}}",
        "CREATE TABLE dbo.t (id INT PRIMARY KEY, code NVARCHAR(20) COLLATE Latin1_General_CI_AS, rv ROWVERSION)",
        "INSERT INTO dbo.t (id, code) VALUES " + ", ".join(f"({number}, N'row {number}')" for number in range(100)),
        "UPDATE dbo.t SET code = N'ROW 7' WHERE id = 8",
    )
    assert "are one key" in shop.el(code=1)["dbo.t"]["error"]
    assert not kept(shop)


def test_what_the_warehouse_could_not_take_is_loaded_without_another_read(
    standin_shop: TsqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = begun(standin_shop)

    def refuse(*_: object) -> None:
        raise ReadError("the warehouse is away")

    with monkeypatch.context() as patched:
        patched.setattr("el.loading.load.SchemaLoad.prepare", refuse)
        assert "the warehouse is away" in shop.el(code=1)["dbo.t"]["error"]
    shop.sql(*WRITERS)
    assert reads_of_next_run(shop) == 0
    is_exact(shop)
