"""kill -9 at every step of a run that uses every strategy at once, into each warehouse: the next run makes raw the same
as if nothing had happened. Steps are found by listening to a run, and not by sleeping.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from el.connectors.query import Statement
from el.destinations import open_warehouse
from el.profiles import Output
from tests.engines import connected, own_database, statement
from tests.shop import Workspace
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.sqlserver.process import StandInProcess

STRATEGIES = ("full", "cursor", "rowversion", "change_tracking", "cdc")
EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
tables:
  - {name: dbo.full}
  - {name: dbo.cursor, cursor: changed}
  - {name: dbo.rowversion, deletes: keys}
  - {name: dbo.change_tracking}
  - {name: dbo.cdc, strategy: cdc}
"""
SETUP = [
    "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
    "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)",
    "EXEC sys.sp_cdc_enable_db",
    *(
        f"CREATE TABLE dbo.[{name}] (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20) NULL, changed DATETIME2(3) NOT NULL"
        f"{', rv ROWVERSION' if name == 'rowversion' else ''})"
        for name in STRATEGIES
    ),
    "ALTER TABLE dbo.change_tracking ENABLE CHANGE_TRACKING",
    "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'cdc', @role_name = NULL",
    *(
        f"INSERT INTO dbo.[{name}] (id, v, changed) VALUES "
        + ", ".join(f"({n}, N'row {n}', '2024-01-01T00:{n:02d}:00')" for n in range(40))
        for name in STRATEGIES
    ),
]
CHANGES = [
    sql.format(name)
    for name in STRATEGIES
    for sql in (
        "UPDATE dbo.[{}] SET v = N'changed', changed = '2024-02-01' WHERE id < 7",
        "INSERT INTO dbo.[{}] (id, v, changed) VALUES (100, NULL, '2024-02-02')",
        "DELETE FROM dbo.[{}] WHERE id IN (20, 21)",
    )
]
# What a second look at the keys needs is that the first one is a day old.
AGE = "UPDATE {} SET {} = '2024-01-01 00:00:00'"


@dataclass(frozen=True)
class Destination:
    """A warehouse that holds the first load, and copies of it. `open`: one copy, with its profile output."""

    base: Path
    open: Callable[[Path], Any]

    @contextmanager
    def copy(self, folder: Path) -> Iterator[Copy]:
        shutil.copytree(self.base, folder / "case")
        with self.open(folder / "case") as output:
            yield Copy(folder / "case", output)


