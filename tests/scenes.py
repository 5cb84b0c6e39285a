"""Runs that are about to begin, to be killed: for each strategy and warehouse a first load, and one of changes.

A scene is a folder with a warehouse, over a source that nothing changes any more. Every kill gets a copy of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from el.config.profiles import Output
from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.loading.open import open_warehouse
from el.loading.warehouse import Warehouse
from tests.engines import connected, own_database
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.sqlserver.process import StandInProcess
from tests.steps import Step, run_in_process, steps_of_run

# Its entry in el.yml, and what the source needs for it.
STRATEGIES = {
    "full": ("partition_by: id, partitions: 2", []),
    "cursor": ("cursor: changed, deletes: keys", []),
    "rowversion": ("deletes: keys", ["ALTER TABLE dbo.orders ADD rv ROWVERSION"]),
    "change_tracking": (
        "strategy: change_tracking",
        [
            "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS)",
            "ALTER TABLE dbo.orders ENABLE CHANGE_TRACKING",
        ],
    ),
    "cdc": (
        "strategy: cdc",
        [
            "EXEC sys.sp_cdc_enable_db",
            "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'orders', @role_name = NULL",
        ],
    ),
}
WAREHOUSES = ("duckdb", "snowflake")
COPY = "COPY_OF_IT"

EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {{workers: 2, retries: 0}}
tables:
  - {{name: dbo.orders, {}}}
"""
TABLE = [
    "ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",
    "CREATE TABLE dbo.orders (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20) NULL, changed DATETIME2(3) NOT NULL)",
]
ROWS = "INSERT INTO dbo.orders (id, v, changed) VALUES " + ", ".join(
    f"({n}, N'row {n}', '2024-01-01T00:{n:02d}:00')" for n in range(40)
)
CHANGES = [
    "UPDATE dbo.orders SET v = N'changed', changed = '2024-02-01' WHERE id < 7",
    "INSERT INTO dbo.orders (id, v, changed) VALUES (100, NULL, '2024-02-02')",
    "DELETE FROM dbo.orders WHERE id IN (20, 21)",
]
# What a second look at the keys needs is that the first one is a day old.
AGE = "UPDATE {} SET {} = '2024-01-01 00:00:00'"
# What raw holds, but for the names and times of loads.
TABLES = {
    "orders": "id, v, changed, _el_op, _el_position",
    "_el_ledger": "table_name, source_table, kind, strategy, bound_column, lower_bound, upper_bound, row_count, "
    "deleted_count, partitions, fingerprint, incarnation, el_version",
    "_el_columns": "table_name, column_name, source_column, source_type, nullable, column_id, landed_as, stands_for, "
    "loses",
}

# The same where a run without changes notes a position all the same, as the server's clock has it.
WITHOUT_POSITIONS = {**TABLES, "_el_ledger": TABLES["_el_ledger"].replace("lower_bound, upper_bound, ", "")}

TRIES = 5

Raw = dict[str, list[tuple[str, ...]]]


class NeverCame(Exception):
    """No run came to the step at which it was to be killed."""


