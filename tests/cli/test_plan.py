"""`plan --json`: what a scheduler makes its tasks of."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from el.cli.app import main


def test_the_plan_as_json_has_each_table_each_dump_and_what_is_stopped(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect("shop.duckdb") as shop:
        shop.execute("CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY); CREATE TABLE names (id BIGINT)")
        shop.execute("INSERT INTO orders VALUES (1)")
    (folder / "old").mkdir()
    (folder / "old" / "a.csv").write_text("a\n1\n")
    (folder / "profiles.yml").write_text(
        "shop: {target: one, outputs: {one: {type: duckdb, path: shop.duckdb}}}\n"
        "warehouse: {target: one, outputs: {one: {type: duckdb, path: warehouse.duckdb}}}\n"
    )
    (folder / "el.yml").write_text(
        "version: 1\nsource: shop\ndestination: warehouse\n"
        "tables: [{name: main.orders, cursor: id}, {name: main.names, cursor: gone}]\n"
        "dumps: [{name: old.a, files: 'old/*.csv', format: csv}]\n"
    )
    assert main(["plan", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    (orders,) = (table for table in found["tables"] if table["table"] == "main.orders")
    expected = {"strategy": "cursor", "takes": "snapshot", "key": ["id"], "stopped": None}
    assert {name: orders[name] for name in expected} == expected
    assert orders["raw"].endswith(".orders")
    assert "gone" in json.dumps([found["stopped"], [table["stopped"] for table in found["tables"]]])
    (dump,) = found["dumps"]
    assert [name.rpartition("/")[2] for name in dump["files"]] == ["a.csv"]
