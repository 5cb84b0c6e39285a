"""Whichever strategy brought it, the state that raw gives is the source's, key by key and value by value, after the
loads of a random history of inserts, updates, changed keys, deletes and rows that come again, also while el reads.

State is made of raw by the dbt project's own macros, in a project that `codegen` wrote for the tables and that is
built load upon load; and by the same rule in one query (`TsqlShop.state`), after every load.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dbt.project import Project, copy_project
from tests.tsql_shop import TsqlShop

# Of each table its strategy. Of two of them el.yml takes some rows alone, and rows enter and leave that part.
STRATEGIES = {
    **{name: name for name in ("full", "cursor", "rowversion", "change_tracking", "cdc")},
    "some_by_cursor": "cursor",
    "some_by_rowversion": "rowversion",
}
KEYS = "{by: keys, every: 0s, max_percent: 100}"
SOME = '[{column: v, op: ">=", value: -1}]'
TABLES = f"""\
  - {{name: "dbo.*", model: [current, history]}}
  - {{name: dbo.cursor, cursor: changed, deletes: {KEYS}}}
  - {{name: dbo.rowversion, deletes: {KEYS}}}
  - {{name: dbo.cdc, strategy: cdc, images: both}}
  - {{name: dbo.some_by_cursor, cursor: changed, filters: {SOME}, deletes: {KEYS}}}
  - {{name: dbo.some_by_rowversion, filters: {SOME}, deletes: {KEYS}}}
