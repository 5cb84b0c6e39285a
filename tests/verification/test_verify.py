"""`python -m el verify`: each fault that is put into raw or into the source is found, and nothing else."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from el.cli.app import main
from tests.shop import Workspace
from tests.steps import once_at
from tests.verification.asked import verified

NOTES = """
CREATE TABLE sales.notes (id INTEGER PRIMARY KEY, body VARCHAR, price DOUBLE, photo BLOB, seen TIMESTAMP);
INSERT INTO sales.notes SELECT i, 'note ' || i, i / 7, 'x', TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR
    FROM range(500) AS t (i);
UPDATE sales.notes SET body = '', price = CAST('-0.0' AS DOUBLE), photo = NULL WHERE id = 8;
INSERT INTO sales.notes VALUES (1000, 'last', 1, NULL, '2024-06-01');
"""


EL_YML = """\
version: 1
source: shop
destination: warehouse
defaults: {workers: 2, retries: 0}
tables:
  - {name: sales.notes, STRATEGY}
"""


@pytest.fixture
def shop(folder: Path) -> Workspace:
    return loaded(folder, "cursor: seen, key: [id]")


def loaded(folder: Path, strategy: str, notes: str = NOTES) -> Workspace:
    shop = Workspace(folder).create()
    (folder / "el.yml").write_text(EL_YML.replace("STRATEGY", strategy))
    shop.source(notes)
    assert main(["run", "--progress", "none"]) == 0
    return shop


def test_what_was_loaded_is_equal_and_noted(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    found = verified(capsys)
    assert found["verdict"] == "EQUAL"
    # The row at the bound is read again by the next load.
    assert (found["counts"]["compared"], found["counts"]["equal"], found["counts"]["late"]) == (500, 500, 1)
    rows = shop.warehouse("SELECT table_name, verdict, compared_rows, late_rows FROM shop_sales._el_verified")
    assert rows == [("notes", "EQUAL", 500, 1)]


FAULTS = {
    "lost": ("DELETE FROM {t} WHERE id = 7", "missing", "7", None),
    "digit": ("UPDATE {t} SET price = price + 1e-15 WHERE id = 7", "different", "7", "price"),
    "trailing blank": ("UPDATE {t} SET body = body || ' ' WHERE id = 7", "different", "7", "body"),
    "null for empty": ("UPDATE {t} SET body = NULL WHERE id = 8", "different", "8", "body"),
    "empty for null": ("UPDATE {t} SET photo = '' WHERE id = 8", "different", "8", "photo"),
    "minus zero": (
        "UPDATE {t} SET price = 5 WHERE id = 8; UPDATE {t} SET price = 0.0 WHERE id = 8",
        "different",
        "8",
        "price",
    ),
    "case": ("UPDATE {t} SET body = upper(body) WHERE id = 7", "different", "7", "body"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_raw_is_found_with_its_key_and_column(
    shop: Workspace, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    sql, kind, key, column = FAULTS[fault]
    shop.warehouse(sql.format(t="shop_sales.notes"))
    found = verified(capsys, code=4)
    assert found["verdict"] == "DIFFERENT"
    (sample,) = found["samples"]
    assert (sample["kind"], sample["key"], sample["values"]) == (kind, {"id": key}, None)
    assert sample["columns"] == ([column] if column else [])
    assert found["columns"] == ({column: 1} if column else {})


def test_a_swapped_pair_of_values_is_found_in_both_rows(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.warehouse("UPDATE shop_sales.notes SET body = 'note ' || CASE id WHEN 7 THEN 9 ELSE 7 END WHERE id IN (7, 9)")
    found = verified(capsys, "--show-values", code=4)
    assert [(each["key"]["id"], each["values"]) for each in found["samples"]] == [
        ("7", {"body": ["note 7", "note 9"]}),
        ("9", {"body": ["note 9", "note 7"]}),
    ]


def test_a_row_that_stands_twice_in_raw_is_found(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.warehouse("INSERT INTO shop_sales.notes SELECT * FROM shop_sales.notes WHERE id = 7")
    found = verified(capsys, code=4)
    assert "raw has 502 rows, the ledger 501" in found["why"]
    assert [(each["kind"], each["key"]) for each in found["samples"]] == [("doubled", {"id": "7"})]


def test_a_repair_that_loads_nothing_hides_no_row_that_stands_twice(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.warehouse("INSERT INTO shop_sales.notes SELECT * FROM shop_sales.notes WHERE id = 7")
    found = verified(capsys, "--repair", code=4)
    assert "a new snapshot alone: run --full-refresh --select sales.notes" in found["notes"][-1]
    assert shop.warehouse("SELECT kind FROM shop_sales._el_ledger") == [("snapshot",)]
    verified(capsys, code=4)


def test_a_repair_of_another_row_hides_no_row_that_stands_twice(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.warehouse("INSERT INTO shop_sales.notes SELECT * FROM shop_sales.notes WHERE id = 7")
    shop.warehouse("UPDATE shop_sales.notes SET body = 'another' WHERE id = 6")
    found = verified(capsys, "--repair", code=4)
    assert "has more rows than the ledger says" in found["notes"][-1]
    assert shop.warehouse("SELECT kind FROM shop_sales._el_ledger") == [("snapshot",)]
    verified(capsys, code=4)


def test_an_update_that_did_not_move_the_cursor_is_found(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source("UPDATE sales.notes SET body = 'silently' WHERE id = 7")
    assert verified(capsys, code=4)["columns"] == {"body": 1}


def test_what_went_on_at_the_source_is_no_difference(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source("UPDATE sales.notes SET body = 'later', seen = '2024-07-01' WHERE id = 7")
    shop.source("INSERT INTO sales.notes VALUES (2000, 'new', 1, NULL, '2024-07-01'), (2001, 'x', 1, NULL, NULL)")
    shop.source("DELETE FROM sales.notes WHERE id = 9")
    found = verified(capsys)
    assert found["verdict"] == "EQUAL"
    assert (found["counts"]["late"], found["counts"]["gone"]) == (4, 1)
    assert "gone from the source" in found["notes"][0]


def test_without_a_key_rows_are_counted_by_what_they_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = loaded(folder, "cursor: seen", NOTES.replace(" PRIMARY KEY", ""))
    shop.source("DELETE FROM sales.notes WHERE id = 3")
    assert verified(capsys)["verdict"] == "EQUAL"
    shop.warehouse("UPDATE shop_sales.notes SET body = body || ' ' WHERE id = 7")
    assert verified(capsys, code=4)["counts"]["missing"] == 1


def test_a_snapshot_is_what_was_read_whatever_the_source_does_since(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = loaded(folder, "strategy: full")
    assert verified(capsys)["counts"]["equal"] == 501
    shop.source("UPDATE sales.notes SET body = 'later' WHERE id = 7")
    shop.source("DELETE FROM sales.notes WHERE id = 9")
    found = verified(capsys)
    assert (found["verdict"], found["counts"]["different"], found["counts"]["extra"]) == ("EQUAL", 1, 1)
    assert "raw holds what was read" in found["notes"][0]


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE shop_sales.notes SET body = NULL WHERE id = 8",
        "DELETE FROM shop_sales.notes WHERE id = 8",
        "INSERT INTO shop_sales.notes SELECT * FROM shop_sales.notes WHERE id = 8",
    ],
)
def test_a_fault_in_a_snapshot_is_found(folder: Path, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    shop = loaded(folder, "strategy: full")
    shop.warehouse(fault)
    found = verified(capsys, code=4)
    assert found["verdict"] == "DIFFERENT"
    assert found["samples"][0]["key"] == {"id": "8"}


def test_what_was_never_loaded_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = Workspace(folder).create()
    (folder / "el.yml").write_text(EL_YML.replace("STRATEGY", "strategy: full"))
    shop.source(NOTES)
    found = verified(capsys, code=1)
    assert (found["verdict"], "run first" in found["why"]) == ("REFUSED", True)


def test_text_says_keys_and_columns_and_no_values(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.warehouse("UPDATE shop_sales.notes SET body = 'secret' WHERE id = 7")
    capsys.readouterr()
    assert main(["verify", "--select", "sales.notes"]) == 4
    said = capsys.readouterr().out
    assert "DIFFERENT  sales.notes  ->  shop_sales.notes" in said
    assert "different: id='7': body" in said
    assert "secret" not in said


def test_what_is_excluded_is_said_and_of_a_mask_what_lands_is_compared(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = "columns: {photo: {exclude: true}, body: {mask: sha256}}"
    shop = loaded(folder, f"cursor: seen, {columns}")
    found = verified(capsys)
    assert found["not_compared"] == {
        "photo": "excluded",
        "body": "masked: sha256: what lands is compared, not its value",
    }
    shop.source("UPDATE sales.notes SET photo = 'y' WHERE id = 5")
    assert verified(capsys)["verdict"] == "EQUAL"
    shop.source("UPDATE sales.notes SET body = 'other' WHERE id = 7")
    assert verified(capsys, code=4)["columns"] == {"body": 1}


def test_rows_that_left_the_filters_since_are_late_and_those_that_never_met_them_are_not_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = loaded(folder, 'cursor: seen, filters: [{column: price, op: "<", value: 50.0}]')
    assert verified(capsys)["counts"]["compared"] == 350
    shop.source("UPDATE sales.notes SET price = 99, seen = '2024-07-01' WHERE id = 7")
    found = verified(capsys)
    assert (found["verdict"], found["counts"]["compared"], found["counts"]["gone"]) == ("EQUAL", 349, 0)


def test_a_second_run_waits_while_it_compares(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    once_at("slice begun", lambda: codes.append(main(["run", "--progress", "none"])))
    verified(capsys)
    assert codes == [3]


def test_what_a_killed_comparison_leaves_in_the_working_folder_goes_with_the_next_run(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    def left() -> list[Path]:
        return list(shop.path.glob(".el/*/spool/*/shop_sales/*"))

    found: list[Path] = []
    once_at("slice finished", lambda: [found.extend(left()), copytree(found[0].parents[1], kept)])
    kept = shop.path / ".el" / "kept"
    verified(capsys)
    assert found
    assert left() == []
    copytree(kept, found[0].parents[1])
    assert left()
    assert main(["run", "--progress", "none"]) == 0
    assert left() == []


def test_where_every_row_is_late_it_does_not_say_that_they_are_equal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a number as cursor the last thousand rows are read again."""
    loaded(folder, "cursor: id")
    found = verified(capsys, code=1)
    assert (found["verdict"], found["counts"]["compared"]) == ("UNDECIDED", 0)


