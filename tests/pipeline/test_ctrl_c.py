"""A run that is interrupted by Ctrl-C: exit code 130, one line, and the next run completes it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.shop import Workspace

STEPS = ["planned", "batch read", "extracted", "package normalized", "file moved to started_jobs", "package loaded"]


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_ends_a_run_cleanly_and_the_next_one_completes_it(tmp_path: Path, step: str) -> None:
    shop = Workspace(tmp_path).create()
    assert shop.run(stop_at=(step, 1), by=signal.SIGINT) == 130
    said = (tmp_path / "output.log").read_text()
    assert said.count("interrupted: ") == 1
    assert "Traceback" not in said
    assert not list((tmp_path / ".el" / "spool").glob("*/*/*.parquet"))
    assert shop.run() == 0
    assert shop.complete("orders", "count(*), count(DISTINCT id)") == [(3000, 3000)]
    assert shop.complete("lines", "count(*)") == [(9000,)]
