"""A stranger adds a database with a package of his own: a store of JSON lines, of which el/ knows nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tests.guests import installed

ROOT = Path(__file__).parents[2]
EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
tables:
"""


@dataclass(frozen=True)
class Store:
    """A folder with a store of JSON lines, el.yml, profiles.yml, and what an installed package leaves."""

    path: Path
    path_of_python: str

    def table(self, name: str, columns: dict[str, str], key: list[str], *rows: dict[str, Any]) -> None:
        file = self.path / "store" / f"{name.replace('.', '/')}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".json").write_text(json.dumps({"columns": columns, "key": key}))
        file.write_text("")
        self.add(name, *rows)

    def add(self, name: str, *rows: dict[str, Any]) -> None:
        with (self.path / "store" / f"{name.replace('.', '/')}.jsonl").open("a") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)

    def log(self, name: str, first: int | None, *changes: dict[str, Any]) -> None:
        """Begin the log beside a table at a number, or go on with it."""
        path = (self.path / "store" / f"{name.replace('.', '/')}.log").open("w" if first is not None else "a")
        with path as file:
            lines = [{"first": first}, *changes] if first is not None else changes
            file.writelines(f"{json.dumps(line)}\n" for line in lines)

    def held(self, name: str) -> int:
        return int((self.path / "store" / "sales" / f"{name}.held").read_text())

    def el_yml(self, tables: str) -> None:
        (self.path / "el.yml").write_text(EL_YML + tables)

    def el(self, *arguments: str, code: int = 0) -> str:
        """`python -m el.run`, or another command of el; what it says."""
        module = ["el"] if arguments and arguments[0] == "plan" else ["el.run"]
        done = subprocess.run(
            [sys.executable, "-m", *module, *arguments],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": self.path_of_python},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def raw(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folders = installed(tmp_path / "site", "el_jsonlines", "jsonlines = el_jsonlines:JsonLines")
    outputs = {
        "shop": {"type": "jsonlines", "folder": str(tmp_path / "store")},
        "warehouse": {"type": "duckdb", "path": str(tmp_path / "warehouse.duckdb")},
    }
    profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in outputs.items()}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return Store(tmp_path, os.pathsep.join(str(folder) for folder in (*folders, ROOT)))


ORDERS = {"id": "whole not null", "note": "string", "amount": "decimal(12,2)", "changed": "second"}


def test_a_database_that_el_does_not_know_is_planned_and_loaded_whole_and_by_cursor(store: Store) -> None:
    store.table(
        "sales.orders",
        ORDERS,
        ["id"],
        {"id": 1, "note": "one", "amount": "12.50", "changed": "2024-02-29T12:00:00"},
        {"id": 2, "note": None, "amount": 0.1, "changed": "2024-02-29T12:00:01"},
    )
    store.table("sales.regions", {"code": "string not null"}, ["code"], {"code": "eu"}, {"code": "us"})
    store.el_yml("  - {name: 'sales.*'}\n  - {name: sales.orders, cursor: changed, lag: 0}\n")
    said = store.el("plan")
    assert "sales.orders" in said
    assert "cursor" in said
    asked = store.el("plan", "--sql")
    assert "-- sales.regions sales.regions: code" in asked
    assert "where changed <= 2024-02-29T12:00:01 or null" in asked
    store.el()
    columns = "id, note, amount, changed::VARCHAR, _el_op"
    first = [(1, "one", 12.50, "2024-02-29 12:00:00", "S"), (2, None, 0.10, "2024-02-29 12:00:01", "S")]
    found = store.raw(f"SELECT {columns} FROM shop_sales.orders ORDER BY id")
    assert [(n, note, float(amount), changed, op) for n, note, amount, changed, op in found] == first
    assert store.raw("SELECT code FROM shop_sales.regions ORDER BY 1") == [("eu",), ("us",)]
    # In the bound's own second, and with a value of its own.
    store.add("sales.orders", {"id": 3, "note": "late", "amount": "1.00", "changed": "2024-02-29T12:00:01"})
    store.add("sales.orders", {"id": 4, "note": "new", "amount": "1.00", "changed": "2024-03-01T00:00:00"})
    store.el()
    added = store.raw("SELECT id, _el_op FROM shop_sales.orders WHERE _el_op = 'U' ORDER BY id")
    assert added == [(3, "U"), (4, "U")]


