"""Whichever strategy brought it, the state that raw gives is the source's, key by key and value by value, after every
load of a random history of inserts, updates, changed keys, deletes and rows that come again.

The rule by which state is made of raw is that of the dbt project's macro `el_current_state`, which tests/dbt proves.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import own_database
from tests.standins.sqlserver.process import StandInProcess
from tests.tsql_shop import TsqlShop

STRATEGIES = ("full", "cursor", "rowversion", "change_tracking", "cdc")
TABLES = """\
  - {name: dbo.full}
  - {name: dbo.cursor, cursor: changed, deletes: {by: keys, every: 0s, max_percent: 100}}
  - {name: dbo.rowversion, deletes: {by: keys, every: 0s, max_percent: 100}}
  - {name: dbo.change_tracking}
  - {name: dbo.cdc, strategy: cdc, images: both}
"""
COLUMNS = "a, b, v, w"


@pytest.fixture
def shop(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sqlserver_standin: StandInProcess,
) -> Iterator[TsqlShop]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    with own_database(sqlserver_standin.output()) as output:
        yield TsqlShop(tmp_path, output, capsys).create(
            TABLES,
            "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
            "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)",
            "EXEC sys.sp_cdc_enable_db",
            *(
                f"CREATE TABLE dbo.[{name}] (a INT NOT NULL, b NVARCHAR(10) NOT NULL, v INT NULL, w NVARCHAR(20) NULL, "
                f"changed BIGINT NOT NULL{', rv ROWVERSION' if name == 'rowversion' else ''}, PRIMARY KEY (a, b))"
                for name in STRATEGIES
            ),
            "ALTER TABLE dbo.change_tracking ENABLE CHANGE_TRACKING",
            "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'cdc', @role_name = NULL",
        )


def some_changes(chance: random.Random, clock: Iterator[int]) -> list[str]:
    """Statements on table {}, some of them together in a transaction; every change draws a later `changed`."""

    def key() -> str:
        return f"a = {chance.randint(1, 12)} AND b = N'{chance.choice('xyÄ')}'"

    def value() -> str:
        return chance.choice(("NULL", str(chance.randint(-5, 5))))

    def one() -> str:
        now = next(clock)
        a, b = chance.randint(1, 12), chance.choice("xyÄ")
        text = chance.choice(("NULL", "N''", "N'Ω text'"))
        same = f"a = {a} AND b = N'{b}'"
        insert = (
            f"IF NOT EXISTS (SELECT 1 FROM dbo.[{{0}}] WHERE {same}) "
            f"INSERT INTO dbo.[{{0}}] (a, b, v, w, changed) VALUES ({a}, N'{b}', {value()}, {text}, {now})"
        )
        move = (
            f"IF NOT EXISTS (SELECT 1 FROM dbo.[{{0}}] WHERE {same}) "
            f"UPDATE dbo.[{{0}}] SET a = {a}, b = N'{b}', changed = {now} WHERE {key()}"
        )
        update = f"UPDATE dbo.[{{0}}] SET v = {value()}, w = {text}, changed = {now} WHERE {key()}"
        return chance.choice((insert, insert, insert, update, update, move, f"DELETE FROM dbo.[{{0}}] WHERE {key()}"))

    statements = []
    for _ in range(chance.randint(0, 12)):
        several = [one() for _ in range(chance.randint(1, 3))]
        statements.append("; ".join(["BEGIN TRANSACTION", *several, "COMMIT"]) if len(several) > 1 else several[0])
    return statements


def history(shop: TsqlShop, seed: int, loads: int) -> None:
    chance = random.Random(seed)
    clock = iter(range(1, 10**9))
    seen = set()
    for _ in range(loads):
        changes = some_changes(chance, clock)
        for name in STRATEGIES:
            shop.sql(*(change.format(name) for change in changes))
        reports = shop.el()
        for name in STRATEGIES:
            report = reports[f"dbo.{name}"]
            assert report["strategy"] == name
            seen.add((name, report["kind"]))
            there = sorted(shop.rows(f"SELECT {COLUMNS} FROM dbo.[{name}]"), key=str)
            assert sorted(shop.state(f'"{name}"', "a, b", COLUMNS), key=str) == there, (name, changes)
    assert {(name, "delta") for name in STRATEGIES[1:]} <= seen


def test_after_every_load_of_a_random_history_raw_gives_the_source_by_each_strategy(shop: TsqlShop) -> None:
    history(shop, seed=7, loads=6)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_after_each_of_forty_loads_of_a_random_history_raw_gives_the_source(shop: TsqlShop, seed: int) -> None:
    history(shop, seed, loads=40)
