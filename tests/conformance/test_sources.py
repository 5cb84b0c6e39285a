"""What every source owes to a run: no row lost or doubled by a cursor or a partition, values and types as they are.

The source's tables, one for each type, are taken by `el run` into DuckDB.
"""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from el.cli.app import main
from el.connectors.abilities import CursorSource, SplitSource
from el.connectors.catalog import TableName
from el.connectors.request import Condition, Op, ReadRequest
from el.connectors.sql.connector import SqlConnector
from el.errors import ElError
from tests.conformance.facts import Facts, Held
from tests.conformance.sources import SOURCES, SourceFacts, Stock
from tests.forked import call

ROOT = Path(__file__).parents[2]
LATE = 1000


@dataclass
class Shop:
    """A source, and a warehouse that takes it."""

    facts: SourceFacts
    stock: Stock
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def tables(self, settings: str = "", prefix: str = "t", of: Sequence[Held] | None = None) -> dict[str, Held]:
        """The name of a table for each type, all or these; el.yml takes them with these settings besides."""
        found = {f"{prefix}_{number:02d}": held for number, held in enumerate(of or self.facts.held)}
        with (self.folder / "el.yml").open("a") as file:
            for name in found:
                file.write(f"  - {{name: {self.stock.schema}.{name}{settings}}}\n")
        return found

    def make(self, name: str, declared: str, values: pa.Array) -> None:
        self.stock.make(name, {"id": self.facts.whole, "v": declared}, rows(range(len(values)), values))

    def run(self) -> dict[str, dict[str, Any]]:
        """`el run`; the report of each table by its name."""
        main(["run", "--json"])
        out, err = self.capsys.readouterr()
        assert out, err
        report = json.loads(out)
        return {table["table"].partition(".")[2]: table for table in report["tables"]}

    def raw(self, name: str, columns: str = "id") -> pa.Table:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as warehouse:
            found = f"SELECT {columns} FROM shop_{self.stock.schema}.{name} ORDER BY id, _dlt_load_id"
            return warehouse.sql(found).to_arrow_table()

    def ids(self, name: str) -> list[int]:
        return [int(value) for value in self.raw(name).column("id").to_pylist()]