@dataclass(frozen=True)
class Place:
    """A folder to run in, with the outputs of its source and of its warehouse, and the warehouse's server, if any."""

    path: Path
    source: dict[str, Any]
    output: dict[str, Any]
    server: SnowflakeStandIn | None = None
    tables: Mapping[str, str] = field(default_factory=lambda: TABLES)  # what is compared of raw

    def __post_init__(self) -> None:
        outputs = {"shop": self.source, "warehouse": self.output}
        profiles = {name: {"target": "it", "outputs": {"it": found}} for name, found in outputs.items()}
        (self.path / "profiles.yml").write_text(yaml.safe_dump(profiles))

    @contextmanager
    def copied(self) -> Iterator[Place]:
        """The same once more, warehouse and all, while inside."""
        folder = self.path.parent / "copy"
        shutil.copytree(self.path, folder)
        try:
            if self.server is None:
                output = {**self.output, "path": str(folder / "warehouse.duckdb")}
            else:
                output = {**self.output, "database": self._copy_database()}
            yield replace(self, path=folder, output=output)
        finally:
            shutil.rmtree(folder)

    def _copy_database(self) -> str:
        """The name of a database that holds the same as ours; there is one for all copies, each made anew."""
        assert self.server is not None
        # What a killed run had open ends with its session, hours later.
        self.server.end_sessions()
        with opened(self.output) as connector:
            for statement in (
                "DROP STAGE IF EXISTS {}.SHOP_DBO._EL_STAGE",
                "DROP SCHEMA IF EXISTS {}.SHOP_DBO CASCADE",
            ):
                connector.execute(Statement(statement.format(COPY)))
            tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'SHOP_DBO'"
            if found := connector.fetch(Statement(tables)):
                connector.execute(Statement(f"CREATE SCHEMA {COPY}.SHOP_DBO"))
                for (table,) in found:
                    place = f'SHOP_DBO."{table}"'
                    ours = f"{self.output['database']}.{place}"
                    connector.execute(Statement(f"CREATE TABLE {COPY}.{place} AS SELECT * FROM {ours}"))
        return COPY

    def run(self, stop_at: Step | int | None = None) -> int:
        return run_in_process(self.path, (), stop_at)

    def steps(self) -> list[Step]:
        code, found = steps_of_run(self.path, ())
        assert code == 0, self.said()
        return found

    def said(self) -> str:
        """What the runs in this folder said last."""
        return (self.path / "output.log").read_text()[-2000:]

    def warehouse(self) -> Warehouse:
        return open_warehouse(Output("warehouse", "it", self.output), "snake_case")

    def raw(self) -> Raw:
        """All of raw but the names and times of loads; and what no run may leave behind, there and in the folder."""
        warehouse = self.warehouse()

        def fetch(sql: str, *tables: str) -> list[tuple[str, ...]]:
            names = [warehouse.qualified("shop_dbo", table) for table in tables]
            rows = warehouse.connector.fetch(Statement(sql.format(*names)))
            return sorted(tuple(str(value) for value in row) for row in rows)

        found: Raw = {}
        with warehouse.connector:
            loads = fetch("SELECT load_id, status FROM {}", "_dlt_loads")
            complete = {load for load, status in loads if status == "0"}
            for name, columns in self.tables.items():
                rows = fetch(f"SELECT {columns}, _dlt_load_id FROM {{}}", name)
                found[name] = [row[:-1] for row in rows if row[-1] in complete]
                found[f"{name} of no load"] = [row for row in rows if row[-1] not in complete]
            # What a cursor's lag covers is read again, and its fingerprint noted once, by the first run without news:
            # the one that recovers, or one behind it.
            noted = [row for row in found["_el_ledger"] if row[2:4] == ("delta", "cursor") and row[7:9] == ("0", "0")]
            found["_el_ledger"] = [row for row in found["_el_ledger"] if row not in noted]
            assert len(noted) <= 1, noted
            assert {row[6] for row in noted} <= {max(row[6] for row in found["_el_ledger"])}, "no bound is moved by it"
            found["loads that stand twice"] = [load for load in loads if loads.count(load) > 1]
            found["loads that are hidden"] = [load for load in loads if load[0] not in complete]
            if self.output["type"] == "snowflake":
                found["left in the stage"] = fetch("LIST @{}", "_el_stage")
        # Who did what is kept there.
        kept = {"audit.jsonl", "audit.sent", "runs.jsonl", "runs.sent"}
        left = [path for path in (self.path / ".el").rglob("*") if path.is_file() and path.name not in kept]
        found["left in the working folder"] = [(str(path.relative_to(self.path)),) for path in left]
        return found


class QuietPlace(Place):
    """A place of which a run without changes leaves no trace."""

    def raw(self) -> Raw:
        found = super().raw()
        found["_el_ledger"] = [row for row in found["_el_ledger"] if row[2] == "snapshot" or row[5] != "0"]
        return found