@dataclass(frozen=True)
class Copy:
    """A workspace with its warehouse."""

    path: Path
    output: dict[str, Any]

    def run(self, stop_at: tuple[str, int] | None = None) -> int:
        profiles = yaml.safe_load((self.path / "profiles.yml").read_text())
        profiles["warehouse"] = {"target": "it", "outputs": {"it": self.output}}
        (self.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
        return Workspace(self.path).run(stop_at=stop_at)

    def query(self, sql: str, *tables: str) -> list[tuple[Any, ...]]:
        """`sql` with {} for each table of raw, qualified."""
        warehouse = open_warehouse(Output("warehouse", "it", self.output), "snake_case")
        names = [warehouse.qualified("shop_dbo", table) for table in tables]
        with warehouse.connector as connector:
            return [tuple(row) for row in connector.fetch(Statement(sql.format(*names)))]

    def raw(self) -> dict[str, list[tuple[str, ...]]]:
        """All of raw but the names and times of loads."""
        complete = "_dlt_load_id IN (SELECT load_id FROM {} WHERE status = 0)"
        columns = "id, v, changed, _el_op, _el_position"
        found = {
            name: self.query(f"SELECT {columns} FROM {{}} WHERE {complete}", name, "_dlt_loads") for name in STRATEGIES
        }
        columns = "table_name, kind, strategy, lower_bound, upper_bound, row_count, deleted_count"
        found["ledger"] = self.query(f"SELECT {columns} FROM {{}} WHERE {complete}", "_el_ledger", "_dlt_loads")
        found["doubled"] = self.query("SELECT load_id FROM {} GROUP BY load_id HAVING count(*) > 1", "_dlt_loads")
        return {name: sorted(tuple(str(value) for value in row) for row in rows) for name, rows in found.items()}


@contextmanager
def duckdb_at(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}


@contextmanager
def snowflake_at(folder: Path) -> Iterator[dict[str, Any]]:
    with SnowflakeStandIn(db_path=folder / "snowflake") as server:
        yield server.dbt_output()


@pytest.fixture(scope="module")
def source() -> Iterator[dict[str, Any]]:
    with StandInProcess() as server, own_database(server.output()) as output:
        yield output


@pytest.fixture(scope="module")
def prepared(source: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Destination]:
    """For each kind of warehouse the first load, after which the source has changed."""
    execute(source, SETUP)
    found = {}
    for kind, opened in (("duckdb", duckdb_at), ("snowflake", snowflake_at)):
        base = tmp_path_factory.mktemp(kind)
        (base / "el.yml").write_text(EL_YML)
        (base / "snowflake").mkdir()
        (base / "profiles.yml").write_text(yaml.safe_dump({"shop": {"target": "it", "outputs": {"it": source}}}))
        with opened(base) as output:
            copy = Copy(base, output)
            assert copy.run() == 0, (base / "output.log").read_text()
            warehouse = open_warehouse(Output("warehouse", "it", output), "snake_case")
            with warehouse.connector as connector:
                ledger = warehouse.qualified("shop_dbo", "_el_ledger")
                connector.execute(Statement(AGE.format(ledger, warehouse.column("started_at"))))
        found[kind] = Destination(base, opened)
    execute(source, CHANGES)
    return found


def execute(output: dict[str, Any], statements: list[str]) -> None:
    with connected(output) as server:
        for sql in statements:
            server.driver.execute(statement(sql))


@pytest.fixture(scope="module")
def undisturbed(
    prepared: dict[str, Destination], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[dict[str, list[tuple[str, ...]]], list[tuple[str, int]]]]:
    """For each kind of warehouse: raw after a second run that nothing disturbed, and the steps of that run."""
    found = {}
    for kind, destination in prepared.items():
        with destination.copy(tmp_path_factory.mktemp(f"steps-{kind}")) as copy:
            assert copy.run(stop_at=("planned", 1)) == -9
            steps = Workspace(copy.path).steps()
            found[kind] = (copy.raw(), steps)
    return found


def check(destination: Destination, folder: Path, expected: Any, *stops: tuple[str, int]) -> None:
    with destination.copy(folder) as copy:
        for number, stop in enumerate(stops):
            # A run that recovers has fewer steps than the first one, and may end before it comes to this one.
            ended = copy.run(stop_at=stop)
            assert ended in ((-9,) if number == 0 else (-9, 0)), (stop, (copy.path / "output.log").read_text()[-2000:])
        assert copy.run() == 0, (copy.path / "output.log").read_text()[-2000:]
        assert copy.raw() == expected
    shutil.rmtree(folder / "case")


@pytest.mark.parametrize("kind", ["duckdb", "snowflake"])
def test_a_run_that_uses_every_strategy_consists_of_at_least_25_steps(undisturbed: Any, kind: str) -> None:
    raw, steps = undisturbed[kind]
    assert len(steps) >= 25
    operations = {name: {row[3] for row in raw[name]} for name in STRATEGIES}
    assert operations["full"] == {"S"}
    assert operations["cursor"] == {"S", "U"}
    for name in ("rowversion", "change_tracking", "cdc"):
        assert operations[name] == {"S", "U", "D"}, name
    assert raw["doubled"] == []


def spread(steps: list[tuple[str, int]], number: int, of: int) -> tuple[str, int]:
    return steps[(len(steps) - 1) * number // (of - 1)]


@pytest.mark.parametrize("number", range(8))
def test_a_run_into_duckdb_killed_at_a_step_is_made_whole_by_the_next(
    prepared: dict[str, Destination], undisturbed: Any, tmp_path: Path, number: int
) -> None:
    raw, steps = undisturbed["duckdb"]
    check(prepared["duckdb"], tmp_path, raw, spread(steps, number, 8))


@pytest.mark.parametrize("number", range(1, 4))
def test_a_run_into_snowflake_killed_at_a_step_is_made_whole_by_the_next(
    prepared: dict[str, Destination], undisturbed: Any, tmp_path: Path, number: int
) -> None:
    raw, steps = undisturbed["snowflake"]
    loading = [step for step in steps if step[0].startswith(("file moved", "package"))]
    check(prepared["snowflake"], tmp_path, raw, spread(loading, number, 5))


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["duckdb", "snowflake"])
def test_a_run_killed_at_any_of_its_steps_is_made_whole_by_the_next(
    prepared: dict[str, Destination], undisturbed: Any, tmp_path: Path, kind: str
) -> None:
    raw, steps = undisturbed[kind]
    for step in steps:
        check(prepared[kind], tmp_path, raw, step)


@pytest.mark.soak
def test_five_hundred_kills_at_random_steps_some_of_them_while_recovering_change_nothing(
    prepared: dict[str, Destination], undisturbed: Any, tmp_path: Path
) -> None:
    chance = random.Random(500)
    raw, steps = undisturbed["duckdb"]
    kills = 0
    while kills < 500:
        stops = [chance.choice(steps) for _ in range(chance.choice((1, 1, 2, 3)))]
        kills += len(stops)
        check(prepared["duckdb"], tmp_path, raw, *stops)