def test_the_source_is_told_of_every_table_up_to_where_raw_holds_its_changes(store: Store) -> None:
    for name in ("one", "two", "three"):
        store.table(f"sales.{name}", {"id": "whole not null"}, ["id"])
        store.log(f"sales.{name}", 1)
    store.el_yml("  - {name: sales.*}\n")
    store.el()
    assert [store.held(name) for name in ("one", "two", "three")] == [0, 0, 0]
    for name in ("one", "two", "three"):
        store.log(f"sales.{name}", None, {"op": "U", "row": {"id": 1}}, {"op": "U", "row": {"id": 2}})
    # Of the second the changes are lost: it stays where it is. The third is not selected.
    store.log("sales.two", 3)
    store.el("--select", "sales.one", "sales.two", code=1)
    assert [store.held(name) for name in ("one", "two", "three")] == [2, 0, 0]
    assert store.raw("SELECT id, _el_op FROM shop_sales.one ORDER BY id") == [(1, "U"), (2, "U")]


def test_a_snapshot_that_knows_its_position_in_the_log_goes_on_from_there(store: Store) -> None:
    """Of its parts each has its own, and the first of these counts; here all are read after the change."""
    store.table("sales.one", {"id": "whole not null"}, ["id"], {"id": 1})
    store.log("sales.one", 1)
    store.el_yml("  - {name: sales.*, partitions: 2}\n")
    # The plan is made before the change, which is then among the rows, and not read again.
    begun = "import el_jsonlines_log as log; log.Log.now = lambda feed, since=None: log._position(0)"
    store.log("sales.one", None, {"op": "U", "row": {"id": 1}})
    done = subprocess.run(
        [sys.executable, "-c", f"{begun}; from el.cli.app import main; raise SystemExit(main(['run']))"],
        cwd=store.path,
        env={**os.environ, "PYTHONPATH": store.path_of_python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ledger = store.raw("SELECT kind, partitions, upper_bound::BIGINT FROM shop_sales._el_ledger")
    assert ledger == [("snapshot", 2, 1)]
    assert "nothing new" in store.el()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            "{name: sales.orders, columns: {note: {cast: varchar(20)}}}",
            "sales.orders.note: cast varchar(20): jsonlines",
        ),
        (
            "{name: sales.orders, columns: {note: {mask: sha256}}}",
            "sales.orders.note: mask sha256: jsonlines has no SQL",
        ),
        (
            "{name: sales.switches, filters: [{column: done, op: '<', value: 'true'}]}",
            "sales.switches.done: jsonlines cannot filter flag by <: leave out the filter",
        ),
        ("{name: sales.switches, cursor: done}", "sales.switches: strategy cursor: cursor done: "),
        ("{name: sales.lately, query: 'SELECT 1', key: [id]}", "jsonlines has no SQL for a `query`"),
        ("{name: sales.shapes}", "sales.shapes.shape: type shape cannot be carried: exclude the column"),
    ],
)
def test_what_needs_sql_is_refused_by_name_where_the_source_has_none(store: Store, entry: str, says: str) -> None:
    store.table("sales.orders", ORDERS, ["id"], {"id": 1})
    store.table("sales.shapes", {"shape": "shape"}, [])
    store.table("sales.switches", {"id": "whole not null", "done": "flag"}, ["id"])
    store.el_yml(f"  - {entry}\n")
    assert says in store.el("plan", code=2)


def test_a_read_carries_the_type_that_the_plan_expects_of_each_column(store: Store) -> None:
    store.table("sales.orders", ORDERS, ["id"], {"id": 1, "changed": "2024-02-29T12:00:00"})
    store.el_yml("  - {name: sales.orders, cursor: changed}\n")
    program = (
        "from pathlib import Path\n"
        "from el.config.job import Job\n"
        "from el.config.profiles import load_output\n"
        "from el.config.settings import load_config\n"
        "from el.plan_job import show_plan\n"
        "outputs = [load_output(Path('profiles.yml'), name, None) for name in ('shop', 'warehouse')]\n"
        "plan = show_plan(Job(load_config(Path('el.yml')), *outputs, home=Path('.el')))\n"
        "print([str(column.arrow) for column in plan.tables[0].reads[0].columns])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=store.path,
        env={**os.environ, "PYTHONPATH": store.path_of_python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == str(["int64", "string", "decimal128(12, 2)", "timestamp[us]"]), done.stderr