@dataclass
class Scene:
    """A run that is about to begin, over a source of its own."""

    place: Place

    @cached_property
    def undisturbed(self) -> tuple[Raw, list[Step]]:
        """What raw is if nothing disturbs the run, and the steps of it."""
        with self.place.copied() as place:
            steps = place.steps()
            return place.raw(), steps

    def killed(self, *stops: Step | int) -> int:
        """Kill a run, and those that follow it at the further stops, and let one more make raw whole; the kills.

        Raises `NeverCame` if no run came to the first stop: some steps come only where threads meet in one way.
        """
        for _ in range(TRIES):
            if kills := self._killed(stops):
                return kills
        raise NeverCame(f"{TRIES} runs did not come to {stops[0]}")

    def visit(self, *stops: Step | int) -> int:
        """As `killed`; the test is skipped where no run came to the first stop."""
        try:
            return self.killed(*stops)
        except NeverCame as error:
            pytest.skip(str(error))

    def spread(self, number: int, of: int) -> Step:
        """One of so many steps that lie evenly between the run's beginning and its end."""
        steps = self.undisturbed[1]
        return steps[len(steps) * (2 * number + 1) // (2 * of)]

    def _killed(self, stops: Sequence[Step | int]) -> int:
        expected, _ = self.undisturbed
        kills = 0
        with self.place.copied() as place:
            for stop in stops:
                # A run that recovers has fewer steps than the first one, and may end before it comes to this one.
                ended = place.run(stop_at=stop)
                assert ended in (-9, 0), f"ended with {ended} at {stop}: {place.said()}"
                kills += ended == -9
                if not kills:
                    break
            assert place.run() == 0, place.said()
            found = place.raw()
            other = {name: (rows, expected[name]) for name, rows in found.items() if rows != expected[name]}
            assert not other, f"{other}\n{place.said()}"
        return kills


class Scenes:
    """The servers, and the scenes on them, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._made: dict[tuple[str, str, str], Scene] = {}

    def __enter__(self) -> Scenes:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def _sqlserver(self) -> dict[str, Any]:
        return self._open.enter_context(StandInProcess()).output()

    @cached_property
    def _snowflake(self) -> SnowflakeStandIn:
        server = self._open.enter_context(SnowflakeStandIn())
        with opened(server.dbt_output()) as connector:
            connector.execute(Statement(f"CREATE DATABASE {COPY}"))
        return server

    def scene(self, strategy: str, warehouse: str, load: str) -> Scene:
        """load: first, which is a snapshot; or delta, which brings what changed, and looks for keys that are gone."""
        if (strategy, warehouse, load) not in self._made:
            place = self._first(strategy, warehouse, load)
            if load == "delta":
                self._go_on(place)
            self._made[strategy, warehouse, load] = Scene(place)
        return self._made[strategy, warehouse, load]

    def _first(self, strategy: str, warehouse: str, load: str) -> Place:
        entry, statements = STRATEGIES[strategy]
        source = self._open.enter_context(own_database(self._sqlserver))
        execute(source, [*TABLE, *statements, ROWS])
        folder = self._folder / f"{strategy}-{warehouse}-{load}"
        folder.mkdir()
        (folder / "el.yml").write_text(EL_YML.format(entry))
        if warehouse == "duckdb":
            return Place(folder, source, {"type": "duckdb", "path": str(folder / "warehouse.duckdb")})
        output = {**self._snowflake.dbt_output(), "database": f"{strategy}_{load}".upper()}
        with opened(self._snowflake.dbt_output()) as connector:
            connector.execute(Statement(f"CREATE DATABASE {output['database']}"))
        return Place(folder, source, output, self._snowflake)

    def _go_on(self, place: Place) -> None:
        assert place.run() == 0, place.said()
        warehouse = place.warehouse()
        with warehouse.connector as connector:
            ledger = warehouse.qualified("shop_dbo", "_el_ledger")
            connector.execute(Statement(AGE.format(ledger, warehouse.column("started_at"))))
        execute(place.source, CHANGES)


def execute(source: dict[str, Any], statements: list[str]) -> None:
    with connected(source) as server:
        for sql in statements:
            server.driver.execute(Statement(sql))


def opened(output: dict[str, Any]) -> SqlConnector:
    found = open_connector(output)
    assert isinstance(found, SqlConnector)
    return found
