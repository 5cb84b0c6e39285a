"""The sample shop: the same rows every time, and days that change what an extraction has to notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from el.sample import shop as sample

TABLES = ("customers", "products", "orders", "order_lines", "payments")


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(path), read_only=True) as shop:
        return {name: shop.execute(f"SELECT * FROM sales.{name} ORDER BY ALL").fetchall() for name in TABLES}


def greatest_change(path: Path) -> dict[str, Any]:
    with duckdb.connect(str(path), read_only=True) as shop:
        return {
            name: shop.execute(f"SELECT max(updated_at) FROM sales.{name}").fetchone()
            for name in TABLES
            if name != "order_lines"
        }


def test_the_shop_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("first", "second"):
        sample.create(tmp_path / name)
        sample.business_day(tmp_path / name, 1)
        sample.business_day(tmp_path / name, 2)
    assert rows(tmp_path / "first") == rows(tmp_path / "second")


def test_the_shop_replaces_an_older_one(tmp_path: Path) -> None:
    sample.create(tmp_path / "shop")
    new = rows(tmp_path / "shop")
    sample.business_day(tmp_path / "shop", 1)
    sample.create(tmp_path / "shop")
    assert rows(tmp_path / "shop") == new
    sizes = {name: len(found) for name, found in new.items()}
    assert sizes == {"customers": 2000, "products": 300, "orders": 8000, "order_lines": 20000, "payments": 6000}


def test_the_shop_holds_what_is_hard_to_move(tmp_path: Path) -> None:
    sample.create(tmp_path / "shop")
    with duckdb.connect(str(tmp_path / "shop"), read_only=True) as shop:
        for found in (
            "FROM sales.customers WHERE email IS NULL",
            "FROM sales.customers WHERE name LIKE '%🌵%'",
            "FROM sales.orders WHERE note LIKE '%' || chr(10) || '%\"%'",
            "FROM sales.orders WHERE microsecond(updated_at) % 1000000 <> 0",
            "FROM duckdb_constraints() WHERE constraint_type = 'CHECK'",
            "FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'",
            "FROM duckdb_tables() WHERE comment IS NOT NULL",
        ):
            count = shop.execute(f"SELECT count(*) {found}").fetchone()
            assert count is not None
            assert count[0] > 0, found


def test_every_day_inserts_updates_and_deletes_behind_the_last_updated_at(tmp_path: Path) -> None:
    path = tmp_path / "shop"
    sample.create(path)
    for day in (1, 2, 3):
        before, bound = rows(path), greatest_change(path)
        sample.business_day(path, day)
        after = rows(path)
        for name in TABLES:
            assert set(after[name]) - set(before[name]), f"day {day} changed nothing in {name}"
            if name != "order_lines":
                changed = set(after[name]) - set(before[name])
                assert min(row[-1] for row in changed) > bound[name][0], f"a change of {name} is behind its bound"
                assert {row[0] for row in before[name]} <= {row[0] for row in after[name]}
        gone = {row[:2] for row in before["order_lines"]} - {row[:2] for row in after["order_lines"]}
        assert gone, f"day {day} deleted no line"
