"""Every kind of schema table is what its loads say, whatever came late, came again, or was built twice.

The loads are made at random and written into raw as el lands them. What each table must hold is said here once more,
in Python, from all complete loads; and a full refresh has to give the same rows as the increments did.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt.project import ROOT, Project, copy_project

KINDS = ("present", "flagged", "history", "log", "keyless")
MODELS = ("present", "flagged", "history_history", "log_log", "keyless")
EL_YML = """\
version: 1
source: shop
destination: warehouse
dbt: {schema: core}
tables:
  - {name: "main.*"}
  - {name: main.flagged, model: {kind: current, deleted: flag}}
  - {name: main.history, model: history}
  - {name: main.log, model: log}
"""
# Two columns are called what a macro once called columns of its own: it must not matter.
COLUMNS = "(k1 INTEGER NOT NULL, k2 VARCHAR NOT NULL, next_snapshot INTEGER, is_held VARCHAR{key})"
LANDED = (
    "(k1 INTEGER, k2 VARCHAR, next_snapshot INTEGER, is_held VARCHAR, _dlt_load_id VARCHAR, _el_op VARCHAR, "
    "_el_position VARCHAR, _el_extracted_at TIMESTAMP)"
)
NOTED = (
    "(table_name VARCHAR, column_name VARCHAR, source_column VARCHAR, source_type VARCHAR, nullable BOOLEAN, "
    "ordinal BIGINT, column_id BIGINT, table_id BIGINT, landed_as VARCHAR, stands_for VARCHAR, loses VARCHAR, "
    "_dlt_load_id VARCHAR)"
)
LEDGER = (
    "(table_name VARCHAR, kind VARCHAR, row_count BIGINT, started_at TIMESTAMP, finished_at TIMESTAMP, "
    "_dlt_load_id VARCHAR)"
)
Key = tuple[int, str]
Values = tuple[int | None, str | None]


@dataclass(frozen=True)
class Row:
    """One landed row; a delete has only its key."""

    key: Key
    values: Values
    op: str
    position: str | None
    load: str

    @property
    def order(self) -> tuple[str, str]:
        return (self.load, self.position or "")

    @property
    def point(self) -> str:
        return f"{self.load}/{self.position or ''}"


@dataclass
class Load:
    id: str
    kind: str
    rows: list[Row] = field(default_factory=list)


def random_loads(chance: random.Random, count: int) -> list[Load]:
    """A source that changes, and what each load reads of it: snapshots, changes, changes read again, deletes."""
    state: dict[Key, Values] = {}
    loads: list[Load] = []
    position = 0
    last_changes: list[Row] = []
    for number in range(1, count + 1):
        load = Load(f"17000000{number:02d}.000001" if number < 100 else f"1700000{number}.000001", "delta")
        changes: list[Row] = []
        for _ in range(chance.randint(0, 6)):
            key = (chance.randint(1, 8), chance.choice("xy"))
            position += 1
            gone = key in state and chance.random() < 0.3
            if gone:
                del state[key]
                changes.append(Row(key, (None, None), "D", f"{position:06d}", load.id))
            else:
                state[key] = (chance.choice([None, 1, 2]), chance.choice([None, "p", "q"]))
                changes.append(Row(key, state[key], "U", f"{position:06d}", load.id))
        if number == 1 or chance.random() < 0.12:
            load.kind = "snapshot"
            placed = None if chance.random() < 0.5 else f"{position:06d}"
            load.rows = [Row(key, values, "S", placed, load.id) for key, values in state.items()]
        else:
            again = [row for row in last_changes if chance.random() < 0.3 and row.key in state]
            repeated = [Row(row.key, row.values, row.op, row.position, load.id) for row in again]
            load.rows = repeated + changes
        last_changes = changes
        loads.append(load)
    return loads


def expected(kind: str, loads: Sequence[Load]) -> set[tuple[Any, ...]]:
    """What the table of a kind has to hold of these complete loads."""
    return set(_ORACLES[kind](sorted(loads, key=lambda load: load.id)))


def _current(loads: Sequence[Load]) -> Iterable[tuple[Any, ...]]:
    snapshot = max((load.id for load in loads if load.kind == "snapshot"), default="")
    latest: dict[Key, Row] = {}
    for row in sorted((r for load in loads if load.id >= snapshot for r in load.rows), key=lambda r: r.order):
        latest[row.key] = row
    return ((*row.key, *row.values, row.load) for row in latest.values() if row.op != "D")


def _flagged(loads: Sequence[Load]) -> Iterable[tuple[Any, ...]]:
    rows = sorted((row for load in loads for row in load.rows), key=lambda row: row.order)
    for key in {row.key for row in rows}:
        valued = [row for row in rows if row.key == key and row.op != "D"]
        if not valued:
            continue
        last = valued[-1]
        ends = [row.load for row in rows if row.key == key and row.op == "D" and row.order > last.order]
        ends += [load.id for load in loads if load.kind == "snapshot" and load.id > last.load]
        yield (*key, *last.values, last.load, bool(ends), min(ends, default=None))


def _history(loads: Sequence[Load]) -> Iterable[tuple[Any, ...]]:
    rows = sorted((row for load in loads for row in load.rows), key=lambda row: row.order)
    for key in {row.key for row in rows}:
        events: list[tuple[str, Row | None]] = [(row.point, row) for row in rows if row.key == key]
        seen = {row.load for row in rows if row.key == key}
        events += [(f"{load.id}/", None) for load in loads if load.kind == "snapshot" and load.id not in seen]
        held: tuple[str, Row] | None = None
        for point, row in sorted(events, key=lambda event: event[0]):
            if row is not None and row.op != "D":
                if held is None or held[1].values != row.values:
                    if held is not None:
                        yield (*key, *held[1].values, held[0], point)
                    held = (point, row)
            elif held is not None:
                yield (*key, *held[1].values, held[0], point)
                held = None
        if held is not None:
            yield (*key, *held[1].values, held[0], None)


def _log(loads: Sequence[Load]) -> Iterable[tuple[Any, ...]]:
    return ((*row.key, *row.values, row.op, row.position, row.load) for load in loads for row in load.rows)


def _keyless(loads: Sequence[Load]) -> Iterable[tuple[Any, ...]]:
    snapshots = [load for load in loads if load.kind == "snapshot"]
    return ((*row.key, *row.values, row.load) for row in (snapshots[-1].rows if snapshots else []))


_ORACLES: dict[str, Callable[[Sequence[Load]], Iterable[tuple[Any, ...]]]] = {
    "present": _current,
    "flagged": _flagged,
    "history": _history,
    "log": _log,
    "keyless": _keyless,
}
SHOWN = {
    "present": "k1, k2, next_snapshot, is_held, _dlt_load_id FROM core.present",
    "flagged": "k1, k2, next_snapshot, is_held, _dlt_load_id, _el_deleted, _el_deleted_load_id FROM core.flagged",
    "history": "k1, k2, next_snapshot, is_held, _el_valid_from, _el_valid_to FROM core.history_history",
    "log": "k1, k2, next_snapshot, is_held, _el_op, _el_position, _dlt_load_id FROM core.log_log",
    "keyless": "k1, k2, next_snapshot, is_held, _dlt_load_id FROM core.keyless",
}


class History:
    """A generated project over a raw schema that the test fills itself."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        (folder / "local").mkdir(parents=True)
        (folder / "el.yml").write_text(EL_YML)
        shutil.copy(ROOT / "profiles.example.yml", folder / "profiles.yml")
        copy_project(folder, generated=False)
        with duckdb.connect(str(folder / "local" / "shop.duckdb")) as source:
            for kind in KINDS:
                key = "" if kind == "keyless" else ", PRIMARY KEY (k1, k2)"
                source.execute(f"CREATE TABLE {kind} {COLUMNS.format(key=key)}")
        self.project.el("codegen")
        self.project.warehouse(
            "CREATE SCHEMA shop_main",
            "CREATE TABLE shop_main._dlt_loads (load_id VARCHAR, status BIGINT, inserted_at TIMESTAMPTZ)",
            f"CREATE TABLE shop_main._el_ledger {LEDGER}",
            f"CREATE TABLE shop_main._el_columns {NOTED}",
            *(f"CREATE TABLE shop_main.{kind} {LANDED}" for kind in KINDS),
        )

    def land(self, load: Load) -> None:
        """Write a load into raw; it is not complete yet."""
        with duckdb.connect(str(self.project.path / "local" / "warehouse.duckdb")) as raw:
            for kind in KINDS:
                raw.execute(
                    f"INSERT INTO shop_main._el_ledger VALUES ('{kind}', ?, ?, now(), now(), ?)",
                    [load.kind, len(load.rows), load.id],
                )
                for row in load.rows:
                    raw.execute(
                        f"INSERT INTO shop_main.{kind} VALUES (?, ?, ?, ?, ?, ?, ?, '2024-01-01')",
                        [*row.key, *row.values, row.load, row.op, row.position],
                    )

    def complete(self, load: Load) -> None:
        self.project.warehouse(f"INSERT INTO shop_main._dlt_loads VALUES ('{load.id}', 0, now())")

    def lose_the_notes_of_the_last_build(self) -> None:
        """As after a build that was killed when its tables were done: it notes at its end what it took."""
        self.project.warehouse(
            "DELETE FROM staging.el_loads_taken WHERE noted_at = (SELECT max(noted_at) FROM staging.el_loads_taken)"
        )

    def shown(self) -> dict[str, list[tuple[Any, ...]]]:
        return {kind: self.project.warehouse(f"SELECT {SHOWN[kind]} ORDER BY ALL") for kind in KINDS}

    def rows_of_a_build(self) -> dict[str, int]:
        """How many rows each model's query gives, as it was last compiled."""
        compiled = self.project.path / "target" / "compiled" / "el" / "models" / "core"
        return {
            name: self.project.warehouse(f"SELECT count(*) FROM ({(compiled / f'{name}.sql').read_text()})")[0][0]
            for name in MODELS
        }

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: self.project.warehouse(f"SELECT * FROM core.{name} ORDER BY ALL") for name in MODELS}


