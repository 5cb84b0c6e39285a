"""One engine a process compares rows, and puts into the folder of whoever asks what it has no memory for."""

from __future__ import annotations

from pathlib import Path

import pytest

from el.loading import spill
from el.loading.spill import spilling


def sorted_rows(folder: Path, rows: int) -> list[str]:
    """Sort so many rows of 64 bytes there; what stands in the folder meanwhile."""
    with spilling(folder) as session:
        session.execute(
            f"CREATE TEMP TABLE held AS SELECT i, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS t FROM range({rows}) r(i)"
        )
        relation = session.execute("SELECT count(*) FROM (SELECT t, i FROM held ORDER BY t, i DESC OFFSET 1)")
        assert relation.fetchall() == [(rows - 1,)]
        return sorted(path.name for path in folder.glob("*"))


def test_what_one_session_made_no_later_one_sees(tmp_path: Path) -> None:
    for _ in range(2):
        assert sorted_rows(tmp_path / "small", 10) == []


def test_each_folder_gets_what_is_spilled_for_it_and_a_removed_one_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "MEMORY", 24)
    for name in ("first", "second"):
        assert sorted_rows(tmp_path / name, 300_000), "nothing was spilled there"
        assert sorted_rows(tmp_path / f"{name}-small", 10) == []
