"""deletes: keys: what is gone from a source that shows no deletes becomes `D` rows, and nothing else does."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from el.cli.app import main
from el.extraction.landing import LandedFile
from el.loading.deletes import rows_not_among
from el.loading.spill import MEMORY
from tests.shop import Workspace

CURRENT = """
SELECT * FROM shop_sales.orders WHERE _dlt_load_id IN (SELECT load_id FROM shop_sales._dlt_loads WHERE status = 0)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY _dlt_load_id DESC, _el_position DESC NULLS LAST, _el_op = 'D') = 1
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return with_deletes(Workspace(tmp_path).create(), "{by: keys, every: 0s}")


def with_deletes(shop: Workspace, setting: str) -> Workspace:
    with open(shop.path / "el.yml", "a") as config:
        config.write(f"  - {{name: sales.orders, deletes: {setting}}}\n")
        config.write("  - {name: sales.lines, exclude: true}\n  - {name: sales.nothing, exclude: true}\n")
    return shop


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    assert main(["run", "--json", *arguments]) == code
    tables = {table["table"]: table for table in json.loads(capsys.readouterr().out)["tables"]}
    found: dict[str, object] = tables["sales.orders"]
    return found


def current(shop: Workspace) -> list[tuple[object, ...]]:
    return shop.warehouse(f"SELECT id, note, amount, updated_at FROM ({CURRENT}) WHERE _el_op <> 'D' ORDER BY id")