def play(folder: Path, seed: int, count: int, builds: int) -> None:
    """Let `count` loads come in a random order of completion, build in between, and compare each time."""
    chance = random.Random(seed)
    history = History(folder)
    loads = random_loads(chance, count)
    for load in loads:
        history.land(load)
    late = {load.id: number + chance.choice([0, 0, 0, 3, 12]) for number, load in enumerate(loads)}
    order = sorted(loads, key=lambda load: (late[load.id], load.id))
    complete: list[Load] = []
    size = -(-count // builds)
    for first in range(0, count, size):
        for load in order[first : first + size]:
            history.complete(load)
            complete.append(load)
        history.project.models()
        for kind, rows in history.shown().items():
            assert len(rows) == len(set(rows)), f"{kind} has a row twice, seed {seed}"
            assert set(rows) == expected(kind, complete), f"{kind} after {len(complete)} loads, seed {seed}"
        if chance.random() < 0.5:
            history.lose_the_notes_of_the_last_build()
    built = history.everything()
    history.lose_the_notes_of_the_last_build()
    history.project.models()
    assert history.everything() == built, "a build that takes again what a killed one took changes nothing"
    history.project.models()
    assert history.everything() == built, "a build with nothing new changes nothing"
    assert history.rows_of_a_build() == dict.fromkeys(MODELS, 0), "with nothing new no row of raw comes"
    history.project.models("--full-refresh")
    assert history.everything() == built, "a full refresh gives what the increments gave"


def test_every_kind_of_table_is_what_its_loads_say_with_late_and_repeated_ones(tmp_path: Path) -> None:
    play(tmp_path, seed=7, count=36, builds=4)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_kind_of_table_is_what_its_loads_say_over_200_loads(tmp_path: Path, seed: int) -> None:
    play(tmp_path, seed=seed, count=200, builds=25)