def rows(ids: Any, values: pa.Array) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "v": values})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each source; where a feed is tested, those that have one."""
    if "shop" in metafunc.fixturenames and "of_feed" in metafunc.fixturenames:
        pairs = [(facts, feed) for facts in SOURCES for feed in facts.feeds]
        ids = [f"{facts}-{feed}" for facts, feed in pairs]
        metafunc.parametrize(("shop", "of_feed"), pairs, ids=ids, indirect=["shop"])
    elif "shop" in metafunc.fixturenames:
        metafunc.parametrize("shop", SOURCES, ids=str, indirect=True)


@pytest.fixture
def shop(
    request: pytest.FixtureRequest,
    outputs: Callable[[Facts], dict[str, Any]],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shop]:
    facts: SourceFacts = request.param
    with facts.opened(outputs) as stock:
        warehouse = {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}
        named = {"shop": stock.output, "warehouse": warehouse}
        profiles = {name: {"target": "it", "outputs": {"it": output}} for name, output in named.items()}
        (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
        (folder / "el.yml").write_text(
            "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {workers: 2, retries: 0}\ntables:\n"
        )
        yield Shop(facts, stock, folder, capsys)


def finite(held: Held) -> list[Any]:
    """The values that have a place in an order."""
    return [value for value in held.values if not (isinstance(value, float) and not math.isfinite(value))]


def bound(held: Held) -> Any:
    """The greatest value that does not lie in the future, which no bound passes."""
    now: Any = datetime.now(UTC).replace(tzinfo=None)
    values = finite(held)
    if isinstance(values[0], datetime):
        now = now if values[0].tzinfo is None else now.replace(tzinfo=UTC)
        values = [value for value in values if value <= now]
    elif isinstance(values[0], date):
        values = [value for value in values if value <= now.date()]
    return max(values)


def test_a_row_that_comes_late_at_the_bound_is_loaded_whatever_the_cursors_type(shop: Shop) -> None:
    """Without a lag of all types, and with that which is given unasked of one type of each kind."""
    of_each_kind = list({held.arrow.id: held for held in reversed(shop.facts.held)}.values())
    by_default = shop.tables(", cursor: v", "by_default", of_each_kind)
    late_rows_are_loaded(shop, shop.tables(", cursor: v, lag: 0", "exactly") | by_default)


@pytest.mark.soak
def test_a_row_that_comes_late_at_the_bound_is_loaded_by_default_whatever_the_cursors_type(shop: Shop) -> None:
    late_rows_are_loaded(shop, shop.tables(", cursor: v", "by_default"))


def late_rows_are_loaded(shop: Shop, tables: dict[str, Held]) -> None:
    for name, held in tables.items():
        shop.make(name, held.declared, pa.array([*finite(held), None], held.arrow))
    taken = shop.run()
    refused = {name: table["error"] for name, table in taken.items() if table["status"] == "failed"}
    assert all("cursor v: " in error for error in refused.values()), refused
    cursors = {name: held for name, held in tables.items() if name not in refused}
    assert len(cursors) >= 6
    for name, held in cursors.items():
        shop.stock.add(name, rows([LATE], pa.array([bound(held)], held.arrow)))
    shop.run()
    lost = [f"{name}: {held}" for name, held in cursors.items() if LATE not in shop.ids(name)]
    assert lost == [], "rows that came late at the bound were lost"


def test_partitions_have_every_row_once_null_and_the_extremes_too(shop: Shop) -> None:
    tables = shop.tables(f", {shop.facts.divided}")
    for name, held in tables.items():
        more = range(20) if pa.types.is_integer(held.arrow) else ()
        shop.make(name, held.declared, pa.array([*held.values, *more, None, None], held.arrow))
        shop.stock.gather(name)
    taken = shop.run()
    refused = {name: table["error"] for name, table in taken.items() if table["status"] == "failed"}
    assert all("partition_by: 'v'" in error for error in refused.values()), refused
    divided = [name for name in tables if name not in refused]
    assert divided
    with duckdb.connect(str(shop.folder / "warehouse.duckdb")) as warehouse:
        ledger = f"SELECT source_table, partitions FROM shop_{shop.stock.schema}._el_ledger"
        parts = {name.partition(".")[2]: count for name, count in warehouse.execute(ledger).fetchall()}
    assert max(parts.values()) == 4
    if isinstance(shop.stock.connector, SqlConnector):
        catalog = shop.stock.connector.describe([shop.stock.schema])
        types = {table.name.name: column.type for table in catalog.tables if (column := table.column("v"))}
        kinds = {shop.stock.connector.facts(types[name]).kind for name, count in parts.items() if count > 1}
        assert kinds >= shop.facts.divides
    for name in divided:
        assert shop.ids(name) == list(range(taken[name]["rows"])), tables[name]
        assert taken[name]["rows"] >= len(tables[name].values) + 2


def test_edge_values_of_every_type_stand_in_raw_as_they_are(shop: Shop) -> None:
    tables = shop.tables()
    for name, held in tables.items():
        shop.make(name, held.declared, held.array())
    taken = shop.run()
    assert {table["status"] for table in taken.values()} == {"loaded"}, taken
    differ = []
    for name, held in tables.items():
        found = shop.raw(name, "id, v").column("v")
        try:
            found = found.cast(held.arrow)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            # The type travels as text, and its own tests say how.
            assert pa.types.is_string(found.type), held
            continue
        if [repr(value) for value in found.to_pylist()] != [repr(value) for value in held.array().to_pylist()]:
            differ.append(str(held))
    assert differ == []


def test_the_canonical_text_of_a_value_finds_it_again(shop: Shop) -> None:
    """A bound is kept as text: it must be the same text each time, and the same value when it comes back."""
    source, tables, found = shop.stock.connector, shop.tables(), []
    assert isinstance(source, CursorSource)
    for name, held in tables.items():
        if isinstance(held.values[0], str | bytes | bool):
            continue
        shop.make(name, held.declared, pa.array([*finite(held), None], held.arrow))
    catalog = source.describe([shop.stock.schema])
    for name, held in tables.items():
        table = catalog.table(TableName(shop.stock.schema, name))
        column = table.column("v") if table is not None else None
        if table is None or column is None:
            continue
        request = ReadRequest(table=table.name)
        try:
            greatest = source.max_value(request, "v", column.type)
            # What only SQL's ranges ask.
            least = source.min_value(request, "v", column.type) if isinstance(source, SqlConnector) else None
        except ElError:
            continue  # A type without an order.
        assert greatest is not None, held
        assert least is not None or not isinstance(source, SqlConnector), held
        for value, wanted, beyond in ((greatest, max(finite(held)), Op.GT), (least, min(finite(held)), Op.LT)):
            if value is None:
                continue
            if not isinstance(wanted, float):
                assert canonical(value.text) == canonical(wanted), held
            ids = [index for index, each in enumerate(finite(held)) if each == wanted]
            for op, expected in ((Op.EQ, ids), (beyond, [])):
                read = ReadRequest(table=table.name, where=(Condition("v", op, value),))
                batch = source.read_buffer(read).to_arrow()
                assert sorted(int(each) for each in batch.column("id").to_pylist()) == expected, (held, op, value)
        assert (source.extent(request, "v", column.type, greatest).against, held) == (0, held)
        found.append(held)
    assert len(found) >= 6


def canonical(value: Any) -> Any:
    """A value, or its canonical text, as what can be compared."""
    if isinstance(value, time):
        return value
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat()
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, str):
        text = value
    else:
        return Decimal(value) if isinstance(value, int | Decimal) else value
    if "T" in text:
        assert len(text.partition("T")[0]) == len("2024-02-29"), text
        return datetime.fromisoformat(text.removesuffix("Z")[:26])
    if ":" in text:
        return time.fromisoformat(text)
    try:
        return Decimal(text) if "e" not in text.lower() else float(text)
    except ArithmeticError:
        return date.fromisoformat(text)


def test_a_column_that_became_wider_is_followed(shop: Shop) -> None:
    before, after = shop.facts.wide
    with (shop.folder / "el.yml").open("a") as file:
        file.write(f"  - {{name: {shop.stock.schema}.grown, cursor: id}}\n")
    shop.make("grown", before, pa.array([Decimal("1.25"), None], pa.decimal128(5, 2)))
    shop.run()
    shop.stock.widen("grown", "v", after)
    shop.stock.add("grown", rows([LATE], pa.array([Decimal("1234567890.12")], pa.decimal128(12, 2))))
    assert shop.run()["grown"]["status"] == "loaded"
    values = shop.raw("grown", "id, v").column("v").to_pylist()
    assert set(values) == {Decimal("1.25"), None, Decimal("1234567890.12")}


def test_the_parts_of_a_read_are_values_that_another_process_can_read(shop: Shop) -> None:
    source = shop.stock.connector
    assert isinstance(source, SplitSource)
    shop.make("parted", shop.facts.whole, pa.array([*range(20), None, -(2**40), 2**40], pa.int64()))
    table = source.describe([shop.stock.schema]).table(TableName(shop.stock.schema, "parted"))
    assert table is not None
    request = ReadRequest(table=table.name)
    by = table.column("v") if source.split_by_column else None
    splits = source.splits(request, 3, by)
    assert len(splits) == 3
    # A row comes meanwhile with a value beyond all others, and one without.
    shop.stock.add("parted", rows([LATE, LATE + 1], pa.array([2**50, None], pa.int64())))
    parts = [pickle.loads(pickle.dumps(replace(request, split=split))) for split in splits]
    found = [source.read_buffer(part).to_arrow().column("id").to_pylist() for part in parts]
    assert sorted(int(each) for ids in found for each in ids) == [*range(23), LATE, LATE + 1]


def followed(shop: Shop, feed: str) -> Stock:
    """A table `log` of which this feed keeps the changes, loaded."""
    shop.make("log", shop.facts.whole, pa.array([0, 10, 20, 30, 40], pa.int64()))
    shop.stock.follow("log", feed)
    with (shop.folder / "el.yml").open("a") as file:
        file.write(f"  - {{name: {shop.stock.schema}.log, strategy: changes}}\n")
    taken = shop.run()["log"]
    assert (taken["strategy"], taken["kind"]) == (feed, "snapshot"), taken
    return shop.stock


def last_of_each_key(shop: Shop) -> dict[int, int]:
    """What raw says that the table holds: of each key the last row in the order of loads and positions."""
    found: dict[int, int | None] = {}
    changes = shop.raw("log", "id, v, _el_op, _el_position, _dlt_load_id")
    for row in changes.sort_by([("_dlt_load_id", "ascending"), ("_el_position", "ascending")]).to_pylist():
        if row["_el_op"] != "B":
            found[int(row["id"])] = None if row["_el_op"] == "D" else int(row["v"])
    return {id_: value for id_, value in found.items() if value is not None}


def test_inserts_updates_deletes_and_changed_keys_come_in_the_order_of_the_log(shop: Shop, of_feed: str) -> None:
    stock = followed(shop, of_feed)
    stock.put("log", 0, 1)
    stock.put("log", 0, 2)
    stock.remove("log", 1)
    stock.put("log", 1, 11)
    stock.remove("log", 2)
    stock.move("log", 3, 33)
    stock.put("log", 5, 50)
    taken = shop.run()["log"]
    assert (taken["kind"], last_of_each_key(shop)) == ("delta", {0: 2, 1: 11, 33: 30, 4: 40, 5: 50})
    assert shop.run()["log"]["status"] == "nothing new"
    # The next delta begins where that one ended, also for a key that is used again.
    stock.put("log", 2, 22)
    stock.move("log", 33, 3)
    shop.run()
    assert last_of_each_key(shop) == {0: 2, 1: 11, 2: 22, 3: 30, 4: 40, 5: 50}


def test_a_feed_that_forgot_is_loud_and_no_change_is_passed_over(shop: Shop, of_feed: str) -> None:
    stock = followed(shop, of_feed)
    stock.remove("log", 1)
    stock.put("log", 2, 21)
    stock.forget("log", of_feed)
    stock.put("log", 4, 41)
    taken = shop.run()["log"]
    if taken["status"] != "failed":
        assert any("a new snapshot begins: " in note for note in taken["notes"]), "changes were passed over"
    else:
        assert "--full-refresh" in taken["error"]
        main(["run", "--json", "--full-refresh"])
        shop.capsys.readouterr()
    loads = shop.raw("log", "id, _dlt_load_id, _el_op").to_pylist()
    newest = max(row["_dlt_load_id"] for row in loads)
    assert sorted(row["id"] for row in loads if row["_dlt_load_id"] == newest) == [0, 2, 3, 4]


MUTANTS = [
    (
        test_a_row_that_comes_late_at_the_bound_is_loaded_whatever_the_cursors_type,
        "jsonlines",
        "LosesTheBound",
        "rows that came late at the bound were lost",
    ),
    (test_the_parts_of_a_read_are_values_that_another_process_can_read, "jsonlines", "CutsTheLastPart", "assert"),
    (
        test_a_feed_that_forgot_is_loud_and_no_change_is_passed_over,
        "jsonlines-log",
        "ForgetsSilently",
        "changes were passed over",
    ),
]


@pytest.mark.parametrize(("test", "which", "mutant", "says"), MUTANTS, ids=[mutant for _, _, mutant, _ in MUTANTS])
def test_a_source_that_loses_rows_fails_this_suite(
    test: Callable[..., None], which: str, mutant: str, says: str
) -> None:
    asked = ["-q", "-p", "no:cacheprovider", f"{__file__}::{test.__name__}[{which}]"]
    done = call("pytest", asked, ROOT, {**os.environ, "EL_TEST_JSONLINES": f"mutants:{mutant}"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert says in done.stdout
