"""What is read again and stands in raw is not loaded again: value by value, and as often as it was read."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from el.cli.app import main
from tests.shop import Workspace

KEYLESS = 'CREATE TABLE sales.seen (filename VARCHAR, "C0" DOUBLE, el_row BLOB, "null" DECIMAL(38, 4), seen TIMESTAMP)'
FIRST = "INSERT INTO sales.seen VALUES ('a', 0.0, 'x', 1.5, '2024-01-01'), ('a', 0.0, 'x', 1.5, '2024-01-01')"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    shop = Workspace(tmp_path).create()
    with open(tmp_path / "el.yml", "a") as config:
        config.write('  - {name: "sales.[lno]*", exclude: true}\n  - {name: sales.seen, cursor: seen}\n')
    shop.source(KEYLESS)
    shop.source(FIRST)
    return shop


def loaded(capsys: pytest.CaptureFixture[str]) -> tuple[str, int]:
    assert main(["run", "--json", "--select", "sales.seen"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    return table["status"], table["rows"]


def test_equal_rows_keep_their_number_whatever_their_columns_are_called(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert loaded(capsys) == ("loaded", 2)
    shop.source("INSERT INTO sales.seen VALUES ('a', 0.0, 'x', 1.5, '2024-01-01'), ('b', NULL, NULL, NULL, NULL)")
    assert loaded(capsys) == ("loaded", 2)
    shop.source("INSERT INTO sales.seen VALUES ('b', NULL, NULL, NULL, NULL), ('c', 1, NULL, 0, '2024-01-02')")
    assert loaded(capsys) == ("loaded", 2)
    assert loaded(capsys)[0] == "unchanged"
    with duckdb.connect(str(shop.path / "shop.duckdb"), read_only=True) as source:
        there = source.execute("SELECT * FROM sales.seen ORDER BY ALL").fetchall()
    assert shop.complete("seen", 'filename, c0, el_row, "null", seen') == there


def test_minus_zero_is_another_value_than_zero(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    loaded(capsys)
    shop.source("INSERT INTO sales.seen VALUES ('a', CAST('-0.0' AS DOUBLE), 'x', 1.5, '2024-01-01')")
    assert loaded(capsys) == ("loaded", 1)
    assert sorted(str(zero) for (zero,) in shop.complete("seen", "c0")) == ["-0.0", "0.0", "0.0"]


def test_a_row_that_got_an_earlier_time_meanwhile_and_its_old_one_again_is_loaded(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last row in raw is not the equal one, which lies within the reach of the read, but a later load's."""
    text = (shop.path / "el.yml").read_text().replace("cursor: seen}", "cursor: seen, key: [filename], lag: 3d}")
    (shop.path / "el.yml").write_text(text)
    shop.source("DELETE FROM sales.seen")
    shop.source("INSERT INTO sales.seen VALUES ('a', 1, 'x', 1, '2024-01-04'), ('z', 1, 'x', 1, '2024-01-04')")
    loaded(capsys)
    shop.source("UPDATE sales.seen SET seen = '2024-01-02' WHERE filename = 'a'")
    assert loaded(capsys) == ("loaded", 1)
    shop.source("INSERT INTO sales.seen VALUES ('y', 1, 'x', 1, '2024-01-06')")
    loaded(capsys)
    shop.source("UPDATE sales.seen SET seen = '2024-01-04' WHERE filename = 'a'")
    assert loaded(capsys) == ("loaded", 1)