"""
KEY = "a, b"
# Three values of b, each in two spellings.
SPELLINGS = ("x", "X", "y", "y ", "Ä", "ä")
Rows = list[tuple[Any, ...]]


@pytest.fixture
def shop(standin_shop: TsqlShop) -> TsqlShop:
    return standin_shop.create(
        TABLES,
        "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
        "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)",
        "EXEC sys.sp_cdc_enable_db",
        *(
            f"CREATE TABLE dbo.[{name}] (a INT NOT NULL, b NVARCHAR(10) COLLATE Latin1_General_CI_AS NOT NULL, "
            "v INT NULL, w NVARCHAR(20) NULL, changed BIGINT NOT NULL, "
            f"{'rv ROWVERSION, ' if strategy == 'rowversion' else ''}PRIMARY KEY (a, b))"
            for name, strategy in STRATEGIES.items()
        ),
        "ALTER TABLE dbo.change_tracking ENABLE CHANGE_TRACKING",
        "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'cdc', @role_name = NULL",
    )


def columns(name: str) -> str:
    return "a, b, v, w, changed" + (", rv" if STRATEGIES[name] == "rowversion" else "")


def some_changes(chance: random.Random, clock: Iterator[int]) -> list[str]:
    """Statements on table {}, some of them together in a transaction; every change draws a later `changed`."""

    def key() -> str:
        return f"a = {chance.randint(1, 4)} AND b = N'{chance.choice(SPELLINGS)}'"

    def value() -> str:
        return chance.choice(("NULL", str(chance.randint(-5, 5))))

    def one() -> str:
        now = next(clock)
        a, b = chance.randint(1, 4), chance.choice(SPELLINGS)
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
        # The same key in other letters: the collation takes both for one.
        respell = f"UPDATE dbo.[{{0}}] SET b = N'{b}', changed = {now} WHERE {same}"
        delete = f"DELETE FROM dbo.[{{0}}] WHERE {key()}"
        return chance.choice((insert, insert, insert, update, update, respell, respell, move, delete))

    statements = []
    for _ in range(chance.randint(0, 12)):
        several = [one() for _ in range(chance.randint(1, 3))]
        statements.append("; ".join(["BEGIN TRANSACTION", *several, "COMMIT"]) if len(several) > 1 else several[0])
    return statements


def for_each_table(changes: list[str]) -> list[str]:
    return [change.format(name) for name in STRATEGIES for change in changes]


def by_text(rows: Rows) -> Rows:
    return sorted(rows, key=str)


class Built:
    """The dbt project that `codegen` writes for the tables, over what el has landed of them."""

    def __init__(self, shop: TsqlShop) -> None:
        self.shop = shop
        self.project = Project(shop.path)
        copy_project(shop.path, generated=False)
        self.project.el("codegen")

    def state(self, name: str) -> Rows:
        return by_text(self.shop.raw(f"SELECT {columns(name)} FROM {table(name)}"))

    def open_versions(self, name: str) -> Rows:
        """What the table of all versions holds as valid now."""
        return by_text(self.shop.raw(f"SELECT {columns(name)} FROM {table(name)}_history WHERE _el_valid_to IS NULL"))

    def everything(self) -> dict[str, Rows]:
        tables = [table(name) + suffix for name in STRATEGIES for suffix in ("", "_history")]
        return {name: self.shop.raw(f"SELECT * FROM {name} ORDER BY ALL") for name in tables}


def table(name: str) -> str:
    """What dbt makes of dbo.{name} on a target that is not production; `full` is reserved."""
    return "main_dbo.full_" if name == "full" else f"main_dbo.{name}"


def history(shop: TsqlShop, seed: int, loads: int, built_each: int) -> None:
    """So many loads, each but the last perhaps with changes while it reads; a build after every few of them.

    The capture job is late at times.
    """
    chance = random.Random(seed)
    clock = iter(range(1, 10**9))
    built = Built(shop)
    seen = set()
    for number in range(1, loads + 1):
        last = number == loads
        # A capture job that is late: the snapshots of this load are newer than what it has captured.
        late = chance.random() < 0.3 and not last
        if late:
            shop.sql("EXEC sys.sp_cdc_stop_job @job_type = N'capture'")
        shop.sql(*for_each_table(some_changes(chance, clock)))
        meanwhile = some_changes(chance, clock) if chance.random() < 0.4 and not last else []
        if meanwhile:
            shop.meanwhile(*for_each_table(meanwhile), step=chance.choice(("planned", "slice begun")))
        reports = shop.el(*(["--full-refresh"] if number > 1 and chance.random() < 0.1 else []))
        if late:
            shop.sql("EXEC sys.sp_cdc_start_job @job_type = N'capture'")
        for name, strategy in STRATEGIES.items():
            assert reports[f"dbo.{name}"]["strategy"] == strategy
            seen.add((name, reports[f"dbo.{name}"]["kind"]))
        found = {name: by_text(shop.state(f'"{name}"', KEY, columns(name))) for name in STRATEGIES}
        if not meanwhile:
            expected = source(shop)
            if late and reports["dbo.cdc"]["kind"] != "snapshot":
                expected["cdc"] = found["cdc"]
            assert found == expected, f"load {number}, seed {seed}"
        if number % built_each == 0 or last:
            built.project.models()
            assert {name: built.state(name) for name in STRATEGIES} == found, f"load {number}, seed {seed}"
            assert {name: built.open_versions(name) for name in STRATEGIES} == found, f"load {number}, seed {seed}"
    assert {(name, "delta") for name in STRATEGIES if name != "full"} <= seen
    assert all(source(shop).values()), "there is something to compare"
    increments = built.everything()
    built.project.models("--full-refresh")
    assert built.everything() == increments


def source(shop: TsqlShop) -> dict[str, Rows]:
    taken = {name: " WHERE v >= -1" if name.startswith("some_by_") else "" for name in STRATEGIES}
    return {name: by_text(shop.rows(f"SELECT {columns(name)} FROM dbo.[{name}]{taken[name]}")) for name in STRATEGIES}


def test_the_models_give_the_source_after_the_loads_of_a_random_history_by_each_strategy(shop: TsqlShop) -> None:
    history(shop, seed=7, loads=4, built_each=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_the_models_give_the_source_after_each_of_forty_loads_of_a_random_history(shop: TsqlShop, seed: int) -> None:
    history(shop, seed, loads=40, built_each=1)