def in_source(shop: Workspace) -> list[tuple[object, ...]]:
    import duckdb

    with duckdb.connect(str(shop.path / "shop.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT id, note, amount, updated_at FROM sales.orders ORDER BY id").fetchall()


def test_rows_that_are_gone_become_d_rows_beside_the_changed_ones(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    shop.source("DELETE FROM sales.orders WHERE id BETWEEN 100 AND 119")
    shop.source("UPDATE sales.orders SET note = 'new', updated_at = TIMESTAMP '2024-03-01' WHERE id < 5")
    report = run(capsys)
    assert (report["rows"], report["deleted"]) == (25, 20)
    assert current(shop) == in_source(shop)
    gone = shop.complete("orders", "id, note, amount, updated_at, _el_op, _el_position")
    assert [row for row in gone if row[4] == "D"] == [(n, None, None, None, "D", None) for n in range(100, 120)]
    assert shop.complete("_el_ledger", "kind, row_count, deleted_count, upper_bound")[-1] == (
        *("snapshot", 3000, 0),
        "2024-01-03T01:59:00.000000",
    )
    assert ("delta", 25, 20, "2024-03-01T00:00:00.000000") in shop.complete(
        "_el_ledger", "kind, row_count, deleted_count, upper_bound"
    )


def test_deletes_alone_are_a_load_that_leaves_the_bound_where_it_was(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    shop.source("DELETE FROM sales.orders WHERE id = 2000")
    assert run(capsys)["deleted"] == 1
    shop.source("INSERT INTO sales.orders VALUES (2000, 'again', 1, TIMESTAMP '2024-05-01')")
    assert (run(capsys)["rows"], current(shop)) == (1, in_source(shop))
    bounds = shop.complete("_el_ledger", "_dlt_load_id, lower_bound, upper_bound")
    assert [bound[2] for bound in bounds] == [
        *["2024-01-03T01:59:00.000000"] * 2,
        "2024-05-01T00:00:00.000000",
    ]


def test_a_row_deleted_once_is_not_deleted_again(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    shop.source("DELETE FROM sales.orders WHERE id = 7")
    assert run(capsys)["deleted"] == 1
    report = run(capsys)
    assert (report["deleted"], report["status"]) == (0, "nothing new")


def test_a_row_that_comes_again_while_the_keys_are_read_outlives_its_d_row(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same load holds its `D` row, which has no position, and its new row, which has one."""
    run(capsys)
    shop.source("DELETE FROM sales.orders WHERE id = 7")
    run(capsys)
    load = shop.complete("orders", "max(_dlt_load_id)")[0][0]
    shop.warehouse(
        "INSERT INTO shop_sales.orders BY NAME SELECT 7 AS id, 'again' AS note, 'U' AS _el_op, "
        f"'{load}' AS _dlt_load_id, '2024-05-01 00:00:00.000000' AS _el_position"
    )
    assert (7, "again") in [row[:2] for row in current(shop)]


def test_a_row_without_position_that_came_again_outlives_its_d_row_too(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cursor is NULL: neither row of the load has a position, and raw holds the key all the same."""
    run(capsys)
    shop.source("DELETE FROM sales.orders WHERE id = 7")
    run(capsys)
    load = shop.complete("orders", "max(_dlt_load_id)")[0][0]
    shop.warehouse(f"INSERT INTO shop_sales.orders BY NAME SELECT 7 AS id, 'U' AS _el_op, '{load}' AS _dlt_load_id")
    assert 7 in [row[0] for row in current(shop)]
    assert run(capsys)["deleted"] == 1, "raw held it, and the source has it no more"
    assert current(shop) == in_source(shop)


def test_the_keys_are_read_on_a_schedule_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = with_deletes(Workspace(tmp_path).create(), "{by: keys, every: 1d}")
    run(capsys)
    shop.source("DELETE FROM sales.orders WHERE id = 7")
    assert run(capsys)["deleted"] == 0, "the snapshot was the last look at the keys, and it was not a day ago"
    shop.warehouse("UPDATE shop_sales._el_ledger SET started_at = started_at - INTERVAL 25 HOUR")
    assert run(capsys)["deleted"] == 1
    shop.source("DELETE FROM sales.orders WHERE id = 8")
    assert run(capsys)["deleted"] == 0
    shop.warehouse("UPDATE shop_sales._el_ledger SET keys_read_at = keys_read_at - INTERVAL 25 HOUR")
    assert run(capsys)["deleted"] == 1
    assert current(shop) == in_source(shop)


def test_a_look_at_the_keys_that_finds_nothing_is_noted_so_that_it_is_not_due_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = with_deletes(Workspace(tmp_path).create(), "keys")
    run(capsys)
    shop.warehouse("UPDATE shop_sales._el_ledger SET started_at = started_at - INTERVAL 25 HOUR")
    assert run(capsys)["status"] == "unchanged"
    assert len(shop.complete("_el_ledger", "keys_read_at")) == 2, "the snapshot and the look"
    looked = shop.warehouse("SELECT max(keys_read_at) FROM shop_sales._el_ledger")[0][0]
    for arguments in (["plan"], ["plan", "--why"]):
        main(arguments)
        said = capsys.readouterr().out
        assert "key set is read" not in said
        assert f"keys: not before {looked + timedelta(days=1):%Y-%m-%d %H:%M} UTC" in said


def test_too_many_gone_stops_the_table_and_nothing_of_it_is_loaded_until_confirmed(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    shop.source("UPDATE sales.orders SET updated_at = TIMESTAMP '2024-03-01' WHERE id < 5")
    shop.source("DELETE FROM sales.orders WHERE id >= 1500")
    report = run(capsys, code=1)
    assert report["status"] == "failed"
    assert "1,500 of 3,000 rows (50 %) are gone from the source, more than max_percent: 20" in str(report["error"])
    assert "run --confirm-deletes sales.orders" in str(report["error"])
    assert len(current(shop)) == 3000
    report = run(capsys, "--confirm-deletes", "orders")
    assert (report["rows"], report["deleted"]) == (1505, 1500)
    assert current(shop) == in_source(shop)


def test_a_table_that_lost_all_its_rows_is_suspicious_too(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    shop.source("DELETE FROM sales.orders")
    assert "3,000 of 3,000 rows (100 %)" in str(run(capsys, code=1)["error"])
    assert run(capsys, "--confirm-deletes", "sales.*")["deleted"] == 3000
    assert current(shop) == []


def test_keys_of_several_columns_and_of_every_kind_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = Workspace(tmp_path).create()
    shop.source(
        "CREATE TABLE sales.orders2 (a VARCHAR, b DECIMAL(20, 4), c DATE, d BLOB, v INTEGER, noted TIMESTAMP, "
        "PRIMARY KEY (a, b, c, d))"
    )
    shop.source(
        "INSERT INTO sales.orders2 SELECT 'ä ' || i, i / 8, DATE '2024-01-01' + i::INTEGER, encode('x' || i), i, "
        "TIMESTAMP '2024-01-01' FROM range(100) AS t (i)"
    )
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.orders2, cursor: noted, deletes: {by: keys, every: 0s}}\n")
    assert main(["run", "--json", "--select", "orders2"]) == 0
    shop.source("DELETE FROM sales.orders2 WHERE v IN (3, 50, 99)")
    assert main(["run", "--json", "--select", "orders2"]) == 0
    assert shop.complete("orders2", "a, v, _el_op")[:0] == []
    assert [row[0] for row in shop.complete("orders2", "a, _el_op") if row[1] == "D"] == ["ä 3", "ä 50", "ä 99"]


def test_a_key_column_may_be_called_as_what_the_comparison_calls_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = Workspace(tmp_path).create()
    names = ("el_last", "held", "present", "r", "s", "status")
    shop.source(f"CREATE TABLE sales.named ({', '.join(f'{name} INTEGER' for name in names)}, u INTEGER)")
    shop.source(f"INSERT INTO sales.named SELECT {', '.join('i' for _ in names)}, i FROM range(100) AS t (i)")
    with open(shop.path / "el.yml", "a") as config:
        config.write(
            f"  - {{name: sales.named, cursor: u, key: [{', '.join(names)}], deletes: {{by: keys, every: 0s}}}}\n"
        )
    assert main(["run", "--select", "named"]) == 0
    shop.source("DELETE FROM sales.named WHERE u = 3")
    assert main(["run", "--select", "named"]) == 0
    assert shop.complete("named", "el_last, status, _el_op")[3:5] == [(3, 3, "D"), (3, 3, "S")]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{name: sales.orders, deletes: guess}", "Input should be 'keys'"),
        ("{name: sales.orders, deletes: {by: keys, evry: 1d}}", "unknown key"),
    ],
)
def test_what_cannot_be_is_said_before_anything_moves(
    shop: Workspace, capsys: pytest.CaptureFixture[str], entry: str, says: str
) -> None:
    with open(shop.path / "el.yml", "a") as config:
        config.write(f"  - {entry}\n")
    assert main(["run"]) == 2
    assert says in capsys.readouterr().err


def test_a_table_without_a_key_stops_where_its_deletes_are_wanted_by_keys(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(shop.path / "el.yml", "a") as config:
        config.write("  - {name: sales.nothing, exclude: false, cursor: a, deletes: keys}\n")
    assert main(["run"]) == 1
    assert "FAILED sales.nothing: `deletes: keys` needs a key" in capsys.readouterr().out


def test_more_keys_than_the_bound_are_compared_on_disk(tmp_path: Path) -> None:
    """4 million keys of 60 bytes are as large as the bound, and their hash table larger."""
    import pyarrow.parquet as pq

    rows = 4_000_000
    schema = pa.schema([("id", pa.string())])
    held, keys = tmp_path / "held.parquet", tmp_path / "keys.parquet"
    for path, skip in ((held, 0), (keys, 1000)):
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(skip, rows, 100_000):
                numbers = pa.array(range(start, min(start + 100_000, rows)))
                text = pa.compute.utf8_lpad(numbers.cast(pa.string()), 60, "x")
                writer.write_batch(pa.RecordBatch.from_arrays([text], schema=schema))
    assert MEMORY == 256  # MB
    found = rows_not_among(held, [LandedFile(keys, rows - 1000, 0)], schema, ["id"], tmp_path / "gone.parquet")
    assert found == 1000