@pytest.mark.parametrize("how", ["--no-in-warehouse", "--in-warehouse"])
def test_a_table_of_very_many_columns_is_compared(folder: Path, capsys: pytest.CaptureFixture[str], how: str) -> None:
    names = ", ".join(f"c{n} VARCHAR" for n in range(900))
    values = ", ".join(f"'v' || i / {n + 1}" for n in range(900))
    notes = f"""
        CREATE TABLE sales.notes (id INTEGER PRIMARY KEY, seen TIMESTAMP, {names});
        INSERT INTO sales.notes SELECT i, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR, {values} FROM range(20) AS t (i);
        """
    shop = loaded(folder, "cursor: seen", notes)
    shop.warehouse("UPDATE shop_sales.notes SET c899 = NULL WHERE id = 7")
    assert verified(capsys, how, code=4)["columns"] == {"c899": 1}


def test_a_full_disk_stops_the_table_and_is_noted_without_what_it_said(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("el.extraction.landing.LandingFiles.write", full)
    found = verified(capsys, code=1)
    assert (found["verdict"], "No space left on device" in found["why"]) == ("REFUSED", True)
    ((verdict, why),) = shop.warehouse("SELECT verdict, why FROM shop_sales._el_verified")
    assert (verdict, why) == ("REFUSED", "OSError: what it said is in the output of that verify alone")
