"""The sample's bacpac is one that el reads whole, with each kind of value that it shows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from el.dumps.formats.bacpac import BacpacFormat
from el.sample import old_database


def test_the_sample_bacpac_reads_back_with_all_of_its_orders(tmp_path: Path) -> None:
    old_database.create(tmp_path)
    reading = BacpacFormat("dbo.Orders").read(tmp_path / "old_shop.bacpac")
    rows = [row for batch in reading.batches for row in batch.to_pylist()]
    assert len(rows) == old_database.ORDERS
    assert [row["note"] for row in rows[:3]] == [None, "", "left at the door,\nas always"]
    assert rows[1]["ordered_at"] == datetime(2014, 1, 3, 0, 1)


def test_the_sample_bacpac_is_the_same_every_time(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        old_database.create(tmp_path / name)
        made.append((tmp_path / name / "old_shop.bacpac").read_bytes())
    assert made[0] == made[1]
